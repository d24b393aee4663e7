"""Checks the values of a results file, which may come from anybody: SQLite stores any value in any column.

The columns, and what they hold, follow from the schema. Only the first rows of a large table are checked, so that
opening the file of a large neighbourhood takes no longer. An error about a wrong value in a later row names the file,
but not the row.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Collection
from contextlib import closing
from functools import cache
from typing import Any, NamedTuple

from agents import MAX_DURATION_S
from broker import shown
from broker.protocol import MAX_TIME_S
from scenarios.results.kept_messages import COUNTS_TABLE
from scenarios.results.schema import DISPUTES_TABLE, SHARE_TABLES, TABLES
from scenarios.scenario import MAX_DAYS, MOST_SEED

MOST_ROWS = 100_000
"""Rows of each table that are checked."""
MOST_RUN_S = (MAX_DAYS + 1) * 86_400 + MAX_DURATION_S
"""The longest run: a job may start on its last day, and last for a year."""
MOST_INTEGER = 2**53
MOST_NUMBER = 1e15
"""Bound of numbers, such as energies, Wh: their sums are finite."""
_JSON_OF = {
    "settings_json": "object",
    "versions_json": "object",
    "kpis_json": "object",
    "comparison_json": "object",
    "body_json": "object",
    "seeds_json": "array",
    "not_registered_json": "array",
    "minutes_json": "array",
}
_ELEMENTS_OF = {"seeds_json": "integer", "not_registered_json": "text", "minutes_json": "array"}
_STATES_OF = {
    "runs": ("running", "done", "interrupted", "failed"),
    "contracts": ("standing", "cancelled", "lost"),
}
_ANY = frozenset({"scenario_json"})
"""Columns with a check of their own."""


_FOREIGN_PARTS = """
SELECT CASE WHEN type = 'table' THEN 'virtual table' ELSE type END, name FROM sqlite_master
WHERE type IN ('view', 'trigger') OR sql NOT GLOB 'CREATE TABLE *' AND sql NOT GLOB 'CREATE INDEX *'
AND sql NOT GLOB 'CREATE UNIQUE INDEX *' LIMIT 1
"""
"""A view or a trigger could compute without an end. What SQLite writes itself begins like this; it obeys the text, so
that a view that is labelled as a table is a view nevertheless."""
_COMPUTED_COLUMNS = """
SELECT c.name, t.name FROM sqlite_master AS t, pragma_table_xinfo(t.name) AS c
WHERE t.type = 'table' AND c.hidden <> 0 LIMIT 1
"""
"""They could compute much for each row, and are not among the columns that are checked."""


class _Column(NamedTuple):
    name: str
    condition: str
    """SQL, true for a sound value."""
    expected: str


def wrong_value(connection: sqlite3.Connection, tables: Collection[str] | None) -> str | None:
    """Return the first value that a results file cannot have, and what was expected; None: there is none.

    Args:
        connection: The open file.
        tables: Tables to check; None: all.

    Raises:
        sqlite3.Error: The file cannot be read.
    """
    if (foreign := foreign_part(connection)) is not None:
        return foreign
    for table, known in _columns_of().items():
        present = {name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")}
        columns = [column for column in known if column.name in present]
        if not columns or (tables is not None and table not in tables):
            continue
        sound = " AND ".join(f"coalesce({column.condition}, 0)" for column in columns)
        names = ", ".join(column.name for column in columns)
        checks = ", ".join(f"coalesce({column.condition}, 0)" for column in columns)
        query = f"SELECT {names}, {checks} FROM (SELECT * FROM {table} LIMIT {MOST_ROWS}) WHERE NOT ({sound}) LIMIT 1"  # noqa: S608 - our own names
        for row in connection.execute(query):
            values, are_sound = row[: len(columns)], row[len(columns) :]
            wrong = next(i for i, is_sound in enumerate(are_sound) if not is_sound)
            column = columns[wrong]
            return (
                f"table {table!r} has {_described(values[wrong])} in column {column.name!r}: expected {column.expected}"
            )
    return None


def foreign_part(connection: sqlite3.Connection) -> str | None:
    """Return which view, trigger, virtual table or computed column a file has, as no results do; None: it has none.

    Raises:
        sqlite3.Error: The file cannot be read.
    """
    for kind, name in connection.execute(_FOREIGN_PARTS):
        return f"it has the {kind} {shown(str(name))}, which results do not have"
    for column, table in connection.execute(_COMPUTED_COLUMNS):
        name = f"{shown(str(column))} of table {shown(str(table))}"
        return f"it has the computed column {name}, which results do not have"
    return None


def decompressed(kept: bytes, most_bytes: int) -> bytes:
    """Return what was compressed by zlib; a small file may claim to hold more than the memory.

    Args:
        kept: What the file holds.
        most_bytes: Most that it may become.

    Raises:
        ValueError: It is damaged, or too large.
    """
    decompressor = zlib.decompressobj()
    try:
        content = decompressor.decompress(kept, most_bytes + 1)
    except (zlib.error, TypeError) as error:
        raise ValueError(f"cannot be decompressed ({error})") from error
    if len(content) > most_bytes:
        raise ValueError(f"has more than {most_bytes:,} bytes when it is decompressed")
    if not decompressor.eof:
        raise ValueError("cannot be decompressed (it is incomplete)")
    return content


@cache
def _columns_of() -> dict[str, tuple[_Column, ...]]:
    """Return the columns of each table."""
    with closing(sqlite3.connect(":memory:")) as empty:
        empty.executescript(TABLES + DISPUTES_TABLE + COUNTS_TABLE + "".join(SHARE_TABLES))
        tables = [name for (name,) in empty.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            table: tuple(
                _column(table, name, kind, may_be_null=not (not_null or key))
                for _, name, kind, not_null, _, key in empty.execute(f"PRAGMA table_info({table})")
            )
            for table in tables
        }


def _column(table: str, name: str, kind: str, *, may_be_null: bool) -> _Column:
    condition, expected = _sound(table, name, kind)
    if may_be_null:
        condition, expected = f"({name} IS NULL OR {condition})", f"{expected}, or nothing"
    return _Column(name, condition, expected)


def _sound(table: str, name: str, kind: str) -> tuple[str, str]:
    """Return the SQL condition for a value that is not NULL, and its description."""
    condition, expected = f"typeof({name}) = 'text'", "a text"
    if name in _ANY:
        condition, expected = "1", "anything"
    elif name in _JSON_OF:
        is_text = f"typeof({name}) = 'text' AND json_valid({name})"
        condition = f"CASE WHEN {is_text} THEN json_type({name}) END = '{_JSON_OF[name]}'"
        if name in _ELEMENTS_OF:
            wrong = f"SELECT 1 FROM json_each({name}) WHERE type <> '{_ELEMENTS_OF[name]}'"  # noqa: S608 - our own names
            condition = f"CASE WHEN {condition} THEN NOT EXISTS ({wrong}) END"
        expected = f"a JSON {_JSON_OF[name]}"
    elif name == "state" and table in _STATES_OF:
        expected = "one of " + ", ".join(_STATES_OF[table])
        condition = f"{name} IN {_STATES_OF[table]}"
    elif kind == "INTEGER" and name.endswith("_s"):
        condition = f"typeof({name}) = 'integer' AND {name} BETWEEN 0 AND {MAX_TIME_S}"
        expected = f"seconds from 0 to {MAX_TIME_S}"
    elif name == "seed":
        condition = f"typeof({name}) = 'integer' AND {name} BETWEEN 0 AND {MOST_SEED}"
        expected = "a seed from 0 to 2^63 - 1"
    elif kind == "INTEGER":
        condition = f"typeof({name}) = 'integer' AND {name} BETWEEN -{MOST_INTEGER} AND {MOST_INTEGER}"
        expected = "an integer of at most 2^53"
    elif kind == "REAL":
        condition = f"typeof({name}) IN ('real', 'integer') AND {name} BETWEEN -{MOST_NUMBER} AND {MOST_NUMBER}"
        expected = f"a number of at most {MOST_NUMBER:g}"
    return f"({condition})", expected


def _described(value: Any) -> str:  # noqa: ANN401 - whatever SQLite holds
    return "nothing" if value is None else shown(str(value))
