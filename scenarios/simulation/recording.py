"""What of a run is written down, from what its hosts did or from what went over the wire."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol

from agents import LedgerEntry
from broker.clock import Moment
from broker.hosts import RetainedPublication, RoundRecord
from broker.protocol import Envelope
from scenarios.realised import KINDS
from scenarios.simulation.invariants import HeardSides, Sides

COMMIT_EVERY_WALL_S = 1.0
"""Messages are written at least this often; contracts at the end of the round that agreed on them."""


EndState = Literal["done", "interrupted", "failed"]


class Recorder(Protocol):
    """Where a run writes what happens, as it happens."""

    def message(
        self, time_s: int, round_: int, sender: str, seq: int, to: str, kind: str, body: dict[str, Any]
    ) -> None:
        """An agent sent a message to another one; (sender, seq) names it."""
        ...

    def entry(self, entry: LedgerEntry) -> None:
        """A contract was agreed, amended or cancelled."""
        ...

    def commit(self) -> None:
        """Keep all that was told so far, whatever happens to the process."""
        ...

    @property
    def messages(self) -> int:
        """How many messages are recorded."""
        ...

    @property
    def negotiations(self) -> int:
        """How many negotiations were recorded before the clock came back from a crash."""
        ...

    @property
    def seen(self) -> Mapping[str, int]:
        """By sender, the last message that was recorded before the clock came back from a crash."""
        ...

    @property
    def realised(self) -> Sequence[dict[str, Any]]:
        """Bodies of those recorded messages that say what real devices made of the scenario."""
        ...

    def finish(
        self,
        state: EndState,
        end_s: int | None,
        *,
        negotiations: int,
        wall_s: float,
        not_registered: tuple[str, ...],
        error: str,
        scores: Mapping[str, tuple[int, int]],
    ) -> None:
        """Record the outcome; see `scenarios.results.RunWriter.finish`."""
        ...


class Watch:
    """Counts what agents say and has it recorded; for hosts of this process (`broker.hosts.journal.RoundObserver`)."""

    def __init__(self, recorder: Recorder | None) -> None:
        """Make a watch.

        Args:
            recorder: Where to write; None: count only.
        """
        self.messages = 0
        self.negotiations = 0
        self.realised: list[dict[str, Any]] = []
        """Bodies of the messages that say what real devices made of the scenario."""
        self._recorder = recorder
        self._committed_wall_s = time.monotonic()

    def round_ran(self, _host_id: str, record: RoundRecord) -> None:
        """See `broker.hosts.journal.RoundObserver`."""
        self._take_messages(envelope for _, envelope in record.sent)
        self._take_facts(record.publications)

    def _take_messages(self, envelopes: Iterable[Envelope]) -> None:
        for e in envelopes:
            self.messages += 1
            if e.body["kind"] in KINDS:
                self.realised.append(e.body)
            self.negotiations += e.body["kind"] == "ProducersFor" and not e.body["asked"]
            if self._recorder is not None:
                self._recorder.message(e.time, e.round, e.sender, e.seq, e.to, e.body["kind"], e.body)

    def _take_facts(self, facts: Iterable[RetainedPublication]) -> None:
        if self._recorder is None:
            return
        agreed = [fact.content for fact in facts if isinstance(fact.content, LedgerEntry)]
        for entry in agreed:
            self._recorder.entry(entry)
        now_wall_s = time.monotonic()
        if agreed or now_wall_s - self._committed_wall_s >= COMMIT_EVERY_WALL_S:
            self._recorder.commit()
            self._committed_wall_s = now_wall_s


class WireWatch(Watch):
    """The same where not all hosts are in this process: contracts from the manager's, messages as the clock reads them.

    Also a `broker.clock.clock.StepObserver`.
    """

    def __init__(self, recorder: Recorder | None) -> None:
        """Make a watch, which goes on from what was recorded before the clock came back from a crash.

        Args:
            recorder: Where to write; None: count only.
        """
        super().__init__(recorder)
        self._seen: dict[str, int] = {}
        self._heard: HeardSides | None = None
        if recorder is not None:
            self.messages, self.negotiations = recorder.messages, recorder.negotiations
            self._seen = dict(recorder.seen)
            self.realised = list(recorder.realised)

    def round_ran(self, _host_id: str, record: RoundRecord) -> None:
        """See `broker.hosts.journal.RoundObserver`."""
        self._take_facts(record.publications)

    @property
    def sides(self) -> Sides | None:
        """The contracts as all agents have them; None: the clock came back in between and has not heard everything."""
        return None if self._heard is None else self._heard.sides

    def step_ran(self, moment: Moment, sent: tuple[Envelope, ...]) -> None:
        """See `broker.clock.clock.StepObserver`; all is kept before the clock goes on, or a crash would leave a gap."""
        if moment.step == 0:
            self._heard = HeardSides()
        if self._heard is not None:
            for envelope in sent:
                self._heard.hear(envelope)
        # A clock that came back runs its last step again, whose messages may be written already.
        self._take_messages(e for e in sent if e.seq > self._seen.get(e.sender, -1))
        if self._recorder is not None:
            self._recorder.commit()
