"""Two jobs in one minute, one after the other: the minute's sun is promised once."""

from __future__ import annotations

from agents.energy import LoadProfile, Prediction, Production
from agents.model import GRID, Device, House, Job
from broker.transport.memory import MemoryBroker
from scenarios.scenario import ProducerSeries, Scenario
from scenarios.simulation.run import run_scenario
from scenarios.simulation.settings import RunSettings

NOON_S = 1_782_043_200


def job(job_id: str, start_s: int, duration_s: int) -> Job:
    """Return a job that cannot wait and draws 3 Wh in total."""
    return Job(
        job_id=job_id,
        source_id=job_id,
        house="1",
        device=job_id,
        profile=job_id,
        load_profile=LoadProfile(times_s=(0, duration_s), cumulative_wh=(0.0, 3.0)),
        registered_s=start_s,
        earliest_start_s=start_s,
        latest_start_s=start_s,
    )


async def test_a_minute_is_promised_once() -> None:
    """A job that begins in the minute in which another ended does not get the energy that the other used."""
    sun = Production(times_s=(NOON_S, NOON_S + 3600), cumulative_wh=(0.0, 240.0))
    devices = (
        Device(id="a", house="1", type="consumer"),
        Device(id="b", house="1", type="consumer"),
        Device(id="pv", house="1", type="producer"),
    )
    scenario = Scenario(
        name="minute",
        start_s=NOON_S,
        seed=1,
        houses=(House(id="1", devices=devices),),
        jobs=(job("a", NOON_S + 5, 15), job("b", NOON_S + 30, 20)),
        producers={"pv": ProducerSeries((Prediction(issued_s=NOON_S, production=sun),))},
    )
    outcome = await run_scenario(scenario, RunSettings(seed=1, run_id="m"), MemoryBroker())
    standing = {e.contract.job_id: e.contract.producer for e in outcome.ledger if e.state == "standing"}
    assert standing == {"a": "pv", "b": GRID}
