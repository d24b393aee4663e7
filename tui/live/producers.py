"""The producers: what each expects of its day, what it promised, what remains; and their scores."""

from __future__ import annotations

from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult

from scenarios.watch import Watched, WatchedProducer
from tui.live.looks import amount
from tui.live.pane import Pane
from tui.widgets.chart import Chart, Series, Span
from tui.widgets.table import Column, VirtualTable
from tui.widgets.words import Words

DAY_S = 86_400
_BINS = 288


@dataclass(frozen=True, slots=True)
class Row:
    """A producer's day in figures."""

    producer: WatchedProducer
    forecast_wh: float
    committed_wh: float

    @property
    def remaining_wh(self) -> float:
        """What it could still promise."""
        return max(0.0, self.forecast_wh - self.committed_wh)


_COLUMNS: tuple[Column[Row], ...] = (
    Column("producer", lambda row: row.producer.id, most=24),
    Column("house", lambda row: row.producer.house, 12, from_width=70),
    Column(
        "score", lambda row: (str(row.producer.score), "strong"), 6, right=True, sort=lambda row: row.producer.score
    ),
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
    Column("committed", lambda row: amount(row.committed_wh), 10, right=True, sort=lambda row: row.committed_wh),
    Column("remains", lambda row: amount(row.remaining_wh), 10, right=True, sort=lambda row: row.remaining_wh),
)


def day_bounds(watched: Watched) -> tuple[int, int] | None:
    """Return the day of the run that is now: from its start's time of day to the next; None before it has begun."""
    if watched.time is None:
        return None
    now_s = watched.time.time
    first_s = watched.backdrop.start_s
    begin_s = now_s // DAY_S * DAY_S if first_s is None else first_s + max(0, now_s - first_s) // DAY_S * DAY_S
    return begin_s, begin_s + DAY_S


def draw_day(chart: Chart, watched: Watched, producer: WatchedProducer) -> str:
    """Draw a producer's day; return it in words."""
    bounds = day_bounds(watched)
    if bounds is None or watched.time is None:
        return ""
    day = watched.day_of(producer, *bounds, _BINS)
    watts_per_wh = 3600 * _BINS / DAY_S
    chart.show(
        (
            Series("forecast", day.forecast_wh * watts_per_wh, "dots", "forecast"),
            Series("committed", day.committed_wh * watts_per_wh, "area", "committed"),
        ),
        Span(*bounds, watched.backdrop.zone.hours),
        now_s=watched.time.time,
    )
    forecast_wh, committed_wh = float(day.forecast_wh.sum()), float(day.committed_wh.sum())
    share = f" ({committed_wh / forecast_wh:.0%})" if forecast_wh > 0 else ""
    to_come = day.edges_s[1:] > watched.time.time
    text = (
        f"{producer.id}: {amount(forecast_wh)} expected, {amount(committed_wh)} committed{share}, "
        f"{amount(float(day.remaining_wh.sum()))} remain, "
        f"{amount(float(day.remaining_wh[to_come].sum()))} of it to come"
    )
    if day.unknown:
        text += f"; {day.unknown} contracts agreed before we watched are not drawn (start with --scenario to see them)"
    return text


class ProducersPane(Pane):
    """The scoreboard above, the chosen producer's day below."""

    DEFAULT_CSS = """
    ProducersPane #producers { height: 1fr; }
    ProducersPane Chart { height: 2fr; border-top: solid $border; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._watched: Watched | None = None
        self._changes = -1

    def compose(self) -> ComposeResult:
        """Table, chart, words."""
        yield VirtualTable[Row](
            _COLUMNS, key=lambda row: row.producer.id, empty="No producer has joined yet", id="producers"
        )
        yield Chart(empty="Choose a producer to see its day")
        yield Words(classes="detail")

    @property
    def chosen(self) -> WatchedProducer | None:
        """The one under the cursor."""
        row: Row | None = self.query_one("#producers", VirtualTable).row
        return None if row is None else row.producer

    def show(self, watched: Watched) -> None:
        """Draw anew if something changed."""
        self._watched = watched
        if watched.changes == self._changes:
            return
        self._changes = watched.changes
        bounds = day_bounds(watched)
        rows = []
        for producer in sorted(watched.producers.values(), key=lambda p: (p.score, p.id)):
            day = None if bounds is None else watched.day_of(producer, *bounds, 1)
            rows.append(
                Row(producer, 0.0, 0.0) if day is None else Row(producer, day.forecast_wh[0], day.committed_wh[0])
            )
        self.query_one("#producers", VirtualTable).show_rows(rows)
        self._draw()

    def forget(self) -> None:
        """Begin with nothing."""
        self._changes = -1
        self.query_one("#producers", VirtualTable).show_rows([])
        self.query_one(Chart).show((), Span(0, 1))

    def _draw(self) -> None:
        producer = self.chosen
        if producer is not None and self._watched is not None:
            text = draw_day(self.query_one(Chart), self._watched, producer)
            self.query_one(".detail", Words).say(text)

    @on(VirtualTable.Highlighted)
    def _producer_chosen(self) -> None:
        self._draw()
