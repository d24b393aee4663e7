"""The manager's board: which producers may serve a job according to their views."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from agents.headroom import MIN_BLOCK_S, View
from agents.job_needs import JobNeeds
from agents.ranking.headroom_board import MANY_PRODUCERS, MAX_STRETCHES, HeadroomBoard


def _random_view(random: Random) -> View:
    block_s = random.choice((MIN_BLOCK_S, MIN_BLOCK_S, 3 * MIN_BLOCK_S, MIN_BLOCK_S + 720))
    blocks = random.randint(0, 6)
    free_wh = tuple(float(random.randint(0, 60)) for _ in range(blocks))
    return View(
        from_s=MIN_BLOCK_S * random.randint(0, 3) + random.choice((0, 0, 600)),
        block_s=block_s,
        free_wh=free_wh,
        peak_wh=tuple(float(random.randint(0, 9)) for _ in free_wh),
        promised=((0, 2, float(random.randint(1, 20))),) if blocks > 1 else (),
    )


def _random_need(random: Random) -> JobNeeds:
    begin_s = random.randint(-MIN_BLOCK_S, 20 * MIN_BLOCK_S)
    return JobNeeds(
        begin_s, begin_s + random.randint(0, 12 * MIN_BLOCK_S), random.uniform(0, 150), random.uniform(0, 9)
    )


@pytest.mark.parametrize("seed", range(8))
def test_many_producers_are_judged_like_each_of_them_alone(seed: int) -> None:
    """What jobs between the same hours have in common follows new views, producers without one, and odd blocks."""
    random = Random(seed)
    board, views = HeadroomBoard(), dict[int, View]()
    needs = [_random_need(random) for _ in range(6)]
    for _ in range(25):
        for _ in range(random.choice((0, 1, 40))):
            number = random.randrange(MANY_PRODUCERS)
            views[number] = _random_view(random)
            board.put(number, views[number])
        need = random.choice(needs) if random.random() < 0.8 else _random_need(random)
        order = np.array(random.sample(range(MANY_PRODUCERS + random.choice((0, 0, 5))), MANY_PRODUCERS))
        alone = [bool(board.may_serve(need, np.array([number]))[0]) for number in order.tolist()]
        assert board.may_serve(need, order).tolist() == alone
        bounds = [views[number].bounds if number in views else None for number in order.tolist()]
        judged = [b is None or (b.energy_wh[b.stretch(need)], b.peak_wh[b.stretch(need)]) for b in bounds]
        for may, most in zip(alone, judged, strict=True):
            if most is True or (most[0] >= need.energy_wh and most[1] >= need.peak_wh):
                assert may
            elif most[0] + 0.1 < need.energy_wh or most[1] + 0.1 < need.peak_wh:
                assert not may


def test_only_some_pairs_of_hours_are_kept() -> None:
    """A long run does not fill the memory with hours that have passed."""
    board = HeadroomBoard()
    board.put(MANY_PRODUCERS - 1, View(from_s=0, block_s=MIN_BLOCK_S, free_wh=(5.0,), peak_wh=(1.0,)))
    order = np.arange(MANY_PRODUCERS)
    for hour in range(2 * MAX_STRETCHES):
        found = board.may_serve(JobNeeds(hour * MIN_BLOCK_S, (hour + 1) * MIN_BLOCK_S, 3.0, 0.5), order)
        assert found[-1] == (hour == 0)
    assert len(board._within) == MAX_STRETCHES
