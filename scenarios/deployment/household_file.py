"""The scenario file of one household: its own houses and jobs, what all must agree on, and nothing of the others.

The clock compares the setup of a household with its own part of the scenario, so a household with such a file takes
part as it would with the whole one, and the ledger is the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from broker import file_name, setup_parts
from scenarios.errors import Problem, ScenarioError, ScenarioWriteError
from scenarios.events import (
    Action,
    AddJobs,
    CloudFront,
    ForecastError,
    GiveForecast,
    JoinDevice,
    LeaveDevice,
    SwitchStrategy,
    TimelineEvent,
)
from scenarios.files import load_text, to_yaml, write_text
from scenarios.scenario import Scenario, jobs_end_s
from scenarios.simulation import RunSettings

_HEADER = "# One household's part of a scenario. Written by `ssmic compose --household-files`."
"""First line of a household's file."""


def household_text(scenario: Scenario, house_ids: Sequence[str]) -> str:
    """Return the scenario file of the household of these houses, as YAML.

    Raises:
        ScenarioError: No such file gives the household the same contracts, for example because one of its devices
            joins after a job of another house.
    """
    own = _own_part(scenario, house_ids)
    household = ", ".join(house_ids)
    try:
        text = to_yaml(own)
        read = load_text(text, f"household {household!r}", None)
    except ScenarioError as error:
        why = "; ".join(problem.what for problem in error.problems)
        raise ScenarioError([_inseparable(household, why)]) from None
    if differing := _differing(scenario, read, house_ids):
        raise ScenarioError([_inseparable(household, f"its own part alone gives other {', '.join(differing)}")])
    return text


def write_household_files(scenario: Scenario, house_ids: Sequence[str], folder: Path) -> dict[str, Path]:
    """Write a file for each household into a folder, which is made if it is missing; return the files by house.

    Files that it has written before are overwritten, and no others: the folder may be the scenario's own, where a house
    may have a file for its name already.

    Raises:
        ScenarioError: A household needs the whole scenario, or another file has the name of a household's (nothing is
            written then), or a file cannot be written.
    """
    texts = {house_id: household_text(scenario, [house_id]) for house_id in house_ids}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ScenarioWriteError([Problem(str(folder), f"cannot be made: {error.strerror}")]) from None
    files = {house_id: folder / f"{file_name(house_id)}.yaml" for house_id in house_ids}
    if others := [file for file in files.values() if not _may_be_overwritten(file)]:
        what = "exists, and this command has not written it; expected a folder in which nothing is overwritten"
        raise ScenarioWriteError([Problem(str(file), what) for file in others])
    for house_id, file in files.items():
        write_text(f"{_HEADER}\n{texts[house_id]}", file)
    return files


def _may_be_overwritten(file: Path) -> bool:
    """Return whether nothing is lost if a household's file is written here."""
    try:
        with file.open("rb") as content:
            return content.read(len(_HEADER)) == _HEADER.encode()
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _inseparable(household: str, why: str) -> Problem:
    return Problem(f"household {household!r}", f"needs the whole scenario: {why}")


def _own_part(scenario: Scenario, house_ids: Sequence[str]) -> Scenario:
    part = scenario.part_of(house_ids)
    return replace(
        part,
        description="",
        # A real device may ask for any load profile by its name; otherwise those of the household's jobs suffice.
        load_profiles=scenario.load_profiles if part.gateways else {},
        timeline=tuple(own for event in scenario.timeline for own in _own_events(event, part)),
        expectations=(),
        faults=(),
        community=None if scenario.community is None else replace(scenario.community, coefficients=None),
    )


def _own_events(event: TimelineEvent, part: Scenario) -> Iterator[TimelineEvent]:
    """Yield the part of an event that a household's process takes into account before the run.

    The manager's host carries out the events; a household reads from them which of its devices are absent, what its
    own panels produce, and which strategies its consumers may be switched to.
    """
    houses = {house.id for house in part.houses}
    added = {e.action.job_id for e in part.timeline if isinstance(e.action, AddJobs) and e.action.house in houses}
    if event.job is not None and event.job not in {*added, *(job.job_id for job in part.jobs)}:
        return  # waits for a job of another house; `_differing` finds out whether that matters
    if isinstance(event.action, CloudFront):
        for place, producer in enumerate(event.action.producers):
            if producer in part.producers and event.at_s is not None:
                front = event.action.model_copy(update={"producers": (producer,)})
                yield event.model_copy(update={"at_s": event.at_s + place * front.travel_s, "action": front})
    elif (own := _own_action(event.action, houses, part.producers)) is not None:
        yield event.model_copy(update={"action": own})


def _own_action(action: Action, houses: Collection[str], producers: Collection[str]) -> Action | None:
    """Return what an action does to these houses and producers; None if nothing that their process must know."""
    match action:
        case ForecastError(producers=of):
            own = tuple(producer for producer in of if producer in producers)
            return action.model_copy(update={"producers": own}) if own else None
        case SwitchStrategy(houses=of):
            own = tuple(house for house in of if house in houses)
            return action.model_copy(update={"houses": own}) if own else None
        case GiveForecast(producer=producer):
            return action if producer in producers else None
        case JoinDevice(house=house) | LeaveDevice(house=house) | AddJobs(house=house):
            return action if house in houses else None
    return None


def _differing(scenario: Scenario, read: Scenario, house_ids: Sequence[str]) -> list[str]:
    """Return by name what the contracts of the household depend on and the file says differently."""
    differing: list[str] = []
    for supply in (scenario.supplied("whole"), replace(scenario.supplied("whole"), rule="shared")):
        settings = RunSettings(scenario.seed, "", supply=supply)
        whole, own = (setup_parts(settings.fingerprint(one, house_ids)) for one in (scenario, read))
        differing += [name for name in {**whole, **own} if whole.get(name) != own.get(name)]
    if bool(scenario.strategies) != bool(read.strategies):
        differing.append("strategies")
    if scenario.strategies and any(
        jobs_end_s(scenario, [job]) != jobs_end_s(read, [job]) for job in scenario.part_of(house_ids).jobs
    ):
        differing.append("ends of timers")
    return list(dict.fromkeys(differing))
