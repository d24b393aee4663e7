"""PySSMic's XML: a neighbourhood of houses, users and devices, and in a file of its own the jobs.

Of a device are read `id`, `name`, `template` and `type`; of a job `id` (the device's), `est`, `lst`, `creation_time`
and `profile`. What else stands there is not looked at. What a neighbourhood lacks, `neighbourhood` makes up for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from scenarios.errors import Problem, ScenarioError
from scenarios.files.suggest import suggest
from scenarios.importers.imported import Imported
from scenarios.importers.neighbourhood import MAX_DEVICES, InputDevice, InputJob, assemble, window_problems
from scenarios.importers.xml_reader import Element, read_xml

ROOT = "neighborhood"


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
    devices = _devices_in(path, problems)
    job_list = jobs_in(jobs, problems) if jobs else []
    folders = [*loads, path.parent / "loads", *([jobs.parent / "loads"] if jobs else [])]
    what = f"the neighbourhood {path.name}" + (f" and the jobs {jobs.name}" if jobs else "")
    return assemble(str(path), path.stem, devices, job_list, loads=folders, what=what, problems=problems)


def _devices_in(path: Path, problems: list[Problem]) -> list[InputDevice]:
    """Return the devices in a neighbourhood XML; what is wrong with it is added to the problems."""
    devices = []
    for house, user, element in _elements(path, problems):
        kind = element.required("type", problems).lower()
        if kind and kind not in ("consumer", "producer"):
            hint = suggest(kind, ("consumer", "producer"))
            problems.append(
                Problem(element.where, f"<device>: 'consumer' or 'producer' is expected, not {kind!r}{hint}")
            )
        devices.append(
            InputDevice(
                where=element.where,
                house=house,
                user=user,
                id=element.required("id", problems),
                name=element.value("name") or "",
                template=element.value("template") or "",
                type="producer" if kind == "producer" else "consumer",
            )
        )
    return devices


def read_jobs(path: Path) -> list[InputJob]:
    """Return the jobs in a jobs XML.

    Raises:
        ScenarioError: It cannot be used; carries everything that is wrong with it.
    """
    problems: list[Problem] = []
    jobs = jobs_in(path, problems)
    if problems:
        raise ScenarioError(problems)
    return jobs


def jobs_in(path: Path, problems: list[Problem]) -> list[InputJob]:
    """Return the jobs in a jobs XML; what is wrong with it is added to the problems."""
    jobs = []
    for house, user, element in _elements(path, problems):
        device = element.required("id", problems)
        registered_s = element.time("creation_time", problems)
        earliest_s = element.time("est", problems)
        latest_s = element.time("lst", problems)
        problems += window_problems(element.where, registered_s, earliest_s, latest_s)
        jobs.append(
            InputJob(
                where=element.where,
                house=house,
                user=user,
                device=device,
                profile=element.value("profile") or "",
                registered_s=registered_s or 0,
                earliest_start_s=earliest_s or 0,
                latest_start_s=latest_s or 0,
            )
        )
    return jobs


def _elements(path: Path, problems: list[Problem]) -> Iterator[tuple[str, str, Element]]:
    """Yield house, user and element of each device in a file; a device may stand right in its house."""
    try:
        root = read_xml(path, ROOT)
    except ScenarioError as error:
        problems += error.problems
        return
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
