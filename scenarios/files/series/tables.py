"""Reads tables as meters and portals export them: CSV of any separator, also compressed with gzip, and Parquet.

Lines before the header are skipped; a row of units below it is kept as such. Cells keep their text.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from broker import plural
from scenarios.errors import Problem, ScenarioError
from scenarios.files.file_reading import MAX_BYTES, lines_of, read_bytes, structured_form
from scenarios.files.series.table_times import has_moment, is_clock
from scenarios.mistyped_names import suggest

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

Row = tuple[int, Sequence[Any]]
"""Number of the line or row in the file, and the cells."""
NOTHING: Final = frozenset(
    {"", "-", "--", "?", "nan", "null", "none", "na", "n/a", "n/e", "#n/a", "unavailable", "unknown", "missing"}
)
"""Cells without a measurement, in lower case."""
UNIT_IN_CELL = re.compile(r"(.*\d)\s*((?-i:M)Wh|kWh|Wh|(?-i:M)W|kW|W)", re.IGNORECASE)
_SEPARATORS = (";", "\t", ",", "|")
LOOKED_AT = 200
"""Lines and rows from which separator, header and the kinds of columns are determined."""
_PLAIN_CHARACTERS = re.compile(r"[-+.0-9eE]+")
"""All that plain numbers consist of; what `float` makes a number of in another way has other characters."""
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_GROUPED_BY_DOTS = re.compile(r"[-+]?\d{1,3}(?:\.\d{3})+(?:,\d+)?")
_GROUPED_BY_COMMAS = re.compile(r"[-+]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")
_DECIMALS_OR_GROUP = re.compile(r"[-+]?[1-9]\d{0,2}[.,]\d{3}")
_SHORT_WHOLE = re.compile(r"[-+]?\d{1,3}")
_BETWEEN_GROUPS = re.compile(r"(?<=\d)[ \u00a0\u202f'\u2019](?=\d{3})")
_DIGITS = re.compile(r"\d+\b")
_UNIT = re.compile(r"[\[(]?\s*[kM]?Wh?\s*[\])]?", re.IGNORECASE)
_QUANTITY_AND_UNIT = re.compile(rf"{_UNIT.pattern}|.*\((?:[kM]?Wh?|.*/[kM]?Wh.*)\)", re.IGNORECASE)
"""What a row of units says below the name of a quantity: `Power (MW)`, `Price (EUR/MWh)`."""
_NUMBERED = re.compile(r"column ([1-9]\d{0,5})")
"""Name of an unnamed column. Accepted for named ones too: earlier versions may not have found their header."""
_BESIDE_UNITS = re.compile(
    r"|-|UTC|[\[(].*[\])]|[YyMDdHhmSs.:/ T-]{5,}|[A-Z][A-Za-z_]+/[A-Z][A-Za-z_/-]+(?: \([+-]\d\d:\d\d\))?"
)
"""What a row of units says of other columns: nothing, something in brackets, how dates are written, or their zone."""


@dataclass(frozen=True, eq=False)
class Table:
    """A table with at least two columns and two rows."""

    where: str
    """Name of its file, for messages."""
    columns: tuple[str, ...]
    """Their names; a column that the header does not name is called `column 2` by its number."""
    units: tuple[str, ...]
    """By column, its unit in the row of units."""
    rows: Sequence[Row]
    """With their numbers in the file; without header and units."""
    has_header: bool
    """Whether the first row names the columns."""
    has_decimal_comma: bool
    """Whether a comma cannot be a separator of columns, and so is one of decimals."""
    notes: tuple[str, ...] = ()
    """Skipped parts, one sentence each."""
    above: Sequence[Sequence[str]] = ()
    """Cells of the lines above the table, and its comments."""
    named_columns: int | None = None
    """How many columns the header names, if commas separate them; otherwise None."""
    derived: dict[object, object] = field(default_factory=dict, repr=False)
    """What readers have found out about whole columns, such as their times; kept as long as the table is."""

    def named(self, wanted: str | int) -> int:
        """Return the index of a column, given by name or by number from 1.

        Raises:
            ScenarioError: There is no such column.
        """
        if isinstance(wanted, int):
            if 1 <= wanted <= len(self.columns):
                return wanted - 1
            what = f"there is no column {wanted}; it has {len(self.columns)} columns"
            raise ScenarioError([Problem(self.where, what)])
        if wanted in self.columns:
            return self.columns.index(wanted)
        alike = [i for i, name in enumerate(self.columns) if name == f"{wanted} (column {i + 1})"]
        if alike and all(self.cells(i) == self.cells(alike[0]) for i in alike[1:]):
            return alike[0]  # whichever is meant: as the times of exports that put tables side by side
        if self.units.count(wanted) == 1 and wanted:
            return self.units.index(wanted)
        if (numbered := _NUMBERED.fullmatch(wanted)) is not None:
            return self.named(int(numbered[1]))
        raise ScenarioError([Problem(self.where, f"there is no column {wanted!r}{suggest(wanted, self.columns)}")])

    def cells(self, column: int, most: int | None = None) -> list[Any]:
        """Return the cells of a column that say something, of the first rows or of all."""
        found = (cells[column] for _, cells in self.rows[:most] if column < len(cells))
        return [cell for cell in found if not is_nothing(cell)]

    def split_problem(self, column: int, cells: Sequence[Any]) -> str | None:
        """Return why a row's number in a column cannot be trusted; None if it can.

        Where commas separate columns, an unquoted `1,5` is two cells, and its row has one more than the header.
        """
        if self.named_columns is None or column >= self.named_columns:
            return None
        if not any(_DIGITS.match(cell) for cell in cells[self.named_columns :]):
            return None
        more = f"has {len(cells)} columns, and the header names {self.named_columns}"
        return f"{more}: a number that contains a comma is written in quotation marks, or semicolons separate columns"

    @cached_property
    def _has_split_cells(self) -> bool:
        return any(self.split_problem(0, cells) is not None for _, cells in self.rows)

    def plain_column(self, column: int) -> NDArray[np.float64] | None:
        """Return a column as numbers, shape (rows,); None unless each is plain, so that `NumberFormat` would agree."""
        if self.named_columns is not None and column < self.named_columns and self._has_split_cells:
            return None
        cells = self._columns[column] if column < len(self._columns) else ()
        kinds = set(map(type, cells))
        if kinds != {float} and not (kinds == {str} and _PLAIN_CHARACTERS.fullmatch("".join(cells))):
            return None
        try:
            values = np.array(list(map(float, cells)))
        except ValueError:
            return None
        return values if np.isfinite(values).all() else None

    def is_whole(self, column: int) -> bool:
        """Return whether a column has neither points nor commas, as far as that is fast to find out."""
        cells = self._columns[column] if column < len(self._columns) else ()
        if set(map(type, cells)) != {str}:
            return False
        text = "".join(cells)
        return "." not in text and "," not in text

    @cached_property
    def _columns(self) -> list[tuple[Any, ...]]:
        """The cells by column; empty where rows differ in length."""
        try:
            return list(zip(*(cells for _, cells in self.rows), strict=True))
        except ValueError:
            return []


def read_table(path: Path, where: str) -> Table:
    """Return the table in a file; the series of many devices may be columns of one file, which is read once.

    Args:
        path: CSV, gzip or Parquet.
        where: Its name, for messages.

    Raises:
        ScenarioError: It is not a table.
    """
    stat = path.stat() if path.is_file() else None
    key = path, where, None if stat is None else (stat.st_mtime_ns, stat.st_size)  # a changed file is another one
    table = _KEPT.get(key)
    if table is None:
        table = _read(path, where)
        _KEPT.put(key, table)
    return table


def forget_tables() -> None:
    """Forget the tables that were read: those of 10,000 houses take 0.2 GB, and a run needs them no more."""
    _KEPT.clear()


class _KeptTables:
    """The tables that were read last, up to a total number of cells.

    The number of tables would not be a useful limit: a week of forecasts of a large neighbourhood has 30, each device
    has a column in every one of them, and they would be read again for each device.
    """

    def __init__(self, most_cells: int) -> None:
        self._most_cells = most_cells
        self._tables: dict[tuple[Any, ...], Table] = {}
        self._lock = Lock()

    def get(self, key: tuple[Any, ...]) -> Table | None:
        with self._lock:
            table = self._tables.pop(key, None)
            if table is not None:
                self._tables[key] = table  # as the last one used
            return table

    def put(self, key: tuple[Any, ...], table: Table) -> None:
        with self._lock:
            self._tables[key] = table
            cells = sum(map(_size_of, self._tables.values()))
            while cells > self._most_cells and len(self._tables) > 1:
                cells -= _size_of(self._tables.pop(next(iter(self._tables))))

    def clear(self) -> None:
        with self._lock:
            self._tables.clear()


def _size_of(table: Table) -> int:
    return len(table.rows) * len(table.columns)


MOST_CELLS = 30_000_000
"""Values of the tables that are kept, and of a table in Parquet, which a small file may hold any number of. A week of
10,000 houses has 23 million."""
MOST_PARQUET_BYTES = 2**30
_ROWS_AT_ONCE = 1_000
_KEPT = _KeptTables(MOST_CELLS)


def _read(path: Path, where: str) -> Table:
    content = read_bytes(path, where)
    name = path.name.lower()
    if name.endswith(".gz") or content[:2] == b"\x1f\x8b":
        content, name = _unpacked(content, where), name.removesuffix(".gz")
    if name.endswith(".parquet") or content[:4] == b"PAR1":
        return _parquet(content, where)
    if (form := structured_form(content)) is not None:
        raise ScenarioError([Problem(where, f"is {form}, not a table; save it as CSV")])
    if content[:4] == b"PK\x03\x04" or content[:4] == b"\xd0\xcf\x11\xe0":
        kind = "is an Excel workbook" if re.search(r"\.(xlsx?|xlsm)$", name) else "is a ZIP archive or a workbook"
        raise ScenarioError([Problem(where, f"{kind}; save the table as CSV")])
    return _csv(*_decoded(content, where), where)


def _unpacked(content: bytes, where: str) -> bytes:
    try:
        with gzip.open(io.BytesIO(content)) as file:
            unpacked = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ScenarioError([Problem(where, f"cannot be unpacked: {error}")]) from None
    if len(unpacked) > MAX_BYTES:
        raise ScenarioError([Problem(where, f"larger than {MAX_BYTES // 2**20} MB when unpacked")])
    return unpacked


def _decoded(content: bytes, where: str) -> tuple[str, list[str]]:
    """Return the text, and a note where it is not in Unicode."""
    encoding = "utf-16" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    notes: list[str] = []
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
        notes.append("is not in UTF-8; it is read as Windows-1252.")
    if "\0" in text:
        raise ScenarioError([Problem(where, "is not a text file: it holds zero bytes")])
    return text, notes


def _parquet(content: bytes, where: str) -> Table:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        import pyarrow.parquet as pq  # noqa: PLC0415 - an extra
    except ImportError:
        what = "is Parquet, which needs pyarrow: pip install 'ssmic[parquet]'"
        raise ScenarioError([Problem(where, what)]) from None
    try:
        file = pq.ParquetFile(io.BytesIO(content))
        if _is_too_large(file):
            what = f"has more than {MOST_CELLS:,} values, or more than {MOST_PARQUET_BYTES // 2**20} MB when unpacked"
            raise ScenarioError([Problem(where, what)])
        table = file.read()
        columns = [column.to_pylist() for column in table.columns]
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:  # the last two: texts and times
        raise ScenarioError([Problem(where, f"is not a Parquet file that can be read: {error}")]) from None
    rows = [(n, row) for n, row in enumerate(zip(*columns, strict=True), start=1)]
    names = tuple(table.column_names)
    return _checked(Table(where, names, ("",) * len(names), rows, has_header=True, has_decimal_comma=False))


def _is_too_large(file: ParquetFile) -> bool:
    """Return whether a table has more values, or more bytes, than are read.

    A file keeps a long text that many rows repeat once, so what it says of its size is not enough.
    """
    about = file.metadata
    kept_bytes = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
    if about.num_rows * about.num_columns > MOST_CELLS or kept_bytes > MOST_PARQUET_BYTES:
        return True
    unpacked_bytes = 0
    for batch in file.iter_batches(_ROWS_AT_ONCE):
        for column in batch.columns:
            is_kept_once = hasattr(column, "dictionary_decode")
            unpacked_bytes += (column.dictionary_decode() if is_kept_once else column).nbytes
        if unpacked_bytes > MOST_PARQUET_BYTES:
            return True
    return False


def _csv(text: str, notes: list[str], where: str) -> Table:
    lines = lines_of(text)
    if re.match(r"sep=.", lines[0], re.IGNORECASE):  # what Excel writes for itself
        lines[0] = "#"
    separator = _separator([line for line in lines if _counts(line)][:LOOKED_AT])
    if separator is None:
        rows: list[Row] = [(n, line.split()) for n, line in enumerate(lines, start=1) if _counts(line)]
    else:
        reader = csv.reader(io.StringIO("\n".join(lines), newline=""), delimiter=separator)
        same: dict[str, str] = {}  # most cells of a large table are like others: one text for all of them
        try:
            rows = [
                (reader.line_num, [same.setdefault(text, text) for text in map(str.strip, row)])
                for row in reader
                if any(row) and not row[0].startswith("#")
            ]
        except csv.Error as error:
            raise ScenarioError([Problem(f"{where}:{reader.line_num}", f"is not valid CSV: {error}")]) from None
    if not rows:
        raise ScenarioError([Problem(where, "is empty; lines with a time and a value are expected")])
    if len(rows) == 1 and not _is_data(rows[0][1]):
        raise ScenarioError([Problem(where, "has no line with a time and a value; at least two are expected")])
    first = _first_row(rows)
    first += _header_below(rows[first : first + LOOKED_AT])
    header, units = _header(rows[:first], len(rows[first][1]))
    width = max(len(row[1]) for row in rows[first : first + LOOKED_AT])
    if header is None:
        columns: tuple[str, ...] = tuple(f"column {n}" for n in range(1, width + 1))
        skipped = first
    else:
        names = [*header[1], *[""] * (width - len(header[1]))]
        count = Counter(names)
        columns = tuple(
            f"{name} (column {n})" if name and count[name] > 1 else name or f"column {n}"
            for n, name in enumerate(names, start=1)
        )
        skipped = rows.index(header)
    above = [[line] for line in lines[:LOOKED_AT] if line.startswith("#")] + [list(row[1]) for row in rows[:skipped]]
    if skipped:
        before = "1 line" if skipped == 1 else f"{skipped} lines"
        notes.append(f"{before} before the table {'was' if skipped == 1 else 'were'} left out.")
    units += ("",) * (len(columns) - len(units))
    has_decimal_comma = separator != ","
    named = None if has_decimal_comma or header is None else len(header[1])
    data = rows[first:]
    below = _lines_below(data)
    if below:
        notes.append(f"{plural(below, 'line')} below the table {'was' if below == 1 else 'were'} left out.")
        data = data[:-below]
    return _checked(
        Table(where, columns, units, data, header is not None, has_decimal_comma, tuple(notes), above, named)
    )


def _counts(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _separator(lines: Sequence[str]) -> str | None:
    """Return the column separator: the character that occurs equally often in most lines; None: spaces."""
    best: tuple[int, str] | None = None
    for mark in _SEPARATORS:
        counts = Counter(count for line in lines if (count := _outside_quotes(line).count(mark)))
        if counts:
            like_most = counts.most_common(1)[0][1]
            if best is None or like_most > best[0]:
                best = like_most, mark
    if best is not None and best[1] == "," and any(_begins_with_time(line.split()[0]) for line in lines[-3:]):
        # A decimal comma, where spaces separate: what is before the first comma is no time.
        firsts = [line.split(",")[0].strip() for line in lines[-3:]]
        if not any(_begins_with_time(first) for first in firsts):
            return None
    return None if best is None else best[1]


_DIGIT = re.compile(r"\d")


def _begins_with_time(text: str) -> bool:
    return is_number(text) or has_moment(text)


def _outside_quotes(line: str) -> str:
    return re.sub(r'"[^"]*"', "", line)


def _first_row(rows: Sequence[Row]) -> int:
    """Return the index of the first row of data."""
    first = next((i for i, row in enumerate(rows[:LOOKED_AT]) if _is_data(row[1])), None)
    if first is None:
        return min(1, len(rows) - 1)
    cells = rows[first][1]
    moments = (i for i, cell in enumerate(cells) if not is_number(cell) and has_moment(cell))
    column = next(moments, next((i for i, cell in enumerate(cells) if is_number(cell)), 0))
    is_time = is_number if is_number(cells[column]) else has_moment
    written = _DIGIT.sub("0", cells[column])

    def is_like_it(above: str) -> bool:
        return is_time(above) or _DIGIT.sub("0", above) == written  # 30 February is no time

    # Rows above it that have a time there, too, are data with mistakes.
    while first and len(rows[first - 1][1]) == len(cells) and is_like_it(rows[first - 1][1][column]):
        first -= 1
    return first


def _header_below(rows: Sequence[Row]) -> int:
    """Return how many rows the table begins below the first row of data; 0: with it.

    Portals put a table of one row, about the place or the meter, before the one with the series.
    """
    if len(rows) < 3 or _is_data(rows[1][1]):
        return 0
    names = [cell for cell in rows[1][1] if cell]
    about = [cell for cell in rows[0][1] if cell]
    is_header = not any(map(_is_value, names)) and len(names) >= 2 and len(names) != len(about)
    is_of_next = len(rows[1][1]) == len(rows[2][1]) and _is_data(rows[2][1])
    return 1 + _first_row(rows[1:]) if is_header and is_of_next else 0


def _lines_below(data: Sequence[Row]) -> int:
    """Return how many rows at the end are text, such as a legend or a copyright notice; a row with mistakes is not."""
    last = next((i for i in range(len(data) - 1, -1, -1) if _is_data(data[i][1])), None)
    below = [] if last is None else data[last + 1 :]
    width = 0 if last is None else len(data[last][1])
    are_text = all(len(cells) < width and not any(map(_is_value, cells)) for _, cells in below)
    return len(below) if are_text else 0


def _is_value(cell: str) -> bool:
    return bool(cell) and (is_number(cell) or has_moment(cell) or is_clock(cell) or is_nothing(cell))


def _is_data(cells: Sequence[str]) -> bool:
    numbers = sum(is_number(cell) for cell in cells)
    moments = sum(has_moment(cell) or is_clock(cell) for cell in cells if not is_number(cell))
    return numbers >= 2 or (moments > 0 and (numbers > 0 or any(is_nothing(cell) for cell in cells)))


def _header(rows: Sequence[Row], width: int) -> tuple[Row | None, tuple[str, ...]]:
    """Return the row of names above data of so many columns, and what a row of units between them says."""
    if not rows:
        return None, ()
    last = rows[-1]
    unit = _UNIT if last[1][0] else _QUANTITY_AND_UNIT
    is_units = any(map(unit.fullmatch, last[1])) and all(
        unit.fullmatch(cell) or _BESIDE_UNITS.fullmatch(cell) for cell in last[1]
    )
    if is_units and len(rows) > 1 and _is_full(rows[-2], width):
        return rows[-2], tuple(last[1])
    return (last, ()) if _is_full(last, width) else (None, ())


def _is_full(row: Row, width: int) -> bool:
    """Return whether a row names the columns; the column of times may be unnamed, like the index of pandas."""
    named = sum(map(bool, row[1]))
    return named >= 2 or (named == 1 and len(row[1]) == width == 2 and not row[1][0])


def _checked(table: Table) -> Table:
    if len(table.rows) < 2:
        raise ScenarioError([Problem(table.where, f"at least two rows are needed, found {len(table.rows)}")])
    if len(table.columns) < 2:
        raise ScenarioError([Problem(table.where, "has one column; a column of times and one of values are needed")])
    return table


def is_nothing(cell: object) -> bool:
    """Return whether nothing was measured where a cell is: it is empty, or marked as missing."""
    if isinstance(cell, str):
        return cell.strip().casefold() in NOTHING
    return cell is None or cell != cell  # noqa: PLR0124 - NaN


def is_number(cell: object) -> bool:
    """Return whether a cell holds a number, with a unit behind it or without."""
    if not isinstance(cell, str):
        return isinstance(cell, int | float | Decimal) and not isinstance(cell, bool)
    if _NUMBER.fullmatch(cell):
        return True
    with_unit = UNIT_IN_CELL.fullmatch(cell)
    text = _BETWEEN_GROUPS.sub("", cell if with_unit is None else with_unit[1].strip())
    return any(one.fullmatch(text) for one in (_NUMBER, _GROUPED_BY_DOTS, _GROUPED_BY_COMMAS, _DECIMAL_COMMA))


_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """The number format of a column."""

    decimal: str
    """The decimal separator, a point or a comma."""
    group: str
    """Thousands separator besides spaces and apostrophes; empty: none."""

    def parse(self, cell: object) -> float:
        """Return the number in a cell, without a unit behind it.

        Raises:
            ValueError: There is none.
        """
        if not isinstance(cell, str):
            return float(cell)  # type: ignore[arg-type]  # numbers of a typed table; others raise TypeError
        text = cell
        if not _NUMBER.fullmatch(text):
            with_unit = UNIT_IN_CELL.fullmatch(text)
            text = _BETWEEN_GROUPS.sub("", text if with_unit is None else with_unit[1].strip())
        if self.group and (_GROUPED_BY_DOTS if self.group == "." else _GROUPED_BY_COMMAS).fullmatch(text):
            text = text.replace(self.group, "")
        if self.decimal == ",":
            text = text.replace(",", ".")
        if not _NUMBER.fullmatch(text):
            raise ValueError(f"a number is expected, not {cell!r}")
        return float(text)


def thousands_note(table: Table, column: int) -> str | None:
    """Return how numbers that could be thousands or have three decimals (`1.234`) are read; None: it is clear."""
    if table.is_whole(column):
        return None
    first = None
    for cell in table.cells(column):
        if not isinstance(cell, str):
            return None
        with_unit = UNIT_IN_CELL.fullmatch(cell)
        text = cell if with_unit is None else with_unit[1].strip()
        if _DECIMALS_OR_GROUP.fullmatch(text):
            first = first or text
        elif not _SHORT_WHOLE.fullmatch(text):
            return None
    if first is None:
        return None
    mark, name = (".", "point") if "." in first else (",", "comma")
    separator = "decimal" if mark == numbers_of(table, column).decimal else "thousands"
    return f"the {name} in numbers such as {first} is taken as a {separator} separator."


def numbers_of(table: Table, column: int) -> NumberFormat:
    """Return how a column writes its numbers: with a decimal comma or point, and what separates thousands."""
    texts = [_BETWEEN_GROUPS.sub("", cell) for cell in table.cells(column) if isinstance(cell, str) and "," in cell]
    if not texts:
        return NumberFormat(".", "")
    if any(re.search(r",\d{3}\.\d", text) for text in texts):
        return NumberFormat(".", ",")
    if table.has_decimal_comma or any(re.search(r"\.\d{3},|^[-+]?0,|,(\d{1,2}|\d{4,})(\D|$)", text) for text in texts):
        return NumberFormat(",", ".")
    return NumberFormat(".", ",")
