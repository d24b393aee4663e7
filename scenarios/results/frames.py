"""Results as pandas frames: `load_frames(file).contracts`, `.production`, `.consumption`, `.messages`, `.kpis`.

Tidy: one row per observation. Units are in the names of columns (`energy_wh`, `mean_delay_s`; `load_factor` has none);
moments (`start`, `minute`) are timestamps in the scenario's zone. Each frame contains all runs of the file,
distinguished by the column `run`.
"""

from __future__ import annotations

from datetime import tzinfo
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from scenarios.results.export import ExportTable, Kind, tables
from scenarios.results.files import named_results
from scenarios.results.reader import ResultsReader
from scenarios.scenario import Scenario

if TYPE_CHECKING:
    import pandas as pd

_TYPES: Final[dict[Kind, Any]] = {"text": "string", "int": "Int64", "float": "Float64"}


class ResultFrames:
    """The tables of a results file as frames, each read on first access; `load_frames` makes one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._reader() as results:
            self.info = results.info

    def __repr__(self) -> str:
        return f"ResultFrames({str(self.path)!r}: {self.info.scenario}, {self.info.algorithm})"

    @cached_property
    def scenario(self) -> Scenario:
        """The scenario that was run."""
        with self._reader() as results:
            return results.scenario

    @cached_property
    def runs(self) -> pd.DataFrame:
        """One row per run: seed, state, beginning and end, hash of its ledger, numbers of messages and negotiations."""
        return self._frame("runs")

    @cached_property
    def kpis(self) -> pd.DataFrame:
        """One row per run: every figure."""
        return self._frame("kpis")

    @cached_property
    def contracts(self) -> pd.DataFrame:
        """One row per contract, cancelled ones included: job, device, producer, window, start, energy."""
        return self._frame("contracts")

    @cached_property
    def history(self) -> pd.DataFrame:
        """One row for each event of a contract: agreed, amended, cancelled."""
        return self._frame("history")

    @cached_property
    def messages(self) -> pd.DataFrame:
        """One row per message between agents; `body` is JSON."""
        return self._frame("messages")

    @cached_property
    def production(self) -> pd.DataFrame:
        """One row for each producer and minute in which it gave or owed energy."""
        return self._frame("production")

    @cached_property
    def consumption(self) -> pd.DataFrame:
        """One row for each house and minute in which it drew energy, base load included."""
        return self._frame("consumption")

    @cached_property
    def base_loads(self) -> pd.DataFrame:
        """One row for each house and minute with base load: consumed, from the own roof, from other houses."""
        return self._frame("base_loads")

    @cached_property
    def share_minutes(self) -> pd.DataFrame:
        """One row for each standing contract, supplier and minute: promised and delivered energy; `grid` is one, too.

        What a producer could not deliver of its share is delivered by the grid: both columns add up to the job's draw.
        """
        return self._frame("share_minutes")

    @cached_property
    def bills(self) -> pd.DataFrame:
        """One row for each run and house: energies, the lines of the bill, the bill with and without, the saving."""
        return self._frame("bills")

    @cached_property
    def minutes(self) -> pd.DataFrame:
        """One row per minute: the whole neighbourhood's energy."""
        return self._frame("minutes")

    def _reader(self) -> ResultsReader:
        return ResultsReader(self.path)

    def _frame(self, name: str) -> pd.DataFrame:
        with self._reader() as results:
            table = next(table for table in tables(results) if table.name == name)
            return _frame_of(table, results.scenario.zone.tzinfo)


def load_frames(file: str | Path) -> ResultFrames:
    """Return the frames of a results file.

    Args:
        file: Its path, or `latest`, `latest~1`, ... for the newest ones in the folder `results`.

    Raises:
        ResultsError: It cannot be read.
    """
    return ResultFrames(named_results(str(file)))


def _frame_of(table: ExportTable, zone: tzinfo) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - takes half a second, and only frames need it

    frame = pd.DataFrame(list(table.rows()), columns=[column.name for column in table.columns], dtype=object)
    for column in table.columns:
        if column.kind == "instant":
            moments = pd.to_datetime(frame[column.name].astype("Int64"), unit="s", utc=True)
            frame[column.name] = moments.dt.as_unit("s").dt.tz_convert(zone)
        else:
            frame[column.name] = frame[column.name].astype(_TYPES[column.kind])
    return frame.rename(columns={c.name: c.name.removesuffix("_s") for c in table.columns if c.kind == "instant"})
