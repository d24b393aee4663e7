"""A round as one host runs it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from pydantic import ConfigDict, TypeAdapter

from broker.protocol import Grant, SendingMoment


@dataclass(frozen=True, slots=True)
class Round:
    """A round that a host may run: granted by the clock, or following from such a one."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    step: int
    """Number of the round within the run."""
    time: int
    """Virtual time, UNIX seconds."""
    round: int
    """Number of the round within this second."""
    granted_step: int
    """The step of the grant that it belongs to."""
    expected: dict[str, int] = field(default_factory=dict)
    """By other host, how many messages it sent to this one in the previous step."""
    lost: tuple[str, ...] = ()
    """Agents that the run continues without from this round on."""
    phase: Literal["start", "run", "closing", "end"] = "run"
    """See `Grant.phase`."""
    lapse: bool = False
    """Whether requests that have not been answered lapse in this round."""
    alone: bool = False
    """See `Grant.alone`."""

    @classmethod
    def of(cls, grant: Grant, host: str) -> Round | None:
        """Return the round that a grant lets a host run; None if the grant does not concern it."""
        expected = grant.expected.get(host)
        if expected is None:
            return None
        return cls(
            step=grant.step,
            time=grant.time,
            round=grant.round,
            granted_step=grant.step,
            expected=expected,
            lost=grant.lost,
            phase=grant.phase,
            lapse=grant.lapse,
            alone=grant.alone,
        )

    @property
    def before(self) -> SendingMoment:
        """When the messages were sent that are delivered in it: in the step before, a round earlier."""
        return SendingMoment(self.step - 1, self.time, self.round - 1)

    @property
    def following(self) -> Round:
        """The next round of the same second, in which only messages between the host's own agents are delivered."""
        phase: Literal["run", "closing"] = "closing" if self.phase == "closing" else "run"
        return replace(self, step=self.step + 1, round=self.round + 1, phase=phase, expected={}, lost=(), lapse=False)

    def encoded(self) -> bytes:
        """Return the round as JSON, the form in which a journal stores it."""
        return _ROUND.dump_json(self)

    @classmethod
    def decoded(cls, content: bytes) -> Round:
        """Return what `encoded` wrote.

        Raises:
            ValueError: It is something else.
        """
        return _ROUND.validate_json(content)


_ROUND: TypeAdapter[Round] = TypeAdapter(Round)
