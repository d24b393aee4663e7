"""The agent that carries out a scenario's timeline, and the script that may steer it.

Events act on agents only through messages of this agent, so they are counted, recorded and replayed like all others.
While a script computes, this agent counts as busy, and virtual time stands still.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from agents import (
    MANAGER,
    TIMELINE,
    AddJob,
    AnyMessage,
    ChangeAlgorithm,
    ChangePatience,
    ChangePrices,
    ChangeStrategy,
    DropJob,
    Follow,
    Followed,
    Happened,
    Join,
    Leave,
    LedgerEntry,
    NewForecast,
    Production,
    ProductionChanged,
)
from broker.hosts import Agent
from broker.protocol import Control
from scenarios.events import (
    ACTION,
    Action,
    AddJobs,
    ChangeTariff,
    CloudFront,
    ForecastError,
    GiveForecast,
    GoOffline,
    JoinDevice,
    LeaveDevice,
    ReturnOnline,
    RunEvent,
    SwitchAlgorithm,
    SwitchPatience,
    SwitchStrategy,
    TimelineEvent,
    WithdrawJob,
)
from scenarios.scenario import Scenario
from scenarios.timeline.effects import (
    absent_at_start,
    as_happened,
    changes_counter,
    complete,
    is_known_before,
    job_added,
    outlook,
    production_if_present,
    scaled,
    under_front,
    with_error,
)

LEFT = "it leaves the neighbourhood"
"""Reason of contracts that are cancelled because a device leaves."""
OFFLINE = "its household is offline"
"""Reason of contracts that are cancelled because a producer's household cannot be reached."""


class ScriptControl:
    """Lets a script stop a run at moments of virtual time, and act there."""

    def __init__(self) -> None:
        self.stop_s: int | None = None
        """When the run stops next, UNIX seconds; None: it runs to its end."""
        self.timeline_agent: TimelineAgent
        self.command: Callable[[Control], None] = lambda _control: None
        """Makes the clock carry out a command: `stop`, or another pace."""
        self.ledger: Callable[[], Mapping[str, LedgerEntry]] = dict
        """Returns the ledger as it is, by contract id."""
        self._arrived = asyncio.Event()
        self._go_on = asyncio.Event()

    async def stop(self) -> None:
        """For the timeline agent: hand over to the script until it names the next stop."""
        self._go_on.clear()
        self._arrived.set()
        await self._go_on.wait()

    async def arrived(self) -> None:
        """For the script: wait until the run has stopped."""
        await self._arrived.wait()

    def go_on(self, stop_s: int | None) -> None:
        """For the script: continue the run until this time, UNIX seconds; None: until its end."""
        self.stop_s = stop_s
        self._arrived.clear()
        self._go_on.set()


@dataclass(frozen=True, slots=True)
class _FrontArrives:
    """A cloud front that is announced reaches a producer."""

    producer: str
    front: CloudFront


@dataclass(frozen=True, slots=True)
class _Issue:
    """Forecasts of the error model are due."""

    error: ForecastError
    until_s: int


@dataclass(frozen=True, slots=True)
class _Planned:
    """An event that is known before the run, also to the counters of inverters."""

    action: Action


_Due = Action | _Planned | TimelineEvent | _FrontArrives | _Issue


class TimelineAgent(Agent[AnyMessage]):
    """Carries out events when they are due."""

    def __init__(
        self,
        scenario: Scenario,
        end_s: int,
        script: ScriptControl | None,
        *,
        consumers_compare_costs: bool,
        producers_read_counters: bool,
    ) -> None:
        """Create the agent.

        Args:
            scenario: The whole neighbourhood, with its timeline.
            end_s: Latest end of the run, UNIX seconds; events that repeat themselves end there.
            script: A script that also acts on the run.
            consumers_compare_costs: Whether consumers are informed of other prices.
            producers_read_counters: Whether producers are informed of what changes their production unexpectedly.
        """
        super().__init__(TIMELINE)
        self._consumers_compare_costs = consumers_compare_costs
        self._producers_read_counters = producers_read_counters
        self.run_events: list[RunEvent] = []
        """What took place so far."""
        self._causes: list[RunEvent] = []
        """Those of them that do not follow from others."""
        self._scenario = scenario
        self._end_s = end_s
        self._last_s = end_s
        """Latest end of all jobs, those that were added included, UNIX seconds."""
        self._script = script
        if script is not None:
            script.timeline_agent = self
        self._queue: list[tuple[int, int, _Due]] = []
        self._count = 0
        self._waiting = [event for event in scenario.timeline if event.at_s is None]
        self._starts_s: dict[str, int] = {}
        """By job that an event waits for, its present start, UNIX seconds."""
        self._returns_s: dict[str, float] = {}
        """By house that is offline, when it returns, UNIX seconds; infinite: it does not."""
        self._durations_s = {job.job_id: job.duration_s for job in scenario.jobs}
        self._agent_of = {(house.id, d.id): d.agent for house in scenario.houses for d in house.devices}
        self._devices = {house.id: house.devices for house in scenario.houses}
        self._agent_of_job = {job.job_id: job.agent for job in scenario.jobs}
        for event in scenario.timeline:
            if event.at_s is not None:
                self._later(event.at_s, _Planned(event.action) if is_known_before(event.action) else event.action)

    async def run(self) -> None:
        """Carry out events that are due, and let the script act, until the run ends."""
        if self._waiting:
            self.send(MANAGER, Follow(job_ids=tuple(sorted({event.job or "" for event in self._waiting}))))
        while True:
            self._carry_out_due()
            script = self._script
            if script is not None and script.stop_s is not None and script.stop_s <= self.now_s:
                await script.stop()
                continue
            times_s = [self._queue[0][0]] if self._queue else []
            if script is not None and script.stop_s is not None and self._lasts_until(script.stop_s):
                times_s.append(script.stop_s)
            batch = await self.receive_round(until_s=min(times_s, default=None))
            if self.is_closing:
                return  # jobs agree on contracts then, too, but nothing new begins
            for received in batch:
                if isinstance(received.message, Followed) and received.sender == MANAGER:
                    self._take(received.message)

    # When.

    def _lasts_until(self, time_s: int) -> bool:
        """Return whether anything may still happen then; else waiting for it would keep a run without end going."""
        if self._scenario.gateways or time_s <= self._last_s:
            return True
        return any(time_s <= due_s for due_s, _, _ in self._queue)

    def _later(self, time_s: int, what: _Due) -> None:
        self._count += 1
        heapq.heappush(self._queue, (time_s, self._count, what))

    def _carry_out_due(self) -> None:
        while self._queue and self._queue[0][0] <= self.now_s:
            time_s, _, what = heapq.heappop(self._queue)
            match what:
                case _FrontArrives(producer, front):
                    self._announce_front(producer, front)
                case _Issue(error, until_s):
                    self._issue(error, until_s)
                case TimelineEvent() if what in self._waiting and self._is_true(what, time_s):
                    self._waiting.remove(what)
                    self._when_due(what)
                case TimelineEvent():
                    pass
                case _Planned(action):
                    self._perform(action, is_planned=True)
                case _:
                    self._perform(what)

    def _take(self, followed: Followed) -> None:
        """Record a change of a contract that events wait for."""
        job_id = followed.job_id
        if followed.state == "standing":
            self._starts_s[job_id] = followed.start_s
        else:
            self._starts_s.pop(job_id, None)
        for event in [event for event in self._waiting if event.job == job_id]:
            match event.turn:
                case "agreed" if followed.state == "standing":
                    self._waiting.remove(event)
                    self._when_due(event)
                case "cancelled" if followed.state == "cancelled":
                    self._waiting.remove(event)
                    self._when_due(event)
                case "starts" | "ends" if followed.state == "standing":
                    self._later(self._turn_s(event), event)

    def _turn_s(self, event: TimelineEvent) -> int:
        job_id = event.job or ""
        return self._starts_s[job_id] + (self._durations_s.get(job_id, 0) if event.turn == "ends" else 0)

    def _is_true(self, event: TimelineEvent, time_s: int) -> bool:
        """Return whether what an event waits for happens at this time after all: contracts are moved and cancelled."""
        return event.job in self._starts_s and self._turn_s(event) == time_s

    def _when_due(self, event: TimelineEvent) -> None:
        if event.after_s:
            self._later(self.now_s + event.after_s, event.action)
        else:
            self._perform(event.action)

    # What.

    def perform(self, action: Action) -> None:
        """Carry out an action of a script now."""
        self._perform(action, is_scripted=True)

    def _perform(self, action: Action, *, is_planned: bool = False, is_scripted: bool = False) -> None:
        """Record that an event takes place, and carry it out, if there is something left that it could be about."""
        completed = complete(self._scenario, self.run_events, action, self.now_s)
        if completed is None or (isinstance(action, ReturnOnline) and self._is_offline(action.house)):
            return
        run_event = RunEvent(n=len(self.run_events) + 1, at_s=self.now_s, action=completed, is_scripted=is_scripted)
        self.run_events.append(run_event)
        if not (isinstance(completed, GiveForecast) and completed.is_derived):
            self._causes.append(run_event)
        event = ACTION.dump_python(completed, mode="json")
        self.send(MANAGER, Happened(n=run_event.n, event=event, is_scripted=is_scripted))
        if self._producers_read_counters and not is_planned:
            for producer in self._scenario.producers:
                if producer not in self._scenario.gateways and changes_counter(run_event, self._scenario, producer):
                    self.send(producer, ProductionChanged(event=event))
        self._carry_out(completed)

    def _carry_out(self, action: Action) -> None:  # noqa: C901, PLR0912 - one case for each kind of action
        """Inform the agents that an event concerns, now or when it reaches them."""
        match action:
            case CloudFront(announced=True, producers=producers, travel_s=travel_s):
                for index, producer in enumerate(producers):
                    self._later(self.now_s + index * travel_s, _FrontArrives(producer, action))
            case GiveForecast(producer=producer, production=Production() as production):
                self.send(producer, NewForecast(production=production, replaces_later=action.replaces_later))
            case ForecastError(duration_s=duration_s):
                until_s = self._end_s if duration_s is None else self.now_s + duration_s
                self._later(self.now_s, _Issue(action, until_s))
            case JoinDevice(house=house, device=device):
                agent = self._agent_of[house, device]
                self.send(agent, Leave(reason=OFFLINE, is_gone=False) if self._is_offline(house) else Join())
            case LeaveDevice(house=house, device=device):
                self.send(self._agent_of[house, device], Leave(reason=LEFT, is_gone=True))
            case AddJobs():
                self._add(action)
            case WithdrawJob(job=job_id):
                if job_id in self._agent_of_job:  # a job that no event has added yet cannot be withdrawn
                    self.send(self._agent_of_job[job_id], DropJob(job_id=job_id))
            case GoOffline(house=house, duration_s=duration_s):
                for agent in self._agents_of(house):
                    self.send(agent, Leave(reason=OFFLINE, is_gone=False))
                returns_s = math.inf if duration_s is None else self.now_s + duration_s
                self._returns_s[house] = max(returns_s, self._returns_s.get(house, returns_s))
                if duration_s is not None:
                    self._later(self.now_s + duration_s, ReturnOnline(house=house))
            case ReturnOnline(house=house):
                for agent in self._agents_of(house):
                    self.send(agent, Join())
            case SwitchAlgorithm(producers=producers, algorithm=algorithm):
                for producer in producers:
                    self.send(producer, ChangeAlgorithm(algorithm=algorithm))
            case SwitchPatience(houses=houses, patient=patient):
                for agent in self._consumers_of(houses):
                    self.send(agent, ChangePatience(patient=patient))
            case SwitchStrategy(houses=houses, strategy=strategy):
                for agent in self._consumers_of(houses):
                    self.send(agent, ChangeStrategy(strategy=strategy))
            case ChangeTariff():
                prices = ChangePrices(
                    import_eur_per_kwh=action.import_eur_per_kwh,
                    feed_in_eur_per_kwh=action.feed_in_eur_per_kwh,
                    neighbour_eur_per_kwh=action.neighbour_eur_per_kwh,
                )
                for agent in self._recipients_of_prices():
                    self.send(agent, prices)

    def _recipients_of_prices(self) -> list[str]:
        """Return the consumers that compare costs, else those that report job costs to a real device."""
        if self._consumers_compare_costs:
            return self._consumers_of(self._devices)
        return [agent for agent, gateway in self._scenario.gateways.items() if gateway.type == "consumer"]

    def _add(self, action: AddJobs) -> None:
        """Inform a consumer, and the manager's register, of a new job."""
        if action.job_id in self._agent_of_job:
            return
        job = job_added(action, self.now_s)
        self._agent_of_job[job.job_id] = job.agent
        self._durations_s[job.job_id] = job.duration_s
        self._last_s = max(self._last_s, job.latest_start_s + job.duration_s)
        for agent in (MANAGER, job.agent):
            self.send(agent, AddJob(job=job))

    def _consumers_of(self, houses: Iterable[str]) -> list[str]:
        """Return the agents of the devices in some houses that are not producers."""
        agents = [device.agent for house in houses for device in self._devices[house]]
        return [agent for agent in agents if agent not in self._scenario.producers]

    def _agents_of(self, house: str) -> list[str]:
        """Return the agents of a house's present devices."""
        return [device.agent for device in self._devices[house] if device.agent not in self._gone()]

    def _is_offline(self, house: str) -> bool:
        """Return whether a household cannot be reached at present."""
        return self._returns_s.get(house, self.now_s) > self.now_s

    def is_absent(self, house: str, device: str) -> bool:
        """Return whether a device is absent at present: it has left, or has not joined yet."""
        return self._agent_of[house, device] in self._gone()

    def _gone(self) -> frozenset[str]:
        gone = set(absent_at_start(self._scenario))
        for run_event in self.run_events:
            match run_event.action:
                case LeaveDevice(house=house, device=device):
                    gone.add(self._agent_of[house, device])
                case JoinDevice(house=house, device=device):
                    gone.discard(self._agent_of[house, device])
        return frozenset(gone)

    def _expected(self, producer: str) -> Production | None:
        """Return what a producer expects at present."""
        return outlook(as_happened(self._scenario, self.run_events).producers[producer], self.now_s)

    def _announce_front(self, producer: str, front: CloudFront) -> None:
        expected = self._expected(producer)
        ahead = None if expected is None else scaled(expected, self.now_s, 1.0)
        if ahead is not None:
            covered = under_front(ahead, front, self.now_s)
            self._perform(GiveForecast(producer=producer, production=covered, is_derived=True))

    def _issue(self, error: ForecastError, until_s: int) -> None:
        """Issue a forecast to each producer, and again later."""
        for producer in error.producers:
            # Forecasts that were derived before change no production; a year has tens of thousands of them.
            real = production_if_present(self._scenario, producer, self._causes)
            forecast = None if real is None else with_error(real, error, producer, self.now_s)
            if forecast is not None:
                self._perform(
                    GiveForecast(producer=producer, production=forecast, is_derived=True, replaces_later=True)
                )
        if self.now_s + error.every_s < until_s:
            self._later(self.now_s + error.every_s, _Issue(error, until_s))
