"""Exports read back by other programs say what the results say."""

from __future__ import annotations

import csv
import json
import resource
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from agents import GRID, SHARED, Share
from scenarios.results.connection import ResultsError
from scenarios.results.export import FORMATS, Format, export_results
from scenarios.results.files import SimulationSpec, create_results
from scenarios.results.frames import load_frames
from scenarios.results.reader import ResultsReader
from scenarios.results.run_end import RecordedEnd
from scenarios.results.summary import simulation_json
from scenarios.results.writer import RunWriter
from tests.scenarios.neighbourhoods import START_S, agreed, contract, forecast, job, load, neighbourhood, sun

TABLES = {
    "runs",
    "kpis",
    "contracts",
    "history",
    "messages",
    "minutes",
    "production",
    "consumption",
    "base_loads",
    "share_minutes",
    "bills",
}


def read_csv(path: Path) -> list[dict[str, Any]]:
    """Read rows by heading, all of them text."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("format_", FORMATS)
def test_every_table_gets_a_file(results_file: Path, tmp_path: Path, format_: Format) -> None:
    """The simulation's JSON object is written too; nothing else remains."""
    reported: list[Path] = []
    with ResultsReader(results_file) as results:
        written = export_results(results, format_, tmp_path / "out" / "deep", wrote=reported.append)
        whole = simulation_json(results)

    assert {path.name for path in written} == {f"{name}.{format_}" for name in TABLES} | {"simulation.json"}
    assert sorted(written) == sorted((tmp_path / "out" / "deep").iterdir())
    assert tuple(reported) == written
    assert json.loads(written[-1].read_text(encoding="utf-8")) == whole


def test_csv_has_instants_twice_and_keeps_any_id(results_file: Path, tmp_path: Path) -> None:
    """UNIX seconds and ISO 8601 in UTC."""
    with ResultsReader(results_file) as results:
        export_results(results, "csv", tmp_path / "out")
        ids = {job.job_id for job in results.scenario.jobs}

    contracts = read_csv(tmp_path / "out" / "contracts.csv")
    assert {row["job_id"] for row in contracts} == ids
    for row in contracts:
        at = datetime.fromtimestamp(int(row["start_s"]), UTC)
        assert row["start_utc"] == at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert [row["state"] for row in contracts if row["job_id"] == "dry" and row["run"] == "1"] == [
        "cancelled",
        "standing",
    ]


def test_only_csv_disarms_texts_that_a_spreadsheet_would_take_for_formulas(tmp_path: Path) -> None:
    """A device chooses the name of its job and load; ids of houses stay, because tables are joined by them."""
    wash = job("=1+1", "=a", load((0, 0), (3600, 500))).model_copy(update={"profile": "@sum"})
    dry = job("dry", "=a", load((0, 0), (3600, 500))).model_copy(update={"source_id": "-2", "profile": "a=b"})
    scenario = neighbourhood({"=a": {}}, [wash, dry])
    path = create_results(SimulationSpec(scenario, "insertion", seeds=(1,), broker="memory"), folder=tmp_path)
    with RunWriter(path, scenario, run=1, run_id="r1", seed=1, start_s=START_S) as writer:
        for one in (wash, dry):
            entry = agreed(contract(one, GRID, 0))
            event = entry.history[0].model_copy(update={"reason": "+49"})
            writer.entry(entry.model_copy(update={"history": (event,)}))
        writer.finish(RecordedEnd("done", START_S + 7200))
    with ResultsReader(path) as results:
        export_results(results, "csv", tmp_path / "csv")
        export_results(results, "json", tmp_path / "json")

    by_job = {row["job_id"]: row for row in read_csv(tmp_path / "csv" / "contracts.csv")}
    assert [by_job["=1+1"][name] for name in ("source_id", "house", "profile")] == ["'=1+1", "=a", "'@sum"]
    assert [by_job["dry"][name] for name in ("source_id", "profile")] == ["'-2", "a=b"]
    assert {row["reason"] for row in read_csv(tmp_path / "csv" / "history.csv")} == {"'+49"}
    plain = json.loads((tmp_path / "json" / "contracts.json").read_text(encoding="utf-8"))
    assert {row["source_id"] for row in plain} == {"=1+1", "-2"}


def test_a_carriage_return_in_a_text_does_not_end_the_row(tmp_path: Path) -> None:
    """It was not quoted, and pandas and spreadsheets read the rest of the row as a row of its own."""
    wash = job("wash", "a", load((0, 0), (3600, 500)))
    scenario = neighbourhood({"a": {}}, [wash])
    path = create_results(SimulationSpec(scenario, "insertion", seeds=(1,), broker="memory"), folder=tmp_path)
    with RunWriter(path, scenario, run=1, run_id="r1", seed=1, start_s=START_S) as writer:
        entry = agreed(contract(wash, GRID, 0))
        event = entry.history[0].model_copy(update={"reason": "no sun\rno power"})
        writer.entry(entry.model_copy(update={"history": (event,)}))
        writer.finish(RecordedEnd("done", START_S + 7200))
    with ResultsReader(path) as results:
        export_results(results, "csv", tmp_path / "csv")

    history = pd.read_csv(tmp_path / "csv" / "history.csv")
    assert history["reason"].tolist() == ["no sun\rno power"]
    assert history["run"].tolist() == [1]
    assert b"\r\n" not in (tmp_path / "csv" / "history.csv").read_bytes()


def test_minutes_add_up_to_the_figures(results_file: Path, tmp_path: Path) -> None:
    """The sums are by neighbourhood, producer and house."""
    with ResultsReader(results_file) as results:
        export_results(results, "json", tmp_path / "out")
        figures = results.kpis(1)

    def total(table: str, column: str) -> float:
        rows = json.loads((tmp_path / "out" / f"{table}.json").read_text(encoding="utf-8"))
        return float(sum(row[column] for row in rows if row["run"] == 1))

    assert total("minutes", "produced_wh") == total("production", "produced_wh") == pytest.approx(figures.produced_wh)
    assert total("minutes", "consumed_wh") == pytest.approx(figures.consumed_wh)
    assert total("consumption", "consumed_wh") == pytest.approx(figures.consumed_wh)
    assert total("consumption", "delivered_wh") == pytest.approx(figures.delivered_wh)
    assert total("minutes", "grid_wh") == pytest.approx(figures.grid_wh)
    assert total("minutes", "export_wh") == pytest.approx(figures.export_wh)
    (first, _) = json.loads((tmp_path / "out" / "kpis.json").read_text(encoding="utf-8"))
    assert {name: first[name] for name in figures.as_dict()} == figures.as_dict()


def test_the_shares_of_each_minute_add_up_to_what_a_job_draws(tmp_path: Path) -> None:
    """Of 20 Wh a minute, A promises 10 and gives 8, B gives 5 in the first half hour, and the grid gives the rest."""
    wash = job("wash", "b", load((0, 0), (3600, 1200)))
    roofs = {"a": {"pv-a": forecast(sun((0, 0), (3600, 480)))}, "b": {"pv-b": forecast(sun((0, 0), (3600, 2000)))}}
    scenario = neighbourhood(roofs, [wash])
    shares = (Share(producer="pv-a", minutes_mwh=((60, 10_000),)), Share(producer="pv-b", minutes_mwh=((30, 5_000),)))
    shared = contract(wash, GRID, 0).model_copy(update={"producer": SHARED, "shares": shares})
    spec = SimulationSpec(scenario, "insertion", (1,), "memory", settings={"supply": "shared"})
    path = create_results(spec, folder=tmp_path)
    with RunWriter(path, scenario, run=1, run_id="r1", seed=1, start_s=START_S) as writer:
        writer.entry(agreed(shared))
        writer.finish(RecordedEnd("done", START_S + 7200))
    rows = load_frames(path).share_minutes

    assert set(rows.contract_id) == {"wash/1"}
    by_producer = rows.groupby("producer")[["contracted_wh", "delivered_wh"]].sum()
    assert by_producer.contracted_wh.to_dict() == pytest.approx({"pv-a": 600, "pv-b": 150, GRID: 450})
    assert by_producer.delivered_wh.to_dict() == pytest.approx({"pv-a": 480, "pv-b": 150, GRID: 570})
    by_minute = rows.groupby("minute")[["contracted_wh", "delivered_wh"]].sum()
    assert len(by_minute) == 60
    assert by_minute.to_numpy(dtype=float) == pytest.approx(20.0)


def test_the_grid_owes_nothing_to_jobs_that_a_producer_supplies_alone(results_file: Path) -> None:
    """Not even a rounding error; it gives what the producer owes."""
    frames = load_frames(results_file)
    rows = frames.share_minutes[frames.share_minutes.run == 2]
    grid = rows[rows.producer == GRID]

    assert set(grid.contracted_wh) == {0.0}
    with ResultsReader(results_file) as results:
        figures = results.kpis(2)
    assert grid.delivered_wh.sum() == pytest.approx(figures.grid_wh)
    assert rows.delivered_wh.sum() == pytest.approx(rows.contracted_wh.sum()) == pytest.approx(figures.consumed_wh)


def test_parquet_has_types(results_file: Path, tmp_path: Path) -> None:
    """Instants are timestamps in UTC, counts are integers, and the rows are those of the CSV."""
    with ResultsReader(results_file) as results:
        for format_ in ("parquet", "csv"):
            export_results(results, format_, tmp_path / format_)

    for name in TABLES:
        table = pq.read_table(tmp_path / "parquet" / f"{name}.parquet")
        rows = read_csv(tmp_path / "csv" / f"{name}.csv")
        assert table.num_rows == len(rows)
        assert rows == [] or table.column_names == list(rows[0])
        for field in table.schema:
            if field.name.endswith("_utc"):
                assert field.type == pa.timestamp("ms", "UTC")
            elif field.name in {"run", "n", "seed", "jobs"} or field.name.endswith("start_s"):
                assert field.type == pa.int64()
    at = pq.read_table(tmp_path / "parquet" / "runs.parquet")["start_utc"][0].as_py()
    assert at == datetime.fromtimestamp(START_S, UTC)


def test_nothing_is_written_over_unasked(results_file: Path, tmp_path: Path) -> None:
    """The message names what is there; asked to, it is written over."""
    with ResultsReader(results_file) as results:
        export_results(results, "csv", tmp_path)
        (tmp_path / "runs.csv").write_text("mine")
        with pytest.raises(ResultsError, match=r"already contains runs\.csv, .*simulation\.json"):
            export_results(results, "csv", tmp_path)
        assert (tmp_path / "runs.csv").read_text() == "mine"
        export_results(results, "csv", tmp_path, overwrite=True)
    assert len(read_csv(tmp_path / "runs.csv")) == 2


@pytest.mark.parametrize("format_", FORMATS)
def test_a_failed_export_changes_nothing(results_file: Path, tmp_path: Path, format_: Format) -> None:
    """The largest table does not fit; on a full disk, complete tables were left behind, without the rest."""
    old, new = tmp_path / "old", tmp_path / "new"
    with ResultsReader(results_file) as results:
        sizes = {path: path.stat().st_size for path in export_results(results, format_, old)}
        largest = max(sizes, key=lambda path: sizes[path])
        (old / "simulation.json").write_text("mine")
        before = {path: path.read_bytes() for path in sizes}
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (sizes[largest] - 1, limits[1]))
        try:
            for folder in (old, new / "deep"):
                with pytest.raises(ResultsError, match=rf"{folder / largest.name}: cannot be written: .*too large"):
                    export_results(results, format_, folder, overwrite=True)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert {path: path.read_bytes() for path in old.iterdir()} == before
    assert not new.exists()


def test_a_closed_pipe_does_not_stop_an_export(results_file: Path, tmp_path: Path) -> None:
    """The names of the files are printed, for example to `head -1`, once all files are there."""

    def closed(_: Path) -> None:
        raise BrokenPipeError

    with ResultsReader(results_file) as results, pytest.raises(BrokenPipeError):
        export_results(results, "csv", tmp_path / "out", wrote=closed)
    assert len(list((tmp_path / "out").iterdir())) == len(TABLES) + 1


def test_a_folder_that_cannot_be_made_is_named(results_file: Path, tmp_path: Path) -> None:
    """A file is in its place."""
    (tmp_path / "out").touch()
    with (
        ResultsReader(results_file) as results,
        pytest.raises(ResultsError, match="out: is a file; a folder is expected"),
    ):
        export_results(results, "csv", tmp_path / "out")


def test_a_simulation_without_runs_has_tables_without_rows(tmp_path: Path, simulation: SimulationSpec) -> None:
    """Headings and types are present."""
    path = create_results(simulation, out=tmp_path / "r.sqlite")
    with ResultsReader(path) as results:
        for format_ in FORMATS:
            export_results(results, format_, tmp_path / format_)

    assert (
        (tmp_path / "csv" / "runs.csv")
        .read_text(encoding="utf-8")
        .startswith("run,run_id,seed,state,start_s,start_utc,")
    )
    assert json.loads((tmp_path / "json" / "messages.json").read_text(encoding="utf-8")) == []
    assert pq.read_table(tmp_path / "parquet" / "minutes.parquet").num_rows == 0


def test_without_pyarrow_the_message_says_what_to_install(results_file: Path, tmp_path: Path) -> None:
    """In a Python without pyarrow, no file is written before the error."""
    program = """
import sys
sys.modules["pyarrow"] = None
from pathlib import Path
from scenarios.results.connection import ResultsError
from scenarios.results.export import export_results
from scenarios.results.reader import ResultsReader
with ResultsReader(Path(sys.argv[1])) as results:
    try:
        export_results(results, "parquet", Path(sys.argv[2]))
    except ResultsError as error:
        print(error)
"""
    command = [sys.executable, "-c", program, str(results_file), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert "pip install 'ssmic[parquet]'" in done.stdout
    assert not (tmp_path / "out").exists()
