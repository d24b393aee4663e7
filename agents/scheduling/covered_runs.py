"""Where a run is covered: the first or last start at which enough is left in each minute, or slot, that it touches."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

YES: Final = b"\1"
NO: Final = b"\0"
"""The bytes of arrays of truth values: searching these takes half the time of NumPy's searches."""
_Energies = npt.NDArray[np.floating]


def first_covered(there_wh: _Energies, needed_wh: _Energies, fits: bytes) -> int:
    """Return the first start at which a run is covered, as an index of `fits`; -1: there is none.

    If a minute has too little, later starts that need as much in it are not looked at.

    Args:
        there_wh: What is left in each minute from the first start on, Wh.
        needed_wh: What must be left in each minute of the run, Wh, shape (minutes,).
        fits: For each start, `YES` or `NO`; only those with `YES` are looked at.
    """
    run, start = len(needed_wh), fits.find(YES)
    while start >= 0:
        window_wh = there_wh[start : start + run]
        scarce = (window_wh >= needed_wh).tobytes().rfind(NO)
        if scarce < 0:
            break
        earlier = (needed_wh[:scarce] <= window_wh[scarce, ...]).tobytes().rfind(YES)
        start = fits.find(YES, start + scarce - earlier)
    return start


def last_covered(there_wh: _Energies, needed_wh: _Energies, fits: bytes) -> int:
    """Return the last start at which a run is covered, as an index of `fits`; -1: there is none.

    Args:
        there_wh: What is left in each minute from the first start on, Wh.
        needed_wh: What must be left in each minute of the run, Wh, shape (minutes,).
        fits: For each start, `YES` or `NO`; only those with `YES` are looked at.
    """
    run, start = len(needed_wh), fits.rfind(YES)
    while start >= 0:
        window_wh = there_wh[start : start + run]
        scarce = (window_wh >= needed_wh).tobytes().find(NO)
        if scarce < 0:
            break
        later = (needed_wh[scarce + 1 :] <= window_wh[scarce, ...]).tobytes().find(YES)
        earlier = later + 1 if later >= 0 else run - scarce
        start = fits.rfind(YES, 0, max(start - earlier + 1, 0))
    return start
