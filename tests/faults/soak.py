"""Simulated crashes on a simulated network, thousands of seeds in one process: `make soak`.

Every seed draws a network that misbehaves and processes that die, at any step and anywhere inside it, and come back
later; every other one shares the supply. The ledger must equal the undisturbed one; the seed of any difference is
printed, and repeats it.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import structlog

from agents.model import MANAGER
from agents.sharing import SUPPLY_RULES, SupplyRule
from broker.clock.pacing import Moment, Pace
from broker.protocol.retry_timeouts import Timeouts
from broker.transport.memory import MemoryBroker
from scenarios.load import load_scenario
from scenarios.results.files import SimulationSpec, create_results
from scenarios.results.writer import RunWriter
from scenarios.scenario import Scenario
from scenarios.simulation.outcome import RunOutcome
from scenarios.simulation.run import RunCallbacks, run_hosts, run_scenario
from scenarios.simulation.settings import RunSettings
from tests.faults.network import Faults, FaultyBroker
from tests.faults.ram import folder_for_a_run
from tests.faults.seeds import seeds_wanted
from tests.virtual_time import new_virtual_loop

CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class Crash:
    """A process dies, and comes back."""

    process: str
    """A house's id, or `CLOCK`."""
    step: int
    """Once the clock has granted this step ..."""
    turns: int
    """... and the event loop turned so many times."""
    away_wall_s: float


@dataclass(frozen=True, slots=True)
class Disturbance:
    """All that goes wrong in a run."""

    faults: Faults
    crashes: tuple[Crash, ...]

    @classmethod
    def draw(cls, seed: int, houses: tuple[str, ...], steps: int) -> Disturbance:
        """Draw a disturbance.

        Args:
            seed: Decides.
            houses: That may crash; the clock may too.
            steps: Of the undisturbed run.
        """
        random = Random(seed)
        faults = Faults(
            drop=random.choice([0.0, 0.05, 0.2]),
            double=random.choice([0.0, 0.2]),
            delay_most_wall_s=random.choice([0.0, 0.5, 3.0]),
            reconnect=random.choice([0.0, 0.01]),
        )
        crashes = tuple(
            Crash(random.choice([CLOCK, *houses]), random.randrange(steps), random.randrange(60), random.uniform(0, 20))
            for _ in range(random.randrange(5))
        )
        return cls(faults, crashes)


class _Process:
    """Something that runs to its end, however often it is killed."""

    def __init__(
        self, name: str, start: Callable[[FaultyBroker], Coroutine[Any, Any, RunOutcome | None]], network: FaultyBroker
    ) -> None:
        self.name = name
        self._network = network
        self._way = network
        self._start = start
        self._task: asyncio.Task[RunOutcome | None] | None = None
        self._away_wall_s: float | None = None

    async def live(self) -> RunOutcome | None:
        while True:
            self._way = self._network.for_process()
            self._task = asyncio.ensure_future(self._start(self._way))
            await asyncio.wait([self._task])
            if self._away_wall_s is None:
                return await self._task
            if not self._task.cancelled():
                return self._task.result()  # it had ended before it was killed, or failed
            away_wall_s, self._away_wall_s = self._away_wall_s, None
            await asyncio.sleep(away_wall_s)

    def kill(self, away_wall_s: float) -> None:
        if self._task is not None and not self._task.done() and self._away_wall_s is None:
            self._away_wall_s = away_wall_s
            self._way.crash()
            self._task.cancel()


async def run_disturbed(
    scenario: Scenario,
    disturbance: Disturbance,
    seed: int,
    folder: Path,
    *,
    pace: Pace | None = None,
    settings: RunSettings | None = None,
    results_file: Path | None = None,
) -> RunOutcome:
    """Run a deployed neighbourhood in one process while all that goes wrong; return its outcome.

    Args:
        scenario: The neighbourhood.
        disturbance: All that goes wrong.
        seed: Decides what the network does.
        folder: For journals and results.
        pace: How fast virtual time passes at most.
        settings: Decide the contracts; None: the defaults.
        results_file: Was made by `create_results`; None: a new one.
    """
    settings = replace(
        settings or RunSettings(seed=1, run_id="soak", supply=scenario.supply_settings),
        journals=folder,
        patience=Timeouts(limit_wall_s=1e6),
        pace=pace or Pace(),
    )
    if results_file is None:
        results_file = create_results(SimulationSpec(scenario, "insertion", (1,), "memory"), folder / "results.sqlite")
    broker = FaultyBroker(MemoryBroker(), disturbance.faults, seed)
    loop = asyncio.get_running_loop()
    waiting = sorted(disturbance.crashes, key=lambda crash: crash.step)

    def kill(crash: Crash, turns: int) -> None:
        if turns:
            loop.call_soon(kill, crash, turns - 1)
        else:
            processes[crash.process].kill(crash.away_wall_s)

    def on_moment(moment: Moment) -> None:
        while waiting and waiting[0].step <= moment.step:
            crash = waiting.pop(0)
            kill(crash, crash.turns)

    async def household(house: str, way: FaultyBroker) -> None:
        await run_hosts(scenario, settings, way, [house])

    houses = [house.id for house in scenario.houses if house.devices]
    processes = {house: _Process(house, lambda way, house=house: household(house, way), broker) for house in houses}  # type: ignore[misc]  # mypy cannot infer a lambda with a default

    async def clock(way: FaultyBroker) -> RunOutcome:
        with RunWriter(
            results_file,
            scenario,
            run=1,
            run_id=settings.run_id,
            seed=settings.seed,
            start_s=scenario.start_s,
            resume=True,
        ) as writer:
            return await run_scenario(
                scenario, settings, way, [MANAGER], recorder=writer, callbacks=RunCallbacks(on_moment=on_moment)
            )

    processes[CLOCK] = _Process(CLOCK, clock, broker)
    async with asyncio.TaskGroup() as tasks:
        for house in houses:
            tasks.create_task(processes[house].live())
        outcome = await processes[CLOCK].live()
    assert outcome is not None
    return outcome


def run_seed(scenario: Scenario, seed: int | None, steps: int) -> RunOutcome:
    """Run with the disturbance of a seed; None: with none."""
    houses = tuple(house.id for house in scenario.houses if house.devices)
    calm = Disturbance(Faults(), ())
    disturbance = calm if seed is None else Disturbance.draw(seed, houses, steps)
    with folder_for_a_run() as folder, asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        return runner.run(run_disturbed(scenario, disturbance, seed or 0, Path(folder)))


def scenario_with(scenario: Scenario, supply: SupplyRule) -> Scenario:
    """Return a scenario with a rule of supply."""
    return replace(scenario, supply=supply)


def main() -> int:
    """Run many seeds; exit with 1 if any ledger differs."""
    seeds = seeds_wanted(__doc__, 1000)
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    early = load_scenario(seeds.scenario)
    rules = [*(scenario_with(early, supply) for supply in SUPPLY_RULES), replace(early, promise="late")]
    rules.append(replace(scenario_with(early, "shared"), forecast="issued"))
    undisturbed = [run_seed(scenario, None, 0) for scenario in rules]
    for scenario, outcome in zip(rules, undisturbed, strict=True):
        what = f"{scenario.supply}, promises {scenario.promise}, forecasts {scenario.forecast}"
        print(f"undisturbed, {what}: {outcome.ledger_sha256}, {outcome.rounds} rounds", flush=True)

    def problems_of(seed: int) -> tuple[str, ...]:
        calm = undisturbed[seed % len(rules)]
        try:
            ledger_sha256 = run_seed(rules[seed % len(rules)], seed, calm.rounds).ledger_sha256
        except Exception:
            return (traceback.format_exc(),)
        return (ledger_sha256,) if ledger_sha256 != calm.ledger_sha256 else ()

    return seeds.run(problems_of, target="soak", progress_every=100)


if __name__ == "__main__":
    sys.exit(main())
