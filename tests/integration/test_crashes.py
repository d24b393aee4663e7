"""Processes of a deployment die and come back, on a network that misbehaves: the same ledger. More: `make soak`."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from agents.model import MANAGER
from agents.sharing import SupplySettings
from broker.clock.next_round import first_round
from broker.clock.pacing import Pace
from broker.hosts.journal import HostJournal
from broker.journal_file import JournalError
from broker.protocol.retry_timeouts import Timeouts
from broker.transport.memory import MemoryBroker
from scenarios.deployment.results_file import open_record
from scenarios.load import load_scenario
from scenarios.results.connection import ResultsError, ResultsExistError, ResultsUnreadableError
from scenarios.results.files import SimulationSpec, create_results, reserve_exactly, sole_writer
from scenarios.results.reader import ResultsReader
from scenarios.results.run_end import RecordedEnd
from scenarios.scenario import Scenario
from scenarios.simulation.outcome import RunOutcome
from scenarios.simulation.run import RunCallbacks, run_hosts, run_scenario
from scenarios.simulation.settings import RunSettings
from scenarios.simulation.shared_invariants import double_booked
from tests.faults.network import Faults
from tests.faults.soak import CLOCK, Crash, Disturbance, run_disturbed, run_seed
from tests.scenarios.neighbourhoods import past_forecasts
from tests.virtual_time import new_virtual_loop
from tui.exit_codes import TRY_AGAIN, USAGE, code_for_supervisor


@pytest.fixture(scope="module")
def street() -> Scenario:
    """The bundled street."""
    return load_scenario("street")


@pytest.fixture(scope="module")
def calm(street: Scenario) -> RunOutcome:
    """The street, undisturbed."""
    return run_seed(street, None, 0)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 12))])
def test_crashes_on_a_bad_network_change_no_ledger(street: Scenario, calm: RunOutcome, seed: int) -> None:
    """Every seed gives the same ledger."""
    disturbed = run_seed(street, seed, calm.rounds)
    assert disturbed.ledger_sha256 == calm.ledger_sha256
    assert disturbed.messages == calm.messages


@pytest.mark.parametrize("step", [244, *(pytest.param(step, marks=pytest.mark.long) for step in (0, 1, 60, 200))])
def test_all_processes_die_at_once(street: Scenario, calm: RunOutcome, tmp_path: Path, step: int) -> None:
    """Only the journals remain."""
    names = [CLOCK, *(house.id for house in street.houses)]
    crashes = tuple(Crash(name, step, turns=step % 7, away_wall_s=5.0) for name in names)
    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        disturbed = runner.run(run_disturbed(street, Disturbance(Faults(), crashes), 1, tmp_path))
    assert disturbed.ledger_sha256 == calm.ledger_sha256


@pytest.mark.long
def test_the_duration_of_a_run_counts_all_processes_of_its_clock(street: Scenario, tmp_path: Path) -> None:
    """A clock that is killed in the afternoon had been running since midnight; how long it was away does not count."""
    killed = Crash(CLOCK, 200, turns=0, away_wall_s=100.0)

    async def main() -> RunOutcome:
        return await run_disturbed(street, Disturbance(Faults(), (killed,)), 1, tmp_path, pace=Pace.parse("3600x"))

    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        outcome = runner.run(main())
    assert 15 < outcome.wall_s < 100  # sixteen hours and a bit, at an hour a second


def test_a_journal_of_another_run_is_refused(tmp_path: Path) -> None:
    """Rather than replayed into the wrong neighbourhood."""
    path = tmp_path / "x.sqlite"
    with HostJournal(path, {"run": "monday"}):
        pass
    with pytest.raises(JournalError, match="run 'monday', not 'tuesday'"):
        HostJournal(path, {"run": "tuesday"})


def test_results_that_cannot_be_read_for_lack_of_space_are_not_taken_for_those_of_another_run(
    street: Scenario, tmp_path: Path
) -> None:
    """The clock was not started again, although space was free soon: the index of the log could not be made."""
    settings = RunSettings(seed=1, run_id="r")  # no journals, which are opened before the results
    results_file = tmp_path / "r.sqlite"
    with open_record(results_file, street, settings):
        pass
    with closing(sqlite3.connect(results_file)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")  # as while a run is under way
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limits[1]))
    try:
        with pytest.raises(ResultsUnreadableError) as raised, open_record(results_file, street, settings):
            pytest.fail("opened")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert code_for_supervisor(raised.value) == TRY_AGAIN


@pytest.mark.parametrize("is_built", [False, True], ids=["name taken", "no run in it"])
def test_a_clock_that_was_killed_while_it_created_its_results_starts_again(
    street: Scenario, tmp_path: Path, *, is_built: bool
) -> None:
    """It took what it had left for the results of another run, and never started again."""
    settings = RunSettings(seed=1, run_id="r", journals=tmp_path)
    results_file = tmp_path / "r.sqlite"
    if is_built:
        create_results(SimulationSpec(street, "insertion", (2,), "mqtt"), results_file)
    else:
        reserve_exactly(results_file)
    with open_record(results_file, street, settings):
        pass
    with ResultsReader(results_file) as results:
        assert [run.run_id for run in results.runs()] == ["r"]
        assert results.info.seeds == (1,)


def test_results_in_which_another_command_has_yet_to_begin_a_run_are_not_touched(
    street: Scenario, tmp_path: Path
) -> None:
    """A clock with the same `--out` took them for what it had left, and removed them from under `ssmic run`."""
    results_file = tmp_path / "r.sqlite"
    create_results(SimulationSpec(street, "insertion", (1,), "mosquitto"), results_file)
    before = results_file.read_bytes()
    settings = RunSettings(seed=1, run_id="r", journals=tmp_path)
    with pytest.raises(ResultsError, match="exists already"), open_record(results_file, street, settings):
        pytest.fail("opened")
    assert results_file.read_bytes() == before


def test_results_that_another_process_is_creating_are_not_touched(street: Scenario, tmp_path: Path) -> None:
    """Two clocks with the same `--out` removed each other's empty files, and the results of one of them were lost."""
    settings = RunSettings(seed=1, run_id="r", journals=tmp_path)
    results_file = tmp_path / "r.sqlite"
    with sole_writer(results_file):
        reserve_exactly(results_file)
        with pytest.raises(ResultsExistError, match=r"r\.sqlite: another process writes its results") as refused:
            create_results(SimulationSpec(street, "insertion", (1,), "memory"), results_file)
        with pytest.raises(ResultsExistError), open_record(results_file, street, settings):
            pytest.fail("opened")
        assert not results_file.read_bytes()
    assert code_for_supervisor(refused.value) == USAGE


def test_a_second_clock_does_not_touch_the_results_of_the_first_one(street: Scenario, tmp_path: Path) -> None:
    """Its run is another one, so it has other journals."""
    results_file = tmp_path / "r.sqlite"
    first, second = (RunSettings(seed=1, run_id=name, journals=tmp_path) for name in ("first", "second"))
    with open_record(results_file, street, first):
        before = results_file.read_bytes()
        with pytest.raises(ResultsExistError), open_record(results_file, street, second):
            pytest.fail("opened")
        assert results_file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(("first.", "second."))] == ["r.sqlite"]


def test_a_process_that_was_killed_while_it_created_a_file_leaves_no_draft_for_ever(
    street: Scenario, tmp_path: Path
) -> None:
    """The next one that creates the file removes it, with what SQLite has left beside it; not those of other files."""
    killed, others = tmp_path / ".r.sqlite.0123abcd", tmp_path / ".xr.sqlite.0123abcd"
    for path in (killed, killed.with_name(f"{killed.name}-journal"), others):
        path.touch()
    create_results(SimulationSpec(street, "insertion", (1,), "memory"), tmp_path / "r.sqlite")
    assert sorted(path.name for path in tmp_path.iterdir()) == [others.name, "r.sqlite"]


def test_an_interrupted_clock_leaves_one_file_which_it_continues(street: Scenario, tmp_path: Path) -> None:
    """SQLite's other files stayed beside it, once its results had been shown. The next clock waits for no reader."""
    settings = RunSettings(seed=1, run_id="r", journals=tmp_path / "journals")
    results_file = tmp_path / "r.sqlite"
    with pytest.raises(asyncio.CancelledError), open_record(results_file, street, settings):
        raise asyncio.CancelledError
    with ResultsReader(results_file) as results:
        assert results.run(1).state == "interrupted"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["r.sqlite"]
    with (
        closing(sqlite3.connect(results_file, isolation_level=None)) as reader,
        open_record(results_file, street, settings) as record,
    ):
        reader.execute("BEGIN")
        assert reader.execute("SELECT state FROM runs").fetchone() == ("running",)
        record.writer.finish(RecordedEnd("done", street.start_s, wall_s=0.0))


def test_the_results_of_another_run_are_not_touched(street: Scenario, tmp_path: Path) -> None:
    """A run with the id of another one is refused before it changes any of its files."""
    settings = RunSettings(seed=1, run_id="r", journals=tmp_path)
    journal = settings.clock_journal(settings.fingerprint_of_all(street))
    results_file = tmp_path / "r.sqlite"
    assert journal is not None
    with open_record(results_file, street, replace(settings, journals=tmp_path / "none")) as record, journal:
        record.writer.finish(RecordedEnd("done", street.start_s, wall_s=0.0))
        journal.save_round(first_round(street.start_s, (MANAGER,)))
    before = results_file.read_bytes()
    other = replace(settings, seed=2)
    with pytest.raises(JournalError, match="another run"), open_record(results_file, street, other):
        pytest.fail("opened")
    assert results_file.read_bytes() == before
    without_journal = replace(other, journals=tmp_path / "none")
    with pytest.raises(ResultsError, match="exists already"), open_record(results_file, street, without_journal):
        pytest.fail("opened")
    assert results_file.read_bytes() == before


async def _run_without(street: Scenario, lost: str, at_step: int, settings: RunSettings) -> RunOutcome:
    broker = MemoryBroker()
    households: dict[str, asyncio.Task[None]] = {}
    async with asyncio.TaskGroup() as tasks:
        for house in street.houses:
            households[house.id] = tasks.create_task(run_hosts(street, settings, broker, [house.id]))

        def on_moment(moment: object) -> None:
            if getattr(moment, "step", 0) == at_step:
                households[lost].cancel()

        return await run_scenario(street, settings, broker, [MANAGER], callbacks=RunCallbacks(on_moment=on_moment))


@pytest.mark.parametrize("at_step", [90, *(pytest.param(step, marks=pytest.mark.long) for step in (3, 40, 140))])
@pytest.mark.parametrize("lost", ["adler", "celik"])
def test_with_drop_the_run_continues_without_a_household(street: Scenario, lost: str, at_step: int) -> None:
    """Its open jobs end as lost; unstarted jobs that its panels supplied find other suppliers."""
    settings = RunSettings(seed=1, run_id="r", on_loss="drop", patience=Timeouts(limit_wall_s=30))
    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        outcome = runner.run(_run_without(street, lost, at_step, settings))
    assert outcome.state == "done"
    house_of = {job.job_id: job.house for job in street.jobs}
    lost_panels = {d.id for house in street.houses if house.id == lost for d in house.devices if d.type == "producer"}
    for entry in outcome.ledger:
        if entry.state == "lost":
            assert house_of[entry.contract.job_id] == lost
        if any("lost" in event.reason for event in entry.history if event.what == "cancelled"):
            assert entry.contract.producer in lost_panels
    served = {entry.contract.job_id for entry in outcome.ledger if entry.state == "standing"}
    assert served >= {job.job_id for job in street.jobs if job.house != lost}


@pytest.mark.parametrize("at_step", [90, *(pytest.param(step, marks=pytest.mark.long) for step in (3, 40, 140, 200))])
def test_with_drop_and_shared_supply_no_share_of_a_lost_roof_remains_and_none_is_given_twice(
    street: Scenario, at_step: int
) -> None:
    """Jobs that had not started fill the gap from other roofs and the grid; those that ran keep what they had."""
    settings = RunSettings(
        seed=1, run_id="r", supply=SupplySettings("shared"), on_loss="drop", patience=Timeouts(limit_wall_s=30)
    )
    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        outcome = runner.run(_run_without(street, "adler", at_step, settings))
    assert outcome.state == "done"
    standing = [entry for entry in outcome.ledger if entry.state == "standing"]
    assert {entry.contract.job_id for entry in standing} >= {job.job_id for job in street.jobs if job.house != "adler"}
    for entry in standing:
        told_s = [event.at_s for event in entry.history if "is lost" in event.reason]
        if told_s and entry.contract.start_s > told_s[-1]:
            assert "pv-adler" not in entry.contract.producers
    forecasts = past_forecasts(street)
    assert not double_booked(street.jobs, outcome.ledger, forecasts)


def test_with_drop_a_household_that_never_came_is_dropped_too(street: Scenario) -> None:
    """At the time limit, the run begins without it; a run without its manager does not begin."""
    settings = RunSettings(seed=1, run_id="r", on_loss="drop", patience=Timeouts(limit_wall_s=30))

    async def main(absent: str) -> RunOutcome:
        broker = MemoryBroker()
        present = [house.id for house in street.houses if house.id != absent]
        async with asyncio.TaskGroup() as tasks:
            for house in present:
                tasks.create_task(run_hosts(street, settings, broker, [house]))
            return await run_scenario(street, settings, broker, [MANAGER])

    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        outcome = runner.run(main("adler"))
    assert outcome.state == "done"
    house_of = {job.job_id: job.house for job in street.jobs}
    served = {entry.contract.job_id for entry in outcome.ledger if entry.state == "standing"}
    assert served == {job.job_id for job in street.jobs if house_of[job.job_id] != "adler"}
