"""All jobs in one table."""

from __future__ import annotations

from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static

from tui.editor import tree_model
from tui.editor.forms import RunStart, in_words, seconds
from tui.editor.tree_model import Ref, Tree, text
from tui.widgets import Column, VirtualTable


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job, as the table shows it."""

    ref: Ref
    device: str
    job: Tree
    """The job as plain data; what a column says of it is worked out for the rows in sight only."""
    run_start: RunStart

    def said(self, key: str) -> str:
        """Return one of its times in words."""
        return in_words(self.job.get(key), self.run_start)

    def time_s(self, key: str) -> int:
        """Return one of its times, UNIX seconds; 0 if it has none."""
        return seconds(self.job.get(key), self.run_start) or 0

    @property
    def profile(self) -> str:
        """Its load profile; empty: that of the device."""
        return text(self.job.get("load_profile"))


def rows_of(tree: Tree) -> list[JobRow]:
    """Return the jobs in the order of the file."""
    run_start = RunStart.of_tree(tree)
    titles = tree_model.job_device_titles(tree)
    rows = []
    for index, job in tree_model.jobs(tree):
        device = titles.get(tree_model.key_of_job(job)) or tree_model.job_device_title(tree, job)
        rows.append(JobRow(("jobs", index), device, job, run_start))
    return rows


def _time_column(title: str, key: str, width: int) -> Column[JobRow]:
    return Column(title, lambda row: row.said(key), 11, width, sort=lambda row: row.time_s(key))


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
        """One row per job."""
        yield Static("All jobs", classes="title")
        yield VirtualTable[JobRow](
            (
                Column("device", lambda row: row.device),
                _time_column("registered", "registered", 10),
                _time_column("earliest", "earliest_start", 9),
                _time_column("latest", "latest_start", 9),
                Column("profile", lambda row: (row.profile or "the device's", "muted"), 18, from_width=70),
            ),
            key=lambda row: row.ref,
            empty="No jobs yet. Select a consumer and add a job (j), or import jobs from XML (I).",
            id="job-table",
        )

    def show(self, tree: Tree) -> None:
        """List the jobs of a neighbourhood; the cursor stays where it is."""
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
