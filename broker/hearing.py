"""What the clock hears: announcements, answers, messages and commands, each checked and passed on."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from pydantic import ValidationError

from broker import topics
from broker.bus import Bus, Delivery
from broker.course import Step
from broker.errors import ProtocolError
from broker.gate import Gate
from broker.members import Members
from broker.pace import PaceError
from broker.reception import Reception
from broker.refusals import Refusals
from broker.tally import Tally, check_senders
from broker.wire import Announcement, Control, Done, Envelope

log = structlog.get_logger(__name__)


class Hearing:
    """The clock's reader."""

    def __init__(
        self,
        run: str,
        step: Callable[[], Step],
        members: Members,
        tally: Tally,
        reception: Reception,
        gate: Gate,
    ) -> None:
        """Make a reader.

        Args:
            run: The run's id.
            step: Returns the step that runs now.
            members: Who may say what.
            tally: Takes answers and messages.
            reception: Takes announcements.
            gate: Takes commands.
        """
        self.refusals = Refusals(topics.CLOCK)
        """What did not follow the protocol."""
        self._run = run
        self._step = step
        self._members = members
        self._everybody = dict(members.expected) | members.dropped
        self._tally = tally
        self._reception = reception
        self._gate = gate

    async def read(self, bus: Bus) -> None:
        """Take what comes in, until cancelled."""
        async for event in bus.messages():
            if not isinstance(event, Delivery):
                log.info("reconnected", host=topics.CLOCK)
                self._reception.tell_again()
                continue
            try:
                self._take(event)
            except (ProtocolError, ValidationError, PaceError) as error:
                self.refusals.take(event.topic, error)

    def _take(self, delivery: Delivery) -> None:
        address = topics.parse(delivery.topic)
        if address is None or address.run != self._run:
            raise ProtocolError("not a topic of this run")
        if delivery.retain and address.kind not in topics.RETAINED:
            raise ProtocolError("was stored at the broker, and counts at the moment it is said only")
        match address.kind, address.ids:
            case "hosts", (host,):
                self._take_announcement(host, delivery)
            case "done", (host,):
                done = Done.model_validate_json(delivery.payload)
                check_senders(done, host, self._members.expected, self._everybody)
                self._members.check_session(host, done.session)
                self._tally.take_done(host, done)
            case "inbox", (_, agent, from_host):
                envelope = Envelope.model_validate_json(delivery.payload)
                if agent != envelope.to or envelope.sender not in self._everybody.get(from_host, ()):
                    raise ProtocolError(f"agent {envelope.sender!r} does not live on host {from_host!r}")
                self._members.check_session(from_host, envelope.session)
                self._tally.take_envelope(from_host, envelope)
            case "control", ():
                control = Control.model_validate_json(delivery.payload)
                self._gate.take(control, self._step().moment)
                log.info("asked", command=control.command, pace=control.pace, until=control.until, by=control.by)
            case _:
                raise ProtocolError("not a topic that the clock reads")

    def _take_announcement(self, host: str, delivery: Delivery) -> None:
        if delivery.payload:
            announcement = Announcement.model_validate_json(delivery.payload)
            self._reception.take(host, announcement, is_stored=delivery.retain)
        elif self._step().phase == "end":
            # A host that left cannot repeat its last answer; that it left is the answer.
            self._tally.take_leave(host)
