"""A real consumer device, event by event: when the end of its job is recorded, and what it cannot do by reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from agents.consumer import MakeConsumerSupply
from agents.device_events import (
    Announced,
    Availability,
    DeviceCommand,
    DeviceEvent,
    DeviceNotice,
    Forecasted,
    JobAsked,
    Left,
    Occupied,
    Reported,
    Vacated,
)
from agents.energy import FloatArray, IntArray, LoadProfile, Production
from agents.gateway.gateway_consumer import GatewayConsumer
from agents.gateway.gateway_settings import GatewaySettings, Prices
from agents.gateway.published_jobs import SharedTerms, SupplyTerms
from agents.messages import (
    Accept,
    AddJob,
    AnyMessage,
    ChangePrices,
    DeviceSaid,
    JobExecuted,
    Offered,
    Producers,
    ProducersFor,
)
from agents.model import MANAGER, TIMELINE
from agents.sharing import SharedConsumerSupply, SupplySettings
from agents.whole_supply import WholeConsumerSupply
from broker.hosts.agent import Outgoing
from broker.hosts.coroutines import MAX_WAITING_MESSAGES
from tests.agents.stage import Stage, on_stage, only, to

START_S = 1_782_021_600
HOUR_S = 3_600
AGENT = "adler/washer"
ECO = LoadProfile(times_s=(0, HOUR_S), cumulative_wh=(0.0, 400.0))
CONTRACT_S = START_S + 4 * HOUR_S
"""When the job of every test is to start."""


GATEWAY = GatewaySettings(id="w", house="adler", device="washer", profile="eco", profiles={"eco": ECO})


@contextmanager
def with_contract(gateway: GatewaySettings) -> Iterator[Stage]:
    """Have a washing machine with a job of an hour, which has a contract."""
    with on_stage(GatewayConsumer(AGENT, (), patient=True, gateway=gateway), START_S) as stage:
        sent = report(stage, JobAsked(id="wash", latest_start_s=START_S + 10 * HOUR_S))
        question = next(outgoing for outgoing in sent if isinstance(outgoing.message, ProducersFor))
        job_id = question.message.job_id  # type: ignore[attr-defined]  # see the line above
        asks = only(stage.say((MANAGER, Producers(job_id=job_id, producers=("pv",))), re=question))
        stage.say(("pv", Accept(job_id=job_id, start_s=CONTRACT_S)), re=asks)
        yield stage


@pytest.fixture
def washer() -> Iterator[Stage]:
    """Return a washing machine with a job of an hour, which has a contract."""
    with with_contract(GATEWAY) as stage:
        yield stage


def report(stage: Stage, *said: DeviceEvent) -> list[Outgoing]:
    """Have the device say something; return what its agent sends."""
    return stage.say(*[(AGENT, DeviceSaid(device="w", said=event)) for event in said])


def executed(sent: list[Outgoing]) -> list[tuple[str, str]]:
    """Return state and outcome of each execution that is reported to the manager."""
    return [(message.state, message.outcome) for message in to(MANAGER, sent) if isinstance(message, JobExecuted)]


def test_a_job_started_by_hand_ends_when_its_device_says_so_also_after_its_contract_has_started(washer: Stage) -> None:
    """The coroutine that runs the job by its contract takes over from the one that has followed it until then."""
    washer.wait_until(CONTRACT_S - HOUR_S // 2)
    assert executed(report(washer, Reported(state="EXECUTING"))) == [("EXECUTING", "started_by_hand")]
    assert executed(washer.wait_until(CONTRACT_S)) == []
    washer.wait_until(CONTRACT_S + HOUR_S // 2)
    assert executed(report(washer, Reported(state="FINISHED"))) == [("FINISHED", "started_by_hand")]


def measured_wh(washer: Stage, *readings: float, in_between: float | None = None) -> list[float]:
    """Return what the job drew by ten-minute readings of its counter, Wh since its start.

    Args:
        washer: With its job.
        readings: The counter at the start and every ten minutes from then on; the last one comes with the end.
        in_between: A reading a minute before the start; None: there is none.
    """
    if in_between is not None:
        washer.wait_until(CONTRACT_S - 120)
        report(washer, Reported(counter_wh=readings[0]))
        washer.wait_until(CONTRACT_S - 60)
        report(washer, Reported(counter_wh=in_between))
    washer.wait_until(CONTRACT_S)
    first, *others, last = readings
    report(washer, Reported(state="EXECUTING", counter_wh=first if in_between is None else None))
    for number, reading_wh in enumerate(others, start=1):
        washer.wait_until(CONTRACT_S + 600 * number)
        report(washer, Reported(counter_wh=reading_wh))
    washer.wait_until(CONTRACT_S + 600 * (len(others) + 1))
    sent = report(washer, Reported(state="FINISHED", counter_wh=last))
    measured = next(message.measured for message in to(MANAGER, sent) if isinstance(message, JobExecuted))
    assert measured is not None
    return list(measured.cumulative_wh)


@pytest.mark.parametrize(
    ("readings", "expected_wh"),
    [
        ([5_000.0, 5_010.0, 3_000.0, 5_030.0, 5_060.0], [0.0, 10.0, 10.0, 30.0, 60.0]),
        ([5_000.0, 3_001.0, 5_002.0, 3_003.0, 5_004.0], [0.0, 0.0, 2.0, 2.0, 4.0]),  # two devices on one topic
        ([5_000.0, 5_010.0, 20.0, 50.0, 60.0], [0.0, 10.0, 30.0, 60.0, 70.0]),  # a reset
    ],
    ids=["wrong", "two", "reset"],
)
def test_nothing_remains_of_a_reading_that_was_passed_over_in_what_a_job_drew(
    washer: Stage, readings: list[float], expected_wh: list[float]
) -> None:
    """The counter of 3,000 Wh counted as 3,000 Wh since a reset, and they stayed although it was none."""
    assert measured_wh(washer, *readings) == pytest.approx(expected_wh)


def test_a_job_that_starts_at_a_wrong_reading_is_measured_from_the_next_one(washer: Stage) -> None:
    """Its 3,000 Wh were taken for what had been drawn before, so that the job drew nothing until the end."""
    assert measured_wh(washer, 5_000.0, 5_010.0, 5_200.0, 5_400.0, in_between=3_000.0) == [0.0, 10.0, 200.0, 400.0]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (Reported(power_w=0.0), Reported(power_w=2_000.0), [("EXECUTING", "on_time")]),
        (Reported(power_w=0.0), Reported(power_w=4.0), []),  # at most `idle_w`
        (Reported(counter_wh=10.0), Reported(counter_wh=12.0), [("EXECUTING", "on_time")]),
        (Reported(counter_wh=10.0), Reported(counter_wh=10.0), []),
        (Reported(power_w=0.0, is_on=False), Reported(power_w=2_000.0), []),
    ],
    ids=["power", "idle", "counter", "counter stands", "reports its switch"],
)
def test_a_device_that_reports_no_switch_answers_a_command_by_what_it_draws(
    before: Reported, after: Reported, expected: list[tuple[str, str]]
) -> None:
    """It drew 2 kW, and its job was given up as not answered, so that nothing of that was settled."""
    with with_contract(replace(GATEWAY, is_switched=True, has_own_topics=True)) as plug:
        plug.wait_until(CONTRACT_S - 10)
        report(plug, before)
        plug.wait_until(CONTRACT_S)
        plug.wait_until(CONTRACT_S + 30)
        assert executed(report(plug, after)) == expected


def said_by(device: str, event: DeviceEvent) -> tuple[str, DeviceSaid]:
    """Return what a guest says, with its sender."""
    return AGENT, DeviceSaid(device=device, said=event)


def test_the_meter_of_a_guest_says_nothing_about_the_job_of_the_one_that_left_in_that_second() -> None:
    """Its energy begins at 0, which is not what the other one has drawn."""
    place = GatewaySettings(id="", house="adler", device="guest-1")
    with on_stage(GatewayConsumer(AGENT, (), patient=True, gateway=place), START_S) as stage:
        asked = JobAsked(id="charge", load=ECO, latest_start_s=START_S)
        sent = stage.say(*[said_by("old", event) for event in (Announced(type="consumer"), asked)])
        question = next(outgoing for outgoing in sent if isinstance(outgoing.message, ProducersFor))
        job_id = question.message.job_id  # type: ignore[attr-defined]  # see the line above
        asks = only(stage.say((MANAGER, Producers(job_id=job_id, producers=("pv",))), re=question))
        stage.say(("pv", Accept(job_id=job_id, start_s=START_S)), re=asks)
        stage.say(said_by("old", Reported(state="EXECUTING", counter_wh=0.0)))
        stage.wait_until(START_S + 600)
        stage.say(said_by("old", Reported(counter_wh=100.0)))
        stage.wait_until(START_S + 900)
        came = [said_by("new", event) for event in (Announced(type="consumer"), Reported(counter_wh=0.0))]
        sent = stage.say(said_by("old", Left()), *came)
    ended = next(message for message in to(MANAGER, sent) if isinstance(message, JobExecuted))
    assert (ended.outcome, ended.measured and ended.measured.energy_wh) == ("vanished", 100.0)


@pytest.mark.long
def test_a_device_that_repeats_its_state_until_its_job_starts_does_not_fill_its_agent(washer: Stage) -> None:
    """Nobody follows the job yet, and some machines report every second that their last programme is over."""
    finished = Reported(state="FINISHED")
    for second in range(101):
        washer.wait_until(START_S + 1 + second)
        assert executed(report(washer, *[finished] * (MAX_WAITING_MESSAGES // 100))) == []


@pytest.mark.parametrize(("rules", "expected_wh"), [(7, 0.0), (8, 2_000.0)])
def test_a_job_is_measured_by_power_if_the_counter_came_only_once(rules: int, expected_wh: float) -> None:
    """It comes before the job, and never again; the end comes without a reading. Earlier rules measured nothing."""
    with with_contract(replace(GATEWAY, rules=rules)) as washer:
        report(washer, Reported(power_w=0.0, counter_wh=5_000.0))
        washer.wait_until(CONTRACT_S)
        report(washer, Reported(state="EXECUTING", power_w=2_000.0))
        for minute in range(1, 60):
            washer.wait_until(CONTRACT_S + 60 * minute)
            report(washer, Reported(power_w=2_000.0))
        washer.wait_until(CONTRACT_S + HOUR_S)
        sent = report(washer, Reported(state="FINISHED"))
        measured = next(message.measured for message in to(MANAGER, sent) if isinstance(message, JobExecuted))
    assert measured is not None
    assert measured.cumulative_wh[-1] == pytest.approx(expected_wh)


@pytest.mark.parametrize(
    ("supply", "terms"),
    [
        (WholeConsumerSupply, None),
        (partial(SharedConsumerSupply, settings=SupplySettings("shared")), SharedTerms),
    ],
    ids=["whole", "shared"],
)
def test_a_device_learns_what_its_job_costs_when_prices_change(
    supply: MakeConsumerSupply, terms: Callable[[GatewaySettings], SupplyTerms] | None
) -> None:
    """Whatever its supply: a job of 400 Wh that the grid supplies costs 4 cents, then 20."""
    gateway = replace(GATEWAY, prices=Prices(ten_cents, ten_cents))
    washer = GatewayConsumer(
        AGENT, (), patient=False, gateway=gateway, supply=supply, terms=None if terms is None else terms(gateway)
    )
    with on_stage(washer, START_S) as stage:
        sent = report(stage, JobAsked(id="wash", latest_start_s=CONTRACT_S))
        question = only([outgoing for outgoing in sent if isinstance(outgoing.message, ProducersFor)])
        job_id = next(iter(washer.records))
        nothing: AnyMessage = Producers(job_id=job_id, producers=())
        if terms is not None:
            nothing = Offered(job_id=job_id, first_minute=START_S // 60, offers=())
        stage.say((MANAGER, nothing), re=question)
        assert prices_eur(washer)[-1] == pytest.approx(0.04, abs=1e-5)
        stage.say((TIMELINE, ChangePrices(import_eur_per_kwh=0.5)))
        assert prices_eur(washer) == [pytest.approx(0.2, abs=1e-5)]


def ten_cents(times_s: IntArray) -> FloatArray:
    """Return a price that never changes, EUR/kWh."""
    return np.full(len(times_s), 0.1)


def prices_eur(washer: GatewayConsumer) -> list[float | None]:
    """Return what the job costs by each notice that was published since this was called last."""
    notices = (one.content for one in washer.take_instructions())
    return [
        notice.content["price_eur"] for notice in notices if isinstance(notice, DeviceNotice) and notice.part == "job"
    ]


Said = tuple[int, DeviceEvent]
"""Seconds since the start of the contract, and what the device says then."""
RUNS, ENDS = Reported(state="EXECUTING"), Reported(state="FINISHED")
GONE, BACK = Availability(online=False), Availability(online=True)


def ending(rules: int, *said: Said) -> JobExecuted:
    """Return what is reported of a job at its end, by what its device says; before, it has drawn nothing."""
    with with_contract(replace(GATEWAY, rules=rules)) as washer:
        sent: list[Outgoing] = []
        for after_s, event in said:
            sent += [*washer.wait_until(CONTRACT_S + after_s), *report(washer, event)]
        executions = [message for message in to(MANAGER, sent) if isinstance(message, JobExecuted)]
    return executions[-1]


def watts(power_w: float, *after_s: int) -> list[Said]:
    """Return readings of a power at some times, seconds since the start of the contract."""
    return [(at_s, Reported(power_w=power_w)) for at_s in after_s]


@pytest.mark.parametrize(
    ("rules", "after_w", "expected_wh", "doubt"),
    [
        (8, 0.0, 2_500.0, ""),
        (9, 0.0, 500.0, "while offline, it may have drawn up to 2000 Wh more"),
        (9, 3_000.0, 2_550.0, ""),
        (9, 1_500.0, 1_525.0, "while offline, it may have drawn up to 1000 Wh more"),
    ],
    ids=["rules 8", "drove off", "lost its connection", "draws less"],
)
def test_a_device_without_a_counter_draws_the_lower_power_while_it_is_offline(
    rules: int, after_w: float, expected_wh: float, doubt: str
) -> None:
    """A car that drove off was charged until it was back; the job says what is not known."""
    offline = [(600, GONE), (3_000, BACK)]
    end = ending(rules, (0, RUNS), *watts(3_000.0, 0, 300), *offline, *watts(after_w, 3_000), (3_060, ENDS))
    assert end.measured is not None
    assert end.measured.energy_wh == pytest.approx(expected_wh)
    assert (end.outcome, end.reason) == ("on_time", doubt)


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        (10, "while offline, it may have drawn up to 1933 Wh more"),
        (11, "its device is offline; while offline, it may have drawn up to 1933 Wh more"),
    ],
)
def test_a_job_whose_device_vanished_says_why_and_what_is_not_known(rules: int, reason: str) -> None:
    """The ledger said only that it had vanished."""
    offline = [(600, GONE), (3_000, BACK)]
    end = ending(
        rules, (0, RUNS), *watts(3_000.0, 0, 300), *offline, *watts(100.0, 3_000), (3_060, GONE), (9_000, GONE)
    )
    assert (end.outcome, end.reason) == ("vanished", reason)


@pytest.mark.parametrize("rules", [9, 12])
def test_a_device_that_vanishes_after_a_wrong_reading_is_metered_until_its_last_right_one(rules: int) -> None:
    """Two points of what it drew had the same time, which ended its agent."""
    wrong = [(900, Reported(power_w=2e5)), (1_200, Reported(power_w=2e5))]
    end = ending(rules, (0, RUNS), *watts(3_000.0, 0, 300, 600), *wrong, (9_000, BACK))
    assert end.measured is not None
    assert (end.outcome, end.measured.times_s) == ("vanished", (0, 300, 600))
    assert end.measured.energy_wh == pytest.approx(500.0)


def drawing(power_w: float, counter_wh: float, after_s: int) -> Said:
    """Return a reading of power and counter, seconds since the start of the contract."""
    return after_s, Reported(power_w=power_w, counter_wh=counter_wh)


LONG_AWAY = [(600, GONE), (4_500, GONE), (2 * HOUR_S, BACK)]
"""A device is offline for longer than its programme was to take, and a quarter."""


@pytest.mark.parametrize(
    ("rules", "since", "points", "reason"),
    [
        (11, [drawing(0.0, 2_000.0, 2 * HOUR_S)], [(600, 333)], "its device is offline"),
        (12, [], [(600, 333)], "its device is offline"),
        (12, [drawing(0.0, 1_333.0, 2 * HOUR_S)], [(600, 333)], "its device is offline"),
        (
            12,
            [drawing(0.0, 2_000.0, 2 * HOUR_S), drawing(2_000.0, 2_400.0, 2 * HOUR_S + 60)],
            [(600, 333), (4_500, 1_000)],
            "its device is offline; its counter has shown since what it drew",
        ),
        (
            12,
            [drawing(600.0, 1_900.0, 2 * HOUR_S), drawing(0.0, 2_000.0, 2 * HOUR_S + 600)],
            [(600, 333), (4_500, 900), (7_800, 1_000)],
            "its device is offline; its counter has shown since what it drew",
        ),
        (
            12,
            [drawing(600.0, 1_900.0, 3 * HOUR_S), drawing(0.0, 2_000.0, 4 * HOUR_S)],
            [(600, 333), (4_500, 900)],
            "its device is offline; its counter has shown since what it drew",
        ),
    ],
    ids=["rules 11", "never back", "drew no more", "is over", "still runs", "draws at another time"],
)
def test_a_counter_shows_what_a_vanished_device_drew_once_it_is_back(
    rules: int, since: list[Said], points: list[tuple[int, float]], reason: str
) -> None:
    """Two thirds of a programme that ended while the plug was offline were in no bill."""
    runs = [(0, RUNS), drawing(2_000.0, 1_000.0, 0), drawing(2_000.0, 1_167.0, 300)]
    end = ending(rules, *runs, *LONG_AWAY, *since)
    assert end.measured is not None
    assert (end.state, end.outcome, end.reason) == ("ABORTED", "vanished", reason)
    drawn = [(0, 0), (300, 167), *points]
    assert end.measured.times_s == tuple(at_s for at_s, _ in drawn)
    assert end.measured.cumulative_wh == pytest.approx([wh for _, wh in drawn], abs=1)


RAN = [(0, RUNS), drawing(2_000.0, 1_000.0, 0), drawing(2_000.0, 1_167.0, 300)]
"""A programme of 2 kW has begun."""


def test_what_a_device_has_drawn_elsewhere_after_it_had_left_is_not_of_its_job() -> None:
    """The counter of a car goes on wherever it is charged."""
    end = ending(12, *RAN, (600, Left()), (3_000, Announced(type="consumer")), drawing(0.0, 3_000.0, 3_060))
    assert end.measured is not None
    assert end.reason == "its device has left"
    assert end.measured.energy_wh == pytest.approx(333, abs=1)


def test_a_vanished_device_that_falls_silent_again_is_metered_for_as_long_as_a_job_may_take() -> None:
    """Its job seemed to have drawn for days."""
    days_s = 3 * 24 * HOUR_S
    end = ending(12, *RAN, *LONG_AWAY, drawing(600.0, 1_900.0, 2 * HOUR_S), drawing(0.0, 2_100.0, days_s))
    assert end.measured is not None
    assert end.measured.times_s[-2:] == (4_500, 3 * HOUR_S)
    assert end.measured.energy_wh == pytest.approx(1_100.0)


@pytest.mark.parametrize("end", [Reported(is_on=False), ENDS], ids=["switched off", "finished"])
def test_a_vanished_device_that_still_ran_is_metered_until_it_says_that_it_runs_no_more(end: Reported) -> None:
    """A charger that repeats only what changes had drawn its last power for hours, until its counter was repeated."""
    later = [(2 * HOUR_S + 60, end), drawing(600.0, 2_500.0, 2 * HOUR_S + 600)]
    last = ending(12, *RAN, *LONG_AWAY, drawing(600.0, 1_900.0, 2 * HOUR_S), *later)
    assert last.measured is not None
    assert last.measured.energy_wh == pytest.approx(900.0)


def test_a_vanished_device_whose_counter_may_have_been_reset_may_have_drawn_what_it_shows() -> None:
    """Its job said only that it had been offline."""
    back_s = 12 * HOUR_S
    away = [(600, GONE), (4_500, GONE), (back_s, BACK)]
    since = [drawing(0.0, counter_wh, back_s + 60 * n) for n, counter_wh in enumerate((700.0, 700.0, 700.5, 700.5))]
    end = ending(12, *RAN, *away, *since)
    assert end.reason == "its device is offline; while offline, it may have drawn up to 700 Wh more"
    assert end.measured is not None
    assert end.measured.energy_wh == pytest.approx(333, abs=2)


def test_a_device_that_was_silent_has_not_drawn_its_last_power_until_its_counter_comes() -> None:
    """Its power came first, for five minutes; so two hours at 2 kW counted, whatever the counter showed then."""
    silent_s = 3 * HOUR_S
    powers = watts(0.0, *range(silent_s, silent_s + 601, 60))
    end = ending(12, *RAN, (600, RUNS), (5_000, RUNS), *powers, drawing(0.0, 2_000.0, silent_s + 660))
    assert end.measured is not None
    assert end.outcome == "vanished"
    assert end.measured.energy_wh == pytest.approx(1_000.0)


@pytest.mark.parametrize("counter_comes", [True, False])
def test_a_job_that_begins_before_a_plug_is_read_again_has_not_drawn_what_it_drew_while_it_was_offline(
    *, counter_comes: bool
) -> None:
    """The next job was charged with what the counter had counted since the one before had vanished."""
    with with_contract(GATEWAY) as washer:
        for after_s, event in [*RAN, *LONG_AWAY]:
            washer.wait_until(CONTRACT_S + after_s)
            report(washer, event)
        sent = report(washer, JobAsked(id="next", latest_start_s=CONTRACT_S + 3 * HOUR_S))
        question = next(outgoing for outgoing in sent if isinstance(outgoing.message, ProducersFor))
        job_id = question.message.job_id  # type: ignore[attr-defined]  # see the line above
        asks = only(washer.say((MANAGER, Producers(job_id=job_id, producers=("pv",))), re=question))
        washer.say(("pv", Accept(job_id=job_id, start_s=CONTRACT_S + 2 * HOUR_S)), re=asks)
        sent = report(washer, RUNS, Reported(power_w=1_800.0))
        later = [drawing(1_800.0, 2_030.0, 2 * HOUR_S + 60)] if counter_comes else watts(1_800.0, 2 * HOUR_S + 60)
        for after_s, event in [*later, (2 * HOUR_S + 120, ENDS)]:
            sent += [*washer.wait_until(CONTRACT_S + after_s), *report(washer, event)]
    ends = {m.job_id: m for m in to(MANAGER, sent) if isinstance(m, JobExecuted) and m.state in {"FINISHED", "ABORTED"}}
    drawn = {job.rpartition("/")[2]: end.measured.energy_wh for job, end in ends.items() if end.measured is not None}
    assert drawn == pytest.approx({"wash": 1_000.0, "next": 60.0} if counter_comes else {"next": 60.0}, abs=1)


def test_a_run_that_ends_while_a_device_that_had_vanished_still_runs_records_what_is_known() -> None:
    """Its counter has been read again once."""
    with with_contract(GATEWAY) as washer:
        runs = [(0, RUNS), drawing(2_000.0, 1_000.0, 0), *LONG_AWAY, drawing(600.0, 1_900.0, 2 * HOUR_S)]
        for after_s, event in runs:
            washer.wait_until(CONTRACT_S + after_s)
            report(washer, event)
        sent = washer.close()
    (end,) = [message for message in to(MANAGER, sent) if isinstance(message, JobExecuted)]
    assert end.measured is not None
    assert end.measured.energy_wh == pytest.approx(900)


@pytest.mark.parametrize(("away", "back"), [(GONE, BACK), (Occupied(run="other"), Vacated())])
def test_the_power_of_a_device_is_not_known_while_nothing_is_heard_of_it(
    washer: Stage, away: DeviceEvent, back: DeviceEvent
) -> None:
    """Its last power was shown as the present one for as long as it was away."""
    shown = []
    for minute, said in enumerate((Reported(power_w=2_000.0), away, back, Reported(power_w=10.0))):
        washer.wait_until(START_S + 60 * minute)
        report(washer, said)
        notices = [one.content for one in washer.agent.take_instructions()]
        shown += [n.content["power_w"] for n in notices if isinstance(n, DeviceNotice) and n.part == "state"][-1:]
    assert shown == [2_000.0, None, 2_000.0, 10.0]


@pytest.mark.parametrize(("rules", "expected_wh"), [(8, 0.0), (9, 2_000.0)])
def test_a_device_that_vanishes_has_drawn_its_last_power_until_it_was_offline(rules: int, expected_wh: float) -> None:
    """It reports its power only when that changes."""
    with with_contract(replace(GATEWAY, rules=rules)) as washer:
        washer.wait_until(CONTRACT_S)
        report(washer, RUNS, Reported(power_w=2_000.0))
        washer.wait_until(CONTRACT_S + HOUR_S)
        sent = report(washer, GONE)
        sent += washer.wait_until(CONTRACT_S + 2 * HOUR_S)
    end = next(m for m in to(MANAGER, sent) if isinstance(m, JobExecuted) and m.outcome == "vanished")
    assert (0.0 if end.measured is None else end.measured.energy_wh) == pytest.approx(expected_wh)


@pytest.mark.parametrize(("rules", "expected_wh"), [(8, 0.0), (9, 400 / 3)])
def test_a_job_that_ends_before_its_counter_comes_is_measured_by_power(rules: int, expected_wh: float) -> None:
    """Four minutes at 2 kW were nothing, because a counter is absent only after five."""
    before = (-60, Reported(power_w=0.0, counter_wh=5_000.0))
    end = ending(rules, before, (0, RUNS), *watts(2_000.0, 0, 60, 120, 180), (240, ENDS))
    assert end.measured is not None
    assert end.measured.energy_wh == pytest.approx(expected_wh)


@pytest.mark.parametrize(("rules", "expected_wh"), [(8, 433.333), (9, 33.333)])
def test_what_a_device_drew_before_its_job_is_not_the_jobs(rules: int, expected_wh: float) -> None:
    """Its 100 W of four hours before the start counted in the first minute."""
    end = ending(
        rules, *watts(100.0, -4 * HOUR_S + 1), (0, RUNS), *watts(2_000.0, 0), (60, Reported(power_w=0.0)), (120, ENDS)
    )
    assert end.measured is not None
    assert end.measured.energy_wh == pytest.approx(expected_wh, abs=0.1)


@pytest.mark.parametrize(("rules", "finished_s"), [(8, HOUR_S * 5 // 4), (9, HOUR_S // 2)])
def test_a_device_whose_first_report_says_that_it_draws_is_over_when_the_next_one_says_that_it_does_not(
    rules: int, finished_s: int
) -> None:
    """It reports changes only, so there is no further report in which it draws."""
    with with_contract(replace(GATEWAY, rules=rules)) as washer:
        washer.wait_until(CONTRACT_S)
        report(washer, Reported(state="EXECUTING", power_w=2_000.0))
        washer.wait_until(CONTRACT_S + 600)
        report(washer, Reported(power_w=1.0))
        assert executed(washer.wait_until(CONTRACT_S + finished_s - 1)) == []
        assert executed(washer.wait_until(CONTRACT_S + finished_s)) == [("FINISHED", "on_time")]


@pytest.mark.parametrize(("rules", "expected_wh"), [(8, 12_388.0), (9, 33.333)])
def test_a_counter_that_changes_its_unit_is_metered_by_power(rules: int, expected_wh: float) -> None:
    """Its 12.4 kWh became 12,400 Wh: a washing machine cannot have drawn the difference in a minute."""
    counters = [(0, 12.4), (60, 12_400.0), (61, 12_400.5)]
    said = [(at_s, Reported(power_w=2_000.0, counter_wh=counter_wh)) for at_s, counter_wh in counters]
    end = ending(rules, (0, RUNS), *said, (62, ENDS))
    assert end.measured is not None
    assert end.measured.energy_wh == pytest.approx(expected_wh, abs=2)


@pytest.mark.parametrize(("after_w", "expected_wh"), [(0.0, 400.0), (3_000.0, 2_550.0)])
def test_a_doubtful_measurement_is_not_expected_of_the_next_job(after_w: float, expected_wh: float) -> None:
    """The next charge of a car that had driven off was planned with what it had drawn until then."""
    with with_contract(GATEWAY) as washer:
        for after_s, event in (
            (0, RUNS),
            (0, Reported(power_w=3_000.0)),
            (600, GONE),
            (3_000, BACK),
            (3_000, Reported(power_w=after_w)),
            (3_060, ENDS),
        ):
            washer.wait_until(CONTRACT_S + after_s)
            report(washer, event)
        sent = report(washer, JobAsked(id="again", latest_start_s=CONTRACT_S + 5 * HOUR_S))
    (added,) = [message for message in to(MANAGER, sent) if isinstance(message, AddJob)]
    assert added.job.energy_wh == pytest.approx(expected_wh)


def test_a_job_by_a_counter_that_seems_to_be_in_kwh_says_so_and_is_not_learned(washer: Stage) -> None:
    """Without readings of power, nothing else shows it: the next job was planned with 0.4 Wh."""
    washer.wait_until(CONTRACT_S)
    report(washer, Reported(state="EXECUTING", counter_wh=5.0))
    washer.wait_until(CONTRACT_S + HOUR_S)
    sent = report(washer, Reported(state="FINISHED", counter_wh=5.4))
    notices = [one.content for one in washer.agent.take_instructions() if isinstance(one.content, DeviceNotice)]
    errors = [notice.content["problem"] for notice in notices if notice.part == "error"]
    assert errors == [
        "job 'wash' has drawn 0.4 Wh, and not 400 Wh as planned, as if the counter was in kWh and not in Wh"
    ]
    assert executed(sent)[-1] == ("FINISHED", "on_time")
    requested = to(MANAGER, report(washer, JobAsked(id="next", latest_start_s=START_S + 20 * HOUR_S)))
    assert [one.job.load_profile.energy_wh for one in requested if isinstance(one, AddJob)] == [400.0]


PLUG = replace(GATEWAY, is_switched=True)
ON, OFF = Reported(is_on=True, power_w=1_000.0), Reported(is_on=False, power_w=0.0)
IDLE = Reported(is_on=True, power_w=1.0)
AWAY: list[Said] = [(0, ON), (60, ON), (600, GONE)]
"""A plug is offline from the eleventh minute of its programme on; after 75 minutes, its job ends as `vanished`."""
DAY_S = 24 * HOUR_S


def switched_off_s(gateway: GatewaySettings, *said: Said, until_s: int = 6 * HOUR_S) -> list[int]:
    """Return when a plug is switched off by its gateway, seconds since the start of the contract.

    Args:
        gateway: The plug.
        said: What it says.
        until_s: The end of the test; the plug says nothing after the last of `said`.
    """
    at_s: list[int] = []
    with with_contract(gateway) as washer:
        for now_s in range(0, until_s + 1, 60):
            washer.wait_until(CONTRACT_S + now_s)
            report(washer, *[event for after_s, event in said if after_s == now_s])
            contents = [one.content for one in washer.agent.take_instructions()]
            at_s += [now_s for content in contents if isinstance(content, DeviceCommand) and content.command == "stop"]
    return at_s


@pytest.mark.parametrize(
    ("rules", "since", "expected_s"),
    [
        (12, [(7_200, BACK), (7_200, IDLE)], []),
        (13, [(7_200, BACK)], []),
        (13, [(7_200, BACK), (7_200, IDLE)], [7_500]),
        (13, [(7_200, BACK), (7_200, ON), (7_260, ON), (7_320, IDLE)], [7_620]),
        (13, [(7_200, BACK), (7_200, IDLE), (7_320, GONE), (9_000, BACK), (9_060, IDLE)], [9_360]),
        (13, [(7_200, BACK), (7_200, IDLE), (7_260, ON), (7_320, IDLE)], [7_620]),
        (13, [(7_200, BACK), (7_200, OFF), (7_260, IDLE)], []),
        (13, [(7_200, BACK), (7_200, IDLE), (7_500, OFF), (9_000, IDLE)], [7_500]),
        (13, [(7_200, BACK), *[(at_s, IDLE) for at_s in range(7_200, 20_000, 60)]], [7_500, 7_800, 8_100]),
    ],
    ids=[
        "rules 12",
        "not read",
        "over",
        "still runs",
        "offline again",
        "just a pause",
        "is off",
        "obeys",
        "does not obey",
    ],
)
def test_a_plug_that_vanished_during_its_job_is_switched_off_once_its_programme_is_over(
    rules: int, since: list[Said], expected_s: list[int]
) -> None:
    """It stayed on for good, whatever was behind it: nobody else ended the job."""
    assert switched_off_s(replace(PLUG, rules=rules), *AWAY, *since) == expected_s


PAUSE: list[Said] = [(0, ON), (60, ON), (600, IDLE), (900, GONE), (1_200, BACK), (1_200, Reported(is_on=True))]
"""A plug is offline for five minutes, in a pause of its programme, and reports no power when it is back."""


@pytest.mark.parametrize(
    ("since", "expected_s"),
    [
        ([(at_s, Reported(is_on=True)) for at_s in range(1_500, 7_200, 300)], []),
        ([(1_260, IDLE)], [2_160]),
        ([(3_000, ON), (4_800, IDLE)], [5_100]),
    ],
    ids=["not read again", "idle", "ran on"],
)
def test_a_plug_that_was_offline_in_a_pause_is_not_switched_off_before_it_shows_that_its_programme_is_over(
    since: list[Said], expected_s: list[int]
) -> None:
    """It was switched off at half time, or when its programme should have ended, by what it had read before."""
    assert switched_off_s(PLUG, *PAUSE, *since, until_s=7_200)[:1] == expected_s


def test_an_appliance_that_draws_on_after_its_plug_had_vanished_is_switched_off_a_day_later() -> None:
    """An immersion heater would heat until somebody notices; the limit is that of a plug that never vanished."""
    heats = [(at_s, ON) for at_s in range(7_200, 2 * DAY_S, HOUR_S)]
    off_s = 2 * HOUR_S + HOUR_S + DAY_S
    assert switched_off_s(PLUG, *AWAY, (7_200, BACK), *heats, (off_s, OFF), until_s=2 * DAY_S) == [off_s]


def test_a_plug_that_shows_neither_switch_nor_power_is_switched_off_as_soon_as_it_is_online() -> None:
    """Its programme is over by then, as far as anybody can know. It cannot confirm the command, which is sent once."""
    assert switched_off_s(PLUG, (0, RUNS), (600, GONE), (7_200, BACK), (9_000, BACK)) == [7_200]


FINISHED: list[Said] = [(0, ON), (3_000, IDLE)]
"""After five minutes without power, the programme is over, and the plug is switched off."""


@pytest.mark.parametrize(
    ("rules", "since", "expected_s"),
    [
        (13, [(3_300, OFF), (3_600, IDLE)], [3_300]),
        (13, [(3_360, IDLE)], [3_300]),
        (13, [(3_420, IDLE)], [3_300, 3_720]),
        (12, [(3_420, IDLE)], [3_300]),
        (13, [(3_420, ON), (3_480, IDLE), (3_780, OFF)], [3_300, 3_780]),
    ],
    ids=["obeys", "says so too late", "does not obey", "rules 12", "draws again"],
)
def test_a_plug_that_has_not_read_the_command_is_switched_off_again(
    rules: int, since: list[Said], expected_s: list[int]
) -> None:
    """Its connection was interrupted when its programme ended: it stayed on, and the next one began by hand."""
    assert switched_off_s(replace(PLUG, rules=rules), *FINISHED, *since) == expected_s


def test_a_plug_that_runs_the_next_job_is_switched_off_after_that_one() -> None:
    """The job before, during which it had vanished, does not cut it short."""
    stops_s: list[int] = []
    with with_contract(PLUG) as washer:
        for after_s, event in [*AWAY, (4_500, GONE)]:
            washer.wait_until(CONTRACT_S + after_s)
            report(washer, event)
        sent = report(washer, JobAsked(id="next", latest_start_s=CONTRACT_S + 3 * HOUR_S))
        question = next(outgoing for outgoing in sent if isinstance(outgoing.message, ProducersFor))
        job_id = question.message.job_id  # type: ignore[attr-defined]  # see the line above
        asks = only(washer.say((MANAGER, Producers(job_id=job_id, producers=("pv",))), re=question))
        washer.say(("pv", Accept(job_id=job_id, start_s=CONTRACT_S + 7_200)), re=asks)
        said = {7_140: IDLE, 7_200: ON, 7_800: IDLE, 8_040: ON, 12_000: IDLE}
        for after_s in range(4_560, 6 * HOUR_S, 60):
            washer.wait_until(CONTRACT_S + after_s)
            if after_s in said:
                report(washer, BACK, said[after_s])
            contents = [one.content for one in washer.agent.take_instructions()]
            stops_s += [
                after_s for content in contents if isinstance(content, DeviceCommand) and content.command == "stop"
            ]
    assert stops_s == [12_300]


def test_a_device_that_asks_for_more_than_the_neighbourhood_takes_is_told_so() -> None:
    """The manager refuses such jobs, so its gateway does not promise them to the device."""
    fine = LoadProfile(times_s=tuple(range(10_000)), cumulative_wh=tuple(0.1 * n for n in range(10_000)))
    with on_stage(GatewayConsumer(AGENT, (), patient=True, gateway=GATEWAY), START_S) as stage:
        sent = [
            report(stage, JobAsked(id=f"wash-{n}", load=fine, latest_start_s=START_S + 10 * HOUR_S)) for n in range(27)
        ]
        notices = [one.content for one in stage.agent.take_instructions() if isinstance(one.content, DeviceNotice)]
    assert sum(isinstance(one.message, AddJob) for each in sent for one in each) == 25
    errors = [(notice.content["problem"], notice.content["expected"]) for notice in notices if notice.part == "error"]
    problem = "the device asks for jobs with 260000 points in total, more than 250000"
    assert errors == [(problem, "fewer, shorter or simpler jobs")] * 2


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (Announced(type="producer"), "type 'consumer'"),
        (
            Forecasted(production=Production(times_s=(START_S, START_S + 60), cumulative_wh=(0.0, 1.0))),
            "forecasts only of producers",
        ),
    ],
)
def test_what_a_consumer_may_not_say_is_answered_with_who_may(said: DeviceEvent, expected: str) -> None:
    """The answer to a consumer that sent a forecast was that `type 'consumer'` is expected, which it had announced."""
    with on_stage(GatewayConsumer(AGENT, (), patient=True, gateway=GATEWAY), START_S) as stage:
        report(stage, said)
        notices = [one.content for one in stage.agent.take_instructions() if isinstance(one.content, DeviceNotice)]
    errors = [(notice.content["problem"], notice.content["expected"]) for notice in notices if notice.part == "error"]
    assert errors == [("the device is a consumer", expected)]
