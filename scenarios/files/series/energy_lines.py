"""Reads text files of lines 'seconds cumulative-Wh', the form in which programs write a series."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from agents import LoadProfile, Production
from scenarios.errors import Problem, ScenarioError
from scenarios.files.file_reading import check_inside, lines_of, read_text, structured_form
from scenarios.files.series.series_problems import cap_problems, is_sound, known, problems_of_series

_SPACE = re.compile(r"\s+")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?(?:nan|inf(?:inity)?)", re.IGNORECASE)
"""What a number looks like; Python would also accept `6_0` and digits of other scripts."""
_PLAIN = re.compile(r"(?:[ \t]*+[0-9.eE+-]++(?:[ \t]*+[,;][ \t]*+|[ \t]++)[0-9.eE+-]++[ \t]*+(?:[\r\n]++|\Z))++")
"""Lines of two plain numbers. Next to a semicolon a comma would be a decimal comma, which is not plain."""
_BETWEEN = re.compile(r"[,;]")

_Series = TypeVar("_Series", LoadProfile, Production)


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
    if (form := structured_form(text[:200].encode())) is not None:
        raise ScenarioError([Problem(where, f"is {form}, not a table; save it as CSV")])
    columns = read_columns(text)
    if columns is not None and len(columns[0]) >= fewest(columns[0][0]) and is_sound(*columns, from_zero=from_zero):
        return columns
    rows, unreadable = read_rows(text, where, quotes=quotes)
    times_s, energies_wh = [row.time_s for row in rows], [row.cumulative_wh for row in rows]
    found = [(int(problem.where.rpartition(":")[2]), problem) for problem in unreadable]
    for index, what in problems_of_series(times_s, energies_wh, from_zero=from_zero, fewest=fewest(times_s[0])):
        line = 0 if index is None else rows[index].line
        found.append((line, Problem(f"{where}:{line}" if line else where, what)))
    if found:
        raise ScenarioError(cap_problems([problem for _, problem in sorted(found, key=lambda one: one[0])], where))
    return known(times_s), known(energies_wh)
