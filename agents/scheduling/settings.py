"""Algorithms and their settings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from agents.errors import SettingsError
from agents.plugins import SCHEDULERS, plugins

FIFTY_FIFTY: Final = "fifty_fifty"
INSERTION: Final = "insertion"
EXACT: Final = "exact"
BASIN_HOPPING: Final = ("L-BFGS-B", "SLSQP", "TNC")
ALGORITHMS: Final = (FIFTY_FIFTY, INSERTION, *BASIN_HOPPING, EXACT)
"""Names of the algorithms, as users write them."""
ALGORITHMS_WITH: Final = {
    "penalty": BASIN_HOPPING,
    "step_size": BASIN_HOPPING,
    "tolerance": BASIN_HOPPING,
    "node_limit": (EXACT,),
}
"""By setting, the algorithms that it applies to."""
ABOUT_ALGORITHM: Final = {
    FIFTY_FIFTY: "accepts a fitting job with probability 1/2, at a random start (a baseline, as in PySSMic)",
    INSERTION: "takes the first start with enough production, or else moves other jobs that have not started",
    "L-BFGS-B": "re-optimises all starts by basin-hopping with SciPy's L-BFGS-B, as in PySSMic",
    "SLSQP": "re-optimises all starts by basin-hopping with SciPy's SLSQP, as in PySSMic",
    "TNC": "re-optimises all starts by basin-hopping with SciPy's TNC (truncated Newton), as in PySSMic",
    EXACT: "re-schedules all jobs by a mixed-integer program (HiGHS): the best schedule for the known jobs",
}
"""One-sentence descriptions."""
MAX_STEP_S: Final = 86_400.0
"""Largest step size, seconds: a gradient averaged over more than a day says nothing about the day."""


@dataclass(frozen=True, slots=True)
class AlgorithmSettings:
    """An algorithm and its settings; settings of other algorithms are ignored.

    Raises:
        SettingsError: Values are out of range; lists all of them.
    """

    name: str = INSERTION
    penalty: float = 100.0
    """Basin-hopping: penalty per Wh of demand above the forecast; above 0."""
    step_size: float = 60.0
    """Basin-hopping: interval over which the gradient is averaged, seconds (SciPy's `eps`); above 0."""
    tolerance: float = 0.01
    """Basin-hopping: a local search stops when steps gain less than this (SciPy's `tol`); above 0."""
    node_limit: int = 20
    """`exact`: limit on nodes of the search tree per decision; at least 1."""

    def __post_init__(self) -> None:
        problems = []
        if self.name not in known_algorithms():
            problems.append(f"unknown algorithm {self.name!r}: expected one of {', '.join(known_algorithms())}")
        if not (math.isfinite(self.penalty) and self.penalty > 0):
            problems.append(f"penalty {self.penalty:g}: expected a finite number above 0")
        if not 0 < self.step_size <= MAX_STEP_S:
            problems.append(f"step size {self.step_size:g} s: expected a number above 0, at most {MAX_STEP_S:g}")
        if not (math.isfinite(self.tolerance) and self.tolerance > 0):
            problems.append(f"tolerance {self.tolerance:g}: expected a finite number above 0")
        if self.node_limit < 1:
            problems.append(f"node limit {self.node_limit}: expected a whole number, 1 or more")
        if problems:
            raise SettingsError(tuple(problems))


def known_algorithms() -> tuple[str, ...]:
    """Return the names of all algorithms, those of plug-ins last."""
    return (*ALGORITHMS, *(name for name in plugins(SCHEDULERS) if name not in ALGORITHMS))


def algorithm_name(written: str) -> str | None:
    """Return the name of the algorithm that a user means, in whatever case it is written; None: there is none."""
    return next((name for name in known_algorithms() if name.casefold() == written.casefold()), None)


def settings_of(algorithm: str) -> tuple[str, ...]:
    """Return the names of an algorithm's settings."""
    return tuple(setting for setting, owners in ALGORITHMS_WITH.items() if algorithm in owners)
