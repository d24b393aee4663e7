"""A Mosquitto of our own: a child process on the loopback, made for one run and gone with it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from broker.bus import MAX_PAYLOAD_BYTES
from broker.errors import BrokerUnreachableError
from broker.running import ATTEMPTS, HEADROOM_BYTES, LOOPBACK, RunningBroker, free_port, port_taken
from broker.url import BrokerUrl

_START_WALL_S = 10.0
_STOP_WALL_S = 3.0
_LOOK_WALL_S = 0.002
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
    *, port: int | None = None, folder: Path | None = None, more: str = ""
) -> AsyncIterator[RunningBroker]:
    """Run a Mosquitto for the time of the context.

    Args:
        port: Where it listens; None: on any free port.
        folder: Where it keeps its configuration and what is retained, an existing folder; None: a temporary one.
        more: Further lines of its configuration; the later of two that contradict each other holds.

    Raises:
        BrokerUnreachableError: it is not installed, the port is taken, or it does not start; the message says why.
    """
    program = find_mosquitto()
    if program is None:
        raise BrokerUnreachableError("mosquitto is not installed: install it, or use the embedded broker")
    with tempfile.TemporaryDirectory(prefix="ssmic-mosquitto-") as temporary:
        process, chosen, version = await _start(program, folder or Path(temporary), port, more)
        try:
            description = f"Mosquitto {version} on {LOOPBACK}:{chosen}"
            yield RunningBroker(BrokerUrl(LOOPBACK, chosen), description, process.pid)
        finally:
            await _stop(process)


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
            raise BrokerUnreachableError(f"mosquitto did not start: {_complaint(log)}")
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
            f"mosquitto did not start within {_START_WALL_S:g} s: {_complaint(_read(log))}"
        ) from None
    return _read(log)


def _read(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")


def _complaint(log: str) -> str:
    """Return what its log says, without times and without what it says when all is well."""
    lines = (re.sub(r"^\d+: ", "", line).strip() for line in log.splitlines())
    return "; ".join(line for line in lines if line and not re.search(r" starting$|^Config loaded", line)) or "no word"


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
