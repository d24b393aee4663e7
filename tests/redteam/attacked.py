"""A neighbourhood with one lying member, and the outcome of its run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any, Literal

from agents.manager.ledger import LedgerEntry
from agents.model import MANAGER
from broker.clock.settings import OnLoss
from broker.protocol import topics
from broker.protocol.retry_timeouts import Timeouts
from broker.protocol.wire import Control
from broker.transport.base import Broker
from broker.transport.memory import MemoryBroker
from scenarios.results import RecordedEnd
from scenarios.scenario import Scenario
from scenarios.simulation.outcome import RunOutcome
from scenarios.simulation.recording import Recorder
from scenarios.simulation.run import run_hosts, run_scenario
from scenarios.simulation.settings import RunSettings
from tests.deployment.guarded import GuardedBroker
from tests.patience import PATIENCE_WALL_S
from tests.redteam.member import Member, plain_mqtt

LIMIT_WALL_S = PATIENCE_WALL_S
"""Default time limit of clock and hosts."""


@dataclass(frozen=True, slots=True)
class Attacked:
    """How a run with a lying member ended."""

    outcome: RunOutcome | None
    """What the clock came to; None: it failed."""
    error: BaseException | None
    """Why the clock failed."""
    hosts: dict[str, BaseException | None]
    """By household that does not lie, the error with which its process ended; None: none."""
    heard: list[tuple[str, dict[str, Any]]]
    """All messages that the clock received: sender and body."""
    member: str
    """How the member ended, see `Member.ending`."""

    @property
    def done(self) -> RunOutcome:
        """Return the outcome of a run in which no other process failed."""
        if self.error is not None:
            raise self.error
        assert self.outcome is not None
        assert self.outcome.state == "done"
        assert [house for house, error in self.hosts.items() if error is not None] == []
        return self.outcome


class _Heard:
    """A recorder (`scenarios.simulation.recording.Recorder`) that keeps the messages."""

    messages = 0
    negotiations = 0
    last_message_s = 0
    seen: Mapping[str, int] = {}
    realised: Sequence[tuple[str, dict[str, Any]]] = ()

    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, Any]]] = []

    def message(
        self, _time_s: int, _round: int, sender: str, _seq: int, _to: str, _kind: str, body: dict[str, Any]
    ) -> None:
        self.said.append((sender, body))

    def entry(self, entry: LedgerEntry) -> None: ...

    def commit(self) -> bool:
        return True

    def finish(self, end: RecordedEnd) -> None: ...


async def attack_in_memory(
    scenario: Scenario,
    member: Member,
    *,
    broker: MemoryBroker | None = None,
    **options: Any,
) -> Attacked:
    """Run a neighbourhood in memory, one household of which is a member.

    Args:
        scenario: What is run.
        member: Who lies.
        broker: Where they meet; None: a new one.
        options: See `_attack`.
    """
    used = broker or MemoryBroker()
    return await _attack(scenario, member, lambda _: used, used.connect(f"member-{member.house}"), **options)


async def attack_guarded(
    scenario: Scenario,
    member: Member,
    guarded: GuardedBroker,
    **options: Any,
) -> Attacked:
    """Run a neighbourhood over a guarded broker, each household with its own login; the member by plain MQTT."""
    return await _attack(scenario, member, guarded.of, plain_mqtt(guarded, member.house), **options)


async def _attack(
    scenario: Scenario,
    member: Member,
    broker_of: Callable[[str], Broker],
    connection: AbstractAsyncContextManager[Any],
    *,
    seed: int = 1,
    on_loss: OnLoss = "wait",
    limit_wall_s: float = LIMIT_WALL_S,
    recorder: Recorder | None = None,
    days: int | None = None,
    others_come_after_wall_s: float = 0.0,
) -> Attacked:
    patience = Timeouts(resend_wall_s=0.2, limit_wall_s=limit_wall_s)
    settings = RunSettings(
        seed,
        member.run,
        patience=patience,
        supply=scenario.supply_settings,
        negotiating=member.negotiating,
        days=days,
    )
    hosts: dict[str, BaseException | None] = {}
    heard = _Heard()

    async def household(house: str) -> None:
        try:
            await asyncio.sleep(others_come_after_wall_s)
            await run_hosts(scenario, settings, broker_of(house), [house])
        except Exception as error:  # noqa: BLE001 - a test looks at it
            hosts[house] = error
        else:
            hosts[house] = None

    async def lie() -> None:
        async with connection as wire, broker_of("operator").connect(f"operator-{member.session}") as operator:

            async def command(command: Literal["pause", "resume"]) -> None:
                await operator.publish(topics.control(member.run), Control(command=command), qos=1)
                await operator.flush()

            member.command = command
            await member.take_part(wire)

    outcome: RunOutcome | None = None
    failed: BaseException | None = None
    async with asyncio.timeout(PATIENCE_WALL_S + 60), asyncio.TaskGroup() as tasks:
        lying = tasks.create_task(lie())
        others = [
            tasks.create_task(household(house.id))
            for house in scenario.houses
            if house.devices and house.id != member.house
        ]
        try:
            keeper = replace(settings, on_loss=on_loss)
            outcome = await run_scenario(scenario, keeper, broker_of("clock"), [MANAGER], recorder or heard)
        except Exception as error:  # noqa: BLE001 - a test looks at it
            failed = error
        await asyncio.wait(others)
        while not lying.done():
            lying.cancel()  # more than once: a publication that ends in the same moment may take the first one
            await asyncio.wait({lying}, timeout=1)
    return Attacked(outcome, failed, hosts, heard.said, member.ending)


def between_others(scenario: Scenario, outcome: RunOutcome, house: str) -> dict[str, LedgerEntry]:
    """Return the ledger entries that neither a household's jobs nor its producers have a part in, by contract id.

    Args:
        scenario: What was run.
        outcome: Its outcome.
        house: The household.
    """
    own = scenario.part_of([house])
    jobs, producers = {job.job_id for job in own.jobs}, set(own.producers)
    return {
        entry.contract.contract_id: entry
        for entry in outcome.ledger
        if entry.contract.job_id not in jobs and entry.contract.producer not in producers
    }


def unsigned(scenario: Scenario, attacked: Attacked) -> list[str]:
    """Return the contracts of the ledger, by id, that their consumer or their producer has not reported.

    Args:
        scenario: What was run.
        attacked: Its outcome.
    """
    owners = {job.job_id: job.agent for job in scenario.jobs}
    reported: set[tuple[str, str, str]] = set()
    promised: set[tuple[str, str]] = set()
    for sender, body in attacked.heard:
        if body.get("kind") in {"ContractAgreed", "SharesAmended"} and isinstance(
            contract := body.get("contract"), dict
        ):
            reported.add((sender, str(contract.get("job_id")), str(contract.get("producer"))))
        elif body.get("kind") in {"Promised", "SharePromised"}:
            promised.add((sender, str(body.get("job_id"))))
    contracts = [entry.contract for entry in attacked.outcome.ledger] if attacked.outcome is not None else []
    return [
        c.contract_id
        for c in contracts
        if (owners.get(c.job_id), c.job_id, c.producer) not in reported
        or any((producer, c.job_id) not in promised for producer in c.producers)
    ]


def supplied_by(outcome: RunOutcome, producer: str) -> set[str]:
    """Return the jobs that have a standing contract with a producer, or with the grid."""
    return {e.contract.job_id for e in outcome.ledger if e.state == "standing" and e.contract.producer == producer}
