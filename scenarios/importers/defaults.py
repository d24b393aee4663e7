"""What is assumed where a PySSMic neighbourhood names a load profile or a prediction, but does not hold it."""

from __future__ import annotations

from agents.energy import Prediction, Production
from scenarios.appliances import APPLIANCES, Appliance, steps_wh
from scenarios.generate.sun import Roof, Site, clear_light

START_S = 1_782_000_000 - 1_782_000_000 % 86_400
"""When a neighbourhood without any time in it starts: midnight (UTC) of 21 June 2026."""

DEFAULT_APPLIANCE = "dishwasher-eco"
_BY_WORD = {
    "dish": "dishwasher-eco",
    "wash": "washing-40",
    "dry": "dryer-heat-pump",
    "cloth": "dryer-heat-pump",
    "fridge": "fridge-cycle",
    "refriger": "fridge-cycle",
    "freez": "freezer-cycle",
    "heat_pump": "space-heating",
    "heat pump": "space-heating",
    "heatpump": "space-heating",
    "water": "hot-water",
    "boiler": "hot-water",
    "heat": "small-heater",
    "bike": "ebike-charge",
    "car": "car-16a-5kwh",
    "ev": "car-16a-5kwh",
    "vehicle": "car-16a-5kwh",
    "oven": "oven",
    "kettle": "kettle",
    "pool": "pool-pump",
    "mow": "mower-charge",
    "vacuum": "vacuum-charge",
}
"""The bundled appliance for a device whose name or template begins a word like this; the first that fits."""

SITE = Site(47.66, 9.18)
"""Konstanz, where CoSSMic had its houses."""
ROOF = Roof(tilt_deg=30, azimuth_deg=180, peak_kw=5)
ROOF_IN_WORDS = "cloudless sky over a roof of 5 kWp that looks south, in Konstanz"
STEP_S = 900
_DAY_S = 86_400


def appliance_for(*texts: str) -> Appliance:
    """Return the bundled appliance that a device's name or template sounds like, or else the default one."""
    words = " ".join(texts).lower().replace("-", " ")
    for begin, name in _BY_WORD.items():
        if f" {begin}" in f" {words}":
            return APPLIANCES[name]
    return APPLIANCES[DEFAULT_APPLIANCE]


def cloudless(start_s: int, end_s: int) -> Prediction:
    """Return a forecast, issued at the start, for whole days (UTC) from the start's to the end's."""
    first_s = start_s // _DAY_S * _DAY_S
    last_s = max(-(-end_s // _DAY_S) * _DAY_S, first_s + _DAY_S)
    times_s = range(first_s, last_s + 1, STEP_S)
    power_w = [round(ROOF.peak_kw * clear_light(SITE, ROOF, time_s + STEP_S // 2).clear_w) for time_s in times_s[:-1]]
    production = Production(times_s=tuple(times_s), cumulative_wh=steps_wh(power_w, STEP_S))
    return Prediction(issued_s=start_s, production=production)
