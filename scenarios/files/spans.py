"""Where each value of a YAML text stands, to the character: what editing a text in place needs to know."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import yaml

from scenarios.files.yaml_tree import events, resolve


@dataclass(slots=True)
class Span:
    """A value and its place in the text, from its first character to behind its last."""

    kind: Literal["scalar", "list", "mapping", "alias"]
    start: int
    end: int
    column: int
    """Of its first character."""
    flow: bool = True
    """A list or mapping in brackets; else one in lines of its own."""
    value: object = None
    """Of a scalar."""
    entries: list[Entry] = field(default_factory=list)

    def entry(self, key: str | int) -> Entry | None:
        """Return the entry with this key or index."""
        if self.kind == "list" and isinstance(key, int):
            return self.entries[key] if 0 <= key < len(self.entries) else None
        if self.kind == "mapping":
            return next((entry for entry in self.entries if entry.key == key), None)
        return None


@dataclass(slots=True)
class Entry:
    """An item of a list or a pair of a mapping."""

    key: str | None
    start: int
    """Of its key, or of its value in a list."""
    value: Span


@dataclass(slots=True)
class _Open:
    span: Span
    key: str | None = None
    key_start: int | None = None


@lru_cache(maxsize=2)
def spans_of(text: str) -> Span:
    """Return the root of a valid YAML text (`yaml_tree.parse` says whether it is one). Not to be changed."""
    builder = _Builder(text)
    for event in events(text):
        builder.take(event)
    if builder.root is None:
        raise ValueError("an empty text has no values")
    return builder.root


@dataclass(slots=True)
class _Builder:
    text: str
    root: Span | None = None
    stack: list[_Open] = field(default_factory=list)

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.AliasEvent):
            start, column, end = _marks(event)
            self._add(Span("alias", start, end, column))
            self._close_entry(end)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            start, column, end = _marks(event)
            kind: Literal["list", "mapping"] = "mapping" if isinstance(event, yaml.MappingStartEvent) else "list"
            span = Span(kind, start, end, column, flow=bool(event.flow_style))
            self._add(span)
            self.stack.append(_Open(span))
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            span = self.stack.pop().span
            if span.flow:
                span.end = _marks(event)[2]
            self._close_entry(span.end)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        span = _scalar(event, self.text)
        top = self.stack[-1] if self.stack else None
        if top is not None and top.span.kind == "mapping" and top.key_start is None:
            top.key, top.key_start = event.value, span.start
        else:
            self._add(span)
            self._close_entry(span.end)

    def _add(self, span: Span) -> None:
        if not self.stack:
            self.root = span
            return
        top = self.stack[-1]
        start = span.start if top.key_start is None else top.key_start
        top.span.entries.append(Entry(top.key, start, span))

    def _close_entry(self, end: int) -> None:
        if self.stack:
            top = self.stack[-1]
            top.key, top.key_start = None, None
            if not top.span.flow:
                top.span.end = end


def _scalar(event: yaml.ScalarEvent, text: str) -> Span:
    start, column, end = _marks(event)
    while end > start and text[end - 1] in " \r\n":
        # A block scalar goes on to where the next token begins.
        end -= 1
    value = resolve(event.value) if event.implicit[0] else event.value
    return Span("scalar", start, end, column, value=value)


def _marks(event: yaml.Event) -> tuple[int, int, int]:
    start, end = event.start_mark, event.end_mark
    assert start is not None  # noqa: S101 - a parser's events have marks
    assert end is not None  # noqa: S101 - as above
    return start.index, start.column, end.index


def plain(span: Span) -> object:
    """Return the plain value of a span; an alias is None."""
    if span.kind == "list":
        return [plain(entry.value) for entry in span.entries]
    if span.kind == "mapping":
        return {str(entry.key): plain(entry.value) for entry in span.entries}
    return span.value
