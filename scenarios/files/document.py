"""A scenario file being edited: each change is spliced into the text in place, and the rest stays untouched.

Comments, order, blank lines and the notation of numbers survive to the byte. A document is immutable: to undo, go back
to the previous one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from scenarios.errors import Problem, ScenarioError
from scenarios.files.dump import block_lines, flow_text, write_text
from scenarios.files.file_reading import read_text
from scenarios.files.problems import KeyPath, YamlValue, path_in_words
from scenarios.files.scenario_from_text import load_text
from scenarios.files.validation import model_at
from scenarios.files.yaml_nodes import MERGE, Entry, Span, lost_anchor, parse_yaml, plain, spans_of
from scenarios.scenario import Scenario

_Splice = tuple[int, int, str]
"""Beginning and end of a piece of text, and what takes its place."""
_END_OF_LINE = re.compile(r"[^\n]*(?:\n|$)")


@dataclass(frozen=True, slots=True)
class Document:
    """Text of a scenario file that is valid YAML; whether it is a valid scenario, see `problems`."""

    text: str
    """The file's content, without a byte order mark."""

    @classmethod
    def open(cls, path: Path) -> Document:
        """Return the document in a file; raise `ScenarioError` where it is not YAML."""
        text = read_text(path, str(path))
        parse_yaml(text, str(path))
        return cls(text)

    def save(self, path: Path) -> os.stat_result:
        """Write the document to a file atomically; return and raise what `write_text` does."""
        return write_text(self.text, path)

    def value(self, path: KeyPath = ()) -> YamlValue:
        """Return the plain value at a path; None if there is none."""
        node: Any = parse_yaml(self.text, "")
        for part in path:
            try:
                node = node[part]
            except (KeyError, IndexError, TypeError):
                return None
        return node

    def problems(self, where: str, folder: Path | None) -> list[Problem]:
        """Return all problems, each with its key path."""
        try:
            self.scenario(where, folder)
        except ScenarioError as error:
            return list(error.problems)
        return []

    def scenario(self, where: str, folder: Path | None, *, allow_outside: bool = False) -> Scenario:
        """Return the scenario that it describes; raise `ScenarioError` if it is invalid.

        See `load_text` for `where`, `folder` and `allow_outside`.
        """
        return load_text(self.text, where, folder, allow_outside=allow_outside)

    def with_value(self, path: KeyPath, value: object) -> Document:
        """Return the document with a new value at a path; a missing key is inserted where the format has it."""
        return self._spliced(self._put(path, value))

    def with_first_values(self, values: Sequence[tuple[KeyPath, object]]) -> tuple[Document, int]:
        """Set the first of several new values, as many as are apart from each other: the text is parsed only once.

        Args:
            values: Key paths and new values, which are to be set in this order; at least one.

        Returns:
            The document, and how many values were set.
        """
        splices, changed, around = list[_Splice](), set[KeyPath](), set[KeyPath]()
        for path, value in values:
            place = path if self._has(path) else path[:-1]
            if place in around or any(place[:length] in changed for length in range(len(place) + 1)):
                break
            splices.append(self._put(path, value))
            changed.add(place)
            around.update(place[:length] for length in range(len(place)))
        return self._spliced(*splices), len(splices)

    def _has(self, path: KeyPath) -> bool:
        """Return whether a value is written at a path, with its own key."""
        span = self._root()
        for part in path:
            entry = span.entry(part)
            if entry is None:
                return False
            span = entry.value
        return True

    def _put(self, path: KeyPath, value: object) -> _Splice:
        parent, key = self._parent(path)
        entry = parent.entry(key)
        if entry is None and isinstance(key, int):
            raise self._error(path, "there is no such item")
        if entry is None:
            return self._new_key(parent, path, value)
        old = entry.value
        if old.kind == "scalar" and not isinstance(value, dict | list):
            gap = " " if self.text[old.start - 1 : old.start] in (":", "-") else ""
            return old.start, old.end, gap + flow_text(value)
        if parent.flow:
            return old.start, old.end, flow_text(value)
        lines = self._entry_lines(parent, key, value)
        first = lines[0].lstrip()
        start = self._dash(parent, key) if parent.kind == "list" else entry.start
        return start, old.end, "\n".join([first, *lines[1:]])

    def with_items(self, path: KeyPath, index: int, values: Sequence[object]) -> Document:
        """Return the document with items inserted into a list, which is created if missing.

        Args:
            path: Key path of the list.
            index: Position of the first new item.
            values: The items, as plain data.

        Raises:
            ScenarioError: The list cannot be edited, for example because it is an alias.
        """
        span = self._at(path)
        if span is None or span.kind != "list" or not span.entries:
            return self.with_value(path, list(values))
        index = max(0, min(index, len(span.entries)))
        if span.flow:
            items = ", ".join(map(flow_text, values))
            if index < len(span.entries):
                start = span.entries[index].start
                return self._spliced((start, start, items + ", "))
            end = span.entries[-1].value.end
            return self._spliced((end, end, ", " + items))
        lines = block_lines(list(values), span.column)
        if index == 0:
            dash = self._dash(span, 0)
            return self._spliced((dash, dash, self._before_first(span, lines)))
        return self._spliced(self._lines_after(span.entries[index - 1].value.end, lines))

    def without(self, path: KeyPath) -> Document:
        """Return the document without the value at `path` and its key."""
        parent, key = self._parent(path)
        entry = parent.entry(key)
        if entry is None and parent.entry(MERGE) is not None:
            raise self._error(path, f"comes from elsewhere in the file ({MERGE}); edit that in the text")
        if entry is None:
            raise self._error(path, "there is no such value")
        index = parent.entries.index(entry)
        if len(parent.entries) == 1:
            return self._emptied(parent, path[:-1])
        if parent.flow:
            if index + 1 < len(parent.entries):
                return self._spliced((entry.start, parent.entries[index + 1].start, ""))
            return self._spliced((parent.entries[index - 1].value.end, entry.value.end, ""))
        start = self._dash(parent, index) if parent.kind == "list" else entry.start
        if not self._begins_line(start):
            # It begins behind the dash of a list: what follows moves up.
            after = parent.entries[index + 1]
            end = self._dash(parent, index + 1) if parent.kind == "list" else after.start
            return self._spliced((start, end, ""))
        return self._spliced(self._whole_lines(start, entry.value.end))

    def without_items(self, path: KeyPath, indexes: Iterable[int]) -> Document:
        """Return the document without some items of a list, as `without` one after the other.

        Args:
            path: Key path of the list.
            indexes: Positions of the items before any of them is removed.
        """
        gone = sorted(set(indexes), reverse=True)
        span = self._at(path)
        if span is not None and span.kind == "list" and not span.flow and len(gone) < len(span.entries):
            starts = [self._dash(span, index) for index in gone]
            if all(map(self._begins_line, starts)):
                ends = [span.entries[index].value.end for index in gone]
                return self._spliced(*map(self._whole_lines, starts, ends))
        document = self
        for index in gone:
            document = document.without((*path, index))
        return document

    def _begins_line(self, at: int) -> bool:
        return not self.text[self.text.rfind("\n", 0, at) + 1 : at].strip()

    def _whole_lines(self, start: int, end: int) -> _Splice:
        """Return what removes the lines from that of one position to that of another."""
        return self.text.rfind("\n", 0, start) + 1, self._line_end(end), ""

    def _emptied(self, parent: Span, path: KeyPath) -> Document:
        empty: object = [] if parent.kind == "list" else {}
        if not path:
            raise self._error(path, "the last key cannot be removed")
        return self._spliced((parent.start, parent.end, str(empty))) if parent.flow else self.with_value(path, empty)

    def _new_key(self, parent: Span, path: KeyPath, value: object) -> _Splice:
        key = str(path[-1])
        if parent.kind != "mapping":
            raise self._error(path, "there is no mapping")
        before = self._key_before(parent, path)
        if parent.flow:
            pair = f"{flow_text(key)}: {flow_text(value)}"
            if not parent.entries:
                return parent.start + 1, parent.end - 1, pair
            if before is None:
                start = parent.entries[0].start
                return start, start, pair + ", "
            return before.value.end, before.value.end, ", " + pair
        lines = self._entry_lines(parent, key, value)
        if before is None:
            start = parent.entries[0].start
            return start, start, self._before_first(parent, lines)
        return self._lines_after(before.value.end, lines)

    def _before_first(self, parent: Span, lines: Sequence[str]) -> str:
        return "\n".join([lines[0].lstrip(), *lines[1:]]) + "\n" + " " * parent.column

    def _key_before(self, parent: Span, path: KeyPath) -> Entry | None:
        """Return the entry after which a key belongs; the last one if the format has no such key."""
        try:
            order = list(model_at(cast("dict[str, Any]", plain(self._root())), path[:-1]).model_fields)
        except (TypeError, KeyError, IndexError, AttributeError):
            # What is above it is not what the format has there.
            order = []
        if path[-1] not in order:
            return parent.entries[-1] if parent.entries else None
        known = order[: order.index(str(path[-1]))]
        before = [entry for entry in parent.entries if entry.key in known]
        return max(before, key=lambda entry: entry.start, default=None)

    def _entry_lines(self, parent: Span, key: str | int, value: object) -> list[str]:
        content: dict[str, Any] | list[Any] = [value] if parent.kind == "list" else {str(key): value}
        return block_lines(content, parent.column)

    def _lines_after(self, end: int, lines: Sequence[str]) -> _Splice:
        at = self._line_end(end)
        text = "\n".join(lines) + "\n"
        return at, at, text if self.text[at - 1 : at] == "\n" else "\n" + text

    def _dash(self, span: Span, index: str | int) -> int:
        """Return the position of the dash of a list item."""
        if not isinstance(index, int) or index == 0:
            return span.start
        at = self._line_end(span.entries[index - 1].value.end)
        while self.text[at : at + span.column].strip() or self.text[at + span.column] != "-":
            at = self._line_end(at)
        return at + span.column

    def _line_end(self, at: int) -> int:
        """Return the position of the beginning of the next line."""
        found = _END_OF_LINE.match(self.text, at)
        return found.end() if found else len(self.text)

    def _root(self) -> Span:
        return spans_of(self.text)

    def _at(self, path: KeyPath) -> Span | None:
        span = self._root()
        for part in path:
            entry = span.entry(part)
            if entry is None:
                return None
            span = entry.value
            if span.kind == "alias":
                raise self._error(path, "stands for something elsewhere in the file (an alias); edit that in the text")
        return span

    def _parent(self, path: KeyPath) -> tuple[Span, str | int]:
        if not path:
            raise self._error(path, "a key is expected")
        parent = self._at(path[:-1])
        if parent is None:
            raise self._error(path[:-1], "there is no such value")
        return parent, path[-1]

    def _spliced(self, *splices: _Splice) -> Document:
        """Return the document with pieces of its text replaced; none of them overlaps another."""
        line_end = "\r\n" if "\r\n" in self.text else "\n"
        pieces: list[str] = []
        done = 0
        for start, end, text in sorted(splices):
            pieces += self.text[done:start], text.replace("\n", line_end)
            done = end
        changed = "".join((*pieces, self.text[done:]))
        takes_anchor = any("&" in self.text[start:end] for start, end, _ in splices)
        if takes_anchor and (lost := lost_anchor(changed)):
            what = f"*{lost} elsewhere in the file stands for it; edit that in the text first"
            raise ScenarioError([Problem(f"&{lost}", what)])
        return Document(changed)

    def _error(self, path: KeyPath, what: str) -> ScenarioError:
        return ScenarioError([Problem(path_in_words(path) or "the file", what, path)])
