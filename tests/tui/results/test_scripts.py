"""Timeline and expectations in the results area, and a timeline in the editor before a run."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from scenarios.files.yaml_nodes import parse_yaml, plain, spans_of
from scenarios.load import bundled_text
from scenarios.results import ResultsReader
from tui.cli.app import app
from tui.editor.preview_chart import PreviewArtist
from tui.results.energy_sheet import neighbourhood_sheet


def test_expectations_come_with_their_values_and_events_are_on_the_days_chart(tmp_path: Path) -> None:
    """They are read from the results file only; the failed one comes first."""
    text = bundled_text("cloud-front").replace("jobs == 6", "jobs == 7")
    (tmp_path / "front.yaml").write_text(text)
    file = tmp_path / "r.sqlite"

    done = CliRunner().invoke(app, ["run", str(tmp_path / "front.yaml"), "--bus", "memory", "--out", str(file)])

    assert done.exit_code == 5
    with ResultsReader(file) as results:
        sheet = neighbourhood_sheet(results, 1, 900)
    assert sheet.figures[0] == ("Expectation fails", "jobs == 7 (jobs = 6)")
    assert ("Expectations", "3 of 4 hold") in sheet.figures
    assert [mark.text for mark in sheet.events][:2] == [
        "Clouds from the west",
        "clouds over pv-adler, pv-dorn: 85 % less sun for 3 h",
    ]


def test_the_editor_marks_events_before_the_run() -> None:
    """They are on the chart of the day, at their time in the file's zone."""
    text = bundled_text("cloud-front")
    parse_yaml(text, "front.yaml")

    picture = PreviewArtist(plain(spans_of(text)), None).day(None)  # type: ignore[arg-type]  # a mapping at the top

    assert [round((mark.at_s - picture.span.start_s) / 3600, 2) for mark in picture.marks] == [9.5, 9.67]
    assert [mark.text for mark in picture.marks] == ["Clouds from the west", "Cloud front: pv-adler, pv-dorn"]
