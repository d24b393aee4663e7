"""A Mosquitto of our own: a child process on the loopback, made for one run and gone with it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from broker.errors import BrokerLostError, BrokerUnreachableError
from broker.servers.local import ATTEMPTS, HEADROOM_BYTES, LOOPBACK, RunningBroker, free_port, port_taken
from broker.transport import MAX_PAYLOAD_BYTES, BrokerUrl

log = structlog.get_logger(__name__)

_START_WALL_S = 10.0
_STOP_WALL_S = 3.0
_LOOK_WALL_S = 0.002
MOST_DEATHS = 5
"""After so many deaths in a row it is not started again."""
_STAYED_WALL_S = 10.0
"""One that ran for so long has not died in a row with the one before it."""
_PAUSE_WALL_S = 0.5
"""Longer with each death in a row before it is started again."""
_PLACES = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
"""Where packages put it and users' search paths do not look."""

_CONFIGURATION = """\
listener {port} {host}
allow_anonymous true
# A request and its reply take 88 ms without it.
set_tcp_nodelay true
# By default what is above 1000 messages is dropped.
max_queued_messages 0
max_inflight_messages 0
message_size_limit {message_size_limit}
# A broker that is killed and started again still knows what is retained.
persistence true
persistence_location {folder}/
autosave_interval 1
log_dest stderr
log_type error
log_type warning
log_type information
connection_messages false
"""


def find_mosquitto() -> Path | None:
    """Return where Mosquitto is installed."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path=_PLACES)
    return None if found is None else Path(found)


@asynccontextmanager
async def managed_mosquitto(
    *, port: int | None = None, folder: Path | None = None, more: str = "", revive: bool = False
) -> AsyncIterator[RunningBroker]:
    """Run a Mosquitto for the time of the context.

    Args:
        port: Where it listens; None: on any free port.
        folder: Where it keeps its configuration and what is retained, an existing folder; None: a temporary one.
        more: Further lines of its configuration; the later of two that contradict each other holds.
        revive: Whether it is started again when it dies, on the same port and with what it had saved. Its clients
            reconnect by themselves, and say again what is retained.

    Raises:
        BrokerLostError: it died `MOST_DEATHS` times in a row, each time soon after its start; whatever goes on inside
            the context is cancelled.
        BrokerUnreachableError: it is not installed, the port is taken, or it does not start; the message says why.
    """
    program = find_mosquitto()
    if program is None:
        raise BrokerUnreachableError("mosquitto is not installed: install it, or use the embedded broker")
    with tempfile.TemporaryDirectory(prefix="ssmic-mosquitto-") as temporary:
        process, chosen, version = await _start(program, folder or Path(temporary), port, more)
        url = BrokerUrl(LOOPBACK, chosen)
        running = RunningBroker(url, f"Mosquitto {version} on {LOOPBACK}:{chosen}", process.pid)
        keeper = _Keeper(process, partial(_start, program, folder or Path(temporary), chosen, more), url)
        try:
            if revive:
                async with keeper.reviving():
                    yield running
            else:
                yield running
        finally:
            await _stop(keeper.process)


class _Keeper:
    """Starts a Mosquitto again when it dies."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        start: Callable[[], Coroutine[Any, Any, tuple[asyncio.subprocess.Process, int, str]]],
        url: BrokerUrl,
    ) -> None:
        self.process = process
        """The one that runs, or ran last."""
        self._start = start
        self._url = url

    @asynccontextmanager
    async def reviving(self) -> AsyncIterator[None]:
        """Do so for the time of the context.

        Raises:
            BrokerLostError: it dies again and again.
        """
        failed: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                keeping = tasks.create_task(self._keep(), name="mosquitto")
                try:
                    yield
                except BaseException as error:  # noqa: BLE001 - raised below; the group would wrap it
                    failed = error
                keeping.cancel()
        except BaseExceptionGroup as group:
            failed = group.exceptions[0]
        if failed is not None:
            raise failed

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        deaths, began_wall_s = 0, loop.time()
        while True:
            await self.process.wait()
            deaths = deaths + 1 if loop.time() - began_wall_s < _STAYED_WALL_S else 1
            why = _how_it_ended(self.process)
            while True:
                if deaths >= MOST_DEATHS:
                    raise BrokerLostError(
                        f"the private Mosquitto at {self._url} died {deaths} times in a row: it {why}"
                    )
                log.warning("private mosquitto died, starting it again", broker=str(self._url), why=why)
                await asyncio.sleep(_PAUSE_WALL_S * (deaths - 1))
                began_wall_s = loop.time()
                try:
                    self.process, _, _ = await self._start()
                except BrokerUnreachableError as error:
                    deaths, why = deaths + 1, f"did not start again: {error}"
                else:
                    break
            log.warning("private mosquitto is back", broker=str(self._url))


async def _start(
    program: Path, folder: Path, port: int | None, more: str
) -> tuple[asyncio.subprocess.Process, int, str]:
    """Start it on the wanted port, or on a free one; return the process, the port and the version."""
    for _ in range(ATTEMPTS):
        chosen = free_port() if port is None else port
        process = await _spawn(program, folder, chosen, more)
        try:
            log = await _wait_until_it_runs(process, folder / "mosquitto.log")
        except BaseException:
            await _stop(process)
            raise
        if (running := re.search(r"mosquitto version (\S+) running", log)) is not None:
            return process, chosen, running[1]
        if "Address already in use" not in log:
            raise BrokerUnreachableError(f"mosquitto did not start: {_complaint(log) or _how_it_ended(process)}")
        if port is not None:
            raise port_taken(port)
    raise BrokerUnreachableError(f"mosquitto found no free port in {ATTEMPTS} attempts")


async def _spawn(program: Path, folder: Path, port: int, more: str) -> asyncio.subprocess.Process:
    configuration = _CONFIGURATION.format(
        port=port, host=LOOPBACK, folder=folder, message_size_limit=MAX_PAYLOAD_BYTES + HEADROOM_BYTES
    )
    if os.geteuid() == 0:
        # Else it becomes the user `mosquitto`, who can neither read nor write here; and a process that changes its
        # user is no longer told when its parent dies.
        configuration += "user root\n"
    (folder / "mosquitto.conf").write_text(configuration + more, encoding="utf-8")
    command = [str(program), "-c", str(folder / "mosquitto.conf")]
    if sys.platform == "linux" and (guard := shutil.which("setpriv")) is not None:
        # It ends with us even if we are killed. (Not by `preexec_fn`, which is unsafe once there are threads.)
        command = [guard, "--pdeathsig", "TERM", "--", *command]
    with (folder / "mosquitto.log").open("wb") as log:
        # In a group of its own: Ctrl-C in the terminal is for us, who need the broker to say goodbye.
        return await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )


async def _wait_until_it_runs(process: asyncio.subprocess.Process, log: Path) -> str:
    """Wait until it says that it runs, which is after it listens, or until it has ended; return its log."""
    try:
        async with asyncio.timeout(_START_WALL_S):
            while process.returncode is None:
                text = _read(log)
                if " running\n" in text:
                    return text
                await asyncio.sleep(_LOOK_WALL_S)
    except TimeoutError:
        raise BrokerUnreachableError(
            f"mosquitto did not start within {_START_WALL_S:g} s: {_complaint(_read(log)) or 'no word'}"
        ) from None
    return _read(log)


def _read(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")


def _complaint(log: str) -> str:
    """Return what its log says, without times and without what it says when all is well; empty: nothing."""
    lines = (re.sub(r"^\d+: ", "", line).strip() for line in log.splitlines())
    return "; ".join(line for line in lines if line and not re.search(r" starting$|^Config loaded", line))


def _how_it_ended(process: asyncio.subprocess.Process) -> str:
    code = process.returncode
    return f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Terminate it, kill it where that takes too long, and wait for its end."""
    _signal(process, signal.SIGTERM)
    try:
        async with asyncio.timeout(_STOP_WALL_S):
            await process.wait()
    except BaseException as error:
        _signal(process, signal.SIGKILL)
        if not isinstance(error, TimeoutError):
            raise
        await process.wait()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """Signal it, unless it has ended; its own method takes the news of a child's death away from asyncio."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)
