"""Brokers that we start on this machine: where they listen, and their login, which its own user finds again.

Every user of a machine can connect to its loopback interface. So a broker that we start admits only clients that have
its login: random, for the broker's lifetime, and passed on inside the process and to its workers over a pipe. A second
terminal of the same user finds it in a file that no one else can read.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import platformdirs
import structlog

from broker.errors import BrokerUnreachableError
from broker.file_writing import atomic_write
from broker.security import new_password
from broker.transport import Access, BrokerUrl

LOOPBACK = "127.0.0.1"
_LOWEST_PORT = 10_000
"""Ports below are often reserved for services."""
_PROBES = 100
_OUTGOING_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USUAL_OUTGOING_PORT = 32_768
"""The first outgoing port of Linux; other systems begin at 49,152."""
ATTEMPTS = 5
"""How many free ports are tried: another process may take one between our check and the broker's start."""
USER = "ssmic"
"""Name of the clients of such a broker."""
_LOOPBACK_NAMES = frozenset({LOOPBACK, "localhost", "::1"})
_MOST_BYTES = 1_000
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RunningBroker:
    """A broker that accepts connections."""

    url: BrokerUrl
    """The URL that other processes connect to."""
    description: str
    """Which broker it is, and where, for users."""
    pid: int | None = None
    """Its process id, if it runs in a separate process."""
    restart: Callable[[], None] | None = None
    """Makes it stop, and start again on the same port soon; None: it is not restarted."""


def free_port() -> int:
    """Return a port of the loopback interface that is currently free.

    It is not one of those that the system gives to outgoing connections: while a broker is being restarted, such a
    connection could take its port, even one that tries to reach that very broker.
    """
    for _ in range(_PROBES):
        port = _LOWEST_PORT + secrets.randbelow(_first_outgoing_port() - _LOWEST_PORT)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((LOOPBACK, port))
            return port
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        free: int = probe.getsockname()[1]
        return free


def _first_outgoing_port() -> int:
    """Return the lowest port that this system gives to outgoing connections."""
    try:
        lowest = int(_OUTGOING_PORTS.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _USUAL_OUTGOING_PORT
    return lowest if lowest > 2 * _LOWEST_PORT else _USUAL_OUTGOING_PORT


def port_taken(port: int) -> BrokerUnreachableError:
    """Return the error for a port, chosen by the user, that is in use."""
    return BrokerUnreachableError(f"port {port} is taken: choose another one, or omit it to use any free port")


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
