"""A household's process: the agents of one house, or a few, and nothing of the others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack

from agents.messages import MESSAGES
from broker.hosts.host import Host
from broker.transport.base import Broker
from scenarios.deployment.settings import DeploymentSettings
from scenarios.ending import telling_error
from scenarios.neighbourhood import Cast, homes_of
from scenarios.scenario import Scenario


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
                    journal = settings.journal(house_id, setup)
                    host = Host(
                        house_id,
                        settings.run_id,
                        cast.living_at(homes[house_id]),
                        MESSAGES,
                        seed=settings.seed,
                        patience=settings.patience,
                        journal=None if journal is None else journals.enter_context(journal),
                        setup=setup,
                    )
                    tasks.create_task(host.run(broker), name=f"host[{house_id}]")
    except ExceptionGroup as group:
        raise telling_error(group) from group
