"""Neighbourhoods that are larger than a message: their agents need not fit into one in memory."""

from __future__ import annotations

import asyncio

import pytest

from broker import SsmicError
from broker.protocol import Announcement, Member, Roster, Timeouts
from broker.transport import MemoryBroker
from scenarios.scenario import ProducerSeries
from scenarios.simulation.run import run_scenario
from scenarios.simulation.settings import RunSettings
from tests.scenarios.neighbourhoods import forecast, job, load, neighbourhood, sun
from tests.virtual_time import new_virtual_loop


@pytest.mark.long
def test_a_host_holds_more_than_ten_thousand_devices_in_memory() -> None:
    """Each of 10,001 houses has a device; one of them has a job, and one a panel."""
    houses: dict[str, dict[str, ProducerSeries]] = {f"house-{i}": {} for i in range(10_000)}
    houses["last"] = {"pv": forecast(sun((0, 0.0), (7200, 900.0)))}
    scenario = neighbourhood(houses, [job("wash", "house-0", load((0, 0.0), (3600, 300.0)))])
    settings = RunSettings(seed=1, run_id="run", hosts=1, patience=Timeouts(limit_wall_s=1e6))
    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        outcome = runner.run(run_scenario(scenario, settings, MemoryBroker()))
    assert [entry.contract.producer for entry in outcome.ledger] == ["pv"]


def test_what_is_too_large_for_a_message_is_refused_where_it_would_leave_the_process() -> None:
    """The error says what to do; nothing is sent that every reader would drop."""
    agents = tuple(f"house-{i}/washing-machine" for i in range(45_000))
    with pytest.raises(SsmicError, match=r"45000 agents takes .* spread them over more hosts"):
        Announcement(host="host-1", session="s", agents=agents, state="there").payloads()
    with pytest.raises(SsmicError, match=r"too large for a broker: its roster of 45000 agents .* --bus memory"):
        Roster(hosts={"host-1": Member(session="s", agents=agents)}).payloads()
