"""Records a run in its results file and in the log, from the rounds of its hosts or from the messages on the wire."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import structlog

from agents import TIMELINE, LedgerEntry
from broker import SsmicError
from broker.clock import Moment
from broker.hosts import RetainedPublication, RoundRecord
from broker.protocol import Envelope
from scenarios.events import RunEvent
from scenarios.realised_scenario import KINDS, Said
from scenarios.results import KeptMessages, RecordedEnd, ResultsError, RunWriter, begins_negotiation
from scenarios.scenario import Scenario
from scenarios.simulation.invariants import PartyContracts, ReportedContracts
from scenarios.simulation.settings import RunSettings
from scenarios.simulation.shared_invariants import PartyShares, ReportedShares
from scenarios.timeline import run_event_of

if TYPE_CHECKING:
    from scenarios.simulation.outcome import RunOutcome

COMMIT_EVERY_WALL_S = 1.0
"""Messages are written at least this often; contracts at the end of the round that agreed on them."""
PROGRESS_EVERY_WALL_S = 0.1
"""Progress is reported at most this often."""

OLDER_COPY = (
    "the results file is an older copy: its contracts are complete, its messages and reports of real devices are not"
)
"""The only possible reason: `DistributedRunObserver.keep` stores a step's messages before the next one begins."""

log = structlog.get_logger(__name__)


class Recorder(Protocol):
    """The destination of a run's records, written as the run proceeds."""

    def message(
        self, time_s: int, round_: int, sender: str, seq: int, to: str, kind: str, body: dict[str, Any]
    ) -> None:
        """Record a message between agents, identified by (`sender`, `seq`).

        It was sent at `time_s` (UNIX seconds, in round `round_`) to the agent `to`; `kind` is its type, `body` its
        content.
        """
        ...

    def entry(self, entry: LedgerEntry) -> None:
        """A contract was agreed, amended or cancelled."""
        ...

    def commit(self) -> bool:
        """Write all that was recorded so far; return False if that has to wait, because the file is locked."""
        ...

    @property
    def messages(self) -> int:
        """How many messages are recorded."""
        ...

    @property
    def last_message_s(self) -> int:
        """When the last recorded message was sent, UNIX seconds."""
        ...

    @property
    def negotiations(self) -> int:
        """How many negotiations were recorded before the clock restarted after a crash."""
        ...

    @property
    def seen(self) -> Mapping[str, int]:
        """By sender, the last message that was recorded before the clock restarted after a crash."""
        ...

    @property
    def realised(self) -> Sequence[Said]:
        """Senders and bodies of those recorded messages that say what real devices made of the scenario."""
        ...

    def finish(self, end: RecordedEnd) -> None:
        """Record how the run ended; see `scenarios.results.RunWriter.finish`."""
        ...


@runtime_checkable
class SelectiveRecorder(Recorder, Protocol):
    """A recorder that does not record all messages."""

    def keeps(self, kind: str) -> bool:
        """Return whether messages of a kind are recorded; others are only counted, by `pass_over`."""
        ...

    def pass_over(self, kind: str, time_s: int) -> None:
        """An agent sent a message of a kind that is not recorded."""
        ...


class UnsignedContractError(SsmicError):
    """A contract entered the ledger that its parties have not both agreed to: a defect of the manager."""


def _begins_negotiation(envelope: Envelope) -> bool:
    """Return whether with this question for producers a job begins to look for a supplier."""
    question = envelope.message
    if question is None:
        return begins_negotiation(envelope.body)
    return getattr(question, "part", "") == "first" and not getattr(question, "asked", ())


class RunObserver:
    """Counts and records what the agents of a run in this process say and publish.

    A `broker.hosts.rounds.RoundObserver`. During the run, it checks that no contract enters the ledger to which its
    parties have not both agreed.
    """

    def __init__(
        self,
        scenario: Scenario,
        recorder: Recorder | None,
        on_event: Callable[[RunEvent, bool], None] | None = None,
        *,
        is_shared: bool = False,
    ) -> None:
        """Make an observer of a run from its beginning.

        Args:
            scenario: The scenario.
            recorder: Where to write; None: count only.
            on_event: Called with each event of the timeline when it takes place, and whether it is replayed.
            is_shared: Whether jobs are supplied by shares.
        """
        self._scenario = scenario
        self._is_shared = is_shared
        self._reported: ReportedContracts | ReportedShares | None = self._empty_reports()
        self._on_event = on_event
        self.messages = 0
        self.negotiations = 0
        self.last_message_s = scenario.start_s
        """When the last message was sent, UNIX seconds; at first, the run's start."""
        self.realised: list[Said] = []
        """Senders and bodies of the messages that say what real devices made of the scenario."""
        self._recorder = recorder
        self._selective = recorder if isinstance(recorder, SelectiveRecorder) else None
        self._committed_wall_s = time.monotonic()

    def _empty_reports(self) -> ReportedContracts | ReportedShares:
        return ReportedShares(self._scenario) if self._is_shared else ReportedContracts(self._scenario)

    def round_ran(self, _host_id: str, record: RoundRecord, *, is_replayed: bool) -> None:
        """See `broker.hosts.rounds.RoundObserver`."""
        if self._reported is not None:
            for _, envelope in record.sent:
                self._reported.record(envelope)
        self._take_messages(envelope for _, envelope in record.sent)
        self._take_publications(record.publications)
        self._report_events((envelope for _, envelope in record.sent), is_replayed=is_replayed)

    def _report_events(self, envelopes: Iterable[Envelope], *, is_replayed: bool) -> None:
        for envelope in envelopes if self._on_event is not None else ():
            if envelope.sender == TIMELINE and envelope.kind == "Happened" and self._on_event is not None:
                self._on_event(run_event_of(envelope.time, envelope.body), is_replayed)

    def _take_messages(self, envelopes: Iterable[Envelope]) -> None:
        for e in envelopes:
            kind = e.kind
            if not isinstance(kind, str):
                continue  # no message of an agent: its receiver drops it
            self.messages += 1
            self.last_message_s = max(self.last_message_s, e.time)
            if kind in KINDS:
                self.realised.append((e.sender, e.body))
            self.negotiations += kind == "ProducersFor" and _begins_negotiation(e)
            if self._recorder is None:
                continue
            if self._selective is not None and not self._selective.keeps(kind):
                self._selective.pass_over(kind, e.time)
            else:
                self._recorder.message(e.time, e.round, e.sender, e.seq, e.to, kind, e.body)

    def _take_publications(self, publications: Iterable[RetainedPublication]) -> None:
        """Check and record what the agents of a host published.

        Raises:
            UnsignedContractError: See there.
        """
        agreed = [one.content for one in publications if isinstance(one.content, LedgerEntry)]
        for entry in agreed:
            if self._reported is not None and (problem := self._reported.unsigned(entry)):
                raise UnsignedContractError(problem)
        if self._recorder is None:
            return
        for entry in agreed:
            self._recorder.entry(entry)
        now_wall_s = time.monotonic()
        is_due = agreed or now_wall_s - self._committed_wall_s >= COMMIT_EVERY_WALL_S
        if is_due and self._recorder.commit():
            self._committed_wall_s = now_wall_s


class DistributedRunObserver(RunObserver):
    """Observes a run of which some hosts are in other processes.

    Contracts are those that the manager's host publishes, which is in this process; messages are those that the clock
    reads (`broker.clock.settings.StepObserver`).
    """

    def __init__(
        self,
        scenario: Scenario,
        recorder: Recorder | None,
        on_event: Callable[[RunEvent, bool], None] | None = None,
        *,
        is_shared: bool = False,
    ) -> None:
        """Create an observer, which continues from the records before a restart of the clock.

        Args:
            scenario: The scenario.
            recorder: Where to write; None: count only.
            on_event: See `RunObserver`.
            is_shared: See `RunObserver`.
        """
        super().__init__(scenario, recorder, on_event, is_shared=is_shared)
        self._seen: dict[str, int] = {}
        self._is_gap_logged = False
        self._reported = None
        if recorder is not None:
            self.messages, self.negotiations = recorder.messages, recorder.negotiations
            self.last_message_s = max(self.last_message_s, recorder.last_message_s)
            self._seen = dict(recorder.seen)
            self.realised = list(recorder.realised)

    def round_ran(self, _host_id: str, record: RoundRecord, *, is_replayed: bool) -> None:
        """See `broker.hosts.rounds.RoundObserver`.

        Messages of agents of this process are recorded immediately, since the manager may act on them before the clock
        has read them; they are recorded again in their order among the messages of the step, which finally decides.
        """
        if is_replayed and self._recorder is not None and not self._is_gap_logged:
            self._look_for_gap(record.delivered)
        if self._reported is not None:
            for _, envelope in record.sent:
                self._reported.record(envelope)
        self._take_publications(record.publications)
        self._report_events((envelope for _, envelope in record.sent), is_replayed=is_replayed)

    def _look_for_gap(self, delivered: Iterable[Envelope]) -> None:
        """Log if a message is not recorded although the run has gone on since."""
        for envelope in delivered:
            if envelope.seq > self._seen.get(envelope.sender, -1):
                self._is_gap_logged = True
                log.warning("results lack messages", since_s=envelope.time, reason=OLDER_COPY)
                return

    @property
    def party_contracts(self) -> PartyContracts | PartyShares | None:
        """The contracts as all agents see them; None: the clock restarted and has not received everything."""
        return None if self._reported is None else self._reported.parties

    def step_ran(self, moment: Moment, sent: tuple[Envelope, ...]) -> None:
        """See `broker.clock.settings.StepObserver`."""
        if moment.step == 0:
            self._reported = self._empty_reports()
        if self._reported is not None:
            for envelope in sent:
                self._reported.record(envelope)
        # A clock that restarted runs its last step again, whose messages may be written already.
        self._take_messages(e for e in sent if e.seq > self._seen.get(e.sender, -1))

    def keep(self) -> bool:
        """See `broker.clock.settings.StepKeeper`: a crash after the clock has gone on would leave a gap."""
        return self._recorder is None or self._recorder.commit()


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A run to be done; goes to another process as it is."""

    run: int
    """Counts from 1."""
    settings: RunSettings
    results_file: Path
    """Its results file; other processes may record other runs in it."""
    kept_messages: KeptMessages = "all"
    """Which messages the results file keeps."""

    @property
    def run_id(self) -> str:
        """Names the run on the broker."""
        return self.settings.run_id


class RunRecord:
    """The record of a run in progress: `writer` for the results, `moment` for the time it has reached."""

    writer: RunWriter

    def __init__(self, now_s: int, on_progress: Callable[[int], None] | None) -> None:
        self.now_s = now_s
        """Virtual time, UNIX seconds. Log records show it: this object is bound to them as `where`."""
        self._on_progress = on_progress
        self._told_wall_s = 0.0
        self._late: asyncio.TimerHandle | None = None
        """Will report the last step, if no other step does so before; a run may pause after any step."""

    def __repr__(self) -> str:
        """Return what a log shows of it."""
        return f"RunRecord(now_s={self.now_s})"

    def moment(self, moment: Moment) -> None:
        """Record a step."""
        self.now_s = moment.time_s
        early_wall_s = self._told_wall_s + PROGRESS_EVERY_WALL_S - time.monotonic()
        if early_wall_s <= 0:
            self._tell(moment.time_s)
        elif self._late is None and self._on_progress is not None:
            self._late = asyncio.get_running_loop().call_later(early_wall_s, self._tell_late)

    def ended(self, outcome: RunOutcome) -> RunOutcome:
        """Record the outcome; return it."""
        self._tell(outcome.end_s)
        without = {"without": {dropped.host: dropped.why for dropped in outcome.without}} if outcome.without else {}
        log.info(
            "run ended",
            state=outcome.state,
            **without,
            ledger_sha256=outcome.ledger_sha256,
            wall_s=round(outcome.wall_s, 3),
        )
        return outcome

    def stop_telling(self) -> None:
        """Report no step any more that has not been reported."""
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _tell_late(self) -> None:
        with suppress(ResultsError, OSError):  # the next step, or the end, meets the same error and passes it on
            self._tell(self.now_s)

    def _tell(self, time_s: int) -> None:
        self.stop_telling()
        self._told_wall_s = time.monotonic()
        if self._on_progress is not None:
            self.writer.commit()  # expectations that are due are judged by the file
            self._on_progress(time_s)


@contextmanager
def record_run(
    scenario: Scenario,
    planned: PlannedRun,
    on_progress: Callable[[int], None] | None = None,
    *,
    resume: bool = False,
    reached_s: int | None = None,
) -> Iterator[RunRecord]:
    """Record a run for the duration of the context; its record states how it ended, in every case.

    Args:
        scenario: The scenario.
        planned: How, and where to.
        on_progress: Called with the virtual time, UNIX seconds, a few times a second.
        resume: Continue the run if the file already contains it, because its clock restarts after a crash.
        reached_s: Virtual time that the run has reached, UNIX seconds; None: it has not begun.

    Raises:
        ResultsError: see `RunWriter`.
    """
    settings = planned.settings
    record = RunRecord(scenario.start_s if reached_s is None else reached_s, on_progress)
    with structlog.contextvars.bound_contextvars(run=planned.run, run_id=settings.run_id, where=record):
        log.info("run begins", scenario=scenario.name, seed=settings.seed, algorithm=settings.algorithm.name)
        try:
            with RunWriter(
                planned.results_file,
                scenario,
                run=planned.run,
                run_id=settings.run_id,
                seed=settings.seed,
                start_s=scenario.start_s,
                resume=resume,
                kept=planned.kept_messages,
            ) as record.writer:
                try:
                    yield record
                finally:
                    record.stop_telling()
        except asyncio.CancelledError:
            log.info("run interrupted")
            raise
        except Exception as error:
            log.exception("run failed", reason=str(error))
            raise
