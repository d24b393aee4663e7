"""A timeline and expectations as file entries: the way back from `scenarios.files.timeline.timeline_build`."""

from __future__ import annotations

from typing import Any

from scenarios.events import (
    Action,
    AddJobs,
    CloudFront,
    DisturbLink,
    ForecastError,
    GiveForecast,
    GoOffline,
    ReturnOnline,
    SwitchAlgorithm,
    TimelineEvent,
)
from scenarios.scenario import Expectation, Scenario


def timeline_entries(scenario: Scenario) -> list[dict[str, Any]]:
    """Return a scenario's events as file entries; repetitions are written one by one."""
    return [_entry(event, scenario) for event in scenario.timeline if not isinstance(event.action, ReturnOnline)]


def expect_entries(scenario: Scenario) -> list[str | dict[str, Any]]:
    """Return a scenario's expectations as file entries."""
    return [_expectation(expectation, scenario) for expectation in scenario.expectations]


def _expectation(expectation: Expectation, scenario: Scenario) -> str | dict[str, Any]:
    if expectation.at_s is None and not expectation.name:
        return expectation.text
    entry: dict[str, Any] = {"that": expectation.text}
    if expectation.at_s is not None:
        entry["at"] = scenario.zone.iso(expectation.at_s)
    if expectation.name:
        entry["name"] = expectation.name
    return entry


def _entry(event: TimelineEvent, scenario: Scenario) -> dict[str, Any]:
    when: dict[str, Any]
    if event.at_s is not None:
        when = {"at": scenario.zone.iso(event.at_s)}
    else:
        when = {"when": {"job": event.job, "turn": event.turn, **({"after": event.after_s} if event.after_s else {})}}
    return {**when, "do": event.action.do, **_what(event.action)}


def _what(action: Action) -> dict[str, Any]:  # noqa: PLR0911 - one case for each kind of action
    match action:
        case CloudFront():
            return {
                "producers": list(action.producers) or None,
                "factor": action.factor,
                "duration": action.duration_s,
                "ramp": action.ramp_s,
                "travel": action.travel_s,
                "announced": action.announced,
            }
        case GiveForecast():
            of: dict[str, Any] = {"producer": action.producer}
            if action.factor is not None or action.production is None:
                return of | {"factor": action.factor}
            points = zip(action.production.times_s, action.production.cumulative_wh, strict=True)
            return of | {"points": [list(point) for point in points]}
        case ForecastError():
            return {
                "producers": list(action.producers) or None,
                "growth_per_h": action.growth_per_h,
                "most": action.most,
                "every": action.every_s,
                "seed": action.seed,
                **({} if action.duration_s is None else {"duration": action.duration_s}),
            }
        case AddJobs():
            return {
                "house": action.house,
                "device": action.device,
                "id": action.source_id,
                "load_profile": action.profile,
                "earliest_start": action.earliest_after_s,
                "latest_start": action.latest_after_s,
            }
        case GoOffline():
            return {"house": action.house, **({} if action.duration_s is None else {"duration": action.duration_s})}
        case DisturbLink():
            return {
                "house": action.house,
                "loss": action.loss,
                "delay_ms": round(action.delay_wall_s * 1000),
                "duration": action.duration_s,
            }
        case SwitchAlgorithm():
            settings = {"penalty": action.algorithm.penalty, "node_limit": action.algorithm.node_limit}
            return {"producers": list(action.producers) or None, "algorithm": action.algorithm.name, **settings}
    plain = action.model_dump(exclude={"do"}, exclude_none=True)
    return {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}
