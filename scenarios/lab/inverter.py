"""A solar inverter: it feeds in the actual production of the scenario's panel, up to its limit.

Production is constant within a minute, as in the settlement. Times are whole UNIX seconds.
"""

from __future__ import annotations

import numpy as np

from agents import Production
from scenarios.lab.device import UNDISTORTED, mac_of
from scenarios.metrics import MINUTE_S, real_production_wh
from scenarios.scenario import ProducerSeries
from scenarios.zone import Zone


class EmulatedInverter:
    """An inverter and its counters."""

    def __init__(
        self, house: str, device: str, name: str, series: ProducerSeries, span_s: tuple[int, int], zone: Zone
    ) -> None:
        """Make an inverter without a limit.

        Args:
            house: Id of its house.
            device: Id of the producer in the scenario.
            name: Its owner's name for it.
            series: The panel's production.
            span_s: Start and latest end of the lab.
            zone: Local time, in which days begin.
        """
        self.house, self.device, self.name, self.zone = house, device, name, zone
        self.serial = str(116_000_000_000 + int(mac_of(house, device)[-8:], 16) % 10**9)
        self._first_s = span_s[0] // MINUTE_S * MINUTE_S
        minutes = max(1, -((self._first_s - span_s[1]) // MINUTE_S))
        self._edges_s = self._first_s + MINUTE_S * np.arange(minutes + 1, dtype=np.float64)
        possible_wh = real_production_wh(series, self._edges_s)
        self._possible_w: list[float] = (possible_wh * (3600 / MINUTE_S)).tolist()
        self.rated_w = float(max(self._possible_w, default=0.0)) or 1.0
        self.limit_w: float | None = None
        """The most that it may give; None: no limit."""
        self.is_on = True
        self.has_power = True
        """Whether it is connected to the grid; without, it gives nothing."""
        self.distortion = UNDISTORTED
        self._curtailed_wh = 0.0
        self._counted_s = span_s[0]
        self._energy_wh = 0.0
        self._given_wh = [0.0] * minutes
        self._day = zone.at(span_s[0]).toordinal()
        self._day_from_wh = 0.0
        self._counted_from_wh = 0.0

    @property
    def key(self) -> str:
        """House and device, as fault scripts name it."""
        return f"{self.house}/{self.device}"

    def possible_w(self, now_s: int) -> float:
        """Return the power that the panel could give, W."""
        minute = (now_s - self._first_s) // MINUTE_S
        return self._possible_w[minute] if 0 <= minute < len(self._possible_w) else 0.0

    def power_w(self, now_s: int) -> float:
        """Return the power that it gives, W."""
        if not self.is_on or not self.has_power:
            return 0.0
        possible_w = self.possible_w(now_s)
        return possible_w if self.limit_w is None else min(possible_w, self.limit_w)

    def reported_w(self, now_s: int) -> float:
        """Return the power that it reports, W."""
        return self.distortion.power(self.power_w(now_s))

    def set_limit(self, now_s: int, limit_w: float | None) -> None:
        """Limit its power; production above the limit is curtailed."""
        self.advance(now_s)
        if self.distortion.obeys:
            self.limit_w = limit_w

    def switch(self, now_s: int, *, on: bool) -> None:
        """Switch it on or off."""
        self.advance(now_s)
        if self.distortion.obeys:
            self.is_on = on

    def connect(self, now_s: int, *, on: bool) -> None:
        """Connect it to the grid, or cut it off."""
        self.advance(now_s)
        self.has_power = on

    def advance(self, now_s: int) -> None:
        """Count up to a time."""
        while self._counted_s < now_s:
            minute_end_s = (self._counted_s // MINUTE_S + 1) * MINUTE_S
            until_s = min(now_s, minute_end_s)
            power_w = self.power_w(self._counted_s)
            energy_wh = power_w * (until_s - self._counted_s) / 3600
            minute = (self._counted_s - self._first_s) // MINUTE_S
            if 0 <= minute < len(self._given_wh):
                self._given_wh[minute] += energy_wh
            self._curtailed_wh += (self.possible_w(self._counted_s) - power_w) * (until_s - self._counted_s) / 3600
            self._energy_wh += energy_wh
            self._counted_s = until_s
            if until_s == minute_end_s and (day := self.zone.at(until_s).toordinal()) != self._day:
                self._day, self._day_from_wh = day, self._energy_wh

    def energy_wh(self, now_s: int) -> float:
        """Return the energy given since the start of the lab, Wh."""
        self.advance(now_s)
        return self._energy_wh

    def counter_wh(self, now_s: int) -> float:
        """Return its total counter, Wh."""
        return (self.energy_wh(now_s) - self._counted_from_wh) * self.distortion.factor

    def today_wh(self, now_s: int) -> float:
        """Return the energy given today, Wh."""
        return (self.energy_wh(now_s) - max(self._day_from_wh, self._counted_from_wh)) * self.distortion.factor

    def forget_counters(self, now_s: int) -> None:
        """Reset its counters to 0."""
        self._counted_from_wh = self.energy_wh(now_s)

    def curtailed_wh(self, now_s: int) -> float:
        """Return the energy curtailed until now, Wh."""
        self.advance(now_s)
        return self._curtailed_wh

    def given(self, now_s: int) -> Production:
        """Return its production until now, followed by its potential production."""
        self.advance(now_s)
        reached = max(0, (now_s - self._first_s) // MINUTE_S)
        possible_wh = [power_w * MINUTE_S / 3600 for power_w in self._possible_w]
        minutes_wh = [*self._given_wh[:reached], *possible_wh[reached:]]
        cumulative_wh = np.concatenate([[0.0], np.cumsum(minutes_wh)])
        return Production(
            times_s=tuple(int(edge) for edge in self._edges_s), cumulative_wh=tuple(cumulative_wh.tolist())
        )
