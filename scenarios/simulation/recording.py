"""What of a run is written down, from what its hosts did or from what went over the wire."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from agents import LedgerEntry
from broker.clock import Moment
from broker.hosts import RetainedPublication, RoundRecord
from broker.protocol import Envelope

COMMIT_EVERY_WALL_S = 1.0
"""Messages are written at least this often; contracts at the end of the round that agreed on them."""


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


class Watch:
    """Counts what agents say and has it recorded; for hosts of this process (`broker.hosts.journal.RoundObserver`)."""

    def __init__(self, recorder: Recorder | None) -> None:
        """Make a watch.

        Args:
            recorder: Where to write; None: count only.
        """
        self.messages = 0
        self.negotiations = 0
        self._recorder = recorder
        self._committed_wall_s = time.monotonic()

    def round_ran(self, _host_id: str, record: RoundRecord) -> None:
        """See `broker.hosts.journal.RoundObserver`."""
        self._take_messages(envelope for _, envelope in record.sent)
        self._take_facts(record.publications)

    def _take_messages(self, envelopes: Iterable[Envelope]) -> None:
        for e in envelopes:
            self.messages += 1
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
    """The same where only the manager's host is in this process: contracts from it, messages as the clock reads them.

    Also a `broker.clock.clock.StepObserver`.
    """

    def __init__(
        self, recorder: Recorder | None, *, messages: int = 0, negotiations: int = 0, seen: Mapping[str, int]
    ) -> None:
        """Make a watch.

        Args:
            recorder: Where to write; None: count only.
            messages: Counted before the clock came back from a crash.
            negotiations: As `messages`.
            seen: By sender, the last message that was counted before.
        """
        super().__init__(recorder)
        self.messages = messages
        self.negotiations = negotiations
        self._seen = dict(seen)

    def round_ran(self, _host_id: str, record: RoundRecord) -> None:
        """See `broker.hosts.journal.RoundObserver`."""
        self._take_facts(record.publications)

    def step_ran(self, _moment: Moment, sent: tuple[Envelope, ...]) -> None:
        """See `broker.clock.clock.StepObserver`; all is kept before the clock goes on, or a crash would leave a gap."""
        # A clock that came back runs its last step again, whose messages may be written already.
        self._take_messages(e for e in sent if e.seq > self._seen.get(e.sender, -1))
        if self._recorder is not None:
            self._recorder.commit()
