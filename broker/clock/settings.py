"""The settings of a run's clock, and the interfaces of those that observe, and record, each step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from broker.clock.pacing import CatchUp, Moment, Pace
from broker.protocol import MAX_TIME_S, Envelope, Timeouts

OnLoss = Literal["wait", "drop", "fail"]


@dataclass(frozen=True, slots=True)
class ClockSettings:
    """Settings of a run's clock."""

    run: str
    hosts: Mapping[str, tuple[str, ...]]
    """By host id, the agents that live there; the run starts when all hosts are present."""
    start_s: int
    end_s: int | None = None
    """End of the run, UNIX seconds, exclusive; None: the run ends when no timer is left."""
    is_open: bool = False
    """Whether input may come from outside the run at any time. Then the run continues at its pace until its end, even
    without timers; if it has no end, until it is stopped."""
    stop_after_s: int | None = None
    """Last second in which timers fire, UNIX seconds, to repeat a run that was stopped there; None: no limit."""
    pace: Pace = field(default_factory=Pace)
    catch_up: CatchUp = field(default_factory=CatchUp)
    """How the run makes up for time in which a host, the broker or the machine was away."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    on_loss: OnLoss = "wait"
    """What to do about a lost host: `wait` until the time limit, then fail; `drop` it at the limit and continue without
    it; `fail` immediately.
    """
    indispensable: frozenset[str] = frozenset()
    """Hosts that are never dropped, because they run in the clock's own process."""
    latest_s: int = MAX_TIME_S
    """Latest time at which anything can happen in the run, UNIX seconds: no timer is later."""
    setups: Mapping[str, str] = field(default_factory=dict)
    """By host, the fingerprint of the settings that it must have been started with; hosts not listed may have any."""
    most_rounds_a_second: int = 10_000
    """More rounds than an honest exchange can take within one second of virtual time."""
    most_rounds: int | None = None
    """More rounds than a run of honest agents can take in all; None: any number."""
    most_timers: Mapping[str, int] = field(default_factory=dict)
    """By host, more timers than its agents can need in the run; hosts not listed may set any number."""
    most_messages: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """By host, more messages than its agents can send in one round, and in the run; hosts not listed may send any
    number."""
    utc_offset_s: int = 0
    """Offset from UTC at which the run's times are displayed. The clock only passes it on."""
    zone: str = ""
    """IANA time zone at which they are displayed; empty: the offset is always the same."""
    keep: bool = False
    """Whether retained messages stay at the broker after the run, for later inspection."""


class StepObserver(Protocol):
    """Called with every step's complete, ordered messages before the next step is granted."""

    def step_ran(self, moment: Moment, sent: tuple[Envelope, ...]) -> None:
        """Observe a step. After a restart of the clock the last step may be reported again.

        Args:
            moment: The step's virtual time, round and number.
            sent: Its messages, sorted by (sender, sequence number).
        """
        ...


@runtime_checkable
class StepKeeper(Protocol):
    """An observer that stores the messages that it observes, and may have to wait for storage."""

    def keep(self) -> bool:
        """Store the observed messages durably; return False if another process has locked the storage."""
        ...
