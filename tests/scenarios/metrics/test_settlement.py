"""Energy is settled minute by minute, and adds up to the last Wh."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from agents.energy import LoadProfile, Prediction, Production
from agents.model import GRID, Contract
from scenarios.metrics.settlement import MINUTE_S, Settlement, real_production_wh, settle
from scenarios.scenario import ProducerSeries, Scenario
from tests.scenarios.neighbourhoods import (
    START_S,
    contract,
    forecast,
    job,
    load,
    neighbourhood,
    settled_runs,
    sun,
)

EXACT_WH = 1e-6


def test_a_panel_covers_in_each_minute_what_it_gives_then() -> None:
    """Sun in the first minute does not cover the second, and the energy of both together says nothing."""
    washing = job("wash", "a", load((0, 0), (60, 10), (120, 20)))
    scenario = neighbourhood({"a": {"pv": forecast(sun((0, 0), (60, 15), (120, 19)))}}, [washing])

    settled = settle(scenario, [contract(washing, "pv", 0)], START_S, START_S + 120)

    assert settled.drawn_wh.tolist() == [[10, 10]]
    assert settled.produced_wh.tolist() == [[15, 4]]
    assert settled.delivered_wh.tolist() == [[10, 4]]
    assert settled.grid_wh.tolist() == [0, 6]
    assert settled.export_wh.tolist() == [[5, 0]]
    assert settled.job_delivered_wh.tolist() == [14]


def test_jobs_share_a_minute_in_proportion_to_what_they_draw() -> None:
    """Two jobs draw 30 and 10 Wh, the panel gives 20: they get 15 and 5, each at its own house."""
    big, small = job("big", "a", load((0, 0), (60, 30))), job("small", "b", load((0, 0), (60, 10)))
    scenario = neighbourhood({"a": {"pv": forecast(sun((0, 0), (60, 20)))}, "b": {}}, [big, small])

    settled = settle(scenario, [contract(big, "pv", 0), contract(small, "pv", 0)], START_S, START_S)

    assert settled.job_delivered_wh.tolist() == [15, 5]
    assert settled.house_delivered_wh.tolist() == [[15], [5]]


def test_a_panel_serves_its_own_contracts_only() -> None:
    """Its surplus helps neither the contracts of another panel, nor a job on the grid."""
    mine, other = job("mine", "a", load((0, 0), (60, 10))), job("other", "a", load((0, 0), (60, 10)))
    houses = {"a": {"sunny": forecast(sun((0, 0), (60, 100))), "dark": forecast(sun((0, 0), (60, 1)))}}
    scenario = neighbourhood(houses, [mine, other])

    settled = settle(scenario, [contract(mine, "dark", 0), contract(other, GRID, 0)], START_S, START_S)

    assert settled.delivered_wh.sum(axis=1).tolist() == [0, 1]
    assert settled.grid_wh.tolist() == [19]


def test_a_start_between_minutes_is_split_at_the_minute() -> None:
    """A job of 60 s that starts at second 45 draws a quarter in one minute, the rest in the next."""
    washing = job("wash", "a", load((0, 0), (60, 8)))
    scenario = neighbourhood({"a": {}}, [washing])

    settled = settle(scenario, [contract(washing, GRID, 45)], START_S + 10, START_S + 20)

    assert settled.start_s == START_S
    assert settled.end_s == START_S + 120
    assert settled.consumed_wh.tolist() == pytest.approx([2, 6])


def test_the_account_lasts_until_the_run_and_its_last_job_have_ended() -> None:
    """A job that runs past the run's end counts whole; a run past the last job counts its sun."""
    washing = job("wash", "a", load((0, 0), (3600, 50)))
    scenario = neighbourhood({"a": {"pv": forecast(sun((0, 0), (7200, 100)))}}, [washing])

    short = settle(scenario, [contract(washing, "pv", 0)], START_S, START_S + 60)
    long = settle(scenario, [contract(washing, "pv", 0)], START_S, START_S + 7200)

    assert short.minutes == 60
    assert short.consumed_wh.sum() == pytest.approx(50)
    assert short.produced_wh.sum() == pytest.approx(50)
    assert long.produced_wh.sum() == pytest.approx(100)


def test_a_new_prediction_counts_from_its_first_point_and_only_if_it_was_issued() -> None:
    """Without actual production, the newest prediction for each moment counts as production."""
    old = Prediction(issued_s=START_S, production=sun((0, 0), (240, 40)))
    new = Prediction(issued_s=START_S + 60, production=sun((120, 7), (180, 8)))
    late = Prediction(issued_s=START_S + 999, production=sun((0, 0), (240, 4000)))
    edges_s = START_S + np.arange(5.0) * MINUTE_S

    given_wh = real_production_wh(ProducerSeries(predictions=(old, new, late)), edges_s, START_S + 300)

    assert given_wh.tolist() == pytest.approx([10, 10, 1, 0])


def test_a_prediction_that_begins_before_the_last_one_continues_the_one_before_that() -> None:
    """10 Wh a minute are predicted first; then some from the fourth minute on; then 6 Wh from 90 s on."""
    first = Prediction(issued_s=START_S, production=sun((0, 0), (240, 40)))
    second = Prediction(issued_s=START_S, production=sun((180, 0), (240, 1)))
    third = Prediction(issued_s=START_S, production=sun((90, 0), (210, 12)))
    edges_s = START_S + np.arange(5.0) * MINUTE_S

    given_wh = real_production_wh(ProducerSeries(predictions=(first, second, third)), edges_s)

    assert given_wh.tolist() == pytest.approx([10, 5 + 3, 6, 3])


def test_actual_production_counts_instead_of_any_prediction() -> None:
    """A panel that was promised 40 Wh and gave 4 delivered 4."""
    producer = ProducerSeries(predictions=forecast(sun((0, 0), (60, 40))).predictions, actual=sun((0, 0), (60, 4)))
    washing = job("wash", "a", load((0, 0), (60, 40)))
    scenario = neighbourhood({"a": {"pv": producer}}, [washing])

    settled = settle(scenario, [contract(washing, "pv", 0)], START_S, START_S)

    assert settled.delivered_wh.tolist() == [[4]]


def test_nothing_at_all_is_settled_too() -> None:
    """Without houses and jobs there is one minute of zeros."""
    settled = settle(neighbourhood({}, []), [], START_S, START_S)

    assert settled.minutes == 1
    assert settled.consumed_wh.tolist() == [0]
    assert settled.grid_wh.tolist() == [0]


def test_a_contract_of_an_unknown_job_or_producer_is_refused() -> None:
    """Otherwise it would vanish from the figures."""
    washing = job("wash", "a", load((0, 0), (60, 40)))

    with pytest.raises(ValueError, match="jobs that scenario 'sample' does not have: wash/1"):
        settle(neighbourhood({"a": {}}, []), [contract(washing, GRID, 0)], START_S, START_S)
    with pytest.raises(ValueError, match="'wash/1' is with 'nobody', which is not a producer"):
        settle(neighbourhood({"a": {}}, [washing]), [contract(washing, "nobody", 0)], START_S, START_S)


@settings(max_examples=40)
@given(settled_runs())
def test_energy_adds_up(run: tuple[Scenario, list[Contract], int]) -> None:
    """Contracted = delivered + shortfall, consumed = delivered + grid; by job, by house, by producer, by minute."""
    scenario, contracts, end_s = run
    settled = settle(scenario, contracts, START_S, end_s)

    with_producer = [c.producer != GRID for c in contracts]
    energy_wh = np.array([c.energy_wh for c in contracts])
    assert settled.job_consumed_wh == pytest.approx(energy_wh, abs=EXACT_WH)
    assert settled.drawn_wh.sum() == pytest.approx(energy_wh[with_producer].sum(), abs=EXACT_WH)
    assert settled.consumed_wh.sum() == pytest.approx(energy_wh.sum(), abs=EXACT_WH)
    assert settled.consumed_wh == pytest.approx(settled.delivered_wh.sum(axis=0) + settled.grid_wh, abs=EXACT_WH)
    assert settled.house_delivered_wh.sum(axis=0) == pytest.approx(settled.delivered_wh.sum(axis=0), abs=EXACT_WH)
    assert settled.job_delivered_wh.sum() == pytest.approx(settled.delivered_wh.sum(), abs=EXACT_WH)
    assert (settled.delivered_wh <= settled.drawn_wh).all()
    assert (settled.delivered_wh <= settled.produced_wh).all()
    assert (settled.job_delivered_wh <= settled.job_consumed_wh + EXACT_WH).all()
    assert (settled.delivered_wh >= 0).all()


@settings(max_examples=40)
@given(settled_runs())
def test_the_arrays_say_what_a_plain_loop_says(run: tuple[Scenario, list[Contract], int]) -> None:
    """Minute after minute, job after job, in plain Python."""
    scenario, contracts, end_s = run
    settled = settle(scenario, contracts, START_S, end_s)
    delivered_wh, job_wh = _by_loops(scenario, contracts, settled, end_s)

    assert settled.delivered_wh == pytest.approx(delivered_wh, abs=EXACT_WH)
    assert settled.job_delivered_wh == pytest.approx(job_wh, abs=EXACT_WH)


def _by_loops(
    scenario: Scenario, contracts: list[Contract], settled: Settlement, end_s: int
) -> tuple[np.ndarray, np.ndarray]:
    jobs = {j.job_id: j for j in scenario.jobs}
    delivered_wh = np.zeros((len(settled.producers), settled.minutes))
    job_wh = np.zeros(len(contracts))
    for p, producer in enumerate(settled.producers):
        production = _known_production(scenario.producers[producer], end_s)
        for minute in range(settled.minutes):
            from_s = settled.start_s + minute * MINUTE_S
            given_wh = _between_wh(production, from_s) if production else 0.0
            drawn_wh = {
                i: _drawn_wh(c, jobs[c.job_id].load_profile, from_s)
                for i, c in enumerate(contracts)
                if c.producer == producer
            }
            total_wh = sum(drawn_wh.values())
            delivered_wh[p, minute] = min(given_wh, total_wh)
            for i, wh in drawn_wh.items():
                job_wh[i] += wh * delivered_wh[p, minute] / total_wh if total_wh else 0.0
    return delivered_wh, job_wh


def _known_production(producer: ProducerSeries, end_s: int) -> Production | None:
    if producer.actual is not None:
        return producer.actual
    known: Production | None = None
    for prediction in producer.predictions:
        if prediction.issued_s <= end_s:
            known = known.continued_by(prediction.production) if known else prediction.production
    return known


def _between_wh(production: Production, from_s: int) -> float:
    before_wh, after_wh = production.energy_until_wh([from_s, from_s + MINUTE_S])
    return float(after_wh - before_wh)


def _drawn_wh(of: Contract, profile: LoadProfile, from_s: int) -> float:
    before_wh, after_wh = profile.energy_until_wh([from_s - of.start_s, from_s + MINUTE_S - of.start_s])
    return float(after_wh - before_wh)
