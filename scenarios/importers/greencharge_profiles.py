"""Reads the profiles of GreenCharge's simulator: files of lines `UNIX-seconds cumulative-Wh`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from pathlib import Path

from agents import LoadProfile
from broker import first_few, plural
from scenarios.errors import Problem, ScenarioError
from scenarios.files import cap_problems, check_inside, lines_of, problems_of_series, read_text
from scenarios.zone import DAY_S

_FALLS_OF_A_COUNTER = 0.05
"""A counter's values fall in no more than this share of its rows."""


@dataclass(slots=True)
class EnergySeries:
    """A profile as its file has it."""

    times_s: tuple[int, ...]
    cumulative_wh: tuple[float, ...]

    @property
    def midnight_s(self) -> int:
        """Midnight (UTC) of the day on which it begins."""
        return self.times_s[0] // DAY_S * DAY_S

    def load_profile(self) -> LoadProfile:
        """Return it as a load profile that begins with its start."""
        first_s, first_wh = self.times_s[0], self.cumulative_wh[0]
        return LoadProfile(
            times_s=tuple(time_s - first_s for time_s in self.times_s),
            cumulative_wh=tuple(wh - first_wh for wh in self.cumulative_wh),
        )


@dataclass(slots=True)
class ProfileFiles:
    """The files of profiles, and those that the scenario takes."""

    folders: Sequence[Path]
    problems: list[Problem]
    notes: list[str]
    used: dict[str, LoadProfile] = field(default_factory=dict)
    _read: dict[str, EnergySeries | None] = field(default_factory=dict)

    def series(self, name: str) -> EnergySeries | None:
        """Return the content of a profile's file; None: it is missing, or has problems, which are reported."""
        if name not in self._read:
            self._read[name] = self._found(name)
        return self._read[name]

    def _found(self, name: str) -> EnergySeries | None:
        for folder in self.folders:
            path = folder / name
            if not name or Path(name).name != name or not path.is_file():
                continue
            try:
                check_inside(path, folder, str(path))
                return _read_series(path, self.notes)
            except ScenarioError as error:
                self.problems += error.problems
                return None
        return None


def _read_series(path: Path, notes: list[str]) -> EnergySeries:
    times_s: list[int] = []
    values: list[float] = []
    lines: list[int] = []
    problems: list[Problem] = []
    for number, text in enumerate(lines_of(read_text(path, str(path))), start=1):
        fields = [part for part in re.split(r"[\s,;]+", text.strip()) if part]
        if not fields:
            continue
        try:
            time_s, value = int(float(fields[0])), float(fields[1])
        except (ValueError, IndexError, OverflowError):
            what = f"'UNIX-seconds cumulative-Wh' is expected, not {text.strip()[:40]!r}"
            problems.append(Problem(f"{path}:{number}", what))
            continue
        lines.append(number)
        times_s.append(time_s)
        values.append(value)
    energies_wh = _cumulative(times_s, values, str(path), lines, notes)
    for index, what in problems_of_series(times_s, energies_wh, from_zero=False):
        problems.append(Problem(str(path) if index is None else f"{path}:{lines[index]}", what))
    if problems:
        raise ScenarioError(cap_problems(problems, str(path)))
    return EnergySeries(tuple(times_s), tuple(energies_wh))


def _cumulative(
    times_s: Sequence[int], values: Sequence[float], where: str, lines: Sequence[int], notes: list[str]
) -> list[float]:
    """Return values as cumulative Wh: those that fall often are W, and rare falls are resets of a counter."""
    falls = [i for i, (before, after) in enumerate(pairwise(values), start=1) if after < before]
    if not falls:
        return list(values)
    if len(falls) > len(values) * _FALLS_OF_A_COUNTER:
        fall = f"the values fall ({plural(len(falls), 'time')})"
        notes.append(f"{where}: {fall}, so they are taken as W and not as cumulative Wh")
        steps = [
            (after - before) * value / 3600 for (before, after), value in zip(pairwise(times_s), values, strict=False)
        ]
    else:
        shown = first_few(f"{where}:{lines[i]}" for i in falls)
        notes.append(f"the counter was reset; these steps count as 0 Wh: {shown}")
        steps = [max(0.0, after - before) for before, after in pairwise(values)]
    return list(accumulate(steps, initial=0.0))
