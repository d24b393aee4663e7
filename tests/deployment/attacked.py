"""The street on a guarded broker, under attack by an intruder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from agents.model import MANAGER
from broker.errors import HostRefusedError
from broker.protocol.retry_timeouts import Timeouts
from broker.transport.base import Bus, Delivery, Will
from scenarios.scenario import Scenario
from scenarios.simulation.outcome import RunOutcome
from scenarios.simulation.run import RunCallbacks, run_hosts, run_scenario
from scenarios.simulation.settings import RunSettings
from tests.deployment.guarded import GuardedBroker
from tests.patience import PATIENCE_WALL_S

RUN = "street"
LATE = "fuchs"
"""The household that joins last: until then the run does not advance, so the attacker has time."""

PAUSE_WALL_S = 0.1
"""Between one attack and the next: the attacker shares a processor with all others here."""

Attack = Callable[[GuardedBroker], Awaitable[None]]


@dataclass
class Attacked:
    """A run that was attacked."""

    outcome: RunOutcome
    guarded: GuardedBroker
    rounds_of_attack: int
    """How often the attack was made during the run."""
    reconnections: dict[str, int] = field(default_factory=dict)


async def take_part(
    street: Scenario, settings: RunSettings, guarded: GuardedBroker, house: str, put_out: str | None
) -> None:
    """Run a household until the run ends, or until its expected quarantine."""
    try:
        await run_hosts(street, settings, guarded.of(house), [house])
    except* HostRefusedError:
        if house != put_out:
            raise


async def run_attacked(
    street: Scenario,
    guarded: GuardedBroker,
    attack: Attack | None = None,
    before: Attack | None = None,
    *,
    run: str = RUN,
    seed: int = 1,
    put_out: str | None = None,
) -> Attacked:
    """Run the street, every household with its own login.

    Args:
        street: What is run.
        guarded: Where.
        attack: Made once when all but one household are there, and again and again until the run has ended.
        before: Made before any household is present.
        run: The run's id.
        seed: The run's seed.
        put_out: The household that is quarantined for messages in its name; None: none is.
    """
    settings = RunSettings(seed, run, patience=Timeouts(resend_wall_s=0.2, limit_wall_s=PATIENCE_WALL_S))
    made = 0
    waiting = asyncio.Event()

    def on_missing(missing: tuple[str, ...]) -> None:
        if missing == (LATE,):
            waiting.set()

    async def go_on_attacking() -> None:
        nonlocal made
        while attack is not None:
            await attack(guarded)
            made += 1
            await asyncio.sleep(PAUSE_WALL_S)

    if before is not None:
        await before(guarded)
    async with asyncio.timeout(PATIENCE_WALL_S + 60), asyncio.TaskGroup() as tasks:
        clock = tasks.create_task(
            run_scenario(
                street, settings, guarded.of("clock"), [MANAGER], callbacks=RunCallbacks(on_missing=on_missing)
            )
        )
        for house in street.houses:
            if house.id != LATE:
                tasks.create_task(take_part(street, settings, guarded, house.id, put_out))
        await waiting.wait()
        if attack is not None:
            await attack(guarded)
        attacking = tasks.create_task(go_on_attacking())
        tasks.create_task(take_part(street, settings, guarded, LATE, put_out))
        outcome = await clock
        attacking.cancel()
        assert attack is None or made, "the run was over before it could be attacked"
    assert [host.host for host in outcome.without if host.is_quarantined] == ([] if put_out is None else [put_out])
    return Attacked(outcome, guarded, made)


@asynccontextmanager
async def intruder(guarded: GuardedBroker, login: str, client_id: str, will: Will | None = None) -> AsyncIterator[Bus]:
    """Connect with the login of a compromised machine."""
    async with guarded.of(login).connect(client_id, will) as bus:
        yield bus


async def heard(bus: Bus, at_least: int = 0, wall_s: float = 0.3, until: bytes | None = None) -> list[Delivery]:
    """Return the messages that arrive until none has arrived for a while.

    Args:
        bus: Where.
        at_least: How many messages must arrive, however long they take.
        wall_s: How long no message may arrive.
        until: The payload of the last message, however long it takes.
    """
    found: list[Delivery] = []
    while True:
        try:
            async with asyncio.timeout(wall_s if until is None and len(found) >= at_least else PATIENCE_WALL_S):
                item = await anext(bus.messages())
        except TimeoutError:
            return found
        if isinstance(item, Delivery):
            found.append(item)
            if until is not None and item.payload == until:
                return found
