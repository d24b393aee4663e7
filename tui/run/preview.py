"""Preview of a scenario: its production, and its demand: every job at its earliest start, and base loads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from agents import FloatArray
from scenarios import DAY_S, EventMark, EventMarks, Scenario, Zone, action_in_words
from scenarios.metrics import real_production_wh
from scenarios.monitor import energy
from tui.widgets import DEMAND, PRODUCTION, Chart, TimeAxis, drawn

_BINS = 288
PREVIEW_LINES = 7
"""With fewer lines the chart says nothing."""


@dataclass(frozen=True, slots=True)
class FirstDay:
    """The first day of a scenario, Wh in equal bins."""

    start_s: int
    zone: Zone
    sun_wh: FloatArray
    """As in results, see `scenarios.metrics.settlement.real_production_wh`."""
    demand_wh: FloatArray
    """Of all jobs and base loads."""
    base_load_wh: float
    """The base loads' part of the demand."""
    events: tuple[EventMark, ...] = ()
    """Events of the timeline on that day whose time is known, and timed expectations, by time."""


def first_day(scenario: Scenario) -> FirstDay:
    """Return what a scenario's first day looks like."""
    edges_s = np.linspace(scenario.start_s, scenario.start_s + DAY_S, _BINS + 1)
    produced_wh, demand_wh = np.zeros(_BINS), np.zeros(_BINS)
    for producer in scenario.producers.values():
        produced_wh += real_production_wh(producer, edges_s)
    for job in scenario.jobs:
        if job.earliest_start_s < edges_s[-1]:
            demand_wh += job.load_profile.energy_per_bin_wh(edges_s - job.earliest_start_s)
    base_loads_wh = np.zeros(_BINS)
    for base_load in scenario.base_loads.values():
        base_loads_wh += base_load.energy_per_bin_wh(edges_s)
    events = (
        (event.at_s, action_in_words(event.action))
        for event in scenario.timeline
        if event.at_s is not None and event.at_s < edges_s[-1]
    )
    expected = ((at_s, said) for at_s, said in scenario.expected if at_s < edges_s[-1])
    marks = tuple(EventMarks(sorted((*events, *expected))))
    return FirstDay(
        scenario.start_s, scenario.zone, produced_wh, demand_wh + base_loads_wh, float(base_loads_wh.sum()), marks
    )


class Preview(Vertical):
    """The preview chart; hidden if there is no room."""

    DEFAULT_CSS = """
    Preview { height: 1fr; padding: 0 1; }
    Preview Static { height: auto; max-height: 2; color: $text-muted; padding-left: 8; margin-top: 1; }
    """

    def compose(self) -> ComposeResult:
        """Words and chart."""
        yield Static("", markup=False)
        yield Chart(empty="Choose a valid scenario to see its day here")

    def show(self, seen: FirstDay | None) -> None:
        """Draw a scenario's first day."""
        chart, words = self.query_one(Chart), self.query_one(Static)
        if seen is None:
            words.update("")
            chart.show((), TimeAxis(0, 1))
            return
        watts_per_wh = 3600 * _BINS / DAY_S
        requested_wh = float(seen.demand_wh.sum()) - seen.base_load_wh
        base_load = f", {energy(seen.base_load_wh)} base load" if seen.base_load_wh else ""
        words.update(
            f"Day 1: {energy(float(seen.sun_wh.sum()))} produced, {energy(requested_wh)} requested{base_load}. "
            "Negotiation moves jobs into hours of solar production."
        )
        demand = (
            drawn(DEMAND, seen.demand_wh * watts_per_wh, "demand")
            if seen.base_load_wh
            else drawn(
                DEMAND, seen.demand_wh * watts_per_wh, "jobs at their earliest start", short_name="jobs, earliest"
            )
        )
        chart.show(
            (drawn(PRODUCTION, seen.sun_wh * watts_per_wh, "produced"), demand),
            TimeAxis(seen.start_s, seen.start_s + DAY_S, seen.zone),
            marks=seen.events,
        )
