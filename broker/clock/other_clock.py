"""Checks whether a run or lab with the same id is already active at a broker."""

from __future__ import annotations

import asyncio
import secrets

from broker.errors import ClockTakenError, ProtocolError
from broker.protocol import TimeReport, topics
from broker.transport import Broker, Delivery

RETAINED_WALL_S = 0.5
"""How long a starting run waits for retained messages of another one with its id."""


async def check_alone(broker: Broker, run: str) -> None:
    """Raise if a run with this id is active: the two would refuse each other's households, and both publish `time`.

    A retained report on `time` shows that there may be such a run or lab. Because the report may be a leftover, this
    function then waits for a sign of life.

    Args:
        broker: The broker of the run.
        run: The run's id.

    Raises:
        ClockTakenError: There is another run, or a lab.
        BrokerUnreachableError, BrokerLostError: See `broker.transport.base`.
    """
    async with broker.connect(f"{run}-clock-{secrets.token_hex(8)}") as bus:
        await bus.subscribe(topics.time(run))
        until_wall_s = asyncio.get_running_loop().time() + RETAINED_WALL_S
        messages = bus.messages()
        while True:
            try:
                async with asyncio.timeout_at(until_wall_s):
                    event = await anext(messages)
                report = event.read(TimeReport) if isinstance(event, Delivery) else None
            except (TimeoutError, StopAsyncIteration):
                return
            except ProtocolError:
                continue  # an empty payload: that clock has just left
            if report is None or not report.is_under_way:
                continue
            if isinstance(event, Delivery) and not event.retain:
                raise ClockTakenError(
                    f"run or lab {run!r} is already active at this broker ({report.state}): end it first, or choose "
                    "another --run"
                )
            until_wall_s = asyncio.get_running_loop().time() + report.valid_wall_s
