"""What power says of a device when its counter is read, by which the reading is judged."""

from __future__ import annotations

from typing import NamedTuple

_HOUR_S = 3600


class PowerSeen(NamedTuple):
    """What is known of a device by its power when it is read."""

    now_s: int
    """Time of the reading, UNIX seconds."""
    until_s: int | None
    """Until when the device has been metered, UNIX seconds; None: it has not."""
    power_w: float | None
    """The last reading, W; None: power has not been read."""
    is_offline: bool
    """Whether the device is offline, so that its present power is not known."""
    drawn_wh: float
    """Drawn by power from the last reading of the counter until `until_s`, Wh, as far as power was read for it."""
    most_w: float
    """The most that the device can be expected to draw, W."""

    @property
    def passed_s(self) -> int:
        """How long ago `until_s` was, seconds; 0 if it is not known."""
        return 0 if self.until_s is None else self.now_s - self.until_s

    @property
    def since_wh(self) -> float:
        """Drawn by the last power since `until_s`, Wh."""
        return 0.0 if self.is_offline else (self.power_w or 0.0) * self.passed_s / _HOUR_S
