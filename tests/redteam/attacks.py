"""What a member says to change the ledger, the scores and the negotiations of others: one function an attack.

Numbers are those of the table of attacks that the project keeps; each takes the member's turn and changes it.
"""

from __future__ import annotations

from typing import Any

from agents.manager.unconfirmed_statements import MAX_UNCONFIRMED
from agents.model import MANAGER, Job
from tests.redteam.member import Attack, Turn

MEMBER = "brandt"
START_S = 1781992800
NOON_S = 1782043200
PRODUCERS = ("pv-adler", "pv-celik", "pv-fuchs")
WITHDRAWN = (
    "adler-car",
    "adler-dishes-breakfast",
    "adler-vacuum",
    "celik-laundry",
    "celik-water-evening",
    "celik-water-morning",
    "dahl-laundry",
    "dahl-lunch",
    "dahl-mower",
    "ebert-bike",
    "fuchs-pool",
    "fuchs-water",
)
OTHERS_JOBS = ("adler-car", "fuchs-car", "dahl-mower", "ebert-bike", "celik-laundry")


def job(**changed: Any) -> dict[str, Any]:
    """Return a job of the member that the scenario does not have."""
    made = {
        "job_id": "evil-job",
        "source_id": "x",
        "house": MEMBER,
        "device": "dishwasher",
        "profile": "p",
        "load_profile": {"times_s": [0, 3600], "cumulative_wh": [0.0, 100.0]},
        "registered_s": START_S,
        "earliest_start_s": START_S,
        "latest_start_s": 1782046800,
    }
    return made | changed


def request(**changed: Any) -> dict[str, Any]:
    """Return a request for such a job at any time of its window."""
    of = job(**changed)
    starts = [[of["earliest_start_s"], of["latest_start_s"]]]
    return {"kind": "Request", "job": of, "patient": True, "starts": starts, "held": False}


def agreed(contract_id: str, job_id: str, producer: str, start_s: int, **changed: Any) -> dict[str, Any]:
    """Return a report of a contract."""
    contract = {
        "contract_id": contract_id,
        "job_id": job_id,
        "producer": producer,
        "start_s": start_s,
        "agreed_s": START_S,
        "energy_wh": 1.0,
    }
    return {"kind": "ContractAgreed", "contract": contract | changed}


def once(attack: Attack) -> Attack:
    """Make an attack in the member's first round of the run only."""

    def attacks_once(turn: Turn) -> None:
        if turn.is_first_of_run:
            attack(turn)

    return attacks_once


def in_each_round(attack: Attack) -> Attack:
    """Make an attack in all rounds between start and closing."""

    def attacks_always(turn: Turn) -> None:
        if turn.grant.phase == "run":
            attack(turn)

    return attacks_always


def says(to: str, *bodies: dict[str, Any]) -> Attack:
    """Return the attack that says something once."""

    def attack(turn: Turn) -> None:
        for body in bodies:
            turn.say(to, body)

    return once(attack)


def _squats(turn: Turn) -> None:
    for of in OTHERS_JOBS:
        turn.say(MANAGER, agreed(f"{of}/1", of, "grid", NOON_S))


def _squats_with_own_producer(turn: Turn) -> None:
    for of in OTHERS_JOBS:
        promised = {"kind": "Promised", "job_id": of, "consumer": turn.member.agents[0], "start_s": NOON_S}
        turn.say(MANAGER, promised | {"energy_wh": 1.0}, sender="pv-brandt")
        turn.say(MANAGER, agreed(f"{of}/1", of, "pv-brandt", NOON_S))


def forges_own_contracts(turn: Turn) -> None:
    """Attack 9: its own jobs, with a producer that was never asked, at an arbitrary energy and time."""
    turn.change("ContractAgreed", lambda body: body["contract"].update(producer="pv-fuchs", energy_wh=-5.0, agreed_s=5))


def forges_own_suppliers(turn: Turn) -> None:
    """Attack 9, with terms that are right but for the producer."""
    turn.change("ContractAgreed", lambda body: body["contract"].update(producer="pv-fuchs"))


def keeps_silent_as_a_producer(turn: Turn) -> None:
    """Attack 29: a producer that never answers."""
    turn.keep_silent("Accept", "Decline")


def accepts_and_cancels(turn: Turn) -> None:
    """Attack 42: a producer that cancels whatever it is asked for as soon as it has answered."""
    for envelope in turn.delivered:
        if envelope.body.get("kind") == "Request" and envelope.to == "pv-celik":
            cancel = {"kind": "Cancel", "job_id": envelope.body["job"]["job_id"], "reason": "spite"}
            turn.say(envelope.sender, cancel, sender="pv-celik")


def _withdraws(turn: Turn) -> None:
    for of in WITHDRAWN:
        for to in (*PRODUCERS, MANAGER):
            turn.say(to, {"kind": "Withdraw", "job_id": of})


def _requests_jobs_of_others(turn: Turn) -> None:
    free = {"times_s": [0, 60], "cumulative_wh": [0.0, 0.0]}
    for of in OTHERS_JOBS:
        for to in PRODUCERS:
            turn.say(to, request(job_id=of, load_profile=free, earliest_start_s=1782046700))


def _requests_two_thousand_times(turn: Turn) -> None:
    load = {"times_s": [0, 7200], "cumulative_wh": [0.0, 0.0001]}
    for i in range(2000):
        turn.say("pv-adler", request(job_id=f"m{i}", load_profile=load))


def _requests_with_long_profiles(turn: Turn) -> None:
    load = {"times_s": list(range(9_999)), "cumulative_wh": [1e-7 * i for i in range(9_999)]}
    for i in range(20):
        turn.say("pv-adler", request(job_id=f"b{i}", load_profile=load))


def _books_all_sun(turn: Turn) -> None:
    for i in range(30):
        load = {"times_s": [0, 43_200], "cumulative_wh": [0.0, 500.0 + 500 * i]}
        for to in PRODUCERS:
            turn.say(to, request(job_id=f"h{i}", load_profile=load, earliest_start_s=START_S + i))


def _declares_refusals(turn: Turn) -> None:
    for n in range(1000):
        turn.say(MANAGER, {"kind": "Declined", "job_id": ("x", "adler-car")[n % 2], "producer": "pv-adler"})


def _agrees_and_cancels_for_a_friend(turn: Turn) -> None:
    for i in range(3):
        turn.say(MANAGER, agreed(f"z/{i}", "brandt-whites", "pv-fuchs", 1782018000))
        turn.say(MANAGER, {"kind": "ContractCancelled", "contract_id": f"z/{i}", "reason": "r"})


def _poses_as_a_producer(turn: Turn) -> None:
    me = turn.member.agents[0]
    turn.say(MANAGER, {"kind": "ProducerJoined", "producer": me})
    for i in range(30):
        turn.say(MANAGER, agreed(f"z/{i}", "brandt-whites", me, 1782018000))
        turn.say(MANAGER, {"kind": "ContractCancelled", "contract_id": f"z/{i}", "reason": "r"})


def _tells_waiting_jobs(body: dict[str, Any]) -> Attack:
    def attack(turn: Turn) -> None:
        for to in turn.member.everybody:
            if "/" in to and not to.startswith(f"{MEMBER}/"):
                for of in ("dahl-fridge-3", "ebert-dishes-party"):
                    turn.say(to, body | {"job_id": of})

    return in_each_round(attack)


def _changes_contracts_of_others(turn: Turn) -> None:
    for of in ("adler-car/1", "fuchs-pool/1", "fuchs-water/1", "celik-water-morning/1", "adler-fridge-1/1"):
        turn.say(MANAGER, {"kind": "ContractAmended", "contract_id": of, "start_s": 1782043300})
        turn.say(MANAGER, {"kind": "ContractCancelled", "contract_id": of, "reason": "bye"})


def _answers_for_producers(turn: Turn) -> None:
    for to in turn.member.everybody:
        if "/" in to and not to.startswith(f"{MEMBER}/"):
            for re in range(8):
                turn.say(to, {"kind": "Accept", "job_id": "adler-car", "start_s": 1782030000}, re=re)
            for of in ("adler-car", "fuchs-pool", "fuchs-water", "celik-water-morning"):
                turn.say(to, {"kind": "Cancel", "job_id": of, "reason": "x"})
                turn.say(to, {"kind": "Amend", "job_id": of, "start_s": 1782030000})


def _says_what_only_the_manager_says(turn: Turn) -> None:
    for of in OTHERS_JOBS:
        void = {"kind": "ContractVoid", "job_id": of, "contract_id": f"{of}/1", "contracts": 0, "reason": "x"}
        for to in turn.member.everybody:
            if "/" in to and not to.startswith(f"{MEMBER}/"):
                turn.say(to, void)
        for to in PRODUCERS:
            turn.say(to, {"kind": "PromiseVoid", "job_id": of, "start_s": NOON_S, "reason": "x"})
    for to in PRODUCERS:
        turn.say(to, {"kind": "JobsRegistered", "digests": ["0" * 24]})


def _not_a_number(turn: Turn) -> None:
    turn.say(MANAGER, agreed("brandt-whites/1", "brandt-whites", "grid", 1782018000, energy_wh=777.25))
    said = turn.sent.pop()
    turn.sent.append(type(said)(said.home, said.to, said.payload.replace(b"777.25", b"NaN")))


def _digits(digits: int) -> Attack:
    def attack(turn: Turn) -> None:
        turn.say(MANAGER, agreed("brandt-whites/1", "brandt-whites", "grid", 1782018000))
        said = turn.sent.pop()
        payload = said.payload.replace(b"1782018000", b"9" * digits)
        assert payload != said.payload
        turn.sent.append(type(said)(said.home, said.to, payload))

    return once(attack)


def _load(*points: tuple[int, float]) -> dict[str, Any]:
    return {"times_s": [at for at, _ in points], "cumulative_wh": [wh for _, wh in points]}


def takes_shares_back(turn: Turn) -> None:
    """Attack 79: its panel reserves for others without a report to the manager, and withdraws in the same round."""
    if turn.grant.phase != "run":
        return
    turn.keep_silent("SharePromised")
    for envelope in turn.delivered:
        body = envelope.body
        if body.get("kind") == "Reserve" and body["minutes_mwh"]:
            back = {"start_s": body["start_s"], "before_mwh": body["minutes_mwh"], "minutes_mwh": [], "reason": "x"}
            turn.say(envelope.sender, {"kind": "Shrink", "job_id": body["job_id"], **back}, sender=f"pv-{MEMBER}")


class WithdrawsAtTheProducerOnly:
    """Attack 124: a consumer has its producer promise a job and take it back, so often that the manager has no room.

    It withdraws the job at the producer and requests it again, in each round of a second, and withdraws it once more at
    the end. It never tells the manager, so that the ledger keeps the contract if the last withdrawal is lost.
    """

    def __init__(self, job: Job, producer: str) -> None:
        """Attack with a job of the member.

        Args:
            job: The job.
            producer: Who supplies it.
        """
        self._job, self._producer = job, producer
        self._start_s: int | None = None
        self._left = MAX_UNCONFIRMED

    def __call__(self, turn: Turn) -> None:
        """Begin in the round after the job's contract was reported."""
        body = {"job_id": self._job.job_id}
        if self._start_s is not None and self._left >= 0:
            turn.say(self._producer, body | {"kind": "Withdraw"}, sender=self._job.agent)
            if self._left:
                again = {"kind": "Request", "patient": True, "starts": [[self._start_s, self._start_s]], "held": False}
                turn.say(
                    self._producer, again | {"job": self._job.as_sent.model_dump(mode="json")}, sender=self._job.agent
                )
                turn.done["resume"] = turn.grant.step + 1
            self._left -= 1
        for message in turn.sent:
            if message.body.get("kind") == "ContractAgreed" and self._start_s is None:
                contract = message.body["contract"]
                if contract["job_id"] == self._job.job_id and contract["producer"] == self._producer:
                    self._start_s = contract["start_s"]


LEAVE_NO_TRACE: dict[str, Attack] = {
    "8 contract ids of others": once(_squats),
    "8 contract ids of others, for its own producer": once(_squats_with_own_producer),
    "10 a second contract": says(MANAGER, agreed("brandt-whites/9", "brandt-whites", "pv-fuchs", 1782018000)),
    "11 a job that does not exist": says(MANAGER, agreed("nojob/1", "nojob", "grid", 1782018000)),
    "11 a producer that does not exist": says(MANAGER, agreed("brandt-whites/1", "brandt-whites", "pv-nobody", NOON_S)),
    "12 a start of 2^45": says(MANAGER, agreed("brandt-whites/1", "brandt-whites", "grid", 2**45)),
    "13 an empty contract id": says(MANAGER, agreed("", "brandt-whites", "grid", 1782018000)),
    "13 a contract id of 70,000 characters": says(MANAGER, agreed("x" * 70_000, "brandt-whites", "grid", 1782018000)),
    "19 a load of 10^12 s": says("pv-adler", request(load_profile=_load((0, 0.0), (10**12, 1.0)))),
    "20 a load of 2*10^9 s": says("pv-adler", request(load_profile=_load((0, 0.0), (2 * 10**9, 0.0)))),
    "21 a window from -10^12 s": says("pv-adler", request(earliest_start_s=-(10**12), registered_s=0)),
    "21 energies of 10^308 Wh": says("pv-adler", request(load_profile=_load((0, -1.7e308), (60, 0.0), (120, 1.7e308)))),
    "21 two thousand requests": once(_requests_two_thousand_times),
    "21 twenty profiles of 9,999 points": once(_requests_with_long_profiles),
    "22 withdrawals of others' jobs": in_each_round(_withdraws),
    "23 requests under others' job ids": once(_requests_jobs_of_others),
    "24 bookings of sun that it never uses": once(_books_all_sun),
    "25 refusals of a competitor": once(_declares_refusals),
    "26 agreements and cancellations for a friend": once(_agrees_and_cancels_for_a_friend),
    "27 a consumer that poses as a producer": once(_poses_as_a_producer),
    "28 joining in others' names": says(
        MANAGER,
        {"kind": "ProducerJoined", "producer": "pv-ghost"},
        {"kind": "ProducerJoined", "producer": "pv-adler"},
    ),
    "30 producers that do not exist": _tells_waiting_jobs({"kind": "Producers", "producers": ["pv-ghost"]}),
    "31 openings from a consumer": _tells_waiting_jobs({"kind": "Opening"}),
    "39 changes of others' contracts": in_each_round(_changes_contracts_of_others),
    "40 answers that nobody asked for": in_each_round(_answers_for_producers),
    "what only the manager says": in_each_round(_says_what_only_the_manager_says),
}
"""Attacks after which the ledger is that of an undisturbed run to the byte, the member's own jobs included."""

COST_THE_MEMBER_ITS_PLACE: dict[str, Attack] = {
    "12 a start of 2^70": says(MANAGER, agreed("brandt-whites/1", "brandt-whites", "grid", 2**70)),
    "12 a start of 4,200 digits": _digits(4200),
    "14 an energy that is not a number": once(_not_a_number),
    "19 a load of 2^70 s": says("pv-adler", request(load_profile=_load((0, 0.0), (2**70, 1.0)))),
    "19 a window of 2^70 s": says("pv-adler", request(earliest_start_s=-(2**70), latest_start_s=2**70, registered_s=0)),
}
"""Attacks with values that no message can contain: the run continues without the member."""
