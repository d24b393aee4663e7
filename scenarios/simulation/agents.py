"""From a scenario to its agents, and where they live."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agents import (
    AGENTS,
    MANAGER,
    RANKED,
    TIMELINE,
    Consumer,
    GatewayConsumer,
    GatewayProducer,
    GatewaySettings,
    Job,
    JobRegister,
    Manager,
    NegotiationSettings,
    Prices,
    PricesAt,
    Producer,
    Waiting,
    load_plugin,
)
from agents.scheduling import scheduler_for
from broker.hosts import Agent
from scenarios.base_load import own_uses
from scenarios.devices import adapters_of
from scenarios.events import DisturbLink
from scenarios.gateways import Gateway
from scenarios.prices import Price, prices_at
from scenarios.scenario import Scenario, Tariff, Zone, planned_end_s
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
    agents_of = {house.id: [device.agent for device in house.devices] for house in scenario.houses}
    agents_of[MANAGER] = [MANAGER, *beside]
    homes = {
        host: tuple(sorted(agent for place in places for agent in agents_of[place]))
        for host, places in places_of(scenario, hosts).items()
    }
    return {host: agents for host, agents in homes.items() if agents}


def places_of(scenario: Scenario, hosts: int | None = None) -> Mapping[str, tuple[str, ...]]:
    """Return what shares a host: by host id, houses and, by its own id, the manager, which is on the first one.

    Args:
        scenario: The neighbourhood.
        hosts: As in `homes_of`.
    """
    places = [MANAGER, *(house.id for house in scenario.houses)]
    if hosts is None:
        return {place: (place,) for place in places}
    spread: dict[str, list[str]] = defaultdict(list)
    for index, place in enumerate(places):
        spread[f"host-{index % hosts + 1}"].append(place)
    return {host: tuple(shared) for host, shared in spread.items()}


def fastest_spread(scenario: Scenario, *, has_script: bool = False) -> int | None:
    """Return how many hosts make a run in one process fastest: one, as messages within a host wait for no broker.

    None, so one for each household, where real devices take part, or where a fault of a household's link is part of
    what is run, or may be.

    Args:
        scenario: The neighbourhood.
        has_script: Whether a script acts on the run.
    """
    disturbs = has_script or any(isinstance(event.action, DisturbLink) for event in scenario.timeline)
    return None if disturbs or scenario.gateways else 1


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
        register = (
            JobRegister(scenario.jobs, scenario.producers, scenario.gateways) if MANAGER in agents else JobRegister()
        )
        negotiating = _negotiating(scenario, settings)
        self.manager = Manager(register, settings.scores, negotiating)
        self.director: Director | None = None
        if script is not None:
            script.ledger = lambda: self.manager.ledger
        if TIMELINE in agents:
            self.director = Director(scenario, planned_end_s(scenario, settings.days), script)
        absent = absent_at_start(scenario)
        own_use_of = own_uses(scenario)
        self.consumers: dict[str, Consumer] = {}
        self.producers: dict[str, Producer] = {}
        gateways = _gateways(scenario, agents)
        make_consumer: type[Consumer] = load_plugin(AGENTS, scenario.strategy) if scenario.strategy else Consumer
        jobs: dict[str, list[Job]] = defaultdict(list)
        for job in scenario.jobs:
            if job.agent in agents:
                jobs[job.agent].append(job)
        for device in (device for house in scenario.houses for device in house.devices):
            if device.agent not in agents:
                continue
            if device.type == "producer":
                predictions = scenario.producers[device.id].predictions
                if device.agent in gateways and not any(p.production.energy_wh for p in predictions):
                    predictions = ()  # it joins with the first forecast of its device
                scheduler, is_there = (
                    scheduler_for(settings.algorithm, pushes_out=scenario.promise == "late"),
                    device.agent not in absent,
                )
                gateway, own_use = gateways.get(device.agent), own_use_of.get(device.id)
                self.producers[device.agent] = (
                    Producer(device.agent, predictions, scheduler, is_there=is_there, own_use=own_use)
                    if gateway is None
                    else GatewayProducer(
                        device.agent, predictions, scheduler, gateway=gateway, is_there=is_there, own_use=own_use
                    )
                )
            else:
                own, gateway = jobs[device.agent], gateways.get(device.agent)
                is_there = device.agent not in absent
                self.consumers[device.agent] = (
                    make_consumer(device.agent, own, patient=settings.patient, is_there=is_there)
                    if gateway is None
                    else GatewayConsumer(
                        device.agent, own, patient=settings.patient, gateway=gateway, is_there=is_there
                    )
                )

        members: tuple[Consumer | Producer, ...] = (*self.consumers.values(), *self.producers.values())
        for member in members:
            _prepare(member, scenario, negotiating)

    def living_at(self, agents: Sequence[str]) -> list[Agent[Any]]:
        """Return the agents with these ids."""
        return [self._agent(agent) for agent in agents]

    def _agent(self, agent: str) -> Agent[Any]:
        if agent == MANAGER:
            return self.manager
        if agent == TIMELINE and self.director is not None:
            return self.director
        return self.consumers.get(agent) or self.producers[agent]


def _negotiating(scenario: Scenario, settings: RunSettings) -> NegotiationSettings:
    """Return how jobs find a supplier; with late promises they ask producers that have nothing left, too.

    Such a producer may push others out.
    """
    is_late = scenario.promise == "late"
    return replace(settings.negotiating, negotiation=RANKED) if is_late else settings.negotiating


def _prepare(member: Consumer | Producer, scenario: Scenario, negotiating: NegotiationSettings) -> None:
    member.negotiating = negotiating
    if scenario.promise == "late":
        member.promise_late()


def _gateways(scenario: Scenario, agents: Collection[str]) -> dict[str, GatewaySettings]:
    """Return what the gateway agents among these are started with, by agent id."""
    here = [gateway for agent, gateway in scenario.gateways.items() if agent in agents]
    switched = {agent for agent, adapter in adapters_of(here).items() if adapter.is_switched}
    houses = {d.id: house.id for house in scenario.houses for d in house.devices if d.type == "producer"}
    prices = None if scenario.tariff is None else _prices(scenario.tariff, scenario.zone)
    return {
        gateway.agent: GatewaySettings(
            id=gateway.id,
            house=gateway.house,
            device=gateway.device,
            name=gateway.name,
            adapter=gateway.adapter,
            is_switched=gateway.agent in switched,
            profiles=scenario.load_profiles,
            profile=gateway.load_profile,
            answer_s=gateway.answer_s,
            tries=gateway.tries,
            idle_w=gateway.idle_w,
            learns=gateway.learn,
            waiting=_waiting(gateway),
            prices=prices,
            producer_houses=houses,
            utc_offset_s=scenario.utc_offset_s,
        )
        for gateway in here
    }


def _prices(tariff: Tariff, zone: Zone) -> Prices:
    def at(price: Price) -> PricesAt:
        return lambda times_s: prices_at(price, times_s, zone)

    return Prices(at(tariff.import_eur_per_kwh), at(tariff.neighbour_eur_per_kwh))


def _waiting(gateway: Gateway) -> Waiting | None:
    entry = gateway.waiting
    if entry is None:
        return None
    return Waiting(entry.above_w, entry.below_w, entry.for_s, entry.within_s, entry.load_profile)
