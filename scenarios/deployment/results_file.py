"""The results file of a deployed run: created by the clock's process, and continued after its restart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from agents import MANAGER
from broker import ClockTakenError
from scenarios.results import (
    ResultsError,
    ResultsExistError,
    ResultsLockedError,
    ResultsReader,
    ResultsUnreadableError,
    ResultsWriteError,
    SimulationSpec,
    create_results,
    seal,
    sole_writer,
)
from scenarios.scenario import Scenario
from scenarios.simulation import PlannedRun, RunRecord, RunSettings, described, record_run

FoundT = TypeVar("FoundT")

_BROKER = "mqtt"
"""What results of deployed runs have in place of a broker's kind or address; no other command writes it."""


@contextmanager
def open_record(path: Path, scenario: Scenario, settings: RunSettings) -> Iterator[RunRecord]:
    """Create the results file of a run, or continue it if the clock's journal already contains the run.

    The journals are opened first, so that a start that fails leaves no results file behind. Nor does a start that fails
    because another clock of the same run is active.

    Args:
        path: The results file.
        scenario: The scenario; a resumed run continues with the one that the file contains.
        settings: The run's settings, journal folder included.

    Raises:
        ResultsError: the file exists and is not this run's, cannot be read or written, is locked by another process,
            belongs to another clock that runs, or is missing in mid-run.
        JournalError: a journal is another run's, in use, or cannot be used; then results are left as they are.
    """
    reached_s = _reached_s(scenario, settings)
    if reached_s is not None:
        scenario = _recorded(path, scenario, settings, reached_s)
    with sole_writer(path):
        if reached_s is None:
            _begin(path, scenario, settings)
        try:
            with record_run(scenario, PlannedRun(1, settings, path), resume=True, reached_s=reached_s) as record:
                yield record
        except BaseException as error:
            with suppress(ResultsError):  # the first error says more
                seal(path)
                if reached_s is None and isinstance(error, ClockTakenError) and _is_unused(path, settings):
                    _remove(path)
            raise
        seal(path)


def _begin(path: Path, scenario: Scenario, settings: RunSettings) -> None:
    """Create the results file of a run that has not begun, in place of what an earlier start left of it.

    Raises:
        ResultsError: the file is not this run's, or cannot be written.
    """
    if path.is_dir():
        raise ResultsExistError(f"{path}: is a folder; a results file is expected")
    if path.exists():
        if not (_holds_no_run(path) or _is_unused(path, settings)):
            raise ResultsError(f"{path}: exists already{_whose(path, settings)}; refusing to overwrite results")
        _remove(path)  # the settings may have changed
    chosen = described(scenario, settings, "mqtt", settings.days, {settings.seed: settings.scores})
    spec = SimulationSpec(scenario, settings.algorithm.name, (settings.seed,), _BROKER, settings=chosen)
    create_results(spec, path, is_sole_writer=True)


def _reached_s(scenario: Scenario, settings: RunSettings) -> int | None:
    """Open the journals of the clock's process; return the virtual time that the run has reached.

    Returns:
        UNIX seconds; None: the run has not begun, or keeps no journals.

    Raises:
        JournalError: See `open_record`; or the two journals do not belong together.
    """
    setup = settings.fingerprint_of_all(scenario)
    journal = settings.clock_journal(setup)
    managers = settings.host_journal(MANAGER, setup)
    if journal is None or managers is None:
        return None
    with journal, managers:
        scheduled = journal.load_round()
        if scheduled is None:
            return None
        last = managers.last_round()
        granted_step, last_step = (-1, -1) if last is None else (last.granted_step, last.step)
        journal.check_host_journal(MANAGER, managers.path, granted_step, last_step)
        return scheduled.time_s


def _recorded(path: Path, scenario: Scenario, settings: RunSettings, reached_s: int) -> Scenario:
    """Return the scenario that the results of a begun run contain: names and tariffs may have changed since.

    Raises:
        ResultsError: the results are missing, or of another run.
    """
    reached = f"run {settings.run_id!r} has reached {scenario.zone.exact_moment(reached_s)}"
    advice = "put its results file back, name it with --out, or begin another run with another --run"
    if not path.exists():
        raise ResultsError(f"{path}: is missing, and {reached}: {advice}")
    with ResultsReader(path) as results:
        runs = results.runs()
        if not runs or runs[0].run_id != settings.run_id:
            whose = f"run {runs[0].run_id!r}" if runs else "no run"
            raise ResultsError(f"{path}: has the results of {whose}, and {reached}: {advice}")
        return results.scenario


def _whose(path: Path, settings: RunSettings) -> str:
    """Return whose results a file has, and what to do; empty if they cannot be read."""
    owners = _found(path, lambda results: {run.run_id for run in results.runs()}, otherwise=None)
    if owners is None:
        return ""
    if settings.run_id not in owners:
        return ", with the results of another run: choose another --run or --out"
    if settings.journals is None:
        return ", with the results of this run: choose another --run or --out"
    return (
        f", with the results of this run, which has no journal in {settings.journals}: put the clock's and the "
        "manager's journals back to continue it, or choose another --run or --out to begin again"
    )


def _holds_no_run(path: Path) -> bool:
    """Return whether a file is what remains of a clock that was killed while it created its results file."""
    if path.is_file() and not path.stat().st_size:
        return True
    return _found(path, lambda results: results.info.broker == _BROKER and not results.runs(), otherwise=False)


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        raise ResultsWriteError(f"{path}: cannot be written: {error.strerror or error}") from error


def _is_unused(path: Path, settings: RunSettings) -> bool:
    """Return whether a results file belongs to this run but is empty, because a start failed before the run began."""

    def is_unused(results: ResultsReader) -> bool:
        runs = results.runs()
        is_own = len(runs) == 1 and runs[0].run_id == settings.run_id
        return is_own and runs[0].state != "done" and not results.count_messages(1)

    return _found(path, is_unused, otherwise=False)


def _found(path: Path, query: Callable[[ResultsReader], FoundT], *, otherwise: FoundT) -> FoundT:
    """Return what a query finds in a results file; `otherwise` if it is not one, or is damaged.

    Raises:
        ResultsError: the file cannot be read at present, which says nothing about its content.
    """
    try:
        with ResultsReader(path) as results:
            return query(results)
    except (ResultsLockedError, ResultsUnreadableError):
        raise
    except ResultsError:
        return otherwise
