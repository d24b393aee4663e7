"""Real processes over a real Mosquitto, killed and cut off: `make faults`.

Every seed draws a disturbance; the ledger must equal the undisturbed one. A watcher counts the steps that the clock
grants, so that things go wrong at a step of the run and not at a time of the day.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from typing import Any, Literal

import structlog

from agents.sharing import SupplyRule
from broker.protocol import topics
from broker.protocol.wire import Grant
from broker.servers.mosquitto import find_mosquitto
from broker.servers.own_broker import free_port
from broker.transport import MqttBroker
from broker.transport.base import Delivery
from scenarios.load import load_scenario
from tests.faults.link import Link, LinkFaults, link_to
from tests.faults.ram import folder_for_a_run
from tests.faults.seeds import seeds_wanted
from tui.__main__ import main as ssmic

CLOCK = "clock"
BROKER = "broker"
RUN = "faults"
LIMIT_WALL_S = 240
POLL_WALL_S = 0.01
"""How often to look whether a process has ended; nothing else waits by the clock on the wall."""
Kind = Literal["kill", "kill broker", "forgetful broker", "cut", "second copy", "power cut", "lose"]
KINDS: tuple[Kind, ...] = ("kill", "kill", "kill", "kill broker", "forgetful broker", "cut", "second copy", "power cut")
"""The kinds of faults. A `power cut` takes the broker and a process, so that the process's last will is lost."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong once the clock has granted a step."""

    kind: Kind
    process: str
    """A house's id or `CLOCK`; the broker's faults concern all."""
    step: int
    away_wall_s: float


@dataclass(frozen=True, slots=True)
class Disturbance:
    """All that goes wrong in a run."""

    faults: tuple[Fault, ...] = ()
    """`lose`, killed for good, is not drawn: it changes the ledger, or ends the run."""
    links: LinkFaults = field(default_factory=LinkFaults)

    @classmethod
    def draw(cls, seed: int, houses: tuple[str, ...], steps: int) -> Disturbance:
        """Draw one: mostly a single fault, of each kind in turn, so that a few seeds show all."""
        random = Random(seed)
        kinds = [KINDS[seed % len(KINDS)], *random.choices(KINDS, k=random.choice([0, 0, 1, 2]))]
        faults = tuple(
            Fault(kind, random.choice([CLOCK, *houses]), random.randrange(steps), random.uniform(0.0, 1.0))
            for kind in kinds
        )
        bad_links = LinkFaults(drop=0.01, double=0.1, delay_wall_s=0.004)
        return cls(faults, random.choice([LinkFaults(), LinkFaults(), bad_links]))


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended."""

    ledger_sha256: str
    messages: int
    steps: int
    problems: tuple[str, ...]
    came_out: Mapping[str, Any] = field(default_factory=dict)
    """What the clock printed of the run."""
    codes: Mapping[str, int] = field(default_factory=dict)
    """By process, its exit code."""
    refused: int = 0
    """Second copies that were refused because their household is already present."""


def _enter(arguments: list[str], log: str) -> None:
    """Be a process of the command line, from here on."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 2)
    os.dup2(os.open(log.removesuffix(".log") + ".out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
    sys.argv = ["ssmic", *arguments]
    ssmic()


RULES: tuple[tuple[SupplyRule, str], ...] = (("whole", "early"), ("whole", "late"), ("shared", "early"))
"""Rules of supply and of promises, one of which each seed draws."""


class _Neighbourhood:
    """The processes of one run."""

    def __init__(
        self,
        scenario: str,
        folder: Path,
        links: dict[str, Link],
        options: tuple[str, ...],
        supply: SupplyRule,
        promise: str,
    ) -> None:
        self.folder = folder
        self.links = links
        self.houses = tuple(name for name in links if name != CLOCK)
        self._scenario = scenario
        self._options = options
        self._supply = supply
        self._promise = promise
        self._lost: set[str] = set()
        self._processes: dict[str, BaseProcess] = {}
        self._copies: list[BaseProcess] = []
        self._started = asyncio.Event()
        self._context = multiprocessing.get_context("forkserver")

    def start_all(self) -> None:
        """Start every process."""
        for name in self.links:
            self.start(name)
        self._started.set()

    def logs(self) -> list[str]:
        """Return the ends of what the processes said."""
        return [f"--- {log.name}\n{log.read_text()[-1500:]}" for log in sorted(self.folder.glob("*.log"))]

    def log(self, name: str) -> str:
        """Return what a process said on standard error."""
        return (self.folder / f"{name}.log").read_text()

    def output(self, name: str) -> str:
        """Return what a process printed on standard output."""
        return (self.folder / f"{name}.out").read_text()

    def start(self, name: str, copy: str = "") -> BaseProcess:
        """Start the process of a house or of the clock; `copy` names a second one with its own journal."""
        common = ["--run", RUN, "--broker", f"mqtt://127.0.0.1:{self.links[name].port}", "--limit", str(LIMIT_WALL_S)]
        common += ["--supply", self._supply]
        common += ["--promise", self._promise]
        journal = ["--journal", str(self.folder / f"journal{copy}")]
        if name == CLOCK:
            arguments = ["clock", self._scenario, *common, *journal, "--json", "--out", str(self.folder / "r.sqlite")]
            arguments += self._options
        else:
            arguments = ["host", self._scenario, "--house", name, *common, *journal]
        process = self._context.Process(target=_enter, args=(arguments, str(self.folder / f"{name}{copy}.log")))
        process.start()
        if copy:
            self._copies.append(process)
        else:
            self._processes[name] = process
        return process

    async def kill(self, name: str, away_wall_s: float) -> None:
        """Kill a process as hard as it goes, and start it again later; one that has ended is left alone."""
        if await self.end(name):
            await asyncio.sleep(away_wall_s)
            self.start(name)

    async def end(self, name: str) -> bool:
        """Kill a process; return False if it had ended."""
        process = self._processes[name]
        if not process.is_alive() or process.pid is None:
            return False
        os.kill(process.pid, signal.SIGKILL)
        await _ended(process)
        return True

    def lose(self, name: str) -> None:
        """Kill a process for good."""
        self._lost.add(name)
        self._processes[name].kill()

    async def wait_all(self) -> dict[str, int]:
        """Wait until all processes have ended for good; return their exit codes."""
        await self._started.wait()
        return {name: await self._wait(name) for name in self.links}

    async def _wait(self, name: str) -> int:
        while (process := self._processes[name]).is_alive() or (
            process.exitcode == -signal.SIGKILL and name not in self._lost
        ):
            await asyncio.sleep(POLL_WALL_S)
        return process.exitcode or 0

    def stop(self) -> None:
        """End all that is left."""
        for process in (*self._processes.values(), *self._copies):
            if process.is_alive():
                process.kill()
            process.join()


async def _ended(process: BaseProcess) -> None:
    while process.is_alive():
        await asyncio.sleep(POLL_WALL_S)


class _Mosquitto:
    """A broker on a fixed port that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        configuration = self._folder / "mosquitto.conf"
        configuration.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nmax_queued_messages 0\n"
            f"persistence true\npersistence_location {self._folder}/\nautosave_interval 1\nautosave_on_changes true\n"
            "user root\n"
        )
        program = find_mosquitto()
        assert program is not None
        self._process = await asyncio.create_subprocess_exec(
            str(program), "-c", str(configuration), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(POLL_WALL_S)
            else:
                writer.close()
                return

    async def kill(self, away_wall_s: float, *, forget: bool) -> None:
        await self.stop()
        if forget:
            (self._folder / "mosquitto.db").unlink(missing_ok=True)
        await asyncio.sleep(away_wall_s)
        await self.start()

    async def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def _mosquitto(folder: Path) -> AsyncIterator[_Mosquitto]:
    broker = _Mosquitto(folder)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


class _Disturbed:
    """A run during which things go wrong."""

    def __init__(self, neighbourhood: _Neighbourhood, mosquitto: _Mosquitto, disturbance: Disturbance) -> None:
        self.steps = 0
        self.problems: list[str] = []
        self.refused = 0
        self._neighbourhood = neighbourhood
        self._mosquitto = mosquitto
        self._waiting = sorted(disturbance.faults, key=lambda fault: fault.step)

    async def watch(self) -> None:
        """Count the steps, and let faults happen at theirs."""
        everybody = topics.grant(RUN, "x").removesuffix("x") + "+"
        async with (
            MqttBroker(f"mqtt://127.0.0.1:{self._mosquitto.port}").connect("watch") as bus,
            asyncio.TaskGroup() as fault_tasks,
        ):
            await bus.subscribe(everybody)
            self._neighbourhood.start_all()
            async for event in bus.messages():
                if isinstance(event, Delivery):
                    self.steps = max(self.steps, Grant.model_validate_json(event.payload).step)
                while self._waiting and self._waiting[0].step <= self.steps:
                    fault_tasks.create_task(self._happen(self._waiting.pop(0)))

    async def _happen(self, fault: Fault) -> None:
        neighbourhood = self._neighbourhood
        match fault.kind:
            case "kill":
                await neighbourhood.kill(fault.process, fault.away_wall_s)
            case "kill broker" | "forgetful broker":
                await self._mosquitto.kill(fault.away_wall_s, forget=fault.kind == "forgetful broker")
            case "power cut":
                await self._mosquitto.stop()
                is_to_start = await neighbourhood.end(fault.process)
                await asyncio.sleep(fault.away_wall_s)
                await self._mosquitto.start()
                if is_to_start:
                    neighbourhood.start(fault.process)
            case "lose":
                neighbourhood.lose(fault.process)
            case "cut":
                await neighbourhood.links[fault.process].cut(2 * fault.away_wall_s)
            case "second copy":
                house = neighbourhood.houses[fault.step % len(neighbourhood.houses)]
                name = f"-copy{fault.step}"
                copy = neighbourhood.start(house, copy=name)
                await _ended(copy)
                self.refused += "another process already takes part" in neighbourhood.log(house + name)
                # It was refused, or learned that the run has ended, or the broker was away or has ended with the run.
                if copy.exitcode not in {0, 1, 4}:
                    self.problems.append(f"the second {house} ended with {copy.exitcode}")


async def run_disturbed(
    scenario: str,
    houses: tuple[str, ...],
    disturbance: Disturbance,
    seed: int,
    options: tuple[str, ...] = (),
    supply: SupplyRule = "whole",
    promise: str = "early",
) -> Result:
    """Run a neighbourhood of processes while all that goes wrong; `options` are the clock's."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(folder_for_a_run()))
        mosquitto = await stack.enter_async_context(_mosquitto(folder))
        links = {
            name: await stack.enter_async_context(link_to(mosquitto.port, disturbance.links, seed + i))
            for i, name in enumerate([CLOCK, *houses])
        }
        neighbourhood = _Neighbourhood(scenario, folder, links, options, supply, promise)
        stack.callback(neighbourhood.stop)
        run = _Disturbed(neighbourhood, mosquitto, disturbance)
        watching = asyncio.ensure_future(run.watch())
        codes: dict[str, int] = {}
        try:
            async with asyncio.timeout(LIMIT_WALL_S):
                codes = await neighbourhood.wait_all()
        except TimeoutError:
            run.problems.append(f"still running after {LIMIT_WALL_S} s")
        watching.cancel()
        await asyncio.wait([watching])
        if not watching.cancelled() and (error := watching.exception()):
            raise error
        run.problems += [f"{name} ended with {code}" for name, code in codes.items() if code]
        problems = (*run.problems, *neighbourhood.logs()) if run.problems else ()
        printed = neighbourhood.output(CLOCK)
        came_out: dict[str, Any] = {"ledger_sha256": "", "messages": 0}
        came_out |= json.loads(printed)["runs"][0] if printed else {}
        return Result(
            came_out["ledger_sha256"], came_out["messages"], run.steps, problems, came_out, codes, run.refused
        )


def prepare() -> None:
    """Let processes start from one that has everything imported: 7 of them a run, for hundreds of runs."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [
            "tui.cli.commands.clock",
            "tui.cli.commands.host",
            "tui.cli.options",
            "tui.cli.simulate",
            "scenarios.deployment.results_file",
        ]
    )


def main() -> int:
    """Run many seeds; exit with 1 if any ledger differs."""
    seeds = seeds_wanted(__doc__, 200)
    prepare()
    # The watching process logs every broken connection; only differences are of interest here.
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    houses = tuple(house.id for house in load_scenario(seeds.scenario).houses if house.devices)
    undisturbed: dict[tuple[SupplyRule, str], Result] = {}
    for supply, promise in RULES:
        calm = asyncio.run(run_disturbed(seeds.scenario, houses, Disturbance(), 0, supply=supply, promise=promise))
        what = f"undisturbed, {supply}, promises {promise}: {calm.ledger_sha256}, {calm.steps} steps"
        print(what, *calm.problems, sep="\n", flush=True)
        undisturbed[supply, promise] = calm

    def problems_of(seed: int) -> tuple[str, ...]:
        # Kinds of faults come in turn, so that the rule of supply is drawn.
        supply, promise = Random(f"supply {seed}").choice(RULES)
        calm = undisturbed[supply, promise]
        disturbance = Disturbance.draw(seed, houses, calm.steps)
        result = asyncio.run(run_disturbed(seeds.scenario, houses, disturbance, seed, supply=supply, promise=promise))
        came_to = f"{result.ledger_sha256}, {result.messages} messages, {disturbance}"
        is_same = (result.ledger_sha256, result.messages) == (calm.ledger_sha256, calm.messages)
        return (came_to, *result.problems) if result.problems or not is_same else ()

    return seeds.run(problems_of, target="faults", progress_every=10)


if __name__ == "__main__":
    sys.exit(main())
