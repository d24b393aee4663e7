"""The position of each value in a YAML text, to the character, for editing a text in place.

`yaml.compose`, whose nodes have positions, is not used, for four reasons. It builds the whole tree before anything can
reject it, and its recursion in C ends the process with a segmentation fault at 100,000 nested lists (100 kB); events
let the reader stop at the first value that is too deep. It rejects an anchor that is defined twice, which YAML allows.
With it, a syntax error hides every problem on the lines before. And a check would take more than twice as long (for 1.4
MB, 3.4 s with a bare walk instead of 1.3 s).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import yaml

from scenarios.errors import Problem, ScenarioError
from scenarios.files.problems import MOST_PROBLEMS, TOO_MANY, YamlValue

MAX_NODES = 5_000_000
"""That aliases may stand for, in one document. What is written out has no limit but the size of a file: six panels in
the minutes of a year are more."""
MOST_KEYS = 1_000
"""In one mapping, the names of load profiles aside; the format has at most a dozen."""
MERGE = "<<"
"""The key of YAML 1.1 whose mappings are merged into the one that it stands in."""
MAX_DEPTH = 50
"""A scenario needs seven."""

_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,29})", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_WORDS: dict[str, bool | float | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((sign + word for sign in ("", "+") for word in (".inf", ".Inf", ".INF")), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


_FIRST_OF_WORD_OR_NUMBER = frozenset({"", *"~nNtTfF+-.0123456789"})


class YamlMapping(dict[str, Any]):
    """A YAML mapping; keys are text as written."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}


class YamlSequence(list[Any]):
    """A YAML sequence; items that were taken out (`without`) leave the places of the others as they were."""

    __slots__ = ("line", "lines", "places")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: list[int] = []
        self.places: list[int] | None = None

    def without(self, index: int) -> None:
        """Remove an item, with its line and its place."""
        if self.places is None:
            self.places = list(range(len(self)))
        for column in (self, self.lines, self.places):
            del column[index]


def copied(node: YamlMapping | YamlSequence) -> Any:  # noqa: ANN401 - of the same class
    """Return a copy of a mapping or sequence, to be changed on its own; the values in it are the same objects."""
    if isinstance(node, YamlMapping):
        mapping = YamlMapping(node.line)
        mapping.update(node)
        mapping.lines = dict(node.lines)
        return mapping
    sequence = YamlSequence(node.line)
    sequence += node
    sequence.lines = list(node.lines)
    sequence.places = None if node.places is None else list(node.places)
    return sequence


@dataclass(slots=True)
class _Open:
    """A collection that is being read."""

    node: YamlMapping | YamlSequence
    anchor: str | None
    nodes_before: int
    key: str | None = None
    key_line: int = 0
    skip_value: bool = False


@dataclass(slots=True)
class _Builder:
    """Makes data of parser events, one document."""

    where: str
    problems: list[Problem] = field(default_factory=list)
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[Any, int]] = field(default_factory=dict)
    nodes: int = 0
    """So far, aliases expanded."""
    aliased: int = 0
    """How many of them aliases stand for."""
    root: Any = None
    documents: int = 0

    def problem(self, line: int, what: str) -> None:
        self.problems.append(Problem(f"{self.where}:{line}", what))
        if len(self.problems) >= MOST_PROBLEMS:
            raise ScenarioError([*self.problems[: MOST_PROBLEMS - 1], Problem(self.where, TOO_MANY)])

    def take(self, event: yaml.Event) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 0
        # The most frequent ones first: a large file has a million.
        if isinstance(event, yaml.ScalarEvent):
            self.nodes += 1
            self._scalar(event, line)
        elif isinstance(event, yaml.CollectionStartEvent):
            self.nodes += 1
            self._open(event, line)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close()
        elif isinstance(event, yaml.AliasEvent):
            self._alias(str(event.anchor), line)
        elif isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise ScenarioError([Problem(f"{self.where}:{line}", "a second document; a file holds one scenario")])

    def _count_alias(self, line: int, nodes: int) -> None:
        self.nodes += nodes
        self.aliased += nodes
        if self.aliased > MAX_NODES:
            raise ScenarioError(
                [Problem(f"{self.where}:{line}", f"more than {MAX_NODES} values, including those of aliases")]
            )

    def _expects_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].node, YamlMapping) and self.stack[-1].key is None

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        if event.tag is not None:
            self.problem(line, f"the tag {event.tag!r} is not supported")
        if self._expects_key():
            self._key(event.value, line)
            return
        value = resolve(event.value) if event.implicit[0] else event.value
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, 1)
        self._add(value, line)

    def _key(self, key: str, line: int) -> None:
        top = self.stack[-1]
        node = top.node
        assert isinstance(node, YamlMapping)  # noqa: S101 - _expects_key said so
        if len(node) >= MOST_KEYS and not self._lists_profiles():
            what = f"more than {MOST_KEYS:,} keys; only 'load_profiles' may have more"
            raise ScenarioError([Problem(f"{self.where}:{line}", what)])
        top.key, top.key_line = key, line
        top.skip_value = key in node.lines
        if top.skip_value:
            self.problem(line, f"duplicate key {key!r}; the first one is on line {node.lines[key]}")

    def _lists_profiles(self) -> bool:
        return len(self.stack) == 2 and self.stack[0].key == "load_profiles"

    def _open(self, event: yaml.CollectionStartEvent, line: int) -> None:
        if event.tag is not None:
            self.problem(line, f"the tag {event.tag!r} is not supported")
        if self._expects_key():
            raise ScenarioError([Problem(f"{self.where}:{line}", "a key is text, not a list or a mapping")])
        if len(self.stack) >= MAX_DEPTH:
            raise ScenarioError([Problem(f"{self.where}:{line}", f"nested more than {MAX_DEPTH} deep")])
        node: YamlMapping | YamlSequence = (
            YamlMapping(line) if isinstance(event, yaml.MappingStartEvent) else YamlSequence(line)
        )
        self._add(node, line, keep_key=True)
        self.stack.append(_Open(node, event.anchor, self.nodes))

    def _close(self) -> None:
        done = self.stack.pop()
        if isinstance(done.node, YamlMapping) and MERGE in done.node:
            self._merge(done.node)
        if done.anchor is not None:
            self.anchors[done.anchor] = (done.node, self.nodes - done.nodes_before + 1)
        if self.stack:
            self.stack[-1].key = None

    def _merge(self, node: YamlMapping) -> None:
        """Add the keys of the mappings under `<<` that the mapping does not have itself."""
        line = node.lines.pop(MERGE)
        merged = node.pop(MERGE)
        sources = merged if isinstance(merged, YamlSequence) else [merged]
        if not all(isinstance(source, YamlMapping) for source in sources):
            self.problem(line, f"{MERGE} takes a mapping, or a list of mappings, such as *an-alias")
            return
        for source in sources:
            for key, value in source.items():
                if key not in node:
                    node[key], node.lines[key] = value, line
        if len(node) > MOST_KEYS and not self._lists_profiles():
            what = f"more than {MOST_KEYS:,} keys; only 'load_profiles' may have more"
            raise ScenarioError([Problem(f"{self.where}:{line}", what)])

    def _alias(self, name: str, line: int) -> None:
        if name not in self.anchors:
            text = f"the alias *{name} refers to nothing above it (or to itself)"
            raise ScenarioError([Problem(f"{self.where}:{line}", text)])
        value, nodes = self.anchors[name]
        self._count_alias(line, nodes)
        if self._expects_key():
            self._key(str(value), line)
        else:
            self._add(value, line)

    def _add(self, value: YamlValue, line: int, *, keep_key: bool = False) -> None:
        if not self.stack:
            self.root = value
            return
        top = self.stack[-1]
        if isinstance(top.node, YamlSequence):
            top.node.append(value)
            top.node.lines.append(line)
            return
        assert top.key is not None  # noqa: S101 - a value follows its key
        if not top.skip_value:
            top.node[top.key] = value
            top.node.lines[top.key] = top.key_line
        if not keep_key:
            top.key = None


def resolve(text: str) -> YamlValue:
    """Return what a plain scalar means by the core schema of YAML 1.2; a number with a leading zero stays text."""
    if text[:1] not in _FIRST_OF_WORD_OR_NUMBER:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):  # else errors would speak of `inf`
        return number
    return text


def parse_yaml(text: str, where: str, *, keys: str = "version, name, start, ...") -> YamlMapping:
    """Return the mapping that a YAML document is; raise `ScenarioError` for all that is not, where `keys` are named."""
    builder = _Builder(where)
    try:
        for event in events(text):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{where}:{mark.line + 1}" if mark else where
        raise ScenarioError([*builder.problems, Problem(place, _syntax(error, text))]) from None
    except yaml.YAMLError as error:
        what = f"invalid YAML: {str(error).splitlines()[0]}"
        raise ScenarioError([*builder.problems, Problem(where, what)]) from None
    if not isinstance(builder.root, YamlMapping):
        what = "is empty" if builder.root is None else f"keys are expected ({keys})"
        builder.problems.append(Problem(where, what))
    if builder.problems:
        raise ScenarioError(builder.problems)
    assert isinstance(builder.root, YamlMapping)  # noqa: S101 - anything else is a problem
    return builder.root


def events(text: str) -> Iterator[yaml.Event]:
    """Yield the events that the text of a document is made of."""
    # Without libyaml the same events come from PyYAML's own parser, only more slowly.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        while loader.check_event():
            yield loader.get_event()
    finally:
        loader.dispose()


def lost_anchor(text: str) -> str:
    """Return the name of the first alias of a text that refers to nothing above it; empty: there is none."""
    known: set[str] = set()
    for event in events(text):
        if isinstance(event, yaml.AliasEvent) and event.anchor not in known:
            return str(event.anchor)
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.anchor is not None:
            known.add(event.anchor)
    return ""


def _syntax(error: yaml.MarkedYAMLError, text: str) -> str:
    what = f"invalid YAML: {error.problem}"
    if error.context:
        what += f" ({error.context}, which began on line {error.context_mark.line + 1})" if error.context_mark else ""
    lines = text.splitlines()
    mark = error.problem_mark
    if mark and mark.line < len(lines) and "\t" in lines[mark.line][: mark.column + 1]:
        what += "; a tab cannot indent, use spaces"
    return what


def line_of(tree: YamlMapping, path: Iterable[str | int]) -> int:
    """Return the line of a value, or of where it is missing."""
    node: Any = tree
    line = tree.line
    for part in path:
        if isinstance(node, YamlSequence) and isinstance(part, int) and part < len(node):
            line = node.lines[part]
            node = node[part]
        elif isinstance(node, YamlMapping) and part in node:
            line = node.lines[str(part)]
            node = node[str(part)]
        else:
            break
    return line


def origin(tree: YamlMapping, path: Iterable[str | int]) -> tuple[str | int, ...]:
    """Return the path that a value had before items were taken out (`YamlSequence.without`)."""
    node: Any = tree
    found: list[str | int] = []
    for part in path:
        if isinstance(node, YamlSequence) and isinstance(part, int) and part < len(node):
            found.append(node.places[part] if node.places else part)
            node = node[part]
        else:
            found.append(part)
            node = node.get(str(part)) if isinstance(node, YamlMapping) else None
    return tuple(found)


@dataclass(slots=True)
class Span:
    """A value and its place in the text, from its first character to behind its last."""

    kind: Literal["scalar", "list", "mapping", "alias"]
    start: int
    """Index of its first character in the text."""
    end: int
    """Index of the character behind its last one."""
    column: int
    """Column of its first character."""
    flow: bool = True
    """Whether a list or mapping is in brackets; otherwise it has a line per item."""
    value: object = None
    """Value of a scalar."""
    entries: list[Entry] = field(default_factory=list)
    """Entries of a list or mapping, in the order of the text."""

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
    """Key in a mapping; None: it is an item of a list."""
    start: int
    """Index of the first character of its key, or of its value in a list."""
    value: Span


@dataclass(slots=True)
class _OpenSpan:
    span: Span
    key: str | None = None
    key_start: int | None = None


@lru_cache(maxsize=2)
def spans_of(text: str) -> Span:
    """Return the root of a valid YAML text (`yaml_tree.parse` says whether it is one). Not to be changed."""
    builder = _SpanBuilder(text)
    for event in events(text):
        builder.take(event)
    if builder.root is None:
        raise ValueError("an empty text has no values")
    return builder.root


@dataclass(slots=True)
class _SpanBuilder:
    text: str
    root: Span | None = None
    stack: list[_OpenSpan] = field(default_factory=list)

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
            self.stack.append(_OpenSpan(span))
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
        # A block scalar extends to the beginning of the next token.
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
