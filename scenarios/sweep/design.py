"""The points of a sweep: every combination of the parameters' values, or a Latin hypercube sample of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

from scenarios.sweep.parameters import Parameter, Value


def grid(parameters: Sequence[Parameter]) -> list[tuple[Value, ...]]:
    """Return every combination; the last parameter changes fastest. Without parameters there is one point."""
    return list(product(*(parameter.values for parameter in parameters)))


def sample(parameters: Sequence[Parameter], count: int, seed: int) -> list[tuple[Value, ...]]:
    """Return points that cover the parameters' values evenly, each parameter for itself (a Latin hypercube).

    Args:
        parameters: Ranges are drawn from continuously; of listed values, each is taken about equally often.
        count: Number of points.
        seed: The same seed draws the same points.
    """
    if not parameters:
        return [()] * min(count, 1)
    from scipy.stats import qmc  # noqa: PLC0415 - takes half a second, and a grid does not need it

    shares = qmc.LatinHypercube(d=len(parameters), rng=seed).random(count)
    points = [
        tuple(_at(parameter, float(share)) for parameter, share in zip(parameters, row, strict=True)) for row in shares
    ]
    return list(dict.fromkeys(points))


def _at(parameter: Parameter, share: float) -> Value:
    reach = parameter.range
    if reach is None:
        return parameter.values[math.floor(share * len(parameter.values))]
    if reach.is_whole and not reach.is_log:
        return int(reach.low) + math.floor(share * (reach.high - reach.low + 1))
    drawn = reach.at(share)
    return float(f"{drawn:.6g}") if isinstance(drawn, float) else drawn  # more digits would say nothing
