"""A house's grid meter: the draw of its base load and appliances, less the production of its panels.

Times are whole UNIX seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agents import CumulativeSeries
from scenarios.lab.appliance import EmulatedAppliance
from scenarios.lab.device import UNDISTORTED
from scenarios.lab.inverter import EmulatedInverter


@dataclass(frozen=True, slots=True)
class MeterReading:
    """The reading of a grid meter."""

    power_w: float
    """Positive: import; negative: export."""
    import_wh: float
    """Counter of the energy that the house took from the grid."""
    export_wh: float
    """Counter of the energy that it fed in."""


class GridMeter:
    """Counts import and export of a house; both are netted between two readings or changes."""

    def __init__(
        self,
        house: str,
        appliances: Sequence[EmulatedAppliance],
        inverters: Sequence[EmulatedInverter],
        start_s: int,
        base_load: CumulativeSeries | None,
    ) -> None:
        """Make the meter; its counters begin at 0.

        Args:
            house: Id of its house.
            appliances: The appliances behind the house's plugs.
            inverters: Those of its panels.
            start_s: Start of the lab, UNIX seconds.
            base_load: The house's base load; None: none.
        """
        self.house = house
        self._start_s, self._base_load = start_s, base_load
        self._appliances, self._inverters = appliances, inverters
        self.distortion = UNDISTORTED
        self._read_s = start_s
        self._net_wh = 0.0
        self._import_wh = 0.0
        self._export_wh = 0.0

    @property
    def key(self) -> str:
        """House and `meter`, as fault scripts name it."""
        return f"{self.house}/meter"

    def reading(self, now_s: int) -> MeterReading:
        """Count up to now, and return the reading."""
        for appliance in self._appliances:
            appliance.advance(now_s)
        net_wh = sum(appliance.energy_wh(now_s) for appliance in self._appliances)
        net_wh -= sum(inverter.energy_wh(now_s) for inverter in self._inverters)
        net_wh += self._base_wh(self._start_s, now_s)
        if now_s > self._read_s:
            change_wh = net_wh - self._net_wh
            self._import_wh += max(0.0, change_wh)
            self._export_wh += max(0.0, -change_wh)
            self._read_s, self._net_wh = now_s, net_wh
        power_w = sum(appliance.power_w(now_s) for appliance in self._appliances)
        power_w -= sum(inverter.power_w(now_s) for inverter in self._inverters)
        power_w += 3600 * self._base_wh(now_s, now_s + 1)
        factor = self.distortion.factor
        return MeterReading(self.distortion.power(power_w), self._import_wh * factor, self._export_wh * factor)

    def _base_wh(self, begin_s: int, end_s: int) -> float:
        """Return the energy of the base load between two times, Wh."""
        if self._base_load is None or end_s <= begin_s:
            return 0.0
        return float(self._base_load.energy_per_bin_wh((begin_s, end_s))[0])
