"""Schedulers and consumer strategies of other packages, chosen by name: the examples exactly as in the docs."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agents.errors import SettingsError
from agents.model import MANAGER
from agents.plugins import AGENTS, SCHEDULERS, load_plugin, plugins
from agents.ranking import NEGOTIATIONS, RANKINGS, NegotiationSettings, ranking_for
from agents.scheduling import AlgorithmSettings
from broker.errors import AgentFailedError, HostRefusedError, PluginError, SsmicError
from broker.protocol.retry_timeouts import Timeouts
from broker.transport.memory import MemoryBroker
from scenarios.events import SwitchStrategy, TimelineEvent
from scenarios.scenario import ProducerSeries, Scenario
from scenarios.simulation.agent_limits import most_rounds, most_timers
from scenarios.simulation.outcome import RunOutcome
from scenarios.simulation.run import run_hosts, run_scenario
from scenarios.simulation.settings import RunSettings
from tests.ended import Ssmic
from tests.integration.conftest import PROJECT
from tests.scenarios.neighbourhoods import START_S, forecast, job, load, neighbourhood, sun
from tests.virtual_time import new_virtual_loop
from tui.cli.settings import plugins_without_effect, with_strategy

EXAMPLE = PROJECT / "examples" / "plugins"


def installed(folder: Path) -> str:
    """Return a PYTHONPATH on which the example is installed, as pip would leave it."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    info = folder / "ssmic_example_plugins-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return f"{PROJECT}:{EXAMPLE}:{folder}"


@pytest.mark.long
def test_a_scheduler_and_a_strategy_of_another_package_run_and_repeat(ssmic: Ssmic, tmp_path: Path) -> None:
    """They change the contracts, runs are reproducible, and the results name them."""
    path = installed(tmp_path)
    run = ("run", "street", "--bus", "memory", "--reset-scores", "--json")
    chosen = ("--algorithm", "latest", "--strategy", "own-house-first")
    ours = json.loads(ssmic(*run, PYTHONPATH=path).out)
    first, second = (json.loads(ssmic(*run, *chosen, PYTHONPATH=path).out) for _ in range(2))
    assert first["algorithm"] == "latest"
    hashes = [simulation["runs"][0]["ledger_sha256"] for simulation in (ours, first, second)]
    assert hashes[0] != hashes[1] == hashes[2]


def test_a_missing_plugin_is_named_with_the_installed_ones(ssmic: Ssmic, tmp_path: Path) -> None:
    """Wrong usage, in one line."""
    path = installed(tmp_path)
    ended = ssmic("run", "street", "--strategy", "nobodys", PYTHONPATH=path)
    assert (ended.code, "own-house-first" in ended.err) == (2, True)
    ended = ssmic("run", "street", "--algorithm", "earliest", PYTHONPATH=path)
    assert (ended.code, "latest" in ended.err) == (2, True)


@pytest.fixture(autouse=True)
def forgotten_plugins() -> Iterator[None]:
    """Have other tests look for plug-ins again: those of these tests are gone."""
    yield
    plugins.cache_clear()


WAKING = """
from agents import Consumer


class Wakes(Consumer):
    wakes_every_s = {every_s}

    async def run(self):
        self.spawn(self._look_around(), "look around")
        await super().run()

    async def _look_around(self):
        while True:
            await self.until(self.now_s + {every_s})
"""


def waking(folder: Path, monkeypatch: pytest.MonkeyPatch, every_s: float) -> Scenario:
    """Return a neighbourhood whose consumers wake all the time, by a plug-in that is installed in this process."""
    (folder / "waking_plugin.py").write_text(WAKING.format(every_s=every_s))
    info = folder / "waking_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: waking-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ssmic.agents]\nwakes = waking_plugin:Wakes\n")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "waking_plugin", raising=False)
    plugins.cache_clear()
    houses = {"a": {"pv": forecast(sun((0, 0.0), (3600, 900.0)))}, "b": {}}
    window_s = (0, 120)
    jobs = [job(f"{house}'s", house, load((0, 0.0), (300, 30.0)), window_s) for house in houses]
    return replace(neighbourhood(houses, jobs), strategy="wakes")


def run_deployed(scenario: Scenario) -> RunOutcome:
    """Run a scenario whose households have separate hosts, each with its own part of the scenario."""
    settings = RunSettings(1, "waking", patience=Timeouts(limit_wall_s=60.0))

    async def main() -> RunOutcome:
        broker = MemoryBroker()
        async with asyncio.TaskGroup() as tasks:
            for house in (house.id for house in scenario.houses):
                tasks.create_task(run_hosts(scenario.part_of([house]), settings, broker, [house]))
            return await run_scenario(scenario, replace(settings, on_loss="drop"), broker, [MANAGER])

    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        return runner.run(main())


def test_a_strategy_may_wake_in_every_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deployed or not, its household stays in the run, which ends with its last job."""
    scenario = waking(tmp_path, monkeypatch, 1)
    outcome = run_deployed(scenario)
    assert (outcome.state, outcome.without) == ("done", ())
    assert outcome.rounds > 420
    assert outcome.end_s == START_S + 300
    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        alone = runner.run(run_scenario(scenario, RunSettings(1, "waking"), MemoryBroker()))
    assert (alone.ledger, alone.end_s) == (outcome.ledger, outcome.end_s)


@pytest.mark.parametrize(("every_s", "timers"), [(1, 420), (60, 8), (600, 7)])
def test_a_strategy_says_how_often_it_wakes_so_that_a_liar_delays_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every_s: int, timers: int
) -> None:
    """A household that sets more timers than its plug-in needs is quarantined; so is one that prolongs the run."""
    scenario = waking(tmp_path, monkeypatch, every_s)
    places = {house.id: [house.id] for house in scenario.houses}
    assert set(most_timers(scenario, places, None).values()) == {200 + timers + 50, 200 + timers + 100}
    ours = replace(scenario, strategy="")
    assert (most_rounds(scenario) or 0) - (most_rounds(ours) or 0) <= 10 * 420


def test_a_strategy_that_wakes_every_half_second_is_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Virtual time has whole seconds."""
    scenario = waking(tmp_path, monkeypatch, 0.5)
    with pytest.raises(SettingsError, match=r"plug-in 'wakes' \(waking_plugin:Wakes\): wakes_every_s: expected"):
        load_plugin(AGENTS, scenario.strategy)


TAKING_TURNS = """
from agents import Consumer


class TakesTurns(Consumer):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.asked = 0
        self.news = self.channel()

    def rank(self, job, producers):
        self.asked += 1
        return sorted(producers, reverse=self.asked % 2 == 0)


class LastFirst(Consumer):
    def rank(self, job, producers):
        assert not hasattr(self, "asked")
        return sorted(producers, reverse=True)


class OwnRoofFirst(Consumer):
    def rank(self, job, producers):
        return sorted(producers, key=lambda producer: producer != f"pv-{job.house}")


class Idle(Consumer):
    async def run(self):
        pass


def no_class():
    pass
"""


@pytest.fixture
def taking_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have strategies installed that ask producers in the order of their names, or the other way round."""
    (tmp_path / "turns_plugin.py").write_text(TAKING_TURNS)
    info = tmp_path / "turns_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: turns-plugin\nVersion: 1.0\n")
    names = {
        "turns": "TakesTurns",
        "last-first": "LastFirst",
        "own-roof": "OwnRoofFirst",
        "idle": "Idle",
        "no-class": "no_class",
    }
    points = "\n".join(f"{name} = turns_plugin:{what}" for name, what in names.items())
    (info / "entry_points.txt").write_text(f"[ssmic.agents]\n{points}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "turns_plugin", raising=False)
    plugins.cache_clear()


@pytest.mark.usefixtures("taking_turns")
def test_an_event_changes_the_strategy() -> None:
    """From then on, in some houses; a strategy that returns starts afresh. The same holds in a deployment."""
    plenty = forecast(sun((0, 0.0), (20 * 3600, 90_000.0)))
    houses = {"a": {"pv-a": plenty}, "b": {"pv-b": plenty}}
    jobs = [
        job(f"{house}{hour}", house, load((0, 0.0), (300, 30.0)), (hour * 3600, hour * 3600 + 600)).model_copy(
            update={"registered_s": START_S + hour * 3600}
        )
        for house in houses
        for hour in range(5)
    ]
    changes = [(1, "last-first", ("a",)), (2, "turns", ("a",)), (4, "", ("a", "b"))]
    events = tuple(
        TimelineEvent(at_s=START_S + hour * 3600 + 1800, action=SwitchStrategy(houses=at, strategy=strategy))
        for hour, strategy, at in changes
    )
    scenario = replace(neighbourhood(houses, jobs), strategy="turns", timeline=events)
    outcome = run_deployed(scenario)
    suppliers = {entry.contract.job_id: entry.contract.producer for entry in outcome.ledger}
    assert [suppliers[f"a{hour}"] for hour in range(4)] == ["pv-a", "pv-b", "pv-b", "pv-a"]
    assert [suppliers[f"b{hour}"] for hour in range(4)] == ["pv-a", "pv-b", "pv-a", "pv-b"]
    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        alone = runner.run(run_scenario(scenario, RunSettings(1, "waking"), MemoryBroker()))
    assert alone.ledger == outcome.ledger


@pytest.mark.usefixtures("taking_turns")
@pytest.mark.parametrize("negotiation", NEGOTIATIONS)
def test_a_strategy_orders_all_producers_that_a_job_may_ask(negotiation: str) -> None:
    """The manager names them in portions; so each job finds its own roof, and makes the contract of that ranking."""
    plenty, none = forecast(sun((0, 0.0), (20 * 3600, 90_000.0))), forecast(sun((0, 0.0), (3600, 1.0)))
    houses = {house: {f"pv-{house}": none if house in "ad" else plenty} for house in "abcdefghij"}
    jobs = [job(house, house, load((0, 0.0), (300, 30.0)), (0, 3600)) for house in "cefgj"]
    scenario = neighbourhood(houses, jobs)
    ledgers = []
    for strategy, ranking in (("own-roof", "scores"), ("", "own-roof")):
        settings = replace(
            RunSettings(1, "order"), negotiating=NegotiationSettings(negotiation=negotiation, ranking=ranking)
        )
        with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
            outcome = runner.run(run_scenario(replace(scenario, strategy=strategy), settings, MemoryBroker()))
        ledgers.append(outcome.ledger)
    assert {entry.contract.job_id: entry.contract.producer for entry in ledgers[0]} == {
        house: f"pv-{house}" for house in "cefgj"
    }
    assert ledgers[0] == ledgers[1]


@pytest.mark.usefixtures("taking_turns")
def test_a_strategy_that_replaces_what_a_consumer_does_is_named() -> None:
    """Its `run` did not call the one of `Consumer`; the ledger without contracts looked like a defect of ours."""
    scenario = neighbourhood(
        {"a": {"pv": forecast(sun((0, 0.0), (7200, 9000.0)))}}, [job("one", "a", load((0, 0.0), (300, 30.0)))]
    )
    running = run_scenario(replace(scenario, strategy="idle"), RunSettings(1, "idle"), MemoryBroker())
    expected = r"violates an invariant, with consumers of plug-in 'idle' \(turns_plugin:Idle\):\njob 'one' has 0"
    with asyncio.Runner(loop_factory=new_virtual_loop) as runner, pytest.raises(SsmicError, match=expected):
        runner.run(running)


@pytest.mark.usefixtures("taking_turns")
def test_a_strategy_that_is_not_a_consumer_is_a_mistake() -> None:
    """It is named before the run begins."""
    with pytest.raises(SettingsError, match=r"plug-in 'no-class' \(turns_plugin:no_class\): expected a subclass"):
        load_plugin(AGENTS, "no-class")


@pytest.mark.long
def test_a_scenario_changes_the_strategy_and_names_one_that_is_not_there(ssmic: Ssmic, tmp_path: Path) -> None:
    """As a user writes it, with a suggestion for a name that is misspelt."""
    path = installed(tmp_path)
    scarce = ssmic("scenarios", "show", "scarce").out
    changed = tmp_path / "changed.yaml"
    changed.write_text(f'{scarce}\ntimeline:\n  - {{at: "08:00", do: strategy, strategy: own-house-first}}\n')
    run = ("run", "--bus", "memory", "--reset-scores", "--json")
    ours, first, second = (
        json.loads(ssmic(*run, str(file), PYTHONPATH=path).out)["runs"][0]["ledger_sha256"]
        for file in ("scarce", changed, changed)
    )
    assert ours != first == second
    changed.write_text(changed.read_text().replace("own-house-first", "own-house-frist"))
    ended = ssmic("check", str(changed), PYTHONPATH=path)
    assert (ended.code, "there is no strategy 'own-house-frist'; did you mean 'own-house-first'?" in ended.err) == (
        3,
        True,
    )


PRINTING = """
from agents import Consumer
from agents.scheduling import Insertion

print("imported")


class Prints(Insertion):
    def __init__(self):
        print("made")

    def place(self, state, task, rng):
        print("placing")
        return super().place(state, task, rng)


class PrintsToo(Consumer):
    def __init__(self, *args, **kwargs):
        print("born")
        super().__init__(*args, **kwargs)
"""


@pytest.mark.long
def test_what_a_plugin_prints_goes_to_standard_error(ssmic: Ssmic, tmp_path: Path) -> None:
    """So `--json` prints one JSON object."""
    info = tmp_path / "printing-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: printing\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[ssmic.schedulers]\nprints = printing:Prints\n[ssmic.agents]\nprints = printing:PrintsToo\n"
    )
    (tmp_path / "printing.py").write_text(PRINTING)
    chosen = ("--algorithm", "prints", "--strategy", "prints")
    ended = ssmic("run", "street", "--bus", "memory", *chosen, "--json", PYTHONPATH=f"{PROJECT}:{tmp_path}")
    assert json.loads(ended.out)["algorithm"] == "prints"
    assert {"imported", "made", "placing", "born"} <= set(ended.err.splitlines())


BROKEN = """
class NotOne:
    pass


def needs_more(state):
    return state
"""


@pytest.mark.long
def test_a_plugin_that_cannot_be_used_is_named_before_the_run(ssmic: Ssmic, tmp_path: Path) -> None:
    """Whether it is missing, cannot be loaded, or makes no scheduler; nothing is written."""
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    names = {"gone": "nothing_here", "not-one": "NotOne", "needs-more": "needs_more"}
    points = "".join(f"{name} = broken_plugins:{value}\n" for name, value in names.items())
    (info / "entry_points.txt").write_text(
        f"[ssmic.schedulers]\n{points}[ssmic.agents]\nmine = broken_plugins:NotOne\n"
    )
    (tmp_path / "broken_plugins.py").write_text(BROKEN)
    path = f"{PROJECT}:{tmp_path}"
    expected = {
        "gone": "plug-in 'gone' (broken_plugins:nothing_here) cannot be loaded: AttributeError",
        "not-one": "plug-in 'not-one' (broken_plugins:NotOne): expected a scheduler, with the method 'place'",
        "needs-more": "plug-in 'needs-more' (broken_plugins:needs_more) cannot make a scheduler: TypeError",
    }
    for name, problem in expected.items():
        ended = ssmic("run", "street", "--algorithm", name, PYTHONPATH=path)
        assert (ended.code, problem in ended.err) == (2, True), ended.err
        assert not (tmp_path / "results").exists()
    ended = ssmic("run", "street", "--ranking", "gone", PYTHONPATH=path)
    assert (ended.code, ended.err.count("\n")) == (2, 1), ended.err
    assert ended.err.startswith("ssmic: unknown ranking 'gone': expected one of scores, own-roof")
    text = (PROJECT / "scenarios" / "bundled" / "street.yaml").read_text(encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(text.replace("algorithm: insertion", "algorithm: gon\nstrategy: mne", 1))
    ended = ssmic("check", "mine.yaml", PYTHONPATH=path)
    assert ended.code == 3
    assert "algorithm: there is no algorithm 'gon'; did you mean 'gone'?" in ended.err
    assert "strategy: there is no strategy 'mne'; did you mean 'mine'?" in ended.err


FAULTY = """
import asyncio; import numpy as np
from agents.messages import Withdraw
from agents import Consumer
from agents.scheduling import Insertion, Rejection, Replanning, Schedule


class Raises(Insertion):
    def place(self, state, task, rng):
        raise KeyError("roof")


class TakesTooMuch(Insertion):
    def place(self, state):
        return None


class ReturnsNothing(Insertion):
    def place(self, state, task, rng):
        return None


class TooLate(Insertion):
    def place(self, state, task, rng):
        return Schedule({task.job_id: task.latest_start_s + 60})


class NoRoom(Insertion):
    def place(self, state, task, rng):
        return Rejection("not today")

    def have_room(self, state, tasks):
        return None


class CannotReplan(Insertion):
    def replan(self, state):
        raise SystemExit("bye")


class Unsure(Consumer):
    def rank(self, job, producers):
        raise ValueError("no\\nidea")


class OwnOnly(Consumer):
    def rank(self, job, producers):
        return [producer for producer in producers if producer == "pv"]


class Unborn(Consumer):
    def __init__(self, *args, **kwargs):
        pass


class NeedsMore(Consumer):
    def __init__(self, agent_id, jobs, price):
        super().__init__(agent_id, jobs, patient=True)


class Restless(Consumer):
    async def run(self):
        raise OSError("no price today")


class Guess:
    def keys(self, question):
        return np.zeros((len(question.producers), 2))

    def learn(self, consumer, producer):
        pass


class Forgets:
    def keys(self, question):
        return None

    def learn(self, consumer, producer):
        raise ValueError("full")


class Shapeless:
    pass


class Gathers(Consumer):
    async def run(self):
        await asyncio.gather(super().run(), self.until(self.now_s + 60))


class MakesTask(Consumer):
    async def run(self):
        self.mine = asyncio.create_task(self.until(self.now_s + 60))
        await super().run()


async def fail_later():
    for _ in range(3):
        await asyncio.sleep(0)
    return 1 / 0


class TaskRaises(Consumer):
    async def run(self):
        asyncio.create_task(fail_later())
        await super().run()


class KeepsTask(Consumer):
    async def run(self):
        self.mine = asyncio.create_task(fail_later())
        await super().run()


class CatchesTask(Consumer):
    async def run(self):
        failed = await asyncio.gather(fail_later(), fail_later(), return_exceptions=True)
        assert [type(error) for error in failed] == [ZeroDivisionError] * 2
        await super().run()


class Exits(Consumer):
    async def run(self):
        raise SystemExit(0)


class Cancelled(Consumer):
    async def run(self):
        self.spawn(self.give_up(), "giving up")
        await super().run()

    async def give_up(self):
        raise asyncio.CancelledError


class CancelsItself(Consumer):
    async def run(self):
        asyncio.current_task().cancel()
        await super().run()


class Groups(Consumer):
    async def run(self):
        raise BaseExceptionGroup("both", [GeneratorExit(), ValueError()])


class RunsDry(Consumer):
    async def run(self):
        next(iter(()))


class NoCoroutine(Consumer):
    def run(self):
        self.spawn(self.until, "waiting")


class RunsNothing(Consumer):
    def run(self):
        pass


class Mourns(Consumer):
    def on_lost(self, agents):
        raise LookupError(f"where are {len(agents)} agents?")


class SaysNothing(Consumer):
    async def run(self):
        self.publish("one", None)


class Clears:
    def keys(self, question):
        question.producers.clear()

    def learn(self, consumer, producer):
        pass


class Moves:
    def keys(self, question):
        question.places.house_of["pv-b"] = question.house

    def learn(self, consumer, producer):
        pass


class Ghost(Insertion):
    def place(self, state, task, rng):
        return Schedule({task.job_id: task.earliest_start_s, "ghost": state.now_s})


class GhostMoves(Insertion):
    def replan(self, state):
        return Replanning({**{c.task.job_id: c.start_s for c in state.committed}, "ghost": state.now_s}, {})


class MovesCancelled(Insertion):
    def replan(self, state):
        return Replanning({c.task.job_id: c.start_s for c in state.committed}, {"one": "rain"})


class CancelsGhost(Insertion):
    def replan(self, state):
        return Replanning({c.task.job_id: c.start_s for c in state.committed}, {"ghost": "rain", 7: "rain"})


class ListOfStarts(Insertion):
    def place(self, state, task, rng):
        return Schedule([task.earliest_start_s])


class ListOfCancelled(Insertion):
    def replan(self, state):
        return Replanning({c.task.job_id: c.start_s for c in state.committed}, [])


class Perhaps(NoRoom):
    def have_room(self, state, tasks):
        return ["no" for _ in tasks]


class Empties(NoRoom):
    def have_room(self, state, tasks):
        tasks.clear()
        return []


class DoublesLoad(Insertion):
    def place(self, state, task, rng):
        task.load.cumulative_array[:] *= 2


class DoublesSun(Insertion):
    def place(self, state, task, rng):
        state.production.cumulative_wh[:] *= 2


class StartsOfNumPy(Insertion):
    def place(self, state, task, rng):
        return Schedule({task.job_id: np.int64(task.earliest_start_s)})


class Speechless(Exception):
    def __str__(self):
        raise RuntimeError


class CannotSayWhy(Insertion):
    def place(self, state, task, rng):
        raise Speechless


class Cancels(Insertion):
    def place(self, state, task, rng):
        raise asyncio.CancelledError


class HeavyCancels(Cancels):
    is_heavy = True


class HalfACharacter(Insertion):
    def place(self, state, task, rng):
        return Rejection("no \\ud83d")


class Lists(Consumer):
    def rank(self, job, producers):
        return [[producer] for producer in producers]


class SaysText(Consumer):
    async def run(self):
        self.send("manager", "hello")


class Unaddressed(Consumer):
    async def run(self):
        self.send(None, Withdraw(job_id="one"))


class Huge:
    def keys(self, question):
        return [10**400 for _ in question.producers]

    def learn(self, consumer, producer):
        pass


class Unsettled(Insertion):
    @property
    def is_heavy(self):
        raise ValueError("who knows")


class Unready(Insertion):
    @property
    def have_room(self):
        raise OSError("no room yet")


class Stillborn(Insertion):
    def __init__(self):
        raise asyncio.CancelledError


class Stops(Consumer):
    async def run(self):
        self.spawn(self.until(self.now_s + 1), "another")
        await self.until(self.now_s + 1)
        raise asyncio.CancelledError
"""
FAULTS = {
    SCHEDULERS: {
        "Raises": r" failed in place: KeyError: 'roof' \(faulty_plugin.py, line 10\)",
        "TakesTooMuch": r" failed in place: TypeError: TakesTooMuch.place\(\) takes 2",
        "ReturnsNothing": ": place returned a NoneType: expected a Schedule or a Rejection",
        "TooLate": ": place returned [0-9]+ as the start of job 'one', which cannot start then",
        "StartsOfNumPy": r": place returned np.int64.* as the start of job 'one': expected UNIX seconds as an int",
        "NoRoom": ": have_room returned a NoneType: expected a list of 1, one for each task",
        "CannotReplan": " failed in replan: SystemExit: bye",
        "Ghost": ": place returned a start for job 'ghost', which needs none",
        "GhostMoves": ": replan returned a start for job 'ghost', which needs none",
        "MovesCancelled": ": replan returned a start for job 'one', which needs none",
        "CancelsGhost": ": replan returned a cancellation of job 'ghost', which the producer does not supply",
        "ListOfStarts": ": place returned a list as starts: expected a mapping, by job id",
        "ListOfCancelled": ": replan returned a list as cancelled jobs: expected a mapping, by job id",
        "Perhaps": ": have_room returned 'no' for a task: expected True or False",
        "Empties": " failed in have_room: AttributeError: 'tuple' object has no attribute 'clear'",
        "DoublesLoad": " failed in place: ValueError: .*read-only",
        "DoublesSun": " failed in place: ValueError: .*read-only",
        "CannotSayWhy": r" failed in place: Speechless: its text cannot be shown \(RuntimeError\) \(faulty",
        "Cancels": " failed in place: CancelledError: ",
        "HeavyCancels": " failed in place: CancelledError: ",
        "HalfACharacter": r": place returned 'no \\ud83d' as a reason: expected a string without half a surrogate",
    },
    AGENTS: {
        "Unsure": r" failed in rank: ValueError: no\\nidea \(faulty_plugin.py, line 43\)",
        "OwnOnly": r": rank returned \['pv'\]: expected the ids that it was given, each of them once",
        "Lists": r": rank returned \[\['pv'\], .*: expected the ids that it was given, each of them once",
        "SaysText": r" failed: TypeError: send\('manager', 'hello'\): expected .* a message \(faulty_plugin",
        "Unaddressed": r" failed: TypeError: send\(None, Withdraw.*: expected an agent's id and",
        "Gathers": r": a coroutine is waiting that the agent did not start: start it with `self.spawn`",
        "MakesTask": r": a coroutine is waiting that the agent did not start: start it with `self.spawn`",
        "TaskRaises": r" failed: ZeroDivisionError: division by zero \(faulty_plugin.py, line 100\)",
        "KeepsTask": r" failed: ZeroDivisionError: division by zero \(faulty_plugin.py, line 100\)",
        "Exits": r" failed: SystemExit: 0 \(faulty_plugin.py, line 124\)",
        "Cancelled": r" failed: CancelledError:  \(faulty_plugin.py, line 133\)",
        "CancelsItself": r": one of its coroutines was cancelled while the run goes on",
        "Stops": r" failed: CancelledError:  \(faulty_plugin.py, line 312\)",
        "Groups": r" failed: BaseExceptionGroup: both \(2 sub-exceptions\) \(faulty_plugin.py, line 144\)",
        "RunsDry": r" failed: StopIteration:  \(faulty_plugin.py, line 149\)",
        "NoCoroutine": r" failed: TypeError: spawn\(<bound method.*: expected a coroutine, .* line 154\)",
        "RunsNothing": ": run returned None: expected a coroutine, as an `async def` does",
        "SaysNothing": r" failed: TypeError: publish\('one', None\): expected a name and a message \(faulty_",
        "Restless": r" failed: OSError: no price today \(faulty_plugin.py, line 63\)",
    },
    RANKINGS: {
        "Guess": r": keys returned array\(.*: expected 2 numbers, one for each producer, or None",
        "Huge": r": keys returned \[1000.*: expected 2 numbers, one for each producer, or None",
        "Forgets": " failed in learn: ValueError: full",
        "Clears": " failed in keys: AttributeError: 'tuple' object has no attribute 'clear'",
        "Moves": " failed in keys: TypeError: 'mappingproxy' object does not support item assignment",
    },
}


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have plug-ins installed that fail, or return what they must not; one has the name of another package's."""
    (tmp_path / "faulty_plugin.py").write_text(FAULTY)
    groups = {group: [*names] for group, names in FAULTS.items()}
    groups[AGENTS] += ["Unborn", "NeedsMore", "CatchesTask", "Mourns"]
    groups[RANKINGS] += ["Shapeless"]
    groups[SCHEDULERS] += ["Twice", "Unsettled", "Unready", "Stillborn"]
    for package, provided in (("faulty-plugin", groups), ("other", {SCHEDULERS: ["Twice"]})):
        info = tmp_path / f"{package.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        module = "faulty_plugin" if package == "faulty-plugin" else "other_module"
        points = [
            f"[{group}]\n" + "".join(f"{name} = {module}:{name}\n" for name in names)
            for group, names in provided.items()
        ]
        (info / "entry_points.txt").write_text("\n".join(points))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "faulty_plugin", raising=False)
    plugins.cache_clear()


def run_with(group: str, name: str) -> None:
    """Run a job with one plug-in; a producer gets a second forecast."""
    poor = sun((0, 0.0), (3600, 900.0))
    first, second = (forecast(poor, START_S + at_s).predictions[0] for at_s in (0, 60))
    houses = {"a": {"pv": ProducerSeries(predictions=(first, second))}, "b": {"pv-b": forecast(poor)}}
    jobs = [job("one", "a", load((0, 0.0), (300, 30.0)), (300, 1200))]
    scenario = replace(neighbourhood(houses, jobs), strategy=name if group == AGENTS else "")
    settings = RunSettings(
        1,
        "faulty",
        algorithm=AlgorithmSettings(name) if group == SCHEDULERS else AlgorithmSettings(),
        negotiating=NegotiationSettings(ranking=name) if group == RANKINGS else NegotiationSettings(),
    )
    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        runner.run(run_scenario(scenario, settings, MemoryBroker()))


@pytest.mark.usefixtures("faulty")
@pytest.mark.parametrize(
    ("group", "name", "problem"),
    [(group, name, problem) for group, faults in FAULTS.items() for name, problem in faults.items()],
)
def test_a_plugin_that_fails_during_a_run_is_named_in_one_line(group: str, name: str, problem: str) -> None:
    """With what it did, and where; no traceback of ours."""
    with pytest.raises(AgentFailedError) as caught:
        run_with(group, name)
    expected = rf"agent '\S+' on host '\S+' failed: plug-in '{name}' \(faulty_plugin:{name}\){problem}.*"
    assert re.fullmatch(expected, str(caught.value)), caught.value


@pytest.mark.usefixtures("faulty")
def test_a_strategy_that_fails_when_a_household_is_lost_is_named() -> None:
    """Its household leaves the run in order, as after any other failure; its process ended in the middle of a round."""
    poor = forecast(sun((0, 0.0), (3600, 900.0)))
    jobs = [job("one", "a", load((0, 0.0), (300, 30.0)), (300, 1200))]
    scenario = replace(neighbourhood({"a": {"pv": poor}, "b": {"pv-b": poor}}, jobs), strategy="Mourns")
    settings = RunSettings(1, "mourning", patience=Timeouts(limit_wall_s=5.0), on_loss="drop")

    async def main() -> RunOutcome:
        broker = MemoryBroker()
        household = asyncio.create_task(run_hosts(scenario.part_of(["a"]), settings, broker, ["a"]))
        outcome = await run_scenario(scenario, settings, broker, [MANAGER])
        with pytest.raises(HostRefusedError, match=r"quarantined: .*plug-in 'Mourns' .* failed: LookupError: "):
            await household
        return outcome

    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        assert [host.host for host in runner.run(main()).without] == ["a", "b"]


@pytest.mark.usefixtures("faulty")
def test_a_strategy_may_catch_what_its_tasks_raise() -> None:
    """The run goes on to its end."""
    run_with(AGENTS, "CatchesTask")


@pytest.mark.usefixtures("faulty")
def test_a_plugin_that_cannot_be_made_is_named() -> None:
    """So is one whose name two packages use, and a ranking that lacks a ranking's methods."""
    with pytest.raises(
        PluginError, match=r"plug-in 'Unborn' \(faulty_plugin:Unborn\): its __init__ does not call that"
    ):
        run_with(AGENTS, "Unborn")
    with pytest.raises(SettingsError, match=r"plug-in 'Shapeless' \(faulty_plugin:Shapeless\): expected a ranking"):
        ranking_for("Shapeless")
    for name, problem in {
        "Unsettled": "failed in is_heavy: ValueError: who knows",
        "Unready": "failed in have_room: OSError: no room yet",
        "Stillborn": "cannot make a scheduler: CancelledError: ; expected a class or function without arguments",
    }.items():
        with pytest.raises(SettingsError, match=rf"plug-in '{name}' \(faulty_plugin:{name}\) {problem}"):
            run_with(SCHEDULERS, name)
    twice = "2 plug-ins 'Twice' of ssmic.schedulers: faulty_plugin:Twice of package faulty-plugin; other_module:Twice"
    with pytest.raises(SettingsError, match=twice):
        load_plugin(SCHEDULERS, "Twice")


@pytest.mark.usefixtures("faulty")
@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("NeedsMore", r"failed in __init__: TypeError: .*unexpected keyword argument 'patient'"),
        ("Unborn", "its __init__ does not call that of agents.Consumer"),
    ],
)
def test_a_strategy_that_makes_no_consumer_is_refused_before_the_run(name: str, problem: str) -> None:
    """Also one that only an event of the timeline chooses."""
    jobs = [job("one", "a", load((0, 0.0), (300, 30.0)), (300, 1200))]
    scenario = neighbourhood({"a": {"pv": forecast(sun((0, 0.0), (3600, 900.0)))}}, jobs)
    with pytest.raises(SettingsError, match=rf"plug-in '{name}' \(faulty_plugin:{name}\):? {problem}"):
        with_strategy(scenario, name)
    event = TimelineEvent(at_s=START_S + 60, action=SwitchStrategy(houses=("a",), strategy=name))
    with pytest.raises(SettingsError, match=problem):
        with_strategy(replace(scenario, timeline=(event,)), None)


@pytest.mark.usefixtures("faulty")
def test_a_plugin_with_the_name_of_a_built_in_algorithm_is_said_not_to_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The built-in one runs."""
    points = next(tmp_path.glob("other*/entry_points.txt"))
    points.write_text(
        "[ssmic.schedulers]\ninsertion = other_module:Mine\n[ssmic.rankings]\nprice = other_module:Mine\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    plugins.cache_clear()
    assert plugins_without_effect([AlgorithmSettings("insertion"), AlgorithmSettings("exact")], "price") == [
        "plug-in 'insertion' (other_module:Mine) is not used: a built-in algorithm has this name",
        "plug-in 'price' (other_module:Mine) is not used: a built-in ranking has this name",
    ]
