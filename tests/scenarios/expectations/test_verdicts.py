"""Verdicts on a run, judged from its results file: the figures are those of the results."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents import SHARED, TIMELINE, Device, Happened, JobExecuted, Share
from agents.manager.ledger import LedgerEntry, LedgerEvent
from agents.messages import ProducersFor
from agents.model import GRID
from agents.sharing import SupplySettings
from scenarios.events import ACTION, Action, ChangeTariff, CloudFront, TimelineEvent
from scenarios.expectations import judge
from scenarios.expectations.verdicts import judge_simulation
from scenarios.gateways import Gateway
from scenarios.results import RecordedEnd, ResultsReader, RunWriter, SimulationSpec, create_results
from scenarios.scenario import Expectation, Scenario
from scenarios.simulation import Plan, open_simulation
from tests.scenarios.neighbourhoods import (
    START_S,
    TARIFF,
    agreed,
    amended,
    cancelled,
    contract,
    forecast,
    job,
    load,
    neighbourhood,
    sun,
)
from tests.scenarios.timeline.two_roofs import TWO_ROOFS, scripted

HOUR_S = 3600
WASH = job("wash", "a", load((0, 0), (HOUR_S, 1000)), (0, 10 * HOUR_S))
DRY = job("dry", "b", load((0, 0), (HOUR_S, 500)), (0, 10 * HOUR_S))
MORNING = forecast(sun((0, 0), (2 * HOUR_S, 4000)))
"""2 kW for two hours, then nothing."""


def values_of(
    folder: Path,
    scenario: Scenario,
    ledger: list[LedgerEntry],
    said: list[tuple[str, dict[str, Any]]],
    *names: str,
    said_h: float = 0,
) -> list[str]:
    """Write a run of a scenario, and return the values by which conditions about these names are judged.

    What is said is said `said_h` hours after the start.
    """
    scenario = replace(scenario, expectations=tuple(_expectation(name) for name in names))
    path = create_results(SimulationSpec(scenario, "insertion", seeds=(1,), broker="memory"), folder=folder)
    with RunWriter(path, scenario, run=1, run_id="r1", seed=1, start_s=START_S) as writer:
        for seq, (sender, body) in enumerate(said):
            writer.message(START_S + int(said_h * HOUR_S), 0, sender, seq, "manager", body["kind"], body)
        for entry in ledger:
            writer.entry(entry)
        writer.finish(RecordedEnd("done", START_S + 12 * HOUR_S, wall_s=0.0))
    with ResultsReader(path) as results:
        verdicts = judge(results, 1, lambda _: {})
        figures = results.kpis(1).as_dict()
    for verdict in verdicts:
        name, _, value = verdict.values.partition(" = ")
        if name in figures and verdict.at_s is None and not value.endswith(" %"):
            assert value == f"{figures[name]:.6g}"
    return [verdict.error or verdict.values for verdict in verdicts]


def _expectation(name: str) -> Expectation:
    """Return an expectation about a name: `delivered_wh`, or `delivered_wh @ 2`, in hours after the start."""
    word, _, hours = name.partition(" @ ")
    return Expectation(f"{word} == 0", None if not hours else START_S + int(float(hours) * HOUR_S))


def test_a_device_that_starts_late_is_judged_by_its_real_start(tmp_path: Path) -> None:
    """The contract is for the morning, but the device runs when there is no more sun."""
    device = Device(id="machine", house="a", type="consumer", name="Machine")
    gateway = Gateway(id="machine", house="a", device="machine", type="consumer", agent=device.agent)
    scenario = neighbourhood({"a": {"pv": MORNING}, "b": {}}, [WASH], tariff=TARIFF)
    scenario = replace(scenario, gateways={device.agent: gateway})
    of = contract(WASH, "pv", 0)
    executed = JobExecuted(
        contract_id=of.contract_id, job_id="wash", state="FINISHED", outcome="late", started_s=START_S + 3 * HOUR_S
    )
    said = [(device.agent, executed.model_dump(mode="json"))]
    assert values_of(
        tmp_path, scenario, [agreed(of)], said, "delivered_wh", "bill_eur", 'job("wash").delivered_wh'
    ) == ["delivered_wh = 0", "bill_eur = 0", 'job("wash").delivered_wh = 0']

    earlier = ("delivered_wh @ 2.75", "delivered_wh @ 3", "delivered_wh")
    found = values_of(tmp_path / "later", scenario, [agreed(of)], said, *earlier, said_h=3)
    assert found == ["delivered_wh = 1000", "delivered_wh = 0", "delivered_wh = 0"]


CLOUD = CloudFront(producers=("pv",), factor=0, ramp_s=0, duration_s=HOUR_S, travel_s=0, announced=False)


@pytest.mark.parametrize(
    ("action", "name", "values"),
    [
        (CLOUD, 'producer("pv").produced_wh', ["4000", "2000"]),
        (ChangeTariff(import_eur_per_kwh=4.0), 'house("b").bill_eur', ["0.2", "2"]),
    ],
)
def test_a_condition_about_a_moment_knows_no_event_that_comes_later(
    tmp_path: Path, action: Action, name: str, values: list[str]
) -> None:
    """A job that is under way is settled to its end, by what was known at the moment, as the run itself said then."""
    scenario = replace(HOUSES, timeline=(TimelineEvent(at_s=START_S + HOUR_S, action=action),))
    ledger = [agreed(contract(DRY, GRID, 2 * HOUR_S))]
    happened = Happened(n=1, event=ACTION.dump_python(action, mode="json")).model_dump(mode="json")
    found = values_of(
        tmp_path, scenario, ledger, [(TIMELINE, happened)], f"{name} @ 0.99", f"{name} @ 1", "events @ 0.99", said_h=1
    )
    assert found == [*(f"{name} = {value}" for value in values), "events = 0"]


def test_negotiations_are_counted_up_to_the_moment(tmp_path: Path) -> None:
    """Only the first request of a job begins one."""
    first, more = ProducersFor(job_id="wash"), ProducersFor(job_id="wash", asked=("pv",), part="last")
    said = [(WASH.agent, message.model_dump(mode="json")) for message in (first, more)]
    names = ("negotiations @ 0.99", "negotiations @ 1")
    assert values_of(tmp_path, HOUSES, LEDGER, said, *names, said_h=1) == ["negotiations = 0", "negotiations = 1"]


HOUSES = neighbourhood({"a": {"pv": MORNING}, "b": {}}, [WASH, DRY], tariff=TARIFF)
LEDGER = [
    amended(contract(WASH, "pv", 0), HOUR_S // 2, HOUR_S),
    cancelled(contract(DRY, "pv", HOUR_S), HOUR_S // 2),
    agreed(contract(DRY, GRID, 3 * HOUR_S, n=2, agreed_s=HOUR_S // 2)),
]


SHARES = (Share(producer="pv", minutes_mwh=((60, 10_000),)),)
AGREED = LedgerEvent(at_s=START_S, what="agreed", start_s=START_S, producer=GRID)
AMENDED = LedgerEvent(at_s=START_S + HOUR_S // 2, what="amended", start_s=START_S, shares=SHARES)


def test_a_job_has_the_suppliers_of_the_moment(tmp_path: Path) -> None:
    """With shared supply, a job that took grid power at first gets shares later, and the reverse."""
    of = contract(WASH, GRID, 0).model_copy(update={"producer": SHARED, "shares": SHARES})
    later = LedgerEntry(contract=of, state="standing", history=(AGREED, AMENDED))
    names = ("contracts.on_grid @ 0.25", "contracts.on_grid", "delivered_wh @ 0.25", 'producer("pv").contracts')
    found = values_of(tmp_path, HOUSES, [later], [], *names)
    assert found == [
        "contracts.on_grid = 1",
        "contracts.on_grid = 0",
        "delivered_wh = 0",
        'producer("pv").contracts = 1',
    ]
    back = AGREED.model_copy(update={"at_s": START_S + HOUR_S, "what": "amended"})
    lost = LedgerEntry(contract=contract(WASH, GRID, 0), state="standing", history=(AGREED, AMENDED, back))
    names = ("contracts.on_grid @ 0.25", "contracts.on_grid @ 0.75", 'producer("pv").contracts @ 0.75', "delivered_wh")
    assert values_of(tmp_path, HOUSES, [lost], [], *names) == [
        "contracts.on_grid = 1",
        "contracts.on_grid = 0",
        'producer("pv").contracts = 1',
        "delivered_wh = 0",
    ]


VALUES = {
    "delivered_wh": "1000",
    "shortfall_wh": "0",
    "jobs_on_grid": "1",
    "contracts.all": "3",
    "contracts.standing": "2",
    "contracts.cancelled": "1",
    "contracts.amended": "1",
    "contracts.on_grid": "1",
    "contracts.all @ 0.25": "2",
    "contracts.amended @ 0.25": "0",
    "contracts.on_grid @ 0.25": "0",
    "contracts.cancelled @ 0.5": "1",
    "contracts.cancelled @ 0.49": "0",
    "consumed_wh @ 0.25": "1500",
    "jobs_unfinished @ 0.25": "2",
    'job("wash").start': "01:00",
    'job("wash").start @ 0.25': "00:00",
    'job("wash").start @ 0.75': "01:00",
    'job("wash").delay_s': "3600",
    'job("wash").moves': "1",
    'job("wash").delivered_wh': "1000",
    'job("dry").contracts': "2",
    'job("dry").delivered_wh': "0",
    'job("dry").energy_wh': "500",
    'house("b").consumed_wh': "500",
    'house("b").grid_wh': "500",
    'house("b").jobs_on_grid': "1",
    'house("a").jobs_on_grid': "0",
    'house("a").grid_wh': "0",
    'house("a").delivered_wh': "1000",
    'house("b").bill_eur': "0.2",
    'house("b").bill_eur @ 0.25': "0.1",
    'house("b").saving_eur @ 0.25': "0.1",
    'producer("pv").produced_wh': "4000",
    'producer("pv").contracted_wh': "1000",
    'producer("pv").shortfall_wh': "0",
    'producer("pv").contracts': "1",
    'producer("pv").contracts @ 0.25': "2",
    "self_sufficiency": "66.6667 %",  # as conditions write shares
    "pooled_self_consumption": "25 %",
}
"""By name, with the time of the verdict in hours after the start; else at the end."""


def test_names_have_the_values_of_the_run(tmp_path: Path) -> None:
    """A job moves to where it is covered, and another one loses its contract and takes grid power."""
    scenario = replace(HOUSES, utc_offset_s=7200)  # it starts at midnight
    found = values_of(tmp_path, scenario, LEDGER, [], *VALUES)
    assert found == [f"{name.partition(' @ ')[0]} = {value}" for name, value in VALUES.items()]


def test_a_comparison_run_has_all_other_settings_of_the_run(tmp_path: Path) -> None:
    """Half a roof supplies no whole job, but two halves would supply one together."""
    text = TWO_ROOFS.replace("[500, 1000, 1500, 2000, 2500, 3000, 3000, 2500, 2000, 1500, 1000, 500]", str([600] * 12))
    scenario = scripted(
        text=text, more="supply: shared\nexpect: [jobs_on_grid == 2, 'algorithm(\"exact\").jobs_on_grid == 2']\n"
    )
    plan = Plan(
        scenario, (1,), bus="memory", supply=SupplySettings("whole"), start_scores={}, out=tmp_path / "r.sqlite"
    )

    async def run() -> None:
        async with open_simulation(plan) as simulation:
            await simulation.run()

    asyncio.run(run())
    judge_simulation(tmp_path / "r.sqlite")
    with ResultsReader(tmp_path / "r.sqlite") as results:
        assert [(verdict["values"], verdict["error"]) for verdict in results.verdicts(1)] == [
            ("jobs_on_grid = 2", ""),
            ('algorithm("exact").jobs_on_grid = 2', ""),
        ]
