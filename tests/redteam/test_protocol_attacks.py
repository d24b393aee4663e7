"""Attacks on time, the clock, the other processes and the counted rounds by a member of the neighbourhood."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from broker.clock.settings import OnLoss
from broker.errors import AgentFailedError, HostsMissingError
from broker.protocol import topics
from broker.protocol.wire import Announcement, Wake
from scenarios.results.files import SimulationSpec, create_results
from scenarios.results.reader import ResultsReader
from scenarios.results.writer import RunWriter
from scenarios.scenario import Scenario
from scenarios.simulation.agent_limits import most_rounds, most_rounds_a_second, most_timers
from scenarios.simulation.outcome import RunOutcome
from tests.deployment.guarded import GuardedBroker
from tests.redteam.attacked import Attacked, attack_guarded, attack_in_memory, between_others, unsigned
from tests.redteam.member import Attack, Member, Sent, Turn

MEMBER = "brandt"
LIMIT_WALL_S = 5.0


@dataclass(frozen=True, slots=True)
class Case:
    """An attack of the table, and what is to come of it."""

    number: int
    name: str
    attack: Attack
    ends: str = "quarantined"
    """`quarantined`, `dropped`, or `done` (none was quarantined)."""
    on_loss: OnLoss = "drop"
    house: str = MEMBER


def once(what: Callable[[Turn], None]) -> Attack:
    """Attack in the first round after the start only."""

    def attack(turn: Turn) -> None:
        if turn.is_first_of_run:
            what(turn)

    return attack


def says(body: object, to: str = "manager", **fields: object) -> Attack:
    """Send one message, which is counted."""
    return once(lambda turn: turn.say(to, body, **fields))  # type: ignore[arg-type]  # fields that no agent would send


def answers(**fields: object) -> Attack:
    """Answer the clock with these values in one round."""
    return once(lambda turn: turn.done.update(fields))


def in_each_run_round(what: Callable[[Turn], None]) -> Attack:
    """Attack in every round of the run."""

    def attack(turn: Turn) -> None:
        if turn.grant.phase == "run":
            what(turn)

    return attack


def contract(**changes: object) -> dict[str, Any]:
    """A report of a contract for a job of the member's own."""
    agreed = {
        "contract_id": "brandt-whites/1", "job_id": "brandt-whites", "producer": "grid", "start_s": 1782018000,
        "agreed_s": 1782018000, "energy_wh": 1000.0,
    }  # fmt: skip
    return {"kind": "ContractAgreed", "contract": agreed | changes, "reason": ""}


def request(**changes: object) -> dict[str, Any]:
    """A request for a job of the member's own."""
    job = {
        "job_id": "brandt-x", "source_id": "brandt-x", "house": "brandt", "device": "x", "profile": "x",
        "load_profile": {"times_s": [0, 60], "cumulative_wh": [0.0, 1.0]}, "registered_s": 1781992800,
        "earliest_start_s": 1782018000, "latest_start_s": 1782025000,
    } | changes  # fmt: skip
    starts = [[job["earliest_start_s"], job["latest_start_s"]]]
    return {"kind": "Request", "job": job, "patient": False, "starts": starts, "held": False}


def load(duration_s: int) -> dict[str, Any]:
    """A load profile of two points."""
    return {"times_s": [0, duration_s], "cumulative_wh": [0.0, 1.0]}


def rewritten(body: dict[str, Any], old: bytes, new: bytes) -> Attack:
    """Send one message as bytes that no JSON encoder of ours would write."""

    def what(turn: Turn) -> None:
        turn.say("manager", body)
        last = turn.sent[-1]
        assert old in last.payload
        turn.sent[-1] = Sent(last.home, last.to, last.payload.replace(old, new))

    return once(what)


def steals_sessions(turn: Turn) -> None:
    """Announce the sessions of all others under the own name; the harness has read them in the roster."""
    for host, session in turn.member.sessions.items():
        if host != turn.member.house:
            stolen = Announcement(host=turn.member.house, session=session, agents=("other",), state="there")
            turn.raw.append((topics.host(turn.member.run, turn.member.house), stolen.encoded()))


def announces_long_sessions(turn: Turn) -> None:
    """Announce processes whose sessions would not fit into a roster."""
    for digit in "12":
        there = {"v": 6, "host": MEMBER, "session": digit * 400_000, "agents": [], "state": "there"}
        turn.raw.append((topics.host(turn.member.run, MEMBER), json.dumps(there).encode()))


def promises(host: str) -> Attack:
    """Count five messages to a host that never come."""
    return once(lambda turn: turn.done.update(sent={host: 5}))


def lures(kind: str, **fields: object) -> Attack:
    """Tell waiting jobs of others to ask an agent that does not answer."""

    def what(turn: Turn) -> None:
        for agent in turn.member.everybody:
            if "/" in agent and turn.member.home_of(agent) != turn.member.house:
                for job_id in ("dahl-fridge-3", "ebert-dishes-party"):
                    turn.say(agent, {"kind": kind, "job_id": job_id, **fields})

    return in_each_run_round(what)


def keeps_silent(turn: Turn) -> None:
    """Answer no request, as a producer that others ask."""
    turn.keep_silent("Accept", "Decline")


def poses_as_a_producer(turn: Turn) -> None:
    """Join as a producer, which is then asked and never answers."""
    own = turn.member.agents[0]
    turn.say("manager", {"kind": "ProducerJoined", "producer": own})


def goes_back_in_time(turn: Turn) -> None:
    """Ask for a round a year ago, to set the clocks of all others back."""
    turn.done["next"] = turn.grant.time - 365 * 86_400


def wakes_every_second(turn: Turn) -> None:
    """Request a round in every second of the run, without any action."""
    turn.done["next"] = turn.grant.time + 1


def asks_for_rounds(turn: Turn) -> None:
    """The same, as if a device had said something."""
    wake = Wake(session=turn.member.session, taken=turn.grant.step)
    turn.raw.append((topics.wake(turn.member.run, turn.member.house), wake.encoded()))


def talks_to_itself(turn: Turn) -> None:
    """Prolong the present second for as long as possible, and the next one, too."""
    turn.done["next"] = turn.grant.time + 1
    turn.say(turn.member.agents[0], WITHDRAW)


def replays(turn: Turn) -> None:
    """Send a message again under its old number."""
    for message in list(turn.sent):
        turn.sent.append(Sent(message.home, message.to, message.payload, is_counted=False))


WITHDRAW = {"kind": "Withdraw", "job_id": "x"}
CASES = [
    Case(1, "a body without a kind", says({})),
    Case(1, "a body without a kind where hosts are waited for", says({}), on_loss="wait"),
    Case(2, "a question without its list", says({"kind": "ProducersFor", "job_id": "x"}), "done"),
    Case(3, "a list as kind", says({"kind": ["a"]})),
    Case(3, "a mapping as kind", says({"kind": {"a": 1}})),
    Case(4, "a number of 2^63", says(WITHDRAW, seq=2**63)),
    Case(5, "a time of 2^70", says(WITHDRAW, time=2**70)),
    Case(6, "the sessions of others", once(steals_sessions), "done"),
    Case(7, "sessions of 400 kB", once(announces_long_sessions)),
    Case(12, "a start of 2^70", says(contract(start_s=2**70))),
    Case(12, "a start of 4,200 digits", rewritten(contract(), b'"start_s": 1782018000', b'"start_s": ' + b"9" * 4_200)),
    Case(12, "a start of 2^45", says(contract(start_s=2**45)), "done"),
    Case(13, "an empty contract id", says(contract(contract_id="")), "done"),
    Case(13, "a contract id of 70,000 characters", says(contract(contract_id="x" * 70_000)), "done"),
    Case(14, "an energy of NaN", rewritten(contract(), b"1000.0", b"NaN")),
    Case(15, "an infinite energy", rewritten(contract(), b"1000.0", b"1e999")),
    Case(15, "a start that is not a whole number", rewritten(contract(), b"1782018000", b"1782018000.0"), "done"),
    Case(15, "control characters in ids", says(contract(contract_id="a\0b", job_id="a\0b")), "done"),
    Case(15, "a key twice", rewritten(WITHDRAW, b'"job_id"', b'"kind": "Hold", "job_id"'), "done"),
    Case(16, "a failure of another's agent", answers(failure={"agent": "pv-adler", "traceback": "it was pv-adler"})),
    Case(16, "a failure of its own", answers(failure={"agent": "pv-brandt", "traceback": "Error: \x1b]0;x\x07"})),
    Case(19, "a load of 10^12 s", says(request(load_profile=load(10**12)), "pv-adler"), "done"),
    Case(19, "a load of 2^70 s", says(request(load_profile=load(2**70)), "pv-adler")),
    Case(19, "a window of 2^70 s", says(request(earliest_start_s=-(2**70), latest_start_s=2**70), "pv-adler")),
    Case(20, "a load of 2 * 10^9 s", says(request(load_profile=load(2 * 10**9)), "pv-adler"), "done"),
    Case(29, "a producer that never answers", keeps_silent, "done", house="celik"),
    Case(30, "producers that do not exist", lures("Producers", producers=["pv-ghost"]), "done"),
    Case(31, "openings of a consumer", lures("Opening"), "done"),
    Case(27, "a consumer that poses as a producer", once(poses_as_a_producer), "done"),
    Case(28, "a producer joined in another's name", says({"kind": "ProducerJoined", "producer": "pv-ghost"}), "done"),
    Case(32, "a timer a year ago", once(goes_back_in_time)),
    Case(33, "timers at 10^30", in_each_run_round(lambda turn: turn.done.update(next=10**30))),
    Case(33, "timers at 2^63", in_each_run_round(lambda turn: turn.done.update(next=2**63))),
    Case(34, "a timer at -10^30", answers(next=-(10**30))),
    Case(34, "a timer at 10^30", answers(next=10**30)),
    Case(35, "messages to adler that never come", promises("adler"), "dropped"),
    Case(35, "messages to the manager that never come", promises("manager"), "dropped"),
    Case(36, "half a surrogate pair", rewritten(WITHDRAW, b'"x"', b'"\\ud800"')),
    Case(37, "a payload of 540 kB", says(request(profile="x" * 540_000), "pv-adler")),
    Case(41, "a message again", in_each_run_round(replays), "done"),
    Case(41, "a body 190 deep", rewritten(WITHDRAW | {"d": 0}, b"0}", b'{"a":' * 190 + b"1" + b"}" * 191)),
]  # fmt: skip


def check(case: Case, attacked: Attacked, street: Scenario, calm: RunOutcome) -> None:
    """Compare the outcome of an attack with the expected one.

    Only the expected member is quarantined; all jobs of others have contracts; both parties signed each contract; and
    as long as no member is quarantined or refuses to supply, no contract between two others changes.
    """
    outcome = attacked.done
    out = {dropped.host: dropped.is_quarantined for dropped in outcome.without}
    assert out == {"done": {}, "quarantined": {case.house: True}, "dropped": {case.house: False}}[case.ends]
    assert unsigned(street, attacked) == []
    standing = {entry.contract.job_id for entry in outcome.ledger if entry.state == "standing"}
    assert {job.job_id for job in street.jobs if job.house != case.house} <= standing
    if case.ends == "done" and case.attack is not keeps_silent:
        assert between_others(street, outcome, case.house) == between_others(street, calm, case.house)


@pytest.mark.long
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.number}: {case.name}")
async def test_the_run_is_done_without_the_liar_if_need_be(
    case: Case, street: Scenario, guarded: GuardedBroker, calm: RunOutcome
) -> None:
    """Over the guarded broker no other process fails, and the outcome names only the quarantined member."""
    member = Member(street, case.house, f"attack-{CASES.index(case)}", case.attack)
    attacked = await attack_guarded(street, member, guarded, on_loss=case.on_loss, limit_wall_s=LIMIT_WALL_S)
    check(case, attacked, street, calm)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.number in {1, 16, 32}], ids=lambda case: f"{case.number}: {case.name}"
)
async def test_some_attacks_in_memory(case: Case, street: Scenario, calm: RunOutcome) -> None:
    """The same without a broker."""
    member = Member(street, case.house, "memory", case.attack)
    check(case, await attack_in_memory(street, member, on_loss=case.on_loss), street, calm)


@pytest.mark.long
@pytest.mark.parametrize("rules", [{}, {"supply": "shared"}, {"promise": "late"}], ids=str)
async def test_honest_members_stay_far_below_every_limit(street: Scenario, rules: dict[str, Any]) -> None:
    """A tenth at most of the timers of a household, and of the rounds of a single second for the whole run."""
    scenario = replace(street, **rules)
    member = Member(scenario, "celik", "honest")  # the one with the most timers for each of its jobs
    outcome = (await attack_in_memory(scenario, member)).done
    timers = sum(grant.round == 0 and grant.phase == "run" for grant in member.granted)
    assert 0 < 10 * timers < most_timers(scenario, {"celik": ("celik",)}, None)["celik"]
    assert 10 * outcome.rounds < most_rounds_a_second(scenario) < (most_rounds(scenario) or 0)


DELAYS = [wakes_every_second, asks_for_rounds, talks_to_itself]


@pytest.mark.long
@pytest.mark.parametrize("delay", DELAYS, ids=lambda delay: delay.__name__)
async def test_a_member_delays_a_run_for_a_bounded_number_of_rounds(
    street: Scenario, delay: Callable[[Turn], None]
) -> None:
    """Kin of attack 33: of the 133,200 seconds of the run, and thousands of rounds in each, few are run for it."""
    attacked = await attack_in_memory(street, Member(street, MEMBER, "delay", in_each_run_round(delay)))
    assert [dropped.host for dropped in attacked.done.without] == [MEMBER]
    assert attacked.done.rounds < 7_000


@pytest.mark.long
async def test_the_results_name_the_quarantined_member_and_the_reason(
    street: Scenario, guarded: GuardedBroker, tmp_path: Path
) -> None:
    """Attack 1, as users see it afterwards."""
    path = create_results(SimulationSpec(street, "insertion", (1,), "mqtt"), tmp_path / "results.sqlite")
    with RunWriter(path, street, run=1, run_id="told", seed=1, start_s=street.start_s) as recorder:
        member = Member(street, MEMBER, "told", says({}))
        (await attack_guarded(street, member, guarded, recorder=recorder, limit_wall_s=LIMIT_WALL_S)).done  # noqa: B018 - raises if the run failed
    with ResultsReader(path) as results:
        (dropped,) = results.run(1).without
    assert dropped.host == MEMBER
    assert "break the protocol" in dropped.why


class CutOff(Member):
    """A member that the broker disconnects, and that does not come back."""

    async def take_part(self, wire: Any) -> None:
        """See `Member`."""
        try:
            await super().take_part(wire)
        except* aiomqtt.MqttError:
            pass


@pytest.mark.long
async def test_a_member_that_the_broker_cuts_off_is_dropped(street: Scenario, guarded: GuardedBroker) -> None:
    """Attack 38: a payload of 620 kB."""
    member = CutOff(street, MEMBER, "cut-off", says(request(profile="x" * 620_000), "pv-adler"))
    attacked = await attack_guarded(street, member, guarded, on_loss="drop", limit_wall_s=LIMIT_WALL_S)
    assert [dropped.host for dropped in attacked.done.without] == [MEMBER]


@pytest.mark.long
async def test_a_run_that_may_lose_no_host_fails_and_names_the_liar(street: Scenario, guarded: GuardedBroker) -> None:
    """Attack 35 with the default of `--on-loss`: the run fails at the time limit."""
    member = Member(street, MEMBER, "default", promises("adler"))
    attacked = await attack_guarded(street, member, guarded, limit_wall_s=LIMIT_WALL_S)
    assert isinstance(attacked.error, HostsMissingError)
    assert "'brandt'" in str(attacked.error)
    assert "'adler'" not in str(attacked.error)


@pytest.mark.long
async def test_a_failure_of_a_member_that_must_not_be_lost_names_it(street: Scenario, guarded: GuardedBroker) -> None:
    """Attack 16 with the default of `--on-loss`."""
    member = Member(street, MEMBER, "failure", answers(failure={"agent": "pv-brandt", "traceback": "Error: x"}))
    attacked = await attack_guarded(street, member, guarded, limit_wall_s=LIMIT_WALL_S)
    assert isinstance(attacked.error, AgentFailedError)
    assert attacked.error.host == MEMBER
