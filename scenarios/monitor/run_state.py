"""Everything that a monitor knows about one run, updated delivery by delivery."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from agents import MANAGER, NEW_PRODUCER, TIMELINE, Contract, Declined, LedgerEntry, LoadProfile, Prediction
from broker.protocol import Announcement, Batch, Control, Envelope, Roster, TimeReport, envelopes_of, topics
from broker.protocol.topics import Address
from scenarios.events import EventMark, EventMarks, action_in_words
from scenarios.monitor import plausibility
from scenarios.monitor.devices import ObservedDevices
from scenarios.monitor.message_log import KEPT_LINES, MARKED, MessageLog, MessageSummary, house_of_consumer
from scenarios.monitor.missed_messages import Deduplicator
from scenarios.monitor.negotiations import KEPT_STEPS, Negotiations, ObservedNegotiation, Step, contract_number
from scenarios.monitor.producers import ContractSide, EnergyBins, ObservedProducer, SignedContracts, profile_of
from scenarios.monitor.summaries import summarize
from scenarios.scenario import Scenario
from scenarios.timeline import run_event_of
from scenarios.zone import Zone, zone_info


@dataclass(frozen=True, slots=True)
class ScenarioContext:
    """Facts of a scenario that are not published, or were published before the monitor joined."""

    name: str = ""
    start_s: int | None = None
    """Start of the run, UNIX seconds; None: not known."""
    end_s: int | None = None
    """Latest possible end of the run, UNIX seconds, for the share that is done."""
    houses: Mapping[str, str] = field(default_factory=dict)
    """Names of houses, by id."""
    house_of_producer: Mapping[str, str] = field(default_factory=dict)
    """House id, by producer id."""
    profiles: Mapping[str, LoadProfile] = field(default_factory=dict)
    """Load profiles, by job id."""
    scores: Mapping[str, int] = field(default_factory=dict)
    """Initial scores of producers, by id; others have that of a new producer."""
    zone: Zone | None = None
    """Display zone of times; None: that of the run's roster."""
    planned: tuple[EventMark, ...] = ()
    """Events of the timeline whose time is known before the run, by time."""
    expected: tuple[tuple[int, str], ...] = ()
    """Expectations that have a time: UNIX seconds, in words."""


def context_of_scenario(scenario: Scenario, end_s: int | None = None) -> ScenarioContext:
    """Return the context that a scenario provides.

    Args:
        scenario: The scenario that runs.
        end_s: Latest possible end of the run, UNIX seconds.
    """
    return ScenarioContext(
        name=scenario.name,
        start_s=scenario.start_s,
        end_s=end_s,
        houses={house.id: house.name for house in scenario.houses},
        house_of_producer={
            device.id: house.id for house in scenario.houses for device in house.devices if device.type == "producer"
        },
        profiles={job.job_id: job.load_profile for job in scenario.jobs},
        zone=scenario.zone,
        planned=tuple(
            EventMarks(
                sorted(
                    (event.at_s, action_in_words(event.action)) for event in scenario.timeline if event.at_s is not None
                )
            )
        ),
        expected=scenario.expected,
    )


KEPT_CONTRACTS = 60_000
KEPT_PARTIES = 20_000
"""Maximum number of hosts, and of producers: twice as many as the largest neighbourhood has households, as a stranger
could announce any number."""
_KEPT_EVENTS = 10_000
_KEPT_ADDRESSES = 100_000
_LONGEST_KEPT_TOPIC = 500


@dataclass(slots=True)
class ObservedHost:
    """A host according to its announcements."""

    id: str
    agents: tuple[str, ...] = ()
    """Ids of the agents that it announced."""
    is_there: bool = False
    """Whether it is online."""
    was_there: bool = False
    """Whether it was ever online."""
    sent: int = 0
    """Number of observed messages of its agents."""
    last_s: int | None = None
    """Virtual time of the newest of them, UNIX seconds."""
    quarantined: str = ""
    """Why it was quarantined; empty if it was not."""


class _Addresses:
    """The addresses of the newest topics: a run has few, and each comes again and again."""

    def __init__(self) -> None:
        self._known: dict[str, Address | None] = {}

    def of(self, topic: str) -> Address | None:
        """Return the address of a topic; None: the topic is not one of this project."""
        if len(topic) > _LONGEST_KEPT_TOPIC:
            return topics.parse(topic)
        try:
            return self._known[topic]
        except KeyError:
            if len(self._known) >= _KEPT_ADDRESSES:
                self._known.clear()
            address = self._known[topic] = topics.parse(topic)
            return address


class ObservedRun:
    """The observed state of a run. All attributes may be read; only `take` changes it."""

    def __init__(
        self,
        run_id: str,
        scenario_context: ScenarioContext | None = None,
        *,
        from_the_start: bool = False,
        kept_lines: int = KEPT_LINES,
    ) -> None:
        """Start observing.

        Args:
            run_id: Id of the run.
            scenario_context: The known parts of its scenario.
            from_the_start: Whether the monitor is connected before the first message; if not, scores cover observed
                messages only.
            kept_lines: Number of messages to keep.
        """
        self.run_id = run_id
        self.scenario_context = scenario_context or ScenarioContext()
        self.from_the_start = from_the_start
        self.time: TimeReport | None = None
        self.time_reports = 0
        """Number of clock reports received."""
        self.has_clock_left = False
        """Whether the clock has removed its report: the run was interrupted, unless it has ended before."""
        self.hosts: dict[str, ObservedHost] = {}
        self.lines = MessageLog(kept_lines)
        self.jobs = Negotiations()
        self.producers: dict[str, ObservedProducer] = {}
        self.ledger: OrderedDict[str, LedgerEntry] = OrderedDict()
        """By contract id, in the order of first publication."""
        self._newest: OrderedDict[str, Contract] = OrderedDict()
        """By job id, its newest contract, also after `jobs` has forgotten the job; those that changed last are kept."""
        self.devices = ObservedDevices()
        self.refused = 0
        """Number of deliveries that could not be parsed."""
        self.changes = 0
        """Increases with every update."""
        self.events = EventMarks(most=_KEPT_EVENTS)
        """Events of the timeline that took place: UNIX seconds, in words."""
        self._seen = Deduplicator(from_the_start=from_the_start)
        self._host_of: dict[str, str] = {}
        self._houses: list[str] = []
        self._houses_of = (-1, -1, -1)
        """Numbers of houses, producers and agents that `_houses` was made of."""
        self._roster_zone = Zone()
        self._addresses = _Addresses()
        self._signed = SignedContracts()

    @property
    def zone(self) -> Zone:
        """Display zone of the run's times: the scenario's, else the roster's; UTC before either is known."""
        return self.scenario_context.zone or self._roster_zone

    @property
    def missing(self) -> int:
        """Number of messages that were sent between observed ones but never arrived."""
        return self._seen.missing

    def take(self, topic: str, payload: bytes) -> None:
        """Process a delivery; foreign or malformed ones are counted."""
        address = self._addresses.of(topic)
        if address is None or address.run != self.run_id:
            return
        if address.kind == "time":
            self.has_clock_left = not payload
        if not payload:
            return
        self.changes += 1
        try:
            self._dispatch(address, payload)
        except Exception:  # noqa: BLE001 - whatever a stranger's payload raises, the watcher goes on
            self.refused += 1

    def _dispatch(self, address: Address, payload: bytes) -> None:
        match address.kind:
            case "inbox" | "local":
                self._messages(address.ids[-1], Batch.model_validate_json(payload), is_local=address.kind == "local")
            case "time":
                self._reported(TimeReport.model_validate_json(payload))
            case "ledger":
                self._entry(LedgerEntry.model_validate_json(payload))
            case "forecast":
                self._forecast(address, Prediction.model_validate_json(payload))
            case "hosts":
                self._announced(Announcement.model_validate_json(payload))
            case "roster":
                self._roster(Roster.model_validate_json(payload))
            case "devices":
                device_id, part = address.ids
                self.devices.take(device_id, part, payload, None if self.time is None else self.time.time)
            case "control":
                Control.model_validate_json(payload)  # the clock's next report shows its effect

    def _reported(self, report: TimeReport) -> None:
        plausibility.check_time(report)
        self.time = merged_report(self.time, report)
        self.time_reports += 1

    # Messages between agents.

    def _messages(self, host_id: str, batch: Batch, *, is_local: bool) -> None:
        """Process the messages of a host; each implausible message is rejected individually."""
        for envelope in envelopes_of(batch):
            try:
                self._message(host_id, envelope, is_local=is_local)
            except Exception:  # noqa: BLE001 - as in `take`
                self.refused += 1

    def _message(self, host_id: str, envelope: Envelope, *, is_local: bool) -> None:
        plausibility.check_envelope(envelope)
        if self._host_of and self._host_of.get(envelope.sender) != host_id:
            raise ValueError(f"{envelope.sender!r} does not live on {host_id!r}")
        body = envelope.body
        kind = body["kind"]
        job_id, text = summarize(kind, body, MARKED)
        plausibility.check_job(job_id)
        sent_in = (envelope.time, envelope.round)
        if not is_local:
            self._seen.joined(sent_in)
        if not self._seen.is_new(envelope.sender, envelope.seq, sent_in):
            return
        line = MessageSummary(
            self.lines.total,
            envelope.time,
            envelope.round,
            envelope.sender,
            envelope.seq,
            envelope.to,
            kind,
            job_id,
            text[: plausibility.MOST_TEXT],
        )
        self.lines.add(line)
        host = self.hosts.get(host_id)
        if host is not None:
            host.sent += 1
            host.last_s = envelope.time
        if job_id:
            self._about_job(line, body)
        if kind in _PROMISES:
            self._sign(envelope.sender, job_id, "producer")
        elif kind in _SCORED and (kind != "Scored" or envelope.sender == MANAGER):
            self._score(envelope.sender, kind, body)
        elif kind == "Happened" and envelope.sender == TIMELINE:
            run_event = run_event_of(envelope.time, body)
            self.events.add(run_event.at_s, action_in_words(run_event.action)[: plausibility.MOST_TEXT])

    def _about_job(self, line: MessageSummary, body: dict[str, Any]) -> None:
        negotiation = self.jobs.of(line.job_id)
        negotiation.add(line)
        job = body.get("job") if line.kind in {"Request", "ProducersFor", "Reserve"} else None
        if job is not None and negotiation.load_profile is None:
            profile = LoadProfile.model_validate(job["load_profile"])
            earliest_s, latest_s = int(job["earliest_start_s"]), int(job["latest_start_s"])
            plausibility.check_job_of_request(str(job["house"]), str(job["device"]), (earliest_s, latest_s), profile)
            negotiation.consumer = line.sender
            negotiation.house, negotiation.device = str(job["house"]), str(job["device"])
            negotiation.earliest_start_s, negotiation.latest_start_s = earliest_s, latest_s
            negotiation.load_profile, negotiation.energy_wh = profile, profile.energy_wh
        elif not negotiation.consumer and (house := house_of_consumer(line.sender)) is not None:
            negotiation.consumer, negotiation.house = line.sender, house

    def _score(self, sender: str, kind: str, body: dict[str, Any]) -> None:
        """Count what the manager counts: a refusal by the producer itself, a contract that both sides have reported."""
        if kind == "Scored":
            for producer_id, count in plausibility.checked_counts(body["left_out"]).items():
                self._producer(producer_id).left_out += count
            return
        match kind:
            case "ContractAgreed":
                contract = Contract.model_validate(body["contract"])
                for producer_id in contract.producers:
                    self._sign(producer_id, contract.job_id, "consumer")
            case "Declined" if body["producer"] == sender:
                self._producer(sender).declined += len(Declined.model_validate(body).job_ids)

    def _sign(self, producer_id: str, job_id: str, side: ContractSide) -> None:
        """Record that one side reports a contract, and count it once when both have."""
        if self._signed.sign(producer_id, job_id, side):
            self._producer(producer_id).accepted += 1

    def _producer(self, producer_id: str) -> ObservedProducer:
        producer = self.producers.get(producer_id)
        if producer is None:
            house = self.scenario_context.house_of_producer.get(producer_id) or self._host_of.get(producer_id, "")
            first_score = self.scenario_context.scores.get(producer_id, NEW_PRODUCER)
            self._make_room(self.producers)
            producer = self.producers[producer_id] = ObservedProducer(producer_id, house, first_score)
        return producer

    # Retained publications.

    def _forecast(self, address: Address, prediction: Prediction) -> None:
        plausibility.check_prediction(prediction)
        host_id, producer_id = address.ids
        if self._host_of and self._host_of.get(producer_id) != host_id:
            raise ValueError(f"{producer_id!r} does not live on {host_id!r}")
        self._producer(producer_id).learn(prediction)

    def _entry(self, entry: LedgerEntry) -> None:
        plausibility.check_entry(entry)
        contract = entry.contract
        self.ledger[contract.contract_id] = entry
        if len(self.ledger) > KEPT_CONTRACTS:
            self.ledger.popitem(last=False)
        is_newest = self.jobs.of(contract.job_id).settle(entry)
        before = self._newest.pop(contract.job_id, None)
        if before is not None and not (is_newest and contract_number(contract) >= contract_number(before)):
            self._newest[contract.job_id] = before
            return  # an old contract of a job that has a newer one
        self._newest[contract.job_id] = contract
        if len(self._newest) > KEPT_CONTRACTS:
            self._newest.popitem(last=False)
        for producer_id in () if before is None else before.producers:
            if producer_id in self.producers:
                self.producers[producer_id].contracts.pop(contract.job_id, None)
                self.producers[producer_id].shares.pop(contract.job_id, None)
        if entry.state == "standing":
            for producer_id in contract.producers:
                self._producer(producer_id).contracts[contract.job_id] = contract.start_s
            for share in contract.shares:
                self._producer(share.producer).shares[contract.job_id] = profile_of(share)

    def _announced(self, announcement: Announcement) -> None:
        plausibility.check_announcement(announcement)
        host = self.hosts.get(announcement.host)
        if host is None:
            self._make_room(self.hosts)
            host = self.hosts[announcement.host] = ObservedHost(announcement.host)
        host.is_there = announcement.state == "there"
        host.was_there = True
        if announcement.agents:
            host.agents = announcement.agents

    def _roster(self, roster: Roster) -> None:
        plausibility.check_roster(roster)
        # A zone that this machine does not know keeps the offset of the run's start.
        self._roster_zone = Zone(roster.utc_offset_s, roster.zone if zone_info(roster.zone) is not None else "")
        self._host_of = {agent: host for host, member in roster.hosts.items() for agent in member.agents}
        for host_id, member in roster.hosts.items():
            host = self.hosts.setdefault(host_id, ObservedHost(host_id, is_there=bool(member.session)))
            host.agents = member.agents
            host.was_there = host.was_there or bool(member.session)
        for host_id, why in roster.quarantined.items():
            self.hosts.setdefault(host_id, ObservedHost(host_id)).quarantined = why
        for producer in self.producers.values():
            producer.house = producer.house or self._host_of.get(producer.id, "")

    @staticmethod
    def _make_room(known: Mapping[str, object]) -> None:
        if len(known) >= KEPT_PARTIES:
            raise ValueError(f"more than {KEPT_PARTIES}: they must be forged")

    # Queries.

    def day_of(self, producer: ObservedProducer, start_s: int, end_s: int, bins: int) -> EnergyBins:
        """Return a producer's forecast and commitments.

        Args:
            producer: The producer.
            start_s: Beginning of the first bin, UNIX seconds.
            end_s: End of the last bin, UNIX seconds.
            bins: Number of bins.
        """
        profiles = (
            (at_s // 60 * 60, producer.shares[job_id]) if job_id in producer.shares else (at_s, self._profile(job_id))
            for job_id, at_s in producer.contracts.items()
        )
        return producer.day(start_s, end_s, bins, profiles)

    def events_between(self, start_s: int, end_s: int) -> list[EventMark]:
        """Return the events and expectations of a period, those to come included, by time.

        Args:
            start_s: Beginning, UNIX seconds.
            end_s: End, UNIX seconds.
        """
        now_s = start_s - 1 if self.time is None else self.time.now_s
        # An observer who joined late has not received earlier messages.
        first_s = None if self.from_the_start else min((mark.at_s for mark in self.events), default=now_s)
        told = {mark: mark for mark in self.events if start_s <= mark.at_s < end_s}
        planned = []
        for mark in self.scenario_context.planned:
            if not start_s <= mark.at_s < end_s:
                continue
            begun = self.events.like(mark)
            if begun in told:
                # Repetitions of which some are still to come.
                told[begun] = replace(begun, count=max(begun.count, mark.count))
            elif mark.at_s >= now_s or (first_s is not None and mark.at_s < first_s):
                planned.append(mark)
        expected = (EventMark(*one) for one in self.scenario_context.expected if start_s <= one[0] < end_s)
        return sorted((*told.values(), *planned, *expected))

    @property
    def first_s(self) -> int | None:
        """Start of the run, UNIX seconds: the scenario's, else the first forecast or contract; None if unknown."""
        if self.scenario_context.start_s is not None:
            return self.scenario_context.start_s
        starts_s = [p.forecast.start_s for p in self.producers.values() if p.forecast is not None]
        starts_s += [start_s for p in self.producers.values() for start_s in p.contracts.values()]
        return min(starts_s, default=None)

    def ends_of_plans(self) -> list[int]:
        """Return the ends of all forecasts and of all jobs with a producer, UNIX seconds."""
        ends_s = [p.forecast.end_s for p in self.producers.values() if p.forecast is not None]
        for producer in self.producers.values():
            for job_id, start_s in producer.contracts.items():
                profile = self._profile(job_id)
                ends_s.append(start_s + (1 if profile is None else profile.duration_s))
        return ends_s

    def _profile(self, job_id: str) -> LoadProfile | None:
        known = self.scenario_context.profiles.get(job_id)
        if known is None and (negotiation := self.jobs.get(job_id)) is not None:
            return negotiation.load_profile
        return known

    def share_done(self) -> float | None:
        """Return the share of the run's virtual time that has passed, 0 to 1; None if its end is not known.

        The end is the latest possible one; a run that has nothing left to do ends earlier, and is done.
        """
        start_s, end_s = self.scenario_context.start_s, self.scenario_context.end_s
        if self.time is None or start_s is None or end_s is None or end_s <= start_s:
            return None
        if self.time.state == "ended" and not self.time.stopped_by:
            return 1.0
        return min(1.0, max(0.0, (self.time.now_s - start_s) / (end_s - start_s)))

    def houses(self) -> list[str]:
        """Return the ids of the known houses, in natural order."""
        # Asked for at each refresh; to sort 10,000 of them takes longer than all else that is drawn.
        known = len(self.scenario_context.houses), len(self.producers), sum(len(h.agents) for h in self.hosts.values())
        if known != self._houses_of:
            self._houses_of, self._houses = known, self._sorted_houses()
        return self._houses

    def _sorted_houses(self) -> list[str]:
        found: set[str] = set(self.scenario_context.houses)
        found.update(producer.house for producer in self.producers.values() if producer.house)
        agents: Iterable[str] = (agent for host in self.hosts.values() for agent in host.agents)
        found.update(house for agent in agents if (house := house_of_consumer(agent)) is not None)
        return sorted(found, key=natural)

    def producers_of(self, house: str) -> frozenset[str]:
        """Return the ids of a house's producers."""
        return frozenset(p.id for p in self.producers.values() if p.house == house)

    def steps(self, negotiation: ObservedNegotiation) -> list[Step]:
        """Return the messages about a job, oldest first; only the newest ones of a very long negotiation."""
        return self.lines.about(negotiation.job_id, KEPT_STEPS)

    def negotiations(self) -> list[ObservedNegotiation]:
        """Return the known jobs in the order of their first message."""
        return self.jobs.all()


_SCORED = frozenset({"ProducerJoined", "ContractAgreed", "Declined", "Scored"})
_PROMISES = frozenset({"Promised", "SharePromised"})
_DIGITS = re.compile("([0-9]+)")


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts `2` before `10`; numbers of any length are compared by their digits."""
    parts = []
    for i, word in enumerate(_DIGITS.split(text)):
        if i % 2:
            digits = word.lstrip("0")
            parts.append((0, len(digits), digits))
        elif word:
            parts.append((1, 0, word))
    return tuple(parts)


def merged_report(before: TimeReport | None, report: TimeReport) -> TimeReport:
    """Return a report; a clock's last will was written when it connected, so the report before it knows more."""
    if report.state != "gone" or before is None:
        return report
    return before.model_copy(update={"state": "gone"})
