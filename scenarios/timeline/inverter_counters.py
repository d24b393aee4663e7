"""The counters of simulated inverters, by which producers correct their forecasts (`agents.expected_production`).

A counter counts what the roof really produces. The events of a timeline that have a time are known to it from the
start, though a producer reads only the past. Others are not: events that wait for a job, those of a script, and
forecasts that are given as a factor. The timeline's agent sends them to the producers whose production they change.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from agents import Production
from broker.protocol import first_problem
from scenarios.events import ACTION, GiveForecast, RunEvent
from scenarios.scenario import Scenario
from scenarios.timeline.effects import (
    absent_at_start,
    changes_counter,
    is_known_before,
    planned_run_events,
    series_after,
)


class InverterCounter:
    """The counter of one roof."""

    __slots__ = ("_is_absent", "_producer", "_run_events", "_scenario", "differs_from_s", "production")

    def __init__(self, scenario: Scenario, producer: str, planned: Sequence[RunEvent], *, is_absent: bool) -> None:
        """Create a counter that knows the planned events.

        Args:
            scenario: The scenario, or the part of it that has the roof.
            producer: The roof's producer.
            planned: The events that are known before the run, in order.
            is_absent: Whether the roof is absent at the start of the run.
        """
        self._scenario = scenario
        self._producer = producer
        self._run_events = planned
        self._is_absent = is_absent
        self.production: Production | None
        """What the roof produces; None: what it forecasts."""
        self.differs_from_s: int
        """From when on it may differ from the forecasts, UNIX seconds."""
        self._update()

    def follow(self, event: Mapping[str, Any], at_s: int) -> None:
        """See `agents.expected_production.ProductionCounter.follow`."""
        try:
            action = ACTION.validate_python(event, strict=False)
        except ValidationError as error:
            raise ValueError(first_problem(error)) from None
        run_event = RunEvent(n=0, at_s=at_s, action=action)
        if not changes_counter(run_event, self._scenario, self._producer):
            raise ValueError(f"{action.do} does not change what {self._producer} produces")
        run_events = list(self._run_events)
        insort(run_events, run_event, key=lambda one: one.at_s)
        self._run_events = run_events
        self._update()

    def _update(self) -> None:
        scenario, producer = self._scenario, self._producer
        self.production = series_after(scenario, producer, self._run_events, is_absent=self._is_absent).actual
        self.differs_from_s = scenario.start_s
        if scenario.producers[producer].actual is None and not self._is_absent:
            changes = (one.at_s for one in self._run_events if changes_counter(one, scenario, producer))
            self.differs_from_s = next(changes, scenario.start_s)


def counters_of(scenario: Scenario) -> dict[str, InverterCounter]:
    """Return the counter of each producer, by id.

    Args:
        scenario: The scenario, or the part of it that one host has.
    """
    own = tuple(
        event
        for event in scenario.timeline
        if is_known_before(event.action)
        and (not isinstance(event.action, GiveForecast) or event.action.producer in scenario.producers)
    )
    planned, absent = planned_run_events(replace(scenario, timeline=own)), absent_at_start(scenario)
    return {
        producer: InverterCounter(scenario, producer, planned, is_absent=producer in absent)
        for producer in scenario.producers
    }
