"""Data written to a results file survive concurrent readers and writers, and the death of the writer."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from threading import Timer

import pytest
import structlog

from agents.energy import CumulativeSeries
from agents.manager.ledger import LedgerEntry, ledger_sha256
from scenarios.events import Note, TimelineEvent
from scenarios.gateways import Gateway
from scenarios.prices import Community, PriceBand, Tariff, TimeOfUse
from scenarios.results.connection import BUSY_WALL_S, ResultsError, ResultsWriteError, seal
from scenarios.results.files import SimulationSpec, create_results, file_name
from scenarios.results.reader import ResultsReader
from scenarios.results.rows import DroppedHost, record_comparison, record_verdicts
from scenarios.results.run_end import EndState, RecordedEnd, end_without_days_s
from scenarios.results.summary import run_json, simulation_json
from scenarios.results.writer import RunWriter
from scenarios.scenario import Scenario
from tests.scenarios.neighbourhoods import START_S, agreed, contract, forecast, job, load, neighbourhood, sun


def test_everything_that_was_written_is_read_back(
    results_file: Path, scenario: Scenario, ledger: tuple[LedgerEntry, ...]
) -> None:
    """Scenario, settings, versions, contracts with their history, hash, counts."""
    with ResultsReader(results_file) as results:
        assert results.scenario == scenario
        assert results.info.scenario == "sample"
        assert results.info.algorithm == "insertion"
        assert results.info.settings == {"pace": "max", "patient": True}
        assert results.info.hosts == 3
        assert results.info.seeds == (1, 2)
        assert {"ssmic", "python", "numpy", "scipy", "sqlite"} == results.info.versions.keys()
        assert datetime.fromisoformat(results.info.created_utc).tzinfo == UTC
        assert results.ledger(1) == tuple(sorted(ledger, key=lambda entry: entry.contract.contract_id))
        first, second = results.runs()
        assert (first.run, first.run_id, first.seed, first.state) == (1, "r1", 1, "done")
        assert first.ledger_sha256 == ledger_sha256(ledger)
        assert (first.start_s, first.end_s, first.messages, first.negotiations) == (START_S, START_S + 10800, 3, 4)
        assert second.not_registered == ("late",)
        assert second.wall_s == 0.25


def test_a_signal_ends_the_wait_for_a_locked_file(results_file: Path) -> None:
    """SQLite itself let no signal through, so Ctrl-C had no effect for a minute."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    began_wall_s, before = time.monotonic(), signal.signal(signal.SIGALRM, interrupt)
    try:
        with closing(sqlite3.connect(results_file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(KeyboardInterrupt):
                record_comparison(results_file, 1, {})
        assert time.monotonic() - began_wall_s < BUSY_WALL_S / 2
    finally:
        signal.signal(signal.SIGALRM, before)
    record_comparison(results_file, 1, {})


async def test_the_event_loop_goes_on_while_the_file_of_an_ended_run_is_locked(
    simulation: SimulationSpec, tmp_path: Path
) -> None:
    """Watchers, the broker and the user's request to stop are served; the results are written afterwards."""
    path = create_results(simulation, out=tmp_path / "r.sqlite")
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as other,
        RunWriter(path, simulation.scenario, run=1, run_id="r1", seed=1, start_s=START_S) as writer,
    ):
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(writer.until_unlocked())
        await asyncio.sleep(0)
        assert not waiting.done()
        other.execute("ROLLBACK")
        await waiting
        writer.finish(RecordedEnd("done", START_S))
    with ResultsReader(path) as results:
        assert results.runs()[0].state == "done"


def test_a_run_whose_file_stays_locked_at_its_end_is_kept_in_a_file_beside_it(
    simulation: SimulationSpec, tmp_path: Path
) -> None:
    """What was agreed during the lock is in the new file, which the error names; the locked one stays as it was."""
    path, beside = create_results(simulation, out=tmp_path / "r.sqlite"), tmp_path / "r.run-1-unlocked.sqlite"
    entry = agreed(contract(simulation.scenario.jobs[0], "pv", 0))
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as other,
        RunWriter(path, simulation.scenario, run=1, run_id="r1", seed=1, start_s=START_S) as writer,
        structlog.testing.capture_logs() as logs,
    ):
        other.execute("BEGIN IMMEDIATE")
        writer.entry(entry)
        assert not writer.commit()
        began_wall_s = time.monotonic()
        with pytest.raises(ResultsWriteError, match=rf"r\.sqlite: stayed locked by .*; the whole run is in {beside}"):
            writer.finish(RecordedEnd("interrupted", START_S, error="by the user"))
        other.execute("ROLLBACK")
        assert time.monotonic() - began_wall_s < 4.0  # a signal leaves the process 4.5 s
    assert [log["event"] for log in logs] == ["waiting for the results file"]
    with ResultsReader(beside) as results:
        assert (results.runs()[0].state, results.ledger(1)) == ("interrupted", (entry,))
    with ResultsReader(path) as results:
        assert (results.runs()[0].state, results.ledger(1)) == ("running", ())


@pytest.mark.long
@pytest.mark.parametrize("state", ["interrupted", "failed"])
def test_a_run_that_can_be_resumed_is_never_written_beside_its_locked_file(
    simulation: SimulationSpec, tmp_path: Path, state: EndState
) -> None:
    """Its clock is started again and writes the rest; a second file would only be an older copy of the run."""
    path = create_results(simulation, out=tmp_path / "r.sqlite")
    busy = pytest.raises(ResultsWriteError, match=r"r\.sqlite: stays locked by another process; once it is free, start")
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as other,
        RunWriter(path, simulation.scenario, run=1, run_id="r1", seed=1, start_s=START_S, resume=True) as writer,
        structlog.testing.capture_logs() as logs,
    ):
        other.execute("BEGIN IMMEDIATE")
        # The error that a failed run ends with says why, and must not be replaced.
        with nullcontext() if state == "failed" else busy:
            writer.finish(RecordedEnd(state, START_S, error="why"))
        other.execute("ROLLBACK")
    unrecorded = ["failure not recorded"] if state == "failed" else []
    assert [log["event"] for log in logs] == ["waiting for the results file", *unrecorded]
    assert list(tmp_path.glob("*.sqlite")) == [path]
    with RunWriter(path, simulation.scenario, run=1, run_id="r1", seed=1, start_s=START_S, resume=True) as writer:
        writer.finish(RecordedEnd("done", START_S))
    with ResultsReader(path) as results:
        assert results.runs()[0].state == "done"


def test_there_is_no_warning_of_a_brief_lock(simulation: SimulationSpec, tmp_path: Path) -> None:
    """The processes of a simulation write their runs to one file, each for a moment."""
    path = create_results(simulation, out=tmp_path / "r.sqlite")
    with (
        closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other,
        RunWriter(path, simulation.scenario, run=1, run_id="r1", seed=1, start_s=START_S) as writer,
        structlog.testing.capture_logs() as logs,
    ):
        other.execute("BEGIN IMMEDIATE")
        written = Timer(0.05, other.rollback)
        written.start()
        writer.finish(RecordedEnd("done", START_S))
        written.join()
    assert logs == []
    with ResultsReader(path) as results:
        assert results.runs()[0].state == "done"


def test_a_large_scenario_takes_little_space(tmp_path: Path) -> None:
    """It is compressed; only versions that can read it accept the file, and runs are written to it as to any other."""
    washes = [load(*((60 * i, float(n + i)) for i in range(200))) for n in range(4)]
    jobs = [job(f"job-{i}", "a", washes[i % 4]) for i in range(3000)]
    scenario = neighbourhood({"a": {"pv": forecast(sun((0, 0.0), (3600, 900.0)))}}, jobs)
    path = create_results(SimulationSpec(scenario, "insertion", seeds=(1,), broker="memory"), folder=tmp_path)
    with ResultsReader(path) as results:
        assert results.scenario == scenario
        assert results.knows_offset
        assert len(results.scenario_digest()) == 64
    assert path.stat().st_size < 1_000_000
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
        assert connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone() == ("2",)
    with RunWriter(path, scenario, run=1, run_id="r1", seed=1, start_s=START_S) as writer:
        writer.finish(RecordedEnd("done", START_S + 10800, negotiations=0, wall_s=0.0))


_PANEL = {"a": {"pv": forecast(sun((0, 0.0), (3600, 900.0)))}}
_PLAIN = neighbourhood(_PANEL, [job("wash", "a", load((0, 0), (600, 100)))])
_PRICES = Tariff(0.3, 0.1, 0.2, 0.4)
_BY_DAY = TimeOfUse((PriceBand(tuple(range(7)), 0, 0, 0.3),))
_REAL = Gateway(id="m", house="a", device="machine", type="consumer", agent="a/machine")


@pytest.mark.parametrize(
    ("scenario", "settings", "needed"),
    [
        (_PLAIN, {}, 1),
        (replace(_PLAIN, tariff=_PRICES), {"supply": "whole"}, 1),
        (_PLAIN, {"supply": "shared"}, 3),
        (_PLAIN, {"script": True}, 3),
        (replace(_PLAIN, base_loads={"a": sun((0, 0.0), (3600, 100.0))}), {}, 3),
        (replace(_PLAIN, tariff=_PRICES, community=Community("proportional")), {}, 3),
        (
            replace(
                _PLAIN,
                tariff=replace(_PRICES, neighbour_eur_per_kwh=_BY_DAY),
            ),
            {},
            3,
        ),
        (replace(_PLAIN, timeline=(TimelineEvent(at_s=START_S, action=Note(text="hail")),)), {}, 3),
        (replace(_PLAIN, gateways={"a/machine": _REAL}), {}, 3),
    ],
)
def test_a_file_needs_the_least_format_that_reads_it_correctly(
    tmp_path: Path, scenario: Scenario, settings: dict[str, object], needed: int
) -> None:
    """A release without shared supply called such a file damaged, and one without base loads left them out."""
    path = create_results(SimulationSpec(scenario, "insertion", (1,), "memory", settings=settings), folder=tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (needed,)
        assert connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone() == (str(needed),)


def test_every_seed_that_can_be_stored_is_read_back(tmp_path: Path) -> None:
    """A run with a seed above 2^53 was called damaged."""
    path = create_results(SimulationSpec(_PLAIN, "insertion", (2**63 - 1,), "memory"), folder=tmp_path)
    with RunWriter(path, _PLAIN, run=1, run_id="r1", seed=2**63 - 1, start_s=START_S) as writer:
        writer.finish(RecordedEnd("done", START_S + 10800))
    with ResultsReader(path) as results:
        assert results.runs()[0].seed == 2**63 - 1


def test_files_of_earlier_formats_stay_readable(tmp_path: Path) -> None:
    """Shared supply had no format of its own at first."""
    spec = SimulationSpec(_PLAIN, "insertion", (1,), "memory", settings={"supply": "shared"})
    path = create_results(spec, folder=tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 1")
    with RunWriter(path, _PLAIN, run=1, run_id="r1", seed=1, start_s=START_S) as writer:
        writer.finish(RecordedEnd("done", START_S + 10800))
    with ResultsReader(path) as results:
        assert results.info.supply == "shared"


def test_login_data_of_the_broker_are_not_kept(results_file: Path) -> None:
    """Results are passed around."""
    with ResultsReader(results_file) as results:
        assert results.info.broker == "mqtt://broker.example:1883"
    assert b"secret" not in results_file.read_bytes()


def test_messages_keep_their_order_and_know_their_job(results_file: Path, scenario: Scenario) -> None:
    """A request omits a load profile that the scenario has; everything else is kept."""
    with ResultsReader(results_file) as results:
        messages = list(results.messages(1))
        assert [(m.n, m.kind, m.job_id) for m in messages] == [
            (1, "Request", "wash"),
            (2, "Accept", "wash"),
            (3, "ContractAgreed", "wash"),
        ]
        wanted = scenario.jobs[0].model_dump(mode="json", exclude={"load_profile"})
        assert messages[0].body == {"kind": "Request", "job": wanted, "patient": True}
        assert [m.n for m in results.messages(1, after=1, limit=1)] == [2]
        assert [m.n for m in results.messages(1, kind="Accept", job_id="wash")] == [2]
        assert [m.n for m in results.messages(1, job_id="dry")] == []
        assert results.count_messages(2) == 3


def test_a_request_with_another_load_than_the_scenarios_keeps_it(tmp_path: Path, simulation: SimulationSpec) -> None:
    """The record contains the message as sent."""
    path = create_results(simulation, out=tmp_path / "r.sqlite")
    other = simulation.scenario.jobs[0].model_copy(update={"load_profile": load((0, 0), (60, 1))})
    body = {"kind": "Request", "job": other.model_dump(mode="json"), "patient": True}
    with RunWriter(path, simulation.scenario, run=1, run_id="r1", seed=1, start_s=START_S) as writer:
        writer.message(START_S, 0, "a/machine", 0, "pv", "Request", body)
        writer.commit()

    with ResultsReader(path) as results:
        (message,) = results.messages(1)
    assert message.body == body


def test_minutes_of_production_and_consumption_are_in_tables(results_file: Path) -> None:
    """For readers by SQL, the sums are those of the figures."""
    with ResultsReader(results_file) as results, closing(sqlite3.connect(results_file)) as connection, connection:
        figures = results.kpis(1)
        production = connection.execute(
            "SELECT SUM(produced_wh), SUM(contracted_wh), SUM(delivered_wh) FROM production WHERE run = 1"
        ).fetchone()
        consumption = connection.execute(
            "SELECT SUM(consumed_wh), SUM(delivered_wh) FROM consumption WHERE run = 1"
        ).fetchone()
        stored = json.loads(connection.execute("SELECT kpis_json FROM runs WHERE run = 1").fetchone()[0])
    connection.close()

    assert production == pytest.approx((figures.produced_wh, figures.contracted_wh, figures.delivered_wh))
    assert consumption == pytest.approx((figures.consumed_wh, figures.delivered_wh))
    assert stored == figures.as_dict()


def test_the_file_identifies_itself(results_file: Path) -> None:
    """The header and a table have the schema version, and no reference is broken."""
    connection = sqlite3.connect(results_file)
    try:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone() == ("1",)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        connection.close()


def test_names_say_when_what_how_and_how_often(tmp_path: Path, simulation: SimulationSpec) -> None:
    """Times are in UTC; unsuitable characters are replaced."""
    created = datetime(2026, 6, 21, 14, 5, 9, tzinfo=UTC)
    assert file_name(created, "street", "L-BFGS-B", 5) == "2026-06-21_140509_street_L-BFGS-B_5.sqlite"
    assert file_name(created, "../ö b", "a/b", 1) == "2026-06-21_140509_b_a-b_1.sqlite"

    path = create_results(simulation, folder=tmp_path)
    stamp = datetime.strptime(path.name[:17], "%Y-%m-%d_%H%M%S").replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - stamp).total_seconds()) < 60


def test_simulations_that_start_in_the_same_second_get_separate_files(
    tmp_path: Path, simulation: SimulationSpec
) -> None:
    """None is overwritten, for any number of them."""
    paths = {create_results(simulation, folder=tmp_path) for _ in range(5)}

    assert len(paths) == 5
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    for path in paths:
        ResultsReader(path).close()


def test_an_existing_file_is_not_overwritten(tmp_path: Path, simulation: SimulationSpec) -> None:
    """This holds for any file."""
    out = tmp_path / "mine.txt"
    out.write_text("dear diary")

    with pytest.raises(ResultsError, match=r"mine\.txt: exists already"):
        create_results(simulation, out=out)
    assert out.read_text() == "dear diary"


def test_a_place_that_cannot_hold_results_is_named(tmp_path: Path, simulation: SimulationSpec) -> None:
    """A file where a folder is needed."""
    (tmp_path / "file").touch()

    with pytest.raises(ResultsError, match=r"file.*(is a file|cannot be written)"):
        create_results(simulation, folder=tmp_path / "file")
    with pytest.raises(ResultsError, match=r"file.*(is a file|cannot be written)"):
        create_results(simulation, out=tmp_path / "file" / "r.sqlite")


def test_a_reader_sees_committed_data_during_the_run(tmp_path: Path, simulation: SimulationSpec) -> None:
    """It sees contracts and figures so far, and no partial transaction."""
    path = create_results(simulation, out=tmp_path / "r.sqlite")
    wash, nasty, _ = simulation.scenario.jobs
    with (
        RunWriter(path, simulation.scenario, run=1, run_id="r1", seed=1, start_s=START_S) as writer,
        ResultsReader(path) as results,
    ):
        assert results.run(1).state == "running"
        assert results.run(1).ledger_sha256 is None
        assert simulation_json(results)["runs"][0]["kpis"]["self_sufficiency"] is None

        writer.entry(agreed(contract(wash, "pv", 0)))
        assert results.ledger(1) == ()
        writer.commit()
        assert [e.contract.job_id for e in results.ledger(1)] == ["wash"]
        assert results.kpis(1).consumed_wh == pytest.approx(500)

        writer.entry(agreed(contract(nasty, "pv", 3600, agreed_s=30)))
        writer.commit()
        assert results.run(1).end_s == START_S + 30


def test_an_entry_written_again_replaces_what_was_known(tmp_path: Path, simulation: SimulationSpec) -> None:
    """The ledger's entry is the whole truth about a contract, its history included."""
    path = create_results(simulation, out=tmp_path / "r.sqlite")
    wash = simulation.scenario.jobs[0]
    with (
        RunWriter(path, simulation.scenario, run=1, run_id="r1", seed=1, start_s=START_S) as writer,
        ResultsReader(path) as results,
    ):
        first = agreed(contract(wash, "pv", 0))
        writer.entry(first)
        writer.commit()
        last = first.model_copy(update={"state": "cancelled", "history": (*first.history, first.history[0])})
        writer.entry(last)
        writer.commit()

        assert results.ledger(1) == (last,)


@pytest.mark.parametrize(("error", "state"), [(KeyboardInterrupt, "interrupted"), (RuntimeError, "failed")])
def test_a_run_that_breaks_off_says_so_and_keeps_its_contracts(
    tmp_path: Path, simulation: SimulationSpec, error: type[BaseException], state: str
) -> None:
    """This includes contracts not committed yet."""
    path = create_results(simulation, out=tmp_path / "r.sqlite")

    def broken_off() -> None:
        with RunWriter(path, simulation.scenario, run=1, run_id="r1", seed=1, start_s=START_S) as writer:
            writer.entry(agreed(contract(simulation.scenario.jobs[0], "pv", 0)))
            raise error("the lights went out")

    with pytest.raises(error):
        broken_off()
    with ResultsReader(path) as results:
        assert results.run(1).state == state
        assert results.run(1).error == "the lights went out"
        assert len(results.ledger(1)) == 1


def test_a_run_without_days_lasts_until_its_last_job_has_run(tmp_path: Path, simulation: SimulationSpec) -> None:
    """No event follows the start of the last job, but the job still draws."""
    path = create_results(simulation, out=tmp_path / "r.sqlite")
    wash = simulation.scenario.jobs[0]
    with RunWriter(path, simulation.scenario, run=1, run_id="r1", seed=1, start_s=START_S) as writer:
        entry = agreed(contract(wash, "pv", 600))
        writer.entry(entry)
        end_s = end_without_days_s(writer.last_message_s, simulation.scenario.jobs, [entry])
        writer.finish(RecordedEnd("done", end_s))

    with ResultsReader(path) as results:
        assert results.run(1).end_s == START_S + 600 + wash.duration_s
        assert results.kpis(1).jobs_unfinished == 0


def test_a_resumed_run_continues_its_ledger_and_counts(tmp_path: Path, simulation: SimulationSpec) -> None:
    """Records from before its process died are part of its hash and figures."""
    path = create_results(simulation, out=tmp_path / "r.sqlite")
    wash, nasty, _ = simulation.scenario.jobs
    first, second = agreed(contract(wash, "pv", 0)), agreed(contract(nasty, "pv", 3600))
    begun = RunWriter(path, simulation.scenario, run=1, run_id="r1", seed=1, start_s=START_S)
    begun.message(START_S, 0, "a", 7, "b", "Declined", {})
    begun.entry(first)
    begun.commit()
    begun.close()

    with RunWriter(path, simulation.scenario, run=1, run_id="r1", seed=1, start_s=START_S, resume=True) as writer:
        assert writer.seen == {"a": 7}
        writer.message(START_S, 0, "a", 8, "b", "Declined", {})
        writer.entry(second)
        writer.finish(RecordedEnd("done", START_S + 10800))

    with ResultsReader(path) as results:
        assert results.run(1).ledger_sha256 == ledger_sha256([first, second])
        assert results.kpis(1).jobs == 2
        assert [m.seq for m in results.messages(1)] == [7, 8]


@pytest.mark.parametrize("most_minute_rows", [5_000_000, 0])
def test_a_run_that_is_resumed_after_it_was_ended_is_as_if_it_had_not_been(
    tmp_path: Path, simulation: SimulationSpec, most_minute_rows: int
) -> None:
    """With its minutes, or an overview of them; until it ends again, the file has nothing of its end."""
    fridge = CumulativeSeries(times_s=(START_S, START_S + 86_400), cumulative_wh=(0, 2_400))
    simulation = replace(simulation, scenario=replace(simulation.scenario, base_loads={"b": fridge}))
    wash, nasty, _ = simulation.scenario.jobs
    out = (DroppedHost("a", "it was away", is_quarantined=False),)
    first, second = agreed(contract(wash, "pv", 0)), agreed(contract(nasty, "pv", 3600))
    found = []
    for is_ended in (False, True):
        path = create_results(simulation, out=tmp_path / f"{is_ended}.sqlite")

        def write(entry: LedgerEntry, state: str, path: Path = path, *, resume: bool) -> None:
            with RunWriter(
                path,
                simulation.scenario,
                run=1,
                run_id="r1",
                seed=1,
                start_s=START_S,
                resume=resume,
                most_minute_rows=most_minute_rows,
            ) as writer:
                with closing(sqlite3.connect(path)) as connection:
                    ended = connection.execute(
                        "SELECT state, kpis_json, ledger_sha256, comparison_json, error FROM runs"
                    )
                    assert ended.fetchone() == ("running", None, None, None, "")
                writer.entry(entry)
                if state == "done":
                    writer.finish(RecordedEnd("done", START_S + 10800))
                elif state:
                    scores = {"pv": (1, 2)}
                    writer.finish(
                        RecordedEnd(
                            "interrupted",
                            START_S + 10800,
                            wall_s=1.0,
                            error="why",
                            without=out,
                            disputes="b",
                            scores=scores,
                        )
                    )
                    record_comparison(path, 1, {"optimum": {}})
                    record_verdicts(path, 1, [{"holds": False}])
                else:
                    writer.commit()
                    writer.close()

        write(first, "interrupted" if is_ended else "", resume=False)
        write(second, "done", resume=True)
        with closing(sqlite3.connect(path)) as connection:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            tables = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for (name,) in names}  # noqa: S608 - the file's own names
        tables["runs"] = [row[:-1] for row in tables["runs"]]  # without the time of writing
        found.append({name: rows for name, rows in tables.items() if rows and name not in {"meta", "simulation"}})
    assert found[0] == found[1]


def test_a_killed_writer_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    """After `kill -9` in the middle of writing, all commits are present, and the file is sound."""
    path = tmp_path / "r.sqlite"
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        from scenarios.results.files import SimulationSpec, create_results
        from scenarios.results.writer import RunWriter
        from tests.scenarios.neighbourhoods import START_S, agreed, contract, forecast, job, load, neighbourhood, sun

        jobs = [job(f"j{i}", "a", load((0, 0), (60, 1))) for i in range(5000)]
        scenario = neighbourhood({"a": {"pv": forecast(sun((0, 0), (60, 1)))}}, jobs)
        path = create_results(SimulationSpec(scenario, "insertion", (1,), "memory"), out=Path(sys.argv[1]))
        with RunWriter(path, scenario, run=1, run_id="r", seed=1, start_s=START_S) as writer:
            for i, of in enumerate(jobs):
                writer.message(START_S, 0, of.agent, i, "pv", "Declined", {"kind": "Declined", "job_id": of.job_id})
                writer.entry(agreed(contract(of, "pv", 0)))
                writer.commit()
                print(i, flush=True)
    """)
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = 0
        for line in process.stdout:
            said = int(line) + 1
            if said == 100:
                process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL

    with ResultsReader(path) as results:
        assert results.run(1).state == "running"
        contracts = results.ledger(1)
        assert len(contracts) in {said, said + 1}
        assert all(len(entry.history) == 1 for entry in contracts)
        assert results.count_messages(1) == len(contracts)
        assert results.kpis(1).consumed_wh == pytest.approx(len(contracts))
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def write_one_run(path: Path, run: int, contracts: int) -> None:
    """Write a run with a commit for each contract, in a separate process."""
    jobs = [job(f"j{i}", "a", load((0, 0), (60, 1))) for i in range(contracts)]
    scenario = neighbourhood({"a": {"pv": forecast(sun((0, 0), (60, 1)))}}, jobs)
    with RunWriter(path, scenario, run=run, run_id=f"r{run}", seed=run, start_s=START_S) as writer:
        for i, of in enumerate(jobs):
            writer.message(START_S, 0, of.agent, i, "pv", "Declined", {"kind": "Declined", "job_id": of.job_id})
            writer.entry(agreed(contract(of, "pv", 60 * i)))
            writer.commit()
        writer.finish(RecordedEnd("done", START_S + 60 * contracts))


@pytest.mark.long
def test_processes_write_runs_of_one_file_at_the_same_time(tmp_path: Path) -> None:
    """All data of every run arrive, and runs with equal contracts have equal hashes."""
    runs, contracts = 4, 60
    jobs = [job(f"j{i}", "a", load((0, 0), (60, 1))) for i in range(contracts)]
    scenario = neighbourhood({"a": {"pv": forecast(sun((0, 0), (60, 1)))}}, jobs)
    path = create_results(
        SimulationSpec(scenario, "insertion", tuple(range(runs)), "memory"), out=tmp_path / "r.sqlite"
    )

    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for done in [pool.submit(write_one_run, path, run, contracts) for run in range(1, runs + 1)]:
            done.result()

    with ResultsReader(path) as results:
        assert [info.state for info in results.runs()] == ["done"] * runs
        assert len({info.ledger_sha256 for info in results.runs()}) == 1
        assert [len(results.ledger(run)) for run in range(1, runs + 1)] == [contracts] * runs
        assert [[m.n for m in results.messages(run)] for run in range(1, runs + 1)] == [
            list(range(1, contracts + 1))
        ] * runs


def test_a_file_with_many_messages_opens_at_once(tmp_path: Path, simulation: SimulationSpec) -> None:
    """Figures, a page of 100,000 messages and the course of one job take few steps of SQLite: indexes serve them."""
    path = create_results(simulation, out=tmp_path / "r.sqlite")
    with RunWriter(path, simulation.scenario, run=1, run_id="r1", seed=1, start_s=START_S) as writer:
        for i in range(100_000):
            body = {"kind": "Decline", "job_id": "dry" if i % 100 else "wash", "reason": "no sun is left"}
            writer.message(START_S + i // 10, i % 10, "pv", i, "b/machine", "Decline", body)
        writer.finish(RecordedEnd("done", START_S + 10800))

    thousands_of_steps = 0

    def count() -> int:
        nonlocal thousands_of_steps
        thousands_of_steps += 1
        return 0

    with ResultsReader(path) as results:
        results._connection.set_progress_handler(count, 1000)
        assert results.run(1).messages == results.count_messages(1) == 100_000
        assert results.kpis(1).jobs == 0
        assert [m.n for m in results.messages(1, after=50_000, limit=3)] == [50_001, 50_002, 50_003]
        assert len(list(results.messages(1, job_id="wash"))) == 1000
    assert thousands_of_steps < 500


def test_a_run_is_written_once(results_file: Path, scenario: Scenario) -> None:
    """A second run 1 would mix with the first."""
    with pytest.raises(ResultsError, match="cannot be written"):
        RunWriter(results_file, scenario, run=1, run_id="again", seed=1, start_s=START_S)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="this system does not list open files")
def test_a_file_that_cannot_be_written_is_closed_while_its_error_is_reported(
    results_file: Path, scenario: Scenario
) -> None:
    """The error refers to the writer as long as anyone shows it."""
    with pytest.raises(ResultsError) as caught:
        RunWriter(results_file, scenario, run=1, run_id="again", seed=1, start_s=START_S)
    assert str(results_file) in str(caught.value)
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert not [link for link in links if str(link.resolve()).startswith(str(results_file))]


def test_the_comparison_of_a_run_is_stored_with_it(results_file: Path) -> None:
    """The JSON has it under its own name."""
    optimum = {"best_wh": 10.0, "bound_wh": 11.0, "share": 0.9}
    record_comparison(results_file, 2, {"optimum": optimum})

    with ResultsReader(results_file) as results:
        first, second = simulation_json(results)["runs"]
    assert "optimum" not in first
    assert second["optimum"] == optimum
    with pytest.raises(ResultsError, match="has no run 9"):
        record_comparison(results_file, 9, {})


def test_a_sealed_file_is_complete(results_file: Path) -> None:
    """It can be copied without SQLite's other files."""
    seal(results_file)

    assert [p.name for p in results_file.parent.iterdir()] == [results_file.name]
    copy = results_file.with_name("copy.sqlite")
    copy.write_bytes(results_file.read_bytes())
    with ResultsReader(copy) as results:
        assert len(results.runs()) == 2


def test_sealing_a_file_that_is_read_does_no_harm(results_file: Path) -> None:
    """The file is unchanged."""
    with ResultsReader(results_file) as results:
        seal(results_file)
        assert len(results.runs()) == 2


def test_the_query_in_the_documentation_answers_its_question(results_file: Path) -> None:
    """The query is read from the page, and run on a real file."""
    page = (Path(__file__).parents[3] / "docs" / "results.md").read_text(encoding="utf-8")
    (query,) = re.findall(r"```sql\n(.*?)```", page, flags=re.DOTALL)
    connection = sqlite3.connect(results_file)
    try:
        answered = set(connection.execute(query).fetchall())
    finally:
        connection.close()

    assert answered == {("a", "pv", 0.5), ("b", "grid", 0.9), ("b", "pv", 0.2)}


def test_scores_before_and_after_a_run_are_kept(tmp_path: Path, simulation: SimulationSpec) -> None:
    """A run resumed in a file of an older version, without a table for scores, has them too."""
    path = create_results(simulation, folder=tmp_path)
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE scores")
    connection.close()
    with RunWriter(path, simulation.scenario, run=1, run_id="r1", seed=1, start_s=START_S) as writer:
        writer.commit()
    with ResultsReader(path) as reader:
        assert reader.scores(1) == {}
    with RunWriter(path, simulation.scenario, run=1, run_id="r1", seed=1, start_s=START_S, resume=True) as writer:
        writer.finish(RecordedEnd("done", START_S + 60, scores={"pv": (10, 7), "gone": (10, 10)}))
    with ResultsReader(path) as reader:
        assert reader.scores(1) == {"pv": (10, 7)}


def test_the_hosts_that_a_run_ended_without_are_kept(tmp_path: Path, simulation: SimulationSpec) -> None:
    """The reason is kept, and whether they broke the protocol; a file without the table has none."""
    out = (DroppedHost("a", "it lied", is_quarantined=True), DroppedHost("b", "it was away", is_quarantined=False))
    path = create_results(simulation, folder=tmp_path)
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE dropped_hosts")
    connection.close()
    with RunWriter(path, simulation.scenario, run=1, run_id="r1", seed=1, start_s=START_S) as writer:
        with ResultsReader(path) as reader:
            assert reader.run(1).without == ()
        writer.finish(RecordedEnd("done", START_S + 60, without=out))
    with ResultsReader(path) as reader:
        assert reader.run(1).without == out
        assert [run.without for run in reader.runs()] == [out]
        summary = run_json(reader, reader.run(1))
    assert summary["without"] == ["a", "b"]
    assert summary["quarantined"] == {"a": "it lied"}
    assert summary["dropped"] == {"b": "it was away"}


def test_disputes_are_kept_in_their_order(tmp_path: Path, simulation: SimulationSpec) -> None:
    """They belong to their run; without any, file and JSON are unaffected."""
    path = create_results(simulation, folder=tmp_path)
    for run, disputes in ((1, ()), (2, ("job 'b': lies", "job 'a': lies"))):
        with RunWriter(path, simulation.scenario, run=run, run_id=f"r{run}", seed=run, start_s=START_S) as writer:
            writer.finish(RecordedEnd("done", START_S + 60, disputes=disputes))
        with closing(sqlite3.connect(path)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        assert ("disputes" in tables) == bool(disputes)
    with ResultsReader(path) as reader:
        assert [info.disputes for info in reader.runs()] == [(), ("job 'b': lies", "job 'a': lies")]
        calm, disputed = (run_json(reader, reader.run(run)) for run in (1, 2))
    assert "disputes" not in calm
    assert disputed["disputes"] == ["job 'b': lies", "job 'a': lies"]
