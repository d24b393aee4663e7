"""`ssmic run --junit`: a report says truthfully that a scenario is invalid, or that a run failed."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.ended import Ssmic


def _errors(path: Path) -> list[str]:
    root = ET.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314 - our own file
    errors = [error.get("message", "") for error in root.iter("error")]
    assert root.get("errors") == str(len(errors))
    assert root.get("tests") == str(len(list(root.iter("testcase"))))
    return errors


def test_a_report_of_an_earlier_run_does_not_outlive_an_invalid_scenario(ssmic: Ssmic, small: Path) -> None:
    """Otherwise, grading by the report would count the last valid version."""
    report = Path("r.xml")
    small.write_text(small.read_text() + "expect: [jobs == 3]\n")
    assert ssmic("run", small, "--bus", "memory", "--junit", report).code == 0
    assert _errors(report) == []

    small.write_text(small.read_text().replace("houses:", "hoses:"))
    ended = ssmic("run", small, "--bus", "memory", "--junit", report)

    assert ended.code == 3
    (error,) = _errors(report)
    assert "hoses: unknown key; did you mean 'houses'?" in error


def test_a_missing_scenario_is_an_error_of_the_report(ssmic: Ssmic) -> None:
    """Also where no earlier report exists."""
    assert ssmic("run", "missing.yaml", "--junit", "r.xml").code == 3

    assert _errors(Path("r.xml")) == ["missing.yaml: there is no such file"]


def test_a_run_that_fails_is_an_error_of_the_report(ssmic: Ssmic, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report without test cases would pass for success."""
    monkeypatch.setenv("COLUMNS", "200")
    small.write_text(small.read_text() + "expect: [jobs == 3]\n")

    ended = ssmic("run", small, "--broker", "mqtt://127.0.0.1:9", "--limit", "0.1", "--junit", "r.xml")

    assert ended.code == 4, ended.err
    assert _errors(Path("r.xml")) == ["not all runs ended (exit code 4)"]


@pytest.mark.parametrize("algorithm", ["insertion", "insertion,fifty_fifty"])
def test_a_scores_file_that_cannot_be_read_is_an_error_of_the_report(ssmic: Ssmic, small: Path, algorithm: str) -> None:
    """For one algorithm and for several, which are compared from the same scores."""
    small.write_text(small.read_text() + "expect: [jobs == 3]\n")
    Path("scores.json").write_text("[")

    ended = ssmic(
        "run", small, "--bus", "memory", "--algorithm", algorithm, "--scores", "scores.json", "--junit", "r.xml"
    )

    assert ended.code not in {0, 5}, ended.err
    (error,) = _errors(Path("r.xml"))
    assert error


def test_a_report_keeps_letters_that_join_and_escapes_what_cannot_be_seen(ssmic: Ssmic, small: Path) -> None:
    """A title with emoji, or of joined letters, reads as in the terminal; XML has no control characters."""
    title = "👨\u200d👩\u00a0wash"
    small.write_text(small.read_text() + f'expect: [{{that: jobs == 3, name: "{title}"}}]\n')
    assert ssmic("run", small, "--bus", "memory", "--junit", "r.xml").code == 0
    (case,) = ET.fromstring(Path("r.xml").read_text(encoding="utf-8")).iter("testcase")  # noqa: S314 - our own file
    assert case.get("name") == title

    missing = Path("a\x1bb.yaml")
    assert ssmic("run", missing, "--bus", "memory", "--junit", "r.xml").code == 3
    root = ET.fromstring(Path("r.xml").read_text(encoding="utf-8"))  # noqa: S314 - our own file
    assert "a\\x1bb" in str(root.get("name"))
