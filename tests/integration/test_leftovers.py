"""A run leaves nothing at a broker, however it ends; leftovers of others can be removed."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from agents.model import MANAGER
from broker.clock.pacing import Moment
from broker.protocol import topics
from broker.protocol.retry_timeouts import Timeouts
from broker.protocol.wire import Roster, TimeReport
from broker.servers.mosquitto import find_mosquitto
from broker.transport import MqttBroker
from broker.transport.base import Broker, Delivery
from broker.transport.memory import MemoryBroker
from scenarios.load import load_scenario
from scenarios.scenario import Scenario
from scenarios.simulation.run import RunCallbacks, run_hosts, run_scenario
from scenarios.simulation.settings import RunSettings
from tests.broker.hosts.test_sessions import quickly
from tests.ended import Ssmic
from tests.faults.network import Faults, FaultyBroker
from tests.integration.test_brokers import running, url_of
from tests.integration.test_ending_early import until
from tests.patience import PATIENCE_WALL_S

needs_mosquitto = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")

LAST = "ssmic/tests/last"
"""A topic of the tests' own, as long as those of a run, which a disturbed network takes apart."""


@pytest.fixture(scope="module")
def street() -> Scenario:
    """The bundled street."""
    return load_scenario("street")


async def retained(broker: Broker) -> dict[str, bytes]:
    """Return what a broker has stored, by topic; it sends all of that before what is published after subscribing."""
    found: dict[str, bytes] = {}
    async with asyncio.timeout(PATIENCE_WALL_S), broker.connect("looks") as bus:
        await bus.subscribe("#")
        await bus.publish(LAST, b"", qos=topics.QOS_AT_LEAST_ONCE)
        async for item in bus.messages():
            if isinstance(item, Delivery) and item.topic == LAST:
                break
            if isinstance(item, Delivery) and item.retain:
                found[item.topic] = item.payload
    return found


def test_a_run_that_ends_leaves_nothing_and_a_watcher_sees_its_end(street: Scenario) -> None:
    """Time and roster say that it has ended before they go."""

    async def main() -> None:
        broker = MemoryBroker()
        async with broker.connect("watcher") as bus:
            await bus.subscribe(topics.time("r"), topics.roster("r"))
            await run_scenario(street, RunSettings(seed=1, run_id="r"), broker)
            assert await retained(broker) == {}
            last: dict[str, list[bytes]] = {}
            while not all(last.get(topic, [b"?"])[-1] == b"" for topic in (topics.time("r"), topics.roster("r"))):
                item = await anext(bus.messages())
                assert isinstance(item, Delivery)
                last.setdefault(item.topic, []).append(item.payload)
        assert TimeReport.model_validate_json(last[topics.time("r")][-2]).state == "ended"
        assert Roster.model_validate_json(last[topics.roster("r")][-2]).ended

    quickly(main())


def test_a_run_that_keeps_leaves_all_for_watchers(street: Scenario) -> None:
    """With `--keep`, the ledger, the forecasts and the clock's last report remain."""

    async def main() -> None:
        broker = MemoryBroker()
        outcome = await run_scenario(street, RunSettings(seed=1, run_id="r", keep=True), broker)
        kinds = [topic.split("/")[2] for topic in await retained(broker)]
        assert kinds.count("ledger") == len(outcome.ledger)
        assert set(kinds) == {"ledger", "forecast", "time", "roster"}

    quickly(main())


@pytest.mark.parametrize("how", ["interrupted", "failed"])
def test_a_run_that_does_not_end_well_leaves_nothing(street: Scenario, how: str) -> None:
    """Neither the clock nor any host leaves retained messages."""

    async def main() -> None:
        broker = MemoryBroker()

        def end(moment: Moment) -> None:
            if moment.step == 100:
                if how == "failed":
                    raise ZeroDivisionError
                run.cancel()

        run = asyncio.ensure_future(
            run_scenario(street, RunSettings(seed=1, run_id="r"), broker, callbacks=RunCallbacks(on_moment=end))
        )
        await asyncio.wait([run])
        assert run.cancelled() or isinstance(run.exception(), ZeroDivisionError)
        assert await retained(broker) == {}

    quickly(main())


def test_a_run_that_is_interrupted_while_it_waits_for_hosts_leaves_nothing(street: Scenario) -> None:
    """No session is in a roster yet, and all retained messages belong to the waiting processes."""
    houses = [house.id for house in street.houses if house.devices]
    settings = RunSettings(seed=1, run_id="r", patience=Timeouts(limit_wall_s=1e6))

    async def main() -> None:
        broker = MemoryBroker()
        waiting = [
            asyncio.ensure_future(run_scenario(street, settings, broker, [MANAGER])),
            *(asyncio.ensure_future(run_hosts(street, settings, broker, [house])) for house in houses[1:]),
        ]
        await asyncio.sleep(1)
        kinds = {topic.split("/")[2] for topic in await retained(broker)}
        assert kinds == {"time", "roster", "hosts"}
        for life in waiting:
            life.cancel()
        await asyncio.wait(waiting)
        assert await retained(broker) == {}

    quickly(main())


@pytest.mark.long
def test_a_household_that_returns_after_the_end_learns_of_it(street: Scenario, tmp_path: Path) -> None:
    """It finds a roster with `ended`; nothing else remains, and it leaves nothing."""
    houses = [house.id for house in street.houses if house.devices]
    settings = RunSettings(seed=1, run_id="r", patience=Timeouts(limit_wall_s=1e6), journals=tmp_path / "calm")

    async def run(settings: RunSettings, kill_at_step: int | None) -> tuple[int, dict[str, bytes]]:
        network = FaultyBroker(MemoryBroker(), Faults(), 0)
        way = network.for_process()
        steps = 0

        def on_moment(moment: Moment) -> None:
            nonlocal steps
            steps = moment.step
            if moment.step == kill_at_step:
                way.crash()
                households[houses[0]].cancel()

        households = {
            house: asyncio.ensure_future(run_hosts(street, settings, way if house == houses[0] else network, [house]))
            for house in houses
        }
        await run_scenario(street, settings, network, [MANAGER], callbacks=RunCallbacks(on_moment=on_moment))
        await asyncio.wait(households.values())
        left = await retained(network)
        if kill_at_step is not None:
            assert topics.roster("r") in left
            await run_hosts(street, settings, network, [houses[0]])
            left = await retained(network)
        return steps, left

    last_step, left = quickly(run(settings, None))
    assert left == {}
    _, left = quickly(run(replace(settings, journals=tmp_path / "disturbed"), last_step))
    assert left.keys() == {topics.roster("r")}
    assert Roster.model_validate_json(left[topics.roster("r")]).ended


@pytest.mark.long
def test_a_household_that_returns_publishes_its_forecasts_again(street: Scenario, tmp_path: Path) -> None:
    """They were removed when it was interrupted."""
    houses = [house.id for house in street.houses if house.devices]
    settings = RunSettings(seed=1, run_id="r", patience=Timeouts(limit_wall_s=1e6), journals=tmp_path)

    async def main() -> list[bytes]:
        broker = MemoryBroker()
        lives = {house: asyncio.ensure_future(run_hosts(street, settings, broker, [house])) for house in houses}

        def on_moment(moment: Moment) -> None:
            if moment.step == 150:
                lives[houses[0]].cancel()

        async def come_back() -> None:
            await asyncio.wait([lives[houses[0]]])
            assert lives[houses[0]].cancelled()
            await run_hosts(street, settings, broker, [houses[0]])

        async with broker.connect("watcher") as bus, asyncio.TaskGroup() as tasks:
            await bus.subscribe(topics.forecast("r", houses[0], f"pv-{houses[0]}"))
            tasks.create_task(come_back())
            await run_scenario(street, settings, broker, [MANAGER], callbacks=RunCallbacks(on_moment=on_moment))
            await asyncio.wait(lives.values())
            heard: list[bytes] = []
            while heard.count(b"") < 2:
                item = await anext(bus.messages())
                assert isinstance(item, Delivery)
                heard.append(item.payload)
        assert await retained(broker) == {}
        return heard

    heard = quickly(main())
    interrupted = heard.index(b"")
    assert heard[interrupted + 1] == heard[interrupted - 1] != b""


@pytest.mark.long
@needs_mosquitto
def test_clean_removes_leftovers_of_dead_runs_and_skips_live_ones(ssmic: Ssmic, slow: Path) -> None:
    """It handles a killed run, a kept one and a live one; `--force` removes that too."""
    folder = slow.parent

    def topics_at(url: str) -> set[str]:
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            return set(runner.run(retained(MqttBroker(url))))

    def runs_at(url: str) -> set[str]:
        return {run for topic in topics_at(url) if (run := topics.run_of(topic)) is not None}

    with running(folder, "broker", "--engine", "mosquitto") as broker:
        url = url_of(broker)
        paced = ("run", str(slow), "--broker", url, "--pace", "60x", "--out")
        assert ssmic("broker", "clean", "--broker", url).out == f"Nothing is left at {url}\n"
        assert ssmic("run", slow, "--broker", url, "--keep").code == 0
        with running(folder, *paced, "killed.sqlite") as killed:
            until(lambda: len(runs_at(url)) == 2, "a second run")
            before = runs_at(url)
            killed.kill()
            killed.wait(PATIENCE_WALL_S)
        with running(folder, *paced, "alive.sqlite") as alive:
            until(lambda: len(runs_at(url)) == 3, "a third run")
            (live,) = runs_at(url) - before
            cleaned = ssmic("broker", "clean", "--broker", url, "--json")
            assert cleaned.code == 0
            runs = {run["run_id"]: run for run in cleaned.json["runs"]}
            assert len(runs) == 3
            assert [run_id for run_id, run in runs.items() if not run["removed"]] == [live]
            assert runs[live]["alive"]
            assert cleaned.json["topics_removed"] == sum(run["topics"] for run in runs.values() if run["removed"])
            assert runs_at(url) == {live}

            refused = ssmic("broker", "clean", "--broker", url, "--run", live)
            assert refused.code == 1
            assert "the run is active (connected hosts: 1, 2, manager)" in refused.err
            assert topics_at(url)
            alive.send_signal(signal.SIGSTOP)  # it goes on otherwise, and publishes its next report
            forced = ssmic("broker", "clean", "--broker", url, "--run", live, "--force")
            assert forced.code == 0
            assert f"{live}: " in forced.out
            assert topics_at(url) == set()
            alive.send_signal(signal.SIGINT)
            alive.send_signal(signal.SIGCONT)
            alive.communicate(timeout=PATIENCE_WALL_S)
        assert topics_at(url) == set()


def test_force_requires_a_run(ssmic: Ssmic) -> None:
    """So all live runs of a broker cannot be removed by mistake."""
    ended = ssmic("broker", "clean", "--broker", "mqtt://127.0.0.1:1", "--force")
    assert ended.code == 2
    assert "requires --run ID" in ended.err
