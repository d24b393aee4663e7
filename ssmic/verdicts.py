"""Evaluation of a run: verdicts on the scenario's expectations, and the distance to the clairvoyant optimum."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from math import inf
from pathlib import Path
from typing import Any, Literal, TypeVar

from scenarios.expectations import Verdict, judge_simulation, junit_xml
from scenarios.optimum import compare
from scenarios.results import ResultsReader, whole_file
from ssmic.arguments import EmulationError

ResultT = TypeVar("ResultT")
TIME_LIMIT_WALL_S = 30.0
"""How long the optimum is sought, real seconds, unless a script says otherwise."""
SUPPLIES = ("whole", "shared", "both")
"""The supply rules for which a run can be compared with the optimum."""


def run_outside_loop(function: Callable[[], ResultT]) -> ResultT:
    """Return the result of a function that runs its own event loops; called in a thread if a loop is running here."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return function()
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def judged(results_file: Path) -> tuple[Verdict, ...]:
    """Return the verdicts on the expectations for the only run of a results file, and store them in the file."""
    if not _kept(results_file):
        run_outside_loop(lambda: judge_simulation(results_file))
    return _kept(results_file)


def _kept(results_file: Path) -> tuple[Verdict, ...]:
    with ResultsReader(results_file) as results:
        return tuple(Verdict(**verdict) for verdict in results.verdicts(1))


def check_comparison(supply: object, time_limit_wall_s: object) -> None:
    """Check how a run is to be compared with the optimum; see `compared`.

    Raises:
        EmulationError: There is no such supply, or the time is not a number of seconds above 0.
    """
    if supply is not None and supply not in SUPPLIES:
        raise EmulationError(
            f"supply {supply!r}: {', '.join(map(repr, SUPPLIES[:-1]))} or {SUPPLIES[-1]!r} is expected"
        )
    is_number = isinstance(time_limit_wall_s, int | float) and not isinstance(time_limit_wall_s, bool)
    if not is_number or not 0 < time_limit_wall_s < inf:  # type: ignore[operator]  # mypy does not see that it is one
        raise EmulationError(f"time_limit_wall_s {time_limit_wall_s!r}: a number of seconds above 0 is expected")


def compared(
    results_file: Path, supply: Literal["whole", "shared", "both"] | None, time_limit_wall_s: float
) -> Mapping[str, Any]:
    """Compare the only run of `results_file` with the optimum of `supply`; return the stored comparison.

    Without a supply, the optimum is that of the run's own rule. The search takes at most `time_limit_wall_s`,
    wall-clock seconds.

    Raises:
        EmulationError: There is no such supply, or the time is not a number of seconds above 0.
    """
    check_comparison(supply, time_limit_wall_s)
    run_outside_loop(lambda: compare(results_file, time_limit_wall_s, supply=supply))
    with ResultsReader(results_file) as results:
        return results.run(1).comparison


def write_junit(results_file: Path, scenario: str, file: Path, wall_s: float) -> None:
    """Write the verdicts on the run in `results_file` as JUnit XML to `file`; `wall_s` is the duration of the test.

    Raises:
        ResultsWriteError: The file cannot be written.
    """
    with ResultsReader(results_file) as results:
        name = f"{results.info.algorithm} seed {results.run(1).seed}"
    with whole_file(file) as draft:
        draft.write_bytes(junit_xml(scenario, {name: judged(results_file)}, wall_s))
