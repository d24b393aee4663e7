"""Logging to standard error."""

from __future__ import annotations

import io
import json
import logging
import stat
import sys
from pathlib import Path

import pytest
import structlog

from tui.logs import configure_logs


def test_messages_go_to_the_current_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that embeds a command may have replaced, and closed, the stream of the start."""
    at_start, later = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", at_start)
    configure_logs(None)
    at_start.close()
    monkeypatch.setattr(sys, "stderr", later)
    logging.getLogger("broker").warning("the broker is away")
    assert "the broker is away" in later.getvalue()
    assert "Logging error" not in later.getvalue()


def test_a_log_file_that_was_moved_away_is_begun_again(tmp_path: Path) -> None:
    """A program that rotates logs moves, compresses and deletes it; what a clock logged later was in no file."""
    file = tmp_path / "r.log.jsonl"
    log = structlog.get_logger("broker")
    configure_logs("error", file)
    for day in ("monday", "tuesday", "wednesday"):
        log.error(day)
        log.error("evening")
        if day == "monday":
            file.rename(tmp_path / "r.log.jsonl.1")
        elif day == "tuesday":
            file.unlink()
    configure_logs(None)
    events = [
        [json.loads(line)["event"] for line in path.read_text().splitlines()]
        for path in (tmp_path / "r.log.jsonl.1", file)
    ]
    assert events == [["monday", "evening"], ["wednesday", "evening"]]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_line_that_a_full_disk_has_cut_does_not_swallow_the_next_one(tmp_path: Path) -> None:
    """The first event of a restarted clock was appended to it, so that neither of the two could be read."""
    file = tmp_path / "r.log.jsonl"
    file.write_text('{"event": "run begins"}\n{"event": "run fai')
    for _ in range(2):
        configure_logs("error", file)
        structlog.get_logger("broker").error("replayed")
    configure_logs(None)
    first, cut, *later = file.read_text().splitlines()
    assert json.loads(first) == {"event": "run begins"}
    assert cut == '{"event": "run fai'
    assert [json.loads(line)["event"] for line in later] == ["replayed", "replayed"]


def test_a_log_file_that_cannot_be_opened_is_reported_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its name is taken by a folder, or it belongs to another user: the run failed."""
    file = tmp_path / "r.log.jsonl"
    file.mkdir()
    configure_logs(None, file)
    log = structlog.get_logger("broker")
    for _ in range(3):
        log.info("run begins")
    assert capsys.readouterr().err == f"ssmic: {file}: the log cannot be written: Is a directory\n"
    file.rmdir()
    log.info("run ended")
    configure_logs(None)
    assert json.loads(file.read_text())["event"] == "run ended"


def test_a_traceback_in_the_log_file_has_no_local_variables(tmp_path: Path) -> None:
    """They made each failed start of a clock 370 kB long, and passwords could be among them."""
    file = tmp_path / "r.log.jsonl"

    def log_in(words: list[str]) -> None:
        password = "-".join(words)
        raise ValueError(len(password))

    configure_logs("error", file)
    try:
        log_in(["hunter", "2"])
    except ValueError:
        structlog.get_logger("broker").exception("run failed")
    configure_logs(None)
    assert "hunter" not in file.read_text()
    (record,) = map(json.loads, file.read_text().splitlines())
    (failed,) = record["exception"]
    assert (failed["exc_type"], failed["exc_value"]) == ("ValueError", "8")
    assert [frame["name"] for frame in failed["frames"]][-1] == "log_in"
