"""The effect of events on the world: actual production, prices and jobs. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np

from agents import FloatArray, Job, Prediction, Production
from scenarios.events import (
    ACTION,
    Action,
    AddJobs,
    ChangeTariff,
    CloudFront,
    ForecastError,
    GiveForecast,
    JoinDevice,
    LeaveDevice,
    RunEvent,
    WithdrawJob,
)
from scenarios.prices import Tariff, TariffChange
from scenarios.scenario import ProducerSeries, Scenario

MINUTE_S = 60
HORIZON_S = 48 * 3600
"""How far ahead forecasts of the error model reach."""
_CORRELATION = 0.9
"""Of the relative error from one hour to the next."""


def run_event_of(time_s: int, body: dict[str, Any]) -> RunEvent:
    """Return the event that a `Happened` message is about.

    Args:
        time_s: When it was sent, UNIX seconds.
        body: The message.

    Raises:
        ValueError: It describes no event.
    """
    return RunEvent(
        n=body["n"],
        at_s=time_s,
        action=ACTION.validate_python(body["event"], strict=False),
        is_scripted=bool(body.get("is_scripted")),
    )


def as_planned(scenario: Scenario) -> Scenario:
    """Return the scenario with the effect of all events whose time is known before the run."""
    return as_happened(scenario, planned_run_events(scenario))


def planned_run_events(scenario: Scenario) -> tuple[RunEvent, ...]:
    """Return the events whose time is known before the run, in order, with all that they depend on."""
    timed = [(event.at_s, event.action) for event in scenario.timeline if event.at_s is not None]
    ordered = sorted(timed, key=lambda one: one[0])
    run_events: list[RunEvent] = []
    for n, (at_s, action) in enumerate(ordered, start=1):
        completed = complete(scenario, run_events, action, at_s)
        if completed is not None:
            run_events.append(RunEvent(n=n, at_s=at_s, action=completed))
    return tuple(run_events)


def complete(scenario: Scenario, run_events: Sequence[RunEvent], action: Action, now_s: int) -> Action | None:
    """Return an action with all that it depends on; None if there is nothing left that it could be about.

    Args:
        scenario: The scenario.
        run_events: The events that took place before.
        action: A forecast may be given as a factor, of what its producer expects at the time.
        now_s: When it takes place, UNIX seconds.
    """
    if not isinstance(action, GiveForecast):
        return action
    if action.production is not None:
        return action.model_copy(update={"production": action.production.as_sent})
    ahead = outlook(as_happened(scenario, run_events).producers[action.producer], now_s)
    production = None if ahead is None else scaled(ahead, now_s, action.factor or 0.0)
    return None if production is None else action.model_copy(update={"production": production.as_sent})


def as_happened(scenario: Scenario, run_events: Sequence[RunEvent], known_until_s: int | None = None) -> Scenario:
    """Return the scenario as a run observed it: production, forecasts, prices and jobs after all its events.

    Args:
        scenario: The scenario of the run.
        run_events: The events that took place, in order.
        known_until_s: The run's end, UNIX seconds: forecasts issued later are no production; None: it has not ended.
    """
    absent = absent_at_start(scenario)
    if not run_events and not absent:
        return scenario
    known = {job.job_id for job in scenario.jobs}
    added = [
        job_added(one.action, one.at_s)
        for one in run_events
        if isinstance(one.action, AddJobs) and one.action.job_id not in known
    ]
    jobs = sorted((*scenario.jobs, *added), key=lambda job: (job.registered_s, job.job_id))
    producers = {
        producer: series_after(
            scenario, producer, run_events, is_absent=producer in absent, known_until_s=known_until_s
        )
        for producer in scenario.producers
    }
    return replace(
        scenario, jobs=tuple(jobs), producers=producers, tariff_changes=_tariff_changes(scenario.tariff, run_events)
    )


def job_added(action: AddJobs, at_s: int) -> Job:
    """Return the job that a household adds, which it registers at once, as its message says it."""
    job = Job(
        job_id=action.job_id,
        source_id=action.source_id,
        house=action.house,
        device=action.device,
        profile=action.profile,
        load_profile=action.load_profile,
        registered_s=at_s,
        earliest_start_s=at_s + action.earliest_after_s,
        latest_start_s=at_s + action.latest_after_s,
    )
    return job.as_sent


def absent_at_start(scenario: Scenario) -> frozenset[str]:
    """Return the agents of devices that are absent until they join."""
    first: dict[tuple[str, str], bool] = {}
    for event in sorted(scenario.timeline, key=lambda event: (event.at_s is None, event.at_s or 0)):
        action = event.action
        if isinstance(action, JoinDevice | LeaveDevice):
            first.setdefault((action.house, action.device), isinstance(action, JoinDevice))
    return frozenset(
        device.agent for house in scenario.houses for device in house.devices if first.get((house.id, device.id), False)
    )


def optional_jobs(scenario: Scenario, run_events: Iterable[RunEvent]) -> frozenset[str]:
    """Return the jobs that a run need not have done: withdrawn ones, and those of devices that were not there."""
    withdrawn: set[str] = set()
    devices: set[tuple[str, str]] = set()
    for event in scenario.timeline:
        if isinstance(event.action, JoinDevice):
            devices.add((event.action.house, event.action.device))
    for run_event in run_events:
        match run_event.action:
            case WithdrawJob(job=job):
                withdrawn.add(job)
            case JoinDevice(house=house, device=device) | LeaveDevice(house=house, device=device):
                devices.add((house, device))
    away = {job.job_id for job in scenario.jobs if (job.house, job.device) in devices}
    return frozenset(withdrawn | away)


def outlook(series: ProducerSeries, issued_until_s: int | None) -> Production | None:
    """Return what a producer expects at some time: its forecasts until then, each replacing older ones.

    Args:
        series: The producer's forecasts.
        issued_until_s: The time, UNIX seconds; None: after all forecasts.
    """
    known: Production | None = None
    for prediction in series.predictions:
        if issued_until_s is None or prediction.issued_s <= issued_until_s:
            known = prediction.production if known is None else known.continued_by(prediction.production)
    return known


def scaled(production: Production, since_s: int, factor: float) -> Production | None:
    """Return the part of a production from a time on, multiplied by a factor.

    Args:
        production: The production.
        since_s: Where the part begins, UNIX seconds.
        factor: Applied to its power.

    Returns:
        The scaled part; None if the production ends before.
    """
    if production.end_s <= since_s:
        return None
    first_s = max(since_s, production.start_s)
    later_s = np.asarray(production.times_s, dtype=np.int64)
    times_s = np.concatenate([[first_s], later_s[later_s > first_s]])
    return _production(times_s, np.diff(production.energy_until_wh(times_s)) * factor)


def under_front(production: Production, front: CloudFront, arrives_s: int) -> Production:
    """Return a production with a cloud front passing over it.

    Args:
        production: The production under a sky without the front.
        front: Its remaining share of production, duration and ramps.
        arrives_s: When it reaches this producer, UNIX seconds.
    """
    ends_s = arrives_s + front.duration_s
    own_s = np.asarray(production.times_s, dtype=np.int64)
    first_s, last_s = max(arrives_s, int(own_s[0])), min(ends_s, int(own_s[-1]))
    edges = np.arange(-(-first_s // MINUTE_S) * MINUTE_S, last_s, MINUTE_S, dtype=np.int64)
    inside = edges[(edges > own_s[0]) & (edges < own_s[-1])]
    bounds = np.asarray([s for s in (arrives_s, ends_s) if own_s[0] < s < own_s[-1]], dtype=np.int64)
    times_s = np.unique(np.concatenate([own_s, inside, bounds]))
    middle_s = (times_s[:-1] + times_s[1:]) / 2
    return _production(times_s, np.diff(production.energy_until_wh(times_s)) * _share(front, arrives_s, middle_s))


def with_error(production: Production, error: ForecastError, producer: str, issued_s: int) -> Production | None:
    """Return the forecast that is issued at a time: the real production with an error that grows with the horizon.

    Args:
        production: The producer's actual production.
        error: The model.
        producer: Its id; each producer's errors are its own.
        issued_s: When the forecast is issued, UNIX seconds.

    Returns:
        The forecast, from then on for two days; None if the production has ended.
    """
    until_s = min(production.end_s, issued_s + HORIZON_S)
    first_s = max(issued_s, production.start_s)
    if until_s <= first_s:
        return None
    own_s = np.asarray(production.times_s, dtype=np.int64)
    hours = np.arange(issued_s, until_s, 3600, dtype=np.int64)
    times_s = np.unique(np.concatenate([[first_s], own_s, hours, [until_s]]))
    times_s = times_s[(times_s >= first_s) & (times_s <= until_s)]
    rng = Random(f"{error.seed}/{producer}/{issued_s}")
    chance, errors = rng.gauss(0.0, 1.0), []
    for hour in range(HORIZON_S // 3600 + 1):
        errors.append(1.0 + chance * min(error.most, error.growth_per_h * (hour + 0.5)))
        chance = _CORRELATION * chance + (1 - _CORRELATION**2) ** 0.5 * rng.gauss(0.0, 1.0)
    ahead = (((times_s[:-1] + times_s[1:]) / 2 - issued_s) // 3600).astype(np.int64)
    factors = np.maximum(0.0, np.asarray(errors))[ahead]
    return _production(times_s, np.diff(production.energy_until_wh(times_s)) * factors)


def tariff_after(tariff: Tariff, change: ChangeTariff) -> Tariff:
    """Return the tariff after a change."""
    return Tariff(
        **{
            name: getattr(tariff, name) if getattr(change, name) is None else getattr(change, name)
            for name in ("import_eur_per_kwh", "feed_in_eur_per_kwh", "neighbour_eur_per_kwh", "grid_kg_co2_per_kwh")
        }
    )


def _tariff_changes(tariff: Tariff | None, run_events: Sequence[RunEvent]) -> tuple[TariffChange, ...]:
    changes: list[TariffChange] = []
    for run_event in run_events:
        if isinstance(run_event.action, ChangeTariff) and tariff is not None:
            tariff = tariff_after(tariff, run_event.action)
            changes.append(TariffChange(run_event.at_s, tariff))
    return tuple(changes)


def production_if_present(scenario: Scenario, producer: str, run_events: Iterable[RunEvent]) -> Production | None:
    """Return what a roof would produce if it were always present; None: it has no actual production.

    Args:
        scenario: The scenario of the run.
        producer: The roof's producer.
        run_events: The events that took place, in order, with the one whose forecasts are derived from this.
    """
    others = [one for one in run_events if not isinstance(one.action, JoinDevice | LeaveDevice)]
    return series_after(scenario, producer, others, is_absent=False).actual


def series_after(
    scenario: Scenario,
    producer: str,
    run_events: Sequence[RunEvent],
    *,
    is_absent: bool,
    known_until_s: int | None = None,
) -> ProducerSeries:
    """Return a producer's series after all that happened to it.

    Args:
        scenario: The scenario of the run, or the part of it that has the producer.
        producer: Its id.
        run_events: The events that took place, in order.
        is_absent: Whether it was absent at the start of the run.
        known_until_s: See `as_happened`.
    """
    series = scenario.producers[producer]
    given = [one for one in run_events if isinstance(one.action, GiveForecast) and one.action.producer == producer]
    underived = [one for one in given if isinstance(one.action, GiveForecast) and not one.action.is_derived]
    actual = series.actual
    own = [one for one in run_events if _changes_production(one, scenario, producer)]
    affected = is_absent or bool(own)
    if affected and actual is None:
        actual = _without_derived(series, underived, known_until_s)
    if affected and actual is not None:
        actual = _as_it_was(actual, producer, own, absent_since_s=scenario.start_s if is_absent else None)
    return replace(_with_forecasts(series, given), actual=actual)


def _without_derived(
    series: ProducerSeries, underived: Sequence[RunEvent], known_until_s: int | None
) -> Production | None:
    """Return what a roof without actual production produces: its forecasts, apart from those that events derived.

    A factor multiplies this production, not the forecast of its time, whose clouds and errors would count twice.

    Args:
        series: The roof's series.
        underived: The forecasts that events gave and did not derive, in the order of their time.
        known_until_s: See `as_happened`.
    """
    own: list[tuple[int, Production, float | None]] = [
        (known.issued_s, known.production, None) for known in _valid_forecasts(series, underived)
    ]
    given = [
        (run_event.at_s, action.production, action.factor)
        for run_event in underived
        if isinstance(action := run_event.action, GiveForecast) and action.production is not None
    ]
    so_far: Production | None = None
    for issued_s, production, factor in sorted([*own, *given], key=lambda forecast: forecast[0]):
        if known_until_s is not None and issued_s > known_until_s:
            break
        newer: Production | None = production
        if factor is not None:
            scaled_now = None if so_far is None else scaled(so_far, issued_s, factor)
            newer = None if scaled_now is None else scaled_now.as_sent
        if newer is not None:
            so_far = newer if so_far is None else so_far.continued_by(newer)
    return so_far


def _valid_forecasts(series: ProducerSeries, given: Iterable[RunEvent]) -> list[Prediction]:
    """Return the scenario's own forecasts of a series, apart from those that the forecasts of events made void."""
    void_after_s = min(
        (one.at_s for one in given if isinstance(one.action, GiveForecast) and one.action.replaces_later), default=None
    )
    return [known for known in series.predictions if void_after_s is None or known.issued_s <= void_after_s]


def _with_forecasts(series: ProducerSeries, given: Sequence[RunEvent]) -> ProducerSeries:
    """Return a series with the forecasts that events gave, which are in the order of their time."""
    predictions = [
        Prediction(issued_s=run_event.at_s, production=action.production)
        for run_event in given
        if isinstance(action := run_event.action, GiveForecast) and action.production is not None
    ]
    known = [*_valid_forecasts(series, given), *predictions]
    return replace(series, predictions=tuple(sorted(known, key=lambda known: known.issued_s)))


def is_known_before(action: Action) -> bool:
    """Return whether the effect of an event that has a time is known before the run.

    A forecast that is given as a factor is not: it is applied to what the producer expects at the time.
    """
    return not isinstance(action, GiveForecast) or action.production is not None


def changes_counter(run_event: RunEvent, scenario: Scenario, producer: str) -> bool:
    """Return whether `run_event` may change what a producer's inverter counts.

    A producer whose scenario gives no actual production produces what it forecasts, also by the forecasts that events
    give to it.
    """
    action = run_event.action
    if isinstance(action, GiveForecast):
        is_its_own = action.producer == producer and not action.is_derived
        return is_its_own and scenario.producers[producer].actual is None
    return _changes_production(run_event, scenario, producer)


def _changes_production(run_event: RunEvent, scenario: Scenario, producer: str) -> bool:
    match run_event.action:
        case CloudFront(producers=producers) | ForecastError(producers=producers):
            return producer in producers
        case JoinDevice(house=house, device=device) | LeaveDevice(house=house, device=device):
            return device == producer and _is_producer(scenario, house, device)
    return False


def _is_producer(scenario: Scenario, house: str, device: str) -> bool:
    return any(
        known.id == device and known.type == "producer"
        for of in scenario.houses
        if of.id == house
        for known in of.devices
    )


def _as_it_was(
    actual: Production, producer: str, run_events: Sequence[RunEvent], *, absent_since_s: int | None
) -> Production:
    """Return a producer's production after all that changed it.

    Args:
        actual: Its production without them.
        producer: Its id.
        run_events: The events that changed it, in order.
        absent_since_s: Start of the run if it was absent then, UNIX seconds; None: it was present.
    """
    gone_since_s = absent_since_s
    gone: list[tuple[int, int]] = []
    for run_event in run_events:
        match run_event.action:
            case CloudFront(producers=producers) as front:
                actual = under_front(actual, front, run_event.at_s + front.travel_s * producers.index(producer))
            case LeaveDevice() if gone_since_s is None:
                gone_since_s = run_event.at_s
            case JoinDevice() if gone_since_s is not None:
                gone.append((gone_since_s, run_event.at_s))
                gone_since_s = None
    if gone_since_s is not None:
        gone.append((gone_since_s, actual.end_s))
    for begin_s, end_s in gone:
        actual = _without(actual, begin_s, end_s)
    return actual


def _without(production: Production, begin_s: int, end_s: int) -> Production:
    own_s = np.asarray(production.times_s, dtype=np.int64)
    bounds = np.asarray([s for s in (begin_s, end_s) if own_s[0] < s < own_s[-1]], dtype=np.int64)
    times_s = np.unique(np.concatenate([own_s, bounds]))
    there = (times_s[1:] <= begin_s) | (times_s[:-1] >= end_s)
    return _production(times_s, np.diff(production.energy_until_wh(times_s)) * there)


def _share(front: CloudFront, arrives_s: int, times_s: FloatArray) -> FloatArray:
    """Return the remaining share of the production at each time."""
    since_s = times_s - arrives_s
    ramp_s = max(1e-9, min(front.ramp_s, front.duration_s / 2))
    depth = np.clip(np.minimum(since_s, front.duration_s - since_s) / ramp_s, 0.0, 1.0)
    return np.asarray(1.0 - (1.0 - front.factor) * depth, dtype=np.float64)


def _production(times_s: np.typing.NDArray[np.int64], energies_wh: FloatArray) -> Production:
    cumulative_wh = np.concatenate([[0.0], np.cumsum(np.maximum(energies_wh, 0.0))])
    return Production(times_s=tuple(times_s.tolist()), cumulative_wh=tuple(cumulative_wh.tolist()))
