"""The appliances draw what such appliances draw."""

from __future__ import annotations

from itertools import pairwise

import pytest

from scenarios.appliances import APPLIANCES, profile_of_steps


@pytest.mark.parametrize(
    ("name", "kwh", "hours"),
    [
        ("dishwasher-eco", (0.8, 1.1), (2.5, 4)),
        ("dishwasher-intensive", (1.1, 1.6), (1.5, 2.5)),
        ("washing-40", (0.5, 0.9), (1, 2)),
        ("washing-60", (0.9, 1.4), (1.5, 3)),
        ("dryer-heat-pump", (0.8, 1.8), (1.2, 3)),
        ("dryer-condenser", (2.2, 4.5), (1, 2)),
        ("car-16a-5kwh", (5, 5), (1.3, 2)),
        ("car-16a-10kwh", (10, 10), (2.7, 3.5)),
        ("car-3x16a-15kwh", (15, 15), (1.3, 2)),
        ("hot-water", (0.4, 1.2), (0.5, 1.5)),
        ("space-heating", (2, 3.5), (1, 2)),
        ("pool-pump", (1, 3), (2, 6)),
        ("oven", (0.7, 1.3), (0.6, 1.2)),
        ("fridge-cycle", (0.01, 0.03), (0.2, 0.5)),
        ("freezer-cycle", (0.02, 0.06), (0.3, 0.6)),
    ],
)
def test_energy_and_duration_are_those_of_such_an_appliance(
    name: str, kwh: tuple[float, float], hours: tuple[float, float]
) -> None:
    """The values are from energy labels and manuals."""
    profile = APPLIANCES[name].load_profile

    assert kwh[0] <= round(profile.energy_wh / 1000, 6) <= kwh[1]
    assert hours[0] <= profile.duration_s / 3600 <= hours[1]
    assert profile.energy_wh == pytest.approx(APPLIANCES[name].energy_wh)


@pytest.mark.parametrize("name", sorted(APPLIANCES))
def test_every_minute_draws_power_that_a_socket_gives(name: str) -> None:
    """Never more than 16 A a phase, and something all the while."""
    appliance = APPLIANCES[name]

    limit_w = 11_100 if name == "car-3x16a-15kwh" else 3_700
    assert all(0 < power_w <= limit_w for power_w in appliance.power_w)
    assert appliance.title
    assert appliance.description
    assert appliance.device


@pytest.mark.parametrize("name", ["car-16a-10kwh", "car-3x16a-15kwh", "ebike-charge"])
def test_a_battery_charges_evenly_and_then_ever_slower(name: str) -> None:
    """Constant power for nine tenths of the energy, then a taper."""
    power_w = APPLIANCES[name].power_w

    full = power_w.count(power_w[0])
    assert power_w[:full] == (power_w[0],) * full
    assert sum(power_w[:full]) >= 0.88 * sum(power_w)
    assert all(later <= earlier for earlier, later in pairwise(power_w))
    assert power_w[-1] < power_w[0] / 2


def test_a_background_cycle_is_small() -> None:
    """Compressors draw less than a light used to."""
    for name in ("fridge-cycle", "freezer-cycle"):
        assert max(APPLIANCES[name].power_w) < 200


def test_steps_become_cumulative_energy() -> None:
    """A minute at 60 W is one Wh."""
    profile = profile_of_steps([60, 0, 120], 60)

    assert profile.times_s == (0, 60, 120, 180)
    assert profile.cumulative_wh == (0, 1, 1, 3)


def test_runs_of_a_programme_share_one_load_profile() -> None:
    """A neighbourhood has thousands of jobs, of few kinds."""
    profiles = [APPLIANCES["oven"].load_profile for _ in range(2)]

    assert profiles[0] is profiles[1]
