"""A round that the clock has granted, as one host runs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from pydantic import ConfigDict, TypeAdapter, with_config
from pydantic_core import to_json
from typing_extensions import TypedDict

from broker.protocol import Grant, ReadGrant, SendingMoment


class Round(NamedTuple):
    """A round that a host may run: granted by the clock, or following a granted round."""

    step: int
    """Number of the round within the run."""
    time: int
    """Virtual time, UNIX seconds."""
    round: int
    """Number of the round within this second."""
    granted_step: int
    """The step of the grant that it belongs to."""
    expected: dict[str, int] = {}  # noqa: RUF012 - it is never changed
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
    def of(cls, grant: Grant | ReadGrant | None, host: str) -> Round | None:
        """Return the round that a grant lets a host run; None if the grant does not concern it."""
        if grant is None:
            return None
        values: Mapping[str, Any] = grant.__dict__ if isinstance(grant, Grant) else grant
        expected = values["expected"].get(host)
        if expected is None:
            return None
        step, get = values["step"], values.get
        return cls(
            step,
            values["time"],
            values["round"],
            step,
            expected,
            get("lost", ()),
            get("phase", "run"),
            get("lapse", False),
            get("alone", False),
        )

    @property
    def before(self) -> SendingMoment:
        """When the messages delivered in this round were sent: in the previous step, one round earlier."""
        return SendingMoment(self.step - 1, self.time, self.round - 1)

    @property
    def following(self) -> Round:
        """The next round of the same second, in which only messages between the host's own agents are delivered."""
        phase: Literal["run", "closing"] = "closing" if self.phase == "closing" else "run"
        return self._replace(step=self.step + 1, round=self.round + 1, phase=phase, expected={}, lost=(), lapse=False)

    def encoded(self) -> bytes:
        """Return the round as JSON, the form in which a journal stores it."""
        return to_json(self._asdict())

    @classmethod
    def decoded(cls, content: bytes) -> Round:
        """Return what `encoded` wrote.

        Raises:
            ValueError: It is something else.
        """
        return Round(**_STORED.validate_json(content))


@with_config(ConfigDict(extra="forbid"))
class _Stored(TypedDict):
    step: int
    time: int
    round: int
    granted_step: int
    expected: dict[str, int]
    lost: tuple[str, ...]
    phase: Literal["start", "run", "closing", "end"]
    lapse: bool
    alone: bool


_STORED: TypeAdapter[_Stored] = TypeAdapter(_Stored)
