"""Input from outside a run is delivered in a new second, journaled, and can be replayed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from broker.clock.clock import Clock
from broker.clock.pacing import Moment, Pace
from broker.clock.settings import ClockSettings
from broker.hosts.agent import Agent, Instruction
from broker.hosts.external_port import Incoming
from broker.hosts.host import Host
from broker.hosts.journal import HostJournal
from broker.protocol.retry_timeouts import Timeouts
from broker.transport.memory import MemoryBroker
from tests.broker.clock.test_clock import MESSAGES, Ping
from tests.virtual_time import new_virtual_loop

PATIENCE = Timeouts(resend_wall_s=0.5, resend_most_wall_s=5, limit_wall_s=60)


class Ear(Agent[Ping]):
    """Records input from outside, and answers."""

    def __init__(self, heard: list[tuple[int, int]]) -> None:
        super().__init__("ear")
        self.heard = heard

    async def run(self) -> None:
        self.spawn(self._stay(), "stay")
        while True:
            received = await self.receive()
            self.heard.append((self.now_s, received.message.n))
            self.instruct(Ping(n=-received.message.n))

    async def _stay(self) -> None:
        await self.until(1_100)


class Outside:
    """A port that is given things, at once or at set times."""

    def __init__(self, due: dict[int, list[int]] | None = None) -> None:
        self.waiting = asyncio.Event()
        self.due = dict(due or {})
        self.told: list[tuple[int, int]] = []
        self.restored: list[tuple[int, list[int], list[int]]] = []
        self._waiting: list[int] = []

    @property
    def next_s(self) -> int | None:
        return min(self.due, default=None)

    def put(self, n: int) -> None:
        self._waiting.append(n)
        self.waiting.set()

    def take(self, now_s: int) -> Sequence[Incoming]:
        taken = [*self._waiting, *self.due.pop(now_s, [])]
        self._waiting.clear()
        self.waiting.clear()
        return [Incoming("ear", Ping(n=n)) for n in taken]

    def restore(self, taken: Sequence[Incoming], instructions: Sequence[Instruction], now_s: int) -> None:
        if taken or instructions:
            self.restored.append((now_s, _numbers(i.message for i in taken), _numbers(i.content for i in instructions)))

    async def carry_out(self, instructions: Sequence[Instruction], now_s: int) -> None:
        self.told += [(now_s, n) for n in _numbers(instruction.content for instruction in instructions)]


def _numbers(messages: Iterable[Any]) -> list[int]:
    return [message.n for message in messages]


def run(
    port: Outside, heard: list[tuple[int, int]], *given: tuple[float, int], journal: Path | None = None
) -> list[Moment]:
    """Run the agent at 1x for 20 s, where the outside says something at these wall-clock seconds."""
    moments: list[Moment] = []

    async def main() -> None:
        broker = MemoryBroker()
        settings = ClockSettings(
            "r", {"a": ("ear",)}, 1_000, end_s=1_020, pace=Pace(1.0), timeouts=PATIENCE, is_open=not port.due
        )

        async def outside() -> None:
            before = 0.0
            for at_wall_s, n in given:
                await asyncio.sleep(at_wall_s - before)
                before = at_wall_s
                port.put(n)

        with HostJournal(journal, {}) if journal else nullcontext() as opened:
            host = Host("a", "r", [Ear(heard)], MESSAGES, seed=1, timeouts=PATIENCE, port=port, journal=opened)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(host.run(broker))
                tasks.create_task(outside())
                await Clock(settings, moments.append).run(broker)

    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        runner.run(main())
    return moments


def test_input_from_outside_is_delivered_in_the_second_that_the_pace_has_reached() -> None:
    """Two inputs of one second are delivered in order; the answer leaves in the same round."""
    heard: list[tuple[int, int]] = []
    port = Outside()
    moments = run(port, heard, (3.25, 7), (3.5, 8), (3.75, 9))
    assert heard == [(1_003, 7), (1_004, 8), (1_004, 9)]
    assert port.told == [(1_003, -7), (1_004, -8), (1_004, -9)]
    assert [(m.time_s, m.round) for m in moments[:3]] == [(1_000, 0), (1_003, 0), (1_004, 0)]


def test_the_same_input_at_the_same_seconds_makes_the_same_rounds() -> None:
    """A record by seconds suffices to repeat a run without the outside world."""
    heard: list[tuple[int, int]] = []
    moments = run(Outside(), heard, (3.25, 7), (3.5, 8), (3.75, 9))
    again: list[tuple[int, int]] = []
    assert run(Outside({1_003: [7], 1_004: [8, 9]}), again) == moments
    assert again == heard


def test_a_restarted_host_remembers_input_from_outside(tmp_path: Path) -> None:
    """Its journal replays the input; instructions of the agents are not carried out again."""
    heard: list[tuple[int, int]] = []
    run(Outside(), heard, (3.25, 7), journal=tmp_path / "journal")
    port = Outside()
    again: list[tuple[int, int]] = []

    async def replay() -> None:
        with HostJournal(tmp_path / "journal", {}) as journal:
            host = Host("a", "r", [Ear(again)], MESSAGES, seed=1, timeouts=PATIENCE, port=port, journal=journal)
            async with asyncio.TaskGroup() as tasks:
                await host._replay(tasks)
                host._group.stop()

    asyncio.run(replay())
    assert again == heard == [(1_003, 7)]
    assert port.restored == [(1_003, [7], [-7])]
    assert port.told == []


def test_a_restarted_host_gets_a_round_for_new_input_from_outside_at_once(tmp_path: Path) -> None:
    """Not only when one of its agents has something to do the next time, which may be hours later."""
    heard: list[tuple[int, int]] = []

    async def main() -> None:
        broker = MemoryBroker()
        settings = ClockSettings(
            "r", {"a": ("ear",)}, 1_000, end_s=1_020, pace=Pace(1.0), timeouts=PATIENCE, is_open=True
        )

        async def host(port: Outside) -> None:
            with HostJournal(tmp_path / "journal", {}) as journal:
                agents = [Ear(heard)]
                host = Host("a", "r", agents, MESSAGES, seed=1, timeouts=PATIENCE, port=port, journal=journal)
                await host.run(broker)

        async with asyncio.TaskGroup() as tasks:
            clock = tasks.create_task(Clock(settings, lambda _: None).run(broker))
            before = Outside()
            first = tasks.create_task(host(before))
            await asyncio.sleep(3.25)
            before.put(7)
            await asyncio.sleep(1)
            assert heard == [(1_003, 7)]
            first.cancel()
            await asyncio.wait([first])
            heard.clear()
            after = Outside()
            tasks.create_task(host(after))
            await asyncio.sleep(4)
            assert heard == [(1_003, 7)]  # replayed
            after.put(8)
            await clock

    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        runner.run(main())
    assert heard == [(1_003, 7), (1_008, 8)]
