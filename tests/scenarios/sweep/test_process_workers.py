"""The worker processes of a sweep."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, cast

from scenarios.scenario import Scenario
from scenarios.sweep import SweepPlan
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
