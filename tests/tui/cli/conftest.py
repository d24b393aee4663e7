"""The command line inside the tests' own process: fast, for tests that need no separate process."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from tests.ended import Ended, Ssmic
from tui.cli.app import app


@pytest.fixture
def ssmic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ssmic]:
    """Runs `ssmic` with arguments, in an empty folder; the logs are afterwards as they were."""
    monkeypatch.chdir(tmp_path)
    for name in ("SSMIC_BROKER", "SSMIC_LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    root = logging.getLogger()
    before = root.handlers[:], root.level

    def run(*arguments: str | Path) -> Ended:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="ssmic")
        assert "Traceback" not in result.stderr, result.stderr
        return Ended(result.exit_code, result.stdout, result.stderr)

    yield run
    for handler in root.handlers[:]:
        if handler not in before[0]:
            root.removeHandler(handler)
            handler.close()
    root.setLevel(before[1])
    for name in ("agents", "broker", "scenarios", "tui"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


SMALL = """\
version: 1
name: small
start: 2026-06-21T00:00:00+00:00
seed: 3
load_profiles:
  wash: {points: [[0, 0], [3600, 500]]}
houses:
  - id: "1"
    devices:
      - {id: washer, type: consumer, load_profile: wash}
      - id: pv-1
        type: producer
        predictions:
          - {issued: "00:00", points: [["06:00", 0], ["18:00", 6000]]}
jobs:
  - {house: "1", device: washer, id: noon, registered: "01:00", earliest_start: "08:00", latest_start: "14:00"}
  - {house: "1", device: washer, id: night, registered: "02:00", earliest_start: "20:00", latest_start: "21:00"}
  - {house: "1", device: washer, id: tomorrow, registered: "30:00", earliest_start: "31:00", latest_start: "36:00"}
"""
"""Three jobs on two days: one that production covers, one for the grid, one on a day without a forecast."""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A small scenario."""
    file = tmp_path / "small.yaml"
    file.write_text(SMALL, encoding="utf-8")
    return file
