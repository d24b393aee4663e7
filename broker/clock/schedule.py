"""The course of a run: which step follows which. Pure; the clock asks it and does as it says."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from broker.clock.pacing import Moment

Counts = dict[str, dict[str, int]]
"""By receiving host, by sending host: messages sent in the step before."""
Phase = Literal["start", "run", "closing", "end"]


class ScheduledRound(BaseModel):
    """One round that the clock grants, and all that it has to know to go on from it: what its journal keeps."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time_s: int
    round: int
    step: int
    phase: Phase
    counts: Counts
    """The hosts that are granted the round, with the messages that each waits for."""
    timers_s: dict[str, int | None]
    """By host, its earliest timer as it was before this step."""
    ran: dict[str, int]
    """By host, the last step that it ran before this one."""
    acted_until_s: int
    """Timers up to here have fired; the run's end may lie later."""
    lost: tuple[str, ...] = ()
    """Agents that the run goes on without from this step on."""
    dropped: tuple[str, ...] = ()
    """Hosts that it goes on without, those of earlier steps too."""

    all_left: bool = False
    """In the last step: whether all hosts have left in good order."""

    @property
    def moment(self) -> Moment:
        """Where the run stands."""
        return Moment(self.time_s, self.round, self.step)


def first_round(start_s: int, hosts: tuple[str, ...]) -> ScheduledRound:
    """Return the step that starts all agents."""
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
    lost: tuple[str, ...] = (),
) -> ScheduledRound | None:
    """Return what follows a step; None when the run is over.

    While messages are under way, the next round of the same second; then the earliest timer; at the run's end a
    closing round for everybody, the rounds that follow from it, and the last one, in which the hosts leave.

    Args:
        last: The step that ran.
        addressed: Who is sent messages in it, and by whom.
        timers_s: By host, its earliest timer now.
        hosts: Those that take part.
        end_s: Nothing happens at or after it; None: the run ends when no timer is left.
        is_stopped: Whether somebody asked to end the run before its time.
        lost: Agents that are lost since the last step; everybody is told.
    """

    def step(time_s: int, phase: Phase, counts: Counts) -> ScheduledRound:
        same = time_s == last.time_s
        return ScheduledRound(
            time_s=time_s,
            round=last.round + 1 if same else 0,
            step=last.step + 1,
            phase=phase,
            counts=counts,
            timers_s=timers_s,
            ran=last.ran | dict.fromkeys(last.counts, last.step),
            acted_until_s=time_s if phase == "run" else last.acted_until_s,
            lost=lost,
        )

    everybody: Counts = {host: {} for host in hosts}
    under_way = (everybody if lost else {}) | addressed
    if under_way and last.phase != "end":
        return step(last.time_s, "closing" if last.phase == "closing" else "run", under_way)
    if last.phase in {"closing", "end"}:
        return step(last.time_s, "end", everybody) if last.phase == "closing" else None
    earliest_s = min((time_s for time_s in timers_s.values() if time_s is not None), default=None)
    if is_stopped:
        return step(last.time_s, "closing", everybody)
    if earliest_s is None or (end_s is not None and earliest_s >= end_s):
        closing_s = last.time_s if end_s is None else max(last.time_s, end_s)
        return step(closing_s, "closing", everybody)
    return step(earliest_s, "run", {host: {} for host, time_s in timers_s.items() if time_s == earliest_s})
