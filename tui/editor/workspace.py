"""The workspace: an open neighbourhood as a tree, the form of the selected part, its chart, its problems and notes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import ContentSwitcher, Static, Tree

from broker import plural
from scenarios import problem_count
from scenarios.files import KeyPath
from tui.editor import tree_changes, tree_model
from tui.editor.forms import FormView, PartForm, form_of
from tui.editor.jobs_table import JobsTable
from tui.editor.preview_chart import Kept, PreviewArtist
from tui.editor.problems_panel import CoveragePanel, ProblemsPanel
from tui.editor.session import (
    PAUSE_WALL_S,
    Changed,
    ChangeRefused,
    CheckFinished,
    EditedNeighbourhood,
    EditSession,
    FieldWanted,
    Opened,
    OperationsChanged,
    Selected,
    SessionEvent,
)
from tui.editor.tree_model import Ref
from tui.editor.tree_view import NeighbourhoodTree
from tui.shell import Days, ErrorBoundary, complain
from tui.widgets import Chart, FieldHelp, update_if_changed

FOLLOW_WALL_S = 0.04
"""The form follows the tree's cursor so much later: while a key is held down, no forms are built on the way."""


SLOW_WALL_S = 0.3
"""A chart that is drawn for longer says so."""


class Workspace(ErrorBoundary, Vertical):
    """Shows an edit session; what the user selects here is selected in the session.

    The fields' messages (`FieldRow.Edited` and others) and `CoveragePanel.Chosen` are left to the screen.
    """

    SCOPED_CSS = False  # the screen's size, a class of the screen, decides too
    DEFAULT_CSS = """
    Workspace { height: 1fr; }
    Workspace #columns { height: 1fr; }
    Workspace #tree { width: 30; max-width: 50%; border-right: solid $border; }
    .-wide Workspace #tree { width: 26%; min-width: 28; max-width: 36; }
    Workspace #right { width: 1fr; }
    Workspace #middle { height: 1fr; layout: vertical; }
    .-wide Workspace #middle { layout: horizontal; }
    Workspace #left { height: 1fr; width: 1fr; }
    .-wide Workspace #left { min-width: 49; }  /* a time with its offset */
    Workspace #part { height: 1fr; width: 1fr; }
    """

    def __init__(self, session: EditSession) -> None:
        """Make the widget.

        Args:
            session: The edit session to display; the workspace subscribes to it.
        """
        super().__init__(id="open")
        self._session = session
        self._follow_timer: Timer | None = None
        self.preview = PreviewPanel(session)
        self._tree, self._form, self._jobs = NeighbourhoodTree(), FormView(), JobsTable()
        self._problems, self._coverage = ProblemsPanel(), CoveragePanel()
        self._parts = (self._tree, self._form, self._jobs, self._problems, self._coverage)
        session.watch(self._follow_session)

    def compose(self) -> ComposeResult:
        """The tree at the left, form and chart at the right, problems and notes below."""
        yield Headline()
        with Horizontal(id="columns"):
            yield self._tree
            with Vertical(id="right"), Container(id="middle"):
                with Vertical(id="left"):
                    with ContentSwitcher(initial="form", id="part"):
                        yield self._form
                        yield self._jobs
                    yield FieldHelp()
                yield self.preview
        yield self._problems
        yield self._coverage

    def on_mount(self) -> None:
        """Check what is open for as long as the workspace is there."""
        self.begin(self._session.check_forever)

    async def on_unmount(self) -> None:
        """End the process that checks."""
        await self._session.close()

    def begin(
        self, task: Callable[..., Coroutine[Any, Any, Any]], *args: object, group: str = "default", alone: bool = False
    ) -> None:
        """Run a task in the background; its errors are displayed as notices.

        Args:
            task: The function to call.
            args: Its arguments.
            group: Name of the group that the task belongs to.
            alone: Whether to cancel running tasks of the group first.
        """
        self.run_in_background(partial(task, *args), group=group, is_exclusive=alone)

    @property
    def _is_whole(self) -> bool:
        """Whether all parts are there: a screen that closes removes them one by one, and events still arrive."""
        return all(part.is_attached for part in self._parts)

    @property
    def is_settled(self) -> bool:
        """Whether all changes are displayed, drawn and checked."""
        session = self._session
        if session.work is None:
            return True
        if tree_model.kind_of(session.ref) != "jobs" and not self._form.shows(session.ref):
            return False
        return self._follow_timer is None and self.preview.drawn == session.ref and session.is_checked

    @property
    def chosen(self) -> Ref | None:
        """The part that a key acts on: the row of the jobs table if it is visible, otherwise the selected part."""
        ref = self._session.ref
        return self._jobs.chosen if tree_model.kind_of(ref) == "jobs" else ref

    def focus_tree(self) -> None:
        """Give the tree the focus."""
        self._tree.focus()

    # Events of the session.

    def _follow_session(self, event: SessionEvent) -> None:
        if not self._is_whole:
            return
        match event:
            case Opened():
                self._show_opened()
            case OperationsChanged():
                self._show_headline()
            case Changed():
                self._show_changed(selects=event.selects)
            case Selected():
                self._show_selected(event)
            case FieldWanted():
                self.begin(self._focus_form, event.path)
            case CheckFinished():
                self._show_findings()
            case ChangeRefused():
                complain(self.app, event.error, "Cannot be changed here")

    def _show_opened(self) -> None:
        self.preview.forget()
        tree = self._tree
        tree.forget()
        if self._session.work is not None:
            self._show_changed(selects=True)
            self.call_after_refresh(tree.focus)
        else:
            self.screen.set_focus(None)

    def _show_changed(self, *, selects: bool) -> None:
        work = self._session.work
        if work is None:
            return
        self._tree.follow(work.tree, self._session.ref if selects else None)
        self._show_part(work, FOLLOW_WALL_S if selects else PAUSE_WALL_S)
        self._show_headline()

    def _show_headline(self) -> None:
        if self._session.work is not None:
            self.query_one(Headline).show(self._session.work, self._session.operation)

    def _show_selected(self, event: Selected) -> None:
        if event.reveal:
            self._tree.go_to(self._session.ref)
        self._stop_following()
        if event.is_new and self._session.work is not None:
            self._show_part(self._session.work)

    def _show_part(self, work: EditedNeighbourhood, draw_after_wall_s: float = FOLLOW_WALL_S) -> None:
        ref = self._session.ref
        is_jobs = tree_model.kind_of(ref) == "jobs"
        self.query_one("#part", ContentSwitcher).current = "jobs" if is_jobs else "form"
        if is_jobs:
            self._jobs.show(work.tree)
        else:
            self.begin(self._form.show, self._latest_form(work), group="form")
        self._show_problems(work)
        self._draw(draw_after_wall_s)

    def _latest_form(self, work: EditedNeighbourhood) -> Callable[[], tuple[tree_model.Tree, PartForm]]:
        """Return a function that returns a neighbourhood and the form of the selected part, as they are when called."""
        before, ref_before = work.tree, self._session.ref

        def latest() -> tuple[tree_model.Tree, PartForm]:
            tree, ref = before, ref_before
            if self._session.work is work and tree_model.kind_of(self._session.ref) != "jobs":
                tree, ref = work.tree, self._session.ref
            return tree, form_of(tree, ref)

        return latest

    def _draw(self, after_wall_s: float) -> None:
        self.begin(self.preview.draw, after_wall_s, group="chart", alone=True)

    def show_day(self, index: int) -> None:
        """Draw the chart of another day, where there are several: the day nearest to `index`."""
        days = self.preview.days
        if days is not None:
            self.preview.day_index = days.fitting(index)
            self._draw(0.0)

    def _show_findings(self) -> None:
        work = self._session.work
        if work is None:
            return
        self._tree.mark(work.wrong())
        self._problems.show(work.tree, work.problems)
        self.begin(self._coverage.show, work.tree, work.notes, group="coverage")
        self._show_problems(work)
        self._show_headline()

    def _show_problems(self, work: EditedNeighbourhood) -> None:
        by_path: dict[KeyPath, list[str]] = {}
        for problem in work.problems:
            by_path.setdefault(problem.path, []).append(problem.what)
        id_path = (*self._session.ref, "id")
        at_once = tree_changes.id_problem(work.tree, id_path)
        if at_once is not None:
            by_path[id_path] = [at_once]
        elif not self._session.is_checked:
            by_path.pop(id_path, None)
        self._form.complain(by_path)

    async def _focus_form(self, path: KeyPath | None) -> None:
        work = self._session.work
        if work is not None:
            form = self._form
            await form.show(self._latest_form(work))
            form.focus_field(path)

    # Actions of the user.

    @on(Tree.NodeHighlighted)
    def _follow_cursor(self, event: Tree.NodeHighlighted[Ref]) -> None:
        self._stop_following()
        ref = event.node.data
        if ref is not None and ref != self._session.ref:
            self._follow_timer = self.set_timer(FOLLOW_WALL_S, lambda: self._select(ref))

    def _stop_following(self) -> None:
        if self._follow_timer is not None:
            self._follow_timer.stop()
            self._follow_timer = None

    def _select(self, ref: Ref) -> None:
        self._stop_following()
        self._session.select(ref, reveal=False)

    @on(NeighbourhoodTree.EnterForm)
    def _enter_form(self) -> None:
        self._select(self._tree.cursor_ref)
        if tree_model.kind_of(self._session.ref) == "jobs":
            self._jobs.focus_table()
        else:
            self._session.fill_in()

    @on(JobsTable.Chosen)
    def _job_chosen(self, event: JobsTable.Chosen) -> None:
        self._session.select(event.ref)
        self._session.fill_in()

    @on(ProblemsPanel.Chosen)
    def _problem_chosen(self, event: ProblemsPanel.Chosen) -> None:
        self._session.go_to_problem(event.problem)


class PreviewPanel(Vertical):
    """The chart of the selected part: one day, where there are several."""

    SCOPED_CSS = False  # the screen's size, a class of the screen, decides too
    DEFAULT_CSS = """
    Workspace #side { height: 8; max-height: 50%; display: none; }
    Workspace #side.some { display: block; }
    .-tall Workspace #side { height: 14; }
    .-wide Workspace #side { height: 1fr; max-height: 100%; width: 1fr; border-left: solid $border; }
    Workspace #side .said {
        height: auto; padding: 0 1; color: $text-muted; background: $surface;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    .-narrow Workspace #side Chart { min-height: 4; }
    .-wide Workspace #side .said { text-wrap: wrap; }
    .-wide Workspace #side Chart { max-height: 24; }
    """

    def __init__(self, session: EditSession) -> None:
        """Make the panel.

        Args:
            session: Whose selected part is drawn.
        """
        super().__init__(id="side")
        self._session = session
        self._kept: Kept = {}
        self.drawn: Ref | None = None
        """The part that the chart shows; None while it is being drawn."""
        self.day_index = 0
        """The day that is drawn, where there are several."""
        self.days: Days | None = None
        """The days to choose from; None: the chart has no days."""

    def compose(self) -> ComposeResult:
        """A title above the chart."""
        yield Static("", classes="said", markup=False)
        yield Chart(empty="")

    def forget(self) -> None:
        """Begin with another neighbourhood, on its first day."""
        self._kept = {}
        self.day_index = 0

    async def draw(self, after_wall_s: float) -> None:
        """Draw the selected part after a while, in a thread, since files may have to be read."""
        work, ref = self._session.work, self._session.ref
        if work is None:
            return
        self.drawn = None
        await asyncio.sleep(after_wall_s)
        artist = PreviewArtist(work.tree, work.folder, self.day_index, self._kept, work.allow_outside)
        slow = self.set_timer(SLOW_WALL_S, self._say_slow)
        try:
            picture = await asyncio.to_thread(artist.picture, ref)
        finally:
            slow.stop()
        if self._session.work is work and self._session.ref == ref:
            if picture.days != self.days:
                self.days = picture.days
                self.screen.refresh_bindings()
            is_jobs = tree_model.kind_of(ref) == "jobs"
            is_wide = self.screen.has_class("-wide")
            self.set_class(not is_jobs and (bool(picture.series) or is_wide), "some")
            said = f"{picture.title}\n{picture.said}" if picture.said else picture.title
            update_if_changed(self.query_one(".said", Static), said)
            self.query_one(Chart).show(picture.series, picture.span, marks=picture.marks)
            self.drawn = ref

    def _say_slow(self) -> None:
        update_if_changed(self.query_one(".said", Static), "drawing ...")


class Headline(Horizontal):
    """The line above the tree: the name, whether it is saved, what is being done, and how many problems it has."""

    DEFAULT_CSS = """
    Headline { height: 1; background: $surface; }
    Headline > .name { width: auto; padding: 0 1; text-style: bold; }
    Headline > .state { width: 1fr; color: $warning; }
    Headline > .found { width: auto; padding: 0 1; color: $success; }
    Headline > .found.some { color: $text-error; }
    """

    def __init__(self) -> None:
        super().__init__(id="headline")

    def compose(self) -> ComposeResult:
        """Three texts in a row."""
        yield Static("", classes="name", markup=False)
        yield Static("", classes="state", markup=False)
        yield Static("", classes="found", markup=False)

    def show(self, work: EditedNeighbourhood, operation: str) -> None:
        """Show the state of the open neighbourhood, and what is being done that takes a while."""
        update_if_changed(self.query_one(".name", Static), work.title)
        state = "● changed, not saved" if work.history.is_dirty else ""
        if work.path is None and not work.history.is_dirty:
            state = "not saved yet" if work.source else "new"
        update_if_changed(self.query_one(".state", Static), "  ".join(filter(None, (state, operation))))
        found, count = self.query_one(".found", Static), problem_count(work.problems)
        found.set_class(bool(count), "some")
        if work.checked is not work.history.current:
            update_if_changed(found, f"✗ {count}" if count else "… checking")
        else:
            notes = f", {plural(len(work.notes), 'note')}" if work.notes else ""
            update_if_changed(found, f"✗ {plural(count, 'problem')} (F8)" if count else f"✓ no problems{notes}")
