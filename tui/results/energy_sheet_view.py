"""The view of a sheet: energy bars, peak-to-average ratios, day chart, households, contracts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rich.style import Style
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.color import Color
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Select, Static

from scenarios import EventMark, Zone, whole_number_of
from scenarios.results import PowerProfile
from tui.formatting import kwh, number_kwh
from tui.results.contracts import Contracts
from tui.results.energy_sheet import EnergyTotal, Sheet
from tui.results.households import Households
from tui.results.pane_parts import READING, Figures
from tui.shell import Days, ErrorBoundary, shown_zone
from tui.widgets import GRID, MEANINGS, OWN, PRODUCTION, Chart, TimeAxis, drawn

_PATTERNS = {meaning.colour: meaning.pattern for meaning in MEANINGS}
_TITLE_WIDTH = 9


class EnergyBar(Widget):
    """Two lines: a stacked bar, and its parts with energy and share."""

    DEFAULT_CSS = """
    EnergyBar { height: 2; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.whole: EnergyTotal | None = None

    def show(self, whole: EnergyTotal) -> None:
        """Replace the total and its parts."""
        self.whole = whole
        self.refresh()

    def render(self) -> Text:
        """Draw it at full width."""
        whole, width = self.whole, self.size.width
        if whole is None:
            return Text("")
        text = Text(no_wrap=True, overflow="ellipsis")
        total = f"{kwh(whole.wh):>13} "
        text.append(f"{whole.name:<{_TITLE_WIDTH}}", Style(bold=True))
        text.append(total)
        bar_at = _TITLE_WIDTH + len(total)  # from 100 MWh on, the total is longer
        room = max(4, width - bar_at)
        for part, cells in zip(whole.parts, shares(whole, room), strict=True):
            text.append(_PATTERNS.get(part.colour, "█") * cells, self._look(part.colour))
        if whole.wh <= 0:
            text.append("none", Style(dim=True))
        text.append("\n")
        full, short = self._legend(whole, with_energy=True), self._legend(whole, with_energy=False)
        legend = full if full.cell_len <= width else short
        indent = min(bar_at, max(0, width - legend.cell_len))
        return text.append(" " * indent).append_text(legend)

    def _legend(self, whole: EnergyTotal, *, with_energy: bool) -> Text:
        parts = []
        for part in whole.parts:
            energy = f" {number_kwh(part.wh)}" if with_energy else ""
            share = f" {part.wh / whole.wh:.0%}" if whole.wh > 0 else ""
            parts.append(
                Text.assemble(
                    (_PATTERNS.get(part.colour, "█"), self._look(part.colour)), f" {part.name}{energy}{share}"
                )
            )
        return Text("   ").join(parts)

    def _look(self, colour: str) -> Style:
        value = self.app.theme_variables.get(colour, colour)
        return Style(color=(self.background_colors[1] + Color.parse(value)).rich_color)


def shares(whole: EnergyTotal, cells: int) -> list[int]:
    """Divide a bar's cells among parts; every non-zero part gets at least one."""
    if whole.wh <= 0:
        return [0] * len(whole.parts)
    exact = [part.wh / whole.wh * cells for part in whole.parts]
    given = [max(int(share), 1) if share > 0.0005 * cells else 0 for share in exact]
    while sum(given) > cells and max(given) > 1:
        given[given.index(max(given))] -= 1
    by_rest = sorted(range(len(exact)), key=lambda i: exact[i] - int(exact[i]), reverse=True)
    for i in by_rest:
        if sum(given) < round(min(sum(exact), cells)) and given[i] <= exact[i] and given[i]:
            given[i] += 1
    return given


MOST_MINUTES = 1440

Zoom = Literal["all", "contracts", "households", "day"]


def draw_day(chart: Chart, day: PowerProfile, zone: Zone, marks: Sequence[EventMark] = ()) -> None:
    """Draw stacked local and grid consumption in front of production.

    Args:
        chart: The chart to draw in.
        day: Power per interval, W.
        zone: Zone of the time axis.
        marks: Events by their time.
    """
    start_s = float(day.times_s[0]) if len(day.times_s) else 0.0
    end_s = start_s + len(day.times_s) * day.interval_s
    chart.show(
        (
            drawn(PRODUCTION, day.production_w),
            drawn(OWN, day.local_w, "local use"),
            drawn(GRID, day.grid_w, "grid use"),
        ),
        TimeAxis(start_s, end_s, zone),
        marks=marks,
    )


class DayChart(Chart):
    """A focusable day chart."""


class SheetPane(ErrorBoundary, Vertical):
    """Day chart, energies and tables of one household, or of all together."""

    SCOPED_CSS = False  # depends on the size classes of the screen too
    DEFAULT_CSS = """
    SheetPane { height: 1fr; }
    SheetPane #top { height: 16; }
    SheetPane #numbers { width: 72; padding: 0 1; }
    SheetPane .peaks { height: 1; }
    SheetPane .peaks Static { width: auto; }
    SheetPane .peaks Input { width: 7; background: $primary 20%; margin: 0 1; padding: 0 1; }
    SheetPane .peaks .ratios { width: 1fr; }
    SheetPane .ratios.wrong { color: $text-error; }
    SheetPane #numbers Figures { height: 1fr; }
    SheetPane #power { width: 1fr; }
    SheetPane .day-title { height: 1; padding-left: 8; color: $text-muted; }
    SheetPane #tables { height: 1fr; border-top: solid $border; }
    SheetPane #household-part { width: 56; border-right: solid $border; }
    SheetPane.one-house #household-part { display: none; }
    SheetPane .short-only { display: none; }

    .-tall SheetPane #top { height: 20; }
    .-tall SheetPane #numbers EnergyBar { margin-bottom: 1; }
    .-tall SheetPane .peaks { height: 2; }
    .-short SheetPane #top { height: 13; }
    .-narrow SheetPane #top { layout: vertical; height: auto; }
    .-narrow SheetPane #numbers { width: 1fr; height: auto; }
    .-narrow SheetPane #numbers Figures { height: 1; }
    .-narrow SheetPane #power { height: 7; width: 1fr; }
    .-narrow SheetPane #tables { border-top: none; }
    .-narrow SheetPane #household-part { display: none; }

    SheetPane.zoom-contracts #top, SheetPane.zoom-contracts #household-part { display: none; }
    SheetPane.zoom-households #top, SheetPane.zoom-households Contracts { display: none; }
    SheetPane.zoom-households #household-part { display: block; width: 1fr; border-right: none; }
    SheetPane.zoom-day #tables, SheetPane.zoom-day #numbers { display: none; }
    SheetPane.zoom-day #top, SheetPane.zoom-day #power { height: 1fr; }
    """

    class IntervalChosen(Message):
        """The averaging interval of peaks was changed."""

        def __init__(self, minutes: int) -> None:
            super().__init__()
            self.minutes = minutes

    class HouseholdChosen(Message):
        """A household was chosen."""

        def __init__(self, house: str) -> None:
            super().__init__()
            self.house = house

    def __init__(self, *, one_house: bool) -> None:
        """Make a pane.

        Args:
            one_house: Whether it shows one household instead of all.
        """
        super().__init__(classes="one-house" if one_house else "")
        self._zooms: tuple[Zoom, ...] = (
            ("all", "contracts", "day") if one_house else ("all", "contracts", "households", "day")
        )
        self.zoom: Zoom = "all"
        self.sheet: Sheet | None = None
        self.day_index = 0
        """Index of the drawn day, if there are several."""

    def compose(self) -> ComposeResult:
        """Numbers and day above, tables below."""
        with Horizontal(id="top"):
            with Vertical(id="numbers"):
                yield EnergyBar()
                yield EnergyBar()
                with Horizontal(classes="peaks"):
                    yield Static("Peak to average over")
                    yield Input("15", type="integer", compact=True, max_length=4)
                    yield Static("min", classes="unit")
                    yield Static("", classes="ratios")
                yield Figures()
            with Vertical(id="power"):
                yield Static("", classes="day-title", markup=False)
                yield DayChart(empty="No production or consumption", waiting=READING)
        with Horizontal(id="tables"):
            yield Households()
            yield Contracts()

    def show(self, sheet: Sheet) -> None:
        """Replace all content by that of another run or household."""
        self.sheet = sheet
        for bar, whole in zip(self.query(EnergyBar), sheet.wholes, strict=True):
            bar.show(whole)
        field = self.query_one(".peaks Input", Input)
        # Otherwise it says what is wrong with the interval that is being typed.
        if not field.has_focus or _minutes_of(field.value):
            self._say(sheet.peaks)
        self.query_one(Figures).show(sheet.figures)
        zone = shown_zone(self, sheet.zone)
        self.show_day(self.day_index)
        self.query_one(Households).show(sheet.households, sheet.houses)
        self.query_one(Contracts).show(sheet.contracts, zone, sheet.search)

    @property
    def days(self) -> Days | None:
        """The days to choose from; None: nothing shown yet."""
        sheet = self.sheet
        if sheet is None or not len(sheet.day.times_s):
            return None
        return Days(int(sheet.day.times_s[0]), sheet.day.days, sheet.zone)

    def show_day(self, index: int) -> None:
        """Draw the day nearest to an index."""
        sheet, days = self.sheet, self.days
        if sheet is None:
            return
        self.day_index = index if days is None else days.fitting(index)
        draw_day(self.query_one(Chart), sheet.day.of_day(self.day_index), shown_zone(self, sheet.zone), sheet.events)
        title = "" if days is None else days.title(self.day_index)
        bar = self.query_one(".day-title", Static)
        bar.display = bool(title)
        bar.update(f"{title}   {{ }} day before, after   G choose")

    def show_interval(self, minutes: int) -> None:
        """Show the averaging interval of peaks, minutes, unless one is being typed."""
        field = self.query_one(".peaks Input", Input)
        if field.value != str(minutes) and not field.has_focus:
            with self.prevent(Input.Changed):
                field.value = str(minutes)

    def focus_table(self) -> None:
        """Focus the visible table."""
        places = {"households": "#households", "day": "DayChart"}
        self.query_one(places.get(self.zoom, "Contracts CellTable")).focus()

    def find(self) -> None:
        """Focus the search field."""
        if self.zoom == "households" and self.query_one(Households).has_class("many"):
            self.query_one(Households).find()
            return
        while self.zoom not in {"all", "contracts"}:
            self.zoom_next()
        self.query_one(Contracts).find()

    def give_way(self) -> bool:
        """Leave a field, clear a search or leave a street; return whether anything changed."""
        focused, households, contracts = self.screen.focused, self.query_one(Households), self.query_one(Contracts)
        is_in_field = isinstance(focused, Input | Select)
        if households in (focused.ancestors if focused is not None else ()):
            changed = households.give_way() or contracts.clear()
            if is_in_field:
                households.table.focus()
        else:
            changed = contracts.clear() or households.give_way()
            if is_in_field or changed:
                self.focus_table()
        return changed or is_in_field

    def zoom_next(self) -> None:
        """Zoom in on the next part."""
        self.remove_class(f"zoom-{self.zoom}")
        self.zoom = self._zooms[(self._zooms.index(self.zoom) + 1) % len(self._zooms)]
        self.add_class(f"zoom-{self.zoom}")
        self.call_after_refresh(self.focus_table)

    def ask_interval(self) -> None:
        """Focus the interval field."""
        if self.zoom != "all":
            self.remove_class(f"zoom-{self.zoom}")
            self.zoom = "all"
        self.query_one(".peaks Input", Input).focus()

    def _say(self, text: str, *, is_wrong: bool = False) -> None:
        ratios = self.query_one(".ratios", Static)
        ratios.set_class(is_wrong, "wrong")
        ratios.update(f"  {text}")

    @on(Input.Changed, ".peaks Input")
    def _interval_changed(self, event: Input.Changed) -> None:
        event.stop()
        minutes = _minutes_of(event.value)
        if minutes:
            self.post_message(self.IntervalChosen(minutes))
        else:
            self._say(f"whole minutes, from 1 to {MOST_MINUTES}", is_wrong=True)

    @on(Input.Submitted, ".peaks Input")
    def _interval_done(self, event: Input.Submitted) -> None:
        event.stop()
        self.focus_table()

    @on(Households.Chosen)
    def _household_chosen(self, event: Households.Chosen) -> None:
        event.stop()
        self.post_message(self.HouseholdChosen(event.house))

    @on(Households.Narrowed)
    def _street_chosen(self, event: Households.Narrowed) -> None:
        event.stop()
        self.query_one(Contracts).narrow(event.street, event.houses)


def _minutes_of(text: str) -> int:
    """Return the averaging interval that a text states, minutes; 0: none that is possible."""
    minutes = whole_number_of(text) or 0
    return minutes if 1 <= minutes <= MOST_MINUTES else 0
