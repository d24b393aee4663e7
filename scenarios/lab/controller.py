"""A controller as a child process of the lab, which starts and ends with it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import structlog

from broker import SsmicError, ending_with_this_process
from scenarios.lab.lab import Lab

_STOP_WALL_S = 5.0

_log = structlog.get_logger(__name__)


class ControllerError(SsmicError):
    """The controller's command cannot be run."""


def environment(lab: Lab) -> dict[str, str]:
    """Return the environment of a controller: where the broker is, and the lab's time for `faketime`."""
    url = lab.broker.url
    login = {"MQTT_USER": url.user, "MQTT_PASSWORD": url.password}
    return {
        **os.environ,
        **{key: value for key, value in login.items() if value is not None},
        "SSMIC_BROKER": str(url),
        "SSMIC_RUN": lab.settings.run_id,
        "MQTT_HOST": url.host,
        "MQTT_PORT": str(url.port),
        "LAB_FAKETIME": lab.clock.faketime(),
    }


@asynccontextmanager
async def run_controller(lab: Lab, command: Sequence[str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a command for the duration of the context; then stop it, and all that it started.

    Raises:
        ControllerError: There is no such command.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *ending_with_this_process(command), env=environment(lab), start_new_session=True
        )
    except OSError as error:
        raise ControllerError(f"--controller {command[0]!r}: {error.strerror or error}") from None
    watching = asyncio.create_task(_watch(process, lab), name="controller")
    try:
        yield process
    finally:
        watching.cancel()
        if process.returncode is None:
            _signal(process, signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout(_STOP_WALL_S):
                    await process.wait()
        _signal(process, signal.SIGKILL)
        await process.wait()


async def _watch(process: asyncio.subprocess.Process, lab: Lab) -> None:
    """Log when the controller ends before the lab; stop the lab if the controller was to start time and did not."""
    code = await process.wait()
    if not lab.is_under_way:
        return
    has_begun = lab.clock.has_begun
    if code and not has_begun:
        lab.stop(f"the controller, which ended {how_it_ended(code)} before time had begun")
        return
    what = "the lab goes on without it" if has_begun else "time begins when something publishes 'resume' on 'control'"
    _log.warning("controller ended early", ended=how_it_ended(code), consequence=what)


def how_it_ended(code: int) -> str:
    """Return how a process ended, as `with exit code 2` or `by signal 9`.

    Args:
        code: Its exit code; negative: the signal that killed it.
    """
    return f"by signal {-code}" if code < 0 else f"with exit code {code}"


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
