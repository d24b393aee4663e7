"""Numbers of thousands of digits, which Python refuses to read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ended import Ssmic

LONG = "9" * 5_000


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "night", "--hosts", LONG),
        ("run", "night", "--set", f"jobs[{LONG}].id=x"),
        ("sweep", "night", "--vary", f"penalty={LONG}"),
        ("sweep", "night", "--vary", f"days=1:2:{LONG}"),
        ("sweep", "night", "--vary", f"tariff.import_eur_per_kwh={LONG}"),
        ("sweep", "night", "--vary", f"days={LONG}"),
        ("sweep", "night", "--vary", f"jobs[0].earliest_start={LONG}"),
        ("sweep", "night", "--vary", f"{LONG}=1"),
        ("run", "night", "--algorithm", LONG),
        ("run", "night", "--set", f"supply={LONG}", "--set", f"jobs[0].earliest_start={LONG}"),
    ],
)
def test_a_number_that_is_too_long_is_wrong_usage(ssmic: Ssmic, arguments: tuple[str, ...]) -> None:
    """It was an internal error; then the message repeated all of its digits."""
    ended = ssmic(*arguments)
    assert ended.code in {2, 3}, ended
    assert not ended.out
    assert len(ended.err) < 2_000, ended.err
    assert not Path("results").exists()
