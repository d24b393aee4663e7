"""PySSMic's XML: a neighbourhood of houses, users and devices, and in a file of its own the jobs.

Of a device are read `id`, `name`, `template` and `type`; of a job `id` (the device's), `est`, `lst`, `creation_time`
and `profile`. What else stands there is not looked at. What a neighbourhood lacks, `neighbourhood` makes up for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, TypeVar, cast

from scenarios.errors import Problem, ScenarioError
from scenarios.files.suggest import suggest
from scenarios.importers.imported import Imported
from scenarios.importers.neighbourhood import MAX_DEVICES, InputDevice, InputJob, assemble
from scenarios.importers.xml_reader import Element, read_xml

ROOT = "neighborhood"

_Item = TypeVar("_Item")


def import_xml(path: Path, *, jobs: Path | None = None, loads: Sequence[Path] = ()) -> Imported:
    """Return the scenario of a neighbourhood XML.

    Args:
        path: The neighbourhood.
        jobs: Its jobs; None: there are none.
        loads: Folders of load profiles, beside `loads/` next to the files.

    Raises:
        ScenarioError: One of the files cannot be used; carries everything that is wrong with both.
    """
    problems: list[Problem] = []
    devices = attempt(read_devices, path, problems)
    job_list = attempt(read_jobs, jobs, problems) if jobs else []
    if problems:
        raise ScenarioError(problems)
    folders = [*loads, path.parent / "loads", *([jobs.parent / "loads"] if jobs else [])]
    what = f"the neighbourhood {path.name}" + (f" and the jobs {jobs.name}" if jobs else "")
    return assemble(str(path), path.stem, devices, job_list, loads=folders, what=what)


def attempt(read: Callable[[Path], list[_Item]], path: Path, problems: list[Problem]) -> list[_Item]:
    """Return what `read` makes of a file; where it raises, add its problems and return nothing."""
    try:
        return read(path)
    except ScenarioError as error:
        problems.extend(error.problems)
        return []


def read_devices(path: Path) -> list[InputDevice]:
    """Return the devices in a neighbourhood XML.

    Raises:
        ScenarioError: It cannot be used; carries everything that is wrong with it.
    """
    problems: list[Problem] = []
    devices = []
    for house, user, element in _devices(read_xml(path, ROOT), problems):
        kind = element.required("type", problems).lower()
        if kind and kind not in ("consumer", "producer"):
            hint = suggest(kind, ("consumer", "producer"))
            problems.append(
                Problem(element.where, f"<device>: 'consumer' or 'producer' is expected, not {kind!r}{hint}")
            )
        device_id = element.required("id", problems)
        devices.append(
            InputDevice(
                where=element.where,
                house=house,
                user=user,
                id=device_id,
                name=element.value("name") or "",
                template=element.value("template") or "",
                type=cast("Literal['consumer', 'producer']", kind),
            )
        )
    if problems:
        raise ScenarioError(problems)
    return devices


def read_jobs(path: Path) -> list[InputJob]:
    """Return the jobs in a jobs XML.

    Raises:
        ScenarioError: It cannot be used; carries everything that is wrong with it.
    """
    problems: list[Problem] = []
    jobs = [
        InputJob(
            where=element.where,
            house=house,
            user=user,
            device=element.required("id", problems),
            profile=element.value("profile") or "",
            registered_s=element.time("creation_time", problems),
            earliest_start_s=element.time("est", problems),
            latest_start_s=element.time("lst", problems),
        )
        for house, user, element in _devices(read_xml(path, ROOT), problems)
    ]
    if problems:
        raise ScenarioError(problems)
    return jobs


def _devices(root: Element, problems: list[Problem]) -> Iterator[tuple[str, str, Element]]:
    """Yield house, user and element of each device; a device may stand right in its house."""
    count = 0
    for house in root.all("house"):
        house_id = house.required("id", problems)
        found = [("", element) for element in house.all("device")]
        for user in house.all("user"):
            found += [(user.value("id") or "", element) for element in user.all("device")]
        for user_id, element in found:
            count += 1
            if count > MAX_DEVICES:
                raise ScenarioError([Problem(element.where, f"more than {MAX_DEVICES} devices")])
            yield house_id, user_id, element
