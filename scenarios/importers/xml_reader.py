"""Reads the XML of other simulators: elements with their line, without document types and within limits."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from scenarios.errors import Problem, ScenarioError
from scenarios.files import MAX_TIME_S, read_bytes

MAX_DEPTH = 100
"""Maximum nesting depth of elements; a neighbourhood needs five."""


@dataclass(slots=True)
class Element:
    """An element and its location."""

    tag: str
    attributes: dict[str, str]
    """By name."""
    where: str
    """`file:line`."""
    children: list[Element] = field(default_factory=list)
    text: str = ""
    """Its own text, apart from that of its children."""

    def all(self, tag: str) -> list[Element]:
        """Return the children with this tag."""
        return [child for child in self.children if child.tag == tag]

    def value(self, tag: str) -> str | None:
        """Return the text of the child with this tag, else the attribute of this name; None if there is neither."""
        for child in self.children:
            if child.tag == tag:
                return child.text.strip()
        attribute = self.attributes.get(tag)
        return None if attribute is None else attribute.strip()

    def where_of(self, tag: str) -> str:
        """Return where the child with this tag is, else the element."""
        return next((child.where for child in self.children if child.tag == tag), self.where)

    def required(self, tag: str, problems: list[Problem]) -> str:
        """Return the value of this name; empty after adding a problem.

        Args:
            tag: Name of the child or attribute.
            problems: Receives a problem if there is no value.
        """
        value = self.value(tag)
        if not value:
            problems.append(Problem(self.where, f"<{self.tag}>: {tag!r} is {'missing' if value is None else 'empty'}"))
            return ""
        return value

    def time(self, tag: str, problems: list[Problem]) -> int | None:
        """Return the time of this name, UNIX seconds; None after adding a problem."""
        text = self.required(tag, problems)
        if not text:
            return None
        if re.fullmatch(r"[0-9]{1,12}", text, re.ASCII) and int(text) <= MAX_TIME_S:
            return int(text)
        what = f"<{self.tag}>: {tag!r}: UNIX seconds are expected, not {text[:40]!r}"
        problems.append(Problem(self.where, what))
        return None


@dataclass(slots=True)
class _TreeBuilder:
    """Builds the tree from the parser's events."""

    where: str
    root: Element | None = None
    open: list[Element] = field(default_factory=list)
    line: int = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        element = Element(tag, attributes, f"{self.where}:{self.line}")
        if self.open:
            self.open[-1].children.append(element)
        else:
            self.root = element
        self.open.append(element)
        if len(self.open) > MAX_DEPTH:
            raise ScenarioError([Problem(element.where, f"nested more than {MAX_DEPTH} deep")])

    def end(self, _tag: str) -> None:
        self.open.pop()

    def data(self, text: str) -> None:
        if self.open:
            self.open[-1].text += text

    def close(self) -> None:
        pass


class _Parser(DefusedXMLParser):
    """Passes the line of each element to the tree builder."""

    def _start(self, tag: str, attributes: list[str]) -> Any:  # noqa: ANN401 - whatever the parser does with it
        tree: Any = self.target
        tree.line = self.parser.CurrentLineNumber
        return super()._start(tag, attributes)  # type: ignore[misc]  # not in the stubs, stable since Python 3.3


def read_xml(path: Path, root: str) -> Element:
    """Return the root element of a file.

    Args:
        path: The file.
        root: Expected tag of the root element; its case does not matter.

    Raises:
        ScenarioError: The file is missing, too large, not XML, has another root, or declares a document type.
    """
    where = str(path)
    content = read_bytes(path, where)
    if not content.strip():
        raise ScenarioError([Problem(where, "is empty")])
    tree = _TreeBuilder(where)
    parser = _Parser(target=tree, forbid_dtd=True)
    try:
        parser.feed(content)
        parser.close()
    except DefusedXmlException:
        what = (
            "declares a document type (<!DOCTYPE ...>), which can hide an XML bomb or read other files; it is refused"
        )
        raise ScenarioError([Problem(where, what)]) from None
    except ParseError as error:
        line, column = error.position
        what = f"invalid XML: {str(error).partition(':')[0]}, column {column + 1}"
        raise ScenarioError([Problem(f"{where}:{line}", what)]) from None
    except (ValueError, LookupError) as error:
        raise ScenarioError([Problem(where, f"invalid XML: {error}")]) from None
    if tree.root is None or tree.root.tag.lower() != root.lower():
        found = f"<{tree.root.tag}>" if tree.root else "nothing"
        raise ScenarioError([Problem(where, f"a root element <{root}> is expected, not {found}")])
    return tree.root
