"""One job's negotiation as a sequence: who asked whom, who answered what, from request to contract."""

from __future__ import annotations

from collections.abc import Sequence

from agents.model import MANAGER
from scenarios.monitor.message_log import Line, shown_agent
from scenarios.monitor.negotiations import Negotiation, Step
from scenarios.scenario import Zone
from tui.live.looks import KINDS, clock, kind_cell
from tui.widgets.columns import fit
from tui.widgets.table import Column, VirtualTable

_LANE = 11
_WIDE_LANE = 16
_MOST_SHARE = 0.55
_OTHERS = "producers"


def lanes_of(negotiation: Negotiation, steps: Sequence[Step], most: int) -> list[str]:
    """Return the parties from left to right: consumer, manager, producers as they were asked.

    Args:
        negotiation: The job's.
        steps: What was said about it.
        most: Where there are more, all producers share one lane.
    """
    consumer = negotiation.consumer or next((s.sender for s in steps if s.kind == "ProducersFor"), "consumer")
    parties = dict.fromkeys((consumer, MANAGER))
    for step in steps:
        parties.update(dict.fromkeys((step.sender, step.to)))
    lanes = list(parties)
    return lanes if len(lanes) <= most else [consumer, MANAGER, _OTHERS]


def arrow(lanes: list[str], sender: str, to: str, width: int) -> str:
    """Draw a message between two parties, across the lanes of the others.

    Args:
        lanes: The parties.
        sender: From this one's lane.
        to: To this one's.
        width: Of a lane.
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


class SequenceView(VirtualTable[Line]):
    """The steps of one negotiation, a lane for each party."""

    def __init__(self) -> None:
        super().__init__(
            (), key=lambda step: step.number, empty="Choose a job to see how it was negotiated", id="sequence"
        )
        self.zone = Zone()
        """How times are shown."""
        self._negotiation: Negotiation | None = None
        self._lanes: tuple[list[str], int, Zone] | None = None

    def show(self, negotiation: Negotiation | None, steps: Sequence[Step] = ()) -> None:
        """Show a job's negotiation; called again when there is more of it.

        Args:
            negotiation: The job's; None: none.
            steps: What was said about it.
        """
        self._negotiation = negotiation
        if negotiation is not None:
            self._lay_out(negotiation, steps)
        self.show_rows(steps)

    def on_resize(self) -> None:
        """Make the lanes as wide as there is room."""
        super().on_resize()
        if self._negotiation is not None:
            self._lay_out(self._negotiation, self.rows)

    def _lay_out(self, negotiation: Negotiation, steps: Sequence[Step]) -> None:
        room = int((self.size.width or 80) * _MOST_SHARE)
        lanes = lanes_of(negotiation, steps, max(3, room // _LANE))
        width = max(_LANE, min(_WIDE_LANE, room // len(lanes)))
        if (lanes, width, self.zone) == self._lanes:
            return
        self._lanes = lanes, width, self.zone
        title = "".join(fit(_short(lane), width - 1).strip().center(width) for lane in lanes)
        shared = lanes[-1] == _OTHERS

        def said(step: Line) -> tuple[str, str]:
            producer = step.sender if step.sender not in lanes else step.to
            who = f"{producer}: " if shared and producer not in lanes else ""
            return f"{who}{step.said(self.zone)}", KINDS.get(step.kind, ("", ""))[1]

        self.columns = (
            Column("time", lambda step: (clock(self.zone, step.time_s), "muted"), 8),
            Column(title, lambda step: (arrow(lanes, step.sender, step.to, width), _look(step)), len(lanes) * width),
            Column("kind", lambda step: kind_cell(step.kind), 14, from_width=80),
            Column("what it says", said),
        )


def _look(step: Line) -> str:
    return KINDS.get(step.kind, ("", ""))[1]


def _short(lane: str) -> str:
    """Return the device of a consumer; the house is the same for all of them."""
    return shown_agent(lane).rpartition("/")[2]
