"""`ssmic results report`, and what a run without a set end says of its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ended import Ssmic


@pytest.fixture
def file(ssmic: Ssmic) -> Path:
    """The bundled street, run once."""
    return Path(ssmic("run", "street", "--bus", "memory", "--json").json["results_file"])


def test_a_report_is_one_page_that_is_not_written_over_unasked(ssmic: Ssmic, file: Path) -> None:
    """Its name is printed; mistakes have a message and an exit code."""
    ended = ssmic("results", "report", file, "--to", "pages/street.html")

    assert (ended.code, ended.out.strip()) == (0, "pages/street.html")
    assert "<h1>street</h1>" in Path("pages/street.html").read_text(encoding="utf-8")
    again = ssmic("results", "report", file, "--to", "pages/street.html")
    assert again.code != 0
    assert "exists already" in again.err
    assert ssmic("results", "report", file, "--to", "pages/street.html", "--force", "--interval", "60").code == 0
    assert ssmic("results", "report", "gone.sqlite", "--to", "gone.html").code != 0
    assert not Path("gone.html").exists()


def test_a_run_without_a_set_end_ends_when_its_last_job_has_run(ssmic: Ssmic, file: Path) -> None:
    """A job that ran to its end is not called unfinished; with `--days` one may be."""
    (run,) = ssmic("results", "show", file, "--json").json["runs"]

    assert run["kpis"]["jobs_unfinished"] == 0
    assert run["end"] >= max(of["start"] for of in run["contracts"])
    cut = ssmic("run", "street", "--bus", "memory", "--days", "1", "--json").json["runs"][0]
    assert cut["end"] == cut["start"] + 86_400
