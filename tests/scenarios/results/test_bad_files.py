"""A file that holds no results is refused with one clear message that names it."""

from __future__ import annotations

import json
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

import pytest

from scenarios.results.connection import ResultsError, seal
from scenarios.results.file_validation import decompressed
from scenarios.results.files import SimulationSpec, create_results, glance
from scenarios.results.reader import ResultsReader
from scenarios.results.rows import restored_scenario
from scenarios.results.summary import simulation_json
from scenarios.results.writer import RunWriter
from scenarios.scenario import Scenario
from tests.scenarios.neighbourhoods import START_S

HIDDEN_VIRTUAL_TABLE = """
CREATE VIRTUAL TABLE v USING rtree (id, least, most);
PRAGMA writable_schema = ON;
UPDATE sqlite_master SET sql = replace(sql, 'CREATE VIRTUAL', 'CREATE/**/VIRTUAL') WHERE name = 'v';
"""
HUGE = {"times_s": [0, 60], "cumulative_wh": [0, 1e300]}
EXPECTATIONS = "CREATE TABLE expectations (run, n, verdict_json); INSERT INTO expectations"


def test_a_missing_file(tmp_path: Path) -> None:
    """The message says so, and no file is created."""
    with pytest.raises(ResultsError, match=r"gone\.sqlite: there is no such file"):
        ResultsReader(tmp_path / "gone.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_a_folder(tmp_path: Path) -> None:
    """It is not a file."""
    with pytest.raises(ResultsError, match="is a folder"):
        ResultsReader(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"house;device\n1;pv\n", "not an SQLite file"),
        (b"\x00" * 5000, "not an SQLite file"),
        (b"SQLite format 3\x00\x10\x00", "truncated after 18 bytes"),
    ],
)
def test_a_file_of_another_kind(tmp_path: Path, content: bytes, message: str) -> None:
    """Empty, text, binary, and a mere beginning."""
    path = tmp_path / "r.sqlite"
    path.write_bytes(content)

    with pytest.raises(ResultsError, match=rf"r\.sqlite: .*{message}"):
        ResultsReader(path)


def test_a_foreign_sqlite_file(tmp_path: Path) -> None:
    """It is another program's database, even with tables of the same names."""
    path = tmp_path / "photos.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript("CREATE TABLE meta (key, value); CREATE TABLE runs (run); PRAGMA user_version = 1")
    connection.close()

    with pytest.raises(ResultsError, match=r"photos\.sqlite: is an SQLite file, but not an ssmic results file"):
        ResultsReader(path)


def test_a_file_of_a_newer_version(results_file: Path, scenario: Scenario) -> None:
    """The error states the version and the remedy; the file is not changed."""
    _change(results_file, "PRAGMA user_version = 7")

    newer = r"newer ssmic \(format 7; this one reads up to 3\): upgrade"
    with pytest.raises(ResultsError, match=newer):
        ResultsReader(results_file)
    with pytest.raises(ResultsError, match=newer):
        RunWriter(results_file, scenario, run=3, run_id="r3", seed=3, start_s=START_S)


_NEW_EVENT = """
UPDATE simulation
SET scenario_json = json_set(scenario_json, '$.timeline', json('[{"at_s": 1, "action": {"do": "lend"}}]'))
"""
_NEW_SUPPLY = "UPDATE simulation SET settings_json = json_set(settings_json, '$.supply', 'lent')"


@pytest.mark.parametrize(
    ("change", "unknown"),
    [
        ("UPDATE history SET what = 'lent'", "what: Input should be"),
        (_NEW_EVENT, "its scenario, at timeline.0"),
        (_NEW_SUPPLY, "its settings, at supply: 'lent', expected 'whole' or 'shared'"),
    ],
)
def test_a_word_of_a_newer_version_need_not_be_damage(results_file: Path, change: str, unknown: str) -> None:
    """A new kind of event does not change the file's format."""
    _change(results_file, change)

    with pytest.raises(ResultsError, match=f"is damaged, or was written by a newer ssmic: .*{unknown}"):
        _read_all(results_file)


def test_the_list_of_results_names_a_supply_that_it_does_not_know(results_file: Path) -> None:
    """Its share of the consumption may be computed by another rule, too."""
    _change(results_file, _NEW_SUPPLY)

    assert glance(results_file).problem.startswith(
        "is damaged, or was written by a newer ssmic: its settings, at supply"
    )


@pytest.mark.parametrize("part", [0.1, 0.5, 0.95])
def test_a_truncated_file(results_file: Path, part: float) -> None:
    """A copy that broke off."""
    seal(results_file)
    content = results_file.read_bytes()
    results_file.write_bytes(content[: int(len(content) * part)])

    with pytest.raises(ResultsError, match="is damaged: truncated after"):
        ResultsReader(results_file)


def test_a_corrupt_file(results_file: Path) -> None:
    """Every page but the first overwritten."""
    seal(results_file)
    content = results_file.read_bytes()
    results_file.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))

    with pytest.raises(ResultsError, match="is damaged"):
        ResultsReader(results_file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE simulation SET scenario_json = '{'", "its scenario: Invalid JSON"),
        ("UPDATE simulation SET scenario_json = '{}'", "scenario"),
        ("DELETE FROM simulation", "does not say what was simulated"),
        ("UPDATE simulation SET settings_json = 'x'", "'settings_json': expected a JSON object"),
        ("UPDATE simulation SET settings_json = '[1,2]'", "'settings_json': expected a JSON object"),
        ("UPDATE simulation SET seeds_json = '[\"a\"]'", "'seeds_json': expected a JSON array"),
        ("UPDATE runs SET not_registered_json = '['", "'not_registered_json': expected a JSON array"),
        ("UPDATE runs SET wall_s = 'x'", "table 'runs' has 'x' in column 'wall_s': expected a number"),
        ("UPDATE messages SET time_s = 'x'", "table 'messages' has 'x' in column 'time_s'"),
        ("UPDATE production SET produced_wh = 9e999", "table 'production' has 'inf' in column 'produced_wh'"),
        ("CREATE VIEW v AS WITH RECURSIVE n AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT * FROM n", "the view 'v'"),
        ("UPDATE contracts SET job_id = 'ghost'", "does not have"),
        ("UPDATE contracts SET producer = 'ghost'", "'ghost', which is not a producer"),
        ("UPDATE contracts SET start_s = 'noon'", "start_s"),
        ("UPDATE history SET what = 'eaten'", "what"),
        ("DROP TABLE contracts", "contracts"),
        (HIDDEN_VIRTUAL_TABLE, "the virtual table 'v'"),
        (
            "ALTER TABLE runs ADD COLUMN more AS (hex(zeroblob(400000000)))",
            "the computed column 'more' of table 'runs'",
        ),
        ("UPDATE runs SET reached_s = 274877906944", "has the time 274877906944; it can take 4027 days at most"),
        ("UPDATE contracts SET start_s = 274877906944", "has the time 274877906944; it can take 4027 days at most"),
        ("UPDATE runs SET comparison_json = '{\"optimum\": [1]}'", "optimum"),
        ("UPDATE runs SET comparison_json = '{\"baselines\": 3}'", "baselines"),
        (f"{EXPECTATIONS} VALUES (1, 9, '[1]')", "should be an object"),
        (f"{EXPECTATIONS} VALUES (1, 9, '{{\"title\": 1}}')", "title"),
    ],
)
def test_a_file_that_was_tampered_with(results_file: Path, change: str, message: str) -> None:
    """Sound as SQLite, but not as results."""
    _change(results_file, change)

    with pytest.raises(ResultsError, match=rf"(?s){results_file.name}: (is damaged|cannot be read).*{message}"):
        _read_all(results_file)


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        (("houses", 0, "id"), "x", "house 'x' has device .*devices of its own are expected"),
        (("houses", 0, "id"), "", "house '' has device .*and ids"),
        (("jobs", 0, "device"), "x", "device 'x' of house .*a consumer of the scenario is expected"),
        (("producers",), {}, "producer .* has no series"),
        (("start_s",), -(10**18), "start_s .*is expected"),
        (("utc_offset_s",), 2**63, "utc_offset_s .*less than a day is expected"),
        (("jobs", 0, "latest_start_s"), 10**12, "starts from 0 to"),
        (("base_loads",), {"x": {"times_s": [0, 1], "cumulative_wh": [0, 1]}}, "base load of house 'x'"),
        (("base_loads",), {"a": HUGE}, "house 'a': a base load of 1e\\+300 Wh; at most 1e\\+12 Wh are expected"),
        (("jobs", 0, "load_profile"), HUGE, "a load profile of 1e\\+300 Wh; at most"),
        (("load_profiles",), {"x": HUGE}, "load profile 'x' of 1e\\+300 Wh; at most"),
        (("producers", "pv", "actual"), HUGE, "an actual production of 1e\\+300 Wh; at most"),
        (
            ("producers", "pv", "actual"),
            {"times_s": [0, 5 * 10**11], "cumulative_wh": [0, 1]},
            "an actual production from 0 to 500,0",
        ),
        (
            ("timeline",),
            [{"at_s": 0, "action": {"do": "forecast", "producer": "x", "production": HUGE}}],
            "event '1': a forecast of",
        ),
        (("tariff", "import_eur_per_kwh"), -1e300, "a price of -1e\\+300 EUR/kWh"),
        (("tariff", "import_eur_per_kwh"), {"times_s": [0, 1], "eur_per_kwh": [0.3]}, "ascending times, each with a"),
        (("tariff", "import_eur_per_kwh"), {"bands": []}, "a price at each time of the week"),
        (("tariff", "grid_kg_co2_per_kwh"), 1e300, "1e\\+300 kg CO2/kWh"),
        (
            ("timeline",),
            [{"at_s": 0, "action": {"do": "tariff", "import_eur_per_kwh": 1e300}}],
            "a price of 1e\\+300 EUR/kWh",
        ),
        (
            ("timeline",),
            [{"at_s": 10**15, "action": {"do": "note", "text": "x"}}],
            "at timeline.0.at_s: Input should be",
        ),
        (("timeline",), [{"at_s": 0, "action": {"do": "forecast", "producer": "pv", "factor": 1e300}}], "less than or"),
        (("jobs", 0, "registered_s"), -1, "starts from 0 to"),
        (("tariff", "import_eur_per_kwh"), {"times_s": [0, 2**70], "eur_per_kwh": [0.3, 0.2]}, "prices: times up to"),
        (("community",), {"interval_s": 0}, "interval_s 0: one of 300, "),
        (("community",), {"vat_percent": -1e300}, "vat_percent -1e\\+300"),
        (("community",), {"coefficients": {"x": 1.5}}, "coefficients: 0 to 1"),
        (("community",), {"supplier_fee_eur_per_year": 1e300}, "a fee of 1e\\+300 EUR/year"),
    ],
)
def test_a_scenario_that_contradicts_itself(
    results_file: Path, place: tuple[str | int, ...], value: object, problem: str
) -> None:
    """A bit flip in an id was shown as a bare `'x'`, or ended the command with an internal error."""
    with closing(sqlite3.connect(results_file)) as connection, connection:
        ((kept,),) = connection.execute("SELECT scenario_json FROM simulation")
        scenario = json.loads(restored_scenario(kept))
        part = scenario
        for key in place[:-1]:
            part = part[key]
        part[place[-1]] = value
        connection.execute("UPDATE simulation SET scenario_json = ?", (json.dumps(scenario),))

    with pytest.raises(ResultsError, match=rf"{results_file.name}: is damaged: its scenario[:,] .*{problem}"):
        _read_all(results_file)


def test_what_is_compressed_has_a_limit() -> None:
    """A few kilobytes may become more than the memory; a scenario, and the minutes of a run, are compressed."""
    assert decompressed(zlib.compress(bytes(1_000)), 1_000) == bytes(1_000)
    with pytest.raises(ValueError, match="more than 1,000 bytes when it is decompressed"):
        decompressed(zlib.compress(bytes(2**24)), 1_000)
    with pytest.raises(ValueError, match="incomplete"):
        decompressed(zlib.compress(b"abc")[:-1], 1_000)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE runs SET kpis_json = '{}'",
        "UPDATE runs SET kpis_json = '[]'",
        'UPDATE runs SET kpis_json = \'{"self_sufficiency": "x"}\'',
    ],
)
def test_a_damaged_file_does_not_keep_others_from_being_listed(results_file: Path, change: str) -> None:
    """The list gives its problem."""
    _change(results_file, change)

    assert glance(results_file).problem.startswith("is damaged")


def test_the_log_of_a_file_that_was_deleted_is_not_taken_for_that_of_its_successor(
    results_file: Path, simulation: SimulationSpec
) -> None:
    """A run was killed, and its file deleted, but not the write-ahead log beside it."""
    writer = RunWriter(results_file, simulation.scenario, run=3, run_id="r3", seed=3, start_s=START_S)
    log = results_file.with_name(f"{results_file.name}-wal")
    content = log.read_bytes()
    writer.close()
    results_file.unlink()
    log.write_bytes(content)

    create_results(simulation, out=results_file)
    with RunWriter(results_file, simulation.scenario, run=3, run_id="r3", seed=3, start_s=START_S):
        pass
    with ResultsReader(results_file) as results:
        assert [info.run for info in results.runs()] == [3]


def test_a_run_that_is_not_there(results_file: Path) -> None:
    """The message says which there are."""
    with ResultsReader(results_file) as results, pytest.raises(ResultsError, match="no run 3; there are runs 1 to 2"):
        results.run(3)


def _read_all(path: Path) -> None:
    with ResultsReader(path) as results:
        simulation_json(results)


def _change(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.executescript(statement)
    connection.commit()
    connection.close()


def test_messages_that_cannot_be_counted(results_file: Path) -> None:
    """An expectation asks for their number, and the file has lost them."""
    with closing(sqlite3.connect(results_file)) as connection, connection:
        connection.execute("DROP TABLE messages")
    connection.close()
    with (
        ResultsReader(results_file) as results,
        pytest.raises(ResultsError, match=r"\.sqlite: cannot be read: .*messages"),
    ):
        results.count_sent(1, "Declined", None)
