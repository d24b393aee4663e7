"""Converts the series of a scenario file to energy: points, power steps, and files of either kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import TypeVar, cast
from zoneinfo import ZoneInfo

from agents import CumulativeSeries, LoadProfile, Production
from scenarios.errors import Problem, ScenarioError
from scenarios.files.entries import KEYS_OF_TABLE, BaseLoadEntry, ColumnsEntry, ProductionEntry
from scenarios.files.file_reading import check_inside, read_text
from scenarios.files.model import LoadProfileEntry
from scenarios.files.problems import UNKNOWN, KeyPath, ProblemCollector
from scenarios.files.series.energy_lines import read_columns, read_referred
from scenarios.files.series.measured_series import (
    MeasuredFormat,
    MeasuredSeries,
    is_measured,
    read_measured,
)
from scenarios.files.series.price_tables import PriceTable, read_prices
from scenarios.files.series.series_problems import and_more, cap_problems, known, problems_of_series
from scenarios.files.series.table_columns import Labels
from scenarios.files.series.table_times import zone_of
from scenarios.files.series.tables import is_number, read_table
from scenarios.files.times import counts_from_start, parse_time

MAX_TOLD = 10
"""Problems reported per series; the rest are counted."""

_Series = TypeVar("_Series", LoadProfile, Production)
_Table = TypeVar("_Table", MeasuredSeries, PriceTable)


@dataclass(slots=True)
class SeriesReader:
    """Converts file entries to series; problems go to the collector, and the result is then None."""

    collector: ProblemCollector
    folder: Path | None
    """Folder that file names are relative to; None: files cannot be referred to."""
    start_s: int | None
    """Start of the run, UNIX seconds; None: it could not be read."""
    zone: ZoneInfo | None = None
    """The scenario's IANA time zone; None: times have offsets."""
    allow_outside: bool = False
    """Whether a file may lie outside the folder."""
    _files: dict[tuple[str, type[LoadProfile | Production]], LoadProfile | Production | None] = field(
        default_factory=dict
    )
    _tables: dict[tuple[type[LoadProfile | Production], str, MeasuredFormat], LoadProfile | Production | None] = field(
        default_factory=dict
    )
    _base_loads: dict[str, CumulativeSeries] = field(default_factory=dict)
    _outside: dict[str, bool] = field(default_factory=dict)

    def load_profile(self, entry: LoadProfileEntry, path: KeyPath) -> LoadProfile | None:
        """Return the load profile that an entry describes; None after reporting its problems."""
        form = self._form(entry, path, ("step_s", "power_w"))
        if form != "file":
            self._tell_of_file_keys(entry, path)
        if form == "points" and entry.points is not None:
            times_s, energies_wh = zip(*entry.points, strict=True) if entry.points else ((), ())
            return self._checked(LoadProfile, times_s, energies_wh, self._at_points(path))
        if form == "file" and entry.file is not None:
            return self._from_any_file(LoadProfile, entry, entry.file, path)
        if form == "power_w" and entry.power_w is not None and entry.step_s is not None:
            return self._from_power(LoadProfile, 0, entry.step_s, entry.power_w, path)
        return None

    def production(self, entry: ProductionEntry, path: KeyPath) -> Production | None:
        """Return the production that an entry describes; None after reporting its problems."""
        form = self._form(entry, path, ("start", "step_s", "power_w"))
        if form != "file":
            self._tell_of_file_keys(entry, path)
        if form == "points" and entry.points is not None:
            times_s = tuple(
                self.time((*path, "points", i, 0), time) if isinstance(time, str) else time
                for i, (time, _) in enumerate(entry.points)
            )
            return self._checked(Production, times_s, tuple(wh for _, wh in entry.points), self._at_points(path))
        if form == "file" and entry.file is not None:
            return self._from_any_file(Production, entry, entry.file, path)
        if form == "power_w" and entry.power_w is not None and entry.step_s is not None and entry.start is not None:
            first_s = self.time((*path, "start"), entry.start)
            if first_s is not None:
                return self._from_power(Production, first_s, entry.step_s, entry.power_w, path)
        return None

    def base_load(self, entry: BaseLoadEntry, path: KeyPath) -> CumulativeSeries | None:
        """Return the base load that an entry describes; None after reporting its problems."""
        if entry.constant_w is None:
            found = self.production(entry, path)
            if found is None:
                return None
            # Many houses may have the same one.
            return self._base_loads.setdefault(found.digest, CumulativeSeries(**found.model_dump()))
        if self._form(entry, path, ("start", "step_s", "power_w")) is None:
            return None
        self._tell_of_file_keys(entry, path)
        return None if self.start_s is None else constant_series(self.start_s, entry.constant_w)

    def time(self, path: KeyPath, value: int | str) -> int | None:
        """Return a time in UNIX seconds; None after reporting a problem, or where one has been reported already."""
        if value == UNKNOWN or (self.start_s is None and counts_from_start(value)):
            return None
        try:
            return parse_time(value, self.start_s, self.zone)
        except ValueError as error:
            self.collector.at(path, str(error))
            return None

    def _form(
        self, entry: LoadProfileEntry | ProductionEntry, path: KeyPath, power_keys: tuple[str, ...]
    ) -> str | None:
        """Return which of the three forms an entry has; None after reporting if it is not exactly one, and complete."""
        whole = ("constant_w", "points", "file") if isinstance(entry, BaseLoadEntry) else ("points", "file")
        given = {key for key in (*whole, *power_keys) if getattr(entry, key) is not None}
        forms: list[str] = [form for form in whole if form in given]
        if given.intersection(power_keys):
            forms.append("power_w")
        if len(forms) != 1:
            choice = f"{', '.join(map(repr, whole))}, or 'power_w' with {' and '.join(map(repr, power_keys[:-1]))}"
            if given.intersection(power_keys) and "power_w" not in given:
                forms[-1:] = [key for key in power_keys if key in given]
            found = " and ".join(map(repr, forms)) or "none"
            self.collector.at(path, f"exactly one of {choice} is expected; found {found}")
            return None
        if forms == ["power_w"] and (missing := [key for key in power_keys if key not in given]):
            lost = f"{' and '.join(map(repr, missing))} {'is' if len(missing) == 1 else 'are'} missing"
            what = f"{' and '.join(map(repr, power_keys))} go together; {lost}"
            self.collector.at(path, what)
            return None
        return forms[0]

    def _from_power(
        self, kind: type[_Series], first_s: int, step_s: int, power_w: Sequence[float], path: KeyPath
    ) -> _Series | None:
        times_s = tuple(range(first_s, first_s + step_s * len(power_w) + 1, step_s))
        energies_wh = tuple(accumulate((power * step_s / 3600 for power in power_w), initial=0.0))
        return self._checked(
            kind, times_s, energies_wh, lambda _, what, count: self.collector.at((*path, "power_w"), what, count)
        )

    def _from_any_file(
        self, kind: type[_Series], entry: LoadProfileEntry | ProductionEntry, name: str, path: KeyPath
    ) -> _Series | None:
        """Return the series in a file: lines of 'seconds Wh', or a table of measurements."""
        columns = entry.columns or ColumnsEntry()
        wanted = MeasuredFormat(columns.time, columns.value, entry.unit, entry.reading, entry.zone, entry.labels)
        if name == UNKNOWN:
            if wanted.zone not in (None, UNKNOWN):
                self._report_zone(wanted.zone, path)
            return None
        if wanted == MeasuredFormat() and not (is_measured(name) and self._is_table(name, kind)):
            return self._from_file(kind, name, path)
        return self._measured(kind, name, wanted, path)

    def _report_zone(self, name: str, path: KeyPath) -> None:
        try:
            zone_of(name, self.collector.locate((*path, "zone")))
        except ScenarioError as error:
            self.collector.at((*path, "zone"), next(iter(error.problems)).what)

    def _from_file(self, kind: type[_Series], name: str, path: KeyPath) -> _Series | None:
        if self.folder is None:
            self.collector.at((*path, "file"), "a file cannot be referred to here")
            return None
        key = (name, kind)
        if key not in self._files:
            self._files[key] = None
            try:
                self._files[key] = read_referred(self.folder, name, kind, allow_outside=self.allow_outside)
            except ScenarioError as error:
                self._in_file(path, error.problems)
        return cast("_Series | None", self._files[key])

    def _is_plain(self, name: str) -> bool:
        """Return whether a file is in the form that needs no description: 'UNIX-seconds Wh' a line."""
        if self.folder is None or name.lower().endswith((".gz", ".parquet")):
            return False
        try:
            self._is_outside(self.folder, name)
            return read_columns(read_text(self.folder / name, name)) is not None
        except ScenarioError:
            return False

    def _is_table(self, name: str, kind: type[LoadProfile | Production]) -> bool:
        """Return whether a file is not a list of 'seconds Wh', but a table with a header.

        A load profile counts as such a list, mistakes included, unless its table has a header or times of the clock.
        """
        if self._is_plain(name):
            return False
        if kind is Production or self.folder is None or name.lower().endswith((".gz", ".parquet")):
            return True
        try:
            self._is_outside(self.folder, name)
            table = read_table(self.folder / name, name)
        except ScenarioError:
            return False
        has_two_numbers = len(table.columns) == 2 and all(is_number(cell) for cell in table.rows[0][1])
        if not has_two_numbers:
            return table.has_header or not any(is_number(cell) for cell in table.rows[0][1][:1])
        try:
            return table.has_header and bool(read_measured(self.folder / name, name, MeasuredFormat(), is_run=True))
        except ScenarioError:
            return False

    def _is_outside(self, folder: Path, name: str) -> bool:
        """Return whether a file lies outside the scenario's folder, where that is allowed.

        Raises:
            ScenarioError: It is not allowed.
        """
        if name not in self._outside:
            try:
                check_inside(folder / name, folder, str(folder / name))
            except ScenarioError:
                if not self.allow_outside:
                    raise
                self._outside[name] = True
            else:
                self._outside[name] = False
        return self._outside[name]

    def prices(
        self,
        name: str,
        columns: ColumnsEntry,
        unit: str | None,
        zone: str | None,
        labels: Labels | None,
        path: KeyPath,
    ) -> PriceTable | None:
        """Return the prices in the table `name`; None after reporting its problems.

        The keys `columns`, `unit`, `zone` and `labels` of the entry at `path` describe the table.
        """
        return self._of_table(
            name,
            path,
            lambda file: read_prices(
                file,
                str(file),
                columns.time,
                columns.value,
                unit,
                zone,
                labels,
                scenario_zone=None if self.zone is None else self.zone.key,
            ),
        )

    def _measured(self, kind: type[_Series], name: str, wanted: MeasuredFormat, path: KeyPath) -> _Series | None:
        """Return the series in a table; each is read, and its problems are reported, once."""
        key = (kind, name, wanted)
        if key not in self._tables:
            self._tables[key] = self._measured_once(kind, name, wanted, path)
        return cast("_Series | None", self._tables[key])

    def _measured_once(self, kind: type[_Series], name: str, wanted: MeasuredFormat, path: KeyPath) -> _Series | None:
        is_run = kind is LoadProfile
        zone = None if self.zone is None else self.zone.key
        found = self._of_table(
            name, path, lambda file: read_measured(file, str(file), wanted, is_run=is_run, scenario_zone=zone)
        )
        if found is None or self.folder is None:
            return None
        times_s = tuple(time_s - found.times_s[0] for time_s in found.times_s) if is_run else found.times_s
        problems = problems_of_series(times_s, found.cumulative_wh, from_zero=is_run)
        if problems:
            where = str(self.folder / name)
            self._in_file(path, cap_problems([Problem(where, what) for _, what in problems], where))
            return None
        return kind(times_s=times_s, cumulative_wh=found.cumulative_wh)

    def _of_table(self, name: str, path: KeyPath, read: Callable[[Path], _Table]) -> _Table | None:
        """Return what a table holds, and keep its notes; None after reporting its problems."""
        if self.folder is None:
            self.collector.at((*path, "file"), "a file cannot be referred to here")
            return None
        is_outside = False
        try:
            is_outside = self._is_outside(self.folder, name)
            found = read(self.folder / name)
        except ScenarioError as error:
            what = "cannot be read as measurements; the content of a file outside the scenario's folder is not shown"
            hidden = [Problem(str(self.folder / name), what)]
            self._in_file(path, hidden if is_outside else error.problems)
            return None
        if not is_outside:
            self.collector.notes += [note for note in found.notes if note not in self.collector.notes]
        return found

    def _tell_of_file_keys(self, entry: LoadProfileEntry | ProductionEntry, path: KeyPath) -> None:
        """Report keys that describe a file if there is no file."""
        for key in KEYS_OF_TABLE:
            if getattr(entry, key) is not None:
                self.collector.at((*path, key), "describes a table of measurements; only valid with 'file'")

    def _in_file(self, path: KeyPath, problems: Iterable[Problem]) -> None:
        """Report problems within a file at the key that refers to it."""
        named = (*path, "file")
        where, origin = self.collector.locate(named), self.collector.origin(named)
        self.collector.extend(replace(problem, where=f"{where}: {problem.where}", path=origin) for problem in problems)

    def _at_points(self, path: KeyPath) -> Callable[[int | None, str, int], None]:
        def tell(index: int | None, what: str, count: int) -> None:
            place = (*path, "points") if index is None else (*path, "points", index)
            self.collector.at(place, what, count)

        return tell

    def _checked(
        self,
        kind: type[_Series],
        times_s: Sequence[int | None],
        energies_wh: Sequence[float],
        tell: Callable[[int | None, str, int], None],
    ) -> _Series | None:
        problems = problems_of_series(times_s, energies_wh, from_zero=kind is LoadProfile)
        for index, what in problems[:MAX_TOLD]:
            tell(index, what, 1)
        if (more := len(problems) - MAX_TOLD) > 0:
            tell(None, and_more(more), more)
        return None if problems or None in times_s else kind(times_s=known(times_s), cumulative_wh=tuple(energies_wh))


CONSTANT_S = 3700 * 86_400
"""How long a constant load lasts from the start of a run on, seconds: longer than any run."""


def constant_series(start_s: int, power_w: float) -> CumulativeSeries:
    """Return a constant power from the start of a run on, until after the end of any run."""
    times_s = (start_s, start_s + CONSTANT_S)
    return CumulativeSeries(times_s=times_s, cumulative_wh=(0.0, power_w * CONSTANT_S / 3600))


def constant_w(series: CumulativeSeries, start_s: int) -> float | None:
    """Return the power of a series from `constant_series`, W; None if it is another one."""
    if series.times_s != (start_s, start_s + CONSTANT_S):
        return None
    power_w = series.energy_wh * 3600 / CONSTANT_S
    # As it was written: the product of the other direction decides, rounding of this one does not.
    return next((near for near in (round(power_w, 9), power_w) if constant_series(start_s, near) == series), None)
