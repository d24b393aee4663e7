"""The heartbeat of a command: a file that is touched, and systemd's watchdog, every few seconds.

Both say that the event loop runs, so that a supervisor can restart a process that hangs (`docs/deploy.md`, Restarts).
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ALIVE_FILE = "SSMIC_ALIVE_FILE"
NOTIFY_SOCKET = "NOTIFY_SOCKET"
"""Set by systemd for services of `Type=notify`: where they report that they are ready, and alive."""
EVERY_WALL_S = 5.0
LAST_WORK_WALL_S = 300
"""How long systemd is asked to wait for a process to end after its event loop: printing the results of a thousand
households takes 10 s, and a process killed before it has done so would be started again, only to print them."""


@contextmanager
def heartbeat() -> Iterator[None]:
    """Heartbeat, every few seconds during the context: touch the file named by SSMIC_ALIVE_FILE, and notify systemd."""
    name, address = os.environ.get(ALIVE_FILE), os.environ.get(NOTIFY_SOCKET)
    if not name and not address:
        yield
        return
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle
    has_failed = False

    def show() -> None:
        nonlocal timer, has_failed
        timer = loop.call_later(EVERY_WALL_S, show)
        if address:
            _notify(address, "READY=1\nWATCHDOG=1")
        if name:
            has_failed = _touch(name, has_failed=has_failed)

    show()
    try:
        yield
    finally:
        timer.cancel()
        if address:
            _notify(address, f"STOPPING=1\nEXTEND_TIMEOUT_USEC={LAST_WORK_WALL_S * 1_000_000}")


def _touch(name: str, *, has_failed: bool) -> bool:
    """Touch a file; return whether that failed. A failure is logged, and so is its end."""
    try:
        Path(name).touch()
    except (OSError, ValueError) as error:
        if not has_failed:
            why = getattr(error, "strerror", None) or str(error)
            _say(f"{ALIVE_FILE}: {name} cannot be touched ({why}); trying again every {EVERY_WALL_S:g} s")
        return True
    if has_failed:
        _say(f"{ALIVE_FILE}: {name} can be touched again")
    return False


def _notify(address: str, state: str) -> None:
    """Send systemd a state, as sd_notify(3) does; one that cannot be sent is repeated with the next heartbeat."""
    if address.startswith("@"):
        address = f"\0{address[1:]}"  # a name that is in no file system
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
        sender.sendto(state.encode(), address)


def _say(text: str) -> None:
    with suppress(OSError):
        os.write(2, f"ssmic: {text}\n".encode(errors="replace"))
