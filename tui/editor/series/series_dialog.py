"""Import dialog of a series: the guesses about a file of measurements, with its first rows and its curve."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, Label, Select, Static

from agents import FloatArray
from scenarios import ScenarioError, Zone, zone_info
from scenarios.files import (
    UNITS,
    MeasuredFormat,
    MeasuredSeries,
    head_of,
    problems_of_series,
    read_measured,
    read_points,
    zone_of,
)
from tui.formatting import fit, hours_and_minutes
from tui.shell import Dialog, Footer
from tui.widgets import PRODUCTION, Chart, FieldHelp, TextChoice, TimeAxis, drawn, update_if_changed

PARTS = ("time", "value", "unit", "reading", "labels", "zone")
"""Properties that can be assumed or given: fields of `MeasuredFormat`."""
READINGS: Mapping[str, str] = {
    "power": "power: mean of each step",
    "interval": "energy of each interval",
    "counter": "counter: cumulative energy",
}
LABELS: Mapping[str, str] = {
    "start": "starts of intervals",
    "end": "ends of intervals",
}
ROWS = 4
STEPS = 400
MOST_DRAWN_S = 7 * 86_400
_NUMBERED = re.compile(r"column (\d+)")
_PAUSE_WALL_S = 0.2
_LABELS = {
    "time": "Times",
    "value": "Values",
    "unit": "Unit",
    "reading": "Reading",
    "labels": "Times are",
    "zone": "Zone",
}
_HELP = {
    "time": "The column with the times.",
    "value": "The column with the values.",
    "unit": "Unit of the values.",
    "reading": "Mean power of each step, energy of each interval, or a meter's counter, which may reset.",
    "labels": "Starts or ends of the intervals of values; without effect on a counter.",
    "zone": "Zone of times without an offset: Europe/Berlin, UTC or +02:00.",
}
_WIDEST = 24


@dataclass(frozen=True, slots=True)
class OpenedSeries:
    """A file of measurements, read as far as it can be."""

    columns: tuple[str, ...]
    """Empty if it is not a table."""
    rows: tuple[tuple[str, ...], ...]
    """The first rows."""
    measured: MeasuredSeries | None
    """The series; None: something has to be said first."""
    problems: tuple[str, ...]
    power_w: FloatArray
    """Mean power of the first days, W, in equal steps; empty if there is no series."""

    @property
    def drawn_s(self) -> tuple[int, int]:
        """Begin and end of what is drawn, UNIX seconds."""
        times_s = (0, 1) if self.measured is None else self.measured.times_s
        return times_s[0], min(times_s[-1], times_s[0] + MOST_DRAWN_S)


def opened(path: Path, given: Mapping[str, Any], *, is_run: bool, scenario_zone: str | None = None) -> OpenedSeries:
    """Read a file of measurements. Slow for a large one: call it in a thread.

    Args:
        path: CSV, gzip or Parquet.
        given: The user's input: values by name, one of `PARTS`; the rest is assumed.
        is_run: Whether it is one run of a device.
        scenario_zone: See `read_measured`.
    """
    name = path.name
    try:
        columns, rows = head_of(path, name, ROWS)
    except ScenarioError as error:
        return OpenedSeries((), (), None, _said(error, name), np.zeros(0))
    try:
        found = read_measured(path, name, MeasuredFormat(**given), is_run=is_run, scenario_zone=scenario_zone)
    except ScenarioError as error:
        return OpenedSeries(columns, rows, None, _said(error, name), np.zeros(0))
    first_s = found.times_s[0] if is_run else 0
    times_s = tuple(time_s - first_s for time_s in found.times_s)
    wrong = tuple(what for _, what in problems_of_series(times_s, found.cumulative_wh, from_zero=is_run)[:ROWS])
    if wrong:
        return OpenedSeries(columns, rows, None, wrong, np.zeros(0))
    begin_s, end_s = found.times_s[0], min(found.times_s[-1], found.times_s[0] + MOST_DRAWN_S)
    edges_s = np.linspace(begin_s, end_s, STEPS + 1)
    cumulative_wh = np.interp(edges_s, found.times_s, found.cumulative_wh)
    power_w = np.diff(cumulative_wh) / np.diff(edges_s) * 3600
    return OpenedSeries(columns, rows, found, (), power_w)


def _said(error: ScenarioError, name: str) -> tuple[str, ...]:
    """Return the problems; their line instead of their file, which the dialog names."""
    return tuple(
        f"line {problem.where.removeprefix(f'{name}:')}: {problem.what}"
        if problem.where != name
        else problem.what.replace("name one under columns.value", "choose one under Values")
        for problem in error.problems
    )


def is_plain(path: Path, *, is_run: bool) -> bool:
    """Return whether a file is in the form that needs no description: a time and cumulative Wh a line."""
    try:
        read_points(path, path.name, from_zero=is_run)
    except ScenarioError:
        return False
    return True


def assumed(measured: MeasuredSeries, given: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return the assumptions about the file `name` and the findings in it, one sentence each.

    `measured` is the series as read, `given` the keys in the neighbourhood's file.
    """
    guesses = {
        "time": f"times in {measured.format.time!r}",
        "value": f"values in {measured.format.value!r}",
        "unit": f"unit {measured.format.unit}",
        "reading": f"each value is {READINGS[measured.format.reading or 'power']}",
    }
    if measured.format.labels is not None:
        guesses["labels"] = f"times are {LABELS[measured.format.labels]}"
    guessed = [said for part, said in guesses.items() if part not in given]
    found = [note.removeprefix(f"{name}: ") for note in measured.notes]
    first = [f"Guessed: {'; '.join(guessed)}."] if guessed else []
    return (*first, *(note[0].upper() + note[1:] for note in found))


def entry_of(file: str, measured: MeasuredSeries) -> dict[str, Any]:
    """Return the YAML entry that says how a file is read, so that nothing is left to be guessed.

    Args:
        file: How the scenario names the file.
        measured: The series as it was read.
    """
    wanted = measured.format
    entry: dict[str, Any] = {
        "file": file,
        "columns": {"time": _column(wanted.time), "value": _column(wanted.value)},
        "unit": wanted.unit,
        "reading": wanted.reading,
    }
    entry |= {"labels": wanted.labels} if wanted.labels else {}
    return entry | ({"zone": wanted.zone} if wanted.zone else {})


def _column(name: str | int | None) -> str | int | None:
    found = _NUMBERED.fullmatch(name) if isinstance(name, str) else None
    return name if found is None else int(found[1])


class SeriesDialog(Dialog[MeasuredSeries | None]):
    """Returns the series as it is to be read; None on escape."""

    TITLE = "Import a series"
    HELP = """
The fields show how the file is read: its columns, the unit, whether a value is a power, the energy of an interval or
the reading of a counter, and whether times are the starts or the ends of intervals. What the file does not state is
guessed; every guess can be changed. Below are the assumptions and findings (gaps, resets), the first rows and the
curve. Times without an offset are in the zone that the header states, otherwise in the neighbourhood's; if it has none,
enter a zone.

`Ctrl+S` imports the series. The neighbourhood's file records how it is read, so nothing is guessed again.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "accept", "Use it", priority=True),
    ]
    DEFAULT_CSS = """
    SeriesDialog > Vertical { width: 110; max-width: 100%; height: 95%; max-height: 36; }
    SeriesDialog.-short > Vertical { height: 100%; }
    SeriesDialog .line { height: 1; }
    SeriesDialog .part { width: 1fr; height: 1; margin-right: 1; }
    SeriesDialog .part Label { width: auto; padding-right: 1; color: $text-muted; }
    SeriesDialog .part:focus-within Label { color: $primary; }
    SeriesDialog .part Input.-textual-compact { width: 1fr; background: $panel; padding: 0 1; }
    SeriesDialog .part Select { width: 1fr; }
    SeriesDialog .part Select.-textual-compact > SelectCurrent { background: $panel; padding: 0 1; }
    SeriesDialog #of-unit { width: 16; }
    SeriesDialog #of-reading { width: 1fr; }
    SeriesDialog FieldHelp { height: 1; }
    SeriesDialog VerticalScroll { height: auto; max-height: 5; scrollbar-size-vertical: 1; }
    SeriesDialog #found { height: auto; padding: 0 1; }
    SeriesDialog #found.wrong { color: $text-error; }
    SeriesDialog #rows { height: auto; padding: 0 1; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; }
    SeriesDialog Chart { background: $surface; height: 1fr; min-height: 4; }
    SeriesDialog .buttons { height: 1; align-horizontal: right; }
    SeriesDialog Button { margin-left: 2; }
    """

    def __init__(self, path: Path, zone: str, *, is_run: bool) -> None:
        """Ask.

        Args:
            path: The file.
            zone: The neighbourhood's zone, used for times if the table states none; empty: it has none.
            is_run: Whether it is one run of a device.
        """
        super().__init__()
        self._path = path
        self._scenario_zone = zone if zone_info(zone) is not None else None
        self._is_run = is_run
        self.given: dict[str, Any] = {}
        """The user's input, by part; the rest is assumed."""
        self._offered: tuple[str, ...] = ()
        """Columns to choose from."""
        self.shown: OpenedSeries | None = None
        """The displayed content of the file; None while it is being read."""

    def compose(self) -> ComposeResult:
        """The parts, what was assumed, the rows, the curve."""
        with Vertical() as box:
            box.border_title = Content(f"Series from {self._path.name}")
            with Horizontal(classes="line"):
                yield from self._choice("time", {})
                yield from self._choice("value", {})
            with Horizontal(classes="line"):
                yield from self._choice("unit", {unit: unit for unit in UNITS})
                yield from self._choice("reading", READINGS)
            with Horizontal(classes="line"):
                yield from self._choice("labels", LABELS)
                with Horizontal(classes="part", id="of-zone"):
                    yield Label(_LABELS["zone"])
                    yield Input(
                        placeholder=f"default: {self._scenario_zone}" if self._scenario_zone else "if times have none",
                        compact=True,
                        id="series-zone",
                    )
            yield FieldHelp()
            with VerticalScroll(can_focus=False):
                yield Static("reading ...", id="found", markup=False)
            yield Static("", id="rows", markup=False)
            yield Chart(empty="The curve appears once the series can be read")
            with Horizontal(classes="buttons"):
                yield Button("Use it", variant="primary", action="screen.accept", compact=True, id="use")
                yield Button("Back", action="screen.dismiss", compact=True)
        yield Footer()

    def _choice(self, part: str, options: Mapping[str, str]) -> ComposeResult:
        with Horizontal(classes="part", id=f"of-{part}"):
            yield Label(_LABELS[part])
            yield TextChoice[str](
                [(said, value) for value, said in options.items()],
                prompt="choose",
                compact=True,
                id=f"series-{part}",
            )

    def on_mount(self) -> None:
        """Read the file."""
        self.query_one("#series-value").focus()
        self._read_again(0.0)

    def on_descendant_focus(self, _event: events.DescendantFocus) -> None:
        """Explain the focused part."""
        id_ = "" if self.focused is None or self.focused.id is None else self.focused.id.removeprefix("series-")
        self.query_one(FieldHelp).say(_HELP.get(id_, ""))

    @on(Select.Changed)
    def _chosen(self, event: Select.Changed) -> None:
        if event.value is not Select.NULL:
            self._give((event.select.id or "").removeprefix("series-"), event.value)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._give("zone", event.value.strip() or None)

    def _give(self, part: str, value: object) -> None:
        """Take what the user said; another column or unit may mean another reading, unless the user said that too."""
        if value is None:
            self.given.pop(part, None)
        else:
            self.given[part] = value
        self._read_again(_PAUSE_WALL_S)

    def _read_again(self, after_wall_s: float) -> None:
        read = partial(self._read, after_wall_s)
        self.run_in_background(read, group="read", is_exclusive=True, on_error=self._not_read)

    def _not_read(self) -> None:
        said = self.query_one("#found", Static)
        said.add_class("wrong")
        update_if_changed(said, "✗ Not read, because of an unexpected error.")
        self.query_one("#use", Button).disabled = True

    async def _read(self, after_wall_s: float) -> None:
        self.shown = None
        await asyncio.sleep(after_wall_s)
        self._show(
            await asyncio.to_thread(
                opened, self._path, dict(self.given), is_run=self._is_run, scenario_zone=self._scenario_zone
            )
        )

    def _show(self, found: OpenedSeries) -> None:
        self.shown = found
        measured = found.measured
        with self.prevent(Select.Changed, Input.Changed):
            if found.columns != self._offered:
                self._offered = found.columns
                for part in ("time", "value"):
                    self._select(part).set_options([(name, name) for name in found.columns])
            for part in PARTS[:-1]:
                guessed = None if measured is None else getattr(measured.format, part)
                value = self.given.get(part, guessed)
                self._select(part).value = Select.NULL if value is None else value
        said = self.query_one("#found", Static)
        said.set_class(measured is None, "wrong")
        lines = [f"✗ {what}" for what in found.problems]
        if measured is not None:
            lines = [f"· {what}" for what in assumed(measured, self.given, self._path.name)]
        update_if_changed(said, "\n".join(lines))
        update_if_changed(self.query_one("#rows", Static), rows_of(found))
        self.query_one("#use", Button).disabled = measured is None
        self._draw(found)

    def _draw(self, found: OpenedSeries) -> None:
        begin_s, end_s = found.drawn_s
        zone = None if found.measured is None else found.measured.format.zone
        span = (
            TimeAxis(0, end_s - begin_s, hours_and_minutes)
            if self._is_run
            else TimeAxis(begin_s, end_s, _zone(zone, begin_s))
        )
        series = (drawn(PRODUCTION, found.power_w, "power"),) if len(found.power_w) else ()
        self.query_one(Chart).show(series, span)

    def _select(self, part: str) -> Select[str]:
        return cast("Select[str]", self.query_one(f"#series-{part}", Select))

    @on(Input.Submitted)
    def action_accept(self) -> None:
        """Return the series, if it can be read."""
        if self.shown is not None and self.shown.measured is not None:
            self.dismiss(self.shown.measured)


def _zone(name: str | None, at_s: int) -> Zone:
    """Return the zone with a name that was read, as it is at a time; UTC without a name."""
    if name is None:
        return Zone()
    offset = datetime.fromtimestamp(at_s, zone_of(name, "")).utcoffset() or timedelta()
    return Zone(int(offset.total_seconds()))


def rows_of(found: OpenedSeries) -> str:
    """Return the first rows as a table; cells that are too wide end in an ellipsis."""
    if not found.columns:
        return ""
    table = [found.columns, *found.rows]
    widths = [
        min(_WIDEST, max(cell_len(row[i]) if i < len(row) else 0 for row in table)) for i in range(len(found.columns))
    ]
    return "\n".join("  ".join(fit(cell, width) for cell, width in zip(row, widths, strict=False)) for row in table)
