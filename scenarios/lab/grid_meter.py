"""A house's grid meter: what its appliances draw, less what its panels give. Times are whole UNIX seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scenarios.lab.appliance import Appliance
from scenarios.lab.device import TRUTH
from scenarios.lab.inverter import Inverter


@dataclass(frozen=True, slots=True)
class MeterReading:
    """What a grid meter shows."""

    power_w: float
    """Positive: import; negative: export."""
    import_wh: float
    export_wh: float


class GridMeter:
    """Counts import and export of a house; both are netted between two readings or changes."""

    def __init__(
        self, house: str, appliances: Sequence[Appliance], inverters: Sequence[Inverter], start_s: int
    ) -> None:
        self.house = house
        self._appliances, self._inverters = appliances, inverters
        self.lie = TRUTH
        self._read_s = start_s
        self._net_wh = 0.0
        self._import_wh = 0.0
        self._export_wh = 0.0

    @property
    def key(self) -> str:
        """House and `meter`, as fault scripts name it."""
        return f"{self.house}/meter"

    def reading(self, now_s: int) -> MeterReading:
        """Return what it shows, and count up to now."""
        for appliance in self._appliances:
            appliance.advance(now_s)
        net_wh = sum(appliance.energy_wh(now_s) for appliance in self._appliances)
        net_wh -= sum(inverter.energy_wh(now_s) for inverter in self._inverters)
        if now_s > self._read_s:
            change_wh = net_wh - self._net_wh
            self._import_wh += max(0.0, change_wh)
            self._export_wh += max(0.0, -change_wh)
            self._read_s, self._net_wh = now_s, net_wh
        power_w = sum(appliance.power_w(now_s) for appliance in self._appliances)
        power_w -= sum(inverter.power_w(now_s) for inverter in self._inverters)
        factor = self.lie.factor
        return MeterReading(self.lie.power(power_w), self._import_wh * factor, self._export_wh * factor)
