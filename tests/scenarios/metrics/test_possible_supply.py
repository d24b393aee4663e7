"""The upper bound on what panels can supply to jobs: no run delivers more, and it is as low as it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.optimize import linprog

from agents.energy import CumulativeSeries
from agents.model import GRID, Contract
from scenarios.metrics.kpis import Kpis, compute_kpis
from scenarios.metrics.possible_supply import Demand, most_served_wh, possible_supply_wh
from scenarios.metrics.settlement import MINUTE_S, real_production_wh, settle
from scenarios.scenario import Scenario
from tests.scenarios.neighbourhoods import (
    START_S,
    agreed,
    contract,
    forecast,
    job,
    load,
    neighbourhood,
    settled_runs,
    sun,
)

HOUR_S = 3600
EXACT_WH = 1e-6


def figures_of(scenario: Scenario, hours: int = 24) -> Kpis:
    """Return the figures of a run in which the grid supplied all jobs at once."""
    contracts = [contract(one, GRID, one.earliest_start_s - START_S) for one in scenario.jobs]
    end_s = START_S + hours * HOUR_S
    return compute_kpis(scenario, settle(scenario, contracts, START_S, end_s), map(agreed, contracts), end_s)


def test_a_job_can_get_what_its_window_offers_wherever_the_run_put_it() -> None:
    """An hour of 2 kW: all of it where a panel gives 3 kW, none of it if its window ends before the panel begins."""
    day = forecast(sun((6 * HOUR_S, 0), (9 * HOUR_S, 9000)))
    wash = load((0, 0), (HOUR_S, 2000))
    early, late = job("early", "a", wash, (0, 5 * HOUR_S)), job("late", "a", wash, (0, 6 * HOUR_S))
    assert figures_of(neighbourhood({"a": {"pv": day}}, [early])).possible_wh == 0
    figures = figures_of(neighbourhood({"a": {"pv": day}}, [early, late]))
    assert (figures.delivered_wh, figures.possible_wh, figures.share_of_possible) == (0, 2000, 0)


def test_a_strong_load_can_get_no_more_than_all_panels_give_at_a_time() -> None:
    """Two panels of 0.65 kW give 1.3 of the 2 kW; the run of an hour touches at most 61 minutes."""
    half = forecast(sun((0, 0), (10 * HOUR_S, 6500)))
    burst = job("burst", "a", load((0, 0), (HOUR_S, 2000), (2 * HOUR_S, 2100)), (0, 5 * HOUR_S))
    possible_wh = figures_of(neighbourhood({"a": {"pv": half}, "b": {"roof": half}}, [burst])).possible_wh
    assert possible_wh == pytest.approx(1300 * 61 / 60 + 100)


def test_jobs_share_what_there_is_and_the_base_load_of_a_house_comes_first() -> None:
    """Of 4 kWh, the panel's own house takes 1 kWh for its base load; two jobs that need 4 kWh can get 3."""
    day = forecast(sun((0, 0), (4 * HOUR_S, 4000)))
    jobs = [job(name, "a", load((0, 0), (2 * HOUR_S, 2000)), (0, 2 * HOUR_S)) for name in ("one", "other")]
    scenario = neighbourhood({"a": {"pv": day}}, jobs)
    base = CumulativeSeries(times_s=(START_S, START_S + 4 * HOUR_S), cumulative_wh=(0.0, 1000.0))
    assert figures_of(scenario).possible_wh == pytest.approx(4000)
    assert figures_of(replace(scenario, base_loads={"a": base})).possible_wh == pytest.approx(3000)


def test_jobs_that_were_not_registered_do_not_count() -> None:
    """A run that ended in the morning had no part of what the afternoon's jobs could have got."""
    day = forecast(sun((0, 0), (10 * HOUR_S, 10_000)))
    jobs = [job("now", "a", load((0, 0), (HOUR_S, 500))), job("later", "a", load((0, 0), (HOUR_S, 700)))]
    jobs[1] = jobs[1].model_copy(update={"registered_s": START_S + 5 * HOUR_S})
    scenario = neighbourhood({"a": {"pv": day}}, jobs)
    contracts = [contract(jobs[0], GRID, 0)]
    for hours, possible_wh in ((3, 500), (6, 1200)):
        end_s = START_S + hours * HOUR_S
        figures = compute_kpis(scenario, settle(scenario, contracts, START_S, end_s), map(agreed, contracts), end_s)
        assert figures.possible_wh == pytest.approx(possible_wh)


def test_what_was_possible_does_not_depend_on_when_the_run_ended() -> None:
    """A run that began its only job at night, and ended with it, could have waited for the sun, as the other one did.

    The house uses 0.1 kW of the 1 kW that its roof gives.
    """
    day = forecast(sun((6 * HOUR_S, 0), (10 * HOUR_S, 4000)))
    wash = job("wash", "a", load((0, 0), (HOUR_S, 950)), (0, 7 * HOUR_S))
    base = CumulativeSeries(times_s=(START_S, START_S + 24 * HOUR_S), cumulative_wh=(0.0, 2400.0))
    scenario = replace(neighbourhood({"a": {"pv": day}}, [wash]), base_loads={"a": base})
    for producer, started_s, delivered_wh in ((GRID, 0, 0), ("pv", 7 * HOUR_S, 900)):
        contracts, end_s = [contract(wash, producer, started_s)], START_S + started_s + HOUR_S
        figures = compute_kpis(scenario, settle(scenario, contracts, START_S, end_s), map(agreed, contracts), end_s)
        assert figures.delivered_wh == pytest.approx(delivered_wh)
        assert figures.possible_wh == pytest.approx(61 / 60 * 900)


def test_a_job_that_ran_after_its_window_could_get_what_it_got() -> None:
    """A real device that somebody started late ran under the panel, which its window would not have allowed."""
    day = forecast(sun((2 * HOUR_S, 0), (9 * HOUR_S, 7000)))
    wash = job("wash", "a", load((0, 0), (HOUR_S, 500)), (0, 600))
    scenario, end_s = neighbourhood({"a": {"pv": day}}, [wash]), START_S + 24 * HOUR_S
    for started_s, possible_wh in ((600, 0), (5 * HOUR_S, 500)):
        contracts = [contract(wash, "pv", started_s)]
        settled = settle(scenario, contracts, START_S, end_s)
        assert settled.delivered_wh.sum() == pytest.approx(possible_wh)
        assert possible_supply_wh(scenario, settled, end_s) == pytest.approx(possible_wh)


@given(run=settled_runs(), windows=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 3000)), max_size=6))
@settings(max_examples=150, deadline=None)
def test_no_run_delivers_more(run: tuple[Scenario, list[Contract], int], windows: list[tuple[int, int]]) -> None:
    """Whatever contracts are made, within windows and outside."""
    scenario, contracts, end_s = run
    narrow = {
        one.job_id: one.model_copy(
            update={"earliest_start_s": START_S + first_s, "latest_start_s": START_S + first_s + length_s}
        )
        for one, (first_s, length_s) in zip(scenario.jobs, windows, strict=False)
    }
    scenario = replace(scenario, jobs=tuple(narrow.get(one.job_id, one) for one in scenario.jobs))
    settled = settle(scenario, contracts, START_S, end_s)
    together_wh = np.minimum(settled.produced_wh.sum(axis=0), settled.consumed_wh).sum()
    possible_wh = possible_supply_wh(scenario, settled, end_s)
    ends_s = (one.latest_start_s + one.duration_s for one in scenario.jobs)
    edges_s = np.arange(settled.start_s, max([settled.end_s, *ends_s]) + MINUTE_S, MINUTE_S, dtype=np.float64)
    produced_wh = sum(real_production_wh(of, edges_s, end_s).sum() for of in scenario.producers.values())
    assert together_wh - EXACT_WH <= possible_wh <= produced_wh + EXACT_WH


@given(
    available=st.lists(st.floats(0, 50), min_size=1, max_size=12),
    drawn=st.lists(st.tuples(st.integers(0, 11), st.integers(1, 12), st.floats(0, 100)), max_size=6),
)
@settings(max_examples=150, deadline=None)
def test_serving_first_what_ends_first_is_the_best_that_a_linear_program_finds(
    available: list[float], drawn: list[tuple[int, int, float]]
) -> None:
    """The linear program decides how much each demand draws in each minute of its window."""
    demands = [Demand(first, min(first + length, len(available)), wh) for first, length, wh in drawn]
    cells = [(of, minute) for of, one in enumerate(demands) for minute in range(one.first, one.end)]
    best_wh = 0.0
    if cells:
        limits = [[float(minute == t) for _, minute in cells] for t in range(len(available))]
        limits += [[float(of == number) for of, _ in cells] for number in range(len(demands))]
        bounds = [*available, *(one.energy_wh for one in demands)]
        best_wh = -(linprog([-1.0] * len(cells), A_ub=limits, b_ub=bounds).fun or 0.0)
    assert most_served_wh(np.array(available), demands) == pytest.approx(best_wh, abs=1e-4)
