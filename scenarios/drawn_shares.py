"""Shares as a real device drew them: what was measured replaces what was assumed, producer by producer."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from agents import GRID, SHARED, Contract, Job, load_mwh, shares_of

IntArray = npt.NDArray[np.int64]

_MINUTE_S = 60


def as_drawn(contract: Contract, agreed: Job, drawn: Job, started_s: int) -> Contract:
    """Return a contract with the start and the shares of its job as they came about.

    A share is energy in certain minutes of time, whenever the device starts. Where a device draws less than its shares
    have together, each producer gives its part of that; where it draws more, the rest comes from the grid.

    Args:
        contract: A contract of shared supply.
        agreed: The job as the contract was made on it.
        drawn: The job with the load that was measured.
        started_s: When its device started, UNIX seconds.
    """
    drawn_mwh: IntArray = load_mwh(drawn.as_sent.load_profile, started_s)
    if contract.producer == GRID or not drawn_mwh.any():
        return contract.model_copy(update={"start_s": started_s})
    promised = {share.producer: share.minutes() for share in contract.shares}
    if contract.producer != SHARED:
        promised = {contract.producer: load_mwh(agreed.as_sent.load_profile, contract.start_s)}
    late = started_s // _MINUTE_S - contract.start_s // _MINUTE_S
    names = sorted(promised)
    promised_mwh = np.array([_seen_later(promised[name], late, len(drawn_mwh)) for name in names])
    total_mwh = promised_mwh.sum(axis=0)
    given_mwh = np.minimum(drawn_mwh, total_mwh)
    # Cut where the parts meet, so that together they are exactly what was drawn.
    bounds = np.cumsum(promised_mwh, axis=0) * (given_mwh / np.maximum(total_mwh, 1))
    bounds_mwh = np.minimum(np.rint(bounds).astype(np.int64), given_mwh)
    parts_mwh = np.diff(bounds_mwh, axis=0, prepend=0)
    shares = shares_of(dict(zip(names, parts_mwh, strict=True)))
    return contract.model_copy(update={"producer": SHARED if shares else GRID, "start_s": started_s, "shares": shares})


def _seen_later(series_mwh: IntArray, late: int, minutes: int) -> IntArray:
    """Return some minutes of a series from an offset in minutes on (negative: before its beginning)."""
    seen_mwh = np.zeros(minutes, dtype=np.int64)
    kept_mwh = series_mwh[max(0, late) :][: max(0, minutes - max(0, -late))]
    begin = max(0, -late)
    seen_mwh[begin : begin + len(kept_mwh)] = kept_mwh
    return seen_mwh
