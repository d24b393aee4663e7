"""What a meter recognizes by each version of the device rules, so that a replay has the same ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class MeterRules:
    """Which readings a meter recognizes for what they are; by default, all that it can; see `DEVICE_RULES`."""

    passes_over: bool = True
    """Since version 3: a single reading that no meter can have counted, or one of 0, is passed over once the next one
    shows it. False: the counter is counted on from there."""
    knows_repeats: bool = True
    """Since version 8: a repeated reading confirms nothing, since many devices send each reading on two topics."""
    bridges_absence: bool = True
    """Since version 8: energy is counted by power while a counter is absent. False: not until the counter comes."""
    judges_each: bool = True
    """Since version 9: a wrong power does not make the counter beside it invalid, nor a counter that stays wrong the
    power; and a counter that falls by rounding stands. False: a report is valid or invalid as a whole."""
    knows_units: bool = True
    """Since version 9: a counter that changes from kWh to Wh, or back, is recognized. False: it jumps or falls."""
    knows_several: bool = True
    """Since version 10: of several meters on one topic, only the first one counts. False: the readings of the others
    count as wrong readings and resets."""
    checks_unit: bool = True
    """Since version 10: the energy by power shows whether a counter counts in the unit in which its device is declared.
    False: it counts as it is declared."""
    bounds_rises: bool = True
    """Since version 10: a counter that rises for long as no household can draw is wrong, and a rise that its device can
    hardly have drawn is taken back if the next reading shows that it was wrong. False: each rise is judged alone."""
    bounds_resets: bool = True
    """Since version 11: a counter that falls was reset only if it shows no more than its device can have drawn since
    the reading before; otherwise it counts on from what the device had stored. False: no more than any device can."""
    weighs_resets: bool = True
    """Since version 12: power shows what a counter that was reset has missed, and a counter that was reset while its
    device was offline, or showed 0 for a while, shows no more than the device can have drawn since."""
    knows_old_repeats: bool = True
    """Since version 12: a repeated reading may be minutes old, so that a rise soon after it does not show a second
    meter."""

    @classmethod
    def of(cls, rules: int) -> Self:
        """Return what a meter recognizes by a version of the device rules, 1 or later."""
        return cls(
            passes_over=rules >= 3,
            knows_repeats=rules >= 8,
            bridges_absence=rules >= 8,
            judges_each=rules >= 9,
            knows_units=rules >= 9,
            knows_several=rules >= 10,
            checks_unit=rules >= 10,
            bounds_rises=rules >= 10,
            bounds_resets=rules >= 11,
            weighs_resets=rules >= 12,
            knows_old_repeats=rules >= 12,
        )
