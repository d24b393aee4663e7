"""What power says of a device between two readings."""

from __future__ import annotations

import pytest

from agents.gateway.power_seen import PowerSeen


@pytest.mark.parametrize(("until_s", "drawn_wh"), [(None, 0.0), (0, 100.0), (1_800, 50.0)])
def test_what_was_drawn_since_the_last_reading_begins_at_any_time_even_at_0(
    until_s: int | None, drawn_wh: float
) -> None:
    """Time 0 was taken for no reading at all."""
    seen = PowerSeen(3_600, until_s, 100.0, is_offline=False, drawn_wh=0.0, most_w=3_680.0)
    assert seen.since_wh == pytest.approx(drawn_wh)
