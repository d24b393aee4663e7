"""A small neighbourhood's morning, message by message: always the same, for all algorithms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agents.energy import LoadProfile, Prediction, Production
from agents.manager.ledger import LedgerEntry, LedgerEvent
from agents.model import Contract, Job
from broker.protocol import topics
from broker.protocol.envelope import Envelope, Envelopes
from broker.protocol.wire import Announcement, Member, Roster, TimeReport

RUN = "story"
DAY_S = 1_782_000_000 // 86_400 * 86_400
HOSTS = {
    "manager": ("manager",),
    "ash": ("ash/dishwasher", "ash/kettle", "pv-ash"),
    "birch": ("birch/car", "pv-birch"),
}
Told = tuple[str, bytes]


def at(hour: int, minute: int = 0) -> int:
    """Return a time of the day."""
    return DAY_S + hour * 3600 + minute * 60


DISHES = Job(
    job_id="ash-dishes",
    source_id="ash-dishes",
    house="ash",
    device="dishwasher",
    profile="dish",
    load_profile=LoadProfile(times_s=(0, 1800, 5400), cumulative_wh=(0, 900, 1200)),
    registered_s=at(7),
    earliest_start_s=at(8),
    latest_start_s=at(14),
)
CAR = Job(
    job_id="birch-car",
    source_id="birch-car",
    house="birch",
    device="car",
    profile="car",
    load_profile=LoadProfile(times_s=(0, 14_400), cumulative_wh=(0, 9000)),
    registered_s=at(7, 30),
    earliest_start_s=at(8),
    latest_start_s=at(12),
)
TEA = Job(
    job_id="ash-tea",
    source_id="ash-tea",
    house="ash",
    device="kettle",
    profile="tea",
    load_profile=LoadProfile(times_s=(0, 240), cumulative_wh=(0, 120)),
    registered_s=at(8, 45),
    earliest_start_s=at(8, 45),
    latest_start_s=at(8, 50),
)


class _Teller:
    """Numbers the messages."""

    def __init__(self) -> None:
        self._seq: dict[str, int] = {}
        self._home = {agent: host for host, agents in HOSTS.items() for agent in agents}

    def say(self, time_s: int, round_: int, sender: str, to: str, **body: Any) -> Told:
        seq = self._seq.get(sender, 0)
        self._seq[sender] = seq + 1
        envelope = Envelope(session="s", step=seq, time=time_s, round=round_, sender=sender, seq=seq, to=to, body=body)
        home, from_home = self._home[to], self._home[sender]
        topic = topics.local(RUN, home) if home == from_home else topics.inbox(RUN, home, from_home)
        return topic, Envelopes([envelope]).encoded()


def _forecast(producer: str, host: str, peak_w: float) -> Told:
    hours = range(5, 21)
    power = [peak_w * max(0.0, 1 - ((hour - 12.5) / 7.5) ** 2) for hour in hours]
    total, cumulative = 0.0, [0.0]
    for watts in power[:-1]:
        total += watts
        cumulative.append(total)
    times = tuple(at(hour) for hour in hours)
    prediction = Prediction(issued_s=at(0), production=Production(times_s=times, cumulative_wh=tuple(cumulative)))
    return topics.forecast(RUN, host, producer), prediction.model_dump_json().encode()


def _entry(job: Job, number: int, producer: str, start_s: int, *events: LedgerEvent, state: Any = "standing") -> Told:
    contract = Contract(
        contract_id=f"{job.job_id}/{number}",
        job_id=job.job_id,
        producer=producer,
        start_s=start_s,
        agreed_s=events[0].at_s,
        energy_wh=job.energy_wh,
    )
    entry = LedgerEntry(contract=contract, state=state, history=events)
    return topics.ledger(RUN, contract.contract_id), entry.model_dump_json().encode()


def _time(time_s: int, round_: int, state: Any = "running") -> Told:
    report = TimeReport(time=time_s, round=round_, step=40, pace="60x", lag_wall_s=0.0, state=state)
    return topics.time(RUN), report.encoded()


def story() -> Iterator[Told]:
    """Return the story: the dishwasher gets solar energy, the car at the second try, the kettle grid power."""
    teller = _Teller()
    say = teller.say
    roster = Roster(hosts={host: Member(session="s", agents=agents) for host, agents in HOSTS.items()})
    yield topics.roster(RUN), roster.encoded()
    for host, agents in HOSTS.items():
        there = Announcement(host=host, session="s", agents=agents, state="there")
        yield topics.host(RUN, host), there.encoded()
    yield _forecast("pv-ash", "ash", 4000)
    yield _forecast("pv-birch", "birch", 2500)
    for producer in ("pv-ash", "pv-birch"):
        yield say(at(0), 0, producer, "manager", kind="ProducerJoined", producer=producer)

    yield from _dishes(say)
    yield from _car(say)
    yield from _tea(say)
    moved = LedgerEvent(at_s=at(9), what="amended", start_s=at(10, 30))
    yield say(at(9), 0, "pv-ash", "ash/dishwasher", kind="Amend", job_id="ash-dishes", start_s=at(10, 30))
    yield say(
        at(9), 1, "ash/dishwasher", "manager", kind="ContractAmended", contract_id="ash-dishes/1", start_s=at(10, 30)
    )
    agreed = LedgerEvent(at_s=at(7), what="agreed", start_s=at(9, 30))
    yield _entry(DISHES, 1, "pv-ash", at(10, 30), agreed, moved)
    yield _time(at(9), 2, "paused")


def _dishes(say: Any) -> Iterator[Told]:
    me, start_s = "ash/dishwasher", at(9, 30)
    yield say(at(7), 0, me, "manager", kind="ProducersFor", job_id="ash-dishes", asked=[])
    yield say(at(7), 1, "manager", me, kind="Producers", job_id="ash-dishes", producers=["pv-ash", "pv-birch"])
    yield say(at(7), 2, me, "pv-ash", kind="Request", job=DISHES.model_dump(mode="json"), patient=True)
    yield say(at(7), 3, "pv-ash", me, kind="Accept", job_id="ash-dishes", start_s=start_s)
    promise = {"job_id": "ash-dishes", "consumer": me, "start_s": start_s, "energy_wh": 1200.0}
    yield say(at(7), 3, "pv-ash", "manager", kind="Promised", **promise)
    contract = {"contract_id": "ash-dishes/1", "job_id": "ash-dishes", "producer": "pv-ash"}
    contract_more = {"start_s": start_s, "agreed_s": at(7), "energy_wh": 1200.0}
    yield say(at(7), 4, me, "manager", kind="ContractAgreed", contract=contract | contract_more)
    yield _entry(DISHES, 1, "pv-ash", start_s, LedgerEvent(at_s=at(7), what="agreed", start_s=start_s))


def _car(say: Any) -> Iterator[Told]:
    me, start_s = "birch/car", at(10)
    why = "no start in its window has enough sun left: at best 61 % of 9.00 kWh from 10:15 on"
    yield say(at(7, 30), 0, me, "manager", kind="ProducersFor", job_id="birch-car", asked=[])
    yield say(at(7, 30), 1, "manager", me, kind="Producers", job_id="birch-car", producers=["pv-birch", "pv-ash"])
    yield say(at(7, 30), 2, me, "pv-birch", kind="Request", job=CAR.model_dump(mode="json"), patient=True)
    yield say(at(7, 30), 3, "pv-birch", me, kind="Decline", job_id="birch-car", reason=why)
    yield say(at(7, 30), 3, "pv-birch", "manager", kind="Declined", job_id="birch-car", producer="pv-birch")
    yield say(at(7, 30), 4, me, "pv-ash", kind="Request", job=CAR.model_dump(mode="json"), patient=True)
    yield say(at(7, 30), 5, "pv-ash", me, kind="Accept", job_id="birch-car", start_s=start_s)
    promise = {"job_id": "birch-car", "consumer": me, "start_s": start_s, "energy_wh": 9000.0}
    yield say(at(7, 30), 5, "pv-ash", "manager", kind="Promised", **promise)
    contract = {"contract_id": "birch-car/1", "job_id": "birch-car", "producer": "pv-ash"}
    contract_more = {"start_s": start_s, "agreed_s": at(7, 30), "energy_wh": 9000.0}
    yield say(at(7, 30), 6, me, "pv-birch", kind="Withdraw", job_id="birch-car")
    yield say(at(7, 30), 6, me, "manager", kind="ContractAgreed", contract=contract | contract_more)
    yield _entry(CAR, 1, "pv-ash", start_s, LedgerEvent(at_s=at(7, 30), what="agreed", start_s=start_s))


def _tea(say: Any) -> Iterator[Told]:
    me, start_s = "ash/kettle", at(8, 50)
    yield say(at(8, 45), 0, me, "manager", kind="ProducersFor", job_id="ash-tea", asked=[])
    yield say(at(8, 45), 1, "manager", me, kind="Producers", job_id="ash-tea", producers=[])
    contract = {"contract_id": "ash-tea/1", "job_id": "ash-tea", "producer": "grid"}
    contract_more = {"start_s": start_s, "agreed_s": at(8, 50), "energy_wh": 120.0}
    yield say(at(8, 50), 0, me, "manager", kind="ContractAgreed", contract=contract | contract_more)
    yield _entry(TEA, 1, "grid", start_s, LedgerEvent(at_s=at(8, 50), what="agreed", start_s=start_s))
