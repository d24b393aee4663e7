"""A lying member, thousands of seeds in memory, or some over the guarded broker: part of `make soak`.

Every seed takes over one household of a neighbourhood, which has whole supply, shared supply or late promises in turn.
The household behaves honestly, except for what the seed mutates, omits, repeats, delays or invents: values, order,
timing, silence, replays, and the ids of others. Half of the liars keep to the protocol, so that they are not put out of
the run; those from seed 5,000 on all do, and say whatever no model refuses. Those from seed 10,000 on also lie outside
their rounds: before they join, while the clock waits for others, after their answers, in pauses, and after they have
left or been quarantined; their runs have any settings. Whatever they say, the run is done, no other process ends, each
contract of the ledger was reported by both its parties, each job of the others has one, and whatever the clock finds
contradictory is the liar's. A run that may lose no household may fail instead, and then names the liar.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, get_args

import structlog
from pydantic import ValidationError

from agents.job_register import DIGEST_CHARACTERS, digest_of
from agents.messages import AnyMessage
from agents.model import GRID, MANAGER, SHARED, Job
from agents.ranking import ABOUT_RANKING, NEGOTIATIONS, NegotiationSettings
from agents.sharing import SUPPLY_RULES
from broker.clock.settings import OnLoss
from broker.errors import AgentFailedError, HostsMissingError, RunFailedError, RunSuspendedError
from broker.protocol import topics
from scenarios.gateways import Gateway
from scenarios.generate.one_day_neighbourhood import scarce
from scenarios.load import load_scenario
from scenarios.scenario import Scenario
from scenarios.simulation.invariants import manager_problems
from tests.deployment.guarded import guarded_mosquitto
from tests.faults.extremes import Extremes
from tests.faults.seeds import seeds_wanted
from tests.redteam.attacked import Attacked, attack_guarded, attack_in_memory, unsigned
from tests.redteam.member import Aside, Member, Moment, Sent, Turn, batch_with, fields_of
from tests.virtual_time import new_virtual_loop

LIMIT_WALL_S = 4.0
RUN = "liar"
FIRST_EXTREME = 5_000
"""The liars from this seed on say what no model refuses, with values at the ends of their ranges."""
FIRST_WIDE = 10_000
"""The liars from this seed on lie outside their rounds, too, in runs with any settings."""
KINDS = tuple(str(model.model_fields["kind"].default) for model in get_args(get_args(AnyMessage)[0]))
"""All kinds of messages."""
_ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1,
    0.5,
    -5.0,
    1e300,
    2**40,
    2**52,
    "",
    "x",
    "\x1b[31m",
    [],
    {},
    [[]],
    "x" * 500,
)
"""Values that no field has."""


class Liar:
    """What one seed makes of a member's turns."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        """Draw a household and how it lies.

        Args:
            scenario: What is run.
            seed: Decides all that it does.
        """
        self.random = Random(f"liar {seed}")
        self.house = self.random.choice([house.id for house in scenario.houses if house.devices])
        self.lies: list[str] = []
        """Its lies, for reproducing the seed."""
        self._share = self.random.choice([0.01, 0.05, 0.2, 0.5])
        self._most = self.random.choice([1, 3, 10, 100])
        """After so many lies it is honest."""
        self._from_step = self.random.choice([0, 0, self.random.randrange(250)])
        self._is_polite = self.random.random() < 0.5
        """Whether it keeps to the protocol, and says wrong things only."""
        self._jobs = [job.job_id for job in scenario.jobs]
        self._producers = [*scenario.producers, GRID, "pv-ghost"]
        self._start_s = scenario.start_s
        self._agents: list[str] = []
        self._past: list[Sent] = []
        self._delayed: list[Sent] = []
        self._jobs_sent: list[dict[str, Any]] = []
        self._lies: Sequence[Callable[[Turn], str]] = [
            self._drops,
            self._repeats,
            self._replays,
            self._delays,
            *[self._changes_a_value] * 3,
            self._sends_elsewhere,
            self._shuffles,
            *[self._invents] * 4,
            *([] if self._is_polite else [self._changes_the_envelope, self._lies_to_the_clock]),
        ]
        self.on_loss: OnLoss = "drop"
        self.others_come_after_wall_s = 0.0
        self._aside_share = 0.0
        self._past_grants: list[tuple[int, int, int]] = [(0, self._start_s, 0)]
        """Step, second and round of each round that it has run."""
        if seed >= FIRST_WIDE:
            self.on_loss = self.random.choice(["drop", "drop", "wait"])
            self.others_come_after_wall_s = self.random.choice([0.0, 0.5])
            self._aside_share = self.random.choice([0.02, 0.2, 0.6])
            self._lies = [
                *self._lies,
                *[self._speaks_after_its_answer] * 3,
                *[self._speaks_of_another_moment] * 3,
                self._has_the_run_paused,
                self._comes_back_as_another_process,
            ]
        elif seed >= FIRST_EXTREME:
            self._is_polite, self._from_step = True, 0
            self._share, self._most = self.random.choice([0.2, 0.5, 0.8]), self.random.choice([30, 300, 3_000])
            self._lies = [self._drops, self._replays, *[self._invents_extremes] * 10]

    def __call__(self, turn: Turn) -> None:
        """Lie, or not."""
        self._agents = [*turn.member.everybody, "nobody"]
        self._jobs_sent += [
            m.body["job"] for m in turn.sent if m.body.get("kind") in {"Request", "Reserve"} and m.body.get("job")
        ]
        turn.sent[:0] = [self._renewed(turn, message) for message in self._delayed]
        self._delayed = []
        honest = list(turn.sent)
        self._past_grants = [*self._past_grants, (turn.grant.step, turn.grant.time, turn.grant.round)][-20:]
        if turn.grant.phase != "end" and turn.grant.step >= self._from_step:
            for _ in range(len(turn.sent) + 1):
                if len(self.lies) < self._most and self.random.random() < self._share:
                    lie = self.random.choice(self._lies)(turn)
                    self.lies.append(f"step {turn.grant.step}: {lie}")
        self._past = [*self._past, *honest][-50:]

    # Lies; each returns what it is.

    def _drops(self, turn: Turn) -> str:
        if turn.sent:
            turn.sent.pop(self.random.randrange(len(turn.sent)))
        return "drops a message"

    def _repeats(self, turn: Turn) -> str:
        if turn.sent:
            turn.sent.append(self._renewed(turn, self.random.choice(turn.sent)))
        return "says something twice"

    def _replays(self, turn: Turn) -> str:
        if self._past:
            old = self.random.choice(self._past)
            is_renewed = self._is_polite or self.random.random() < 0.8
            turn.sent.append(self._renewed(turn, old) if is_renewed else old)
        return "replays an old message"

    def _delays(self, turn: Turn) -> str:
        if turn.sent:
            self._delayed.append(turn.sent.pop(self.random.randrange(len(turn.sent))))
        return "sends a message a round late"

    def _shuffles(self, turn: Turn) -> str:
        self.random.shuffle(turn.sent)
        seqs = [fields_of(message.payload)["seq"] for message in turn.sent]
        turn.sent[:] = [_with(m, seq=seq) for m, seq in zip(turn.sent, sorted(seqs), strict=True)]
        return "changes the order"

    def _changes_a_value(self, turn: Turn) -> str:
        if not turn.sent:
            return "has nothing to change"
        i = self.random.randrange(len(turn.sent))
        body = turn.sent[i].body
        holder, key = self.random.choice(list(_places(body)))
        before = holder[key]
        holder[key] = self._other(before, str(key))
        turn.sent[i] = _with(turn.sent[i], body=body)
        return f"changes {key!r} of a {body.get('kind')} from {before!r:.60} to {holder[key]!r:.60}"

    def _changes_the_envelope(self, turn: Turn) -> str:
        if not turn.sent:
            return "has nothing to change"
        i = self.random.randrange(len(turn.sent))
        key = self.random.choice(["step", "time", "round", "sender", "seq", "re", "session", "to"])
        value: Any = {
            "sender": self.random.choice(self._agents),
            "to": self.random.choice(self._agents),
            "session": "another",
        }.get(key, self.random.choice([0, 1, turn.grant.step + 1, turn.grant.time + 1, 2**30]))
        turn.sent[i] = _with(turn.sent[i], **{key: value})
        return f"writes {key} = {value!r} on an envelope"

    def _sends_elsewhere(self, turn: Turn) -> str:
        if not turn.sent:
            return "has nothing to send elsewhere"
        i = self.random.randrange(len(turn.sent))
        to = self.random.choice(turn.member.everybody)
        turn.sent[i] = Sent(turn.member.home_of(to), to, _with(turn.sent[i], to=to).payload)
        return f"sends a message to {to!r} instead"

    def _invents(self, turn: Turn) -> str:
        kind = self.random.choice(KINDS)
        to = self.random.choice([MANAGER, MANAGER, *turn.member.everybody])
        turn.say(to, self._body(kind, turn), sender=self.random.choice(turn.member.agents))
        return f"invents {turn.sent[-1].body!r:.200} for {to!r}"

    def _invents_extremes(self, turn: Turn) -> str:
        """Say what no model refuses: values at the ends of their ranges, of jobs and producers that exist."""
        random, now_s = self.random, turn.grant.time
        known = {
            "job_id": self._jobs,
            "contract_id": [f"{job_id}/{n}" for job_id in self._jobs for n in (1, 2)],
            "consumer": self._agents,
            "producer": self._producers,
            "producers": self._producers,
            "asked": self._producers,
        }
        extremes = Extremes(random, known, [now_s, now_s + 600, self._start_s + 43_200], self._jobs_sent[-20:])
        kind, to = random.choice(KINDS), random.choice([MANAGER, MANAGER, *turn.member.everybody])
        for _ in range(random.choice([1, 1, 3])):
            turn.say(to, extremes.body(kind), sender=random.choice(turn.member.agents))
        return f"invents {turn.sent[-1].body!r:.1500} for {to!r}"

    def _lies_to_the_clock(self, turn: Turn) -> str:
        now_s = turn.grant.time
        match self.random.randrange(10):
            case 8:
                turn.done["more"] = self.random.choice([1, 5, 500, -1])
            case 9:
                turn.done |= {"local": self.random.choice([0, 1, 10**6, -1]), "pending": self.random.random() < 0.5}
            case 0:
                turn.done["next"] = self.random.choice([None, now_s + 1, now_s + 3600, now_s - 3600, 0])
            case 1:
                turn.done["next"] = self.random.choice([-(10**30), 10**30, 2**63, "x", 1.5])
            case 2:
                turn.done["sent"] = {self.random.choice([MANAGER, "adler", "nowhere"]): self.random.choice([1, 5, -1])}
            case 3:
                turn.done["failure"] = {"v": 6, "agent": self.random.choice(self._agents), "traceback": "x"}
            case 4:
                turn.done["step"] = self.random.choice([0, turn.grant.step + 1, 2**40])
            case 5:
                turn.done["session"] = "another"
            case 6:
                turn.done["busy"] = True
            case _:
                turn.done = dict.fromkeys(turn.done, self.random.choice(_ODD[:8]))
        return f"answers the clock {turn.done!r:.200}"

    def _speaks_after_its_answer(self, turn: Turn) -> str:
        """Send a message that the answer, which comes before it, does not report; agents may not understand it."""
        self._invents(turn)
        if self.random.random() < 0.5:
            body = turn.sent[-1].body
            holder, key = self.random.choice(list(_places(body)))
            holder[key] = self.random.choice(_ODD)
            turn.sent[-1] = _with(turn.sent[-1], body=body)
        turn.later.append(turn.sent.pop())
        return f"says after its answer {turn.later[-1].payload!r:.200}"

    def _speaks_of_another_moment(self, turn: Turn) -> str:
        """Send a message as of another moment, and a second one that satisfies the count."""
        if not turn.sent:
            return "has nothing to send"
        i = self.random.randrange(len(turn.sent))
        grant, counted = turn.grant, turn.sent[i]
        ahead = self.random.choice([1, 1, 2])
        wrong = self.random.choice(
            [
                {"round": grant.round + ahead},
                {"time": grant.time + ahead},
                {"step": grant.step + ahead, "round": grant.round + ahead},
            ]
        )
        turn.sent[i] = replace(_with(counted, **wrong), is_counted=False)
        turn.say(counted.to, {"kind": "Withdraw", "job_id": "x"}, sender=fields_of(counted.payload)["sender"])
        return f"sends a {counted.body.get('kind')} as of {wrong}"

    def _comes_back_as_another_process(self, turn: Turn) -> str:
        """Leave, and send counted messages as another process before the others know that process."""
        member, session = turn.member, f"{self.random.getrandbits(64):016x}"
        ran = member.granted[-2].step if len(member.granted) > 1 else -1
        for state in ("gone", "there"):
            announced = {"host": self.house, "agents": list(member.agents), "setup": member.setup, "ran": ran}
            speaker = member.session if state == "gone" else session
            turn.raw.append(
                (topics.host(member.run, self.house), self._fields(**announced, session=speaker, state=state))
            )
        for message in turn.sent:
            if message.home != self.house:
                payload = _with(message, session=session).payload
                turn.raw.append((topics.inbox(member.run, message.home, self.house), payload))
        counted = Counter(message.home for message in turn.sent if message.is_counted and message.home != self.house)
        turn.done |= {"session": session, "sent": counted}
        turn.sent = []
        return "comes back as another process"

    def _has_the_run_paused(self, turn: Turn) -> str:
        turn.pauses = True
        return "speaks in a pause"

    # Lies outside its rounds.

    def asides(self, member: Member, moment: Moment) -> list[Aside]:
        """Return what it says outside its rounds, see `tests.redteam.member.Member`."""
        is_rare = moment == "after an answer"
        if self.random.random() >= (self._aside_share / 10 if is_rare else self._aside_share):
            return []
        is_barrage = self.random.random() < 0.3
        said = [self._aside(member, is_barrage=is_barrage) for _ in range(self.random.choice([1, 2, 9, 12, 30]))]
        self.lies += [f"{moment}: {aside.topic} {aside.payload!r:.200}" for aside in said]
        return said

    def _aside(self, member: Member, *, is_barrage: bool) -> Aside:
        random, run, house = self.random, member.run, member.house
        to = random.choice(member.everybody)
        inbox = topics.inbox(run, member.home_of(to), house)
        made: list[tuple[str, Callable[[], bytes]]] = [
            (inbox, lambda: self._message_aside(member, to)),
            (inbox, lambda: self._message_aside(member, to)),
            (topics.local(run, house), lambda: self._message_aside(member, member.agents[0])),
            (topics.done(run, house), lambda: self._answer_aside(member)),
            (topics.wake(run, house), lambda: self._fields(session=self._session(member), taken=self._number())),
            (topics.host(run, house), lambda: self._announcement_aside(member)),
            (topics.resend(run, member.home_of(to), house), lambda: self._fields(step=self._number())),
            (topics.forecast(run, house, f"pv-{house}"), lambda: self._fields(points=[[self._number(), 1.0]])),
        ]
        topic, make = random.choice(made)
        payload = make()
        if is_barrage or random.random() < 0.25:
            payload = random.choice(
                [b"", b"{}", b"[]", b"null", b"\xff\x00", payload[: len(payload) // 2], payload * 2]
            )
        # An announcement that stays would let it take part in no later run of this broker either.
        return Aside(topic, payload, random.random() < 0.2 and not topic.startswith(topics.hosts(run)[:-1]))

    def _message_aside(self, member: Member, to: str) -> bytes:
        """Return a message of any kind that its model may accept, as if from one of its rounds, or not."""
        random = self.random
        step, time_s, round_ = random.choice(self._past_grants)
        ahead = random.choice([0, 0, 0, 1, 1, 2, 150])
        known = {"job_id": self._jobs, "producer": self._producers, "consumer": self._agents or [to]}
        extremes = Extremes(random, known, [time_s, time_s + 600, self._start_s + 43_200], self._jobs_sent[-20:])
        body = extremes.body(random.choice(KINDS)) if random.random() < 0.8 else {"kind": random.choice(KINDS)}
        member.seq += 1
        fields = {
            "v": 6,
            "session": self._session(member),
            "step": step + ahead,
            "time": time_s,
            "round": round_ + ahead,
            "sender": random.choice(member.agents),
            "seq": random.choice([member.seq, member.seq, 0, 2**53 - 1]),
            "to": to,
            "re": random.choice([None, 1]),
            "body": body,
        }
        return batch_with(fields)

    def _answer_aside(self, member: Member) -> bytes:
        random = self.random
        step, time_s, round_ = random.choice(self._past_grants)
        sent = random.choice([{}, {MANAGER: 1}, {"adler": 2}])
        return self._fields(
            session=self._session(member),
            step=step + random.choice([0, 0, 1, 5]),
            time=time_s,
            round=round_,
            sent=sent,
            next=random.choice([None, time_s + 1, time_s + 3600]),
            busy=random.random() < 0.3,
            asking=random.random() < 0.3,
            more=random.choice([0, 0, 3]),
        )

    def _announcement_aside(self, member: Member) -> bytes:
        random = self.random
        return self._fields(
            host=random.choice([member.house, member.house, "adler"]),
            session=self._session(member),
            agents=random.choice([list(member.agents), [], ["manager"]]),
            setup=random.choice(["", "x:1"]),
            ran=random.choice([-1, 0, self._past_grants[-1][0], 10**6]),
            state=random.choice(["there", "gone"]),
        )

    def _session(self, member: Member) -> str:
        return self.random.choice([member.session, member.session, "another", *member.sessions.values()])

    def _number(self) -> int:
        return self.random.choice([0, 1, self._past_grants[-1][0], self._start_s, 2**40, -1])

    @staticmethod
    def _fields(**fields: Any) -> bytes:
        return json.dumps({"v": 6} | fields).encode()

    # What lies are made of.

    def _other(self, value: Any, key: str) -> Any:
        random = self.random
        others: dict[str, Any] = {
            "kind": random.choice(KINDS),
            "contract_id": f"{random.choice(self._jobs)}/{random.randrange(4)}",
            "producer": random.choice(self._producers),
            "producers": [random.choice(self._producers)],
            "asked": [random.choice(self._producers)],
            "job_id": random.choice(self._jobs),
        }
        if not self._is_polite and random.random() < 0.2:
            return random.choice(_ODD)
        if key in others:
            return others[key]
        if isinstance(value, bool):
            return not value
        if isinstance(value, int):
            return value + random.choice([-3600, -60, -1, 1, 60, 3600, 86_400])
        if isinstance(value, float):
            return value * random.choice([0.0, 0.5, -1.0, 1.000001, 10.0])
        return value * 2 if isinstance(value, list) else random.choice([*self._agents, *self._jobs])

    def _body(self, kind: str, turn: Turn) -> dict[str, Any]:
        random = self.random
        start_s = random.choice([turn.grant.time, turn.grant.time + 600, self._start_s + random.randrange(86_400)])
        job_id, producer = random.choice(self._jobs), random.choice(self._producers)
        energies_wh = [job["load_profile"]["cumulative_wh"][-1] for job in self._jobs_sent] or [100.0]
        energy_wh = random.choice(energies_wh)
        contract_id = f"{job_id}/{random.choice([1, 1, 2, 3])}"
        own = {"kind": kind, "job_id": job_id}
        job = dict(random.choice(self._jobs_sent)) if self._jobs_sent else {}
        if job and random.random() < 0.5:
            job |= {"job_id": job_id}
        window = [job.get("earliest_start_s", start_s), job.get("latest_start_s", start_s + 60)]
        contract = {
            "contract_id": contract_id,
            "job_id": job_id,
            "producer": producer,
            "start_s": start_s,
            "agreed_s": turn.grant.time,
            "energy_wh": energy_wh,
        }
        runs = [[random.choice([1, 60, 600]), random.choice([1, 5_000, 10**9])]]
        shared = {"producer": SHARED, "shares": [{"producer": producer, "minutes_mwh": runs}]}
        offered = {
            "first_minute": start_s // 60,
            "offers": [{"producer": producer, "minutes_mwh": runs, "movable_mwh": runs}],
        }
        made: dict[str, dict[str, Any]] = {
            "ProducerJoined": {"kind": kind, "producer": producer},
            "ProducersFor": own | {"asked": random.choice([[], [producer]])},
            "Producers": own | {"producers": [producer]},
            "Request": {"kind": kind, "job": job, "patient": True, "starts": [window], "held": False},
            "Release": own | {"starts": [[start_s, start_s + random.choice([0, 600, 10**9])]]},
            "Accept": own | {"start_s": start_s},
            "AcceptProvisionally": own | {"start_s": start_s},
            "PushOut": own | {"reason": "no"},
            "Amend": own | {"start_s": start_s},
            "Decline": own | {"reason": "no"},
            "Cancel": own | {"reason": "no"},
            "Promised": own | {"consumer": random.choice(self._agents), "start_s": start_s, "energy_wh": energy_wh},
            "PromiseWithdrawn": own | {"reason": "no"},
            "PromiseVoid": own | {"start_s": start_s, "reason": "no"},
            "Declined": own | {"producer": producer, "others": random.sample(self._jobs, min(2, len(self._jobs)))},
            "ContractAgreed": {"kind": kind, "contract": contract},
            "ContractAmended": {"kind": kind, "contract_id": contract_id, "start_s": start_s},
            "ContractCancelled": {"kind": kind, "contract_id": contract_id, "reason": "no"},
            "ContractVoid": own | {"contract_id": contract_id, "contracts": random.randrange(3), "reason": "no"},
            "JobsRegistered": {"kind": kind, "digests": ["0" * 24]},
            "ProductionExpected": {"kind": kind, "first_minute": start_s // 60, "minutes_mwh": runs},
            "Offered": own | offered,
            "Reserve": own
            | {
                "start_s": start_s,
                "minutes_mwh": runs,
                "keeps_earlier": random.random() < 0.5,
                "job": random.choice([job or None, None]),
            },
            "Conclude": own | {"is_agreed": random.random() < 0.5},
            "Shrink": own | {"start_s": start_s, "before_mwh": runs, "minutes_mwh": [], "reason": "no"},
            "SharePromised": own
            | {
                "consumer": random.choice(self._agents),
                "start_s": start_s,
                "minutes_mwh": random.choice([runs, []]),
                "digest": random.choice([_digest(job), "0" * 24]),
                "is_answer": random.random() < 0.5,
            },
            "ShareDeclined": own | {"consumer": random.choice(self._agents), "reason": "no"},
            "SharesAnswered": own | offered | {"promised": [producer], "declined": [producer]},
            "SharesAmended": {"kind": kind, "contract": contract | shared, "reason": "no"},
            "ShareVoid": own | {"reason": "no"},
            "RoomWanted": own | {"start_s": start_s, "shares": shared["shares"]},
            "RoomNeeded": own
            | {"first_minute": start_s // 60, "minutes_mwh": runs, "start_s": start_s, "shares": shared["shares"]},
        }
        return made.get(kind, own)

    @staticmethod
    def _renewed(turn: Turn, message: Sent) -> Sent:
        """Return a message as if it were said now."""
        turn.member.seq += 1
        grant = turn.grant
        return _with(message, seq=turn.member.seq, step=grant.step, time=grant.time, round=grant.round)


def _with(message: Sent, **fields: Any) -> Sent:
    payload = batch_with(fields_of(message.payload) | fields)
    return Sent(message.home, message.to, payload, message.is_counted)


def _digest(job: dict[str, Any]) -> str:
    """Return the digest of a job, however it is described; that of none, if it is no job."""
    try:
        return digest_of(Job.model_validate(job))
    except ValidationError:
        return "0" * DIGEST_CHARACTERS


def _places(body: Any) -> list[tuple[Any, Any]]:
    """Return where a body has values: their holders and keys."""
    found: list[tuple[Any, Any]] = []
    items = body.items() if isinstance(body, dict) else enumerate(body)
    for key, value in items:
        found.append((body, key))
        if isinstance(value, dict | list) and value:
            found += _places(value)[:20]
    return found


def problems_of(scenario: Scenario, liar: Liar, attacked: Attacked) -> list[str]:
    """Return what a liar has done to others; nothing, if all is well."""
    outcome = attacked.outcome
    if attacked.error is not None or outcome is None:
        named = {house.id for house in scenario.houses if repr(house.id) in str(attacked.error)}
        may_fail = liar.on_loss == "wait" and isinstance(attacked.error, HostsMissingError | AgentFailedError)
        if may_fail and named == {liar.house}:
            left = (RunFailedError, RunSuspendedError)
            return [f"host {h!r} ended: {e!r:.500}" for h, e in attacked.hosts.items() if not isinstance(e, left)]
        return [f"the clock failed: {attacked.error!r:.500}"]
    problems = [f"host {house!r} ended: {error!r:.500}" for house, error in attacked.hosts.items() if error is not None]
    problems += [f"contract {contract_id!r} was not signed by both" for contract_id in unsigned(scenario, attacked)]
    problems += manager_problems(scenario, outcome.ledger)
    own = scenario.part_of([liar.house])
    its_own = {job.job_id for job in own.jobs} | set(own.producers)
    standing = {entry.contract.job_id for entry in outcome.ledger if entry.state == "standing"}
    missing = {job.job_id for job in scenario.jobs} - standing - {job.job_id for job in own.jobs}
    problems += [f"job {job_id!r} of another household has no contract" for job_id in sorted(missing)]
    problems += [
        f"dispute between others: {dispute}"
        for dispute in outcome.disputes
        if not any(f"'{name}'" in dispute or f"'{name}/" in dispute for name in its_own)  # itself, or its contract
    ]
    problems += [f"the run is {outcome.state}"] if outcome.state != "done" else []
    return problems


async def _over_broker(scenario: Scenario, seed: int, liar: Liar) -> Attacked:
    hosts = tuple(house.id for house in scenario.houses)
    with tempfile.TemporaryDirectory() as folder:
        async with guarded_mosquitto(Path(folder) / "guard", hosts) as guarded:
            member = member_of(scenario, seed, liar, f"{RUN}-{seed}")
            return await attack_guarded(scenario, member, guarded, **options_of(scenario, liar))


def member_of(scenario: Scenario, seed: int, liar: Liar, run: str = RUN) -> Member:
    """Return the member that lies by a seed.

    Args:
        scenario: What is run, with the seed's settings.
        seed: The seed.
        liar: What it says.
        run: The run's id.
    """
    return Member(scenario, liar.house, run, liar, asides=liar.asides, negotiating=negotiating_of(scenario, seed))


def options_of(scenario: Scenario, liar: Liar) -> dict[str, Any]:
    """Return the settings of a seed's run that the members need not know."""
    return {
        "on_loss": liar.on_loss,
        "limit_wall_s": LIMIT_WALL_S,
        "days": 1 if scenario.gateways else None,  # with real devices, a run without an end would last for ever
        "others_come_after_wall_s": liar.others_come_after_wall_s,
    }


def negotiating_of(scenario: Scenario, seed: int) -> NegotiationSettings:
    """Return how jobs find a supplier in a seed's run."""
    if seed < FIRST_WIDE or scenario.supply != "whole":
        return NegotiationSettings()
    random = Random(f"negotiation {seed}")
    return NegotiationSettings(
        random.choice(NEGOTIATIONS), random.choice([1, 2, 4, 64]), random.choice(list(ABOUT_RANKING))
    )


def variant_of(scenario: Scenario, seed: int) -> Scenario:
    """Return the neighbourhood that a seed runs.

    By turns, one panel supplies a job and its promise is firm at once; several panels share the supply; promises become
    firm shortly before the start (`--promise late`), and the same with so little sun that jobs are pushed out.
    """
    rules = [replace(scenario, supply=supply) for supply in SUPPLY_RULES]
    late = [replace(neighbourhood, promise="late") for neighbourhood in (scenario, _pressed())]
    variant = [*rules, *late][seed % (len(rules) + len(late))]
    return with_devices(variant, seed) if seed >= FIRST_WIDE and seed % 3 == 0 else variant


def with_devices(scenario: Scenario, seed: int) -> Scenario:
    """Return a neighbourhood in which two households have a real device each, which stays away.

    Args:
        scenario: The neighbourhood.
        seed: Decides who has them.
    """
    random = Random(f"devices {seed}")
    houses = [house for house in scenario.houses if any(device.type == "consumer" for device in house.devices)]
    gateways = {}
    for house in random.sample(houses, 2):
        device = random.choice([device for device in house.devices if device.type == "consumer"])
        gateways[device.agent] = Gateway(
            id=f"{house.id}-{device.id}", house=house.id, device=device.id, type="consumer", agent=device.agent
        )
    return replace(scenario, gateways=gateways)


@cache
def _pressed() -> Scenario:
    return scarce(6)


def run_seed(scenario: Scenario, seed: int, *, is_guarded: bool = False, liar: Liar | None = None) -> tuple[str, ...]:
    """Run with the lies of a seed; return what went wrong.

    Args:
        scenario: What is run.
        seed: Decides who lies, and how.
        is_guarded: Over a guarded Mosquitto instead of in memory.
        liar: The seed's liar, to read its lies afterwards; None: it is created here.
    """
    liar = liar or Liar(scenario, seed)
    try:
        if is_guarded:
            attacked = asyncio.run(_over_broker(scenario, seed, liar))
        else:
            with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
                member = member_of(scenario, seed, liar)
                attacked = runner.run(attack_in_memory(scenario, member, **options_of(scenario, liar)))
    except Exception:
        return (f"{liar.house} lied:", *liar.lies, traceback.format_exc())
    problems = problems_of(scenario, liar, attacked)
    return (f"{liar.house} lied:", *liar.lies, *problems) if problems else ()


def main() -> int:
    """Run many seeds; exit with 1 if any harmed others."""
    is_guarded = "--guarded" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument != "--guarded"]
    seeds = seeds_wanted(__doc__, 100 if is_guarded else 5500)
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    scenario = load_scenario(seeds.scenario)
    return seeds.run(
        lambda seed: run_seed(variant_of(scenario, seed), seed, is_guarded=is_guarded),
        target="soak GUARDED=1" if is_guarded else "soak",
        progress_every=10 if is_guarded else 100,
    )


if __name__ == "__main__":
    sys.exit(main())
