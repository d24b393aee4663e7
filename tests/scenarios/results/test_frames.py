"""Results for other tools: pandas frames, Parquet and DuckDB, figures for papers, and the notebook that shows them."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scenarios.figures import write_day_figure, write_gantt_figure
from scenarios.results import (
    OutputFormatError,
    ResultsError,
    ResultsReader,
    export_results,
    load_frames,
)
from ssmic import run

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


def test_frames_are_tidy_with_units_and_zoned_times(results_file: Path) -> None:
    """Every table has typed columns; moments are at the scenario's offset, and say so."""
    frames = load_frames(results_file)
    offset = timedelta(seconds=frames.scenario.utc_offset_s)
    tables: dict[str, pd.DataFrame] = {
        name: getattr(frames, name)
        for name in ("runs", "kpis", "contracts", "history", "messages", "production", "consumption", "minutes")
    }
    for name, moment in (
        ("contracts", "start"),
        ("production", "minute"),
        ("consumption", "minute"),
        ("history", "at"),
        ("messages", "time"),
    ):
        zone = tables[name][moment].dt.tz
        assert zone is not None, name
        assert zone.utcoffset(None) == offset, name
    assert {"energy_wh", "delivered_wh"} <= set(tables["contracts"])
    assert {"self_sufficiency", "grid_wh", "mean_delay_s"} <= set(tables["kpis"])
    assert not [
        column for table in tables.values() for column in table if str(column).endswith(("start_s", "minute_s", "at_s"))
    ]
    assert tables["kpis"].run.tolist() == [1, 2]


def test_times_are_in_the_scenarios_zone_where_the_clock_changes(tmp_path: Path) -> None:
    """Half past two comes twice: the second time at another offset."""
    file = tmp_path / "autumn.sqlite"
    run("daylight-saving", out=file)
    starts = load_frames(file).contracts.set_index("job_id").start
    assert str(starts["second-half-past-two"]) == "2026-10-25 02:30:00+01:00"


def test_frames_say_what_the_results_say(results_file: Path) -> None:
    """Sums over frames are the figures."""
    frames = load_frames(results_file)
    with ResultsReader(results_file) as results:
        kpis = results.kpis(1)
    one = frames.consumption[frames.consumption.run == 1]
    assert one.consumed_wh.sum() == pytest.approx(kpis.consumed_wh)
    production = frames.production[frames.production.run == 1]
    assert production.produced_wh.sum() == pytest.approx(kpis.produced_wh)
    assert frames.kpis.delivered_wh[0] == pytest.approx(kpis.delivered_wh)
    assert (frames.contracts.state == "standing").sum() >= kpis.jobs


def test_duckdb_reads_the_parquet_tables(results_file: Path, tmp_path: Path) -> None:
    """The query is that of the documentation."""
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is an example of another tool, and not installed")
    pytest.importorskip("pyarrow", reason="Parquet is an extra: pip install 'ssmic[parquet]'")
    with ResultsReader(results_file) as results:
        export_results(results, "parquet", tmp_path / "tables")
    contracts = duckdb.read_parquet(str(tmp_path / "tables" / "contracts.parquet"))
    ((total,),) = contracts.filter("run = 1 AND state = 'standing'").sum("energy_wh").fetchall()
    connection = sqlite3.connect(results_file)
    try:
        (same,) = connection.execute(
            "SELECT sum(energy_wh) FROM contracts WHERE run = 1 AND state = 'standing'"
        ).fetchone()
    finally:
        connection.close()
    assert total == pytest.approx(same)


@pytest.mark.parametrize(
    "ending", [".svg", *(pytest.param(other, marks=pytest.mark.long) for other in (".pdf", ".png"))]
)
def test_figures_are_written_and_are_the_same_each_time(results_file: Path, tmp_path: Path, ending: str) -> None:
    """Day profile and Gantt chart, in each format; no date in them."""
    pytest.importorskip("matplotlib", reason="matplotlib is an extra: pip install 'ssmic[figures]'")
    with ResultsReader(results_file) as results:
        for write, name in ((write_day_figure, "day"), (write_gantt_figure, "gantt")):
            first, again = tmp_path / f"{name}-1{ending}", tmp_path / f"{name}-2{ending}"
            write(results, first)
            write(results, again)
            assert first.read_bytes() == again.read_bytes()
            assert first.stat().st_size > 1000
        with pytest.raises(OutputFormatError, match="expected one of these extensions"):
            write_day_figure(results, tmp_path / "day.bmp")
        with pytest.raises(ResultsError, match="has no run 9"):
            write_gantt_figure(results, tmp_path / f"none{ending}", run=9)


@pytest.mark.long
def test_the_notebook_runs_from_top_to_bottom() -> None:
    """So the examples shown to users work."""
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    notebook = nbformat.read(EXAMPLES / "results.ipynb", as_version=4)
    resources = {"metadata": {"path": str(EXAMPLES.parent)}}
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("self_sufficiency" in str(output) for output in shown)
    assert any("image/png" in output.get("data", {}) for output in shown)
    assert not any("\\x1b[" in str(output) or "CompletedProcess" in str(output) for output in shown)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    assert not re.search(r"\b(import|from) (agents|broker|scenarios|tui)\b", code), "not part of what is promised"


@pytest.mark.parametrize("write", [write_day_figure, write_gantt_figure])
def test_figures_name_the_day_that_they_show(
    results_file: Path, tmp_path: Path, write: Callable[[ResultsReader, Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below the axis are the dates with their offset from UTC; the axis itself shows clock times."""
    mpl = pytest.importorskip("matplotlib", reason="matplotlib is an extra: pip install 'ssmic[figures]'")
    monkeypatch.setitem(mpl.rcParams, "svg.fonttype", "none")  # texts as texts, not as outlines
    with ResultsReader(results_file) as results:
        write(results, tmp_path / "figure.svg")
    texts = re.findall(r">([^<>]+)</text>", (tmp_path / "figure.svg").read_text())
    assert "2016-06-20 to 2016-06-21 (UTC+00:00)" in texts
    assert any(text.endswith(":00") for text in texts)
