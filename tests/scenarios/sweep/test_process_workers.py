"""The worker processes of a sweep."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, NoReturn, cast

import pytest

from broker import SsmicError
from scenarios.scenario import Scenario
from scenarios.sweep import SweepPlan
from scenarios.sweep.one_run import SweepWorkerError
from scenarios.sweep.process_workers import process_workers

STARTING_WALL_S = 20.0


class LongToRead:
    """Takes its reader long, as importing a library does on a busy machine."""

    def __reduce__(self) -> tuple[Callable[[float], None], tuple[float]]:
        return time.sleep, (STARTING_WALL_S,)


async def test_workers_that_are_still_starting_end_at_once(plan: SweepPlan) -> None:
    """An interrupted command has only a few seconds until it is ended, with a warning of what it leaves behind."""
    loop = asyncio.get_running_loop()
    variants: Any = (LongToRead(),)
    async with process_workers(cast("tuple[Scenario, ...]", variants), 2) as submit:
        pending = [asyncio.ensure_future(submit(run)) for run in [*plan.runs()][:2]]
        await asyncio.sleep(0)
        for run in pending:
            run.cancel()
        began_s = loop.time()
    assert loop.time() - began_s < STARTING_WALL_S / 2
    await asyncio.gather(*pending, return_exceptions=True)


class KilledWhileItAnswers:
    """A scenario whose run fails in a worker that is then killed in the middle of writing why."""

    @property
    def timeline(self) -> NoReturn:
        """Fail, with more to write than the worker gets to."""

        def write_a_part(connection: Connection, data: bytes) -> None:
            os.write(connection.fileno(), memoryview(data)[:100])
            os.kill(os.getpid(), signal.SIGKILL)

        cast("Any", Connection)._send = write_a_part
        raise SsmicError("a long explanation " * 20)


@pytest.mark.long
async def test_a_worker_killed_while_it_answers_ends_the_sweep_with_an_error(plan: SweepPlan) -> None:
    """Nobody waits for the rest of the answer, neither another worker nor this process."""
    variants: Any = (KilledWhileItAnswers(),)
    async with process_workers(cast("tuple[Scenario, ...]", variants), 2) as submit:
        with pytest.raises(SweepWorkerError, match=r"lost: .*signal 9 .*the same command continues"):
            await asyncio.gather(*(submit(run) for run in [*plan.runs()][:2]))
