"""Import dialog of a series: the guesses about a file of measurements, with its first rows and its curve."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, cast

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.markup import escape
from textual.widgets import Button, Input, Label, Select, Static

from scenarios import Zone
from scenarios.files import UNITS, MeasuredSeries, zone_of
from tui.editor.series.series_model import PARTS, READINGS, OpenedSeries, assumed, opened
from tui.formatting import fit
from tui.shell import Dialog, Footer
from tui.widgets import PRODUCTION, Chart, FieldHelp, TimeAxis, drawn, update_if_changed

_PAUSE_WALL_S = 0.2
_LABELS = {"time": "Times", "value": "Values", "unit": "Unit", "reading": "Reading", "zone": "Zone"}
_HELP = {
    "time": "The column with the times.",
    "value": "The column with the values.",
    "unit": "Unit of the values.",
    "reading": "Mean power of each step, energy of each interval, or a meter's counter, which may reset.",
    "zone": "Zone of times without an offset: Europe/Berlin, UTC or +02:00.",
}
_WIDEST = 24


class SeriesDialog(Dialog[MeasuredSeries | None]):
    """Returns the series as it is to be read; None on escape."""

    TITLE = "Import a series"
    HELP = """
The fields show how the file is read: its columns, the unit, and whether a value is a power, the energy of an interval
or the reading of a counter. What the file does not state is guessed; every guess can be changed. Below are the
assumptions and findings (gaps, resets), the first rows and the curve. A time zone is never guessed.

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
            zone: The neighbourhood's zone, named as an example.
            is_run: Whether it is one run of a device.
        """
        super().__init__()
        self._path = path
        self._zone = zone
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
            box.border_title = escape(f"Series from {self._path.name}")
            with Horizontal(classes="line"):
                yield from self._choice("time", {})
                yield from self._choice("value", {})
            with Horizontal(classes="line"):
                yield from self._choice("unit", {unit: unit for unit in UNITS})
                yield from self._choice("reading", READINGS)
                with Horizontal(classes="part", id="of-zone"):
                    yield Label(_LABELS["zone"])
                    yield Input(
                        placeholder=f"such as {self._zone}" if self._zone else "if times have none",
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
            yield Select(
                [(escape(said), value) for value, said in options.items()],
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
        self._show(await asyncio.to_thread(opened, self._path, dict(self.given), is_run=self._is_run))

    def _show(self, found: OpenedSeries) -> None:
        self.shown = found
        measured = found.measured
        with self.prevent(Select.Changed, Input.Changed):
            if found.columns != self._offered:
                self._offered = found.columns
                for part in ("time", "value"):
                    self._select(part).set_options([(escape(name), name) for name in found.columns])
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
        zone = self.given.get("zone") if found.measured is not None else None
        span = (
            TimeAxis(0, end_s - begin_s, _minutes) if self._is_run else TimeAxis(begin_s, end_s, _zone(zone, begin_s))
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


def _minutes(time_s: float) -> str:
    minutes = round(time_s / 60)
    return f"{minutes // 60}:{minutes % 60:02}"


def rows_of(found: OpenedSeries) -> str:
    """Return the first rows as a table; cells that are too wide end in an ellipsis."""
    if not found.columns:
        return ""
    table = [found.columns, *found.rows]
    widths = [
        min(_WIDEST, max(cell_len(row[i]) if i < len(row) else 0 for row in table)) for i in range(len(found.columns))
    ]
    return "\n".join("  ".join(fit(cell, width) for cell, width in zip(row, widths, strict=False)) for row in table)
