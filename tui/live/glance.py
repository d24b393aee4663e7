"""At the side of wide screens: the scoreboard and the chosen producer's day."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult

from scenarios.monitor.producers import WatchedProducer
from scenarios.monitor.run_state import Watched
from tui.live.pane import Pane
from tui.live.producers import draw_day
from tui.widgets.chart import Chart, Span
from tui.widgets.table import Column, VirtualTable
from tui.widgets.words import Words

_COLUMNS: tuple[Column[WatchedProducer], ...] = (
    Column("producer", lambda producer: producer.id, is_id=True),
    Column("score", lambda producer: (str(producer.score), "strong"), 5, right=True),
    Column("✓ yes", lambda producer: (str(producer.accepted), "ok"), 5, right=True),
    Column("✗ no", lambda producer: (str(producer.declined), "bad"), 5, right=True),
)


class Glance(Pane):
    """The lowest score is asked first."""

    DEFAULT_CSS = """
    Glance { width: 32%; min-width: 36; max-width: 46; border-left: solid $border; }
    Glance #scores { height: 1fr; }
    Glance Chart { height: 14; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._watched: Watched | None = None
        self._changes = -1

    def compose(self) -> ComposeResult:
        """Table, chart, words."""
        yield VirtualTable[WatchedProducer](
            _COLUMNS, key=lambda producer: producer.id, empty="No producer has joined yet", id="scores"
        )
        yield Chart(empty="No forecast yet")
        yield Words(classes="detail")

    def show(self, watched: Watched) -> None:
        """Draw anew if something changed."""
        self._watched = watched
        if watched.changes != self._changes:
            self._changes = watched.changes
            producers = sorted(watched.producers.values(), key=lambda producer: (producer.score, producer.id))
            self.query_one("#scores", VirtualTable).show_rows(producers)
            self._draw()

    def forget(self) -> None:
        """Begin with nothing."""
        self._changes = -1
        self.query_one("#scores", VirtualTable).show_rows([])
        self.query_one(Chart).show((), Span(0, 1))

    def _draw(self) -> None:
        producer: WatchedProducer | None = self.query_one("#scores", VirtualTable).row
        if producer is not None and self._watched is not None:
            self.query_one(".detail", Words).say(draw_day(self.query_one(Chart), self._watched, producer, self.zone))

    @on(VirtualTable.Highlighted)
    def _producer_chosen(self) -> None:
        self._draw()
