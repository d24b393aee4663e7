"""The bundled street for many days: every day has the jobs and the production of the first one."""

from __future__ import annotations

from dataclasses import replace

from agents import Prediction, Production
from scenarios.scenario import ProducerSeries, Scenario
from scenarios.zone import DAY_S


def repeated(street: Scenario, days: int) -> Scenario:
    """Return a scenario whose first day is repeated."""
    jobs = tuple(
        job.model_copy(
            update={
                "job_id": f"{job.job_id}-{day + 1}",
                "source_id": f"{job.source_id}-{day + 1}",
                "registered_s": job.registered_s + day * DAY_S,
                "earliest_start_s": job.earliest_start_s + day * DAY_S,
                "latest_start_s": job.latest_start_s + day * DAY_S,
            }
        )
        for day in range(days)
        for job in street.jobs
    )
    producers = {producer: _repeated_series(series, days) for producer, series in street.producers.items()}
    return replace(street, name="months", jobs=jobs, producers=producers, days=days)


def _repeated_series(series: ProducerSeries, days: int) -> ProducerSeries:
    predictions = tuple(
        Prediction(
            issued_s=prediction.issued_s + day * DAY_S,
            production=Production(
                times_s=tuple(time_s + day * DAY_S for time_s in prediction.production.times_s),
                cumulative_wh=prediction.production.cumulative_wh,
            ),
        )
        for day in range(days)
        for prediction in series.predictions
    )
    if series.actual is None:
        return ProducerSeries(predictions)
    times_s, cumulative_wh = list(series.actual.times_s), list(series.actual.cumulative_wh)
    for day in range(1, days):
        so_far_wh = cumulative_wh[-1]
        for time_s, wh in zip(series.actual.times_s, series.actual.cumulative_wh, strict=True):
            if time_s + day * DAY_S > times_s[-1]:
                times_s.append(time_s + day * DAY_S)
                cumulative_wh.append(so_far_wh + wh)
    return ProducerSeries(predictions, Production(times_s=tuple(times_s), cumulative_wh=tuple(cumulative_wh)))
