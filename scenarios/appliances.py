"""Load profiles of household appliances in one-minute steps, for users without their own measurements.

They are synthetic: built from the phases of an appliance, with the typical power of each phase (rating plates and
energy labels of current European models; the shape of a washing cycle follows Pipattanasomporn et al., "Load Profiles
of Selected Major Household Appliances", IEEE Trans. Smart Grid 5 (2014) 742). None is a copy of a measured series.
Power is a whole number of watts in every minute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from types import MappingProxyType

from agents import LoadProfile

STEP_S = 60
"""Length of a step, seconds."""

Phase = tuple[int, int]
"""Duration in minutes and power in watts."""


@dataclass(frozen=True)
class Appliance:
    """One programme of a kind of device, and its load."""

    name: str
    """Name of the load profile: lower-case letters, digits and hyphens."""
    device: str
    """Template of the device: `dishwasher`, `car`."""
    title: str
    """Its name for users."""
    description: str
    """One sentence for users."""
    power_w: tuple[int, ...]
    """Average power of each minute, W."""

    @cached_property
    def load_profile(self) -> LoadProfile:
        """Load profile of one run: the same object for all jobs, as in a neighbourhood that is read from a file."""
        return profile_of_steps(self.power_w, STEP_S)

    @property
    def energy_wh(self) -> float:
        """Energy of one run, Wh."""
        return sum(self.power_w) * STEP_S / 3600


def profile_of_steps(power_w: Sequence[float], step_s: int) -> LoadProfile:
    """Return the load profile with average powers `power_w` (W) in consecutive steps of `step_s` seconds."""
    return LoadProfile(
        times_s=tuple(i * step_s for i in range(len(power_w) + 1)), cumulative_wh=steps_wh(power_w, step_s)
    )


def steps_wh(power_w: Sequence[float], step_s: int) -> tuple[float, ...]:
    """Return the cumulative energy at the edges of steps with given average powers, Wh.

    Summed in the same way as when files are loaded, so that a series survives a round trip exactly.

    Args:
        power_w: Average power of each step, W.
        step_s: Length of a step, seconds.
    """
    return tuple(accumulate((power * step_s / 3600 for power in power_w), initial=0.0))


def _phases(*phases: Phase) -> tuple[int, ...]:
    return tuple(power_w for minutes, power_w in phases for _ in range(minutes))


def _repeated(times: int, *phases: Phase) -> tuple[int, ...]:
    return _phases(*phases) * times


def _ramp(minutes: int, from_w: int, to_w: int) -> tuple[int, ...]:
    """Return power that changes linearly from the first minute to the last."""
    return tuple(round(from_w + (to_w - from_w) * i / (minutes - 1)) for i in range(minutes))


def _charge(energy_wh: int, power_w: int, *, floor_w: int) -> tuple[int, ...]:
    """Return constant power for the first nine tenths of the energy, then a taper down to `floor_w` until full.

    A lithium battery is charged at constant current until the cells reach their final voltage, then the current falls.
    """
    steps = [power_w] * (energy_wh * 9 * 60 // (power_w * 10))
    rest_w_min = energy_wh * 60 - sum(steps)
    now_w = power_w
    while rest_w_min > 0:
        now_w = max(floor_w, now_w * 96 // 100)
        drawn_w = min(now_w, rest_w_min)
        steps.append(drawn_w)
        rest_w_min -= drawn_w
    return tuple(steps)


_WASH_40 = (
    _phases((4, 60), (14, 2050), (3, 900))  # water in, heating to 40 degrees, thermostat
    + _repeated(9, (2, 190), (2, 90))  # drum turns to and fro
    + _repeated(2, (3, 50), (5, 180), (2, 420))  # rinse and spin between
    + _phases((3, 60), (6, 450), (1, 120))  # last spin
)
_WASH_60 = (
    _phases((4, 60), (26, 2050), (4, 1000))
    + _repeated(13, (2, 190), (2, 90))
    + _repeated(2, (3, 50), (5, 180), (2, 420))
    + _phases((3, 60), (7, 450), (1, 120))
)
_DISH_ECO = (
    _phases((8, 70), (15, 1850))  # pre-rinse, heating to 50 degrees
    + _repeated(6, (9, 75), (3, 60))  # long washing with the pump alone
    + _phases((12, 65), (12, 1850), (6, 75))  # rinse, heating for the clear rinse
    + _repeated(5, (1, 30), (9, 8))  # drying with the rest of the heat
)
_DISH_INTENSIVE = _phases((6, 80), (10, 2100), (12, 90), (12, 2100), (22, 90), (8, 70), (11, 2100), (8, 90)) + _phases(
    (20, 15)
)
_DRYER_HEAT_PUMP = (
    _ramp(12, 350, 720) + _repeated(8, (7, 740), (1, 560)) + _ramp(10, 700, 480) + _phases((8, 180))  # cooling down
)
_DRYER_CONDENSER = (
    _phases((2, 250), (38, 2350)) + _repeated(9, (3, 2300), (1, 300)) + _phases((9, 220))  # element goes on and off
)
_OVEN = _phases((11, 2450)) + _repeated(8, (2, 2000), (3, 60)) + _phases((2, 30))
_HOT_WATER = _ramp(45, 480, 780)  # the compressor works harder as the tank gets warm
_SPACE_HEATING = _phases((3, 2300)) + _ramp(57, 1850, 1550) + _phases((30, 1500))

_TABLE: tuple[Appliance, ...] = (
    Appliance(
        "dishwasher-eco", "dishwasher", "Dishwasher, eco", "50 °C: two short heatings, long washing between", _DISH_ECO
    ),
    Appliance(
        "dishwasher-intensive",
        "dishwasher",
        "Dishwasher, intensive",
        "70 °C: three heatings of ten minutes and more",
        _DISH_INTENSIVE,
    ),
    Appliance(
        "washing-40",
        "washing-machine",
        "Washing machine, 40 °C",
        "heats first, then the motor turns and spins",
        _WASH_40,
    ),
    Appliance(
        "washing-60", "washing-machine", "Washing machine, 60 °C", "as at 40 °C, with a longer heating", _WASH_60
    ),
    Appliance(
        "dryer-heat-pump", "tumble-dryer", "Tumble dryer with heat pump", "steady, about 700 W", _DRYER_HEAT_PUMP
    ),
    Appliance(
        "dryer-condenser",
        "tumble-dryer",
        "Condenser dryer",
        "an element of 2.3 kW, on and off towards the end",
        _DRYER_CONDENSER,
    ),
    Appliance(
        "car-16a-5kwh",
        "car",
        "Car, 5 kWh at 16 A (3.7 kW)",
        "one phase; power falls over the last tenth",
        _charge(5_000, 3_680, floor_w=600),
    ),
    Appliance(
        "car-16a-10kwh",
        "car",
        "Car, 10 kWh at 16 A (3.7 kW)",
        "one phase; power falls over the last tenth",
        _charge(10_000, 3_680, floor_w=600),
    ),
    Appliance(
        "car-3x16a-15kwh",
        "car",
        "Car, 15 kWh at three times 16 A (11 kW)",
        "three phases; power falls over the last tenth",
        _charge(15_000, 11_040, floor_w=1_400),
    ),
    Appliance(
        "car-6a-4kwh",
        "car",
        "Car, 4 kWh at 6 A (1.4 kW)",
        "one phase: the least that a charging cable allows",
        _charge(4_000, 1_380, floor_w=500),
    ),
    Appliance(
        "ebike-charge",
        "ebike",
        "Electric bicycle",
        "a battery of 400 Wh, from empty to full",
        _charge(450, 130, floor_w=50),
    ),
    Appliance(
        "hot-water", "hot-water", "Hot water by heat pump", "45 minutes, rising with the tank's temperature", _HOT_WATER
    ),
    Appliance(
        "space-heating",
        "heat-pump",
        "Space heating by heat pump",
        "a block of 90 minutes, strong at the start",
        _SPACE_HEATING,
    ),
    Appliance("small-heater", "heater", "Small heater", "a bathroom heater: half an hour at 1 kW", _phases((30, 1000))),
    Appliance("pool-pump", "pool-pump", "Pool pump", "three hours of steady filtering", _phases((1, 700), (179, 450))),
    Appliance("mower-charge", "mower", "Robot mower", "one charge between two rounds", _charge(120, 90, floor_w=35)),
    Appliance(
        "vacuum-charge", "vacuum", "Robot vacuum cleaner", "one charge after its round", _charge(60, 30, floor_w=12)
    ),
    Appliance("oven", "oven", "Oven", "heats up to 200 °C, then holds it: dinner cannot wait", _OVEN),
    Appliance("kettle", "kettle", "Kettle", "one litre: four minutes at 2 kW", _phases((4, 2000))),
    Appliance(
        "fridge-cycle",
        "fridge",
        "Refrigerator, one cycle",
        "the compressor runs for a quarter of an hour",
        _phases((1, 120), (14, 65)),
    ),
    Appliance(
        "freezer-cycle",
        "freezer",
        "Freezer, one cycle",
        "the compressor runs for 25 minutes",
        _phases((1, 160), (24, 85)),
    ),
)

APPLIANCES: Mapping[str, Appliance] = MappingProxyType({appliance.name: appliance for appliance in _TABLE})
"""All appliances, by the name of their load profile."""
