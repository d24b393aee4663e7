"""Runs from their beginning to their end, and sweeps."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Unpack

from agents import SettingsError
from broker import new_loop
from scenarios import Scenario
from scenarios.expectations import Verdict
from scenarios.load import load_scenario as _load_scenario
from scenarios.metrics import Kpis
from scenarios.sweep import SweepOutcome, SweepRequest, default_file, plan_sweep, run_sweep
from ssmic.arguments import SWEEP_OPTIONS, EmulationError, check_source, file_path, type_problems
from ssmic.emulation import Emulation, Run
from ssmic.options import RunOptions
from ssmic.verdicts import TIME_LIMIT_WALL_S, check_comparison, run_outside_loop

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a run."""

    ledger_sha256: str
    """Equal ledgers, equal hash."""
    kpis: Kpis
    contracts: Mapping[str, tuple[str, int]]
    """By job id, the supplier (`grid` or a producer) and the start, UNIX seconds."""
    results_file: Path | None
    """None: not requested."""
    verdicts: tuple[Verdict, ...]
    """On the scenario's expectations, in the order of the file."""
    optimum: Mapping[str, Any] | None
    """The comparison with the clairvoyant optimum; None: not requested."""
    scores: Mapping[str, int]
    """The producers' scores at the end, with which another run can begin."""

    @property
    def all_hold(self) -> bool:
        """Whether all expectations hold."""
        return all(verdict.holds for verdict in self.verdicts)


def load_scenario(source: str | Path, **variables: object) -> Scenario:
    """Return the scenario of a file, a PySSMic input or a bundled name.

    Args:
        source: The file or name.
        variables: Replace variables of the file, as `--set` does.

    Raises:
        ScenarioError: It cannot be used; carries all problems.
    """
    check_source(source)
    return _load_scenario(source, {key: str(value) for key, value in variables.items()})


def run(
    scenario: str | Path | Scenario,
    *,
    compare: Literal["whole", "shared", "both"] | bool = False,
    time_limit_wall_s: float | None = None,
    junit: str | Path | None = None,
    **options: Unpack[RunOptions],
) -> Outcome:
    """Run a scenario from its start to its end; also inside notebooks, where an event loop runs already.

    Args:
        scenario: A file, the name of a bundled scenario, or one that was loaded.
        compare: Whether the run is compared with the clairvoyant optimum, and for which supply; True: the run's own.
        time_limit_wall_s: With `compare`: time limit for computing the optimum, real seconds; None: 30.
        junit: Where the verdicts on the scenario's expectations are written as JUnit XML.
        **options: Those of `Emulation`.

    Raises:
        SsmicError: The scenario or an option cannot be used, or the run failed.
    """
    supply: Any = None if compare is True else compare
    limit_wall_s = TIME_LIMIT_WALL_S if time_limit_wall_s is None else time_limit_wall_s
    if not isinstance(compare, bool) and compare not in ("whole", "shared", "both"):
        raise EmulationError(f"compare {compare!r}: True, False, 'whole', 'shared' or 'both' is expected")
    if compare is not False:
        check_comparison(supply, limit_wall_s)
    elif time_limit_wall_s is not None:
        raise EmulationError(f"time_limit_wall_s {time_limit_wall_s!r}: requires compare")
    report = None if junit is None else file_path(junit)
    emulation = Emulation(scenario, **options)

    async def whole() -> Run:
        async with emulation as going:
            await going.finish()
        return going

    done = _complete(whole())
    if report is not None:
        done.write_junit(report)
    out = options.get("out")
    return Outcome(
        ledger_sha256=done.ledger_sha256,
        kpis=done.kpis(),
        contracts={job_id: (contract.producer, contract.start_s) for job_id, contract in done.contracts.items()},
        results_file=None if out is None else Path(out),
        verdicts=done.verdicts(),
        optimum=None if compare is False else done.optimum(supply=supply, time_limit_wall_s=limit_wall_s),
        scores=dict(done.outcome.scores),
    )


def sweep(
    scenario: str | Path,
    *,
    vary: Mapping[str, Sequence[object] | str] | None = None,
    fixed: Mapping[str, object] | None = None,
    seeds: int = 10,
    first_seed: int | None = None,
    sample: int | None = None,
    sample_seed: int = 1,
    out: str | Path | None = None,
    workers: int | None = None,
    dask: str | None = None,
    together: Sequence[Sequence[str]] = (),
    allow_outside: bool = False,
) -> SweepOutcome:
    """Run hundreds of variations; see `ssmic sweep`. Repeat the same call to resume the sweep.

    Args:
        scenario: A file or the name of a bundled scenario.
        vary: By parameter, its values, also lists and mappings; or `LOW:HIGH:COUNT`.
        fixed: By parameter, its value in all runs.
        seeds: Runs of each combination.
        first_seed: The first seed, which the others follow; None: the scenario's.
        sample: Size of a Latin hypercube sample of the combinations, for which ranges need no count; None: every
            combination is run.
        sample_seed: Seed of the sample.
        out: The results file; None: named after the sweep.
        workers: Number of worker processes; None: one per core.
        dask: `local` or the URL of a Dask scheduler.
        together: Groups of parameters that take their first values together, then their second, and so on.
        allow_outside: Whether the file may refer to files outside its folder.

    Raises:
        SsmicError: The sweep is impossible; the message says why.
    """
    check_source(scenario)
    given = {
        "vary": vary,
        "fixed": fixed,
        "seeds": seeds,
        "first_seed": first_seed,
        "sample": sample,
        "sample_seed": sample_seed,
        "out": out,
        "workers": workers,
        "dask": dask,
        "together": together,
        "allow_outside": allow_outside,
    }
    problems = tuple(type_problems(given, SWEEP_OPTIONS))
    if workers is not None and dask not in (None, "local"):
        problems = (*problems, f"workers {workers!r}: a Dask cluster has its own")
    if problems:
        raise SettingsError(problems)
    varied = tuple(
        f"{key}={values if isinstance(values, str) else ','.join(map(_written, values))}"
        for key, values in (vary or {}).items()
    )
    same = tuple(f"{key}={_written(value)}" for key, value in (fixed or {}).items())
    zipped = tuple(",".join(keys) for keys in together)
    request = SweepRequest(
        str(scenario), varied, same, seeds, first_seed, sample, sample_seed, allow_outside, together=zipped
    )
    plan = plan_sweep(request)
    path = Path(out) if out is not None else default_file(plan)
    return _complete(run_sweep(plan, path, workers=workers, dask=dask))


def _written(value: object) -> str:
    """Return a value as on the command line."""
    return json.dumps(value) if isinstance(value, bool | list | tuple | dict) else str(value)


def _complete(doing: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a coroutine to its end, in a separate thread if an event loop is already running."""

    def whole() -> ResultT:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(doing)

    return run_outside_loop(whole)
