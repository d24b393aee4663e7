"""Finds out whether the readings of one counter come from several meters, as if two plugs published on one topic.

A single counter rises, and now and then falls: by a wrong reading, or because it was reset, or exchanged. Readings of
several meters alternate instead: again and again, one goes on from where an earlier one had stopped.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

from agents.gateway.counter_history import BEHIND_S, STEP_WH

GONE_S = 1800
"""A meter that is not read for so long is not on the topic any more, seconds."""
MOST_ALONE = 20
"""Nor is a meter on the topic any more that is not read once among so many readings of the others."""
_MAX_TRACKS = 6
_MOST_METERS = 4
_MAX_SHOWN = 500
"""How many readings are remembered, to recognize those that are sent again."""
_HOUR_S = 3600


@dataclass(slots=True, eq=False)
class _Track:
    """Readings of which each goes on from the one before."""

    first_wh: float
    """The counter at its first reading, Wh."""
    counter_wh: float
    """The counter at its last reading, Wh."""
    before_wh: float
    """What had been metered before its first reading, Wh."""
    at_s: int
    """Time of its last reading, UNIX seconds."""
    shown_s: int
    """Time of the first reading that was as high as its last one, UNIX seconds."""
    mark_s: int
    """Time of a reading that may soon be old enough for `earlier_wh`, UNIX seconds."""
    mark_wh: float
    """The counter at `mark_s`, Wh, which becomes `earlier_wh` once that is long enough ago."""
    earlier_wh: float | None = None
    """The counter so long ago that a reading of then does not arrive now, Wh; None: not known."""

    def take(self, now_s: int, counter_wh: float) -> None:
        """Take a reading that goes on from the last one; see `SeveralMeters.take`."""
        if counter_wh > self.counter_wh:
            self.shown_s = now_s
        self.at_s, self.counter_wh = now_s, counter_wh
        if now_s - self.mark_s > BEHIND_S:
            self.earlier_wh, self.mark_s, self.mark_wh = self.mark_wh, now_s, counter_wh

    @property
    def energy_wh(self) -> float:
        """What would have been metered by now if only its readings had been taken since its first one, Wh."""
        return self.before_wh + self.counter_wh - self.first_wh


@dataclass(frozen=True, slots=True, eq=False)
class _Turn:
    """Readings of one track after those of another one."""

    track: _Track
    since_s: int
    is_jump: bool
    """Whether it began with more than the device can have drawn since the turn before began."""


@dataclass(slots=True)
class SeveralMeters:
    """Follows where readings of a counter go on from, and chooses one meter once there are several."""

    knows_old_repeats: bool = True
    """Whether a repeated reading may be one of minutes ago, so that the next one may have risen since then."""
    own: _Track | None = None
    """The readings that count: those of the meter that was read first; None: there is only one meter."""
    other_wh: float = 0.0
    """The last reading of another one, Wh."""
    _tracks: list[_Track] = field(default_factory=list)
    """In the order of their first readings."""
    _turns: deque[_Turn] = field(default_factory=lambda: deque(maxlen=2 * _MOST_METERS))
    _alone: int = 0
    """How many readings of other meters there were since the last one of the own meter."""
    _shown: dict[float, None] = field(default_factory=dict)
    """Readings so far, the newest last."""

    @property
    def problem(self) -> str:
        """What is wrong; empty: there is only one meter."""
        if self.own is None:
            return ""
        own_wh = self.own.counter_wh
        what = (
            f"counter alternates between {own_wh:.9g} and {self.other_wh:.9g} Wh, as if several devices reported here"
        )
        return f"{what}; expected readings of one device: those that continue from {own_wh:.9g} Wh count"

    def take(self, now_s: int, counter_wh: float, metered_wh: float, most_w: float) -> bool:
        """Take a reading; return whether it is not of the device's own meter.

        Args:
            now_s: Virtual time, UNIX seconds.
            counter_wh: The reading, Wh.
            metered_wh: What has been metered so far, Wh.
            most_w: What the device draws at most, W.
        """
        if self.own is not None and (now_s - self.own.at_s > GONE_S or self._alone >= MOST_ALONE):
            self.forget()
        track = self._track_of(now_s, counter_wh, most_w)
        if track is None:
            if counter_wh in self._shown:
                return self.own is not None  # sent once more: it shows no other meter
            track = _Track(counter_wh, counter_wh, metered_wh, now_s, now_s, now_s, counter_wh)
            self._add(track)
        last = self._turns[-1] if self._turns else None
        if last is None or last.track is not track:
            before_wh, since_s = (counter_wh, now_s) if last is None else (last.track.counter_wh, last.since_s)
            is_jump = counter_wh - before_wh > most_w * (now_s - since_s) / _HOUR_S + STEP_WH
            self._turns.append(_Turn(track, now_s, is_jump))
        track.take(now_s, counter_wh)
        self._shown[counter_wh] = None
        if len(self._shown) > _MAX_SHOWN:
            del self._shown[next(iter(self._shown))]
        if self.own is None:
            self.own = self._first_of_several(most_w * BEHIND_S / _HOUR_S + STEP_WH)
        if self.own is None:
            return False
        if track is self.own:
            self._alone = 0
            return False
        self.other_wh = counter_wh
        self._alone += 1
        return True

    def forget(self) -> None:
        """Begin again: one meter is left."""
        self.own, self._alone = None, 0
        self._tracks.clear()
        self._shown.clear()
        self._turns.clear()

    def _track_of(self, now_s: int, counter_wh: float, most_w: float) -> _Track | None:
        """Return the readings from which a new one goes on; None: from none.

        Only the closest ones come into question: a counter that rises in large steps would otherwise seem to go on from
        where it was some steps ago. Once the own meter is known, it may rise in such steps.
        """
        below = [track for track in self._tracks if track.counter_wh <= counter_wh]
        closest = max(below, key=lambda track: track.counter_wh, default=None)
        if closest is None:
            return None
        repeated_s = min(BEHIND_S, closest.at_s - closest.shown_s) if self.knows_old_repeats else 0
        passed_s = now_s - closest.at_s + (BEHIND_S if closest is self.own else repeated_s)
        most_wh = most_w * passed_s / _HOUR_S + STEP_WH
        return closest if counter_wh - closest.counter_wh <= most_wh else None

    def _add(self, track: _Track) -> None:
        self._tracks.append(track)
        if len(self._tracks) > _MAX_TRACKS:
            oldest = min((old for old in self._tracks if old is not self.own), key=lambda old: old.at_s)
            self._tracks.remove(oldest)

    def _first_of_several(self, behind_wh: float) -> _Track | None:
        """Return the meter that was read first, if the last readings alternate between several.

        A counter that was reset rises through its earlier readings again, but not in jumps.

        Args:
            behind_wh: How much a counter may be behind, Wh. Readings closer to each other may be of one meter, some of
                which arrive late.
        """
        turns = list(self._turns)
        for number in range(2, _MOST_METERS + 1):
            last = [turn.track for turn in turns[-number:]]
            if len(turns) < 2 * number or [turn.track for turn in turns[-2 * number : -number]] != last:
                continue
            if not any(turn.is_jump for turn in turns[-number:]):
                continue
            if all(_are_apart(one, other, behind_wh) for one, other in pairwise([*last, last[0]])):
                first = min(last, key=self._tracks.index)
                self.other_wh = next(track.counter_wh for track in last if track is not first)
                return first
        return None


def _are_apart(one: _Track, other: _Track, behind_wh: float) -> bool:
    """Return whether the lower of two counters does not only show late what the higher one has shown before."""
    low, high = sorted((one, other), key=lambda track: track.counter_wh)
    is_older = high.earlier_wh is not None and low.counter_wh < high.earlier_wh
    return is_older or high.counter_wh - low.counter_wh > behind_wh
