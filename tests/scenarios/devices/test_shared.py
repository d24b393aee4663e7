"""Real devices in a neighbourhood that shares its supply: several roofs supply a job that a device runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agents import (
    Availability,
    DeviceEvent,
    DeviceSaid,
    Forecasted,
    JobAsked,
    JobTakenBack,
    LedgerEntry,
    Left,
    Production,
    Reported,
)
from agents.ranking import NegotiationSettings
from agents.sharing import SupplySettings
from broker.servers.mosquitto import find_mosquitto
from scenarios.devices import RecordedDeviceMessage
from scenarios.files.scenario_from_text import load_text
from scenarios.metrics.settlement import Settlement
from scenarios.results.contract_rows import ContractRow
from scenarios.results.reader import ResultsReader
from scenarios.results.views import load_run
from scenarios.simulation.plan import Plan
from scenarios.simulation.replay import read_recording
from scenarios.simulation.run import Replay
from scenarios.simulation.simulation import open_simulation
from tests.scenarios.devices.session import RUN, Device, session
from tests.scenarios.devices.test_gateway import job_state

long = pytest.mark.long
over_mosquitto = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")

WASHER = f"ssmic/{RUN}/devices/washer"
ROOF = f"ssmic/{RUN}/devices/roof"
WASH = "adler/washer/wash-1"
STREET = """\
version: 1
name: real
start: 2026-06-21T06:00:00+00:00
seed: 1
supply: shared
load_profiles:
  eco40: {step_s: 600, power_w: [600, 2000, 150]}
  steady: {step_s: 1800, power_w: [1200]}
houses:
  - id: adler
    devices:
      - {id: washer, type: consumer, load_profile: eco40, gateway: {answer_s: 3600}}
      - {id: pv, type: producer, predictions: [{issued: "00:00", points: [["00:00", 0], ["200:00", 160000]]}]}
  - id: brandt
    devices:
      - id: roof
        type: producer
        gateway: {}
        predictions: [{issued: "00:00", points: [["00:00", 0], ["200:00", 80000]]}]
      - {id: dryer, type: consumer}
tariff: {import_eur_per_kwh: 0.3, feed_in_eur_per_kwh: 0.08, neighbour_eur_per_kwh: 0.15, grid_kg_co2_per_kwh: 0.4}
"""
"""A roof of 800 W and a neighbour's of 400 W, for a washer that draws 2 kW for ten minutes."""


START_S = 1782021600
"""06:00, when the session begins."""
MINUTE_S = 60


@dataclass(frozen=True)
class Played:
    """The outcome of a session with scripted device messages."""

    ledger: tuple[LedgerEntry, ...]
    ledger_sha256: str | None
    settlement: Settlement
    rows: tuple[ContractRow, ...]

    def history(self, job_id: str = WASH) -> list[tuple[str, str]]:
        """Return what happened to a job's contract, and why."""
        entry = next(entry for entry in self.ledger if entry.contract.job_id == job_id)
        return [(event.what, event.reason) for event in entry.history]

    def given_w(self, producer: str, minute: int, job_id: str = WASH) -> float:
        """Return what a producer gave to a job in a minute of the session, W."""
        settlement, shares = self.settlement, self.settlement.share_minutes
        jobs = [job.job_id for job in settlement.jobs]
        index = minute + (START_S - settlement.start_s) // MINUTE_S
        is_it = (shares.job == jobs.index(job_id)) & (shares.minute == index)
        is_it &= shares.producer == settlement.producers.index(producer)
        return float(shares.delivered_wh[is_it].sum()) * 60


async def played(folder: Path, *said: tuple[float, str, DeviceEvent], text: str = STREET, **settings: Any) -> Played:
    """Run a session whose devices say these things: minute, agent, what."""
    messages = [
        RecordedDeviceMessage(
            START_S + round(minute * MINUTE_S), agent, DeviceSaid(device=agent.rpartition("/")[2], said=event)
        )
        for minute, agent, event in said
    ]
    stop_s = START_S + 10 * 3600
    results = folder / "played.sqlite"
    plan = Plan(
        scenario=load_text(text, "test", None),
        seeds=(1,),
        bus="memory",
        start_scores={},
        replay=Replay(messages, stop_s),
        out=results,
        **settings,
    )
    async with open_simulation(plan) as simulation:
        outcome = (await simulation.run())[0]
    with ResultsReader(results) as reader:
        rows = load_run(reader, 1).contracts
        return Played(tuple(outcome.ledger), outcome.ledger_sha256, reader.settlement(1), rows)


def asks(minute: float = 1, start: int = 10, **more: Any) -> tuple[float, str, DeviceEvent]:
    """Have the washer ask for a job that starts in a certain minute of the session."""
    start_s = START_S + start * MINUTE_S
    window = {"earliest_start_s": start_s, "latest_start_s": start_s} | more
    return minute, "adler/washer", JobAsked(id="wash-1", profile="eco40", **window)


def reports(minute: float, **more: Any) -> tuple[float, str, DeviceEvent]:
    """Have the washer report."""
    return minute, "adler/washer", Reported(job="wash-1", **more)


def programme(start: int, powers_w: Sequence[float]) -> list[tuple[float, str, DeviceEvent]]:
    """Have the washer run, and report its counter every minute; these are its powers, W, ten minutes each."""
    said = [reports(start + 0.05, state="EXECUTING", counter_wh=0.0)]
    counter_wh = 0.0
    for minute in range(1, 10 * len(powers_w) + 1):
        counter_wh += powers_w[(minute - 1) // 10] / 60
        said.append(reports(start + minute, counter_wh=counter_wh))
    return [*said, reports(start + 10 * len(powers_w), state="FINISHED", counter_wh=counter_wh)]


async def test_what_a_device_measured_is_settled_by_share(tmp_path: Path) -> None:
    """It draws 1 kW where 2 kW were assumed: of 800 and 400 W that were promised, each roof gives its part of that."""
    came = await played(tmp_path, asks(), *programme(10, [600, 1000, 150]))
    assert came.history() == [("agreed", ""), ("started", "on_time"), ("finished", "on_time")]
    assert came.given_w("pv", 25) == pytest.approx(1000 * 800 / 1200, abs=0.1)
    assert came.given_w("roof", 25) == pytest.approx(1000 * 400 / 1200, abs=0.1)
    drawn_wh = pytest.approx(100 + 1000 / 6 + 25)
    assert float(came.settlement.job_consumed_wh.sum()) == drawn_wh
    (row,) = came.rows
    assert row.energy_wh == drawn_wh
    assert row.suppliers == "pv + roof"


@long
async def test_what_a_device_draws_beyond_its_shares_comes_from_the_grid(tmp_path: Path) -> None:
    """No roof gives more than it has promised, whatever the device draws."""
    came = await played(tmp_path, asks(), *programme(10, [600, 3000, 150]))
    assert (came.given_w("pv", 25), came.given_w("roof", 25)) == pytest.approx((800, 400), abs=0.1)
    assert came.given_w("pv", 15) == pytest.approx(600, abs=0.1)


@long
async def test_a_device_that_answers_late_gets_what_is_promised_for_the_minutes_in_which_it_runs(
    tmp_path: Path,
) -> None:
    """The energy of the minutes in which it did nothing is lost to it, and no minute is moved."""
    came = await played(tmp_path, asks(), *programme(13, [600, 2000, 150]))
    assert came.history()[1] == ("started", "on_time")
    assert came.given_w("roof", 19) == 0
    # It draws 600 W where 800 and 400 W are promised.
    assert (came.given_w("pv", 21), came.given_w("roof", 21)) == pytest.approx((400, 200), abs=0.1)
    # Its contract ends 30 minutes after its start, and so do its shares.
    assert came.given_w("pv", 41) == 0


_DRYER = """\
jobs:
  - {house: brandt, device: dryer, registered: "00:20", earliest_start: "00:25", latest_start: "00:25",
     load_profile: steady}
"""
"""Begins while the washer was to draw 2 kW, and could use both roofs alone."""


@pytest.mark.parametrize(
    ("said", "ended"),
    [
        ([reports(10.1, state="EXECUTING"), reports(22, state="FINISHED")], "finished"),
        pytest.param([reports(10.1, state="EXECUTING"), reports(22, state="ABORTED")], "aborted", marks=long),
        pytest.param([reports(10.1, state="EXECUTING"), (22, "adler/washer", Left())], "aborted", marks=long),
        pytest.param([], "aborted", marks=long),
    ],
    ids=["ends early", "gives up", "leaves", "never answers"],
)
async def test_what_a_device_no_longer_needs_is_given_back(
    said: list[tuple[float, str, DeviceEvent]], ended: str, tmp_path: Path
) -> None:
    """Its shares end with the minute in which it does, and another job has the roofs from then on."""
    text = STREET.replace("gateway: {answer_s: 3600}", "gateway: {answer_s: 240}") + _DRYER
    came = await played(tmp_path, asks(), *said, text=text)
    assert [what for what, _ in came.history()][-2:] == [ended, "amended"]
    assert came.history()[-1][1] == "its device needs no more"
    dryer = came.given_w("pv", 30, "brandt/dryer"), came.given_w("roof", 30, "brandt/dryer")
    assert dryer == pytest.approx((800, 400), abs=0.1)


@long
async def test_a_job_that_is_withdrawn_frees_all_its_shares(tmp_path: Path) -> None:
    """Another job that comes afterwards has both roofs."""
    text = STREET + _DRYER
    withdraws = (5, "adler/washer", JobTakenBack(id="wash-1"))
    came = await played(tmp_path, asks(start=25), withdraws, text=text)
    assert came.history()[-1][0] == "cancelled"
    assert came.given_w("roof", 30, "brandt/dryer") == pytest.approx(400, abs=0.1)


@long
async def test_a_job_started_by_hand_is_supplied_from_then_on(tmp_path: Path) -> None:
    """Its contract moves to that second, with what the roofs have free."""
    window = {"earliest_start_s": START_S, "latest_start_s": START_S + 3600}
    later = STREET.replace('[["00:00", 0], ["200:00", 160000]]', '[["00:30", 0], ["200:00", 160000]]')
    came = await played(tmp_path, asks(**window), *programme(5, [600, 2000, 150]), text=later)
    happened = came.history()
    assert ("started", "started_by_hand") in happened
    assert any(reason == "its device was started by hand" for _, reason in happened)
    assert came.given_w("roof", 7) == pytest.approx(400, abs=0.1)


@long
async def test_shares_follow_the_forecast_of_a_real_roof(tmp_path: Path) -> None:
    """It promises what its forecast leaves; when that falls while the washer runs, so do its shares, and only those."""
    falls = Production(times_s=(START_S + 22 * 60, START_S + 36000), cumulative_wh=(0.0, 0.0))
    came = await played(tmp_path, asks(), *programme(10, [600, 2000, 150]), (22, "roof", Forecasted(production=falls)))
    assert came.given_w("roof", 21) == pytest.approx(400, abs=0.1)
    assert (came.given_w("roof", 24), came.given_w("pv", 24)) == pytest.approx((0, 800), abs=0.1)
    assert any("gives less" in reason for _, reason in came.history())


def sun(first: int, last: int, power_w: float) -> list[tuple[float, str, DeviceEvent]]:
    """Have the roof report its power every minute, from one minute of the session to another."""
    return [(minute + 0.5, "roof", Reported(power_w=power_w)) for minute in range(first, last)]


@long
@pytest.mark.parametrize("supply", ["whole", "shared"])
async def test_a_roof_whose_meter_shows_less_than_its_forecast_promises_less(supply: str, tmp_path: Path) -> None:
    """Under clouds it supplies no more than its meter shows, unless told not to learn; hours later, its forecast."""
    text = STREET.replace("supply: shared", f"supply: {supply}").replace("[600, 2000, 150]", "[300]")
    text = text.replace('[["00:00", 0], ["200:00", 160000]]', '[["100:00", 0], ["200:00", 160000]]')
    later_s = START_S + 200 * MINUTE_S
    later = JobAsked(id="wash-2", profile="eco40", earliest_start_s=later_s, latest_start_s=later_s)
    said = [asks(40, 45), (41.0, "adler/washer", later), *sun(0, 60, 100.0)]
    came = await played(tmp_path, *said, text=text)
    assert promised_wh(came, "adler/washer/wash-2") == pytest.approx(50, abs=0.01)
    assert promised_wh(came, WASH) == pytest.approx(0 if supply == "whole" else 100 / 6, abs=3)
    text = text.replace("gateway: {}", "gateway: {learn: false}")
    (tmp_path / "again").mkdir()
    assert promised_wh(await played(tmp_path / "again", *said, text=text), WASH) == pytest.approx(50, abs=0.01)


def promised_wh(came: Played, job_id: str) -> float:
    """Return what the roof has promised to a job, Wh."""
    contract = next(entry.contract for entry in came.ledger if entry.contract.job_id == job_id)
    if contract.shares:
        return sum(share.energy_wh for share in contract.shares if share.producer == "roof")
    return contract.energy_wh if contract.producer == "roof" else 0.0


@long
@pytest.mark.parametrize("supply", ["whole", "shared"])
async def test_a_roof_that_has_left_promises_nothing_more(supply: str, tmp_path: Path) -> None:
    """Neither to jobs that are to come nor, where supply is shared, to the one that runs."""
    text = STREET.replace("supply: shared", f"supply: {supply}").replace("[600, 2000, 150]", "[300, 350, 150]")
    text = text.replace('[["00:00", 0], ["200:00", 160000]]', '[["100:00", 0], ["200:00", 160000]]')
    came = await played(tmp_path, asks(), (5, "roof", Left()), text=text)
    assert came.given_w("roof", 15) == 0
    entry = next(entry for entry in came.ledger if entry.state == "standing")
    assert "roof" not in entry.contract.producers


@long
async def test_an_interrupted_job_keeps_its_shares_until_it_is_given_up(tmp_path: Path) -> None:
    """It continues in time and is supplied again."""
    said = [
        reports(10.1, state="EXECUTING", power_w=600.0),
        reports(12, state="INTERRUPTED", power_w=0.0),
        (12, "adler/washer", Availability(online=False)),
        reports(16, state="EXECUTING", power_w=600.0),
        reports(40, state="FINISHED", power_w=0.0),
    ]
    came = await played(tmp_path, asks(), *said)
    assert [what for what, _ in came.history()] == ["agreed", "started", "interrupted", "finished"]
    assert (came.given_w("pv", 14), came.given_w("pv", 18)) == pytest.approx((0, 600), abs=0.1)


def shares_wh(device: Device) -> dict[str, float]:
    """Return what each supplier gives by the newest word of the device's `job`."""
    return {supplier["producer"]: supplier["energy_wh"] for supplier in device.on("job")[-1]["suppliers"]}


@long
async def test_a_session_replays_with_the_settings_of_its_command(tmp_path: Path) -> None:
    """`--supply shared` and `--negotiation ranked` count again, although the scenario says otherwise."""
    text = STREET.replace("supply: shared\n", "")
    supply, negotiating = SupplySettings("shared", ("covered", "earliest")), NegotiationSettings("ranked")
    came = await played(tmp_path, asks(), *programme(10, [600]), text=text, supply=supply, negotiating=negotiating)
    recording = read_recording(tmp_path / "played.sqlite")
    recording.save(tmp_path / "first.jsonl")
    again = read_recording(tmp_path / "first.jsonl")
    assert again == recording
    assert (again.plan().supply, again.plan().negotiating) == (supply, negotiating)
    async with open_simulation(again.plan(bus="memory", out=tmp_path / "again.sqlite")) as repeated:
        assert (await repeated.run())[0].ledger_sha256 == came.ledger_sha256


@over_mosquitto
@long
async def test_a_washer_receives_its_suppliers_with_energy_and_the_session_replays(tmp_path: Path) -> None:
    """Over a real Mosquitto, with a real roof beside it: announcement, offers, command, measurement, end and replay."""
    async with (
        session(tmp_path, STREET) as run,
        run.device(f"{WASHER}/#") as device,
        run.device(f"{ROOF}/#") as roof,
    ):
        hour_s = {"start": "2026-06-21T07:00:00Z", "step_s": 3600}
        roof.say(f"{ROOF}/announce", {"type": "producer", "house": "brandt"}, retain=True)
        roof.say(f"{ROOF}/forecast", {**hour_s, "power_w": [600] * 12})
        await roof.until(lambda: roof.on("state") and roof.on("state")[-1]["last_heard"])
        start = "2026-06-21T08:00:00Z"
        device.say(f"{WASHER}/announce", {"type": "consumer", "house": "adler"}, retain=True)
        ask = {"id": "wash-1", "profile": "eco40", "earliest_start": start, "latest_start": start}
        device.say(f"{WASHER}/request", ask)
        await device.until(lambda: device.on("set") and job_state(device) == "SCHEDULED")
        # 2,000 W: 800 from its own roof, 600 from the neighbour's and the rest from the grid; else its own roof.
        planned = device.on("job")[-1]
        assert shares_wh(device) == pytest.approx({"pv": 100 + 133.3 + 25, "roof": 100, "grid": 100}, abs=0.1)
        assert [supplier["house"] for supplier in planned["suppliers"]] == ["adler", "brandt", ""]
        assert sum(supplier["share"] for supplier in planned["suppliers"]) == pytest.approx(1.0)
        assert planned["price_eur"] == pytest.approx(0.1 * 0.15 + 0.1 * 0.3, abs=0.0001)
        device.say(f"{WASHER}/report", {"id": "wash-1", "state": "EXECUTING", "energy_wh": 1000})
        await device.until(lambda: job_state(device) == "EXECUTING")
        device.say(f"{WASHER}/report", {"id": "wash-1", "state": "FINISHED", "energy_wh": 1100})
        await device.until(lambda: job_state(device) == "FINISHED")
        assert device.on("job")[-1]["measured_wh"] == 100
        outcome = await run.stop()
    recording = read_recording(run.results)
    assert recording.ledger_sha256 == outcome.ledger_sha256
    recording.save(tmp_path / "first.jsonl")
    for number, hosts in enumerate((None, 2)):
        plan = read_recording(tmp_path / "first.jsonl").plan(
            bus="memory", hosts=hosts, out=tmp_path / f"{number}.sqlite"
        )
        async with open_simulation(plan) as repeated:
            assert (await repeated.run())[0].ledger_sha256 == outcome.ledger_sha256
        read_recording(tmp_path / f"{number}.sqlite").save(tmp_path / "second.jsonl")
        assert (tmp_path / "second.jsonl").read_bytes() == (tmp_path / "first.jsonl").read_bytes()
