"""A results file that is damaged while a run writes it gives one error."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from broker import SsmicError
from scenarios.results.connection import translate_read_errors, translate_sqlite_errors
from tests.ended import Ssmic
from tui.cli.simulate import after_failing, reporting_interruption


def test_a_file_that_was_cut_during_the_run_is_reported_once(ssmic: Ssmic, tmp_path: Path) -> None:
    """The run ends with the error of writing, and does not add that the file cannot be read either."""
    file = tmp_path / "cut.sqlite"

    def cut() -> None:
        log = file.with_name("cut.sqlite-wal")
        while not (log.exists() and log.stat().st_size and file.stat().st_size > 100_000):
            time.sleep(0.01)
        os.truncate(file, 20_000)
        os.truncate(log, 0)

    cutter = threading.Thread(target=cut)
    cutter.start()
    ended = ssmic("run", "street", "--pace", "20000x", "--bus", "memory", "--out", file)
    cutter.join()
    assert ended.code == 1
    assert [line for line in ended.err.splitlines() if line.startswith("ssmic: ")] == [
        f"ssmic: {file}: cannot be written: database disk image is malformed"
    ]


@pytest.mark.parametrize(
    ("failure", "errors"),
    [
        (sqlite3.DatabaseError("database disk image is malformed"), 1),
        (sqlite3.OperationalError("database or disk is full"), 2),
    ],
)
def test_results_that_cannot_be_read_for_another_reason_are_reported_as_well(
    failure: sqlite3.Error, errors: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A full disk does not explain why the file cannot be read, and damage of one file not that of another."""
    failures: list[SsmicError] = []
    with reporting_interruption(failures=failures), translate_sqlite_errors(tmp_path):
        raise failure
    with after_failing(1, failures), translate_read_errors(tmp_path):
        raise sqlite3.DatabaseError("database disk image is malformed")
    assert len(capsys.readouterr().err.splitlines()) == errors
    with after_failing(1, failures), translate_read_errors(tmp_path / "other"):
        raise sqlite3.DatabaseError("database disk image is malformed")
    assert len(capsys.readouterr().err.splitlines()) == 1
