"""A check that is silenced says why, on its line."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("agents", "benchmarks", "broker", "examples", "scenarios", "ssmic", "tests", "tui")
SILENCED = re.compile(r"# (noqa|type: ignore)\b")
REASON = re.compile(r"# (?:noqa: [A-Z0-9, ]+ - \S|type: ignore\[[a-z, -]+\]  # (?!noqa)\S)")


def test_each_silenced_check_has_a_reason() -> None:
    """`# noqa: CODE - why` or `# type: ignore[code]  # why`; one reason serves both."""
    without = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if SILENCED.search(line) and not REASON.search(line)
    ]

    assert without == []
