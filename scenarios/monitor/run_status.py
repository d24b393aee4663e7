"""Status of a run: a state with text and tone, derived by one pure function for every screen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from broker.clock import STALLED_AFTER_WALL_S, ClockReport
from broker.protocol import TimeReport

Kind = Literal["connecting", "waiting", "running", "paused", "stalled", "disconnected", "ended", "failed"]
Tone = Literal["good", "warning", "bad", "plain"]
LinkStatus = Literal["connecting", "connected", "reconnecting", "unreachable", "refused"]
"""`unreachable` is retried; `refused`, for example after a wrong login, is not."""

SILENT_AFTER = 4
"""Number of missing reports after which the clock counts as silent; a busy machine may lose a few."""
_NAMED = 3

SIGNS: dict[Kind, str] = {
    "connecting": "…",
    "waiting": "…",
    "running": "▶",
    "paused": "‖",
    "stalled": "!",
    "disconnected": "○",
    "ended": "■",
    "failed": "✗",
}
TONES: dict[Kind, Tone] = {
    "connecting": "warning",
    "waiting": "warning",
    "running": "good",
    "paused": "warning",
    "stalled": "bad",
    "disconnected": "bad",
    "ended": "plain",
    "failed": "bad",
}


@dataclass(frozen=True, slots=True)
class RunStatus:
    """The status of a run that all screens and tables show, so that they agree."""

    kind: Kind
    words: str
    """The state in words, such as `stalled, waiting for adler (26 s)`: the cause first, because its end may be cut."""
    awaited: tuple[str, ...] = ()
    """Ids of the hosts that it waits for, as far as they are known."""

    @property
    def text(self) -> str:
        """Sign and words."""
        return f"{SIGNS[self.kind]} {self.words}"

    @property
    def tone(self) -> Tone:
        """Tone, which screens map to a colour."""
        return TONES[self.kind]

    @property
    def moves(self) -> bool:
        """Whether virtual time advances; only then is an estimate of the remaining time meaningful."""
        return self.kind == "running"

    @property
    def is_over(self) -> bool:
        """Whether the run has ended."""
        return self.kind in {"ended", "failed"}


def status_of_run(
    report: TimeReport | None,
    *,
    link: LinkStatus = "connected",
    problem: str = "",
    silent_wall_s: float = 0.0,
    is_over: bool = False,
    has_clock_left: bool = False,
    me: str = "",
) -> RunStatus:
    """Return the status of a run.

    Args:
        report: The latest report of its clock; None: none yet.
        link: State of the connection over which reports arrive.
        problem: Why there is no connection.
        silent_wall_s: Age of the report, wall-clock seconds.
        is_over: Whether the run is known to be over, regardless of the report.
        has_clock_left: Whether its clock has removed its report since, as it does when it ends or is interrupted.
        me: Name of this user, as in `Control.by`.
    """
    if report is not None and report.state == "failed":
        return RunStatus("failed", "failed")
    if report is not None and (is_over or report.state == "ended"):
        return RunStatus("ended", f"ended, stopped{_by(report.stopped_by, me)}" if report.stopped_by else "ended")
    if report is not None and has_clock_left:
        return RunStatus("ended", "interrupted, the clock has left")
    if link != "connected":
        return _unlinked(link, problem)
    if report is None:
        return RunStatus("waiting", "waiting for the run to begin")
    return _live(report, silent_wall_s, me)


def _live(report: TimeReport, silent_wall_s: float, me: str) -> RunStatus:
    waited_wall_s = report.waiting_wall_s + silent_wall_s
    is_silent = bool(report.every_wall_s) and silent_wall_s >= SILENT_AFTER * report.every_wall_s
    if report.state == "gone" or is_silent:
        why = "the clock is gone" if report.state == "gone" else "no sign of the clock"
        return RunStatus("stalled", f"stalled, {why} ({_span(silent_wall_s)})", ("clock",))
    if report.state == "waiting":
        whom = names(report.waiting_for, report.waiting_more) or "hosts"
        since = f" ({_span(waited_wall_s)})" if waited_wall_s >= STALLED_AFTER_WALL_S else ""
        return RunStatus("waiting", f"waiting for {whom}{since}", report.waiting_for)
    silent = tuple(host for host in report.waiting_for if host not in report.busy)
    is_stalled = bool(silent) and waited_wall_s >= STALLED_AFTER_WALL_S
    whom = names(silent, report.waiting_more)
    if report.state == "paused":
        waiting = f", waiting for {whom}" if is_stalled else ""
        return RunStatus("paused", f"paused{_by(report.paused_by, me)}{waiting}", silent if is_stalled else ())
    if is_stalled:
        return RunStatus("stalled", f"stalled, waiting for {whom} ({_span(waited_wall_s)})", silent)
    verb = "is" if len(report.busy) == 1 else "are"
    is_busy = bool(report.busy) and waited_wall_s >= STALLED_AFTER_WALL_S
    return RunStatus("running", f"running, {names(report.busy)} {verb} still busy" if is_busy else "running")


def status_of_reported(reported: ClockReport, me: str = "") -> RunStatus:
    """Return the status of a run whose clock is in a process of our own; `me` as in `status_of_run`."""
    return status_of_run(reported.report, link="connected" if reported.is_connected else "reconnecting", me=me)


def most_urgent(standings: Iterable[RunStatus]) -> RunStatus | None:
    """Return the status that needs attention most among several runs; None if no run is under way."""
    order: tuple[Kind, ...] = ("stalled", "disconnected", "paused", "connecting", "waiting", "running")
    under_way = [standing for standing in standings if standing.kind in order]
    return min(under_way, key=lambda standing: order.index(standing.kind), default=None)


def names(hosts: Sequence[str], more: int = 0) -> str:
    """Return a few host names and the number of others as a phrase.

    Args:
        hosts: The names.
        more: Number of hosts that are not named.
    """
    shown = list(hosts[:_NAMED])
    others = len(hosts) - len(shown) + more
    if others:
        shown.append(f"{others} more")
    return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))


def _unlinked(link: LinkStatus, problem: str) -> RunStatus:
    if link == "connecting":
        return RunStatus("connecting", "connecting to the broker")
    if link == "reconnecting":
        return RunStatus("disconnected", "disconnected, trying again")
    if link == "refused":
        return RunStatus("disconnected", f"disconnected: {problem}")
    return RunStatus("disconnected", f"disconnected, trying again: {problem}" if problem else "disconnected")


def _by(who: str, me: str) -> str:
    if not who:
        return ""
    return " by you" if who == me else f" by {who}"


def _span(wall_s: float) -> str:
    minutes, seconds = divmod(int(wall_s), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
