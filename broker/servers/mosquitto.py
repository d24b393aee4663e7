"""A private Mosquitto: a child process on the loopback interface that lives as long as one run."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from broker.errors import BrokerLostError, BrokerUnreachableError
from broker.orphan_processes import ending_with_this_process
from broker.security import SecretWriter, password_line
from broker.servers.own_broker import ATTEMPTS, LOOPBACK, OwnLogin, RunningBroker, free_port, port_taken
from broker.transport import HEADROOM_BYTES, MAX_PAYLOAD_BYTES, BrokerUrl

log = structlog.get_logger(__name__)

_START_WALL_S = 10.0
_STOP_WALL_S = 3.0
_POLL_WALL_S = 0.002
MOST_DEATHS = 5
"""After this many deaths in a row, it is not restarted."""
_STAYED_WALL_S = 10.0
"""A process that ran for this long starts a new count of deaths, wall-clock seconds."""
_PAUSE_WALL_S = 0.5
"""Pause before a restart, times the number of preceding deaths in a row, wall-clock seconds."""
_SEARCH_PATH = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
"""Folders in which packages install it, outside of users' search paths."""

_PASSWORDS = "passwords"

_CONFIGURATION = """\
listener {port} {host}
{login}
# A request and its reply take 88 ms without it.
set_tcp_nodelay true
# By default, more than 1000 queued messages are dropped.
max_queued_messages 0
max_inflight_messages 0
message_size_limit {message_size_limit}
# Retained messages survive a restart.
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
    """Return the path of Mosquitto's program; None if it is not installed."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path=_SEARCH_PATH)
    return None if found is None else Path(found)


@asynccontextmanager
async def managed_mosquitto(
    *,
    port: int | None = None,
    folder: Path | None = None,
    extra_configuration: str = "",
    restart: bool = False,
    login: OwnLogin | None = None,
) -> AsyncIterator[RunningBroker]:
    """Run a Mosquitto for the duration of the context.

    Args:
        port: Port; None: any free port.
        folder: Existing folder for its configuration and retained messages; None: a temporary one.
        extra_configuration: Further lines of its configuration, which override earlier ones.
        restart: Whether it is restarted when it dies, on the same port and with its saved state. Clients reconnect by
            themselves and publish their retained messages again.
        login: The login of clients; None: every user of this machine may connect.

    Raises:
        BrokerLostError: It died `MOST_DEATHS` times in a row soon after its start; the body of the context is
            cancelled.
        BrokerUnreachableError: It is not installed, the port is taken, or it does not start; the message says why.
    """
    program = find_mosquitto()
    if program is None:
        raise BrokerUnreachableError("mosquitto is not installed: install it, or use the embedded broker")
    with tempfile.TemporaryDirectory(prefix="ssmic-mosquitto-") as temporary:
        begin = partial(_start, program, folder or Path(temporary), extra_configuration, login)
        process, chosen, version = await begin(port)
        url = BrokerUrl(LOOPBACK, chosen, *(() if login is None else (login.user, login.password)))
        keeper = _Supervisor(process, partial(begin, chosen), url)
        running = RunningBroker(
            url,
            f"Mosquitto {version} on {LOOPBACK}:{chosen}",
            process.pid,
            keeper.end_process if restart else None,
        )
        try:
            if restart:
                async with keeper.restarting():
                    yield running
            else:
                yield running
        finally:
            await _stop(keeper.process)


class _Supervisor:
    """Restarts a Mosquitto when it dies."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        start: Callable[[], Coroutine[Any, Any, tuple[asyncio.subprocess.Process, int, str]]],
        url: BrokerUrl,
    ) -> None:
        self.process = process
        """The current process, or the last one."""
        self._start = start
        self._url = url
        self._is_asked = False

    def end_process(self) -> None:
        """End the process, which is then restarted; this does not count as a crash."""
        self._is_asked = True
        _signal(self.process, signal.SIGTERM)

    @asynccontextmanager
    async def restarting(self) -> AsyncIterator[None]:
        """Restart it for the duration of the context.

        Raises:
            BrokerLostError: It dies repeatedly.
        """
        failed: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                keeping = tasks.create_task(self._keep(), name="mosquitto")
                try:
                    yield
                except BaseException as error:  # noqa: BLE001 - raised below; the task group would wrap it
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
            if self._is_asked:
                deaths, self._is_asked = 1, False
            why = _how_it_ended(self.process)
            while True:
                if deaths >= MOST_DEATHS:
                    raise BrokerLostError(
                        f"the private Mosquitto at {self._url} died {deaths} times in a row: it {why}"
                    )
                log.warning("private mosquitto died", broker=str(self._url), reason=why)
                await asyncio.sleep(_PAUSE_WALL_S * (deaths - 1))
                began_wall_s = loop.time()
                try:
                    self.process, _, _ = await self._start()
                except BrokerUnreachableError as error:
                    deaths, why = deaths + 1, f"did not start again: {error}"
                else:
                    break
            log.warning("private mosquitto restarted", broker=str(self._url))


async def _start(
    program: Path, folder: Path, extra_configuration: str, login: OwnLogin | None, port: int | None
) -> tuple[asyncio.subprocess.Process, int, str]:
    """Start it on the wanted port, or on a free one; return the process, the port and the version."""
    for _ in range(ATTEMPTS):
        chosen = free_port() if port is None else port
        process = await _spawn(program, folder, chosen, extra_configuration, login)
        try:
            log = await _wait_until_it_runs(process, folder / "mosquitto.log")
        except BaseException:
            await _stop(process)
            raise
        if (running := re.search(r"mosquitto version (\S+) running", log)) is not None:
            return process, chosen, running[1]
        if "Address already in use" not in log:
            raise BrokerUnreachableError(f"mosquitto did not start: {_errors_in(log) or _how_it_ended(process)}")
        if port is not None:
            raise port_taken(port)
    raise BrokerUnreachableError(f"mosquitto found no free port in {ATTEMPTS} attempts")


async def _spawn(
    program: Path, folder: Path, port: int, extra_configuration: str, login: OwnLogin | None
) -> asyncio.subprocess.Process:
    configuration = _CONFIGURATION.format(
        port=port,
        host=LOOPBACK,
        folder=folder,
        message_size_limit=MAX_PAYLOAD_BYTES + HEADROOM_BYTES,
        login="allow_anonymous true" if login is None else f"password_file {folder}/{_PASSWORDS}",
    )
    if login is not None:
        SecretWriter().write(folder / _PASSWORDS, f"{password_line(login.user, login.password)}\n".encode())
    if os.geteuid() == 0:
        # Otherwise it switches to the user `mosquitto`, which can neither read nor write here; and a process that
        # changes its user is no longer signalled when its parent dies.
        configuration += "user root\n"
    (folder / "mosquitto.conf").write_text(configuration + extra_configuration, encoding="utf-8")
    command = ending_with_this_process([str(program), "-c", str(folder / "mosquitto.conf")])
    with (folder / "mosquitto.log").open("wb") as log:
        # In a separate process group, so that Ctrl-C reaches only this process, which needs the broker to disconnect.
        return await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )


async def _wait_until_it_runs(process: asyncio.subprocess.Process, log: Path) -> str:
    """Wait until it logs that it is running, which is after it listens, or has ended; return its log."""
    try:
        async with asyncio.timeout(_START_WALL_S):
            while process.returncode is None:
                text = _read(log)
                if " running\n" in text:
                    return text
                await asyncio.sleep(_POLL_WALL_S)
    except TimeoutError:
        raise BrokerUnreachableError(
            f"mosquitto did not start within {_START_WALL_S:g} s: {_errors_in(_read(log)) or 'no output'}"
        ) from None
    return _read(log)


def _read(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")


def _errors_in(log: str) -> str:
    """Return the errors in its log, without timestamps and routine messages; empty if there are none."""
    lines = (re.sub(r"^\d+: ", "", line).strip() for line in log.splitlines())
    return "; ".join(line for line in lines if line and not re.search(r" starting$|^Config loaded", line))


def _how_it_ended(process: asyncio.subprocess.Process) -> str:
    code = process.returncode
    return f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Terminate it, kill it if that takes too long, and wait for its end."""
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
    """Signal it, unless it has ended. Its own method would take the notification of the child's death from asyncio."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)
