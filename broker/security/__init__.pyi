from .acl import (
    CLOCK as CLOCK,
    DEVICE_PREFIX as DEVICE_PREFIX,
    SERVICE_LOGINS as SERVICE_LOGINS,
    WATCHER as WATCHER,
    DeviceAccess as DeviceAccess,
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
    "DEVICE_PREFIX",
    "HOST_FILE",
    "SERVICE_LOGINS",
    "WATCHER",
    "DeviceAccess",
    "Guard",
    "Owner",
    "Written",
    "login_folder",
    "write_guard",
]
