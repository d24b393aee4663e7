"""The stream of messages, with filters and search."""

from __future__ import annotations

import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, overload

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Select
from typing_extensions import override

from broker import printable_line
from scenarios import Zone
from scenarios.monitor import KINDS, MessageLog, MessageSummary, ObservedRun, shown_agent
from tui.monitor.pane import Pane, clock, kind_cell, kind_word
from tui.shell import ChooseOne
from tui.street_groups import MOST_LISTED
from tui.widgets import Column, PlainText, VirtualTable


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter of messages: all criteria must match; empty ones match everything."""

    house: str = ""
    producers_of_house: frozenset[str] = frozenset()
    producer: str = ""
    kind: str = ""
    job: str = ""
    """Substring of the job's id, case-insensitive."""
    text: str = ""
    """Substring of sender, recipient, job, kind or summary, case-insensitive."""
    zone: Zone = field(default_factory=Zone)
    """Zone of the times in summaries."""

    @property
    def is_open(self) -> bool:
        """Whether every message matches."""
        return not (self.house or self.producer or self.kind or self.job or self.text)

    def __call__(self, line: MessageSummary) -> bool:
        """Return whether a message matches."""
        if self.kind and line.kind != self.kind:
            return False
        if self.producer and not line.involves(self.producer):
            return False
        if self.house and not line.involves_house(self.house, self.producers_of_house):
            return False
        if self.job and self.job.casefold() not in line.job_id.casefold():
            return False
        if not self.text:
            return True
        wanted = self.text.casefold()
        names = (line.sender, line.to, shown_agent(line.sender), shown_agent(line.to))
        return any(wanted in part.casefold() for part in (line.said(self.zone), *names, line.job_id, line.kind))


_PART = 500
"""Messages examined between two checks of the time budget."""


class SearchResults(Sequence[MessageSummary]):
    """Search results as a lazy sequence: numbers of messages, fetched when accessed."""

    def __init__(self, stream: MessageLog, numbers: Sequence[int]) -> None:
        """Make it.

        Args:
            stream: The messages.
            numbers: Message numbers, ascending; later additions to the list are not part of this.
        """
        self._stream = stream
        self._numbers = numbers
        self._size = len(numbers)

    def position(self, key: object) -> int | None:
        """Return the index of the message with a number, or the nearest; None if there is no message."""
        if not self._size or not isinstance(key, int):
            return None
        return min(bisect_left(self._numbers, key, 0, self._size), self._size - 1)

    @overload
    def __getitem__(self, index: int) -> MessageSummary: ...
    @overload
    def __getitem__(self, index: slice) -> list[MessageSummary]: ...
    def __getitem__(self, index: int | slice) -> MessageSummary | list[MessageSummary]:
        if isinstance(index, slice):
            return [self._stream.get(self._numbers[i]) for i in range(*index.indices(self._size))]
        if not -self._size <= index < self._size:
            raise IndexError(index)
        return self._stream.get(self._numbers[index % self._size])

    def __len__(self) -> int:
        return self._size

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(MessageSummary.__eq__, self, other))

    # Equal to lists, and unhashable like them.
    __hash__ = None  # type: ignore[assignment]  # it changes, so it has no hash


class Search:
    """An incremental search of the stream with one filter."""

    def __init__(self, stream: MessageLog, wanted: Callable[[MessageSummary], bool] | None) -> None:
        """Begin.

        Args:
            stream: The messages to search.
            wanted: Predicate for a match; None: all match.
        """
        self._stream = stream
        self._wanted = wanted
        self._numbers = array("I")
        self._next = stream.total
        """From here on nothing was looked at yet."""
        self._before = stream.total
        """Nor before this."""

    @property
    def is_done(self) -> bool:
        """Whether all messages have been examined."""
        return self._wanted is None or self._before <= self._stream.first

    def go_on(self, budget_wall_s: float) -> SearchResults:
        """Search new messages, then older ones for a limited time; return the matches so far."""
        stream, wanted = self._stream, self._wanted
        if wanted is None:
            return SearchResults(stream, range(stream.first, stream.total))
        until_wall_s = time.perf_counter() + budget_wall_s
        self._numbers.extend(line.number for line in stream.since(self._next) if wanted(line))
        self._next = stream.total
        parts: list[list[int]] = []
        while not self.is_done:
            begin = max(stream.first, self._before - _PART)
            parts.append([line.number for line in stream.between(begin, self._before) if wanted(line)])
            self._before = begin
            if time.perf_counter() >= until_wall_s:
                break
        if any(parts):
            self._numbers = array("I", [number for part in reversed(parts) for number in part]) + self._numbers
        gone = bisect_left(self._numbers, stream.first)
        if gone:
            self._numbers = self._numbers[gone:]
        return SearchResults(stream, self._numbers)


def _columns(zone: Zone) -> tuple[Column[MessageSummary], ...]:
    return (
        Column("day", lambda line: (zone.day(line.time_s), "muted"), 6, from_width=100),
        Column("time", lambda line: clock(zone, line.time_s), 8),
        Column("r", lambda line: (str(line.round), "muted"), 2, right=True, from_width=90),
        Column("from", lambda line: shown_agent(line.sender), 18, 14, wide=22, is_id=True, from_width=60),
        Column("to", lambda line: shown_agent(line.to), 18, 14, wide=22, is_id=True, from_width=60),
        Column("kind", lambda line: kind_cell(line.kind), 14),
        Column("job", lambda line: (line.job_id, "muted"), 18, wide=24, is_id=True, from_width=118),
        Column("what it says", lambda line: line.said(zone)),
    )


_SEARCH_WALL_S = 0.01
"""Time slice for searching older messages."""
_PAUSE_WALL_S = 0.01
"""Pause between two slices, for key presses."""
_OTHERS = "\0others"
"""Stands for all houses or producers that are not offered, as there are too many; no id is like it."""


class JobChosen(Message):
    """A job's negotiation was requested."""

    def __init__(self, job_id: str) -> None:
        super().__init__()
        self.job_id = job_id


class MessagesPane(Pane):
    """The pane of all messages between agents."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "find", "Find", key_display="/", tooltip="Find messages by a text"),
        Binding("F", "filters", "Filter", tooltip="Filter by house, producer, kind, job"),
        Binding("escape", "clear", "Clear filter", show=False),
    ]
    DEFAULT_CSS = """
    MessagesPane .filters { height: 1; background: $surface; }
    MessagesPane .filters Select { width: 1fr; }
    MessagesPane .filters Input { width: 1fr; background: $boost; }
    MessagesPane .filters #text { width: 2fr; }
    MessagesPane .filters > * { margin-right: 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._filter = Filter()
        self._search: Search | None = None
        self._watched: ObservedRun | None = None
        self._choices: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    def compose(self) -> ComposeResult:
        """Yield filters, table, and the selected message in full."""
        with Horizontal(classes="filters"):
            yield Select[str]([], prompt="house", id="house", compact=True)
            yield Select[str]([], prompt="producer", id="producer", compact=True)
            yield Select[str]([(kind_word(kind), kind) for kind in KINDS], prompt="kind", id="kind", compact=True)
            yield Input(placeholder="job", id="job", compact=True)
            yield Input(placeholder="find a text", id="text", compact=True)
        yield VirtualTable[MessageSummary](
            _columns(Zone()),
            key=lambda line: line.number,
            empty="No message yet",
            follow=True,
            sortable=False,
            id="messages",
        )
        yield PlainText(classes="detail")

    @property
    def table(self) -> VirtualTable[MessageSummary]:
        """The list itself; the detail beside it follows its cursor."""
        return self.query_one("#messages", VirtualTable)

    # Drawing.

    def show(self, watched: ObservedRun) -> None:
        """Add new messages."""
        self._watched = watched
        self._offer(watched)
        search = self._search
        if search is None:
            search = self._search = Search(watched.lines, None if self._filter.is_open else self._filter)
        self.table.show_rows(search.go_on(_SEARCH_WALL_S))
        if not search.is_done:
            self.set_timer(_PAUSE_WALL_S, lambda: self._look_further(search))
        elif not self.table.rows and watched.lines.total:
            self.query_one(".detail", PlainText).say("No message matches the filter. Escape clears it.")
        self._count(watched)

    def _look_further(self, search: Search) -> None:
        if search is self._search and self._watched is not None:
            self.show(self._watched)

    def forget(self) -> None:
        """Clear the list."""
        self._search = None
        self.table.show_rows([])

    @override
    def show_times(self, zone: Zone) -> None:
        super().show_times(zone)
        self._filter = replace(self._filter, zone=zone)
        self.table.columns = _columns(zone)

    def _count(self, watched: ObservedRun) -> None:
        shown, stream = len(self.table.rows), watched.lines
        text = f"{shown:,} of {stream.total:,} messages"
        if self._search is not None and not self._search.is_done:
            text += ", still looking"
        if stream.dropped:
            text += f", the oldest {stream.dropped:,} are in the results file only"
        if watched.missing:
            text += f", {watched.missing:,} missed"
        self.table.border_subtitle = text

    def _offer(self, watched: ObservedRun) -> None:
        choices = (tuple(watched.houses()), tuple(sorted(watched.producers)))
        if choices == self._choices:
            return
        before, self._choices = self._choices, choices
        for i, name in enumerate(("house", "producer")):
            if choices[i] != before[i]:
                self._list(name, choices[i], self._chosen(name))

    def _list(self, name: str, ids: Sequence[str], chosen: str) -> None:
        """Offer ids in a filter; where they are too many, the chosen one and a search."""
        select: Select[str] = self.query_one(f"#{name}", Select)
        listed = ids if len(ids) <= MOST_LISTED else [id_ for id_ in ids if id_ == chosen]
        options = [(Text(printable_line(id_)), id_) for id_ in listed]
        if len(ids) > MOST_LISTED:
            options.append((Text(f"find one of {len(ids):,} ..."), _OTHERS))
        with self.prevent(Select.Changed):
            select.set_options(options)
            if chosen in listed:
                select.value = chosen

    # What is asked for.

    @on(Select.Changed)
    def _choice_changed(self, event: Select.Changed) -> None:
        event.stop()
        if event.value == _OTHERS:
            self._find_other(event.select.id or "")
        else:
            self._filter_changed()

    def _find_other(self, name: str) -> None:
        """Let the user find one of many houses or producers to filter by."""
        ids, before = (
            self._choices[name == "producer"],
            self._filter.house if name == "house" else self._filter.producer,
        )

        def chosen(id_: str | None) -> None:
            self._list(name, ids, before if id_ is None else id_)
            if id_ is None and not before:
                with self.prevent(Select.Changed):
                    self.query_one(f"#{name}", Select).clear()
            self._filter_changed()

        names = {} if self._watched is None else self._watched.scenario_context.houses
        self.app.push_screen(ChooseOne(name, [(id_, names.get(id_, "")) for id_ in ids]), chosen)

    @on(Input.Changed)
    def _filter_changed(self) -> None:
        house = self._chosen("house")
        watched = self._watched
        self._filter = Filter(
            house=house,
            producers_of_house=watched.producers_of(house) if watched is not None and house else frozenset(),
            producer=self._chosen("producer"),
            kind=self._chosen("kind"),
            job=self.query_one("#job", Input).value.strip(),
            text=self.query_one("#text", Input).value.strip(),
            zone=self.zone,
        )
        self._search = None
        self.query_one(".detail", PlainText).say("")
        if watched is not None:
            self.show(watched)

    def _chosen(self, name: str) -> str:
        value: Any = self.query_one(f"#{name}", Select).value
        return value if isinstance(value, str) and value != _OTHERS else ""

    @on(Input.Submitted)
    def _found(self) -> None:
        self.table.focus()

    @on(VirtualTable.Highlighted)
    def _explain(self, event: VirtualTable.Highlighted) -> None:
        line: MessageSummary = event.row
        job = f"  job {line.job_id}" if line.job_id else ""
        self.query_one(".detail", PlainText).say(
            f"{shown_agent(line.sender)} to {shown_agent(line.to)}: {line.said(self.zone)}{job}"
        )

    @on(VirtualTable.Chosen)
    def _open_job(self, event: VirtualTable.Chosen) -> None:
        event.stop()
        if event.row.job_id:
            self.post_message(JobChosen(event.row.job_id))

    def action_find(self) -> None:
        """Focus the search field."""
        self.query_one("#text", Input).focus()

    def action_filters(self) -> None:
        """Focus the first filter."""
        self.query_one("#house", Select).focus()

    def action_clear(self) -> None:
        """Clear the filter."""
        for select in self.query(Select):
            select.clear()
        for field_for_text in self.query(Input):
            field_for_text.value = ""
        self.table.focus()
