"""The log of a script's runs: silent, unless the script uses the standard library's logging."""

from __future__ import annotations

import logging
import sys
from subprocess import run as run_process

import pytest
import structlog

import ssmic

SCRIPT = """
import ssmic
ssmic.run("night")
import structlog
structlog.get_logger("mine").info("own")
import logging
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
logging.info("now shown")
ssmic.run("night")
"""


@pytest.mark.long
def test_a_script_prints_only_what_it_prints_itself_until_it_asks_for_the_log() -> None:
    """A run is silent; Python's logging shows each event in one line with the virtual time."""
    done = run_process([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)

    assert "own" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    shown, begins, *_, ended = done.stderr.splitlines()
    assert shown == "INFO root now shown"
    assert begins.startswith("INFO ssmic.scenarios.simulation.recording run begins now_s=")
    assert "scenario=night" in begins
    assert "run ended" in ended
    assert "object at" not in done.stderr


def test_a_script_with_its_own_structlog_gets_the_events_there(caplog: pytest.LogCaptureFixture) -> None:
    """The script's configuration is not changed, and other loggers are silent."""
    output = structlog.testing.CapturingLoggerFactory()
    structlog.reset_defaults()  # tests before may have set a level
    structlog.configure(logger_factory=output)
    try:
        with caplog.at_level(logging.INFO):
            ssmic.run("night")
    finally:
        structlog.reset_defaults()
    assert any("run ended" in str(call) for call in output.logger.calls)
    assert "object at" not in str(output.logger.calls)
    assert not caplog.records
