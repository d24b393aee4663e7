"""The device rules: what gateway agents do, and their meters recognize, by each version; old recordings keep theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

DEVICE_RULES = 13
"""The rules by which gateway agents answer their devices; a recording says by which it was made, so that its replay has
the same ledger. 1: a roof's forecast stands until the next one. 2: while its meter shows less, it promises less. 3: a
single reading that no meter can have counted is passed over, and a device that has left is there again once it
announces itself; a job started by hand ends when its programme is over, not later than its contract starts. 4: a
programme that takes far longer than planned is not cut off while it draws more than a stand-by does. 5: a guest that
takes a free place has a meter of its own, and a device that has left is not metered by its last power. 6: a reading of
0 W that comes with an open switch does not show that the programme was over before, and a device that reports its
switch closed after its connection has ended did not lose power. 7: if a job started by hand ends after its contract has
started, it ends as soon as its device says so, not only when the gateway next looks at it. 8: nothing remains of a
reading that was passed over, and one that is only repeated confirms nothing; a roof without a counter is not metered by
its last power while it is offline; a device that reports no switch answers a command by what it draws; and while a
counter is absent, energy is metered by power. 9: a device without a counter draws, while it is offline, the lower of
the powers before and after; what a job drew since its counter was last read is metered by power at the job's end; a
counter that changes from kWh to Wh, or back, is recognized; neither a counter that stays wrong nor a wrong power makes
the other value of a report wrong; a counter that falls by rounding stands; the report that starts a job may be the only
one in which it draws; and with shared supply, a job that is covered at several starts, or costs the same, takes the
earliest, not the one at which its energy rounds to the most or the least, and makes room for others however it
rounds. 10: of several meters on one topic only the first one counts; a counter that is not in the unit in which its
device is declared does not count, and neither does one that rises for long as no household can draw; a single reading
that is too high is passed over even if a household could have drawn as much; and a job without an answer says whether
anything was ever heard of its device. 11: a counter that falls to more than its device can have drawn since the
reading before was not reset, but counts on from what it had stored, and so does one that has shown slightly less for a
while; its device has drawn nothing while it was offline. And a job whose device has vanished says how that was
noticed. 12: a programme whose device is read seldom is over when a second reading has shown it, and one that takes
longer than planned when its device has been idle for as long as any other; a job whose device has vanished drew what
the device's counter shows once it is back, and the next job only what its power amounts to until then; what a counter
misses because it was reset counts by power; a counter that was reset while its device was offline, or that has shown 0
for a while, shows no more than the device can have drawn since then; what was drawn before a counter fell to a
thousandth says nothing of its unit; and a counter that rises soon after an old reading was repeated is not taken for
that of another device. 13: a plug that was not connected when its job ended is switched off later, and a device that
paused in the first half of its programme, and has been offline since, has not finished it."""


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
