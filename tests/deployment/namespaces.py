"""Machines as network namespaces on a private bridge; this machine's network is not affected.

Needs root.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

_PROGRAMS = ("ip", "nsenter", "unshare", "mount")
_SWITCH = "switch"


class Machines:
    """Some machines with a link each, that know each other by name."""

    def __init__(self, names: Iterable[str], folder: Path) -> None:
        self._names = tuple(names)
        # An interface's name has 15 characters at most.
        self._prefix = f"ssmic{os.getpid()}"
        self._hosts = folder / "hosts"

    def into(self, name: str) -> tuple[str, ...]:
        """Return what to put before a command so that it runs on a machine: its network, and its `/etc/hosts`."""
        script = 'mount --bind "$0" /etc/hosts && exec "$@"'
        return (
            "nsenter", f"--net=/run/netns/{self._space(name)}",
            "unshare", "--mount", "--propagation", "private", "sh", "-c", script, str(self._hosts),
        )  # fmt: skip

    async def cut(self, name: str, wall_s: float) -> None:
        """Pull out a machine's cable, and put it back in after a while."""
        self._link(name, "down")
        await asyncio.sleep(wall_s)
        self._link(name, "up")

    def set_up(self) -> None:
        """Make the machines."""
        switch = self._space(_SWITCH)
        _ip("netns", "add", switch)
        _ip("-n", switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", switch, "link", "set", "bridge", "up")
        for number, name in enumerate(self._names, start=1):
            space = self._space(name)
            _ip("netns", "add", space)
            _ip("-n", space, "link", "set", "lo", "up")
            _ip("-n", switch, "link", "add", f"port{number}", "type", "veth", "peer", "name", "eth0", "netns", space)
            _ip("-n", switch, "link", "set", f"port{number}", "master", "bridge", "up")
            _ip("-n", space, "addr", "add", f"10.77.0.{number}/24", "dev", "eth0")
            _ip("-n", space, "link", "set", "eth0", "up")
        known = "".join(f"10.77.0.{number} {name}\n" for number, name in enumerate(self._names, start=1))
        self._hosts.write_text(f"127.0.0.1 localhost\n{known}", encoding="utf-8")

    def tear_down(self) -> None:
        """Remove them, as far as they were made."""
        for name in (*self._names, _SWITCH):
            subprocess.run(["ip", "netns", "del", self._space(name)], capture_output=True, check=False)

    def _link(self, name: str, state: str) -> None:
        _ip("-n", self._space(_SWITCH), "link", "set", f"port{self._names.index(name) + 1}", state)

    def _space(self, name: str) -> str:
        return f"{self._prefix}-{name}"


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], capture_output=True, check=True)


def what_is_missing(folder: Path) -> str | None:
    """Return why there can be no machines here; None: there can."""
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"needs {', '.join(missing)}: apt-get install iproute2 util-linux"
    machines = Machines(["trial"], folder)
    try:
        machines.set_up()
        subprocess.run([*machines.into("trial"), "true"], capture_output=True, check=True)
    except subprocess.CalledProcessError as error:
        return f"needs the right to make network namespaces: {error.stderr.decode().strip()}"
    finally:
        machines.tear_down()
    return None


@asynccontextmanager
async def machines(names: Iterable[str], folder: Path) -> AsyncIterator[Machines]:
    """Have machines for the time of the context."""
    made = Machines(names, folder)
    try:
        made.set_up()
        yield made
    finally:
        made.tear_down()
