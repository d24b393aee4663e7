"""Notes on what a scenario's author may not have intended.

Jobs that have to overlap another job of their device, job ids used more than once, jobs that no producer can supply,
and parts that have no effect where jobs are supplied by shares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path

from agents import Job
from agents.ranking import NegotiationSettings
from agents.scheduling import ALGORITHMS_WITH, INSERTION, TOLERANCE_WH
from agents.sharing import DEFAULT_FORECAST, PREFERENCES, SupplySettings
from broker import first_few
from scenarios.device_overlaps import jobs_without_room
from scenarios.events import AddJobs, ForecastError, GiveForecast, SwitchAlgorithm, SwitchStrategy
from scenarios.files import JobIds, coverage_notes, line_of, lines_of, parse_yaml, read_text
from scenarios.files.series import ScenarioNote
from scenarios.load import bundled_text
from scenarios.scenario import Scenario

JOBS_IN_FOLDER = "consumer_event.csv"
"""File of jobs in PySSMic's input folders, one job per line."""
SHOWN = 3
"""Number of jobs that a note names."""
_MINUTES_AN_HOUR = 60
_WHOLE = "consumers ask producers in their order, and forecasts are used as issued"
_SHARED = "consumers choose producers, start and shares themselves"
NO_STRATEGY = "with supply 'shared' consumers have a strategy of their own"
NO_SHARES = f"with supply 'whole' {_WHOLE}"
NO_SCHEDULER = "with supply 'shared' no producer schedules jobs: consumers choose start and shares themselves"


def overlap_notes(source: str | Path, scenario: Scenario) -> tuple[str, ...]:
    """Return a note for each job that has to overlap another job of its device.

    Args:
        source: The source of the scenario; the notes name the location of each job in it.
        scenario: The loaded scenario.
    """
    without = jobs_without_room(scenario.jobs, scenario.start_s)
    if not without:
        return ()
    place_of = _places(source)
    return tuple(f"{place_of(job.job_id)}: {_note(job, scenario)}" for job in without)


def job_notes(scenario: Scenario) -> tuple[str, ...]:
    """Return the notes on the jobs of a scenario that is in no file, or not only there: without places."""
    overlaps = (_note(job, scenario) for job in jobs_without_room(scenario.jobs, scenario.start_s))
    return (*overlaps, *repeated_id_notes(scenario))


def repeated_id_notes(scenario: Scenario) -> tuple[str, ...]:
    """Return a note for each id that several jobs have, which says how the others are called."""
    names: dict[str, list[str]] = {}
    for job in scenario.jobs:
        if job.source_id != f"{job.house}/{job.device}":  # the default, which is numbered on purpose
            names.setdefault(job.source_id, []).append(job.job_id)
    notes = []
    for id_, found in names.items():
        if len(found) > 1:
            others = sorted((name for name in found if name != id_), key=lambda name: (len(name), name))
            named = first_few(others, SHOWN, repr)
            notes.append(f"job id {id_!r} is used {len(found)} times; the further jobs are called {named}")
    return tuple(notes)


def _note(job: Job, scenario: Scenario) -> str:
    beside = [
        other.job_id
        for other in scenario.jobs
        if other.agent == job.agent
        and other.job_id != job.job_id
        and other.earliest_start_s < job.latest_start_s + job.duration_s
        and job.earliest_start_s < other.latest_start_s + other.duration_s
    ]
    device = f"device {job.device!r} of house {job.house!r}"
    return (
        f"job {job.job_id!r} runs at the same time as another job of {device}: "
        f"the windows leave no room for one after the other (with {first_few(beside, SHOWN, repr)})"
    )


def _places(source: str | Path) -> Callable[[str], str]:
    """Return a function that locates a job by its id: file, line and key where they are known."""
    path = Path(source)
    if path.is_dir():
        return partial(_in_folder, _lines_of(path / JOBS_IN_FOLDER), path)
    is_file = path.exists()
    if is_file and path.suffix.lower() not in (".yaml", ".yml"):
        return lambda _: str(path)
    where = str(path) if is_file else f"{source}.yaml"
    tree = parse_yaml(read_text(path, where) if is_file else bundled_text(str(source)), where)
    ids = JobIds()
    index = {
        ids.take(str(entry.get("id") or f"{entry['house']}/{entry['device']}")): i
        for i, entry in enumerate(tree["jobs"])
    }
    return lambda job_id: f"{where}:{line_of(tree, ('jobs', index[job_id]))}: jobs[{index[job_id]}]"


def _lines_of(path: Path) -> Mapping[str, int]:
    """Return the line of each job in a PySSMic folder's list of jobs, by job id."""
    ids = JobIds()
    lines = enumerate(lines_of(read_text(path, str(path))), start=1)
    return {ids.take(line.split(";")[3].strip()): number for number, line in lines if line.strip()}


def _in_folder(lines: Mapping[str, int], folder: Path, job_id: str) -> str:
    path = folder / JOBS_IN_FOLDER
    return f"{path}:{lines[job_id]}" if job_id in lines else str(path)


def run_notes(
    scenario: Scenario, days: int | None = None, supply: SupplySettings | None = None
) -> tuple[ScenarioNote, ...]:
    """Return notes on what does not meet in time, and on algorithms that decide nothing.

    Args:
        scenario: The scenario to run.
        days: Duration in days; None: the scenario's, or until the last job has run.
        supply: How jobs are supplied; None: as the scenario says.
    """
    return (*coverage_notes(scenario, days), *_supply_notes(scenario, supply))


def _supply_notes(scenario: Scenario, supply: SupplySettings | None) -> tuple[ScenarioNote, ...]:
    if not (supply or scenario.supply_settings).is_shared:
        return (*_unsuppliable_job_notes(scenario), *_whole_job_notes(scenario))
    notes = []
    if scenario.algorithm != INSERTION:
        notes.append(ScenarioNote(f"algorithm {scenario.algorithm} has no effect: {NO_SCHEDULER}", ("algorithm",)))
    if any(isinstance(event.action, SwitchAlgorithm) for event in scenario.timeline):
        notes.append(ScenarioNote(f"events 'algorithm' of the timeline have no effect: {NO_SCHEDULER}", ("timeline",)))
    if any(isinstance(event.action, SwitchStrategy) for event in scenario.timeline):
        notes.append(ScenarioNote(f"events 'strategy' of the timeline have no effect: {NO_STRATEGY}", ("timeline",)))
    return tuple(notes)


def _unsuppliable_job_notes(scenario: Scenario) -> tuple[ScenarioNote, ...]:
    """Return a note if every job draws more for a minute than any producer is ever forecast to produce."""
    actions = [event.action for event in scenario.timeline]
    if scenario.gateways or any(isinstance(action, GiveForecast | ForecastError) for action in actions):
        return ()  # more may be forecast than the scenario says: by real devices, or by an event
    forecasts = [one.production for series in scenario.producers.values() for one in series.predictions]
    loads = [job.load_profile for job in scenario.jobs]
    loads += [action.load_profile for action in actions if isinstance(action, AddJobs)]
    if not forecasts or not loads:
        return ()
    most_wh = max(forecast.most_in_a_minute_wh for forecast in forecasts)
    least_wh = min(load.least_peak_wh for load in loads)
    if least_wh <= most_wh + TOLERANCE_WH:
        return ()
    least_w, most_w = least_wh * _MINUTES_AN_HOUR, most_wh * _MINUTES_AN_HOUR
    what = (
        f"no producer can supply a job, so all run on grid power: each job draws {least_w:,.0f} W or more for a "
        f"minute, and forecasts reach {most_w:,.0f} W; with supply 'shared' producers supply what they can, "
        "and the grid the rest"
    )
    return (ScenarioNote(what, ("jobs",)),)


def _whole_job_notes(scenario: Scenario) -> tuple[ScenarioNote, ...]:
    """Return notes on keys that matter to shared supply only, unless the scenario has it and a run chose whole jobs."""
    if scenario.supply == "shared":
        return ()
    keys = {"prefer": scenario.prefer != PREFERENCES, "forecast": scenario.forecast != DEFAULT_FORECAST}
    return tuple(ScenarioNote(f"{key} has no effect: {NO_SHARES}", (key,)) for key, is_set in keys.items() if is_set)


def keys_without_effect(supply: SupplySettings) -> tuple[str, ...]:
    """Return the settings and keys of a file that decide nothing under the rule by which jobs are supplied."""
    if not supply.is_shared:
        return ("prefer", "forecast")
    return ("algorithm", *ALGORITHMS_WITH, *(field.name for field in fields(NegotiationSettings)))


def without_effect(options: Sequence[str], supply: SupplySettings) -> str:
    """Return the note that options decide nothing under the rule by which jobs are supplied.

    Args:
        options: The options as the user knows them, at least one.
        supply: The rule.
    """
    *first, last = options
    listed = f"{', '.join(first)} and {last}" if first else last
    have = "have" if first else "has"
    return f"{listed} {have} no effect with supply {supply.rule!r}: {_SHARED if supply.is_shared else _WHOLE}"
