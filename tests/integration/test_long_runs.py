"""Runs of many days, and series longer than a message: they end as short ones do."""

from __future__ import annotations

import numpy as np

from agents.energy import LoadProfile, Prediction, Production
from agents.model import GRID
from scenarios.scenario import ProducerSeries
from tests.integration.test_lifecycle import HOUR_S, KW_FOR_AN_HOUR, play, registered, standing
from tests.scenarios.neighbourhoods import START_S, forecast, job, neighbourhood

DAY_S = 86_400


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
