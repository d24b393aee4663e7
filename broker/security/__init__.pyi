from .acl import (
    CLOCK as CLOCK,
    SERVICE_LOGINS as SERVICE_LOGINS,
    WATCHER as WATCHER,
)
from .mosquitto_conf import (
    HOST_FILE as HOST_FILE,
)
from .provision import (
    Guard as Guard,
    Written as Written,
    login_folder as login_folder,
    write_guard as write_guard,
)
from .secret_files import (
    Owner as Owner,
)

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
