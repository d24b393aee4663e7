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
    calls = _calls()
    named = {(path, call.lineno, word.arg) for path, call in calls for word in call.keywords}

    assert len(calls) > 50
    assert [one for one in named if one[2] in OTHER_WORDS] == []


def test_an_event_has_a_constant_name() -> None:
    """So that a filter for it finds all of its kind. What differs, and why it happened, are fields; some were told."""
    wrong = [
        f"{path}:{call.lineno}: {ast.unparse(event)}"
        for path, call in _calls()
        for event in _events(call.args[0])
        if not isinstance(event, ast.Constant | ast.Name) or _is_sentence(event)
    ]
    assert wrong == []


def _calls() -> list[tuple[Path, ast.Call]]:
    return [
        (path.relative_to(ROOT), call)
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and _is_log(call)
    ]


def _events(name: ast.expr) -> list[ast.expr]:
    """Return what an event may be called; a name in capitals is that of a constant."""
    return [*_events(name.body), *_events(name.orelse)] if isinstance(name, ast.IfExp) else [name]


def _is_sentence(event: ast.Constant | ast.Name) -> bool:
    """Return whether a name has another part, such as a reason; one that is not a constant may be anything."""
    if isinstance(event, ast.Name):
        return not event.id.isupper()
    return not isinstance(event.value, str) or any(part in event.value for part in (":", ";", ". ", " because "))


def _is_log(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(value=ast.Name(id="log" | "_log"), attr=level):
            return level in LEVELS
        case ast.Name(id="report"):  # a level of the log chosen beforehand
            return True
    return False
