"""The effect of each event of a timeline on a run, equal on every bus and placement of agents."""

from __future__ import annotations

import pytest

from agents import Production
from scenarios.events import AddJobs, ForecastError, GiveForecast, Note, ReturnOnline, RunEvent
from scenarios.metrics import compute_kpis, settle
from scenarios.scenario import Scenario
from scenarios.simulation import RunOutcome
from scenarios.timeline import as_happened, as_planned
from scenarios.timeline.effects import with_error
from tests.scenarios.timeline.two_roofs import SUN, TWO_ROOFS, run, scripted, starts_h, suppliers


def shortfall_wh(scenario: Scenario, outcome: RunOutcome) -> float:
    """Return what producers promised and did not give."""
    world = as_planned(scenario)
    standing = [entry.contract for entry in outcome.ledger if entry.state == "standing"]
    settled = settle(world, standing, outcome.start_s, outcome.end_s)
    return compute_kpis(world, settled, outcome.ledger, outcome.end_s).shortfall_wh


def test_an_unannounced_cloud_breaks_promises() -> None:
    """No agent learns of it: contracts stand, and the grid supplies the shortfall."""
    sudden = scripted("{at: '10:30', do: cloud, factor: 0.1, duration: 3h, announced: false}")

    outcome = run(sudden)

    assert suppliers(outcome) == suppliers(run(scripted()))
    assert shortfall_wh(sudden, outcome) > 500


def test_an_announced_cloud_moves_jobs_that_have_not_started() -> None:
    """Producers cancel or move what they can no longer supply before it starts."""
    announced = scripted("{at: '09:00', do: cloud, factor: 0.1, duration: 4h}")

    outcome = run(announced)

    assert starts_h(outcome) != starts_h(run(scripted()))
    assert shortfall_wh(announced, outcome) < 1


def test_a_travelling_cloud_reaches_the_second_roof_later() -> None:
    """The second roof still gives everything while the first is covered."""
    world = as_planned(scripted("{at: '10:00', do: cloud, factor: 0, ramp: 0, duration: 1h, travel: 2h}"))

    given = {
        producer: series.actual.energy_per_bin_wh([world.start_s + h * 3600 for h in (10, 11, 12, 13)]).round().tolist()
        for producer, series in world.producers.items()
        if series.actual is not None
    }

    assert given == {"pv-a": [0, 3000, 3000], "pv-b": [2500, 3000, 0]}


def test_a_new_forecast_cancels_contracts_that_it_does_not_cover() -> None:
    """One roof has no production left, so both jobs move to the other."""
    outcome = run(scripted("{at: '09:00', do: forecast, producer: pv-a, factor: 0}"))

    assert set(suppliers(outcome).values()) == {"pv-b"}


def test_forecasts_with_errors_are_issued_for_the_duration_of_the_event() -> None:
    """Every hour, to each producer."""
    scenario = scripted("{at: '08:00', do: forecast_error, growth_per_h: 0.02, every: 1h, duration: 3h}")
    run_events: list[RunEvent] = []
    run(scenario, on_event=run_events.append)

    issued_h = [(h.at_s - scenario.start_s) / 3600 for h in run_events if isinstance(h.action, GiveForecast)]
    assert issued_h == [8, 8, 9, 9, 10, 10]


def test_the_error_of_a_forecast_has_a_limit() -> None:
    """An error that is at its limit from the first hour on no longer depends on how fast it grows."""
    scenario = scripted()
    real = scenario.producers["pv-a"].predictions[0].production

    def forecast(growth_per_h: float, most: float) -> Production | None:
        error = ForecastError(
            producers=("pv-a",), growth_per_h=growth_per_h, most=most, every_s=3600, duration_s=None, seed=1
        )
        return with_error(real, error, "pv-a", real.start_s)

    assert forecast(10, 0.2) == forecast(20, 0.2)
    assert forecast(10, 0.2) != forecast(10, 0.3)


def test_forecast_errors_repeat_with_their_seed() -> None:
    """Same seed, same ledger; the errors grow with the horizon."""
    text = "{at: '00:00', do: forecast_error, growth_per_h: 0.2, every: 3h, seed: %d}"

    hashes = {seed: [run(scripted(text % seed)).ledger_sha256 for _ in range(2)] for seed in (1, 2)}

    assert all(first == second for first, second in hashes.values())


def test_forecasts_of_the_error_model_replace_the_later_ones_of_the_file() -> None:
    """What the file issues at noon is void once the model has issued a forecast at eleven; that of ten is not."""
    more = "".join(f', {{issued: "{hour}:00", {SUN}}}' for hour in (10, 12))
    scenario = scripted(text=TWO_ROOFS.replace(f"{SUN}}}]", f"{SUN}}}{more}]", 1))
    forecast = scenario.producers["pv-a"].predictions[0].production
    issued_s = [scenario.start_s + hour * 3600 for hour in (11, 13)]
    run_events = [
        RunEvent(n=n, at_s=at_s, action=GiveForecast(producer="pv-a", production=forecast, replaces_later=True))
        for n, at_s in enumerate(issued_s, start=1)
    ]

    known = as_happened(scenario, run_events).producers["pv-a"].predictions

    assert [(one.issued_s - scenario.start_s) // 3600 for one in known] == [0, 10, 11, 13]


@pytest.mark.parametrize(
    "before",
    [
        "{at: '09:00', do: cloud, factor: 0.5, ramp: 0, duration: 4h}",
        "{at: '09:00', do: forecast_error, growth_per_h: 0.2}",
    ],
)
@pytest.mark.parametrize("factor", [1.0, 0.5])
def test_a_factor_applies_to_the_production_without_the_clouds_and_errors_that_forecasts_contain(
    before: str, factor: float
) -> None:
    """Of a roof that produces what it forecasts: a cloud takes half of its production, not half of the half."""

    def produced_wh(timeline: str) -> list[int]:
        scenario = scripted(timeline)
        run_events: list[RunEvent] = []
        run(scenario, on_event=run_events.append)
        actual = as_happened(scenario, run_events).producers["pv-a"].actual
        assert actual is not None
        hours_s = [scenario.start_s + h * 3600 for h in range(6, 19)]
        return [round(energy_wh) for energy_wh in actual.energy_per_bin_wh(hours_s).tolist()]

    alone_wh = produced_wh(before)
    with_factor_wh = produced_wh(f"{before}\n{{at: '10:00', do: forecast, producer: pv-a, factor: {factor}}}")

    assert with_factor_wh == [*alone_wh[:4], *(round(factor * energy_wh) for energy_wh in alone_wh[4:])]


def test_the_forecast_of_an_absent_roof_is_what_it_would_produce() -> None:
    """An error of zero changes nothing: a roof that joins between two of its forecasts is known to produce."""
    joins = "{at: '09:30', do: join, house: a, device: pv-a}\n{at: '05:00', do: leave, house: b, device: pv-b}"
    exact = "{at: '06:00', do: forecast_error, growth_per_h: 0}"

    assert set(suppliers(run(scripted(joins))).values()) == {"pv-a"}
    assert run(scripted(f"{joins}\n{exact}")).ledger_sha256 == run(scripted(joins)).ledger_sha256


def test_a_producer_that_leaves_cancels_and_one_that_joins_supplies() -> None:
    """The late joiner takes what the first one dropped."""
    outcome = run(
        scripted("""
        {at: '08:00', do: join, house: b, device: pv-b}
        {at: '09:00', do: leave, house: a, device: pv-a}
    """)
    )
    reasons = {event.reason for entry in outcome.ledger for event in entry.history if event.what == "cancelled"}

    assert set(suppliers(outcome).values()) == {"pv-b"}
    assert reasons == {"it leaves the neighbourhood"}


def test_a_consumer_with_the_id_of_a_producer_leaves_its_production_alone() -> None:
    """Ids of producers are unique among producers only."""
    text = TWO_ROOFS.replace("- {id: washer, type: consumer", "- {id: pv-b, type: consumer", 1)
    text = text.replace("house: a, device: washer", "house: a, device: pv-b")
    timeline = """
        {at: '07:00', do: leave, house: a, device: pv-b}
        {at: '09:00', do: cloud, producers: [pv-b], factor: 0.5, ramp: 0, duration: 1h}
    """
    world = as_planned(scripted(timeline, text=text))

    actual = world.producers["pv-b"].actual

    assert actual is not None
    hours_s = [world.start_s + h * 3600 for h in (8, 9, 10, 11)]
    assert actual.energy_per_bin_wh(hours_s).round().tolist() == [1500, 1000, 2500]


def test_a_device_that_leaves_runs_no_job() -> None:
    """Its contract is cancelled, and it draws nothing."""
    outcome = run(scripted("{at: '09:00', do: leave, house: a, device: washer}"))

    assert set(suppliers(outcome)) == {"wash-b"}


def test_jobs_are_added_and_withdrawn() -> None:
    """A withdrawn job has no standing contract; one that has started cannot be withdrawn."""
    outcome = run(
        scripted("""
        {at: '07:00', do: add_job, house: a, device: washer, id: extra, earliest_start: 1h, latest_start: 9h}
        {at: '08:00', do: withdraw_job, job: wash-b}
        {when: {job: extra, turn: starts, after: 1m}, do: withdraw_job, job: extra}
    """)
    )

    assert set(suppliers(outcome)) == {"wash-a", "extra"}


def test_a_job_that_is_not_there_yet_is_not_withdrawn() -> None:
    """The event has no effect, and the job runs when it is added later."""
    outcome = run(
        scripted("""
        {when: {job: wash-a, turn: starts}, do: add_job, house: a, device: washer, id: extra, latest_start: 4h}
        {at: "08:00", do: withdraw_job, job: extra}
        """)
    )
    assert set(suppliers(outcome)) == {"wash-a", "wash-b", "extra"}


def test_a_job_is_added_with_times_of_the_clock() -> None:
    """They are on the day of the event, or say their day."""
    scenario = scripted(
        "{at: '10:30', do: add_job, house: a, device: washer, earliest_start: '14:00', latest_start: '2d 09:00'}",
        "expect: ['job(\"a/washer\").start >= 14:00']\n",
    )
    (added,) = (event.action for event in scenario.timeline if isinstance(event.action, AddJobs))
    assert (added.earliest_after_s, added.latest_after_s) == (3.5 * 3600, 22.5 * 3600)


def test_an_event_waits_for_a_job_to_start() -> None:
    """Ten minutes after the start, a job of the neighbour is added."""
    outcome = run(
        scripted(
            "{when: {job: wash-a, turn: starts, after: 10m}, do: add_job, house: b, device: washer, id: next, "
            "latest_start: 6h}"
        )
    )
    agreed_h = {e.contract.job_id: (e.contract.agreed_s - outcome.start_s) / 3600 for e in outcome.ledger}

    assert agreed_h["next"] == pytest.approx(starts_h(outcome)["wash-a"] + 1 / 6)


def test_an_event_waits_for_the_start_that_a_job_really_has() -> None:
    """The job was to start at another time before its contract was moved."""
    scenario = scripted("""
        {when: {job: wash-a, turn: starts}, do: note, text: it starts}
        {at: '09:30', do: cloud, factor: 0.1, ramp: 0, duration: 3h, announced: true}
    """)
    run_events: list[RunEvent] = []
    outcome = run(scenario, on_event=run_events.append)
    starts_s = {event.start_s for e in outcome.ledger if e.contract.job_id == "wash-a" for event in e.history}

    assert len(starts_s) > 1
    noted_h = [(h.at_s - scenario.start_s) / 3600 for h in run_events if isinstance(h.action, Note)]
    assert noted_h == [starts_h(outcome)["wash-a"]]


def test_an_event_waits_for_each_turn_of_a_job() -> None:
    """It is agreed, its contract is cancelled, it starts and it ends; each time a neighbour's job is added."""
    turns = ("agreed", "cancelled", "starts", "ends")
    added = "house: b, device: washer, latest_start: 8h"
    events = [f"{{when: {{job: wash-a, turn: {turn}}}, do: add_job, id: {turn}, {added}}}" for turn in turns]
    outcome = run(scripted("\n".join([*events, '{at: "08:00", do: forecast, producer: pv-a, factor: 0}'])))
    first_h: dict[str, float] = {}
    for entry in sorted(outcome.ledger, key=lambda entry: entry.contract.agreed_s):
        first_h.setdefault(entry.contract.job_id, (entry.contract.agreed_s - outcome.start_s) / 3600)

    start_h = starts_h(outcome)["wash-a"]
    assert [first_h[turn] for turn in turns] == pytest.approx([6, 8, start_h, start_h + 2], abs=0.01)


@pytest.mark.parametrize(
    "event", ["add_job, house: a, device: washer, id: extra, latest_start: 2h", "note, text: late"]
)
def test_nothing_happens_after_the_end_of_the_run(event: str) -> None:
    """The job of an offline house takes grid power in the last rounds; a job added for that reason failed the run."""
    text = TWO_ROOFS.replace('latest_start: "15:00"', 'latest_start: "2d 06:00"')
    run_events: list[RunEvent] = []
    outcome = run(
        scripted(
            f"""
        {{at: '05:00', do: patience, patient: false}}
        {{at: '05:00', do: offline, house: b}}
        {{when: {{job: wash-b, turn: agreed}}, do: {event}}}
    """,
            text=text,
        ),
        days=1,
        on_event=run_events.append,
    )

    assert suppliers(outcome) == {"wash-a": "pv-a", "wash-b": "grid"}
    assert [one.action.do for one in run_events] == ["patience", "offline"]


def test_a_device_that_leaves_in_the_second_in_which_its_job_is_registered_does_not_run_it() -> None:
    """The job found a supplier in the rounds after the event, and ran on a device that was not there."""
    assert suppliers(run(scripted("{at: '06:00', do: leave, house: b, device: washer}"))) == {"wash-a": "pv-a"}


def test_a_house_that_is_offline_agrees_on_nothing_until_it_returns() -> None:
    """Its own job waits for its return; its roof supplies no other house in between."""
    outcome = run(
        scripted("""
        {at: '05:00', do: offline, house: b, duration: 3h}
    """)
    )
    agreed_h = {e.contract.job_id: (e.contract.agreed_s - outcome.start_s) / 3600 for e in outcome.ledger}

    assert agreed_h == {"wash-a": 6.0, "wash-b": 8.0}


@pytest.mark.parametrize(("duration", "returns_h"), [("duration: 5h", [14]), ("duration: 1h", [12]), ("", [])])
def test_a_house_is_offline_until_the_last_of_its_outages_is_over(duration: str, returns_h: list[int]) -> None:
    """The end of an outage does not end another one."""
    scenario = scripted(f"""
        {{at: '08:00', do: offline, house: a, duration: 4h}}
        {{at: '09:00', do: offline, house: a, {duration}}}
    """)
    run_events: list[RunEvent] = []
    run(scenario, on_event=run_events.append)

    assert [
        (one.at_s - scenario.start_s) / 3600 for one in run_events if isinstance(one.action, ReturnOnline)
    ] == returns_h


def test_a_device_that_has_left_does_not_return_with_its_house() -> None:
    """The outage of the household has nothing to do with it."""
    outcome = run(
        scripted("""
        {at: '07:00', do: leave, house: a, device: pv-a}
        {at: '07:00', do: leave, house: b, device: pv-b}
        {at: '08:00', do: offline, house: b, duration: 1h}
    """)
    )

    assert suppliers(outcome) == {"wash-a": "grid", "wash-b": "grid"}


@pytest.mark.parametrize(
    ("device", "agreed_h"), [("washer", {"wash-a": 6, "wash-b": 9}), ("pv-b", {"wash-a": 9, "wash-b": 9})]
)
def test_a_device_that_joins_a_house_that_is_offline_agrees_on_nothing_until_the_house_returns(
    device: str, agreed_h: dict[str, float]
) -> None:
    """It is there, and cannot be reached either: it made contracts at eight."""
    outcome = run(
        scripted(f"""
        {{at: '05:00', do: forecast, producer: pv-{"b" if device == "washer" else "a"}, factor: 0}}
        {{at: '07:00', do: offline, house: b, duration: 2h}}
        {{at: '08:00', do: join, house: b, device: {device}}}
    """)
    )
    by_panels = [entry.contract for entry in outcome.ledger if entry.contract.producer != "grid"]

    assert {one.job_id: (one.agreed_s - outcome.start_s) / 3600 for one in by_panels} == agreed_h


def test_a_house_that_stays_offline_takes_grid_power_at_the_last_moment() -> None:
    """Its appliances work, but it cannot negotiate."""
    outcome = run(scripted("{at: '05:00', do: offline, house: b}"))

    assert suppliers(outcome) == {"wash-a": "pv-a", "wash-b": "grid"}
    assert starts_h(outcome)["wash-b"] == 15.0


def test_producers_and_consumers_change_their_ways() -> None:
    """Without patience and production, a job takes grid power immediately."""
    outcome = run(
        scripted("""
        {at: '05:00', do: patience, patient: false}
        {at: '05:00', do: forecast, producer: pv-a, factor: 0}
        {at: '05:00', do: forecast, producer: pv-b, factor: 0}
        {at: '05:30', do: algorithm, algorithm: exact}
    """)
    )

    assert suppliers(outcome) == {"wash-a": "grid", "wash-b": "grid"}
    assert starts_h(outcome) == {"wash-a": 10.0, "wash-b": 11.0}


def test_a_tariff_changes_what_is_paid_from_then_on() -> None:
    """Twice the price for the grid power of the whole day, half the day: between one and two times the bill."""

    def bill_eur(scenario: Scenario) -> float:
        outcome = run(scenario)
        standing = [entry.contract for entry in outcome.ledger if entry.state == "standing"]
        world = as_planned(scenario)
        settled = settle(world, standing, outcome.start_s, outcome.end_s)
        return compute_kpis(world, settled, outcome.ledger, outcome.end_s).bill_eur or 0.0

    dark = "".join(f"{{at: '05:00', do: forecast, producer: {roof}, factor: 0}}\n" for roof in ("pv-a", "pv-b"))
    flat = bill_eur(scripted(dark))
    early = bill_eur(scripted(dark + "{at: '05:00', do: tariff, import_eur_per_kwh: 0.8}"))
    late = bill_eur(scripted(dark + "{at: '15:30', do: tariff, import_eur_per_kwh: 0.8}"))

    assert early == pytest.approx(2 * flat)
    assert flat < late < early


def test_faults_of_the_network_change_no_contract() -> None:
    """Messages are lost and delayed, the broker is restarted: the ledger is the one of a good network."""
    good = scripted("{at: '05:00', do: note, text: all is well}")
    bad = scripted("""
        {at: '05:00', do: link, house: a, loss: 0.3, delay_ms: 500, duration: 5h}
        {at: '06:00', do: restart_broker}
        {at: '08:00', do: restart_broker}
    """)

    assert run(bad).ledger_sha256 == run(good).ledger_sha256


def test_events_repeat_themselves_by_the_clock() -> None:
    """Three times, a day apart."""
    scenario = scripted("{at: '12:00', do: note, text: noon, repeat: {every: 1d, times: 3}}")

    assert [(event.at_s or 0) - scenario.start_s for event in scenario.timeline] == [43_200, 129_600, 216_000]


def test_the_spread_of_agents_changes_nothing() -> None:
    """One host, two, or one per household."""
    busy = scripted("""
        {at: '07:00', do: cloud, factor: 0.2, duration: 5h, travel: 10m}
        {at: '07:30', do: offline, house: a, duration: 2h}
        {at: '08:00', do: add_job, house: b, device: washer, id: extra, latest_start: 8h}
        {at: '00:30', do: forecast_error, every: 2h}
    """)

    assert len({run(busy, hosts=hosts).ledger_sha256 for hosts in (1, 2, None)}) == 1
