"""A controller as a child process of the lab, which starts and ends with it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from broker import SsmicError
from scenarios.lab.lab import Lab

_STOP_WALL_S = 5.0


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
        process = await asyncio.create_subprocess_exec(*command, env=environment(lab), start_new_session=True)
    except OSError as error:
        raise ControllerError(f"--controller {command[0]!r}: {error.strerror or error}") from None
    watching = asyncio.create_task(_stop_with(process, lab), name="controller")
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


async def _stop_with(process: asyncio.subprocess.Process, lab: Lab) -> None:
    """Stop the lab if its controller fails before time has begun, which it was to begin."""
    code = await process.wait()
    if code and lab.clock.is_paused:
        lab.stop(f"the controller, which ended with exit code {code} before time had begun")


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
