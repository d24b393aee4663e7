"""Imports PySSMic's XML: a neighbourhood of houses, users and devices, and jobs in a separate file.

Of a device, `id`, `name`, `template` and `type` are read; of a job, `id` (the device's), `est`, `lst`, `creation_time`
and `profile`. Other elements are ignored, and a note names them. What a neighbourhood lacks is assumed by
`scenarios.importers.pyssmic_neighbourhood`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from broker import canonical, first_few
from scenarios.errors import Problem, ScenarioError, suggest
from scenarios.files import MAX_TIME_S, read_bytes
from scenarios.importers.assumptions import Imported, InputPlaces
from scenarios.importers.pyssmic_neighbourhood import (
    MAX_DEVICES,
    InputDevice,
    InputHouse,
    InputJob,
    InputNeighbourhood,
    assemble,
    window_problems,
)

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

    def required(self, tag: str, problems: list[Problem], default: str = "") -> str:
        """Return the value of this name.

        Args:
            tag: Name of the child or attribute.
            problems: Receives a problem if there is no value.
            default: Returned if there is no value.
        """
        value = self.value(tag)
        if not value:
            problems.append(Problem(self.where, f"<{self.tag}>: {tag!r} is {'missing' if value is None else 'empty'}"))
            return default
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


ROOT = "neighborhood"

_WORDS = {"registered": "creation_time", "earliest_start": "est", "latest_start": "lst"}
"""Names of a job's times in this format."""
_OF_A_JOB = ("creation_time", "est", "lst")
_KNOWN: dict[str, frozenset[str]] = {
    ROOT: frozenset({"house", "id", "name"}),
    "house": frozenset({"user", "device", "id", "name"}),
    "user": frozenset({"device", "id", "name"}),
    "device": frozenset({"id", "name", "template", "type", "profile", *_OF_A_JOB}),
}
"""Elements that are read within each element; others are named in a note."""


@dataclass(frozen=True, slots=True)
class _XmlDevice:
    """A device, or a job, with its house and user."""

    house: str
    user: str
    element: Element


@dataclass(slots=True)
class _XmlContent:
    """Content of a file."""

    houses: list[InputHouse] = field(default_factory=list)
    devices: list[_XmlDevice] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    """Tags of ignored elements, each with its first location."""

    @property
    def looks_like_jobs(self) -> bool:
        """Whether its devices are jobs: they have times but no type."""
        elements = [found.element for found in self.devices]
        return any(_says_when(element) for element in elements) and not any(map(_says_what, elements))

    @property
    def looks_like_a_neighbourhood(self) -> bool:
        """Whether its devices have a type but no times."""
        elements = [found.element for found in self.devices]
        return any(map(_says_what, elements)) and not any(_says_when(element) for element in elements)

    def notes(self) -> list[str]:
        """Return notes on ignored elements."""
        if not self.unknown:
            return []
        return [f"unknown elements were left out: {first_few(self.unknown, show=self._shown)}"]

    def _shown(self, tag: str) -> str:
        return f"<{tag[:40]}> ({self.unknown[tag]})"


def import_xml(path: Path, *, jobs: Path | None = None, loads: Sequence[Path] = ()) -> Imported:
    """Return the scenario of a neighbourhood XML.

    Args:
        path: The neighbourhood.
        jobs: Its jobs; None: no jobs.
        loads: Folders with load profiles, in addition to `loads/` next to the files.

    Raises:
        ScenarioError: A file cannot be used; carries the problems of both.
    """
    problems: list[Problem] = []
    content = _content(path, problems)
    if content.looks_like_jobs:
        what = (
            "is a file of jobs: its devices have times but no type. Give it beside the neighbourhood that it belongs "
            f"to: `ssmic import NEIGHBOURHOOD --jobs {path.name} TARGET.yaml`, or in the field 'jobs' of Import"
        )
        raise ScenarioError([Problem(str(path), what)])
    devices = [_device(found, problems) for found in content.devices]
    problems.sort(key=_line)
    notes = content.notes()
    job_list = jobs_in(jobs, problems, notes) if jobs else []
    what = f"the neighbourhood {path.name}" + (f" and the jobs {jobs.name}" if jobs else "")
    folders = [*loads, path.parent / "loads", *([jobs.parent / "loads"] if jobs else [])]
    return assemble(
        InputNeighbourhood(path.stem, what, content.houses, devices, job_list),
        InputPlaces(str(path), _WORDS),
        loads=folders,
        problems=problems,
        notes=notes,
    )


def _device(found: _XmlDevice, problems: list[Problem]) -> InputDevice:
    """Return a device of a neighbourhood; its problems are added to `problems`."""
    element = found.element
    kind = element.required("type", problems).lower()
    if kind and kind not in ("consumer", "producer"):
        hint = suggest(kind, ("consumer", "producer"))
        problems.append(Problem(element.where, f"<device>: 'consumer' or 'producer' is expected, not {kind!r}{hint}"))
    return InputDevice(
        where=element.where,
        house=found.house,
        user=found.user,
        id=canonical(element.required("id", problems)),
        name=element.value("name") or "",
        template=canonical(element.value("template") or ""),
        type="producer" if kind == "producer" else "consumer",
    )


def read_jobs(path: Path) -> list[InputJob]:
    """Return the jobs in a jobs XML.

    Raises:
        ScenarioError: It cannot be used; carries all problems.
    """
    problems: list[Problem] = []
    jobs = jobs_in(path, problems, [])
    if problems:
        raise ScenarioError(problems)
    return jobs


def jobs_in(path: Path, problems: list[Problem], notes: list[str]) -> list[InputJob]:
    """Return the jobs in a jobs XML.

    Args:
        path: The file.
        problems: Receives its problems.
        notes: Receives what was ignored.
    """
    own: list[Problem] = []
    content = _content(path, own)
    if content.looks_like_a_neighbourhood:
        problems.append(Problem(str(path), "is a neighbourhood, not its jobs: its devices have a type but no times"))
        return []
    notes += content.notes()
    jobs = [_job(found, own) for found in content.devices]
    problems += sorted(own, key=_line)
    return jobs


def _line(problem: Problem) -> int:
    line = problem.where.rpartition(":")[2]
    return int(line) if line.isdigit() else 0


def _job(found: _XmlDevice, problems: list[Problem]) -> InputJob:
    element = found.element
    device = canonical(element.required("id", problems))
    registered_s, earliest_s, latest_s = (element.time(tag, problems) for tag in _OF_A_JOB)
    problems += window_problems(element.where, registered_s, earliest_s, latest_s)
    return InputJob(
        where=element.where,
        house=found.house,
        user=found.user,
        device=device,
        profile=canonical(element.value("profile") or ""),
        registered_s=registered_s or 0,
        earliest_start_s=earliest_s or 0,
        latest_start_s=latest_s or 0,
    )


def _content(path: Path, problems: list[Problem]) -> _XmlContent:
    """Return house, user and element of each device in a file; a device may be directly within its house."""
    content = _XmlContent()
    try:
        root = read_xml(path, ROOT)
    except ScenarioError as error:
        problems += error.problems
        return content
    _note_unknown(root, content)
    for house in root.all("house"):
        house_id = canonical(house.required("id", problems))
        content.houses.append(InputHouse(house.where, house_id))
        content.devices += [_XmlDevice(house_id, "", element) for element in house.all("device")]
        for user in house.all("user"):
            user_id = canonical(user.value("id") or "")
            content.devices += [_XmlDevice(house_id, user_id, element) for element in user.all("device")]
        if len(content.devices) > MAX_DEVICES:
            raise ScenarioError([Problem(house.where, f"more than {MAX_DEVICES} devices")])
    return content


def _note_unknown(element: Element, content: _XmlContent) -> None:
    for child in element.children:
        if child.tag not in _KNOWN.get(element.tag, ()):
            content.unknown.setdefault(child.tag, child.where)
        elif child.tag in _KNOWN:
            _note_unknown(child, content)


def _says_when(element: Element) -> bool:
    return any(element.value(tag) is not None for tag in _OF_A_JOB)


def _says_what(element: Element) -> bool:
    return element.value("type") is not None
