"""A sweep as pandas frames: `load_sweep(file).runs`, `.points`, `.summary`, `.pairwise`."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from scenarios.results import named_results
from scenarios.sweep.export import tables
from scenarios.sweep.results_file import read_sweep

if TYPE_CHECKING:
    import pandas as pd


class SweepFrames:
    """The tables of a sweep as frames, without wall times; `load_sweep` makes one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        results = read_sweep(path)
        self.info = results.info
        self.is_complete = results.is_complete
        self._tables = tables(results)

    def __repr__(self) -> str:
        done = f"{len(self._tables['runs'][1])} of {self.info.planned} runs"
        return f"SweepFrames({str(self.path)!r}: {self.info.scenario}, {done})"

    @cached_property
    def points(self) -> pd.DataFrame:
        """One row per combination of values: `point`, numbered from 1, its label, a column for each varied key."""
        import pandas as pd  # noqa: PLC0415 - takes half a second, and only frames need it

        rows = [
            (number, label, *values)
            for number, (label, values) in enumerate(zip(self.info.points, self.info.values, strict=True), start=1)
        ]
        return pd.DataFrame(rows, columns=["point", "label", *self.info.keys]).convert_dtypes()

    @cached_property
    def runs(self) -> pd.DataFrame:
        """One row per run: its point, a column for each varied key, seed, state, every figure, hash of its ledger."""
        return self._frame("runs")

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One row per point and figure: mean, standard deviation, 95 % interval of the mean, minimum, maximum."""
        return self._frame("summary")

    @cached_property
    def pairwise(self) -> pd.DataFrame:
        """One row per pair of points and figure: mean difference on the same seeds, and its 95 % interval."""
        return self._frame("pairwise")

    def _frame(self, name: str) -> pd.DataFrame:
        import pandas as pd  # noqa: PLC0415 - as above

        columns, rows = self._tables[name]
        return pd.DataFrame(rows, columns=list(columns)).convert_dtypes()


def load_sweep(file: str | Path) -> SweepFrames:
    """Return the frames of a sweep's results file, finished or not.

    Args:
        file: Its path.

    Raises:
        ResultsError: It cannot be read, or holds no sweep.
    """
    return SweepFrames(named_results(str(file)))
