"""Tells when the readings of one counter come from several meters, as if two plugs published on the same topic.

A single counter rises, and now and then falls: by a wrong reading, or because it was reset, or exchanged. Readings of
several meters alternate instead: again and again, one goes on from where an earlier one had stopped.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

GONE_S = 3600
"""A meter that is not read for so long is not on the topic any more, seconds."""
_MAX_TRACKS = 6
_MOST_METERS = 4
_STEP_WH = 10.0
"""Counters may rise by steps of this size, Wh."""
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
    since_s: int
    at_s: int
    """Time of its last reading, UNIX seconds."""

    @property
    def energy_wh(self) -> float:
        """What would have been metered by now if only its readings had been taken since its first one, Wh."""
        return self.before_wh + self.counter_wh - self.first_wh


@dataclass(slots=True)
class SeveralMeters:
    """Follows where readings of a counter go on from, and chooses one meter once there are several."""

    own: _Track | None = None
    """The readings that count: those of the meter that was read first; None: there is only one meter."""
    other_wh: float = 0.0
    """The last reading of another one, Wh."""
    _tracks: list[_Track] = field(default_factory=list)
    """In the order of their first readings."""
    _turns: deque[_Track] = field(default_factory=lambda: deque(maxlen=2 * _MOST_METERS))
    """Which track the readings went on from, each time that this changed."""

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

    def take(self, now_s: int, counter_wh: float, metered_wh: float, most_w: float, behind_s: int) -> bool:
        """Take a reading; return whether it is not of the device's own meter.

        Args:
            now_s: Virtual time, UNIX seconds.
            counter_wh: The reading, Wh.
            metered_wh: What has been metered so far, Wh.
            most_w: What the device draws at most, W.
            behind_s: How far a counter may be behind, seconds.
        """
        if self.own is not None and now_s - self.own.at_s > GONE_S:
            self.forget()
        track = self._track_of(now_s, counter_wh, most_w)
        if track is None:
            track = _Track(counter_wh, counter_wh, metered_wh, now_s, now_s)
            self._add(track)
        track.counter_wh, track.at_s = counter_wh, now_s
        if not self._turns or self._turns[-1] is not track:
            self._turns.append(track)
            if self.own is None:
                self.own = self._first_of_several(most_w * behind_s / _HOUR_S + _STEP_WH, behind_s)
        if self.own is None:
            return False
        if track is not self.own:
            self.other_wh = counter_wh
        return track is not self.own

    def forget(self) -> None:
        """Begin again: one meter is left."""
        self.own = None
        self._tracks.clear()
        self._turns.clear()

    def _track_of(self, now_s: int, counter_wh: float, most_w: float) -> _Track | None:
        """Return the readings from which a new one goes on most closely; None: from none."""
        close = [
            track
            for track in self._tracks
            if 0 <= counter_wh - track.counter_wh <= most_w * (now_s - track.at_s) / _HOUR_S + _STEP_WH
        ]
        return max(close, key=lambda track: track.counter_wh, default=None)

    def _add(self, track: _Track) -> None:
        self._tracks.append(track)
        if len(self._tracks) > _MAX_TRACKS:
            oldest = min((old for old in self._tracks if old is not self.own), key=lambda old: old.at_s)
            self._tracks.remove(oldest)

    def _first_of_several(self, behind_wh: float, behind_s: int) -> _Track | None:
        """Return the meter that was read first, if the last readings alternate between several.

        Args:
            behind_wh: How much a counter may be behind, Wh. Readings closer to each other may be of one meter, some of
                which arrive late.
            behind_s: How late they may arrive, seconds.
        """
        turns = list(self._turns)
        for number in range(2, _MOST_METERS + 1):
            last = turns[-number:]
            if len(turns) < 2 * number or turns[-2 * number : -number] != last:
                continue
            apart_wh = min(abs(one.counter_wh - other.counter_wh) for one, other in pairwise([*last, last[0]]))
            for_s = min(track.at_s for track in last) - max(track.since_s for track in last)
            if apart_wh > behind_wh or for_s > behind_s:
                first = min(last, key=self._tracks.index)
                self.other_wh = next(track.counter_wh for track in last if track is not first)
                return first
        return None
