"""Imports PySSMic's XML: a neighbourhood of houses, users and devices, and jobs in a separate file.

Of a device, `id`, `name`, `template` and `type` are read; of a job, `id` (the device's), `est`, `lst`, `creation_time`
and `profile`. Other elements are ignored, and a note names them. What a neighbourhood lacks is assumed by
`scenarios.importers.input_neighbourhood`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from broker import canonical, first_few
from scenarios.errors import Problem, ScenarioError
from scenarios.importers.assumptions import ImportedScenario, InputPlaces
from scenarios.importers.input_neighbourhood import (
    MAX_DEVICES,
    InputDevice,
    InputHouse,
    InputJob,
    InputNeighbourhood,
    assemble,
    window_problems,
)
from scenarios.importers.xml_reader import Element, read_xml
from scenarios.mistyped_names import suggest

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


def import_xml(path: Path, *, jobs: Path | None = None, loads: Sequence[Path] = ()) -> ImportedScenario:
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
