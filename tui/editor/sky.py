"""Forecasts to begin with, for roofs without a forecast of their own: a clear sky."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scenarios.files.times import format_after_start
from scenarios.generate.solar import Roof, clear_light
from scenarios.importers.imported import SITE, START_S, STEP_S
from tui.editor.moments import Origin
from tui.editor.outline import Tree

_DAY_S = 86_400
_MOST_DAYS = 366


@dataclass(frozen=True, slots=True)
class Sky:
    """A roof under a clear sky."""

    id: str
    title: str
    roof: Roof

    def prediction(self, tree: Tree) -> dict[str, Any]:
        """Return a forecast for the days of the run, issued at its start, as it stands in a file."""
        origin = Origin.of(tree.get("start"))
        start_s = START_S if origin.start_s is None else origin.start_s
        days = tree.get("days")
        count = min(days, _MOST_DAYS) if isinstance(days, int) and days > 0 else 1
        # One that rises in the run is known from its first minute on; nights between days are zeros.
        steps = count * _DAY_S // STEP_S
        power_w = [
            round(self.roof.peak_kw * clear_light(SITE, self.roof, start_s + i * STEP_S + STEP_S // 2).clear_w)
            for i in range(steps)
        ]
        first = next((i for i, power in enumerate(power_w) if power), 0)
        last = max((i for i, power in enumerate(power_w) if power), default=steps - 1)
        return {
            "issued": "00:00",
            "start": format_after_start(start_s + first * STEP_S, start_s),
            "step_s": STEP_S,
            "power_w": power_w[first : last + 1],
        }


SKIES = tuple(
    Sky(
        f"{peak}-{side}",
        f"PV panels, {peak} kWp, facing {side} (clear sky)",
        Roof(tilt_deg=30, azimuth_deg=deg, peak_kw=peak),
    )
    for peak in (3, 5, 8, 12)
    for side, deg in (("south", 180), ("east", 90), ("west", 270))
)
DEFAULT_SKY = SKIES[3]
"""5 kWp, facing south."""
