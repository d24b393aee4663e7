"""The next round and its virtual time: which round follows which. Pure functions; the clock carries out the result."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from broker.clock.pacing import Moment
from broker.protocol import MAX_TIME_S

Counts = dict[str, dict[str, int]]
"""By receiving host, by sending host: number of messages sent in the previous step."""
Phase = Literal["start", "run", "closing", "end"]


@dataclass(frozen=True, slots=True)
class ScheduledRound:
    """A round that the clock grants, with everything needed to continue from it; this is what its journal stores."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    time_s: Annotated[int, Field(ge=0, le=MAX_TIME_S)]
    round: Annotated[int, Field(ge=0)]
    step: Annotated[int, Field(ge=0)]
    phase: Phase
    counts: Counts
    """The hosts that are granted the round, with the messages that each must wait for."""
    timers_s: dict[str, int | None]
    """By host, its earliest timer before this step, UNIX seconds; None: no timer."""
    ran: dict[str, int]
    """By host, the last step that it ran before this one."""
    acted_until_s: int
    """Timers up to here have fired, UNIX seconds; the run's end may be later."""
    lost: tuple[str, ...] = ()
    """Agents that the run continues without from this step on."""
    dropped: tuple[str, ...] = ()
    """All hosts that the run continues without, including those dropped in earlier steps."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Why each of them was dropped."""
    quarantined: tuple[str, ...] = ()
    """The dropped hosts that were quarantined because they broke the protocol."""
    asking: tuple[str, ...] = ()
    """Hosts with an agent that waited for an answer before this step."""
    lapse: bool = False
    """Whether requests without an answer lapse in this step."""
    resumes: dict[str, int] = field(default_factory=dict)
    """By host with an agent that skips rounds: the step in which it continues, as known before this step."""
    all_left: bool = False
    """In the last step: whether all hosts have left in good order."""

    @property
    def moment(self) -> Moment:
        """Virtual time, round and step of the round."""
        return Moment(self.time_s, self.round, self.step)

    def encoded(self) -> str:
        """Return the round as JSON."""
        return _ROUND.dump_json(self).decode()

    @classmethod
    def decoded(cls, content: str) -> ScheduledRound:
        """Return what `encoded` wrote.

        Raises:
            ValidationError: The content was not written by it.
        """
        return _ROUND.validate_json(content)


_ROUND: TypeAdapter[ScheduledRound] = TypeAdapter(ScheduledRound)


@dataclass(frozen=True, slots=True)
class PendingWork:
    """What is left to do after a step, apart from the messages that were sent in it."""

    timers_s: dict[str, int | None]
    """By host, its earliest timer, UNIX seconds; None: no timer."""
    lost: tuple[str, ...] = ()
    """Agents lost since the step before; all hosts are informed."""
    asking: tuple[str, ...] = ()
    """Hosts with an agent that waits for an answer."""
    resumes: dict[str, int] = field(default_factory=dict)
    """By host with an agent that skips rounds: the step in which it continues, after the last one."""


@dataclass(frozen=True, slots=True)
class RunEnd:
    """When a run ends, if work is left."""

    end_s: int | None = None
    """Its end, UNIX seconds, exclusive; None: it ends when no timer is left."""
    stopped_at_s: int | None = None
    """Virtual time at which it ends early, before its next timer, UNIX seconds; None: that was not requested."""
    stop_after_s: int | None = None
    """Last second that it may reach before it is stopped, UNIX seconds; None: no limit."""


def first_round(start_s: int, hosts: tuple[str, ...]) -> ScheduledRound:
    """Return the round in which all agents start, at virtual time `start_s`."""
    counts: Counts = {host: {} for host in hosts}
    return ScheduledRound(
        time_s=start_s, round=0, step=0, phase="start", counts=counts, timers_s={}, ran={}, acted_until_s=start_s
    )


def next_round(
    last: ScheduledRound, hosts: tuple[str, ...], addressed: Counts, pending: PendingWork, end: RunEnd
) -> ScheduledRound | None:
    """Return the round that follows a step.

    While messages are in flight, that is the next round of the same second. Otherwise it is the round in which an agent
    that skips rounds continues; the rounds before it are not run. If there is no such agent, unanswered requests can no
    longer be answered in this second, and lapse in an additional round. After that comes the round at the earliest
    timer. The run ends with a closing round for all hosts, the rounds that it causes, and a last round in which the
    hosts leave.

    Args:
        last: The step that has run.
        hosts: Hosts that take part.
        addressed: Hosts that were sent messages in the step, with the counts by sending host.
        pending: What else is left to do.
        end: When the run ends.

    Returns:
        The next round; None if the run is over.
    """
    if last.phase == "end":
        return None
    following = _round_in_same_second(last, hosts, addressed, pending)
    if following is not None:
        return following
    if last.phase == "closing":
        return _scheduled(last, pending, last.time_s, "end", _all(hosts))
    return _round_at_later_time(last, hosts, pending, end)


def _round_in_same_second(
    last: ScheduledRound, hosts: tuple[str, ...], addressed: Counts, pending: PendingWork
) -> ScheduledRound | None:
    """Return the next round of the second; None if nothing is left to do in it."""
    phase: Phase = "closing" if last.phase == "closing" else "run"
    in_flight = _all(hosts) | addressed if pending.lost else addressed
    resumes = pending.resumes
    if in_flight or resumes:
        skipped = 0 if in_flight else min(resumes.values()) - last.step - 1
        resuming: Counts = {host: {} for host, step in resumes.items() if step == last.step + 1 + skipped}
        return _scheduled(last, pending, last.time_s, phase, resuming | in_flight, skipped=skipped)
    if pending.asking and not last.lapse:
        unanswered: Counts = {host: {} for host in pending.asking}
        return replace(_scheduled(last, pending, last.time_s, phase, unanswered), lapse=True)
    return None


def _round_at_later_time(
    last: ScheduledRound, hosts: tuple[str, ...], pending: PendingWork, end: RunEnd
) -> ScheduledRound:
    """Return the round at the earliest timer, or the closing round if the run ends before that."""
    earliest_s = min([time_s for time_s in pending.timers_s.values() if time_s is not None], default=None)
    stopped_at_s = end.stopped_at_s
    if end.stop_after_s is not None and (earliest_s is None or earliest_s > end.stop_after_s):
        stopped_at_s = end.stop_after_s
    if stopped_at_s is not None:
        at_s = stopped_at_s if earliest_s is None else min(stopped_at_s, earliest_s - 1)
        at_s = max(last.time_s, at_s)
        return replace(_scheduled(last, pending, at_s, "closing", _all(hosts)), acted_until_s=at_s)
    if earliest_s is None or (end.end_s is not None and earliest_s >= end.end_s):
        closing_s = last.time_s if end.end_s is None else max(last.time_s, end.end_s)
        return _scheduled(last, pending, closing_s, "closing", _all(hosts))
    due: Counts = {host: {} for host, time_s in pending.timers_s.items() if time_s == earliest_s}
    return _scheduled(last, pending, earliest_s, "run", due)


def _scheduled(
    last: ScheduledRound, pending: PendingWork, time_s: int, phase: Phase, counts: Counts, *, skipped: int = 0
) -> ScheduledRound:
    """Return a round that follows a step.

    Args:
        last: The step.
        pending: What it has left to do.
        time_s: Virtual time of the round, UNIX seconds.
        phase: Its phase.
        counts: The hosts that are granted it, with the messages that each must wait for.
        skipped: Number of rounds in between that are not run.
    """
    return ScheduledRound(
        time_s=time_s,
        round=last.round + 1 + skipped if time_s == last.time_s else 0,
        step=last.step + 1 + skipped,
        phase=phase,
        counts=counts,
        timers_s=pending.timers_s,
        ran=last.ran | dict.fromkeys(last.counts, last.step),
        acted_until_s=time_s if phase == "run" else last.acted_until_s,
        lost=pending.lost,
        asking=pending.asking,
        resumes=pending.resumes,
    )


def _all(hosts: tuple[str, ...]) -> Counts:
    return {host: {} for host in hosts}
