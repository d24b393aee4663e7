"""A household's process: the agents of one house, or a few, and nothing of the others."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack

from agents import MESSAGES
from broker import SsmicError
from broker.hosts import Host
from broker.transport import Broker
from scenarios.deployment.settings import DeploymentSettings
from scenarios.errors import Problem, ScenarioError
from scenarios.scenario import Scenario
from scenarios.simulation import Cast, homes_of, telling_error


class UnknownHouseError(SsmicError):
    """A house that the scenario does not have, or that has no devices."""


def load_part(source: str, house_ids: Sequence[str]) -> Scenario:
    """Return what a scenario says of these houses.

    Args:
        source: A YAML file, a PySSMic folder, or a bundled name.
        house_ids: Houses with at least one device.

    Raises:
        ScenarioError: see `scenarios.load.load_scenario`.
        UnknownHouseError: it has no such house.
    """
    fork = "fork" if "fork" in multiprocessing.get_all_start_methods() else None
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(fork)) as reader:
        part = reader.submit(_load_part, source, tuple(house_ids)).result()
    if not isinstance(part, Scenario):
        raise ScenarioError(part)
    return part


def _load_part(source: str, house_ids: Sequence[str]) -> Scenario | tuple[Problem, ...]:
    from scenarios.load import load_scenario  # noqa: PLC0415 - only the process that reads needs it

    try:
        scenario = load_scenario(source)
    except ScenarioError as error:
        return error.problems
    known = [house.id for house in scenario.houses if house.devices]
    unknown = [house_id for house_id in house_ids if house_id not in known]
    if unknown:
        names = ", ".join(map(repr, unknown))
        what = f"{scenario.name}: no house with devices has the id {names}; there are {', '.join(known)}"
        raise UnknownHouseError(what)
    return scenario.part_of(house_ids)


async def run_households(
    scenario: Scenario, house_ids: Sequence[str], settings: DeploymentSettings, broker: Broker
) -> None:
    """Run the agents of these houses, each house a host of its own, until the clock ends the run.

    Args:
        scenario: The neighbourhood; only the part of these houses is read.
        house_ids: Houses of the scenario with at least one device.
        settings: As the clock has them.
        broker: Where the clock connects to as well.

    Raises:
        HostRefusedError: the clock does not let a house take part; the message says why.
        BrokerUnreachableError, BrokerLostError: see `broker.transport.base`.
        JournalError: a journal cannot be used, or does not replay.
    """
    part = scenario.part_of(house_ids)
    cast = Cast(part, settings.algorithm, patient=settings.patient, scores={})
    homes = homes_of(part)
    try:
        with ExitStack() as journals:
            async with asyncio.TaskGroup() as tasks:
                for house_id in house_ids:
                    setup = settings.fingerprint(part, [house_id])
                    journal = settings.host_journal(house_id, setup)
                    host = Host(
                        house_id,
                        settings.run_id,
                        cast.living_at(homes[house_id]),
                        MESSAGES,
                        seed=settings.seed,
                        timeouts=settings.patience,
                        journal=None if journal is None else journals.enter_context(journal),
                        setup=setup,
                    )
                    tasks.create_task(host.run(broker), name=f"host[{house_id}]")
    except ExceptionGroup as group:
        raise telling_error(group) from group
