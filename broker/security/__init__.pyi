from .acl import (
    CLOCK as CLOCK,
    SERVICE_LOGINS as SERVICE_LOGINS,
    WATCHER as WATCHER,
    DeviceAccess as DeviceAccess,
)
from .certificates import (
    VALID_DAYS as VALID_DAYS,
    common_name_of as common_name_of,
)
from .mosquitto_conf import (
    HOST_FILE as HOST_FILE,
    new_password as new_password,
    password_line as password_line,
)
from .provision import (
    Guard as Guard,
    Owner as Owner,
    SecretWriter as SecretWriter,
    WrittenGuard as WrittenGuard,
    files_of_broker as files_of_broker,
    files_of_logins as files_of_logins,
    login_folder as login_folder,
    names_of_broker as names_of_broker,
    write_guard as write_guard,
)

__all__ = [
    "CLOCK",
    "HOST_FILE",
    "SERVICE_LOGINS",
    "VALID_DAYS",
    "WATCHER",
    "DeviceAccess",
    "Guard",
    "Owner",
    "SecretWriter",
    "WrittenGuard",
    "common_name_of",
    "files_of_broker",
    "files_of_logins",
    "login_folder",
    "names_of_broker",
    "new_password",
    "password_line",
    "write_guard",
]
