"""Settings of the supply: whole jobs by one producer, or shared by several; and the consumers' preferences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from agents.errors import SettingsError

SupplyRule = Literal["whole", "shared"]
SUPPLY_RULES: Final[tuple[SupplyRule, ...]] = get_args(SupplyRule)
ABOUT_SUPPLY: Final = {
    "whole": "one producer supplies a job, or the grid does, as in PySSMic",
    "shared": "several producers supply a job together, minute by minute, and the grid supplies the rest",
}
"""One-sentence descriptions."""
Preference = Literal["covered", "own-roof", "cheapest", "fewest", "earliest"]
PREFERENCES: Final[tuple[Preference, ...]] = get_args(Preference)
ABOUT_PREFERENCE: Final = {
    "covered": "most energy from panels",
    "own-roof": "most energy from the household's own panels",
    "cheapest": "lowest cost by the tariff: feed-in forgone, neighbours' price, grid's price",
    "fewest": "fewest suppliers",
    "earliest": "earliest start",
}
"""What a consumer with shared supply prefers, in the default order."""
ForecastUse = Literal["issued", "corrected"]
"""Whether producers use their forecasts as issued, or correct them by their own production."""
FORECAST_USES: Final[tuple[ForecastUse, ...]] = get_args(ForecastUse)
DEFAULT_FORECAST: Final[ForecastUse] = "corrected"
"""Of scenarios that do not say how."""


def comes_first(this: Preference, other: Preference, preferences: Sequence[Preference]) -> bool:
    """Return whether `preferences` contain `this`, and do not contain `other` before it."""
    return this in preferences and other not in preferences[: preferences.index(this)]


@dataclass(frozen=True, slots=True)
class SupplySettings:
    """The rule by which jobs are supplied. All agents of a run share it.

    Raises:
        SettingsError: Values are out of range; lists all of them.
    """

    rule: SupplyRule = "whole"
    prefer: tuple[Preference, ...] = PREFERENCES
    """With `shared`: what consumers prefer, most important first. Preferences that are not listed are ignored; of
    starts that tie, the earliest is chosen."""
    forecast: ForecastUse = DEFAULT_FORECAST
    """With `shared`: whether producers correct their forecasts by what they have produced."""

    def __post_init__(self) -> None:
        problems = []
        if self.rule not in SUPPLY_RULES:
            problems.append(f"unknown supply {self.rule!r}: expected one of {', '.join(SUPPLY_RULES)}")
        if self.forecast not in FORECAST_USES:
            problems.append(f"unknown forecast {self.forecast!r}: expected one of {', '.join(FORECAST_USES)}")
        problems += [
            f"unknown preference {name!r}: expected one of {', '.join(PREFERENCES)}"
            for name in self.prefer
            if name not in PREFERENCES
        ]
        twice = sorted({name for name in self.prefer if self.prefer.count(name) > 1})
        problems += [f"preference {name!r} is given twice" for name in twice]
        if not self.prefer:
            problems.append(f"no preference: expected at least one of {', '.join(PREFERENCES)}")
        if problems:
            raise SettingsError(tuple(problems))

    @property
    def puts_cost_first(self) -> bool:
        """Whether what a job costs counts more than how much of it is covered."""
        return comes_first("cheapest", "covered", self.prefer)

    @property
    def compares_costs(self) -> bool:
        """Whether consumers look at prices."""
        return self.is_shared and "cheapest" in self.prefer

    @property
    def corrects_forecasts(self) -> bool:
        """Whether producers correct their forecasts by their own production."""
        return self.is_shared and self.forecast == "corrected"

    @property
    def is_shared(self) -> bool:
        """Whether several producers may supply a job together."""
        return self.rule == "shared"
