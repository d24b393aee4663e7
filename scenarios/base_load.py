"""Base loads of houses: the part of a producer's energy that its own house uses first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from agents import CumulativeSeries, Prediction, Production
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


def net_of_base_loads(scenario: Scenario) -> Scenario:
    """Return the scenario without base loads, and with the production that its houses' base loads leave.

    Contracts can get the same energy in both.
    """
    if not scenario.base_loads:
        return scenario
    expected = own_uses(scenario)
    actual: dict[str, CumulativeSeries] = {}
    for house in scenario.houses:
        load = scenario.base_loads.get(house.id)
        producers = [d.id for d in house.devices if d.type == "producer" and d.id in expected]
        if load is not None:
            real = {producer: scenario.producers[producer].actual for producer in producers}
            actual |= _divided(
                load, {producer: of or _expected(scenario.producers[producer]) for producer, of in real.items()}
            )
    left = {
        producer: _net(series, expected[producer], actual[producer]) if producer in expected else series
        for producer, series in scenario.producers.items()
    }
    return replace(scenario, producers=left, base_loads={})


def _net(series: ProducerSeries, expected: CumulativeSeries, actual: CumulativeSeries) -> ProducerSeries:
    return ProducerSeries(
        tuple(Prediction(issued_s=p.issued_s, production=p.production.less(expected)) for p in series.predictions),
        None if series.actual is None else series.actual.less(actual),
    )


def _expected(series: ProducerSeries) -> Production:
    """Return a producer's final forecast: each forecast replaces older ones from its first point on."""
    first, *later = (prediction.production for prediction in series.predictions)
    for newer in later:
        first = first.continued_by(newer)
    return first


def _divided(load: CumulativeSeries, given: Mapping[str, Production]) -> dict[str, CumulativeSeries]:
    """Divide a load among producers in proportion to what each gives at the time."""
    if len(given) <= 1:
        return dict.fromkeys(given, load)
    times_s = np.unique(np.concatenate([load.times_array, *(of.times_array for of in given.values())]))
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
