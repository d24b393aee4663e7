"""The clairvoyant optimum: against brute force, against its own bounds, and where little can be done."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings

from agents.energy import Prediction
from agents.model import GRID, Job
from scenarios.optimum.feasibility import delivered_wh, plan_problems
from scenarios.optimum.instance import instance_of
from scenarios.optimum.optimum import Optimum, clairvoyant_optimum
from scenarios.scenario import ProducerSeries, Scenario
from tests.patience import PATIENCE_WALL_S
from tests.scenarios.neighbourhoods import START_S, forecast, job, load, neighbourhood, sun
from tests.scenarios.optimum.tiny import DAY, HOUR_S, WASH, at_hours, best_by_force, every_second, street, tiny


@settings(max_examples=40, deadline=None, derandomize=True)
@given(tiny(window_s=150))
def test_finds_what_brute_force_finds_on_whole_minutes(scenario: Scenario) -> None:
    """Up to three jobs: the best of all plans on whole minutes and the windows' ends, or better."""
    starts_s = {
        job.job_id: sorted(
            {job.earliest_start_s, job.latest_start_s}
            | {s for s in range(job.earliest_start_s, job.latest_start_s + 1) if s % 60 == 0}
        )
        for job in scenario.jobs
    }
    found = clairvoyant_optimum(scenario, rounds=200)
    assert found.best_wh >= best_by_force(scenario, starts_s, carried=True) - 1e-4
    assert plan_problems(scenario, found.plan) == []
    assert delivered_wh(scenario, found.plan) == pytest.approx(found.best_wh)
    assert found.best_wh <= found.carried_bound_wh + 1e-4


@settings(max_examples=25, deadline=None, derandomize=True)
@given(tiny(window_s=12))
def test_no_start_at_any_second_beats_the_bounds(scenario: Scenario) -> None:
    """Brute force tries every second, also plans from forecasts that production covers in part."""
    starts_s = every_second(scenario.jobs[:2])
    few = street(dict(scenario.producers), *scenario.jobs[:2])
    found = clairvoyant_optimum(few, rounds=20)
    carried_wh = best_by_force(few, starts_s, carried=True)
    assert found.carried_bound_wh >= carried_wh - 1e-4
    assert found.best_wh == pytest.approx(carried_wh, abs=1e-4)
    assert found.bound_wh >= best_by_force(few, starts_s, carried=False) - 1e-4
    assert found.best_wh <= found.carried_bound_wh + 1e-4 <= found.bound_wh + 2e-4


def test_plenty_of_sun_is_solved_at_once() -> None:
    """Everything fits: the best plan serves all, and is known to be the best."""
    scenario = street({"pv": forecast(DAY)}, *at_hours((1, 20), (2, 20), (3, 20)))
    found = clairvoyant_optimum(scenario)
    assert found.proven
    assert found.best_wh == pytest.approx(2700.0)
    assert found.bound_wh == pytest.approx(2700.0)
    assert set(found.plan) == {"wash-0", "wash-1", "wash-2"}


def test_proves_that_one_of_two_must_go() -> None:
    """Two washes in the same hour on one panel."""
    scenario = street({"pv": forecast(DAY)}, *at_hours((1, 1.5), (1.25, 1.5)))
    found = clairvoyant_optimum(scenario, rounds=50)
    assert found.best_wh == pytest.approx(900.0)


def test_a_job_that_fits_nowhere_is_left_to_the_grid() -> None:
    """More power than any panel gives."""
    scenario = street({"pv": forecast(DAY)}, job("oven", "1", load((0, 0.0), (60, 50.0))), *at_hours((1, 2)))
    found = clairvoyant_optimum(scenario)
    assert found.proven
    assert set(found.plan) == {"wash-0"}


def test_no_start_before_a_job_is_known() -> None:
    """It is registered at ten, with a window from one on; production before ten cannot cover it."""
    morning = forecast(sun((0, 0.0), (10 * HOUR_S, 10_000.0)))
    late = at_hours((1, 20))[0].model_copy(update={"registered_s": START_S + 10 * HOUR_S})
    assert clairvoyant_optimum(street({"pv": morning}, late)).bound_wh == 0.0


def test_jobs_registered_after_the_end_do_not_count() -> None:
    """A run that ended before has no contract for them."""
    first, late = at_hours((1, 20), (1, 20))
    scenario = street({"pv": forecast(DAY)}, first, late.model_copy(update={"registered_s": START_S + 5 * HOUR_S}))
    assert clairvoyant_optimum(scenario, end_s=START_S + 4 * HOUR_S).bound_wh == pytest.approx(900.0)
    assert clairvoyant_optimum(scenario).bound_wh == pytest.approx(1800.0)


@pytest.mark.parametrize("jobs", [(), at_hours((1, 2))])
def test_nothing_to_win(jobs: tuple[Job, ...]) -> None:
    """Without jobs or production, nothing is delivered, proven, and there is no share."""
    dark = forecast(sun((0, 0.0), (HOUR_S, 0.0)))
    found = clairvoyant_optimum(street({"pv": dark}, *jobs))
    assert (found.best_wh, found.bound_wh, found.proven, dict(found.plan)) == (0.0, 0.0, True, {})
    assert found.share(0.0) is None
    assert found.gap == 0.0


def test_no_jobs_but_a_forecast_that_was_too_high() -> None:
    """What could have been promised is bounded apart from what was produced: that failed if nobody wanted it."""
    hoped = ProducerSeries((Prediction(issued_s=START_S, production=DAY),), sun((0, 0.0), (24 * HOUR_S, 1.0)))
    found = clairvoyant_optimum(street({"pv": hoped}))
    assert (found.best_wh, found.bound_wh, found.carried_bound_wh, found.proven) == (0.0, 0.0, 0.0, True)


def test_no_producers() -> None:
    """Everything is bought."""
    found = clairvoyant_optimum(neighbourhood({"1": {}}, at_hours((1, 2))))
    assert (found.best_wh, found.bound_wh) == (0.0, 0.0)


def crowded(producers: Mapping[str, ProducerSeries]) -> Scenario:
    """Return more washes than fit between nine and two."""
    return street(producers, *at_hours(*((9 + i / 7, 12 + i / 9) for i in range(14))))


ALIKE = {"pv-1": forecast(DAY), "pv-2": forecast(DAY)}


@pytest.fixture(scope="module")
def first() -> Optimum:
    """What is found for a crowded day with two producers alike, after some rounds of search."""
    return clairvoyant_optimum(crowded(ALIKE), rounds=40)


@pytest.mark.long
def test_the_same_arguments_give_the_same_answer(first: Optimum) -> None:
    """Below the time limit nothing depends on the machine."""
    second = clairvoyant_optimum(crowded(ALIKE), rounds=40)
    assert first.plan == second.plan
    assert (first.best_wh, first.bound_wh) == (second.best_wh, second.bound_wh)


@pytest.mark.long
def test_identical_producers_give_the_same_result_as_nearly_identical_ones(first: Optimum) -> None:
    """Sharing one price among them changes no bound."""
    nearly = forecast(sun((0, 0.0), (HOUR_S, 1001.0), (24 * HOUR_S, 24_001.0)))
    different = crowded({"pv-1": forecast(DAY), "pv-2": nearly})
    assert len(instance_of(crowded(ALIKE)).classes) == 1
    assert len(instance_of(different).classes) == 2
    assert first.bound_wh == pytest.approx(clairvoyant_optimum(different, rounds=40).bound_wh, rel=2e-3)


def test_the_time_limit_is_kept() -> None:
    """It returns its best result at the time limit."""
    found = clairvoyant_optimum(crowded({"pv": forecast(DAY)}), time_limit_wall_s=0.2, rounds=1_000_000)
    assert found.wall_s < PATIENCE_WALL_S  # a million rounds would take for ever
    assert 0.0 < found.best_wh <= found.bound_wh


def test_starts_from_the_plan_given() -> None:
    """Its jobs at odd seconds are kept, and what it leaves out is added."""
    scenario = street({"pv": forecast(DAY)}, *at_hours((1, 3), (1, 3)))
    given_plan = {"wash-0": ("pv", START_S + HOUR_S + 7), "wash-1": (GRID, START_S + HOUR_S)}
    found = clairvoyant_optimum(scenario, given_plan, rounds=0)
    assert found.plan["wash-0"] == ("pv", START_S + HOUR_S + 7)
    assert found.best_wh == pytest.approx(1800.0)


def test_the_best_plan_runs_one_job_of_a_machine_at_a_time() -> None:
    """Sun for two at once from one to two o'clock, and none after that: the machine can use it for one wash only."""
    noon = forecast(sun((HOUR_S, 0.0), (2 * HOUR_S, 2000.0), (4 * HOUR_S, 2000.0)))
    found = clairvoyant_optimum(street({"pv": noon}, *at_hours((1, 3), (1, 3))), time_limit_wall_s=600.0, rounds=50)
    assert found.best_wh == pytest.approx(900.0)
    assert found.proven
    # A run that learns of a wash too late may have to run both at once.
    assert found.bound_wh == pytest.approx(1800.0, abs=0.1)


def test_the_best_plan_leaves_the_machine_free_for_jobs_on_grid_power() -> None:
    """No panel covers the boil wash, which can start only at one o'clock; the other job waits for its end."""
    boil = job("boil", "1", load((0, 0.0), (HOUR_S, 3000.0)), (HOUR_S, HOUR_S))
    found = clairvoyant_optimum(street({"pv": forecast(DAY)}, boil, *at_hours((1, 5))), rounds=50)
    assert set(found.plan) == {"wash-0"}
    assert found.plan["wash-0"][1] >= START_S + 2 * HOUR_S


def test_what_a_run_had_to_run_together_the_best_plan_may_too() -> None:
    """The second wash was known only when the first ran: the run's own plan is still the best plan known."""
    first, second = at_hours((1, 3), (1, 1.5))
    second = second.model_copy(update={"registered_s": START_S + round(1.25 * HOUR_S)})
    plan = {"wash-0": ("pv-1", START_S + HOUR_S), "wash-1": ("pv-2", START_S + round(1.5 * HOUR_S))}
    scenario = street({"pv-1": forecast(DAY), "pv-2": forecast(DAY)}, first, second)
    assert plan_problems(scenario, plan) != []
    assert clairvoyant_optimum(scenario, plan, rounds=0).best_wh == pytest.approx(1800.0)


def test_what_a_run_had_to_run_together_stays_together_in_a_better_plan() -> None:
    """Only both at once use the sun until half past two; the run left a third wash to the grid in the afternoon."""
    first, second, third = at_hours((1, 3), (1, 1.5), (5, 6))
    noon = forecast(sun((HOUR_S, 0.0), (round(2.5 * HOUR_S), 1500.0)))
    afternoon = forecast(sun((5 * HOUR_S, 0.0), (7 * HOUR_S, 2000.0)))
    second = second.model_copy(update={"registered_s": START_S + round(1.25 * HOUR_S)})
    plan = {
        "wash-0": ("pv-1", START_S + HOUR_S),
        "wash-1": ("pv-2", START_S + round(1.5 * HOUR_S)),
        "wash-2": (GRID, START_S + 6 * HOUR_S),
    }
    scenario = street({"pv-1": noon, "pv-2": noon, "pv-3": afternoon}, first, second, third)
    assert clairvoyant_optimum(scenario, plan, rounds=0).best_wh == pytest.approx(2700.0)


def test_a_plan_that_promises_more_than_there_is_is_not_the_best_one() -> None:
    """It delivers the whole kilowatt, but no run can have promised it."""
    scenario = street({"pv": forecast(DAY)}, *at_hours((1, 1), (1, 1)))
    plan = {"wash-0": ("pv", START_S + HOUR_S), "wash-1": ("pv", START_S + HOUR_S)}
    assert delivered_wh(scenario, plan) == pytest.approx(1000.0)
    assert clairvoyant_optimum(scenario, plan, rounds=0).best_wh == pytest.approx(900.0)


def test_a_run_that_was_lucky_is_the_best_plan_known() -> None:
    """The forecast was 1 kW, production 800 W; a wash that no panel could cover in full got most of its energy.

    Another wash ran on grid power.
    """
    real = sun((0, 0.0), (24 * HOUR_S, 19_200.0))
    producer = ProducerSeries((Prediction(issued_s=START_S, production=DAY),), real)
    scenario = street({"pv": producer}, *at_hours((1, 2), (5, 6)))
    plan = {"wash-0": ("pv", START_S + HOUR_S), "wash-1": (GRID, START_S + 6 * HOUR_S)}
    alone, compared = (clairvoyant_optimum(scenario, known) for known in (None, plan))
    assert (alone.best_wh, alone.carried_bound_wh) == (0.0, 0.0)
    assert alone.bound_wh >= 800.0 - 1e-6
    assert compared.best_wh == pytest.approx(800.0)
    assert compared.share(800.0) == pytest.approx(1.0)
    assert compared.bound_wh >= 800.0 - 1e-6


def test_no_forecast_is_promised_before_it_is_issued_or_after_the_run() -> None:
    """500 W are known at first; from five o'clock on, a forecast for the whole day says 1 kW."""
    first = Prediction(issued_s=START_S, production=sun((0, 0.0), (24 * HOUR_S, 12_000.0)))
    second = Prediction(issued_s=START_S + 5 * HOUR_S, production=DAY)
    scenario = street({"pv": ProducerSeries((first, second), sun((0, 0.0), (24 * HOUR_S, 1.0)))}, *at_hours((1, 9)))
    early, late = ({"wash-0": ("pv", START_S + hour * HOUR_S)} for hour in (1, 6))
    assert len(plan_problems(scenario, early)) == 60
    assert plan_problems(scenario, late) == []
    assert plan_problems(scenario, late, end_s=START_S + 5 * HOUR_S) == []
    assert len(plan_problems(scenario, late, end_s=START_S + 5 * HOUR_S - 1)) == 60


def test_progress_is_reported() -> None:
    """The best plan rises, the bound falls."""
    reported: list[tuple[float, float]] = []
    clairvoyant_optimum(
        crowded({"pv": forecast(DAY)}), rounds=30, progress=lambda best, bound: reported.append((best, bound))
    )
    assert reported
    assert (np.diff([best for best, _ in reported]) >= 0).all()
    assert (np.diff([bound for _, bound in reported]) <= 0).all()


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        ({"ghost": ("pv", START_S + HOUR_S)}, "ghost: no such job"),
        ({"wash-0": ("moon", START_S + HOUR_S)}, "wash-0: no such producer: moon"),
        ({"wash-0": ("pv", START_S + HOUR_S - 1)}, "wash-0: start .* is outside its window"),
        ({"wash-0": ("pv", START_S + 3 * HOUR_S + 1)}, "wash-0: start .* is outside its window"),
        (
            {"wash-0": ("pv", START_S + HOUR_S), "spin": ("pv", START_S + HOUR_S + 3570)},
            f"pv: more than it could promise at {START_S + HOUR_S + 3540}",
        ),
        (
            {"wash-0": ("pv", START_S + HOUR_S), "wash-1": ("pv-2", START_S + HOUR_S + 3570)},
            "wash-1: starts while wash-0 runs on the same device",
        ),
        (
            {"wash-0": ("pv", START_S + HOUR_S + 1800)},
            "1/machine: its jobs on grid power find no room beside those that are placed",
        ),
    ],
)
def test_the_checker_refuses(plan: dict[str, tuple[str, int]], says: str) -> None:
    """It rejects each broken rule with a description."""
    spin = job("spin", "2", WASH, (HOUR_S, 3 * HOUR_S))
    washes = at_hours((1, 3), (1, 2))
    scenario = neighbourhood({"1": {"pv": forecast(DAY), "pv-2": forecast(DAY)}, "2": {}}, [*washes, spin])
    (problem,) = plan_problems(scenario, plan)
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(problem)


def test_the_checker_refuses_a_start_before_the_job_is_known() -> None:
    """Although its window is open."""
    late = at_hours((1, 3))[0].model_copy(update={"registered_s": START_S + 2 * HOUR_S})
    scenario = street({"pv": forecast(DAY)}, late)
    assert plan_problems(scenario, {"wash-0": ("pv", START_S + 2 * HOUR_S)}) == []
    assert len(plan_problems(scenario, {"wash-0": ("pv", START_S + 2 * HOUR_S - 1)})) == 1


def test_the_plan_of_a_baseline_that_was_lucky_is_the_best_plan_known() -> None:
    """Its share never exceeds 100 %, as long as it promises no more than the forecast."""
    real = sun((0, 0.0), (24 * HOUR_S, 19_200.0))
    producer = ProducerSeries((Prediction(issued_s=START_S, production=DAY),), real)
    scenario = street({"pv": producer}, *at_hours((1, 2), (1, 2)))
    lucky = {"wash-0": ("pv", START_S + HOUR_S), "wash-1": (GRID, START_S + 2 * HOUR_S)}
    reckless = {"wash-0": ("pv", START_S + HOUR_S), "wash-1": ("pv", START_S + HOUR_S)}
    assert clairvoyant_optimum(scenario, also_known=[reckless]).best_wh == 0.0
    assert clairvoyant_optimum(scenario, also_known=[reckless, lucky]).best_wh == pytest.approx(800.0)
