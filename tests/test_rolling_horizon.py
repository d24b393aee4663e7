"""A planner that sees all as the day goes, and nothing before."""

from __future__ import annotations

import pytest

from agents.energy import Prediction
from benchmarks.rolling_horizon import plan_rolling_horizon
from scenarios.generate.one_day_neighbourhood import scarce
from scenarios.optimum.feasibility import delivered_wh, plan_problems
from scenarios.optimum.optimum import clairvoyant_optimum
from scenarios.scenario import ProducerSeries
from tests.scenarios.neighbourhoods import START_S, forecast, job, load, neighbourhood, sun

HOUR_S = 3600
WASH = load((0, 0.0), (HOUR_S, 900.0))
"""900 W for an hour."""
NOON = sun((10 * HOUR_S, 0.0), (12 * HOUR_S, 2000.0))
"""1 kW from ten to twelve."""


def test_serves_all_jobs_if_production_suffices() -> None:
    """Two hours of production, two washes."""
    jobs = [job(f"wash-{i}", "1", WASH, (9 * HOUR_S, 11 * HOUR_S)) for i in range(2)]
    scenario = neighbourhood({"1": {"pv": forecast(NOON)}}, jobs)
    assert delivered_wh(scenario, plan_rolling_horizon(scenario)) == pytest.approx(1800.0)


def test_moves_what_it_has_promised_but_has_not_started() -> None:
    """The second wash is known late and can run at ten only; the first, promised before, makes room."""
    flexible = job("flexible", "1", WASH, (10 * HOUR_S, 11 * HOUR_S))
    fixed = job("fixed", "1", WASH, (10 * HOUR_S, 10 * HOUR_S)).model_copy(update={"registered_s": START_S + HOUR_S})
    scenario = neighbourhood({"1": {"pv": forecast(NOON)}}, [flexible, fixed])
    assert set(plan_rolling_horizon(scenario)) == {"flexible", "fixed"}


def test_keeps_a_promise_though_a_better_job_comes() -> None:
    """The small job came first; the large one, which would use production better, is lost for lack of knowledge."""
    small = job("small", "1", load((0, 0.0), (2 * HOUR_S, 1100.0)), (10 * HOUR_S, 10 * HOUR_S))
    large = job("large", "1", load((0, 0.0), (2 * HOUR_S, 1900.0)), (10 * HOUR_S, 10 * HOUR_S))
    scenario = neighbourhood(
        {"1": {"pv": forecast(NOON)}}, [small, large.model_copy(update={"registered_s": START_S + HOUR_S})]
    )
    assert set(plan_rolling_horizon(scenario)) == {"small"}
    assert clairvoyant_optimum(scenario).best_wh == pytest.approx(1900.0)


def test_believes_the_newest_forecast_and_lets_the_job_wait() -> None:
    """No production is forecast before noon; after a better forecast, the waiting job is served."""
    dark = Prediction(issued_s=START_S, production=sun((0, 0.0), (24 * HOUR_S, 0.0)))
    bright = Prediction(issued_s=START_S + 9 * HOUR_S, production=NOON)
    scenario = neighbourhood(
        {"1": {"pv": ProducerSeries((dark, bright))}}, [job("wash", "1", WASH, (8 * HOUR_S, 11 * HOUR_S))]
    )
    assert plan_rolling_horizon(scenario)["wash"][1] >= START_S + 10 * HOUR_S
    assert plan_rolling_horizon(scenario, end_s=START_S + 8 * HOUR_S) == {}


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 5])
def test_keeps_the_rules_on_generated_neighbourhoods(seed: int) -> None:
    """Windows, promises, and no more than the bound on any run."""
    scenario = scarce(seed)
    plan = plan_rolling_horizon(scenario, rounds=3)
    assert plan_problems(scenario, plan) == []
    reached_wh = delivered_wh(scenario, plan)
    found = clairvoyant_optimum(scenario, plan, time_limit_wall_s=4.0, rounds=0)
    assert 0.0 < reached_wh <= found.best_wh + 1e-6 <= found.bound_wh + 2e-6
