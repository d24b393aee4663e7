"""How long a run lasts for which no days are given."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from math import inf
from pathlib import Path

from agents import MANAGER
from broker.clock.pacing import Moment
from broker.protocol.retry_timeouts import Timeouts
from broker.transport.memory import MemoryBroker
from scenarios.deployment.results_file import open_record
from scenarios.devices.device_places import with_guests
from scenarios.load import load_scenario
from scenarios.results.reader import ResultsReader
from scenarios.scenario import Scenario
from scenarios.simulation import Plan, RunOutcome
from scenarios.simulation.run import RunCallbacks, run_hosts, run_scenario
from scenarios.simulation.settings import RunSettings
from tests.scenarios.timeline.two_roofs import SUN, TWO_ROOFS, scripted
from tests.virtual_time import new_virtual_loop


def test_a_run_with_real_devices_has_an_open_end_unless_days_are_given() -> None:
    """New devices may join at any time; a recorded session ends as it did."""
    street = load_scenario("street")
    with_devices = with_guests(street, 1)
    assert not Plan(street, (1,)).has_open_end
    assert Plan(with_devices, (1,)).has_open_end
    assert not Plan(with_devices, (1,), days=1).has_open_end
    assert not Plan(replace(with_devices, days=1), (1,)).has_open_end


def recorded(
    scenario: Scenario, folder: Path, *, is_deployed: bool, clock_ends_h: float = inf
) -> tuple[int, dict[str, float | None], int]:
    """Run a scenario; return the recorded end (hours from the start) and figures, and the end that the outcome says.

    The clock's process is shut down and started again when the run has reached `clock_ends_h`.
    """
    journals = folder / "journals" if clock_ends_h < inf else None
    settings = RunSettings(seed=1, run_id="r", patience=Timeouts(limit_wall_s=1e6), journals=journals)
    results_file = folder / f"{is_deployed} {clock_ends_h}.sqlite"

    async def run_until(broker: MemoryBroker, hours: float) -> asyncio.Task[RunOutcome]:
        def on_moment(moment: Moment) -> None:
            if moment.time_s >= scenario.start_s + hours * 3600:
                running.cancel()

        local, callbacks = [MANAGER] if is_deployed else None, RunCallbacks(on_moment=on_moment)
        with open_record(results_file, scenario, settings) as record:
            of_clock = run_scenario(scenario, settings, broker, local, record.writer, callbacks=callbacks)
            running = asyncio.create_task(of_clock)
            await asyncio.wait([running])
        return running

    async def main() -> int:
        broker = MemoryBroker()
        households = [
            asyncio.create_task(run_hosts(scenario, settings, broker, [house.id]))
            for house in (scenario.houses if is_deployed else ())
        ]
        if clock_ends_h < inf:
            assert (await run_until(broker, clock_ends_h)).cancelled()
        outcome = (await run_until(broker, inf)).result()
        await asyncio.gather(*households)
        return outcome.end_s

    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        end_s = runner.run(main())
    with ResultsReader(results_file) as results:
        hours = [(time_s - scenario.start_s) // 3600 for time_s in (results.run(1).end_s, end_s)]
        return hours[0], results.kpis(1).as_dict(), hours[1]


def with_evening_forecasts() -> Scenario:
    """Return two houses with base loads, whose forecasts are issued again long after their last job."""
    evening = f'issued: "00:00", {SUN}}}, {{issued: "23:00", {SUN}'
    text = TWO_ROOFS.replace("days: 1\n", "").replace(f'issued: "00:00", {SUN}', evening)
    return scripted(
        text=text.replace("- id: a\n", "- id: a\n    base_load: {start: '00:00', step_s: 86400, power_w: [300]}\n")
    )


def test_a_run_without_days_ends_with_its_last_job_wherever_its_agents_live(tmp_path: Path) -> None:
    """A forecast that is issued in the evening does not prolong it: it has no more sun and base load."""
    alone = recorded(with_evening_forecasts(), tmp_path, is_deployed=False)
    assert alone == recorded(with_evening_forecasts(), tmp_path, is_deployed=True)
    assert (alone[0], alone[2]) == (13, 13)


def test_a_clock_that_is_shut_down_after_the_last_job_does_not_prolong_the_run(tmp_path: Path) -> None:
    """The record says until then how far the run has come; the run itself has ended with its last job."""
    scenario = with_evening_forecasts()
    resumed = recorded(scenario, tmp_path, is_deployed=True, clock_ends_h=23)
    assert resumed == recorded(scenario, tmp_path, is_deployed=True)
    assert (resumed[0], resumed[2]) == (13, 13)
