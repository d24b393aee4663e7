"""The points of a sweep: every combination of the parameters' values, or a Latin hypercube sample of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

from scenarios.sweep.parameters import Parameter, Value


def grid(parameters: Sequence[Parameter], together: Sequence[Sequence[int]] = ()) -> list[tuple[Value, ...]]:
    """Return every combination; the last parameter changes fastest. Without parameters there is one point.

    Args:
        parameters: The varied parameters.
        together: Groups of indices of parameters that take their first values together, then their second, and so on.
    """
    groups = _groups(len(parameters), together)
    rows = product(*(range(len(parameters[group[0]].values)) for group in groups))
    return [_values(parameters, groups, row) for row in rows]


def sample(
    parameters: Sequence[Parameter], count: int, seed: int, together: Sequence[Sequence[int]] = ()
) -> list[tuple[Value, ...]]:
    """Return points that cover the parameters' values evenly, each parameter for itself (a Latin hypercube).

    Args:
        parameters: Ranges are drawn from continuously; of listed values, each is taken about equally often.
        count: Number of points.
        seed: The same seed draws the same points.
        together: As for `grid`; each group is one dimension.
    """
    if not parameters:
        return [()] * min(count, 1)
    from scipy.stats import qmc  # noqa: PLC0415 - takes half a second, and a grid does not need it

    groups = _groups(len(parameters), together)
    points = []
    for row in qmc.LatinHypercube(d=len(groups), rng=seed).random(count):
        chosen: dict[int, Value] = {}
        for group, share in zip(groups, row.tolist(), strict=True):
            first = parameters[group[0]]
            if len(group) == 1:
                chosen[group[0]] = _at(first, share)
            else:
                place = math.floor(share * len(first.values))
                chosen |= {index: parameters[index].values[place] for index in group}
        points.append(tuple(chosen[index] for index in range(len(parameters))))
    return list(dict.fromkeys(points))


def _groups(count: int, together: Sequence[Sequence[int]]) -> list[Sequence[int]]:
    """Return indices of parameters by dimension, in the order of each dimension's first parameter."""
    taken = {index for group in together for index in group}
    return sorted([*together, *([index] for index in range(count) if index not in taken)], key=min)


def _values(
    parameters: Sequence[Parameter], groups: Sequence[Sequence[int]], places: Sequence[int]
) -> tuple[Value, ...]:
    chosen = {
        index: parameters[index].values[place] for group, place in zip(groups, places, strict=True) for index in group
    }
    return tuple(chosen[index] for index in range(len(parameters)))


def _at(parameter: Parameter, share: float) -> Value:
    reach = parameter.range
    if reach is None:
        return parameter.values[math.floor(share * len(parameter.values))]
    if reach.is_whole and not reach.is_log:
        return int(reach.low) + math.floor(share * (reach.high - reach.low + 1))
    drawn = reach.at(share)
    return float(f"{drawn:.6g}") if isinstance(drawn, float) else drawn  # more digits would say nothing
