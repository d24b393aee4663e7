"""Reads energy series in their forms within a file (points, file, power steps) and checks them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TypeVar, cast
from zoneinfo import ZoneInfo

import numpy as np

from agents import CumulativeSeries, LoadProfile, Production
from scenarios.errors import Problem, ScenarioError
from scenarios.files.entries import BaseLoadEntry, ColumnsEntry, ProductionEntry
from scenarios.files.file_reading import check_inside, lines_of, read_text
from scenarios.files.model import LoadProfileEntry
from scenarios.files.problems import UNKNOWN, KeyPath, ProblemCollector
from scenarios.files.series.measured import MeasuredFormat, is_measured, read_measured, read_prices, zone_of
from scenarios.files.series.tables import is_number, read_table
from scenarios.files.times import MAX_TIME_S, counts_from_start, parse_time

MAX_PROBLEMS = 10
"""Problems reported per file; the rest are counted."""

_SPACE = re.compile(r"\s+")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?(?:nan|inf(?:inity)?)", re.IGNORECASE)
"""What a number looks like; Python would also accept `6_0` and digits of other scripts."""
_PLAIN = re.compile(r"(?:[ \t]*+[0-9.eE+-]++(?:[ \t]*+[,;][ \t]*+|[ \t]++)[0-9.eE+-]++[ \t]*+(?:[\r\n]++|\Z))++")
"""Lines of two plain numbers. Next to a semicolon a comma would be a decimal comma, which is not plain."""
_BETWEEN = re.compile(r"[,;]")


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """A line with two columns; values that could not be read are None and have been reported."""

    line: int
    """Its number in the file, from 1."""
    time_s: int | None
    cumulative_wh: float | None


def read_columns(text: str) -> tuple[tuple[int, ...], tuple[float, ...]] | None:
    """Return times and energies of a text in the plain form that programs write, in one pass.

    None if any line is not two plain numbers separated by spaces, a comma or a semicolon; `read_rows` handles other
    forms and reports problems.
    """
    if not _PLAIN.fullmatch(text):
        return None
    values = _BETWEEN.sub(" ", text).split()
    try:
        times, energies_wh = [float(value) for value in values[::2]], tuple(float(value) for value in values[1::2])
    except ValueError:
        return None
    if not all(time.is_integer() for time in times) or not all(map(math.isfinite, energies_wh)):
        return None
    return tuple(int(time) for time in times), energies_wh


def read_rows(text: str, where: str, *, quotes: bool = True) -> tuple[list[SeriesRow], list[Problem]]:
    """Return the rows of a text file and the problems of single values; order and sign are not checked here.

    Columns are separated by spaces, `,` or `;`; blank lines are ignored.

    Args:
        text: The file's content.
        where: Its name, for messages.
        quotes: Whether problems quote the content.

    Raises:
        ScenarioError: There are no rows.
    """
    rows: list[SeriesRow] = []
    problems: list[Problem] = []
    for number, line in enumerate(lines_of(text), start=1):
        row = line.strip()
        if not row:
            continue
        columns = _columns(row)
        if len(columns) != 2:
            count = "is 1" if len(columns) == 1 else f"are {len(columns)}"
            what = f"two columns are expected (seconds, cumulative Wh), there {count}"
            what += f": {_short(row)}" if quotes else ""
            problems.append(Problem(f"{where}:{number}", what))
            rows.append(SeriesRow(number, None, None))
            continue
        values: list[float | None] = []
        for parse, column in zip((_whole, _number), columns, strict=True):
            try:
                values.append(parse(column))
            except ValueError as error:
                what = str(error) if quotes else "a number is expected"
                problems.append(Problem(f"{where}:{number}", what))
                values.append(None)
        time_s, wh = values
        rows.append(SeriesRow(number, None if time_s is None else int(time_s), wh))
    if not rows:
        raise ScenarioError([Problem(where, "is empty; lines of 'seconds Wh' are expected")])
    return rows, problems


def cap_problems(problems: list[Problem], where: str) -> list[Problem]:
    """Return the first problems, and the number of the others as one more problem."""
    if len(problems) <= MAX_PROBLEMS:
        return problems
    return [*problems[:MAX_PROBLEMS], Problem(where, f"and {len(problems) - MAX_PROBLEMS} more problems")]


def _columns(row: str) -> list[str]:
    if ";" in row:
        # In a line with semicolons, a comma is a decimal comma.
        columns = row.replace(",", ".").split(";")
    elif "," in row:
        columns = row.split(",")
    else:
        columns = _SPACE.split(row)
    return [column.strip() for column in columns]


def _whole(text: str) -> float:
    number = _number(text)
    if not number.is_integer():
        raise ValueError(f"whole seconds are expected, not {_short(text)}")
    return number


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"a number is expected, not {_short(text)}")
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"a finite number is expected, not {_short(text)}")
    return number


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


MAX_WH = 1e12
"""Limit of a series' energy: far more than a neighbourhood has, and small enough for full precision within a minute."""
MAX_DURATION_S = 366 * 86_400
"""Limit of a load profile's duration."""

MAX_TOLD = 10
"""Problems reported per series; the rest are counted."""

_Series = TypeVar("_Series", LoadProfile, Production)
_Number = TypeVar("_Number", int, float)


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
            choice = f"{', '.join(map(repr, whole))}, or {' with '.join(repr(key) for key in reversed(power_keys))}"
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
        return self._checked(kind, times_s, energies_wh, lambda _, what: self.collector.at((*path, "power_w"), what))

    def _from_any_file(
        self, kind: type[_Series], entry: LoadProfileEntry | ProductionEntry, name: str, path: KeyPath
    ) -> _Series | None:
        """Return the series in a file: lines of 'seconds Wh', or a table of measurements."""
        columns = entry.columns or ColumnsEntry()
        wanted = MeasuredFormat(columns.time, columns.value, entry.unit, entry.reading, entry.zone)
        if name == UNKNOWN:
            if wanted.zone not in (None, UNKNOWN):
                self._report_zone(wanted.zone, path)
            return None
        if wanted == MeasuredFormat() and not (is_measured(name) and self._is_table(name, kind)):
            return self._from_file(kind, name, path)
        if wanted.zone is None and self.zone is not None:
            wanted = replace(wanted, zone=self.zone.key)
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
        self, name: str, columns: ColumnsEntry, unit: str | None, zone: str | None, path: KeyPath
    ) -> tuple[tuple[int, ...], tuple[float, ...]] | None:
        """Return times (UNIX seconds) and prices (EUR/kWh) of the table `name`; None after reporting its problems.

        The keys `columns`, `unit` and `zone` of the entry at `path` describe the table.
        """
        return self._of_table(
            name, path, lambda file: read_prices(file, str(file), columns.time, columns.value, unit, zone)
        )

    def _measured(self, kind: type[_Series], name: str, wanted: MeasuredFormat, path: KeyPath) -> _Series | None:
        """Return the series in a table; each is read, and its problems are reported, once."""
        key = (kind, name, wanted)
        if key not in self._tables:
            self._tables[key] = self._measured_once(kind, name, wanted, path)
        return cast("_Series | None", self._tables[key])

    def _measured_once(self, kind: type[_Series], name: str, wanted: MeasuredFormat, path: KeyPath) -> _Series | None:
        is_run = kind is LoadProfile

        def read(file: Path) -> tuple[tuple[int, ...], tuple[float, ...], tuple[str, ...]]:
            found = read_measured(file, str(file), wanted, is_run=is_run)
            return found.times_s, found.cumulative_wh, found.notes

        found = self._of_table(name, path, read)
        if found is None or self.folder is None:
            return None
        times_s = tuple(time_s - found[0][0] for time_s in found[0]) if is_run else found[0]
        problems = series_problems(times_s, found[1], from_zero=is_run)
        if problems:
            self._in_file(path, [Problem(str(self.folder / name), what) for _, what in problems[:MAX_TOLD]])
            return None
        return kind(times_s=times_s, cumulative_wh=found[1])

    def _of_table(
        self,
        name: str,
        path: KeyPath,
        read: Callable[[Path], tuple[tuple[int, ...], tuple[float, ...], tuple[str, ...]]],
    ) -> tuple[tuple[int, ...], tuple[float, ...]] | None:
        """Return times and values of a table; its notes are kept, and None is returned after reporting its problems."""
        if self.folder is None:
            self.collector.at((*path, "file"), "a file cannot be referred to here")
            return None
        is_outside = False
        try:
            is_outside = self._is_outside(self.folder, name)
            times_s, values, found_notes = read(self.folder / name)
        except ScenarioError as error:
            what = "cannot be read as measurements; the content of a file outside the scenario's folder is not shown"
            hidden = [Problem(str(self.folder / name), what)]
            self._in_file(path, hidden if is_outside else error.problems)
            return None
        notes = () if is_outside else found_notes
        self.collector.notes += [note for note in notes if note not in self.collector.notes]
        return times_s, values

    def _tell_of_file_keys(self, entry: LoadProfileEntry | ProductionEntry, path: KeyPath) -> None:
        """Report keys that describe a file if there is no file."""
        for key in ("columns", "unit", "reading", "zone"):
            if getattr(entry, key) is not None:
                self.collector.at((*path, key), "describes a table of measurements; only valid with 'file'")

    def _in_file(self, path: KeyPath, problems: Iterable[Problem]) -> None:
        """Report problems within a file at the key that refers to it."""
        named = (*path, "file")
        where, origin = self.collector.locate(named), self.collector.origin(named)
        self.collector.extend(Problem(f"{where}: {problem.where}", problem.what, origin) for problem in problems)

    def _at_points(self, path: KeyPath) -> Callable[[int | None, str], None]:
        def tell(index: int | None, what: str) -> None:
            place = (*path, "points") if index is None else (*path, "points", index)
            self.collector.at(place, what)

        return tell

    def _checked(
        self,
        kind: type[_Series],
        times_s: Sequence[int | None],
        energies_wh: Sequence[float],
        tell: Callable[[int | None, str], None],
    ) -> _Series | None:
        problems = series_problems(times_s, energies_wh, from_zero=kind is LoadProfile)
        for index, what in problems[:MAX_TOLD]:
            tell(index, what)
        if len(problems) > MAX_TOLD:
            tell(None, f"and {len(problems) - MAX_TOLD} more problems")
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


def read_referred(folder: Path, name: str, kind: type[_Series], *, allow_outside: bool = False) -> _Series:
    """Return the series in a file that a scenario refers to.

    Args:
        folder: The scenario's folder.
        name: The file's name in the scenario, relative to the folder.
        kind: Type of the series.
        allow_outside: Whether it may lie outside the folder. No problem quotes the content of such a file.

    Raises:
        ScenarioError: It lies outside, or cannot be used; carries all problems, each with its line.
    """
    path = folder / name
    where = str(path)
    try:
        check_inside(path, folder, where)
    except ScenarioError:
        if not allow_outside:
            raise
        return read_series(path, where, kind, quotes=False)
    return read_series(path, where, kind)


def read_series(path: Path, where: str, kind: type[_Series], *, quotes: bool = True) -> _Series:
    """Return the series in a text file.

    Args:
        path: The file; see `read_rows` for its format.
        where: Its name, for messages.
        kind: Type of the series; a load profile begins at 0 s.
        quotes: Whether problems quote the content.

    Raises:
        ScenarioError: It cannot be used; carries all problems, each with its line.
    """
    times_s, energies_wh = read_points(path, where, from_zero=kind is LoadProfile, quotes=quotes)
    return kind(times_s=times_s, cumulative_wh=energies_wh)


def read_points(
    path: Path,
    where: str,
    *,
    from_zero: bool,
    fewest: Callable[[int | None], int] = lambda _: 2,
    quotes: bool = True,
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return times (seconds) and cumulative energies (Wh) of a text file.

    Args:
        path: The file.
        where: Its name, for messages.
        from_zero: Whether the first time has to be 0 s.
        fewest: Returns the number of points needed, given the first time.
        quotes: Whether problems quote the content.

    Raises:
        ScenarioError: See `read_series`.
    """
    text = read_text(path, where)
    columns = read_columns(text)
    if columns is not None and len(columns[0]) >= fewest(columns[0][0]) and _is_sound(*columns, from_zero=from_zero):
        return columns
    rows, unreadable = read_rows(text, where, quotes=quotes)
    times_s, energies_wh = [row.time_s for row in rows], [row.cumulative_wh for row in rows]
    found = [(int(problem.where.rpartition(":")[2]), problem) for problem in unreadable]
    for index, what in series_problems(times_s, energies_wh, from_zero=from_zero, fewest=fewest(times_s[0])):
        line = 0 if index is None else rows[index].line
        found.append((line, Problem(f"{where}:{line}" if line else where, what)))
    if found:
        raise ScenarioError(cap_problems([problem for _, problem in sorted(found, key=lambda one: one[0])], where))
    return known(times_s), known(energies_wh)


def known(values: Iterable[_Number | None]) -> tuple[_Number, ...]:
    """Return the values that could be read."""
    return tuple(value for value in values if value is not None)


def series_problems(
    times_s: Sequence[int | None], energies_wh: Sequence[float | None], *, from_zero: bool, fewest: int = 2
) -> list[tuple[int | None, str]]:
    """Return the problems of a cumulative series: index of the point (None: the series as a whole) and text.

    Args:
        times_s: Time of each point, seconds; None if it could not be read, which has been reported already.
        energies_wh: Cumulative energy of each point, Wh; None if it could not be read.
        from_zero: Whether the first time has to be 0 s, as in a load profile.
        fewest: Number of points needed.
    """
    if len(times_s) < fewest:
        return [(None, f"at least two points are needed, found {'one' if times_s else 'none'}")]
    if _is_sound(times_s, energies_wh, from_zero=from_zero):
        return []
    problems: list[tuple[int | None, str]] = []
    if from_zero and times_s[0] is not None and times_s[0] != 0:
        problems.append((0, f"the first point of a load profile is at 0 s, not at {times_s[0]} s"))
    for i, before_s, after_s in _steps(times_s):
        if after_s <= before_s:
            problems.append((i, f"the time {after_s} is not after {before_s}; times must increase"))
    for i, before_wh, after_wh in _steps(energies_wh):
        if after_wh < before_wh:
            problems.append(
                (i, f"{after_wh:g} Wh is less than {before_wh:g} Wh before; cumulative energy must not decrease")
            )
    problems += [
        (i, f"{wh:g} Wh is out of range; at most {MAX_WH:g} are possible")
        for i, wh in enumerate(energies_wh)
        if wh is not None and not abs(wh) <= MAX_WH
    ]
    last_s = times_s[-1]
    if from_zero and last_s is not None and last_s > MAX_DURATION_S:
        problems.append((len(times_s) - 1, f"a load profile lasts at most {MAX_DURATION_S} s, not {last_s} s"))
    if not problems and not all(0 <= time_s <= MAX_TIME_S for time_s in known(times_s)):
        problems.append((None, "times are expected between the years 1970 and 9999"))
    return problems


def _is_sound(times_s: Sequence[int | None], energies_wh: Sequence[float | None], *, from_zero: bool) -> bool:
    """Return whether there is no problem, vectorised: a year of minutes has half a million points."""
    if len(times_s) < 2 or None in times_s or None in energies_wh:
        return False
    try:
        times, energies = np.array(times_s, dtype=np.int64), np.array(energies_wh, dtype=np.float64)
    except OverflowError:  # a whole number can be of any size
        return False
    last_s = MAX_DURATION_S if from_zero else MAX_TIME_S
    return bool(
        len(times) == len(energies)
        and (times[0] == 0 if from_zero else times[0] >= 0)
        and times[-1] <= last_s
        and (times[1:] > times[:-1]).all()
        and (energies[1:] >= energies[:-1]).all()
        and (np.abs(energies) <= MAX_WH).all()
    )


def _steps(values: Sequence[_Number | None]) -> Iterator[tuple[int, _Number, _Number]]:
    """Yield, for each known value but the first: its index, the known value before it, and itself."""
    places = [(i, value) for i, value in enumerate(values) if value is not None]
    for (_, before), (i, after) in pairwise(places):
        yield i, before, after
