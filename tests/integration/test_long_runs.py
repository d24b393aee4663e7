"""Runs of many days, and series longer than a message: they end as short ones do."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter

import numpy as np
import pytest

from agents.energy import LoadProfile, Prediction, Production
from agents.manager.ledger import LedgerEntry, LedgerEvent
from agents.model import GRID, Contract
from agents.shares import Share
from agents.sharing import SupplyRule, SupplySettings
from benchmarks.long_runs import DAY_S, START_S as FIRST_S, scenario_of
from broker.clock import Moment
from broker.transport.memory import MemoryBroker
from scenarios.scenario import ProducerSeries
from scenarios.simulation.run import RunCallbacks, run_scenario
from scenarios.simulation.settings import RunSettings
from tests.integration.test_lifecycle import HOUR_S, KW_FOR_AN_HOUR, play, registered, standing
from tests.scenarios.neighbourhoods import START_S, forecast, job, neighbourhood

OF_THE_LEDGER = frozenset({Contract, LedgerEntry, LedgerEvent, Share})
"""What every contract leaves, besides what its producers gave (`_Given`)."""


def minutes_of_sun(days: int, first_day: int = 0) -> Production:
    """Return a production in minutes, none equal to the one before: 2000 W and 2001 W by turns."""
    steps_wh = np.tile([2000 / 60, 2001 / 60], days * 720)
    start_s = START_S + first_day * DAY_S
    times_s = range(start_s, start_s + days * DAY_S + 60, 60)
    return Production(times_s=tuple(times_s), cumulative_wh=(0.0, *np.cumsum(steps_wh).tolist()))


def test_days_in_a_row_of_minute_forecasts_run_to_the_end() -> None:
    """A forecast a day in minutes is more than 10,000 points on the seventh day, which ended the run."""
    predictions = [Prediction(issued_s=START_S + d * DAY_S, production=minutes_of_sun(1, d)) for d in range(12)]
    jobs = [
        registered(
            job(f"wash-{d}", "a", KW_FOR_AN_HOUR, (d * DAY_S + 10 * HOUR_S, d * DAY_S + 12 * HOUR_S)),
            d * DAY_S + 5 * HOUR_S,
        )
        for d in range(12)
    ]

    outcome = play(neighbourhood({"a": {"pv": ProducerSeries(tuple(predictions))}}, jobs))

    assert {job_id: c.producer for job_id, c in standing(outcome).items()} == {f"wash-{d}": "pv" for d in range(12)}


def test_a_forecast_longer_than_a_message_is_known_to_its_producer_in_full() -> None:
    """A month of minutes in one forecast: the job of the last day is served."""
    late = job("late", "a", KW_FOR_AN_HOUR, (29 * DAY_S, 29 * DAY_S + HOUR_S))

    outcome = play(neighbourhood({"a": {"pv": forecast(minutes_of_sun(30))}}, [late]))

    assert standing(outcome)["late"].producer == "pv"


def test_a_load_longer_than_a_message_is_negotiated() -> None:
    """A job that draws for a fortnight, measured in minutes, requests the energy that it needs."""
    draws_wh = np.tile([10.0, 11.0], 14 * 720)
    load = LoadProfile(times_s=tuple(range(0, 14 * DAY_S + 60, 60)), cumulative_wh=(0.0, *np.cumsum(draws_wh).tolist()))
    small, large = job("small", "a", load, (0, DAY_S)), job("large", "a", load, (0, DAY_S))

    outcome = play(neighbourhood({"a": {"pv": forecast(minutes_of_sun(20))}}, [small]))
    crowded = play(neighbourhood({"a": {"pv": forecast(minutes_of_sun(10))}}, [large]))

    assert standing(outcome)["small"].producer == "pv"
    assert standing(crowded)["large"].producer == GRID


@pytest.mark.parametrize("supply", ["whole", "shared"])
def test_agents_hold_no_more_objects_from_day_to_day(supply: SupplyRule) -> None:
    """Offers, reservations and signatures of ended jobs are forgotten, and so are the arrays of old forecasts."""
    days = 13
    scenario = scenario_of(houses=2, days=days)
    held: dict[int, Counter[str]] = {}

    def count(moment: Moment) -> None:
        day = (moment.time_s - FIRST_S) // DAY_S
        if day in {4, 12} and day not in held:
            gc.collect()
            kinds = Counter(type(each) for each in gc.get_objects() if type(each).__module__.startswith("agents."))
            held[day] = Counter({kind.__name__: n for kind, n in kinds.items() if kind not in OF_THE_LEDGER})

    asyncio.run(
        run_scenario(
            scenario,
            RunSettings(seed=1, run_id="long", hosts=1, supply=SupplySettings(supply)),
            MemoryBroker(),
            callbacks=RunCallbacks(on_moment=count),
        )
    )

    jobs_a_day = len(scenario.jobs) / days
    more = {kind: n - held[4][kind] for kind, n in held[12].items() if n - held[4][kind] > jobs_a_day}
    assert more.keys() <= {"_Given"}
    with_arrays = [
        p for of in scenario.producers.values() for p in of.predictions if "times_array" in vars(p.production)
    ]
    assert with_arrays == []
