"""Energies of many rows (houses, producers) in every minute; tables that are too large for memory are recomputed.

All minutes of 10,000 houses for three days are 43 million values, 0.35 GB, and a settlement has nine such tables. A
large table never exists as a whole: it is computed in blocks of rows whenever it is read, and readers process it block
by block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, SupportsIndex, cast

import numpy as np
import numpy.typing as npt
from numpy.lib.mixins import NDArrayOperatorsMixin

from agents import FloatArray

MOST_KEPT_CELLS = 2_000_000
"""A table of at most so many values keeps them; a larger one computes them again whenever it is read."""
BLOCK_CELLS = 2_000_000
"""Values of a large table that are computed at once."""

IntArray = npt.NDArray[np.int64]


class MinuteTable(NDArrayOperatorsMixin):
    """Energies by row and minute, Wh, shape (rows, M). It is read like an array."""

    def __init__(self, shape: tuple[int, int], compute: Callable[[int, int], FloatArray]) -> None:
        """Make a table, which computes nothing yet.

        Args:
            shape: Rows and minutes.
            compute: Returns the rows from a first one up to another, which is excluded, shape (rows, M).
        """
        self.shape = shape
        self._compute = compute
        self._kept: FloatArray | None = None
        self._by_minute: FloatArray | None = None

    @property
    def is_kept(self) -> bool:
        """Whether it is small enough to be computed once."""
        return self.shape[0] * self.shape[1] <= MOST_KEPT_CELLS

    def rows(self, begin: int, end: int) -> FloatArray:
        """Return the rows from `begin` up to `end`, which is excluded, Wh, shape (rows, M)."""
        if not self.is_kept:
            return self._compute(begin, end)
        if self._kept is None:
            self._kept = self._compute(0, self.shape[0])
        return self._kept[begin:end]

    def blocks(self) -> Iterator[tuple[int, FloatArray]]:
        """Yield all rows in blocks of shape (rows, minutes), each with the number of its first row."""
        for begin, end in blocks_of(self.shape):
            yield begin, self.rows(begin, end)

    def count_nonzero(self) -> int:
        """Return how many values are not zero."""
        return sum(int(np.count_nonzero(block)) for _, block in self.blocks())

    def sum(self, axis: int | None = None) -> Any:  # noqa: ANN401 - as of an array: one number, or an array of sums
        """Return the sum of all values, of each minute (`axis` 0, shape (M,)) or of each row (1, shape (rows,)), Wh."""
        if axis is None:
            return self.rows(0, self.shape[0]).sum() if self.is_kept else self.sum(axis=1).sum()
        if axis == 1:
            sums = [block.sum(axis=1) for _, block in self.blocks()]
            return np.concatenate(sums) if sums else np.zeros(0)
        if self._by_minute is None:
            total = np.zeros(self.shape[1])
            for _, block in self.blocks():
                for row in block:  # in this order, whatever the size of a block: so the sum is the same
                    total += row
            total.setflags(write=False)
            self._by_minute = total
        return self._by_minute

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> FloatArray:  # noqa: ANN401 - whatever indexes an array
        """Return what an array would: a row, some rows, or values of some minutes of them."""
        rows, minutes = key if isinstance(key, tuple) else (key, slice(None))
        if isinstance(rows, slice):
            begin, end, step = rows.indices(self.shape[0])
            if step == 1:
                return self.rows(begin, max(begin, end))[:, minutes]
        elif isinstance(rows, SupportsIndex):
            row = range(self.shape[0])[rows]
            return np.asarray(self.rows(row, row + 1)[0][minutes], dtype=np.float64)
        return np.asarray(np.asarray(self)[key], dtype=np.float64)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> FloatArray:  # noqa: ANN401, FBT001 - NumPy's own
        """Return all values at once."""
        values = self.rows(0, self.shape[0])
        return np.array(values, dtype=dtype) if copy or dtype is not None else values

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:  # noqa: ANN401 - NumPy's own
        """Calculate with all values at once."""
        return getattr(ufunc, method)(*(np.asarray(i) if isinstance(i, MinuteTable) else i for i in inputs), **options)

    def tolist(self) -> list[list[float]]:
        """Return all values as lists."""
        return cast("list[list[float]]", np.asarray(self).tolist())


def blocks_of(shape: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield the blocks of rows, first and end, in which a table of this shape is computed."""
    rows, minutes = shape
    most = max(1, BLOCK_CELLS // max(1, minutes))
    return ((begin, min(begin + most, rows)) for begin in range(0, rows, most))
