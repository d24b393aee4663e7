"""Messages in a few words."""

from __future__ import annotations

import pytest

from scenarios.monitor.summaries import summarize
from scenarios.zone import Zone


@pytest.mark.parametrize(
    ("count", "words"),
    [(1, "1 producer scored"), (2, "2 producers scored")],
)
def test_one_is_not_several(count: int, words: str) -> None:
    """One producer is counted in the singular."""
    _, said = summarize("Scored", {"left_out": [["pv", 1]] * count}, Zone())
    assert said.startswith(words)
