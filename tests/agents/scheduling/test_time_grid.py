"""The first and the last start at which a run is covered, found without looking at all of them."""

from random import Random

import numpy as np
import pytest

from agents.scheduling.time_grid import NO, YES, first_covered, last_covered


@pytest.mark.parametrize("seed", range(100))
def test_the_first_and_the_last_start_are_those_of_all_covered_ones(seed: int) -> None:
    """With gaps, uneven runs, and starts that are ruled out beforehand."""
    rng = Random(seed)
    run, starts = rng.choice([1, 2, 5, 9]), rng.choice([1, 3, 60])
    needed_wh = np.array([rng.choice([0.0, 1.0, 2.0, 5.0]) for _ in range(run)])
    there_wh = np.array([rng.choice([0.0, 1.0, 2.0, 5.0, 5.0, 5.0]) for _ in range(run + starts - 1)])
    fits = [rng.random() < 0.8 for _ in range(starts)]
    covered = [i for i in range(starts) if fits[i] and (there_wh[i : i + run] >= needed_wh).all()] or [-1]
    as_text = b"".join(YES if fit else NO for fit in fits)
    assert first_covered(there_wh, needed_wh, as_text) == covered[0]
    assert last_covered(there_wh, needed_wh, as_text) == covered[-1]
