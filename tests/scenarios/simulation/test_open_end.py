"""How long a run lasts for which no days are given."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from agents import MANAGER
from broker.protocol.retry_timeouts import Timeouts
from broker.transport.memory import MemoryBroker
from scenarios.deployment.results_file import open_record
from scenarios.devices.device_places import with_guests
from scenarios.load import load_scenario
from scenarios.results.reader import ResultsReader
from scenarios.scenario import Scenario
from scenarios.simulation import Plan
from scenarios.simulation.run import run_hosts, run_scenario
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


def recorded(scenario: Scenario, folder: Path, *, is_deployed: bool) -> tuple[int, dict[str, float | None], int]:
    """Run a scenario; return the recorded end (hours from the start) and figures, and the end that the outcome says."""
    settings = RunSettings(seed=1, run_id="r", patience=Timeouts(limit_wall_s=1e6))
    results_file = folder / f"{is_deployed}.sqlite"

    async def main() -> int:
        broker = MemoryBroker()
        households = [
            asyncio.create_task(run_hosts(scenario, settings, broker, [house.id]))
            for house in (scenario.houses if is_deployed else ())
        ]
        with open_record(results_file, scenario, settings) as record:
            local = [MANAGER] if is_deployed else None
            outcome = await run_scenario(scenario, settings, broker, local, recorder=record.writer)
        await asyncio.gather(*households)
        return outcome.end_s

    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        end_s = runner.run(main())
    with ResultsReader(results_file) as results:
        hours = [(time_s - scenario.start_s) // 3600 for time_s in (results.run(1).end_s, end_s)]
        return hours[0], results.kpis(1).as_dict(), hours[1]


def test_a_run_without_days_ends_with_its_last_job_wherever_its_agents_live(tmp_path: Path) -> None:
    """A forecast that is issued in the evening does not prolong it: it has no more sun and base load."""
    evening = f'issued: "00:00", {SUN}}}, {{issued: "23:00", {SUN}'
    text = TWO_ROOFS.replace("days: 1\n", "").replace(f'issued: "00:00", {SUN}', evening)
    scenario = scripted(
        text=text.replace("- id: a\n", "- id: a\n    base_load: {start: '00:00', step_s: 86400, power_w: [300]}\n")
    )
    alone = recorded(scenario, tmp_path, is_deployed=False)
    assert alone == recorded(scenario, tmp_path, is_deployed=True)
    assert (alone[0], alone[2]) == (13, 13)
