"""Text files of energy over time: two columns, a time in seconds and cumulative Wh, as PySSMic has them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from scenarios.errors import Problem, ScenarioError
from scenarios.files.reading import lines_of

MAX_PROBLEMS = 10
"""Of one file; the rest are counted."""

_SPACE = re.compile(r"\s+")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?(?:nan|inf(?:inity)?)", re.IGNORECASE)
"""What a number looks like; Python would take `6_0` and digits of other scripts for numbers too."""
_PLAIN = re.compile(r"(?:[ \t]*+[0-9.eE+-]++(?:[ \t]*+[,;][ \t]*+|[ \t]++)[0-9.eE+-]++[ \t]*+(?:[\r\n]++|\Z))++")
"""Lines of two plain numbers. Beside a semicolon a comma would be a decimal comma: that is not plain."""
_BETWEEN = re.compile(r"[,;]")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of two columns; what could not be read is None, and told."""

    line: int
    time_s: int | None
    cumulative_wh: float | None


def read_columns(text: str) -> tuple[tuple[int, ...], tuple[float, ...]] | None:
    """Return times and energies of a text in the plain form that programs write, all at once.

    None: some line is not two plain numbers with spaces, a comma or a semicolon between them; `read_rows` knows the
    other forms, and what is wrong.
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


def read_rows(text: str, where: str) -> tuple[list[Row], list[Problem]]:
    """Return the rows of a text file and what is wrong with single values; order and sign are not looked at here.

    Columns are separated by spaces, `,` or `;`; blank lines do not count.

    Raises:
        ScenarioError: There is none.
    """
    rows: list[Row] = []
    problems: list[Problem] = []
    for number, line in enumerate(lines_of(text), start=1):
        row = line.strip()
        if not row:
            continue
        columns = _columns(row)
        if len(columns) != 2:
            count = "is 1" if len(columns) == 1 else f"are {len(columns)}"
            what = f"two columns are expected (seconds, cumulative Wh), there {count}: {_short(row)}"
            problems.append(Problem(f"{where}:{number}", what))
            rows.append(Row(number, None, None))
            continue
        values: list[float | None] = []
        for parse, column in zip((_whole, _number), columns, strict=True):
            try:
                values.append(parse(column))
            except ValueError as error:
                problems.append(Problem(f"{where}:{number}", str(error)))
                values.append(None)
        time_s, wh = values
        rows.append(Row(number, None if time_s is None else int(time_s), wh))
    if not rows:
        raise ScenarioError([Problem(where, "is empty; lines of 'seconds Wh' are expected")])
    return rows, problems


def cap_problems(problems: list[Problem], where: str) -> list[Problem]:
    """Return the first problems, and how many more there are."""
    if len(problems) <= MAX_PROBLEMS:
        return problems
    return [*problems[:MAX_PROBLEMS], Problem(where, f"and {len(problems) - MAX_PROBLEMS} more problems")]


def _columns(row: str) -> list[str]:
    if ";" in row:
        # A comma beside a semicolon is a decimal comma.
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
