"""The jobs: where each stands, and how it came to that."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult

from scenarios.monitor.message_log import shown_agent
from scenarios.monitor.negotiations import Negotiation
from scenarios.monitor.run_state import Watched
from scenarios.scenario import Zone
from tui.live.looks import amount, moment, state_cell
from tui.live.pane import Pane
from tui.live.sequence import SequenceView
from tui.widgets.table import Column, VirtualTable
from tui.widgets.words import Words


def _columns(zone: Zone) -> tuple[Column[Negotiation], ...]:
    def window(job: Negotiation) -> str:
        if job.earliest_start_s is None:
            return ""
        return f"{moment(zone, job.earliest_start_s)} - {moment(zone, job.latest_start_s)}"

    return (
        Column("job", lambda job: job.job_id, is_id=True, most=34),
        Column("house", lambda job: job.house, 12, wide=18, from_width=84),
        Column("state", lambda job: state_cell(job.state), 11),
        Column("supplied by", lambda job: job.producer, 14, wide=24, is_id=True),
        Column("start", lambda job: moment(zone, job.start_s), 15, sort=lambda job: job.start_s or 0),
        Column("refusals", lambda job: str(job.declines or ""), 8, right=True, sort=lambda job: job.declines),
        Column("energy", lambda job: amount(job.energy_wh), 9, right=True, sort=lambda job: job.energy_wh or 0),
        Column("window", window, 27, from_width=118, sort=lambda job: job.earliest_start_s or 0),
    )


class JobsPane(Pane):
    """Jobs above, the negotiation of the chosen one below."""

    DEFAULT_CSS = """
    JobsPane #jobs { height: 2fr; }
    JobsPane #sequence { height: 3fr; border-top: solid $border; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._watched: Watched | None = None
        self._job_id: str | None = None
        self._steps = -1
        self._changes = -1
        self._wanted: str | None = None

    def compose(self) -> ComposeResult:
        """Two tables and a line with the full text."""
        yield VirtualTable[Negotiation](
            _columns(Zone()), key=lambda job: job.job_id, empty="No job registered yet", id="jobs"
        )
        yield SequenceView()
        yield Words(classes="detail")

    def show(self, watched: Watched) -> None:
        """Draw the jobs, and what is new about the chosen one."""
        self._watched = watched
        if watched.changes == self._changes and self._wanted is None:
            return
        self._changes = watched.changes
        table: VirtualTable[Negotiation] = self.query_one("#jobs", VirtualTable)
        table.show_rows(watched.negotiations())
        if self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            table.go_to(wanted)
        self._show_sequence()

    def forget(self) -> None:
        """Begin with nothing."""
        self._job_id, self._steps, self._changes = None, -1, -1
        self.query_one("#jobs", VirtualTable).show_rows([])
        self.query_one(SequenceView).show(None)

    def show_times(self, zone: Zone) -> None:
        """See `Pane.show_times`."""
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
        self.query_one(".detail", Words).say(
            f"{step.kind}, {shown_agent(step.sender)} to {shown_agent(step.to)}: {step.said(self.zone)}"
        )
