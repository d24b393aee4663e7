"""Logging to standard error."""

from __future__ import annotations

import io
import logging
import sys

import pytest

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
