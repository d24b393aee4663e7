"""The line above the tree: which neighbourhood is open, whether it is saved, and its problems."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical
from textual.css.query import NoMatches
from textual.timer import Timer
from textual.widgets import ContentSwitcher, Static, Tree

from scenarios import Problem
from scenarios.files import KeyPath, WayOut
from tui.editor import commands, tree_model
from tui.editor.checker import Checker
from tui.editor.edits import Change
from tui.editor.form_model import form_of
from tui.editor.form_view import FormView
from tui.editor.jobs_table import JobsTable
from tui.editor.preview_chart import Artist, Kept
from tui.editor.problems_panel import CoveragePanel, ProblemsPanel
from tui.editor.session import Checked, Work
from tui.editor.time_repairs import change_for
from tui.editor.tree_model import WHOLE, Ref
from tui.editor.tree_view import NeighbourhoodTree
from tui.formatting import plural
from tui.shell import AreaScreen, Days, EmptyState
from tui.widgets import Chart, FieldHelp, update_if_changed

PAUSE_WALL_S = 0.15
"""The whole file is checked when nothing was typed for so long."""
FOLLOW_WALL_S = 0.04
"""The form follows the tree's cursor so much later: who runs through the tree does not wait for forms."""


class Desk(AreaScreen):
    """The tree, the form, the chart, the problems of what is open."""

    DEFAULT_CSS = """
    Desk #desk { height: 1fr; }
    Desk #open { height: 1fr; }
    Desk #columns { height: 1fr; }
    Desk #tree { width: 30; border-right: solid $border; }
    Desk.-wide #tree { width: 36; }
    Desk #right { width: 1fr; }
    Desk #middle { height: 1fr; layout: vertical; }
    Desk.-wide #middle { layout: horizontal; }
    Desk #left { height: 1fr; width: 1fr; }
    Desk #part { height: 1fr; width: 1fr; }
    Desk #side { height: 8; display: none; }
    Desk #side.some { display: block; }
    Desk.-tall #side { height: 14; }
    Desk.-wide #side { height: 1fr; width: 1fr; border-left: solid $border; }
    Desk #side .said { height: auto; padding: 0 1; color: $text-muted; background: $surface; }
    Desk.-narrow #side Chart { min-height: 4; }
    Desk.-wide #side Chart { max-height: 24; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.work: Work | None = None
        self.ref: Ref = WHOLE
        """What the form shows."""
        self._check_wanted = asyncio.Event()
        self._checker = Checker()
        self._follow_timer: Timer | None = None
        self._offered: object = None
        self._drawn: Ref | None = None
        self.day_index = 0
        """Which day is drawn, where there are several."""
        self._kept: Kept = {}
        self.days: Days | None = None
        """Those that there are to choose from."""

    @property
    def is_settled(self) -> bool:
        """Whether all that was done is shown, drawn and checked."""
        work = self.work
        if work is None:
            return True
        if tree_model.kind_of(self.ref) != "jobs" and not self.query_one(FormView).shows(self.ref):
            return False
        return self._follow_timer is None and self._drawn == self.ref and work.checked is work.history.current

    def compose_body(self) -> ComposeResult:
        """An empty state until something is open."""
        with ContentSwitcher(initial="nothing", id="desk"):
            yield EmptyState(
                "No neighbourhood open",
                "Create a new one (Ctrl+N), copy a bundled one (b),\nopen a file (Ctrl+O), or import from PySSMic (i).",
                (
                    ("New", "screen.new"),
                    ("From a bundled one", "screen.copy_bundled"),
                    ("Open", "screen.open"),
                    ("Import", "screen.import"),
                ),
                id="nothing",
            )
            with Vertical(id="open"):
                yield Headline()
                with Horizontal(id="columns"):
                    yield NeighbourhoodTree()
                    with Vertical(id="right"), Container(id="middle"):
                        with Vertical(id="left"):
                            with ContentSwitcher(initial="form", id="part"):
                                yield FormView()
                                yield JobsTable()
                            yield FieldHelp()
                        with Vertical(id="side"):
                            yield Static("", classes="said", markup=False)
                            yield Chart(empty="")
                yield ProblemsPanel()
                yield CoveragePanel()

    def on_mount(self) -> None:
        """Check whatever is open, as long as this is there."""
        self.begin(self._check_forever)

    async def on_unmount(self) -> None:
        """Leave no process behind."""
        await self._checker.close()

    def begin(
        self, task: Callable[..., Coroutine[Any, Any, Any]], *args: object, group: str = "default", alone: bool = False
    ) -> None:
        """Do something that waits; what it raises is shown as a notice.

        Args:
            task: What to do.
            args: Of it.
            group: Tasks that belong together.
            alone: Whether those of the group that are not done yet are cancelled.
        """
        work: Any = partial(self._guarded, task, *args)
        self.run_worker(work, group=group, exclusive=alone, exit_on_error=False)

    async def _guarded(self, task: Callable[..., Coroutine[Any, Any, Any]], *args: object) -> None:
        try:
            await task(*args)
        except NoMatches as error:
            if self.query(
                NeighbourhoodTree
            ):  # else the screen is being taken down, and there is nothing left to show it on
                self.complain(error)
        except Exception as error:  # noqa: BLE001 - nothing of it may be lost
            self.complain(error)

    def offer(self) -> None:
        """Let the footer offer what can be done now; drawing it anew costs much, so only where that changed."""
        work = self.work
        offered: object = None
        if work is not None:
            kind = tree_model.at(work.tree, (*self.ref, "type")) if self.ref else None
            history = work.history
            changes = history.undoable is None, history.redoable is None
            offered = tree_model.kind_of(self.ref), kind, changes, bool(work.problems)
        if offered != self._offered:
            self._offered = offered
            self.refresh_bindings()

    # Showing.

    def take_up(self, work: Work | None, ref: Ref = WHOLE) -> None:
        """Show other work; None: nothing is open."""
        self.work = work
        self._kept = {}
        self.day_index = 0
        self.ref = ref if work is not None and tree_model.exists(work.tree, ref) else WHOLE
        self.query_one("#desk", ContentSwitcher).current = "nothing" if work is None else "open"
        tree = self.query_one(NeighbourhoodTree)
        tree.forget()
        if work is not None:
            self.show(self.ref)
            self.call_after_refresh(tree.focus)
        else:
            self.set_focus(None)
        self.offer()

    def show(self, select: Ref | None = None) -> None:
        """Show what is open as it is now; `select`: show this part of it."""
        work = self.work
        if work is None:
            return
        if select is not None:
            self.ref = select
        while not tree_model.exists(work.tree, self.ref):
            self.ref = tree_model.parent_of(work.tree, self.ref) if self.ref != WHOLE else WHOLE
        self.query_one(NeighbourhoodTree).follow(work.tree, self.ref if select is not None else None)
        self._show_part(FOLLOW_WALL_S if select is not None else PAUSE_WALL_S)
        self.query_one(Headline).show(work)
        self._check_wanted.set()
        self.offer()

    def _show_part(self, draw_after_wall_s: float = FOLLOW_WALL_S) -> None:
        work = self.work
        if work is None:
            return
        is_jobs = tree_model.kind_of(self.ref) == "jobs"
        self.query_one("#part", ContentSwitcher).current = "jobs" if is_jobs else "form"
        if is_jobs:
            self.query_one(JobsTable).show(work.tree)
        else:
            form = form_of(work.tree, self.ref)
            self.begin(self.query_one(FormView).show, work.tree, form, group="form")
        self._show_problems()
        self.begin(self._draw, draw_after_wall_s, group="chart", alone=True)

    def _show_problems(self) -> None:
        work = self.work
        if work is None:
            return
        by_path: dict[KeyPath, list[str]] = {}
        for problem in work.problems:
            by_path.setdefault(problem.path, []).append(problem.what)
        id_path = (*self.ref, "id")
        at_once = commands.id_problem(work.tree, id_path)
        if at_once is not None:
            by_path[id_path] = [at_once]
        elif work.checked is not work.history.current:
            by_path.pop(id_path, None)
        self.query_one(FormView).complain(by_path)

    async def _draw(self, after_wall_s: float) -> None:
        """Draw the part's chart; files may have to be read, so not on this thread."""
        work, ref = self.work, self.ref
        if work is None:
            return
        self._drawn = None
        await asyncio.sleep(after_wall_s)
        picture = await asyncio.to_thread(Artist(work.tree, work.folder, self.day_index, self._kept).picture, ref)
        if self.work is work and self.ref == ref:
            if picture.days != self.days:
                self.days = picture.days
                self.refresh_bindings()
            side = self.query_one("#side")
            is_jobs = tree_model.kind_of(ref) == "jobs"
            side.set_class(not is_jobs and (bool(picture.series) or self.has_class("-wide")), "some")
            said = f"{picture.title}\n{picture.said}" if picture.said else picture.title
            update_if_changed(side.query_one(".said", Static), said)
            side.query_one(Chart).show(picture.series, picture.span)
            self._drawn = ref

    def action_next_day(self, by: int) -> None:
        """Draw the day before or after."""
        if self.days is not None:
            self._show_day(self.days.fitting(self.day_index) + by)

    def action_choose_day(self) -> None:
        """Ask which day to draw."""
        days = self.days
        if days is not None:

            def chosen(text: str | None) -> None:
                if text is not None:
                    self._show_day(days.index(text))

            self.app.push_screen(days.ask(days.fitting(self.day_index)), chosen)

    def _show_day(self, index: int) -> None:
        if self.days is not None:
            self.day_index = self.days.fitting(index)
            self.begin(self._draw, 0.0, group="chart", alone=True)

    @on(Tree.NodeHighlighted)
    def _follow_cursor(self, event: Tree.NodeHighlighted[Ref]) -> None:
        if self._follow_timer is not None:
            self._follow_timer.stop()
            self._follow_timer = None
        ref = event.node.data
        if ref is not None and ref != self.ref:
            self._follow_timer = self.set_timer(FOLLOW_WALL_S, lambda: self._select(ref))

    def _select(self, ref: Ref) -> None:
        if self._follow_timer is not None:
            self._follow_timer.stop()
            self._follow_timer = None
        work = self.work
        if work is not None and tree_model.exists(work.tree, ref) and ref != self.ref:
            work.history.settle()
            self.ref = ref
            self._show_part()
            self.offer()

    def go_to(self, ref: Ref) -> None:
        """Show a part, the tree's cursor on it."""
        self.query_one(NeighbourhoodTree).go_to(ref)
        self._select(ref)

    # Changing.

    def apply(
        self, build: Callable[[tree_model.Tree], Change | None], merge_key: object = None, *, focus: bool = False
    ) -> None:
        """Make a change and show it.

        Args:
            build: Returns the change to some data.
            merge_key: See `History.apply`.
            focus: Whether to go to the first field of what is shown then.
        """
        work = self.work
        if work is None:
            return
        version = work.history.apply(build, self.ref, merge_key)
        if version is None:
            return
        select = version.change.select if version.change is not None else None
        self.show(select)
        if focus:
            self.begin(self._focus_form, None)

    async def _focus_form(self, path: KeyPath | None) -> None:
        work = self.work
        if work is not None:
            form = self.query_one(FormView)
            await form.show(work.tree, form_of(work.tree, self.ref))
            form.focus_field(path)

    @on(NeighbourhoodTree.EnterForm)
    def enter_form(self) -> None:
        """Go to the fields of what the tree's cursor is on."""
        self._select(self.query_one(NeighbourhoodTree).cursor_ref)
        if tree_model.kind_of(self.ref) == "jobs":
            self.query_one(JobsTable).focus_table()
        else:
            self.begin(self._focus_form, None)

    # Checking.

    async def _check_forever(self) -> None:
        while True:
            await self._check_wanted.wait()
            while self._check_wanted.is_set():
                self._check_wanted.clear()
                await asyncio.sleep(PAUSE_WALL_S)
            work = self.work
            if work is not None:
                checked = await self._checker.check(work.history.current, work.title, work.folder)
                if work is self.work:
                    self._checked(work, checked)

    def _checked(self, work: Work, checked: Checked) -> None:
        if checked.failed is not None:
            if work.history.drop(checked.version):
                self.complain(checked.failed, "Cannot be changed here")
                self.show()
            return
        if checked.version is not work.history.current:
            return
        work.take(checked)
        self.query_one(NeighbourhoodTree).mark(work.wrong())
        self.query_one(ProblemsPanel).show(work.tree, work.problems)
        self.begin(self.query_one(CoveragePanel).show, work.tree, work.notes, group="coverage")
        self._show_problems()
        self.query_one(Headline).show(work)
        self.offer()

    @on(CoveragePanel.Chosen)
    def _way_chosen(self, event: CoveragePanel.Chosen) -> None:
        self.begin(self.bring_together, event.way)

    async def bring_together(self, way: WayOut) -> None:
        """Let parts meet in time that did not; files may have to be read, so not on this thread."""
        work = self.work
        if work is None:
            return
        change = await asyncio.to_thread(change_for, way, work.tree, work.folder)
        if change is not None and work is self.work:
            self.apply(lambda _: change)

    def go_to_problem(self, problem: Problem) -> None:
        """Show the field of a problem."""
        work = self.work
        if work is not None:
            self.go_to(tree_model.owner_of(work.tree, problem.path))
            self.begin(self._focus_form, problem.path)

    @on(ProblemsPanel.Chosen)
    def _problem_chosen(self, event: ProblemsPanel.Chosen) -> None:
        self.go_to_problem(event.problem)


class Headline(Horizontal):
    """Name, state, what was found."""

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
        """Three texts."""
        yield Static("", classes="name", markup=False)
        yield Static("", classes="state", markup=False)
        yield Static("", classes="found", markup=False)

    def show(self, work: Work) -> None:
        """Say how it stands with what is open."""
        update_if_changed(self.query_one(".name", Static), work.title)
        state = "● changed, not saved" if work.history.is_dirty else ""
        if work.path is None and not work.history.is_dirty:
            state = "not saved yet" if work.source else "new"
        update_if_changed(self.query_one(".state", Static), state)
        found, count = self.query_one(".found", Static), len(work.problems)
        found.set_class(bool(count), "some")
        if work.checked is not work.history.current:
            update_if_changed(found, f"✗ {count}" if count else "… checking")
        else:
            notes = f", {plural(len(work.notes), 'note')}" if work.notes else ""
            update_if_changed(found, f"✗ {plural(count, 'problem')} (F8)" if count else f"✓ no problems{notes}")
