"""From a scenario to its agents, and where they live."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from agents import MANAGER, TIMELINE, Consumer, Job, JobRegister, Manager, Producer
from agents.scheduling import scheduler_for
from broker.hosts import Agent
from scenarios.scenario import Scenario, planned_end_s
from scenarios.simulation.settings import RunSettings
from scenarios.timeline import Director, Script, absent_at_start

Homes = Mapping[str, tuple[str, ...]]
"""By host id, the ids of the agents that live there, sorted."""


def homes_of(scenario: Scenario, hosts: int | None = None, *, has_script: bool = False) -> Homes:
    """Return which agent lives on which host.

    Args:
        scenario: The neighbourhood.
        hosts: Spread the households and the manager over so many hosts, `host-1`, `host-2`, ...; None: every household
            is a host, and the manager one of its own.
        has_script: Whether a script acts on the run; as for a timeline, an agent beside the manager does so.
    """
    beside = [TIMELINE] if scenario.timeline or has_script else []
    households: dict[str, list[str]] = {MANAGER: [MANAGER, *beside]}
    for house in scenario.houses:
        households[house.id] = [device.agent for device in house.devices]
    if hosts is None:
        return {host: tuple(sorted(agents)) for host, agents in households.items() if agents}
    spread: dict[str, list[str]] = defaultdict(list)
    for index, agents in enumerate(households.values()):
        spread[f"host-{index % hosts + 1}"] += agents
    return {host: tuple(sorted(agents)) for host, agents in spread.items() if agents}


class Cast:
    """The agents of a run that live in this process, by id; the manager separately, for readers of its ledger."""

    def __init__(
        self, scenario: Scenario, settings: RunSettings, agents: Collection[str], script: Script | None = None
    ) -> None:
        """Make the agents.

        Args:
            scenario: The neighbourhood, its jobs and its sun.
            settings: The algorithm of the producers, the patience of the consumers and the producers' earlier scores.
            agents: Ids of those that live here.
            script: What acts on the run besides the scenario's timeline.
        """
        register = JobRegister(scenario.jobs, scenario.producers) if MANAGER in agents else JobRegister()
        self.manager = Manager(register, settings.scores)
        self.director: Director | None = None
        if script is not None:
            script.ledger = lambda: self.manager.ledger
        if TIMELINE in agents:
            self.director = Director(scenario, planned_end_s(scenario, settings.days), script)
        absent = absent_at_start(scenario)
        self.consumers: dict[str, Consumer] = {}
        self.producers: dict[str, Producer] = {}
        jobs: dict[str, list[Job]] = defaultdict(list)
        for job in scenario.jobs:
            if job.agent in agents:
                jobs[job.agent].append(job)
        for device in (device for house in scenario.houses for device in house.devices):
            if device.agent not in agents:
                continue
            if device.type == "producer":
                predictions = scenario.producers[device.id].predictions
                self.producers[device.agent] = Producer(
                    device.agent,
                    predictions,
                    scheduler_for(settings.algorithm, pushes_out=scenario.promise == "late"),
                    is_there=device.agent not in absent,
                    promise=scenario.promise,
                )
            else:
                self.consumers[device.agent] = Consumer(
                    device.agent,
                    jobs[device.agent],
                    patient=settings.patient,
                    is_there=device.agent not in absent,
                    promise=scenario.promise,
                )

    def living_at(self, agents: Sequence[str]) -> list[Agent[Any]]:
        """Return the agents with these ids."""
        everybody: dict[str, Agent[Any]] = {MANAGER: self.manager, **self.consumers, **self.producers}
        if self.director is not None:
            everybody[TIMELINE] = self.director
        return [everybody[agent] for agent in agents]
