"""Creates a scenario's agents, and assigns them to hosts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from agents import (
    AGENTS,
    MANAGER,
    TIMELINE,
    Consumer,
    Device,
    GatewayConsumer,
    GatewayProducer,
    GatewaySettings,
    Job,
    JobRegister,
    MakeConsumerSupply,
    MakeProducerSupply,
    Manager,
    Places,
    Prices,
    PricesAt,
    Producer,
    SharedConsumerSupply,
    SharedManagerSupply,
    SharedProducerSupply,
    SharedTerms,
    WaitingDetection,
    WholeConsumerSupply,
    WholeManagerSupply,
    WholeProducerSupply,
    load_plugin,
    make_consumer,
)
from agents.ranking import RANKED, NegotiationSettings
from agents.scheduling import scheduler_for
from broker.hosts import Agent
from broker.protocol import Member, Roster
from scenarios.base_load import own_uses
from scenarios.devices import adapters_of
from scenarios.events import DisturbLink
from scenarios.gateways import Gateway
from scenarios.prices import Price, Tariff, prices_at, supply_prices
from scenarios.scenario import Scenario, jobs_end_s, planned_end_s
from scenarios.simulation.settings import RunSettings
from scenarios.timeline import ScriptControl, TimelineAgent, absent_at_start, counters_of
from scenarios.zone import Zone

_SESSION = "0" * 16
"""A session id, as long as those that hosts draw."""

AgentPlacement = Mapping[str, tuple[str, ...]]
"""By host id, the ids of the agents that live there, sorted."""


def agents_by_host(scenario: Scenario, hosts: int | None = None, *, has_script: bool = False) -> AgentPlacement:
    """Return which agent lives on which host.

    Args:
        scenario: The neighbourhood.
        hosts: Spread the households and the manager over this many hosts, `host-1`, `host-2`, ...; None: every
            household is a separate host, and so is the manager.
        has_script: Whether a script acts on the run; as for a timeline, an agent on the manager's host carries it out.
    """
    beside = [TIMELINE] if scenario.timeline or has_script else []
    agents_of = {house.id: [device.agent for device in house.devices] for house in scenario.houses}
    agents_of[MANAGER] = [MANAGER, *beside]
    homes = {
        host: tuple(sorted(agent for place in places for agent in agents_of[place]))
        for host, places in houses_by_host(scenario, hosts).items()
    }
    return {host: agents for host, agents in homes.items() if agents}


def houses_by_host(scenario: Scenario, hosts: int | None) -> Mapping[str, tuple[str, ...]]:
    """Return what shares a host: by host id, houses and, by its own id, the manager, which is on the first one.

    Args:
        scenario: The neighbourhood.
        hosts: As in `agents_by_host`.
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


def check_fits_broker(scenario: Scenario, hosts: int | None, *, has_script: bool = False) -> None:
    """Check that the agents of a run fit into the roster, a message which names them all.

    Args:
        scenario: The neighbourhood.
        hosts: As in `agents_by_host`.
        has_script: As in `agents_by_host`.

    Raises:
        SsmicError: There are too many agents.
    """
    homes = agents_by_host(scenario, hosts, has_script=has_script)
    roster = Roster(hosts={host: Member(session=_SESSION, agents=agents) for host, agents in homes.items()})
    roster.payloads()


class AgentSet:
    """The agents of a run that live in this process, by id; the manager separately, for readers of its ledger."""

    def __init__(
        self, scenario: Scenario, settings: RunSettings, agents: Collection[str], script: ScriptControl | None = None
    ) -> None:
        """Make the agents.

        Args:
            scenario: The neighbourhood, its jobs and its production.
            settings: The algorithm of the producers, the patience of the consumers and the producers' earlier scores.
            agents: Ids of those that live here.
            script: The script that acts on the run besides the scenario's timeline.
        """
        register = (
            JobRegister(scenario.jobs, scenario.producers, scenario.gateways) if MANAGER in agents else JobRegister()
        )
        negotiating = _negotiating(scenario, settings)
        self.is_shared = settings.supply.is_shared
        """Whether jobs are supplied by shares."""
        self.manager = Manager(
            register,
            partial(SharedManagerSupply, places=_places(scenario), supply=settings.supply)
            if self.is_shared
            else partial(WholeManagerSupply, negotiating=negotiating, places=_places(scenario)),
            settings.scores,
        )
        self.timeline_agent: TimelineAgent | None = None
        if script is not None:
            script.ledger = lambda: self.manager.ledger
        if TIMELINE in agents:
            self.timeline_agent = TimelineAgent(
                scenario,
                planned_end_s(scenario, settings.days),
                script,
                consumers_compare_costs=settings.supply.compares_costs,
                producers_read_counters=settings.supply.corrects_forecasts,
            )
        self.consumers: dict[str, Consumer] = {}
        self.producers: dict[str, Producer] = {}
        making = _Making(scenario, settings, agents)
        for device in (device for house in scenario.houses for device in house.devices):
            if device.agent in agents and device.type == "producer":
                self.producers[device.agent] = making.producer(device)
            elif device.agent in agents:
                self.consumers[device.agent] = making.consumer(device)
        if scenario.strategies and script is None and not scenario.gateways:
            for consumer in self.consumers.values():
                # A plug-in may set timers forever; the run still ends.
                consumer.timers_until_s = jobs_end_s(scenario, consumer.jobs)

        members: tuple[Consumer | Producer, ...] = (*self.consumers.values(), *self.producers.values())
        for member in members:
            member.negotiating = negotiating
            if scenario.promise == "late":
                member.promise_late()

    def living_at(self, agents: Sequence[str]) -> list[Agent[Any]]:
        """Return the agents with these ids."""
        return [self._agent(agent) for agent in agents]

    def _agent(self, agent: str) -> Agent[Any]:
        if agent == MANAGER:
            return self.manager
        if agent == TIMELINE and self.timeline_agent is not None:
            return self.timeline_agent
        return self.consumers.get(agent) or self.producers[agent]


class _Making:
    """The common inputs for creating the agents of devices."""

    def __init__(self, scenario: Scenario, settings: RunSettings, agents: Collection[str]) -> None:
        scenario.supplied(settings.supply.rule, settings.supply.prefer)  # raises if they contradict each other
        self._scenario = scenario
        self._settings = settings
        self._absent = absent_at_start(scenario)
        self._own_use_of = own_uses(scenario)
        self._counters = counters_of(scenario) if settings.supply.corrects_forecasts else {}
        self._gateways = _gateways(scenario, settings, agents)
        self._prices = supply_prices(scenario.tariff, scenario.community, scenario.zone)
        self._strategy: type[Consumer] = load_plugin(AGENTS, scenario.strategy) if scenario.strategy else Consumer
        self._jobs: dict[str, list[Job]] = defaultdict(list)
        for job in scenario.jobs:
            if job.agent in agents:
                self._jobs[job.agent].append(job)

    def producer(self, device: Device) -> Producer:
        """Make the agent of a producer."""
        gateway, own_use = self._gateways.get(device.agent), self._own_use_of.get(device.id)
        predictions = self._scenario.producers[device.id].predictions
        if gateway is not None and not any(p.production.energy_wh for p in predictions):
            predictions = ()  # it joins with the first forecast of its device
        is_there, supply = device.agent not in self._absent, self._supply()
        if gateway is not None:
            return GatewayProducer(
                device.agent, predictions, supply, gateway=gateway, is_there=is_there, own_use=own_use
            )
        counter = self._counters.get(device.id)
        return Producer(device.agent, predictions, supply, is_there=is_there, own_use=own_use, counter=counter)

    def _supply(self) -> MakeProducerSupply:
        """Return what makes a producer's supply."""
        if self._settings.supply.is_shared:
            return SharedProducerSupply
        scheduler = scheduler_for(self._settings.algorithm, pushes_out=self._scenario.promise == "late")
        return partial(WholeProducerSupply, scheduler=scheduler)

    def consumer(self, device: Device) -> Consumer:
        """Make the agent of a consumer."""
        jobs, patient, is_there = self._jobs[device.agent], self._settings.patient, device.agent not in self._absent
        gateway, supply = self._gateways.get(device.agent), self._consumer_supply(device)
        if gateway is not None:
            terms = SharedTerms(gateway) if self._settings.supply.is_shared else None
            return GatewayConsumer(
                device.agent, jobs, patient=patient, is_there=is_there, gateway=gateway, terms=terms, supply=supply
            )
        if self._settings.supply.is_shared:
            return Consumer(device.agent, jobs, patient=patient, is_there=is_there, supply=supply)
        return make_consumer(self._strategy, device.agent, jobs, patient=patient, is_there=is_there)

    def _consumer_supply(self, device: Device) -> MakeConsumerSupply:
        """Return what makes a consumer's supply."""
        if not self._settings.supply.is_shared:
            return WholeConsumerSupply
        devices = (d for house in self._scenario.houses if house.id == device.house for d in house.devices)
        own = frozenset(d.id for d in devices if d.type == "producer")
        return partial(
            SharedConsumerSupply,
            settings=self._settings.supply,
            own=own,
            prices=self._prices,
            evens_rounding=self._settings.device_rules >= 9,
        )


def _places(scenario: Scenario) -> Places:
    """Return where consumers and producers are, and what energy costs between them."""
    tariff, zone = scenario.tariff, scenario.zone

    def prices(time_s: int) -> tuple[float, float]:
        assert tariff is not None  # noqa: S101 - only called if there is one
        times_s = np.array([time_s], dtype=np.int64)
        return (
            float(prices_at(tariff.feed_in_eur_per_kwh, times_s, zone)[0]),
            float(prices_at(tariff.neighbour_eur_per_kwh, times_s, zone)[0]),
        )

    return Places(
        houses={house.id: number for number, house in enumerate(scenario.houses)},
        house_of={d.id: house.id for house in scenario.houses for d in house.devices if d.type == "producer"},
        prices=None if tariff is None else prices,
    )


def _negotiating(scenario: Scenario, settings: RunSettings) -> NegotiationSettings:
    """Return how jobs find a supplier; where they need all producers, none is left out.

    With late promises a producer that has nothing left may push other jobs out; shares are composed of what all offer.
    """
    asks_all = scenario.promise == "late" or settings.supply.is_shared
    return replace(settings.negotiating, negotiation=RANKED) if asks_all else settings.negotiating


def _gateways(scenario: Scenario, settings: RunSettings, agents: Collection[str]) -> dict[str, GatewaySettings]:
    """Return what the gateway agents among these are started with, by agent id."""
    here = [gateway for agent, gateway in scenario.gateways.items() if agent in agents]
    adapters = adapters_of(here)
    houses = {d.id: house.id for house in scenario.houses for d in house.devices if d.type == "producer"}
    prices = None if scenario.tariff is None else _prices(scenario.tariff, scenario.zone)
    return {
        gateway.agent: GatewaySettings(
            id=gateway.id,
            house=gateway.house,
            device=gateway.device,
            name=gateway.name,
            adapter=gateway.adapter,
            has_own_topics=gateway.agent in adapters,
            is_switched=gateway.agent in adapters and adapters[gateway.agent].is_switched,
            longest_timer_s=adapters[gateway.agent].longest_timer_s if gateway.agent in adapters else None,
            profiles=scenario.load_profiles,
            profile=gateway.load_profile,
            answer_s=gateway.answer_s,
            tries=gateway.tries,
            idle_w=gateway.idle_w,
            learns=gateway.learn,
            rules=settings.device_rules,
            waiting=_waiting(gateway),
            prices=prices,
            producer_houses=houses,
        )
        for gateway in here
    }


def _prices(tariff: Tariff, zone: Zone) -> Prices:
    def at(price: Price) -> PricesAt:
        return lambda times_s: prices_at(price, times_s, zone)

    return Prices(at(tariff.import_eur_per_kwh), at(tariff.neighbour_eur_per_kwh))


def _waiting(gateway: Gateway) -> WaitingDetection | None:
    entry = gateway.waiting
    if entry is None:
        return None
    return WaitingDetection(entry.above_w, entry.below_w, entry.for_s, entry.within_s, entry.load_profile)
