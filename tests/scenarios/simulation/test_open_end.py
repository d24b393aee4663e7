"""How long a run with real devices lasts."""

from __future__ import annotations

from dataclasses import replace

from scenarios.devices.device_places import with_guests
from scenarios.load import load_scenario
from scenarios.simulation import Plan


def test_a_run_with_real_devices_has_an_open_end_unless_days_are_given() -> None:
    """New devices may join at any time; a recorded session ends as it did."""
    street = load_scenario("street")
    with_devices = with_guests(street, 1)
    assert not Plan(street, (1,)).has_open_end
    assert Plan(with_devices, (1,)).has_open_end
    assert not Plan(with_devices, (1,), days=1).has_open_end
    assert not Plan(replace(with_devices, days=1), (1,)).has_open_end
