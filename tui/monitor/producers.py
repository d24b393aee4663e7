"""Producers: scoreboard and day chart, as a pane and as a sidebar of wide screens."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from broker import plural
from scenarios import Zone
from scenarios.monitor import ObservedProducer, ObservedRun
from tui.monitor.pane import Pane, amount
from tui.widgets import COMMITTED, FORECAST, Cell, Chart, Column, PlainText, TimeAxis, VirtualTable, drawn

_BINS = 288


class ProducerRow:
    """A producer's day in figures, computed when they are drawn or sorted by: there may be thousands of producers."""

    def __init__(self, producer: ObservedProducer, watched: ObservedRun, bounds: tuple[int, int] | None) -> None:
        """Make it.

        Args:
            producer: The producer.
            watched: The run.
            bounds: Begin and end of the day, UNIX seconds; None: the run has not begun.
        """
        self.producer = producer
        self._watched = watched
        self._bounds = bounds

    @cached_property
    def _day(self) -> tuple[float, float, int]:
        if self._bounds is None:
            return 0.0, 0.0, 0
        day = self._watched.day_of(self.producer, *self._bounds, 1)
        return float(day.forecast_wh[0]), float(day.committed_wh[0]), day.unknown

    @property
    def forecast_wh(self) -> float:
        """Energy of the newest forecast, Wh."""
        return self._day[0]

    @property
    def committed_wh(self) -> float:
        """Energy that it has promised, Wh, as far as the load profiles of its jobs are known."""
        return self._day[1]

    @property
    def committed(self) -> str:
        """What it has promised, in words: at least so much if the load profile of a job is not known."""
        return f"{'≥ ' if self._day[2] else ''}{amount(self.committed_wh)}"

    @property
    def remaining(self) -> str:
        """What is not committed yet, in words: at most so much if the load profile of a job is not known."""
        return f"{'≤ ' if self._day[2] else ''}{amount(self.remaining_wh)}"

    @property
    def remaining_wh(self) -> float:
        """Forecast energy that is not committed yet, Wh."""
        return max(0.0, self.forecast_wh - self.committed_wh)


def _score(producer: ObservedProducer) -> Cell:
    return (str(producer.score), "strong") if producer.is_score_known else ("?", "muted")


_COLUMNS: tuple[Column[ProducerRow], ...] = (
    Column("producer", lambda row: row.producer.id, is_id=True, most=40),
    Column("house", lambda row: row.producer.house, 12, wide=18, from_width=100),
    Column("score", lambda row: _score(row.producer), 6, right=True, sort=lambda row: row.producer.score),
    Column(
        "✓ yes", lambda row: (str(row.producer.accepted), "ok"), 5, right=True, sort=lambda row: row.producer.accepted
    ),
    Column(
        "✗ no", lambda row: (str(row.producer.declined), "bad"), 5, right=True, sort=lambda row: row.producer.declined
    ),
    Column(
        "jobs",
        lambda row: str(len(row.producer.contracts)),
        4,
        right=True,
        sort=lambda row: len(row.producer.contracts),
    ),
    Column("forecast", lambda row: amount(row.forecast_wh), 10, right=True, sort=lambda row: row.forecast_wh),
    Column("committed", lambda row: row.committed, 11, right=True, sort=lambda row: row.committed_wh),
    Column("free", lambda row: row.remaining, 11, right=True, sort=lambda row: row.remaining_wh),
)


def day_bounds(watched: ObservedRun, zone: Zone, ago: int) -> tuple[int, int] | None:
    """Return a day of the run, starting at the run's time of day (midnight if the start is unknown).

    Args:
        watched: The observed run.
        zone: The zone by whose clocks days begin; a day on which they change has 23 or 25 hours.
        ago: 0: the day that is now; in a run that is over its last one, also where the clock stands at its very end,
            or beyond the last forecast and job. 1: the day before, and so on.

    Returns:
        Begin and end, UNIX seconds; None before the run has begun.
    """
    if watched.time is None:
        return None
    now_s = watched.time.now_s
    if watched.time.state in {"ended", "failed"}:
        ends_s = watched.ends_of_plans()
        now_s = min(now_s, max(ends_s, default=now_s)) - 1
    first_s = watched.scenario_context.start_s
    if first_s is None:
        first_s = zone.midnight_s(now_s)
    day = zone.full_days(first_s, max(first_s, now_s)) - ago
    return zone.days_later_s(first_s, day), zone.days_later_s(first_s, day + 1)


def draw_day(chart: Chart, watched: ObservedRun, producer: ObservedProducer, zone: Zone, ago: int = 0) -> str:
    """Draw a producer's day; return its description.

    Args:
        chart: The chart to draw in.
        watched: The observed run.
        producer: The producer to draw.
        zone: Display zone of times.
        ago: See `day_bounds`.
    """
    bounds = day_bounds(watched, zone, ago)
    if bounds is None or watched.time is None:
        return ""
    day = watched.day_of(producer, *bounds, _BINS)
    watts_per_wh = 3600 * _BINS / (bounds[1] - bounds[0])
    chart.show(
        (
            drawn(FORECAST, day.forecast_wh * watts_per_wh),
            drawn(COMMITTED, day.committed_wh * watts_per_wh),
        ),
        TimeAxis(*bounds, zone),
        now_s=watched.time.now_s,
        marks=watched.events_between(*bounds),
    )
    forecast_wh, committed_wh = float(day.forecast_wh.sum()), float(day.committed_wh.sum())
    share = f" ({committed_wh / forecast_wh:.0%})" if forecast_wh > 0 else ""
    to_come = day.edges_s[1:] > watched.time.now_s
    text = (
        f"{producer.id}, {zone.day(bounds[0])}: {amount(forecast_wh)} forecast, "
        f"{amount(committed_wh)} committed{share}, {amount(float(day.remaining_wh.sum()))} free"
    )
    if watched.time.state not in {"ended", "failed"} and to_come.any():
        text += f", of which {amount(float(day.remaining_wh[to_come].sum()))} still ahead"
    if day.unknown:
        agreed = plural(day.unknown, "contract")
        text += f"; {agreed} from before you joined not shown (start watch with --scenario to see them)"
    return text


class ProducersPane(Pane):
    """The scoreboard, and the selected producer's day."""

    DEFAULT_CSS = """
    ProducersPane #producers { height: 1fr; }
    ProducersPane Chart { height: 2fr; border-top: solid $border; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left_curly_bracket", "day(1)", "Previous day", show=False, tooltip="Show the producers a day earlier"),
        Binding("right_curly_bracket", "day(-1)", "Next day", show=False, tooltip="Show the producers a day later"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._watched: ObservedRun | None = None
        self._changes = -1
        self._ago = 0

    def compose(self) -> ComposeResult:
        """Table, chart, words."""
        yield VirtualTable[ProducerRow](
            _COLUMNS, key=lambda row: row.producer.id, empty="No producer has joined yet", id="producers"
        )
        yield Chart(empty="Choose a producer to see its day")
        yield PlainText(classes="detail")

    @property
    def chosen(self) -> ObservedProducer | None:
        """The one under the cursor."""
        row: ProducerRow | None = self.query_one("#producers", VirtualTable).row
        return None if row is None else row.producer

    def show(self, watched: ObservedRun) -> None:
        """Redraw if something changed."""
        self._watched = watched
        if watched.changes == self._changes:
            return
        self._changes = watched.changes
        bounds = day_bounds(watched, self.zone, self._ago)
        ordered = sorted(watched.producers.values(), key=lambda p: (p.score, p.id))
        rows = [ProducerRow(producer, watched, bounds) for producer in ordered]
        self.query_one("#producers", VirtualTable).show_rows(rows)
        self._draw()

    def forget(self) -> None:
        """Clear the pane."""
        self._changes, self._ago = -1, 0
        self.query_one("#producers", VirtualTable).show_rows([])
        self.query_one(Chart).show((), TimeAxis(0, 1))

    def _draw(self) -> None:
        producer = self.chosen
        if producer is not None and self._watched is not None:
            text = draw_day(self.query_one(Chart), self._watched, producer, self.zone, self._ago)
            self.query_one(".detail", PlainText).say(text)

    def action_day(self, by: int) -> None:
        """Show the day before (1), or after (-1); not before the run's first day, nor after the one that is now."""
        watched = self._watched
        before = None if watched is None else day_bounds(watched, self.zone, self._ago + by)
        if watched is None or before is None or self._ago + by < 0:
            return
        first_s = watched.first_s
        if by > 0 and first_s is not None and before[1] <= first_s:
            return
        self._ago += by
        self._changes = -1
        self.show(watched)

    @on(VirtualTable.Highlighted)
    def _producer_chosen(self) -> None:
        self._draw()


_GLANCE_COLUMNS: tuple[Column[ObservedProducer], ...] = (
    Column("producer", lambda producer: producer.id, is_id=True),
    Column("score", _score, 5, right=True),
    Column("✓ yes", lambda producer: (str(producer.accepted), "ok"), 5, right=True),
    Column("✗ no", lambda producer: (str(producer.declined), "bad"), 5, right=True),
)


class ProducersSidebar(Pane):
    """Sidebar: scores (the lowest is asked first) and one producer's day."""

    DEFAULT_CSS = """
    ProducersSidebar { width: 32%; min-width: 36; max-width: 46; border-left: solid $border; }
    ProducersSidebar #scores { height: 1fr; }
    ProducersSidebar Chart { height: 14; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._watched: ObservedRun | None = None
        self._changes = -1

    def compose(self) -> ComposeResult:
        """Table, chart, words."""
        yield VirtualTable[ObservedProducer](
            _GLANCE_COLUMNS, key=lambda producer: producer.id, empty="No producer has joined yet", id="scores"
        )
        yield Chart(empty="No forecast yet")
        yield PlainText(classes="detail")

    def show(self, watched: ObservedRun) -> None:
        """Redraw if something changed."""
        self._watched = watched
        if watched.changes != self._changes:
            self._changes = watched.changes
            producers = sorted(watched.producers.values(), key=lambda producer: (producer.score, producer.id))
            self.query_one("#scores", VirtualTable).show_rows(producers)
            self._draw()

    def forget(self) -> None:
        """Clear the pane."""
        self._changes = -1
        self.query_one("#scores", VirtualTable).show_rows([])
        self.query_one(Chart).show((), TimeAxis(0, 1))

    def _draw(self) -> None:
        producer: ObservedProducer | None = self.query_one("#scores", VirtualTable).row
        if producer is not None and self._watched is not None:
            self.query_one(".detail", PlainText).say(
                draw_day(self.query_one(Chart), self._watched, producer, self.zone)
            )

    @on(VirtualTable.Highlighted)
    def _producer_chosen(self) -> None:
        self._draw()
