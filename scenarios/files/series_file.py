"""Text files of energy over time: two columns, a time in seconds and cumulative Wh, as PySSMic has them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from scenarios.errors import Problem, ScenarioError
from scenarios.files.yaml_tree import read_text

MAX_PROBLEMS = 10
"""Of one file; the rest are counted."""

_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Rows:
    """What a file holds, with the line of each row."""

    times_s: tuple[int, ...]
    cumulative_wh: tuple[float, ...]
    lines: tuple[int, ...]


def read_rows(path: Path, where: str) -> Rows:
    """Return the rows of a text file, columns separated by spaces, `,` or `;`; blank lines do not count.

    Raises:
        ScenarioError: The file is missing or not text; a row is not two numbers. Order and sign are not looked at here.
    """
    text = read_text(path, where)
    times_s: list[int] = []
    cumulative_wh: list[float] = []
    lines: list[int] = []
    problems: list[Problem] = []
    for number, line in enumerate(text.splitlines(), start=1):
        row = line.strip()
        if not row:
            continue
        try:
            time_s, wh = _parse_row(row)
        except ValueError as error:
            problems.append(Problem(f"{where}:{number}", str(error)))
            continue
        times_s.append(time_s)
        cumulative_wh.append(wh)
        lines.append(number)
    if problems:
        raise ScenarioError(cap_problems(problems, where))
    if not times_s:
        raise ScenarioError([Problem(where, "is empty; lines of 'seconds Wh' are expected")])
    return Rows(tuple(times_s), tuple(cumulative_wh), tuple(lines))


def cap_problems(problems: list[Problem], where: str) -> list[Problem]:
    """Return the first problems, and how many more there are."""
    if len(problems) <= MAX_PROBLEMS:
        return problems
    return [*problems[:MAX_PROBLEMS], Problem(where, f"and {len(problems) - MAX_PROBLEMS} more problems")]


def _parse_row(row: str) -> tuple[int, float]:
    if ";" in row:
        # A comma beside a semicolon is a decimal comma.
        columns = row.replace(",", ".").split(";")
    elif "," in row:
        columns = row.split(",")
    else:
        columns = _SPACE.split(row)
    columns = [column.strip() for column in columns]
    if len(columns) != 2:
        count = "is 1" if len(columns) == 1 else f"are {len(columns)}"
        raise ValueError(f"two columns are expected (seconds, cumulative Wh), there {count}: {_short(row)}")
    time_s, wh = (_number(column) for column in columns)
    if not time_s.is_integer():
        raise ValueError(f"whole seconds are expected, not {_short(columns[0])}")
    return int(time_s), wh


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"a number is expected, not {_short(text)}") from None
    if not math.isfinite(number):
        raise ValueError(f"a finite number is expected, not {_short(text)}")
    return number


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
