"""A small neighbourhood for the lab: one house, a washer, a fridge that is not controllable, and a panel."""

from __future__ import annotations

from scenarios import Scenario
from scenarios.files import load_text

TEXT = """\
version: 1
name: lane
start: 2026-06-21T08:00:00+02:00
seed: 1
tariff: {import_eur_per_kwh: 0.35, feed_in_eur_per_kwh: 0.08, neighbour_eur_per_kwh: 0.2, grid_kg_co2_per_kwh: 0.4}
load_profiles:
  wash: {step_s: 600, power_w: [100, 2000, 150]}
  cool: {step_s: 300, power_w: [60]}
houses:
  - id: adler
    devices:
      - {id: washer, type: consumer, load_profile: wash}
      - {id: fridge, type: consumer, load_profile: cool}
      - id: pv
        type: producer
        predictions:
          - {issued: "00:00", start: "00:00", step_s: 3600, power_w: [1000, 3000, 3000, 3000]}
  - id: berg
    devices:
      - {id: dryer, type: consumer, load_profile: wash}
jobs:
  - {house: adler, device: washer, id: wash-1, registered: "00:00", earliest_start: "00:10", latest_start: "02:00"}
  - {house: adler, device: fridge, id: cool-1, registered: "00:30", earliest_start: "00:30", latest_start: "00:31"}
  - {house: berg, device: dryer, id: dry-1, registered: "00:20", earliest_start: "00:30", latest_start: "02:30"}
"""
START_S = 1_782_021_600


def lane(more: str = "") -> Scenario:
    """Return the neighbourhood; `more` is further YAML."""
    return load_text(TEXT + more, "lane.yaml", None)
