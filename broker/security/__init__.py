"""A guarded Mosquitto: certificates, logins and access control lists."""

from broker.security.acl import CLOCK, SERVICE_LOGINS, WATCHER
from broker.security.mosquitto_conf import HOST_FILE
from broker.security.provision import Guard, Written, login_folder, write_guard
from broker.security.secret_files import Owner

__all__ = [
    "CLOCK",
    "HOST_FILE",
    "SERVICE_LOGINS",
    "WATCHER",
    "Guard",
    "Owner",
    "Written",
    "login_folder",
    "write_guard",
]
