"""*Run*: choose a scenario and settings, start and control simulations, see the outcome."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widgets import Button, Input

from agents.scheduling import INSERTION
from broker import SsmicError, plural
from scenarios import Scenario, repeated_id_notes, run_notes
from scenarios.load import LoadedScenario, load
from scenarios.simulation import Plan, from_equal_scores
from tui.formatting import size_of
from tui.run.algorithms_dialog import AlgorithmsDialog, Chosen
from tui.run.form import choices, plans_of
from tui.run.form_view import RunForm, problem_text
from tui.run.preview import PREVIEW_LINES, Preview, first_day
from tui.run.progress_panel import ProgressPanel, RunProgress
from tui.run.simulation_client import SimulationBatch, SimulationClient
from tui.run.sweep_dialog import SweepDialog, SweepProcess
from tui.shell import (
    REFRESH_WALL_S,
    Answer,
    CompareResults,
    Confirm,
    EditScenario,
    Intent,
    OpenNeighbourhood,
    OpenResults,
    PaletteEntry,
    RunControlsScreen,
    RunScenario,
)
from tui.start import load_recent
from tui.widgets import FieldHelp, VirtualTable, looked_up

_TYPING_WALL_S = 0.25
"""Delay after the last key before the scenario is loaded."""
_LEAST_FORM_LINES = 5
"""Lines of the form that stay in sight beside the progress."""
_NOTES = 2
"""Maximum number of notes shown; the rest are counted."""


class RunScreen(RunControlsScreen):
    """Runs one batch of simulations at a time in a child process, so that the screen stays responsive."""

    AREA = "run"
    TITLE = "Run"
    AUTO_FOCUS = "#algorithm"  # not a text field, which would swallow keys
    HELP = """
The **scenario** is the neighbourhood that is open in *Neighbourhoods*, if there is one; you are asked to save unsaved
changes first. Or choose another one from the list (open, recent, in this folder, bundled), or name a YAML file or
an input of PySSMic or GreenCharge. Problems appear at the field immediately. An empty field means the default that it
shows.

`Ctrl+R` starts. The run has its own process: go to *Negotiations* (3) to watch it, or come back here to control it.
The same scenario, settings and seed give the same contracts with every transport, here and with `ssmic run`.

`m` chooses **several algorithms** and a number of seeds. They run one after another on the same seeds, each from fresh
producer scores; at the end `r` compares them: means, 95 % intervals, differences on the same seeds. With *Optimum*,
each run is compared with the clairvoyant optimum of its own rule of supply: *of best*, or *of shared*.

With *Supply* `shared by minute`, several roofs and the grid supply a job together; *Prefer* says what its consumers
look for, most important first. With *Promise* `late`, jobs that use the production better may push others out.

**Sweep** (a button, and in the palette) does hundreds of runs with varied settings and values, on all cores.

Expectations of the scenario are listed below the runs: held, failed, or not yet known. In the table, *self-cons.* is
self-consumption and *self-suff.* self-sufficiency.

Results are written during the run; if you stop it early, everything agreed so far is kept.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r", "start", "Start", tooltip="Start the simulation"),
        Binding(
            "m", "algorithms", "Algorithms", tooltip="Choose several algorithms and compare them on the same seeds"
        ),
        Binding("r", "results", "Results", tooltip="Open the results of the simulation that ran last"),
        Binding(
            "ctrl+o", "browse", "Open file", tooltip="Choose a scenario file, or a folder of PySSMic or GreenCharge"
        ),
        Binding("w", "watch_run", "Watch run", show=False, tooltip="Watch the run under the cursor"),
        Binding("escape", "leave_field", "Leave field", show=False),
    ]
    DEFAULT_CSS = """
    RunScreen #split { height: 1fr; layout: vertical; }
    RunScreen ProgressPanel.gone { display: none; }
    RunScreen.-short Preview, RunScreen.crowded Preview { display: none; }
    RunScreen.-short ProgressPanel VirtualTable { max-height: 8; }
    RunScreen.-wide FieldHelp { height: 1; }
    RunScreen.-tall RunForm { height: auto; padding: 1 1 0 1; }
    RunScreen.-tall RunForm .row { margin-bottom: 1; }
    RunScreen.-tall RunForm .row.joined { margin-bottom: 0; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._scenario: Scenario | None = None
        self._source = ""
        self._is_loading = False
        self._starts_once_loaded = False
        self._batch: SimulationBatch | None = None
        self._open: OpenNeighbourhood | None = None
        """The open neighbourhood, as of the last time this screen was shown."""
        self._follows = False
        """Whether the open neighbourhood is the chosen scenario."""
        self._sweep: SweepProcess | None = None
        """The sweep that was started last."""
        self._said: SimulationClient | None = None
        """The last simulation whose end was announced."""

    def compose_body(self) -> ComposeResult:
        """Yield the form and the progress panel."""
        with Container(id="split"):
            yield RunForm()
            yield FieldHelp()
            yield Preview()
            yield ProgressPanel(classes="gone")

    def on_mount(self) -> None:
        """Start with the default bundled scenario."""
        self.set_interval(REFRESH_WALL_S, self.draw)
        self.ssmic.before_quit.append(self._losses_by_quitting)
        form = self.query_one(RunForm)
        if not form.query_one("#source", Input).value and self.ssmic.open_neighbourhood() is None:
            form.set_source("street")
        self._show_buttons()

    def on_screen_resume(self) -> None:
        """Follow the open neighbourhood; refresh the choices."""
        before, self._open = self._open, self.ssmic.open_neighbourhood()
        is_another = self._open is not None and (before is None or before.work is not self._open.work)
        if is_another or (self._follows and self._open is not None and not self._open.is_as(before)):
            self._follow()
        self.run_in_background(self._offer, name="offer", group="offer", is_exclusive=True)

    async def _offer(self) -> None:
        title = None if self._open is None else self._open.title
        recent = await asyncio.to_thread(load_recent)
        self.query_one(RunForm).offer(await asyncio.to_thread(choices, title, recent.neighbourhoods, Path.cwd()))

    @on(RunForm.OpenChosen)
    def _follow(self) -> None:
        """Choose the open neighbourhood."""
        if self._open is None:
            return
        self._follows = True
        form, name = self.query_one(RunForm), name_of(self._open)
        if form.query_one("#source", Input).value == name:
            self._begin_loading(name)  # the field is unchanged, but its meaning may have changed
        else:
            form.set_source(name)

    def receive(self, intent: Intent) -> None:
        """Prepare a run of the scenario."""
        if isinstance(intent, RunScenario):
            self._open = self.ssmic.open_neighbourhood()
            if self._open is not None and self._open.source == intent.source:
                self._follow()
            else:
                self.query_one(RunForm).set_source(intent.source)

    def palette(self) -> tuple[PaletteEntry, ...]:
        """Offer a sweep, and to edit the scenario."""
        sweep = PaletteEntry(
            "Sweep", "Vary settings and values over many runs: set up, watch, stop, resume", self.sweep
        )
        if not self._source:
            return (sweep,)
        return (sweep, PaletteEntry("Edit the scenario", "Open it in Neighbourhoods", self._edit))

    def sweep(self) -> None:
        """Open the dialog of a sweep, which shows the one that was started last."""
        self.app.push_screen(
            SweepDialog(
                self._source or "street", self._sweep, self._begin_sweep, allow_outside=self.ssmic.allow_outside
            )
        )

    def action_sweep(self) -> None:
        """Open the dialog of a sweep."""
        self.sweep()

    def _begin_sweep(self, sweep: SweepProcess) -> None:
        self._sweep = sweep
        self.run_in_background(sweep.run, name="sweep", group="sweep")

    def _edit(self) -> None:
        self.post_message(EditScenario(self._source))

    # The scenario.

    @on(RunForm.SourceChanged)
    def _source_changed(self, event: RunForm.SourceChanged) -> None:
        self._follows = self._open is not None and event.source == name_of(self._open)
        self._begin_loading(event.source)

    def _begin_loading(self, source: str) -> None:
        self._source, self._scenario = source, None
        self._is_loading, self._starts_once_loaded = True, False
        load_it = partial(self._load, source)
        self.run_in_background(load_it, name="load", group="load", is_exclusive=True, on_error=self._not_loaded)

    def _not_loaded(self, problem: str = "Not loaded, because of an unexpected error.") -> None:
        self._is_loading = self._starts_once_loaded = False
        self.query_one(RunForm).tell(f"✗ {problem}", wrong=True)
        self.query_one(Preview).show(None)

    async def _load(self, source: str) -> None:
        form = self.query_one(RunForm)
        if not source:
            self._is_loading = self._starts_once_loaded = False
            form.tell("Name a scenario, choose a bundled one, or open a file (Ctrl+O).")
            return
        await asyncio.sleep(_TYPING_WALL_S if self._simulation is not None or self.is_typing else 0)
        form.tell("loading ...")
        try:
            opened = self._open if self._follows else None
            if opened is None:
                found = await asyncio.to_thread(self._read, source)
            else:
                found = LoadedScenario(await asyncio.to_thread(opened.load))
            scenario = found.scenario
            seen = await asyncio.to_thread(first_day, scenario)
        except (SsmicError, OSError) as error:
            self._not_loaded(str(error))
            return
        self._is_loading = False
        self.query_one(Preview).show(seen)
        self._scenario = scenario
        form.preselect(scenario, self.ssmic.devices_broker)
        about = f"{'' if opened is None else say_open(opened)}{describe(scenario)}"
        form.tell("\n".join([about, *_noted(found)]))
        self._check()
        if self._starts_once_loaded:
            self._starts_once_loaded = False
            self.action_start()

    @property
    def scenario(self) -> Scenario | None:
        """The scenario to run; None: none is valid."""
        return self._scenario

    @property
    def is_typing(self) -> bool:
        """Whether the scenario field has the focus."""
        return self.focused is not None and self.focused.id == "source"

    @on(RunForm.Changed)
    def _check(self) -> None:
        if self._scenario is not None:
            form = self.query_one(RunForm)
            form.show_problems(plans_of(form.form, self._scenario, dict(os.environ))[1])

    # The simulation.

    @property
    def _simulation(self) -> SimulationClient | None:
        """The simulation started last."""
        return None if self._batch is None else self._batch.current

    @property
    def is_busy(self) -> bool:
        """Whether a simulation is running, or another one is to follow."""
        return self._batch is not None and not self._batch.is_over

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enable the actions that apply now."""
        if action == "start":
            return not self.is_busy
        if action == "results":
            return self._batch is not None and self._batch.is_over and bool(self._batch.results)
        if action == "stop":
            return self.is_busy
        return super().check_action(action, parameters)

    def action_browse(self) -> None:
        """Let the user choose a scenario from the disk."""
        self.query_one(RunForm).browse()

    def action_start(self) -> None:
        """Start the simulations, if the form is valid."""
        form = self.query_one(RunForm)
        scenario = self._scenario
        if scenario is None and self._is_loading:
            self._starts_once_loaded = True
            self.notify("The run starts once the scenario is loaded.")
            return
        if scenario is None:
            self.notify("The scenario has problems; see the list below it.", severity="warning")
            form.query_one("#source").focus()
            return
        opened = self.ssmic.open_neighbourhood() if self._follows else None
        if opened is not None and not opened.is_saved:
            self.run_in_background(partial(self._save_and_start, opened), name="save", group="save", is_exclusive=True)
            return
        wanted = form.form
        plans, problems = plans_of(wanted, scenario, dict(os.environ))
        form.show_problems(problems)
        if not plans:
            first = next(iter(problems))
            self.notify(problem_text(first, problems[first]), title="Not started", severity="warning", markup=False)
            form.query_one(f"#{first}").focus()
            return
        if wanted.bus == "auto":
            plans = tuple(plan.with_a_bus_that_fits() for plan in plans)
        if len(plans) > 1:
            compare = partial(self._start_comparison, plans, wanted.optimum_wall_s)
            self.run_in_background(compare, name="scores", group="scores", is_exclusive=True)
            return
        self._start(plans, wanted.optimum_wall_s)

    async def _start_comparison(self, plans: Sequence[Plan], optimum_wall_s: float | None) -> None:
        try:
            equal = from_equal_scores(plans)
        except SsmicError as error:
            self.complain(error, "The runs did not start")
            return
        if not self.is_busy:
            self._start(equal, optimum_wall_s)

    def _start(self, plans: Sequence[Plan], optimum_wall_s: float | None) -> None:
        batch = self._batch = SimulationBatch(plans, self._changed, optimum_wall_s)
        self.query_one(ProgressPanel).remove_class("gone")
        self.run_in_background(partial(self._run, batch), name="run", group="run")
        self.call_after_refresh(self.action_leave_field)
        self._changed()

    def _read(self, source: str) -> LoadedScenario:
        """Read a scenario; the process that runs it reads it again. Not for the event loop."""
        return load(source, allow_outside=self.ssmic.allow_outside, is_read_again=True)

    async def _save_and_start(self, opened: OpenNeighbourhood) -> None:
        source = await opened.save()
        self._open = self.ssmic.open_neighbourhood()
        if source is None:
            return
        form = self.query_one(RunForm)
        try:
            scenario = (await asyncio.to_thread(self._read, source)).scenario
        except (SsmicError, OSError) as error:
            form.tell(f"✗ {error}", wrong=True)
            return
        with self.prevent(Input.Changed):
            form.set_source(source if self._open is None else name_of(self._open))
        self._source, self._scenario = source, scenario
        self.action_start()

    def _remember(self) -> None:
        path = Path(self._source)
        if looked_up(path).is_there:
            self.ssmic.remember_neighbourhood(path)

    async def _run(self, batch: SimulationBatch) -> None:
        self._remember()
        try:
            await batch.run(self._connected)
        except (SsmicError, OSError) as error:
            batch.current.problem = str(error)
            self.complain(error, "The run did not start")
        finally:
            self._changed()

    def _connected(self, running: SimulationClient) -> None:
        if running.feeds:
            self.ssmic.monitored_run.begin(running.feeds[0], may_control=True)

    def _changed(self) -> None:
        if not self.is_attached:
            return
        batch = self._batch
        if batch is not None and batch.is_over and batch.current is not self._said:
            self._said = running = batch.current
            monitored_run = self.ssmic.monitored_run
            if monitored_run.feed in running.feeds:
                monitored_run.rest()
            if running.state == "done":
                self._say_done(batch)
            elif running.state == "failed":
                self.notify(running.problem, title="The simulation failed", severity="error", timeout=10, markup=False)
        self._show_buttons()
        self.refresh_bindings()
        self.draw()

    def _say_done(self, batch: SimulationBatch) -> None:
        if len(batch.plans) == 1:
            self.notify("Press r for the results, 3 for the negotiations.", title="The simulation is done")
        else:
            self.notify("Press r to compare them.", title=f"All {len(batch.plans)} simulations are done")

    def _show_buttons(self) -> None:
        batch = self._batch
        self.query_one("#start", Button).disabled = self.is_busy
        self.query_one("#watch", Button).disabled = self.ssmic.monitored_run.feed is None
        over = batch is not None and batch.is_over and bool(batch.results)
        self.query_one("#results", Button).disabled = not over

    def draw(self) -> None:
        """Draw the progress."""
        if self.is_current and self._batch is not None:
            self.keys_follow_run()
            self.query_one(ProgressPanel).show(self._batch, self.ssmic.monitored_run)
            self._share_lines()

    def _share_lines(self) -> None:
        """Keep the progress in sight: the day is drawn, and the form shown in full, only where lines are left."""
        form, panel = self.query_one(RunForm), self.query_one(ProgressPanel)
        lines = self.query_one("#split").size.height - panel.outer_size.height - self.query_one(FieldHelp).size.height
        form.styles.max_height = max(_LEAST_FORM_LINES, lines)
        self.set_class(lines - form.outer_size.height < PREVIEW_LINES, "crowded")

    def action_stop(self) -> None:
        """Stop all runs, after confirmation."""
        details = "All runs stop now. Everything agreed so far is kept in the results file."
        answers: tuple[Answer, ...] = (("go on", "Keep running", "primary"), ("stop", "Stop", "error"))
        self.app.push_screen(Confirm("Stop the simulation?", details, answers), self._stop_answered)

    def _stop_answered(self, answer: str | None) -> None:
        batch = self._batch
        if answer == "stop" and batch is not None:
            if self.ssmic.monitored_run.feed in batch.current.feeds:
                self.ssmic.monitored_run.expect_end()
            self.run_in_background(batch.interrupt)

    def action_results(self) -> None:
        """Open the results, or compare them if there are several."""
        results = () if self._batch is None else self._batch.results
        if len(results) > 1:
            self.post_message(CompareResults(results))
        elif results:
            self.post_message(OpenResults(results[0]))

    def action_algorithms(self) -> None:
        """Ask for the algorithms to compare."""
        form = self.query_one(RunForm)
        wanted = form.form
        first = wanted.algorithm or (self._scenario.algorithm if self._scenario is not None else INSERTION)

        def chosen(choice: Chosen | None) -> None:
            if choice is not None:
                form.choose_algorithms(choice.algorithms, choice.runs)

        self.app.push_screen(AlgorithmsDialog((first, *wanted.others), wanted.runs), chosen)

    def action_leave_field(self) -> None:
        """Leave a field, so that keys control the run again."""
        self.query_one("#runs-table", VirtualTable).focus()

    def action_watch_run(self) -> None:
        """Watch the run under the cursor."""
        row: RunProgress | None = self.query_one("#runs-table", VirtualTable).row
        running = self._simulation
        is_there = row is not None and self._batch is not None and row.simulation == len(self._batch.simulations) - 1
        if row is not None and is_there and running is not None and len(running.feeds) >= row.run:
            self.ssmic.monitored_run.begin(running.feeds[row.run - 1], may_control=True)
            self.notify(f"Watching run {row.run}: press 3.")

    @on(VirtualTable.Chosen, "#runs-table")
    def _run_chosen(self) -> None:
        self.action_watch_run()

    def _losses_by_quitting(self) -> list[str]:
        losses = []
        if self.is_busy:
            losses.append("A simulation is running. Quitting stops it; everything agreed so far is kept.")
        if self._sweep is not None and self._sweep.goes_on:
            losses.append(
                "A sweep is running. Quitting stops it; finished runs are kept, and starting it again continues."
            )
        return losses


def _noted(found: LoadedScenario) -> list[str]:
    """Return the first notes on a scenario, coverage before assumptions, and the number of further ones."""
    notes = [
        f"{note.what.partition('; ')[0]}; Neighbourhoods offers remedies" if note.remedies else note.what
        for note in run_notes(found.scenario)
    ]
    notes += (*found.notes, *repeated_id_notes(found.scenario))
    more = len(notes) - _NOTES
    rest = [f"! and {more} more: `ssmic check` lists them"] if more > 0 else []
    return [*(f"! {note}" for note in notes[:_NOTES]), *rest]


def name_of(opened: OpenNeighbourhood) -> str:
    """Return the field's text for the open neighbourhood: relative path, bundled name, or title."""
    if opened.source is None:
        return opened.title
    path = Path(opened.source)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else opened.source


def say_open(opened: OpenNeighbourhood) -> str:
    """Return a hint that the scenario is open in *Neighbourhoods*, and whether it is saved."""
    if opened.is_saved:
        return "Open in Neighbourhoods. "
    state = "never saved" if opened.source is None else "with unsaved changes"
    return f"Open in Neighbourhoods, {state}: starting the run asks to save it first. "


def describe(scenario: Scenario) -> str:
    """Return a short description of a scenario."""
    zone = scenario.zone
    days = "until its last job has run" if scenario.days is None else plural(scenario.days, "day")
    start = f"{zone.at(scenario.start_s):%a %d %b %Y} {zone.exact_clock(scenario.start_s)} {zone.name}"
    text = f"{size_of(scenario)}; from {start}, {days}; {scenario.algorithm}, seed {scenario.seed}"
    return f"{text}\n{scenario.description}".rstrip()
