"""What a reading of a counter is judged by, whether it is valid, and how it is linked to those before."""

from __future__ import annotations

from typing import NamedTuple

_HOUR_S = 3600


class CountBefore(NamedTuple):
    """What was metered before a reading that may be wrong, to which a meter returns if it was."""

    counter_wh: float
    energy_wh: float
    ahead_wh: float
    """Part of `energy_wh` that was counted by power, and not by the counter yet, Wh."""


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


class CounterVerdict(NamedTuple):
    """Whether a reading of a counter is valid."""

    problem: str = ""
    """What is wrong; empty: nothing."""
    is_wild: bool = False
    """Whether the counter has risen for a while as no household's does, so that what it counted was not drawn."""


class CounterStep(NamedTuple):
    """How a valid reading of a counter is linked to those before."""

    before_wh: float | None
    """The reading from which the counter goes on, or fell when it was reset, Wh; None: there was none."""
    is_reset: bool = False
    """Whether the counter began again at 0."""
    back_to: CountBefore | None = None
    """To what the meter returns, because a reading since then was wrong; None: none was."""
    is_elsewhere: bool = False
    """Whether the counter goes on from a reading that seemed wrong, as that of another meter does."""
    is_other_unit: bool = False
    """Whether it does so because it counts in another unit now."""
    was_below: bool = False
    """Whether the counter had shown slightly less than before for a while, and has caught up with itself or fallen."""
    unknown_wh: float = 0.0
    """What the device may have drawn in addition while it was offline, because the counter may have been reset, Wh."""

    @property
    def from_wh(self) -> float | None:
        """From what the counter has risen to this reading, Wh: 0 if it was reset; None: this is the first reading."""
        return 0.0 if self.is_reset else self.before_wh

    @property
    def goes_on(self) -> bool:
        """Whether the counter is the same as before, and was not reset."""
        return not (self.is_reset or self.is_elsewhere)

    @property
    def has_lost(self) -> bool:
        """Whether the counter does not include what was drawn before, because it goes on from elsewhere."""
        return self.back_to is None and (self.is_elsewhere or self.was_below)

    @property
    def includes_ahead(self) -> bool:
        """Whether the counter has counted, too, what was counted by power before."""
        return self.goes_on and not self.was_below
