"""Runs from their beginning to their end, and sweeps."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from broker import new_loop
from scenarios import Scenario
from scenarios.load import load_scenario as _load_scenario
from scenarios.metrics import Kpis
from scenarios.sweep import SweepOutcome, SweepRequest, default_file, plan_sweep, run_sweep
from ssmic.emulation import Emulation

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run."""

    ledger_sha256: str
    """Equal ledgers, equal hash."""
    kpis: Kpis
    contracts: Mapping[str, tuple[str, int]]
    """By job id, the supplier (`grid` or a producer) and the start, UNIX seconds."""
    results_file: Path | None
    """None: it was not asked for."""


def load_scenario(source: str | Path, **variables: object) -> Scenario:
    """Return the scenario of a file, a PySSMic input or a bundled name.

    Args:
        source: The file or name.
        variables: Replace variables of the file, as `--set` does.

    Raises:
        ScenarioError: It cannot be used; carries all problems.
    """
    return _load_scenario(source, {key: str(value) for key, value in variables.items()})


def run(
    scenario: str | Path | Scenario,
    *,
    seed: int | None = None,
    algorithm: str | None = None,
    supply: Literal["whole", "shared"] | None = None,
    days: int | None = None,
    patient: bool = True,
    bus: Literal["memory", "mqtt"] = "memory",
    broker: str | None = None,
    hosts: int | None = None,
    out: str | Path | None = None,
) -> Outcome:
    """Run a scenario from its start to its end; also inside notebooks, where an event loop runs already.

    The arguments are those of `Emulation`.

    Raises:
        SsmicError: The scenario cannot be used, or the run failed.
    """
    emulation = Emulation(
        scenario,
        seed=seed,
        algorithm=algorithm,
        supply=supply,
        days=days,
        patient=patient,
        bus=bus,
        broker=broker,
        hosts=hosts,
        out=out,
    )

    async def whole() -> Outcome:
        async with emulation as going:
            await going.finish()
        contracts = {job_id: (contract.producer, contract.start_s) for job_id, contract in going.contracts.items()}
        return Outcome(going.ledger_sha256, going.kpis(), contracts, None if out is None else Path(out))

    return _complete(whole())


def sweep(
    scenario: str | Path,
    *,
    vary: Mapping[str, Sequence[object] | str] | None = None,
    fixed: Mapping[str, object] | None = None,
    seeds: int = 10,
    out: str | Path | None = None,
    workers: int | None = None,
    dask: str | None = None,
) -> SweepOutcome:
    """Run hundreds of variations; see `ssmic sweep`. The same call again resumes it.

    Args:
        scenario: A file or the name of a bundled scenario.
        vary: By parameter, its values, or `LOW:HIGH:COUNT`.
        fixed: The same in all runs.
        seeds: Runs of each combination.
        out: The results file; None: named after the sweep.
        workers: Processes; None: one a core.
        dask: `local` or the URL of a Dask scheduler.

    Raises:
        SsmicError: The sweep cannot be done; the message says why.
    """
    varied = tuple(
        f"{key}={values if isinstance(values, str) else ','.join(map(str, values))}"
        for key, values in (vary or {}).items()
    )
    same = tuple(f"{key}={value}" for key, value in (fixed or {}).items())
    plan = plan_sweep(SweepRequest(str(scenario), varied, same, seeds))
    path = Path(out) if out is not None else default_file(plan)
    return _complete(run_sweep(plan, path, workers=workers, dask=dask))


def _complete(doing: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a coroutine to its end, in a thread of its own where an event loop runs already."""

    def whole() -> ResultT:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(doing)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return whole()
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(whole).result()
