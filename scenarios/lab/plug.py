"""A smart plug without its protocol: a relay, a meter and a timer, with an appliance behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agents import House
from scenarios.lab.appliance import EmulatedAppliance, Starter
from scenarios.lab.device import UNDISTORTED, mac_of
from scenarios.zone import Zone

VOLTAGE_V = 230.0
PowerOn = Literal["off", "on", "last"]
"""State of the relay when the plug itself gets power."""


class Plug:
    """Relay, meter and timer. Times are whole UNIX seconds of virtual time."""

    def __init__(
        self, house: House, device: str, name: str, appliance: EmulatedAppliance, start_s: int, zone: Zone
    ) -> None:
        """Make a plug that is off.

        Args:
            house: The house that it is in.
            device: Id of the appliance behind it, as in the scenario.
            name: Its owner's name for it.
            appliance: The load.
            start_s: Start of the lab.
            zone: Local time of the house, in which days begin.
        """
        self.house, self.device, self.name, self.appliance, self.zone = house, device, name, appliance, zone
        self.start_s = start_s
        self.mac = mac_of(house.id, device)
        self.is_on = False
        """The reported state of the relay."""
        self.distortion = UNDISTORTED
        self.power_on: PowerOn = "last"
        self.timer_s: int | None = None
        """The plug's own dead-man's timer: seconds after which it switches back; None: not armed."""
        self.switches_back_s: int | None = None
        """When it will."""
        self.switched = 0
        """How often the relay has changed."""
        self._counted_from_wh = 0.0
        self._days: list[tuple[int, float]] = [(self._day(start_s), 0.0)]
        """Day number and the energy counter at its beginning, for each day with a reading."""

    @property
    def key(self) -> str:
        """House and device, as fault scripts name it."""
        return f"{self.house.id}/{self.device}"

    def switch(self, now_s: int, *, on: bool, by: Starter = "controller", for_s: int | None = None) -> bool:
        """Switch the relay and return whether it changed.

        Args:
            now_s: Virtual time.
            on: The wanted state.
            by: Who switches it.
            for_s: Seconds after which it switches back automatically; None: its timer, which starts when it is switched
                on.
        """
        self.advance(now_s)
        changed = on != self.is_on
        self.is_on = on
        self.switched += changed
        if self.distortion.obeys or by == "hand":  # the button works even if commands are not obeyed
            self.appliance.set_power(now_s, on=on, by=by)
        wait_s = for_s if for_s is not None else self.timer_s if on else None
        self.switches_back_s = None if wait_s is None else now_s + wait_s
        return changed

    def advance(self, now_s: int) -> bool:
        """Carry out timed actions until a time; return whether the relay changed."""
        changed = False
        while self.switches_back_s is not None and self.switches_back_s <= now_s:
            at_s, self.switches_back_s = self.switches_back_s, None
            self.is_on = not self.is_on
            self.switched += 1
            if self.distortion.obeys:
                self.appliance.set_power(at_s, on=self.is_on)
            changed = True
        self.appliance.advance(now_s)
        self._day_begun(now_s)
        return changed

    def next_event_s(self) -> int | None:
        """Return the time of the next timed action; None: never."""
        events = [event for event in (self.appliance.next_event_s(), self.switches_back_s) if event is not None]
        return min(events, default=None)

    def lose_power(self, now_s: int) -> None:
        """Cut the plug itself off: the appliance stops, and the timer forgets."""
        self.advance(now_s)
        self.appliance.set_power(now_s, on=False)
        self.switches_back_s = None

    def get_power(self, now_s: int) -> None:
        """Give power to the plug again, which brings the relay to its power-on state."""
        self.is_on = {"off": False, "on": True, "last": self.is_on}[self.power_on]
        self.appliance.set_power(now_s, on=self.is_on)

    def forget_counters(self, now_s: int) -> None:
        """Reset the energy counter to 0."""
        self._counted_from_wh = self.appliance.energy_wh(now_s)
        self._days = [(self._day(now_s), 0.0)]

    def reading(self, now_s: int) -> PlugReading:
        """Return the meter's reading."""
        self.advance(now_s)
        energy_wh, factor = self.energy_wh(now_s), self.distortion.factor
        return PlugReading(
            self.distortion.power(self.appliance.power_w(now_s)),
            energy_wh * factor,
            (energy_wh - self._days[-1][1]) * factor,
            self._yesterday_wh(now_s) * factor,
        )

    def energy_wh(self, now_s: int) -> float:
        """Return the true energy counter, Wh."""
        return self.appliance.energy_wh(now_s) - self._counted_from_wh

    def _day(self, now_s: int) -> int:
        return self.zone.at(now_s).toordinal()

    def _day_begun(self, now_s: int) -> None:
        day = self._day(now_s)
        if day != self._days[-1][0]:
            self._days.append((day, self.energy_wh(now_s)))

    def _yesterday_wh(self, now_s: int) -> float:
        if len(self._days) < 2 or self._days[-2][0] != self._day(now_s) - 1:
            return 0.0
        return self._days[-1][1] - self._days[-2][1]


@dataclass(frozen=True, slots=True)
class PlugReading:
    """The reading of a plug's meter."""

    power_w: float
    energy_wh: float
    """Since the counter began."""
    today_wh: float
    """Since midnight."""
    yesterday_wh: float
    """In the day before."""

    @property
    def current_a(self) -> float:
        """Current, A, for a power factor of 1."""
        return self.power_w / VOLTAGE_V
