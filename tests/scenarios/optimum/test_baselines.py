"""The outcome without our negotiation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agents.model import Job
from scenarios.generate.one_day_neighbourhood import scarce
from scenarios.optimum.baselines import Baseline, baselines
from scenarios.optimum.optimum import clairvoyant_optimum
from tests.scenarios.neighbourhoods import START_S, forecast, job, load, neighbourhood, sun

HOUR_S = 3600
WASH = load((0, 0.0), (HOUR_S, 900.0))
"""900 W for an hour."""
NOON = forecast(sun((10 * HOUR_S, 0.0), (14 * HOUR_S, 4000.0)))
"""1 kW from ten to two, four hours in all."""


def by_name(found: tuple[Baseline, ...]) -> dict[str, Baseline]:
    """Return the baselines by name."""
    return {baseline.name: baseline for baseline in found}


def test_earliest_starts_waste_the_noon() -> None:
    """Two jobs wait for the same hour of sun: the second finds it taken, though the next hour is free."""
    jobs = [job(f"wash-{i}", house, WASH, (10 * HOUR_S, 12 * HOUR_S)) for i, house in enumerate("12")]
    found = by_name(baselines(neighbourhood({"1": {"pv": NOON}, "2": {}}, jobs)))["earliest start"]
    assert found.draws_wh == pytest.approx((900.0,))
    assert found.deviation_wh is None


def test_two_washes_of_one_machine_follow_one_another() -> None:
    """The machine is busy until eleven; then production covers the second wash too."""
    jobs = [job(f"wash-{i}", "1", WASH, (10 * HOUR_S, 11 * HOUR_S)) for i in range(2)]
    found = by_name(baselines(neighbourhood({"1": {"pv": NOON}}, jobs), draws=20))
    assert found["earliest start"].draws_wh == pytest.approx((1800.0,))
    assert found["random start"].draws_wh == pytest.approx((1800.0,) * 20)


def test_one_machine_leaves_room_for_a_wash_that_can_run_at_one_time_only() -> None:
    """The first wash could begin at ten, when the second, registered later, must: it begins when that is over."""
    jobs = [
        job("a", "1", WASH, (10 * HOUR_S, 12 * HOUR_S)),
        job("b", "1", WASH, (10 * HOUR_S, 10 * HOUR_S)).model_copy(update={"registered_s": START_S + 9 * HOUR_S}),
    ]
    found = by_name(baselines(neighbourhood({"1": {"pv": NOON}}, jobs)))
    assert found["earliest start"].delivered_wh == pytest.approx(1800.0)


def test_a_second_panel_takes_what_the_first_cannot() -> None:
    """Producers are tried one after the other."""
    jobs = [job(f"wash-{i}", "1", WASH, (10 * HOUR_S, 12 * HOUR_S)) for i in range(2)]
    found = by_name(baselines(neighbourhood({"1": {"pv-1": NOON, "pv-2": NOON}}, jobs)))["earliest start"]
    assert found.delivered_wh == pytest.approx(1800.0)


def test_random_starts_are_covered_as_often_as_expected() -> None:
    """Three of the ten hours of a window are covered, so about 3 in 10 draws are."""
    scenario = neighbourhood({"1": {"pv": NOON}}, [job("wash", "1", WASH, (7 * HOUR_S, 17 * HOUR_S))])
    found = by_name(baselines(scenario, draws=300))["random start"]
    assert found.delivered_wh / 900.0 == pytest.approx(0.3, abs=0.1)
    assert found.deviation_wh is not None
    assert all(wh == 0.0 or wh == pytest.approx(900.0) for wh in found.draws_wh)


def test_pyssmics_rule_promises_more_than_is_produced() -> None:
    """It accepts an hour's wash because it reduces the mismatch, at a random time."""
    scenario = neighbourhood({"1": {"pv": NOON}}, [job("wash", "1", WASH, (0, 20 * HOUR_S))])
    found = by_name(baselines(scenario, draws=300))["PySSMic's rule"]
    assert 0.0 < found.delivered_wh < 500.0
    assert any(0.0 < wh < 890.0 for wh in found.draws_wh)


def at_noon(job_id: str, wh: float, hour: int, registered_h: float = 0.0) -> Job:
    """Return an hour's load, in a house of its own, that can start at one time only."""
    start_s = START_S + hour * HOUR_S
    known_s = {"registered_s": START_S + round(registered_h * HOUR_S), "earliest_start_s": start_s}
    of = job(job_id, job_id, load((0, 0.0), (HOUR_S, wh)))
    return of.model_copy(update={**known_s, "latest_start_s": start_s})


@pytest.mark.parametrize(
    ("second", "delivered_wh"),
    [
        (at_noon("second", 95.0, 10), 995.0),
        (at_noon("second", 149.0, 10), 1000.0),
        (at_noon("second", 151.0, 10), 900.0),  # 51 Wh too much count twice, more than 100 Wh too little did before
        (at_noon("second", 899.0, 12, registered_h=11.5), 900.0),  # the first one has started, and is forgotten
        (at_noon("second", 901.0, 12, registered_h=11.5), 1801.0),
    ],
)
def test_by_pyssmics_rule_a_producer_takes_what_lowers_its_mismatch(second: Job, delivered_wh: float) -> None:
    """The first load takes 900 of the 1000 Wh of its hour."""
    houses = {"pv": {"pv": NOON}, "first": {}, "second": {}}
    scenario = neighbourhood(houses, [at_noon("first", 900.0, 10), second])
    found = by_name(baselines(scenario, draws=1))["PySSMic's rule"]
    assert found.delivered_wh == pytest.approx(delivered_wh)


def test_by_pyssmics_rule_a_producer_that_has_accepted_is_asked_first() -> None:
    """Another one would have sun for all of the second load."""
    loads = [at_noon("first", 900.0, 10), at_noon("second", 149.0, 10)]
    houses = {"a": {"pv-a": NOON}, "b": {"pv-b": NOON}, "first": {}, "second": {}}
    found = by_name(baselines(neighbourhood(houses, loads), draws=1))["PySSMic's rule"]
    assert found.delivered_wh == pytest.approx(1000.0)


def test_too_late_for_its_window_is_for_the_grid() -> None:
    """A job that is registered when its window is over."""
    late = job("wash", "1", WASH, (9 * HOUR_S, 10 * HOUR_S)).model_copy(update={"registered_s": START_S + 11 * HOUR_S})
    found = by_name(baselines(neighbourhood({"1": {"pv": NOON}}, [late])))
    assert found["earliest start"].delivered_wh == 0.0
    assert found["random start"].delivered_wh == 0.0


def test_jobs_registered_after_the_end_do_not_count() -> None:
    """They have no contract in a run either."""
    scenario = neighbourhood({"1": {"pv": NOON}}, [job("wash", "1", WASH, (10 * HOUR_S, 10 * HOUR_S))])
    assert by_name(baselines(scenario, end_s=START_S))["earliest start"].delivered_wh == pytest.approx(900.0)
    assert by_name(baselines(scenario, end_s=START_S - 1))["earliest start"].delivered_wh == 0.0


def test_no_jobs_and_no_producers() -> None:
    """The result is empty, without an error."""
    assert all(b.delivered_wh == 0.0 for b in baselines(neighbourhood({"1": {}}, [])))
    assert all(b.delivered_wh == 0.0 for b in baselines(neighbourhood({"1": {}}, [job("wash", "1", WASH)])))


def test_chance_is_seeded() -> None:
    """The same seed, the same figures; another one, others."""
    scenario = scarce(3)
    assert baselines(scenario, seed=7, draws=2) == baselines(scenario, seed=7, draws=2)
    assert baselines(scenario, seed=7, draws=2) != baselines(scenario, seed=8, draws=2)


@pytest.mark.long
def test_plans_by_the_rule_of_contracts_stay_below_the_optimum() -> None:
    """Both kinds of fixed starts are plans available to the clairvoyant.

    Of the first jobs, whose bound is reached and found in seconds; that of all is a third too high to be met by a rule.
    """
    whole = scarce(2)
    scenario = replace(whole, jobs=whole.jobs[:25])
    bound_wh = clairvoyant_optimum(scenario, rounds=0).carried_bound_wh
    found = by_name(baselines(scenario, draws=5))
    assert found["earliest start"].delivered_wh <= bound_wh
    assert max(found["random start"].draws_wh) <= bound_wh
