"""All jobs in one table."""

from __future__ import annotations

from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static

from tui.editor import tree_model
from tui.editor.time_fields import Origin, in_words, seconds
from tui.editor.tree_model import Ref, Tree, text
from tui.widgets import Column, VirtualTable


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job, in words."""

    ref: Ref
    device: str
    registered: str
    earliest: str
    latest: str
    profile: str
    order: tuple[int, int, int]
    """Sort keys: registered, earliest start, latest start; UNIX seconds."""


def rows_of(tree: Tree) -> list[JobRow]:
    """Return the jobs in the order of the file."""
    origin = Origin.of(tree.get("start"), tree.get("zone"))
    titles = tree_model.job_device_titles(tree)
    rows = []
    for index, job in tree_model.jobs(tree):
        key = tree_model.key_of_job(job)
        device = titles.get(key) or tree_model.job_device_title(tree, job)
        times = [job.get(key) for key in ("registered", "earliest_start", "latest_start")]
        registered, earliest, latest = (in_words(time, origin) for time in times)
        first_s, second_s, third_s = (seconds(time, origin) or 0 for time in times)
        profile = text(job.get("load_profile"))
        order = (first_s, second_s, third_s)
        rows.append(JobRow(("jobs", index), device, registered, earliest, latest, profile, order))
    return rows


class JobsTable(Vertical):
    """The table; enter opens a job."""

    DEFAULT_CSS = """
    JobsTable > .title { text-style: bold; color: $primary; padding: 0 1; }
    """

    class Chosen(Message):
        """A job was opened."""

        def __init__(self, ref: Ref) -> None:
            super().__init__()
            self.ref = ref

    def __init__(self) -> None:
        super().__init__(id="jobs")

    def compose(self) -> ComposeResult:
        """One row a job."""
        yield Static("All jobs", classes="title")
        yield VirtualTable[JobRow](
            (
                Column("device", lambda row: row.device),
                Column("registered", lambda row: row.registered, 11, 10, sort=lambda row: row.order[0]),
                Column("earliest", lambda row: row.earliest, 11, 9, sort=lambda row: row.order[1]),
                Column("latest", lambda row: row.latest, 11, 9, sort=lambda row: row.order[2]),
                Column("profile", lambda row: (row.profile or "the device's", "muted"), 18, from_width=70),
            ),
            key=lambda row: row.ref,
            empty="No jobs yet. Select a consumer and add a job (j), or import jobs from XML (I).",
            id="job-table",
        )

    def show(self, tree: Tree) -> None:
        """Show the jobs."""
        self.query_one(VirtualTable).show_rows(rows_of(tree))

    def focus_table(self) -> None:
        """Go to the rows."""
        self.query_one(VirtualTable).focus()

    @property
    def chosen(self) -> Ref | None:
        """The job under the cursor, if the table has the focus."""
        table = self.query_one(VirtualTable)
        row: JobRow | None = table.row
        return row.ref if row is not None and table.has_focus else None

    @on(VirtualTable.Chosen)
    def _chosen(self, event: VirtualTable.Chosen) -> None:
        event.stop()
        self.post_message(self.Chosen(event.row.ref))
