"""The login of a broker that we start on this machine: random, for the broker's lifetime, found again by its own user.

Every user of a machine can connect to its loopback interface. So a broker that we start admits only clients that have
its login, which is passed on inside the process and to its workers over a pipe. A second terminal of the same user
finds it in a file that no one else can read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import platformdirs
import structlog

from broker.file_writing import atomic_write
from broker.security import new_password
from broker.servers.local import LOOPBACK
from broker.transport import Access, BrokerUrl

USER = "ssmic"
_LOOPBACK_NAMES = frozenset({LOOPBACK, "localhost", "::1"})
_MOST_BYTES = 1_000
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OwnLogin:
    """Name and password of the clients of one broker."""

    user: str
    password: str = field(repr=False)


def new_login() -> OwnLogin:
    """Return a login with a random password of 256 bits."""
    return OwnLogin(USER, new_password())


def logins_folder() -> Path:
    """Return the folder with the logins of this user's running brokers: one file each, named by the port."""
    return platformdirs.user_state_path("ssmic") / "brokers"


@contextmanager
def kept_login(url: BrokerUrl) -> Iterator[None]:
    """Keep a broker's login where this user's other processes find it, for the duration of the context.

    A folder that cannot be written means that a second terminal cannot connect; the run continues.
    """
    file = logins_folder() / f"{url.port}.json"
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.parent.chmod(0o700)
        with atomic_write(file, mode=0o600) as draft:
            draft.write_text(json.dumps({"user": url.user, "password": url.password, "pid": os.getpid()}))
    except OSError as error:
        _log.info(
            "login of the private broker not kept for other terminals", folder=str(file.parent), reason=str(error)
        )
    try:
        yield
    finally:
        with suppress(OSError):
            file.unlink()


def own_brokers() -> list[BrokerUrl]:
    """Return this user's running brokers with their logins, the newest first; files of dead processes are removed."""
    found = []
    with suppress(OSError):
        for file in sorted(logins_folder().glob("*.json")):
            url = _read(file)
            with suppress(OSError):  # its broker has just ended
                if url is not None:
                    found.append((file.stat().st_mtime_ns, url))
    return [url for _, url in sorted(found, key=lambda item: item[0], reverse=True)]


def with_own_login(access: Access) -> Access:
    """Return access with the login of this user's own broker, where its URL is one on this machine without a login."""
    url = access.url
    if url.user is not None or url.tls or url.host not in _LOOPBACK_NAMES:
        return access
    own = _read(logins_folder() / f"{url.port}.json")
    return access if own is None else replace(access, url=replace(url, user=own.user, password=own.password))


def _read(file: Path) -> BrokerUrl | None:
    """Return the broker of a file; None if it is not one of ours, or its process has ended."""
    try:
        with file.open("rb") as opened:
            status = os.fstat(opened.fileno())
            if status.st_uid != os.geteuid() or status.st_mode & 0o077:
                return None  # someone else could have written it
            content = json.loads(opened.read(_MOST_BYTES))
        user, password, pid = content["user"], content["password"], content["pid"]
        if not (isinstance(user, str) and isinstance(password, str) and isinstance(pid, int) and pid > 0):
            return None
        os.kill(pid, 0)
        return BrokerUrl(LOOPBACK, int(file.stem), user, password)
    except ProcessLookupError:
        with suppress(OSError):
            file.unlink()
        return None
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
