"""A run's files over months of operation: removed, locked, unwritable, opened twice, or changed."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from agents import MANAGER
from broker.clock import ClockReport, Moment, Pace
from broker.errors import ClockTakenError, HostRefusedError, HostsMissingError
from broker.journal_file import JournalError, JournalWriteError
from broker.protocol import Timeouts
from broker.transport.memory import MemoryBroker
from scenarios.deployment import open_record
from scenarios.load import load_scenario
from scenarios.prices import Tariff
from scenarios.results import ResultsError, ResultsReader
from scenarios.scenario import Scenario
from scenarios.simulation.outcome import RunOutcome
from scenarios.simulation.run import RunCallbacks, run_hosts, run_scenario
from scenarios.simulation.settings import CLOCK_JOURNAL, RunSettings
from tests.virtual_time import new_virtual_loop
from tui.exit_codes import FAILED, TRY_AGAIN, USAGE, code_for_supervisor

PATIENCE = Timeouts(limit_wall_s=1e6)


@pytest.fixture(scope="module")
def street() -> Scenario:
    """The bundled street."""
    return load_scenario("street")


@pytest.fixture(scope="module")
def calm(street: Scenario) -> RunOutcome:
    """The street, undisturbed."""
    return asyncio.run(run_scenario(street, RunSettings(seed=1, run_id="calm"), MemoryBroker()))


def settings_in(folder: Path, **more: Any) -> RunSettings:
    """Return the settings of a deployed run whose files are in a folder."""
    settings = RunSettings(1, "r", journals=folder / "journal", patience=PATIENCE, pace=Pace(36_000))
    return replace(settings, **more)


async def clock(
    street: Scenario,
    settings: RunSettings,
    broker: MemoryBroker,
    on_moment: Callable[[Moment], None] | None = None,
    on_report: Callable[[ClockReport], None] | None = None,
) -> RunOutcome:
    """Be the clock's process."""
    assert settings.journals is not None
    with open_record(settings.journals.parent / "r.sqlite", street, settings) as record:
        outcome = await run_scenario(
            street,
            settings,
            broker,
            [MANAGER],
            record.writer,
            callbacks=RunCallbacks(on_moment=on_moment, on_report=on_report),
        )
        return record.ended(outcome)


@asynccontextmanager
async def households(street: Scenario, settings: RunSettings, broker: MemoryBroker) -> AsyncIterator[None]:
    """Be the processes of all households."""
    tasks = [asyncio.create_task(run_hosts(street, settings, broker, [house.id])) for house in street.houses]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def quickly(main: Any) -> Any:
    """Run in a loop whose wall clock jumps when nothing is ready."""
    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        return runner.run(main)


async def interrupted_at(step: int, street: Scenario, settings: RunSettings, broker: MemoryBroker) -> None:
    """Be the clock's process until a step, then end as by SIGTERM."""
    reached = asyncio.Event()

    def on_moment(moment: Moment) -> None:
        if moment.step >= step:
            reached.set()

    running = asyncio.create_task(clock(street, settings, broker, on_moment))
    await reached.wait()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


def test_a_second_clock_is_refused_and_the_first_one_continues(
    street: Scenario, calm: RunOutcome, tmp_path: Path
) -> None:
    """It was started by mistake, with the same journal and results."""

    async def main() -> RunOutcome:
        broker, settings = MemoryBroker(), settings_in(tmp_path)
        async with households(street, settings, broker):
            first = asyncio.create_task(clock(street, settings, broker))
            for _ in range(3):
                await asyncio.sleep(0.5)
                with pytest.raises(JournalError, match="another process uses it"):
                    await clock(street, settings, broker)
            return await first

    assert quickly(main()).ledger_sha256 == calm.ledger_sha256


def test_a_second_clock_with_other_files_is_told_of_the_first_one(
    street: Scenario, calm: RunOutcome, tmp_path: Path
) -> None:
    """Its error said that its manager had been refused, which means nothing to an operator.

    It left a results file, which was listed as a run that failed at 0 %.
    """

    async def main() -> RunOutcome:
        broker, settings = MemoryBroker(), settings_in(tmp_path, pace=Pace(600))
        async with households(street, settings, broker):
            first = asyncio.create_task(clock(street, settings, broker))
            for second in range(4):
                await asyncio.sleep(0.7)
                with pytest.raises(ClockTakenError, match=r"'r' is already active at this broker \(running\)"):
                    await clock(street, settings_in(tmp_path / f"{second}", pace=Pace(600)), broker)
                assert not (tmp_path / f"{second}" / "r.sqlite").exists()
            return await first

    assert quickly(main()).ledger_sha256 == calm.ledger_sha256


def test_what_a_restarted_clock_logs_before_its_first_step_has_the_time_that_the_run_has_reached(
    street: Scenario, tmp_path: Path
) -> None:
    """It said the start of the run, so that a night of restarts looked like one hour."""
    settings = settings_in(tmp_path)

    async def main() -> None:
        broker = MemoryBroker()
        async with households(street, settings, broker):
            await interrupted_at(100, street, settings, broker)

    quickly(main())
    with open_record(tmp_path / "r.sqlite", street, settings) as record:
        assert record.now_s >= record.writer.last_message_s > street.start_s


def test_a_failed_first_start_leaves_nothing_that_blocks_the_next(
    street: Scenario, calm: RunOutcome, tmp_path: Path
) -> None:
    """The journal folder cannot be made; when it can, the run begins."""

    async def main() -> RunOutcome:
        broker, settings = MemoryBroker(), settings_in(tmp_path)
        (tmp_path / "journal").touch()
        with pytest.raises(JournalWriteError, match="journal"):
            await clock(street, settings, broker)
        assert not (tmp_path / "r.sqlite").exists()
        (tmp_path / "journal").unlink()
        async with households(street, settings, broker):
            return await clock(street, settings, broker)

    assert quickly(main()).ledger_sha256 == calm.ledger_sha256


def test_a_folder_in_place_of_the_results_is_wrong_usage(street: Scenario, tmp_path: Path) -> None:
    """The error said that results exist already."""
    (tmp_path / "r.sqlite").mkdir()
    with (
        pytest.raises(ResultsError, match=r"r\.sqlite: is a folder; a results file is expected") as refused,
        open_record(tmp_path / "r.sqlite", street, settings_in(tmp_path)),
    ):
        pytest.fail("a run has begun")
    assert code_for_supervisor(refused.value) == USAGE


def test_results_without_journals_are_not_written_over(street: Scenario, tmp_path: Path) -> None:
    """The error says whose results they are, and how to go on."""

    async def main() -> None:
        broker, settings = MemoryBroker(), settings_in(tmp_path)
        async with households(street, settings, broker):
            await interrupted_at(120, street, settings, broker)
        for journal in (tmp_path / "journal").glob("*"):
            journal.unlink()
        kept = (tmp_path / "r.sqlite").read_bytes()
        with pytest.raises(ResultsError, match=r"of this run, which has no journal in .*: put .* journals back"):
            await clock(street, settings, broker)
        with pytest.raises(ResultsError, match="results of another run: choose another --run or --out"):
            await clock(street, replace(settings, run_id="other"), broker)
        assert (tmp_path / "r.sqlite").read_bytes() == kept

    quickly(main())


def test_deleted_results_are_not_replaced_by_half_of_them(street: Scenario, calm: RunOutcome, tmp_path: Path) -> None:
    """The clock reports that they are missing; once they are restored, the run continues and is complete."""

    async def main() -> RunOutcome:
        broker, settings = MemoryBroker(), settings_in(tmp_path)
        async with households(street, settings, broker):
            await interrupted_at(120, street, settings, broker)
            (tmp_path / "r.sqlite").rename(tmp_path / "kept")
            with pytest.raises(
                ResultsError, match=r"is missing, and run 'r' has reached .*: put its results file back"
            ):
                await clock(street, settings, broker)
            assert not (tmp_path / "r.sqlite").exists()
            (tmp_path / "kept").rename(tmp_path / "r.sqlite")
            return await clock(street, settings, broker)

    outcome = quickly(main())
    assert (outcome.ledger_sha256, outcome.messages) == (calm.ledger_sha256, calm.messages)


def test_an_older_copy_of_the_results_is_reported_when_the_run_continues_with_it(
    street: Scenario, calm: RunOutcome, tmp_path: Path
) -> None:
    """The messages since the copy were lost without a warning. With the newest file, there is none to give."""
    times_s: list[int] = []

    async def main() -> RunOutcome:
        broker, settings = MemoryBroker(), settings_in(tmp_path)
        async with households(street, settings, broker):
            for step in (60, 120):
                await interrupted_at(step, street, settings, broker)
                with ResultsReader(tmp_path / "r.sqlite") as results:
                    times_s.append(max(message.time_s for message in results.messages(1)))
                if step == 60:
                    shutil.copy(tmp_path / "r.sqlite", tmp_path / "copy")
            (tmp_path / "copy").replace(tmp_path / "r.sqlite")
            return await clock(street, settings, broker)

    with capture_logs() as logs:
        outcome = quickly(main())
    assert outcome.ledger_sha256 == calm.ledger_sha256
    assert outcome.messages < calm.messages
    warnings = [one for one in logs if one["event"] == "results lack messages"]
    assert [one["log_level"] for one in warnings] == ["warning"]
    assert times_s[0] <= warnings[0]["since_s"] <= times_s[1]


@pytest.mark.long
@pytest.mark.parametrize("lost", ["journal", "r.sqlite"])
def test_what_is_deleted_while_it_is_written_is_put_back(
    street: Scenario, calm: RunOutcome, tmp_path: Path, lost: str
) -> None:
    """A clock that comes back afterwards finds everything, and so do households."""

    async def main() -> RunOutcome:
        broker, settings = MemoryBroker(), settings_in(tmp_path, pace=Pace(3600))
        async with households(street, settings, broker):
            running = asyncio.create_task(interrupted_at(120, street, settings, broker))
            await asyncio.sleep(8)
            if (tmp_path / lost).is_dir():
                shutil.rmtree(tmp_path / lost)
            else:
                (tmp_path / lost).unlink()
            assert not (tmp_path / lost).exists()
            await running
            if not (tmp_path / lost).exists():
                pytest.fail("the run was over before anybody looked")
        async with households(street, settings, broker):
            return await clock(street, settings, broker)

    outcome = quickly(main())
    assert (outcome.ledger_sha256, outcome.messages) == (calm.ledger_sha256, calm.messages)
    with ResultsReader(tmp_path / "r.sqlite") as results:
        assert results.run(1).state == "done"
        assert results.count_messages(1) == calm.messages


@pytest.mark.long
def test_a_foreign_lock_on_the_results_does_not_stop_the_loop(
    street: Scenario, calm: RunOutcome, tmp_path: Path
) -> None:
    """The clock continues to report, and names what it waits for."""
    is_told = asyncio.Event()

    def on_report(reported: ClockReport) -> None:
        if "the results file" in reported.report.waiting_for:
            is_told.set()

    async def main() -> RunOutcome:
        broker, settings = MemoryBroker(), settings_in(tmp_path)
        async with households(street, settings, broker):
            running = asyncio.create_task(clock(street, settings, broker, on_report=on_report))
            await asyncio.sleep(0.8)
            stranger = sqlite3.connect(tmp_path / "r.sqlite", isolation_level=None)
            stranger.execute("BEGIN EXCLUSIVE")
            await is_told.wait()
            stranger.execute("COMMIT")
            stranger.close()
            return await running

    outcome = asyncio.run(main())
    assert (outcome.ledger_sha256, outcome.messages) == (calm.ledger_sha256, calm.messages)


@pytest.mark.long
@pytest.mark.parametrize("lock", ["BEGIN IMMEDIATE", "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE"])
def test_a_clock_that_finds_its_results_locked_asks_to_be_started_again(
    street: Scenario, calm: RunOutcome, tmp_path: Path, lock: str
) -> None:
    """By the code for failures that pass, within the 30 s of a watchdog; then the run continues."""

    async def main() -> tuple[ResultsError, float, RunOutcome]:
        broker, settings = MemoryBroker(), settings_in(tmp_path)
        async with households(street, settings, broker):
            await interrupted_at(40, street, settings, broker)
            stranger = sqlite3.connect(tmp_path / "r.sqlite", isolation_level=None)
            stranger.executescript(lock)
            began_wall_s = time.monotonic()
            with pytest.raises(ResultsError, match=r"r\.sqlite: .* locked") as refused:
                await clock(street, settings, broker)
            waited_wall_s = time.monotonic() - began_wall_s
            stranger.close()
            return refused.value, waited_wall_s, await clock(street, settings, broker)

    error, waited_wall_s, outcome = asyncio.run(main())
    assert code_for_supervisor(error) == TRY_AGAIN
    assert waited_wall_s < 25
    assert outcome.ledger_sha256 == calm.ledger_sha256
    assert list(tmp_path.glob("*.sqlite")) == [tmp_path / "r.sqlite"]


def renamed(street: Scenario) -> Scenario:
    """Return the street with everything changed that has no part in any contract."""
    houses = tuple(
        house.model_copy(
            update={
                "name": "Renamed",
                "devices": tuple(d.model_copy(update={"name": "New", "template": "new"}) for d in house.devices),
            }
        )
        for house in street.houses
    )
    return replace(street, description="new", tariff=Tariff(9, 1, 2, 3), houses=houses, utc_offset_s=7200)


@pytest.mark.long
def test_what_has_no_part_in_a_contract_may_change_in_mid_run(
    street: Scenario, calm: RunOutcome, tmp_path: Path
) -> None:
    """Description, tariff, display names: clock and households come back. The results keep what they began with."""

    async def main() -> RunOutcome:
        broker, settings = MemoryBroker(), settings_in(tmp_path)
        async with households(street, settings, broker):
            await interrupted_at(120, street, settings, broker)
        async with households(renamed(street), settings, broker):
            return await clock(renamed(street), settings, broker)

    assert quickly(main()).ledger_sha256 == calm.ledger_sha256
    with ResultsReader(tmp_path / "r.sqlite") as results:
        assert results.scenario.tariff == street.tariff


def with_later_job(street: Scenario) -> Scenario:
    """Return the street with one job that may start later."""
    first, *others = street.jobs
    changed = first.model_copy(update={"latest_start_s": first.latest_start_s + 60})
    return replace(street, jobs=(changed, *others))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda street, settings: (with_later_job(street), settings), "other jobs"),
        (lambda street, settings: (street, replace(settings, seed=2)), "seed '1', not '2'"),
        (lambda street, settings: (street, replace(settings, days=3)), "days 'all', not '3'"),
    ],
)
def test_a_change_that_affects_contracts_is_refused_with_the_difference(
    street: Scenario, tmp_path: Path, change: Callable[[Scenario, RunSettings], tuple[Scenario, RunSettings]], what: str
) -> None:
    """The error gives no advice that would lose data."""

    async def main() -> None:
        broker, settings = MemoryBroker(), settings_in(tmp_path)
        async with households(street, settings, broker):
            await interrupted_at(20, street, settings, broker)
        before = settings.journal_file(CLOCK_JOURNAL).read_bytes()
        with pytest.raises(JournalError, match=what) as refused:
            await clock(*change(street, settings), broker)
        assert "remove" not in str(refused.value)
        assert "delete" not in str(refused.value)
        assert settings.journal_file(CLOCK_JOURNAL).read_bytes() == before

    quickly(main())


def test_a_household_with_other_jobs_is_refused_with_the_difference(street: Scenario, tmp_path: Path) -> None:
    """By the clock, where it has no journal that says so."""

    async def main() -> None:
        broker, settings = MemoryBroker(), settings_in(tmp_path)
        running = asyncio.create_task(clock(street, settings, broker))
        changed = with_later_job(street)
        with pytest.raises(HostRefusedError, match="differ from the clock's: other jobs"):
            await run_hosts(changed, settings, broker, [changed.jobs[0].house])
        running.cancel()
        await asyncio.wait([running])

    quickly(main())


def test_wrong_settings_are_corrected_as_long_as_the_process_has_taken_no_part(
    street: Scenario, calm: RunOutcome, tmp_path: Path
) -> None:
    """A household started again with the right seed was refused by its own empty journal, and so was a clock."""

    async def main() -> RunOutcome:
        broker, settings = MemoryBroker(), settings_in(tmp_path)
        impatient = replace(settings, seed=2, patience=Timeouts(limit_wall_s=20))
        with pytest.raises(HostsMissingError, match="no answer from hosts within 20 s"):
            await clock(street, impatient, broker)
        running = asyncio.create_task(clock(street, settings, broker))
        house = street.jobs[0].house
        with pytest.raises(HostRefusedError, match="its settings differ from the clock's: seed '2', not '1'"):
            await run_hosts(street, impatient, broker, [house])
        async with households(street, settings, broker):
            return await running

    assert quickly(main()).ledger_sha256 == calm.ledger_sha256
    with ResultsReader(tmp_path / "r.sqlite") as results:
        assert results.info.seeds == (1,)
        assert [run.seed for run in results.runs()] == [1]


def test_a_clock_that_gives_up_on_a_household_says_that_it_has_refused_it(street: Scenario, tmp_path: Path) -> None:
    """It said that no announcement had come, and named its topic, as if the broker had not passed it on."""

    async def main() -> None:
        broker, settings = MemoryBroker(), settings_in(tmp_path, patience=Timeouts(limit_wall_s=20))
        houses = [house.id for house in street.houses if house.devices]
        lives = [
            asyncio.create_task(run_hosts(street, of_house, broker, [house]))
            for house in houses[1:]
            for of_house in [replace(settings, seed=2) if house == houses[1] else settings]
        ]
        with pytest.raises(HostsMissingError) as failed:
            await clock(street, settings, broker)
        assert str(failed.value) == (
            f"no answer from hosts within 20 s: {houses[0]!r}, {houses[1]!r} (no announcement on "
            f"ssmic/r/hosts/{houses[0]}); refused: {houses[1]!r} (its settings differ from the clock's: "
            "seed '2', not '1')"
        )
        await asyncio.gather(*lives, return_exceptions=True)

    quickly(main())


def test_a_household_that_has_lost_its_journal_is_told_so(street: Scenario, tmp_path: Path) -> None:
    """It was told that the last step it had run was -1."""

    async def main() -> None:
        broker, settings = MemoryBroker(), settings_in(tmp_path)
        async with households(street, settings, broker):
            await interrupted_at(120, street, settings, broker)
        house = street.jobs[0].house
        for path in (tmp_path / "journal").glob(f"r.{house}.*"):
            path.unlink()
        running = asyncio.create_task(clock(street, settings, broker))
        with pytest.raises(
            HostRefusedError, match=r"the last step it ran is none, expected \d+.*: its journal is missi"
        ) as refused:
            await run_hosts(street, settings, broker, [house])
        assert code_for_supervisor(refused.value) == FAILED
        running.cancel()
        await asyncio.wait([running])

    quickly(main())


def test_a_household_is_told_if_the_clock_has_lost_its_journal_and_comes_back_with_it(
    street: Scenario, calm: RunOutcome, tmp_path: Path
) -> None:
    """The clock was started on another machine; the household was told that its own journal was missing.

    It exited with the code for permanent failures, so that it was still down when the right clock was back.
    """

    async def main() -> RunOutcome:
        broker, settings = MemoryBroker(), settings_in(tmp_path)
        async with households(street, settings, broker):
            await interrupted_at(120, street, settings, broker)
        house = street.jobs[0].house
        wrong = asyncio.create_task(clock(street, settings_in(tmp_path / "other"), broker))
        with pytest.raises(
            HostRefusedError, match=r"ran is \d+, expected none.*: the clock's journal is missi"
        ) as refused:
            await run_hosts(street, settings, broker, [house])
        assert code_for_supervisor(refused.value) == TRY_AGAIN
        wrong.cancel()
        await asyncio.wait([wrong])
        async with households(street, settings, broker):
            return await clock(street, settings, broker)

    assert quickly(main()).ledger_sha256 == calm.ledger_sha256


@pytest.mark.parametrize("older", [CLOCK_JOURNAL, MANAGER])
def test_a_journal_that_was_put_back_alone_is_named(street: Scenario, tmp_path: Path, older: str) -> None:
    """The clock waited for its own manager, or refused it, and named no file.

    With an older journal of the clock that ended where the manager ran alone, it blamed the broker's access rules, and
    its supervisor started it again and again.
    """

    async def main() -> None:
        broker, settings = MemoryBroker(), settings_in(tmp_path)
        files, kept = [settings.journal_file(name) for name in (CLOCK_JOURNAL, MANAGER)], tmp_path / "kept"
        reached = asyncio.Event()
        kept_at: list[int] = []

        def on_moment(moment: Moment) -> None:
            if kept_at:
                if moment.step > kept_at[0] + 2:
                    reached.set()
                return
            with closing(sqlite3.connect(files[0])) as journal:
                (state,) = journal.execute("SELECT json FROM state").fetchone()
            if moment.step > 100 and json.loads(state)["counts"].keys() == {MANAGER}:
                kept_at.append(moment.step)
                kept.mkdir()
                for file in files:
                    with closing(sqlite3.connect(file)) as journal, closing(sqlite3.connect(kept / file.name)) as copy:
                        journal.backup(copy)

        async with households(street, settings, broker):
            running = asyncio.create_task(clock(street, settings, broker, on_moment))
            await asyncio.wait([running, asyncio.create_task(reached.wait())], return_when=asyncio.FIRST_COMPLETED)
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            put_back = settings.journal_file(older)
            shutil.copy(kept / put_back.name, put_back)
            (other,) = (file for file in files if file != put_back)
            with pytest.raises(JournalError) as refused:
                await clock(street, replace(settings, patience=Timeouts(limit_wall_s=60)), broker)
        before, _, after = str(refused.value).partition(", but ")
        assert str(put_back) in before
        assert str(other) in after
        assert "put back all files of the run from one backup" in after
        assert code_for_supervisor(refused.value) == FAILED

    quickly(main())
