"""The forms of energy over time in a file, made into the series that agents know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TypeVar

from agents.energy import MAX_POINTS, LoadProfile, Production
from scenarios.errors import Problem, ScenarioError
from scenarios.files.findings import Findings, KeyPath
from scenarios.files.model import LoadProfileEntry, ProductionEntry
from scenarios.files.series_file import Rows, cap_problems, read_rows
from scenarios.files.times import MAX_TIME_S, parse_time

MAX_WH = 1e12
"""Of a series: far more than a neighbourhood has, and far from where floats lose what a minute needs."""
MAX_DURATION_S = 366 * 86_400
"""Of a load profile."""

_Series = TypeVar("_Series", LoadProfile, Production)


@dataclass(slots=True)
class SeriesReader:
    """Makes series of file entries; what is wrong goes to the findings, and None comes out."""

    findings: Findings
    folder: Path | None
    """That file names are relative to; None: there is none, files cannot be named."""
    start_s: int
    _files: dict[str, Rows | None] = field(default_factory=dict)

    def load_profile(self, entry: LoadProfileEntry, path: KeyPath) -> LoadProfile | None:
        """Return the load profile that an entry describes."""
        form = self._form(entry, path, ("step_s", "power_w"))
        if form == "points" and entry.points is not None:
            times_s, energies_wh = zip(*entry.points, strict=True) if entry.points else ((), ())
            return self._checked(LoadProfile, times_s, energies_wh, self._at_points(path))
        if form == "file" and entry.file is not None:
            return self._from_file(LoadProfile, entry.file, path)
        if form == "power_w" and entry.power_w is not None and entry.step_s is not None:
            return self._from_power(LoadProfile, 0, entry.step_s, entry.power_w, path)
        return None

    def production(self, entry: ProductionEntry, path: KeyPath) -> Production | None:
        """Return the production that an entry describes."""
        form = self._form(entry, path, ("start", "step_s", "power_w"))
        if form == "points" and entry.points is not None:
            times = [
                self.time((*path, "points", i, 0), time) if isinstance(time, str) else time
                for i, (time, _) in enumerate(entry.points)
            ]
            times_s = tuple(time_s for time_s in times if time_s is not None)
            if len(times_s) < len(times):
                return None
            return self._checked(Production, times_s, tuple(wh for _, wh in entry.points), self._at_points(path))
        if form == "file" and entry.file is not None:
            return self._from_file(Production, entry.file, path)
        if form == "power_w" and entry.power_w is not None and entry.step_s is not None and entry.start is not None:
            first_s = self.time((*path, "start"), entry.start)
            if first_s is not None:
                return self._from_power(Production, first_s, entry.step_s, entry.power_w, path)
        return None

    def time(self, path: KeyPath, value: int | str) -> int | None:
        """Return UNIX seconds; None after telling what is wrong."""
        try:
            return parse_time(value, self.start_s)
        except ValueError as error:
            self.findings.at(path, str(error))
            return None

    def _form(
        self, entry: LoadProfileEntry | ProductionEntry, path: KeyPath, power_keys: tuple[str, ...]
    ) -> str | None:
        """Return which of the three forms an entry has, if it is exactly one, and that complete."""
        given = {key for key in ("points", "file", *power_keys) if getattr(entry, key) is not None}
        forms: list[str] = [form for form in ("points", "file") if form in given]
        if given.intersection(power_keys):
            forms.append("power_w")
        if len(forms) != 1:
            choice = f"'points', 'file', or {' with '.join(repr(key) for key in reversed(power_keys))}"
            found = f"there are {' and '.join(map(repr, forms))}" if forms else "there is none"
            self.findings.at(path, f"exactly one is expected of {choice}; {found}")
            return None
        if forms == ["power_w"] and (missing := [key for key in power_keys if key not in given]):
            what = f"{' and '.join(map(repr, power_keys))} go together; {' and '.join(map(repr, missing))} is missing"
            self.findings.at(path, what)
            return None
        return forms[0]

    def _from_power(
        self, kind: type[_Series], first_s: int, step_s: int, power_w: Sequence[float], path: KeyPath
    ) -> _Series | None:
        times_s = tuple(range(first_s, first_s + step_s * len(power_w) + 1, step_s))
        energies_wh = tuple(accumulate((power * step_s / 3600 for power in power_w), initial=0.0))
        return self._checked(kind, times_s, energies_wh, lambda _, what: self.findings.at((*path, "power_w"), what))

    def _from_file(self, kind: type[_Series], name: str, path: KeyPath) -> _Series | None:
        if self.folder is None:
            self.findings.at((*path, "file"), "a file cannot be named here")
            return None
        where = str(self.folder / name)
        if name not in self._files:
            self._files[name] = None
            try:
                self._files[name] = read_rows(self.folder / name, where)
            except ScenarioError as error:
                self._in_file(path, error.problems)
        rows = self._files[name]
        if rows is None:
            return None
        problems = rows_problems(rows, where, kind)
        self._in_file(path, problems)
        return None if problems else kind(times_s=rows.times_s, cumulative_wh=rows.cumulative_wh)

    def _in_file(self, path: KeyPath, problems: Iterable[Problem]) -> None:
        """Tell what is wrong in a file, and where that is named."""
        named = (*path, "file")
        where, origin = self.findings.locate(named), self.findings.origin(named)
        self.findings.extend(Problem(f"{where}: {problem.where}", problem.what, origin) for problem in problems)

    def _at_points(self, path: KeyPath) -> Callable[[int | None, str], None]:
        def tell(index: int | None, what: str) -> None:
            place = (*path, "points") if index is None else (*path, "points", index)
            self.findings.at(place, what)

        return tell

    def _checked(
        self,
        kind: type[_Series],
        times_s: tuple[int, ...],
        energies_wh: tuple[float, ...],
        tell: Callable[[int | None, str], None],
    ) -> _Series | None:
        problems = series_problems(times_s, energies_wh, from_zero=kind is LoadProfile)
        for index, what in problems[:10]:
            tell(index, what)
        if len(problems) > 10:
            tell(None, f"and {len(problems) - 10} more problems")
        return None if problems else kind(times_s=times_s, cumulative_wh=energies_wh)


def rows_problems(rows: Rows, where: str, kind: type[LoadProfile | Production]) -> list[Problem]:
    """Return what is wrong with a file's series, each problem with its line."""
    problems = series_problems(rows.times_s, rows.cumulative_wh, from_zero=kind is LoadProfile)
    return cap_problems(
        [Problem(where if index is None else f"{where}:{rows.lines[index]}", what) for index, what in problems],
        where,
    )


def series_problems(
    times_s: tuple[int, ...], energies_wh: tuple[float, ...], *, from_zero: bool
) -> list[tuple[int | None, str]]:
    """Return what is wrong with a cumulative series: index of the point (None: the whole) and what."""
    if len(times_s) < 2:
        count = "is one" if times_s else "are none"
        return [(None, f"at least two points are needed, there {count}")]
    if len(times_s) > MAX_POINTS:
        return [(None, f"at most {MAX_POINTS} points are possible, there are {len(times_s)}")]
    problems: list[tuple[int | None, str]] = []
    if from_zero and times_s[0] != 0:
        problems.append((0, f"the first point of a load profile is at 0 s, not at {times_s[0]} s"))
    for i, (before_s, after_s) in enumerate(pairwise(times_s), start=1):
        if after_s <= before_s:
            problems.append((i, f"the time {after_s} does not come after {before_s}; times have to rise"))
    for i, (before_wh, after_wh) in enumerate(pairwise(energies_wh), start=1):
        if after_wh < before_wh:
            problems.append((i, f"{after_wh:g} Wh is less than {before_wh:g} Wh before; cumulative energy cannot fall"))
    problems += [
        (i, f"{wh:g} Wh is out of range; at most {MAX_WH:g} are possible")
        for i, wh in enumerate(energies_wh)
        if not abs(wh) <= MAX_WH
    ]
    if from_zero and times_s[-1] > MAX_DURATION_S:
        problems.append((len(times_s) - 1, f"a load profile lasts at most {MAX_DURATION_S} s, not {times_s[-1]} s"))
    if not 0 <= times_s[0] <= times_s[-1] <= MAX_TIME_S and not problems:
        problems.append((None, "times are expected between the years 1970 and 9999"))
    return problems
