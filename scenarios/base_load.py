"""Base loads of houses: the part of a producer's energy that its own house uses first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from agents import CumulativeSeries, Prediction, Production, whole_minutes_of
from scenarios.scenario import ProducerSeries, Scenario


def own_uses(scenario: Scenario) -> dict[str, CumulativeSeries]:
    """Return the part of its house's base load that each producer expects to serve, by producer id.

    A house with several producers divides its base load in proportion to what each is expected to give at the time.
    Producers of houses without a base load are left out.
    """
    found: dict[str, CumulativeSeries] = {}
    for house in scenario.houses:
        load = scenario.base_loads.get(house.id)
        producers = [d.id for d in house.devices if d.type == "producer" and scenario.producers[d.id].predictions]
        if load is not None and len(producers) == 1:
            found[producers[0]] = load
        elif load is not None:
            found |= _divided(load, {producer: _expected(scenario.producers[producer]) for producer in producers})
    return found


def net_of_base_loads(scenario: Scenario, end_s: int | None = None) -> Scenario:
    """Return the scenario without base loads, and with the production that its houses' base loads leave.

    Contracts can get the same energy in both scenarios, minute by minute.

    Args:
        scenario: The scenario.
        end_s: End of the run, UNIX seconds; None: the scenario's own. What is forecast later is not produced.
    """
    if not scenario.base_loads:
        return scenario
    if end_s is None and scenario.days is not None:
        end_s = scenario.end_s(scenario.days)
    expected = own_uses(scenario)
    left = dict(scenario.producers)
    for house in scenario.houses:
        producers = [d.id for d in house.devices if d.type == "producer" and d.id in expected]
        actual: dict[str, Production] = {}
        if producers:
            actual = _left_by(scenario.base_loads[house.id], {id_: left[id_] for id_ in producers}, end_s)
        for producer in producers:
            predictions = left[producer].predictions
            net = (
                Prediction(issued_s=p.issued_s, production=p.production.less(expected[producer])) for p in predictions
            )
            left[producer] = ProducerSeries(tuple(net), actual.get(producer))
    return replace(scenario, producers=left, base_loads={})


def _left_by(
    load: CumulativeSeries, producers: Mapping[str, ProducerSeries], end_s: int | None
) -> dict[str, Production]:
    """Return what the base load of a house leaves of the actual production of its producers, by producer id.

    A single producer without actual production is left out: its predictions say what it produces. With several
    producers, the share of each depends on what the others really produce, so all of them are included.
    """
    real: dict[str, Production] = {}
    for producer, series in producers.items():
        known = tuple(p for p in series.predictions if end_s is None or p.issued_s <= end_s)
        if series.actual is not None:
            real[producer] = series.actual
        elif len(producers) > 1 and known:
            real[producer] = _expected(ProducerSeries(known))
    shares = _divided(load, real, by_minute=True)
    return {producer: production.less(shares[producer]) for producer, production in real.items()}


def _expected(series: ProducerSeries) -> Production:
    """Return a producer's final forecast: each forecast replaces older ones from its first point on."""
    first, *later = (prediction.production for prediction in series.predictions)
    for newer in later:
        first = first.continued_by(newer)
    return first


def _divided(
    load: CumulativeSeries, given: Mapping[str, Production], *, by_minute: bool = False
) -> dict[str, CumulativeSeries]:
    """Divide a load among producers in proportion to what each produces between points, or between whole minutes."""
    if len(given) <= 1:
        return dict.fromkeys(given, load)
    times_s = np.unique(np.concatenate([load.times_array, *(of.times_array for of in given.values())]))
    if by_minute:
        times_s = whole_minutes_of(times_s)
    energy_wh = np.stack([of.energy_per_bin_wh(times_s) for of in given.values()])
    total_wh = energy_wh.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(total_wh > 0, energy_wh / total_wh, 0.0)
    times = tuple(times_s.astype(np.int64).tolist())
    parts = np.cumsum(load.energy_per_bin_wh(times_s) * share, axis=1)
    return {
        producer: CumulativeSeries(times_s=times, cumulative_wh=(0.0, *part.tolist()))
        for producer, part in zip(given, parts, strict=True)
    }
