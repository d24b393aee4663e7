"""The next round and its virtual time: which round follows which. Pure functions; the clock carries out the result."""

from __future__ import annotations

from collections.abc import Mapping
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
            ValidationError: It is something else.
        """
        return _ROUND.validate_json(content)


_ROUND: TypeAdapter[ScheduledRound] = TypeAdapter(ScheduledRound)


def first_round(start_s: int, hosts: tuple[str, ...]) -> ScheduledRound:
    """Return the round in which all agents start, at virtual time `start_s`."""
    counts: Counts = {host: {} for host in hosts}
    return ScheduledRound(
        time_s=start_s, round=0, step=0, phase="start", counts=counts, timers_s={}, ran={}, acted_until_s=start_s
    )


def next_round(
    last: ScheduledRound,
    addressed: Counts,
    timers_s: dict[str, int | None],
    *,
    hosts: tuple[str, ...],
    end_s: int | None,
    is_stopped: bool,
    stopped_at_s: int | None = None,
    stop_after_s: int | None = None,
    lost: tuple[str, ...] = (),
    asking: tuple[str, ...] = (),
    resumes: Mapping[str, int] | None = None,
) -> ScheduledRound | None:
    """Return the round that follows a step.

    While messages are in flight, that is the next round of the same second. Otherwise it is the round in which an agent
    that skips rounds continues; the rounds before it are not run. If there is no such agent, unanswered requests can no
    longer be answered in this second, and lapse in an additional round. After that comes the round at the earliest
    timer. The run ends with a closing round for all hosts, the rounds that it causes, and a last round in which the
    hosts leave.

    Args:
        last: The step that has run.
        addressed: Hosts that were sent messages in it, with the counts by sending host.
        timers_s: By host, its earliest timer now, UNIX seconds; None: no timer.
        hosts: Hosts that take part.
        end_s: End of the run, UNIX seconds, exclusive; None: the run ends when no timer is left.
        is_stopped: Whether someone asked to end the run early.
        stopped_at_s: Virtual time at which it then ends, UNIX seconds, before its next timer; None: that of the last
            step.
        stop_after_s: Last second that the run may reach before it is stopped, UNIX seconds; None: no limit.
        lost: Agents lost since the last step; all hosts are informed.
        asking: Hosts with an agent that waits for an answer.
        resumes: By host with an agent that skips rounds: the step in which it continues, after the last one.

    Returns:
        The next round; None if the run is over.
    """
    waits = dict(resumes or {})

    def step(time_s: int, phase: Phase, counts: Counts, *, lapse: bool = False, skipped: int = 0) -> ScheduledRound:
        same = time_s == last.time_s
        return ScheduledRound(
            time_s=time_s,
            round=last.round + 1 + skipped if same else 0,
            step=last.step + 1 + skipped,
            phase=phase,
            counts=counts,
            timers_s=timers_s,
            ran=last.ran | dict.fromkeys(last.counts, last.step),
            acted_until_s=time_s if phase == "run" else last.acted_until_s,
            lost=lost,
            asking=asking,
            lapse=lapse,
            resumes=waits,
        )

    def all_hosts() -> Counts:
        return {host: {} for host in hosts}

    in_flight = all_hosts() | addressed if lost else addressed
    if (in_flight or waits) and last.phase != "end":
        skipped = 0 if in_flight else min(waits.values()) - last.step - 1
        going_on: Counts = {host: {} for host, at_step in waits.items() if at_step == last.step + 1 + skipped}
        phase: Phase = "closing" if last.phase == "closing" else "run"
        return step(last.time_s, phase, going_on | in_flight, skipped=skipped)
    if asking and not last.lapse and last.phase != "end":
        unanswered: Counts = {host: {} for host in asking}
        return step(last.time_s, "closing" if last.phase == "closing" else "run", unanswered, lapse=True)
    if last.phase in {"closing", "end"}:
        return step(last.time_s, "end", all_hosts()) if last.phase == "closing" else None
    earliest_s = min([time_s for time_s in timers_s.values() if time_s is not None], default=None)
    if stop_after_s is not None and (earliest_s is None or earliest_s > stop_after_s):
        is_stopped, stopped_at_s = True, stop_after_s
    if is_stopped:
        at_s = last.time_s if stopped_at_s is None else max(last.time_s, stopped_at_s)
        if earliest_s is not None:
            at_s = max(last.time_s, min(at_s, earliest_s - 1))
        return replace(step(at_s, "closing", all_hosts()), acted_until_s=at_s)
    if earliest_s is None or (end_s is not None and earliest_s >= end_s):
        closing_s = last.time_s if end_s is None else max(last.time_s, end_s)
        return step(closing_s, "closing", all_hosts())
    return step(earliest_s, "run", {host: {} for host, time_s in timers_s.items() if time_s == earliest_s})
