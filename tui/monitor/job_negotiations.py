"""The jobs: state and negotiation of each."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from typing_extensions import override

from agents import MANAGER
from scenarios import Zone
from scenarios.monitor import MessageSummary, ObservedNegotiation, ObservedRun, Step, shown_agent
from tui.formatting import fit
from tui.monitor.pane import KINDS, Pane, amount, clock, kind_cell, moment, state_cell
from tui.widgets import Column, PlainText, VirtualTable

_LANE = 11
_WIDE_LANE = 16
_MOST_SHARE = 0.55
_OTHERS = "producers"


def lanes_of(negotiation: ObservedNegotiation, steps: Sequence[Step], most: int) -> list[str]:
    """Return the lanes of a sequence diagram: consumer, manager, producers in the order asked.

    Args:
        negotiation: The job's negotiation.
        steps: Its messages.
        most: Maximum number of lanes; beyond it, all producers share one.
    """
    consumer = negotiation.consumer or next((s.sender for s in steps if s.kind == "ProducersFor"), "consumer")
    parties = dict.fromkeys((consumer, MANAGER))
    for step in steps:
        parties.update(dict.fromkeys((step.sender, step.to)))
    lanes = list(parties)
    return lanes if len(lanes) <= most else [consumer, MANAGER, _OTHERS]


def arrow(lanes: list[str], sender: str, to: str, width: int) -> str:
    """Draw an arrow between two lanes.

    Args:
        lanes: The lanes, from left to right.
        sender: Lane where the arrow starts.
        to: Lane where it ends.
        width: Width of a lane, in cells.
    """
    places = [index * width + width // 2 for index in range(len(lanes))]
    drawn = [" "] * (len(lanes) * width)
    for place in places:
        drawn[place] = "│"
    begin, end = (places[lanes.index(party) if party in lanes else len(lanes) - 1] for party in (sender, to))
    if begin == end:
        drawn[begin] = "●"
        return "".join(drawn)
    low, high = min(begin, end), max(begin, end)
    for place in range(low + 1, high):
        drawn[place] = "┼" if drawn[place] == "│" else "─"
    drawn[begin] = "├" if begin < end else "┤"
    drawn[end - 1 if begin < end else end + 1] = "▶" if begin < end else "◀"
    return "".join(drawn)


class SequenceView(VirtualTable[MessageSummary]):
    """Sequence diagram of one negotiation, with a lane per party."""

    def __init__(self) -> None:
        super().__init__(
            (), key=lambda step: step.number, empty="Choose a job to see how it was negotiated", id="sequence"
        )
        self.zone = Zone()
        """Display zone of times."""
        self._negotiation: ObservedNegotiation | None = None
        self._lanes: tuple[list[str], int, Zone] | None = None

    def show(self, negotiation: ObservedNegotiation | None, steps: Sequence[Step] = ()) -> None:
        """Show a job's negotiation; called again when it grows.

        Args:
            negotiation: The job's negotiation; None clears the view.
            steps: Its messages.
        """
        self._negotiation = negotiation
        if negotiation is not None:
            self._lay_out(negotiation, steps)
        self.show_rows(steps)

    def on_resize(self) -> None:
        """Adapt the lanes to the width."""
        super().on_resize()
        if self._negotiation is not None:
            self._lay_out(self._negotiation, self.rows)

    def _lay_out(self, negotiation: ObservedNegotiation, steps: Sequence[Step]) -> None:
        room = int((self.size.width or 80) * _MOST_SHARE)
        lanes = lanes_of(negotiation, steps, max(3, room // _LANE))
        width = max(_LANE, min(_WIDE_LANE, room // len(lanes)))
        if (lanes, width, self.zone) == self._lanes:
            return
        self._lanes = lanes, width, self.zone
        title = "".join(fit(_short(lane), width - 1).strip().center(width) for lane in lanes)
        shared = lanes[-1] == _OTHERS

        def said(step: MessageSummary) -> tuple[str, str]:
            producer = step.sender if step.sender not in lanes else step.to
            who = f"{producer}: " if shared and producer not in lanes else ""
            return f"{who}{step.said(self.zone)}", KINDS.get(step.kind, ("", ""))[1]

        self.columns = (
            Column("time", lambda step: (clock(self.zone, step.time_s), "muted"), 8),
            Column(title, lambda step: (arrow(lanes, step.sender, step.to, width), _look(step)), len(lanes) * width),
            Column("kind", lambda step: kind_cell(step.kind), 14, from_width=90),
            Column("what it says", said),
        )


def _look(step: MessageSummary) -> str:
    return KINDS.get(step.kind, ("", ""))[1]


def _short(lane: str) -> str:
    """Return a consumer's device, without the house."""
    return shown_agent(lane).rpartition("/")[2]


def _columns(zone: Zone) -> tuple[Column[ObservedNegotiation], ...]:
    def window(job: ObservedNegotiation) -> str:
        first_s, last_s = job.earliest_start_s, job.latest_start_s
        if first_s is None or last_s is None:
            return moment(zone, first_s)
        is_one_day = zone.at(first_s).date() == zone.at(last_s).date()
        return f"{moment(zone, first_s)} - {zone.narrow_clock(last_s) if is_one_day else moment(zone, last_s)}"

    return (
        Column("job", lambda job: job.job_id, is_id=True, most=34),
        Column("house", lambda job: job.house, 12, wide=18, from_width=90),
        Column("state", lambda job: state_cell(job.state), 11),
        Column("supplied by", lambda job: " + ".join(job.suppliers), 14, wide=24, is_id=True),
        Column("start", lambda job: moment(zone, job.start_s), 15, sort=lambda job: job.start_s or 0),
        Column("refusals", lambda job: str(job.declines or ""), 8, right=True, sort=lambda job: job.declines),
        Column("energy", lambda job: amount(job.energy_wh), 9, right=True, sort=lambda job: job.energy_wh or 0),
        Column("window", window, 27, wide=33, from_width=118, sort=lambda job: job.earliest_start_s or 0),
    )


class JobsPane(Pane):
    """Jobs above, the negotiation of the chosen one below."""

    DEFAULT_CSS = """
    JobsPane #jobs { height: 2fr; }
    JobsPane #sequence { height: 3fr; border-top: solid $border; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._watched: ObservedRun | None = None
        self._job_id: str | None = None
        self._steps = -1
        self._changes = -1
        self._wanted: str | None = None

    def compose(self) -> ComposeResult:
        """Two tables and a line with the full text."""
        yield VirtualTable[ObservedNegotiation](
            _columns(Zone()), key=lambda job: job.job_id, empty="No job registered yet", id="jobs"
        )
        yield SequenceView()
        yield PlainText(classes="detail")

    def show(self, watched: ObservedRun) -> None:
        """Draw the jobs, and news of the selected one."""
        self._watched = watched
        if watched.changes == self._changes and self._wanted is None:
            return
        self._changes = watched.changes
        table: VirtualTable[ObservedNegotiation] = self.query_one("#jobs", VirtualTable)
        table.show_rows(watched.negotiations())
        if self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            table.go_to(wanted)
        self._show_sequence()

    def forget(self) -> None:
        """Clear the pane."""
        self._job_id, self._steps, self._changes = None, -1, -1
        self.query_one("#jobs", VirtualTable).show_rows([])
        self.query_one(SequenceView).show(None)

    @override
    def show_times(self, zone: Zone) -> None:
        super().show_times(zone)
        self.query_one("#jobs", VirtualTable).columns = _columns(zone)
        self.query_one(SequenceView).zone = zone

    def open(self, job_id: str) -> None:
        """Show the negotiation of a job."""
        self._wanted = job_id
        if self._watched is not None:
            self.show(self._watched)

    def _show_sequence(self) -> None:
        watched = self._watched
        job = watched.jobs.get(self._job_id) if watched is not None and self._job_id is not None else None
        if watched is not None and job is not None and job.steps != self._steps:
            self._steps = job.steps
            self.query_one(SequenceView).show(job, watched.steps(job))

    @on(VirtualTable.Highlighted, "#jobs")
    def _job_chosen(self, event: VirtualTable.Highlighted) -> None:
        self._job_id, self._steps = event.row.job_id, -1
        self._show_sequence()

    @on(VirtualTable.Chosen, "#jobs")
    def _to_sequence(self) -> None:
        self.query_one(SequenceView).focus()

    @on(VirtualTable.Highlighted, "#sequence")
    def _explain(self, event: VirtualTable.Highlighted) -> None:
        step = event.row
        self.query_one(".detail", PlainText).say(
            f"{step.kind}, {shown_agent(step.sender)} to {shown_agent(step.to)}: {step.said(self.zone)}"
        )
