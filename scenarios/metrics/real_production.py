"""What a producer really produced, as all results and screens show it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agents import FloatArray, Prediction
from scenarios.scenario import ProducerSeries


def real_production_wh(producer: ProducerSeries, edges_s: FloatArray, known_until_s: int | None = None) -> FloatArray:
    """Return a producer's actual production between neighbouring edges, the figure that is called *produced*.

    Without actual production in the scenario, the newest prediction for each moment replaces it; production is zero
    before the first and after the last point. Every screen that shows production uses this function.

    Args:
        producer: The producer's predictions and actual production.
        edges_s: Edges of the bins, UNIX seconds, rising, shape (bins + 1,).
        known_until_s: Predictions issued later do not count, UNIX seconds; None: all count.

    Returns:
        Energy of each bin, Wh, shape (bins,).
    """
    if producer.actual is not None:
        return producer.actual.energy_per_bin_wh(edges_s)
    issued = [p for p in producer.predictions if known_until_s is None or p.issued_s <= known_until_s]
    if not issued:
        return np.zeros(len(edges_s) - 1)
    times_s, cumulative_wh = _spliced(issued)
    return np.diff(np.interp(edges_s, times_s, cumulative_wh))


def _spliced(predictions: Sequence[Prediction]) -> tuple[FloatArray, FloatArray]:
    """Splice predictions in the order of issue: each replaces the earlier ones from its first point on.

    `agents.energy.Outlook` does the same one prediction at a time. Here every point is copied only once, as a year of
    forecasts has a million: pieces are kept apart, each with its cumulative energy before it and the number of its
    points that later predictions have left.
    """
    pieces: list[tuple[FloatArray, FloatArray]] = []
    for production in (prediction.production for prediction in predictions):
        replaced: tuple[FloatArray, FloatArray] | None = None
        while pieces and pieces[-1][0][0] >= production.start_s:
            replaced = pieces.pop()
        before_wh = 0.0
        if pieces:
            times_s, cumulative_wh = pieces.pop()
            kept = int(np.searchsorted(times_s, production.start_s, side="left"))
            if replaced is not None:  # the last piece extended into it
                around_s = np.append(times_s[-1:], replaced[0][:1])
                around_wh = np.append(cumulative_wh[-1:], replaced[1][:1])
            if replaced is None or kept < len(times_s):
                around_s, around_wh = times_s, cumulative_wh
            before_wh = float(np.interp(production.start_s, around_s, around_wh))
            pieces.append((times_s[:kept], cumulative_wh[:kept]))
        pieces.append((production.times_array, production.cumulative_array + before_wh))
    return np.concatenate([piece[0] for piece in pieces]), np.concatenate([piece[1] for piece in pieces])
