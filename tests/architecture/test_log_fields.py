"""A fact has one name in all events of the log, so that a filter for it finds all of them."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("agents", "broker", "scenarios", "ssmic", "tui")
LEVELS = {"debug", "info", "warning", "error", "exception"}
OTHER_WORDS = {"why", "cause", "error"}


def test_the_reason_of_an_event_is_called_reason() -> None:
    """It was called `why` in some events and `reason` in others."""
    calls = [
        (path, call)
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and _is_log(call)
    ]
    named = {(path.relative_to(ROOT), call.lineno, word.arg) for path, call in calls for word in call.keywords}

    assert len(calls) > 50
    assert [one for one in named if one[2] in OTHER_WORDS] == []


def _is_log(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(value=ast.Name(id="log" | "_log"), attr=level):
            return level in LEVELS
        case ast.Name(id="report"):  # a level of the log chosen beforehand
            return True
    return False
