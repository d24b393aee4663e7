"""*Run*: choose a scenario and settings, start, steer, see what came out."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widgets import Button, Input

from broker.errors import SsmicError
from scenarios.files import load_scenario
from scenarios.scenario import Scenario
from tui.run.fields import RunForm
from tui.run.form import plan_of
from tui.run.preview import Preview, outlook
from tui.run.progress import ProgressPanel, Row
from tui.run.running import Running
from tui.shell import EditScenario, Intent, OpenResults, PaletteEntry, RunScenario
from tui.shell.dialogs import Answer, Confirm
from tui.shell.fieldhelp import FieldHelp
from tui.shell.steering import SteeringScreen
from tui.shell.watching import REFRESH_WALL_S
from tui.widgets.table import VirtualTable

_TYPING_WALL_S = 0.25
"""A scenario is loaded when nobody has typed for so long."""


class RunScreen(SteeringScreen):
    """One simulation at a time, in a process of its own: whatever it does, the screen answers."""

    AREA = "run"
    TITLE = "Run"
    HELP = """
Choose a **scenario**: the name of a bundled one, a YAML file, or a PySSMic input folder. What is wrong with it, or
with a setting, stands at the field at once. An empty field means the default that it shows.

`Ctrl+R` starts. The run goes on in a process of its own: go to *Negotiations* (3) to watch it, come back to steer it.
The same scenario, settings and seed give the same contracts on every bus, here and with `ssmic run`.

Results are written while the run goes on; stopped early, what was agreed is kept.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r", "start", "Start", tooltip="Start the simulation"),
        Binding("r", "results", "Results", tooltip="Open the results of the simulation that ran last"),
        Binding("w", "watch_run", "Watch run", show=False, tooltip="Watch the run under the cursor"),
        Binding("escape", "leave_field", "Leave field", show=False),
    ]
    DEFAULT_CSS = """
    RunScreen #split { height: 1fr; layout: vertical; }
    RunScreen ProgressPanel.gone { display: none; }
    RunScreen.-short Preview { display: none; }
    RunScreen.-wide FieldHelp { height: 1; }
    RunScreen.-tall RunForm { height: auto; padding: 1 1 0 1; }
    RunScreen.-tall RunForm .row { margin-bottom: 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._scenario: Scenario | None = None
        self._source = ""
        self._simulation: Running | None = None
        self._said: Running | None = None
        """The simulation whose end was announced."""

    def compose_body(self) -> ComposeResult:
        """Form, and how the simulation goes."""
        with Container(id="split"):
            yield RunForm()
            yield FieldHelp()
            yield Preview()
            yield ProgressPanel(classes="gone")

    def on_mount(self) -> None:
        """Begin with the first bundled scenario that everybody tries."""
        self.set_interval(REFRESH_WALL_S, self.draw)
        self.ssmic.before_quit.append(self._loss_by_quitting)
        form = self.query_one(RunForm)
        if not form.query_one("#source", Input).value:
            form.set_source("street")
        self._show_buttons()

    def receive(self, intent: Intent) -> None:
        """Prepare a run of the scenario."""
        if isinstance(intent, RunScenario):
            self.query_one(RunForm).set_source(intent.source)

    def palette(self) -> tuple[PaletteEntry, ...]:
        """Offer to edit the scenario."""
        if not self._source:
            return ()
        return (PaletteEntry("Edit the scenario", "Open it in Neighbourhoods", self._edit),)

    def _edit(self) -> None:
        self.post_message(EditScenario(self._source))

    # The scenario.

    @on(RunForm.SourceChanged)
    def _source_changed(self, event: RunForm.SourceChanged) -> None:
        self._source, self._scenario = event.source, None
        # Not the coroutine itself: one that is superseded before it begins would never be awaited.
        load: Any = partial(self._load, event.source)
        self.run_worker(load, name="load", group="load", exclusive=True, exit_on_error=False)

    async def _load(self, source: str) -> None:
        form = self.query_one(RunForm)
        if not source:
            form.tell("Name a scenario, choose a bundled one, or open a file (Ctrl+O).")
            return
        await asyncio.sleep(_TYPING_WALL_S if self._simulation is not None or self.is_typing else 0)
        form.tell("loading ...")
        try:
            scenario = await asyncio.to_thread(load_scenario, source)
            seen = await asyncio.to_thread(outlook, scenario)
        except (SsmicError, OSError) as error:
            form.tell(f"✗ {error}", wrong=True)
            self.query_one(Preview).show(None)
            return
        self.query_one(Preview).show(seen)
        self._scenario = scenario
        form.tell(describe(scenario))
        self._check()

    @property
    def scenario(self) -> Scenario | None:
        """What would be run; None: there is nothing that can be."""
        return self._scenario

    @property
    def is_typing(self) -> bool:
        """Whether somebody is in the field of the scenario."""
        return self.focused is not None and self.focused.id == "source"

    @on(RunForm.Changed)
    def _check(self) -> None:
        if self._scenario is not None:
            form = self.query_one(RunForm)
            form.show_problems(plan_of(form.form, self._scenario, dict(os.environ))[1])

    # The simulation.

    @property
    def is_busy(self) -> bool:
        """Whether a simulation is under way."""
        return self._simulation is not None and not self._simulation.is_over

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what can be done now."""
        if action == "start":
            return None if self.is_busy else True
        if action == "results":
            return self._simulation is not None and self._simulation.is_over and self._simulation.began is not None
        if action == "stop":
            return self.is_busy
        return super().check_action(action, parameters)

    def action_start(self) -> None:
        """Start a simulation, if nothing is wrong with what is asked."""
        form = self.query_one(RunForm)
        scenario = self._scenario
        if scenario is None:
            self.notify("The scenario cannot be run as it is: see what stands below it.", severity="warning")
            form.query_one("#source").focus()
            return
        plan, problems = plan_of(form.form, scenario, dict(os.environ))
        form.show_problems(problems)
        if plan is None:
            first = next(iter(problems))
            self.notify(f"{first}: {problems[first]}", title="Not started", severity="warning", markup=False)
            form.query_one(f"#{first}").focus()
            return
        if Path(self._source).exists():
            self.ssmic.remember_neighbourhood(Path(self._source))
        running = self._simulation = Running(plan, self._changed)
        self.query_one(ProgressPanel).remove_class("gone")
        self.run_worker(self._run(running), name="run", group="run", exit_on_error=False)
        self.call_after_refresh(self.action_leave_field)
        self._changed()

    async def _run(self, running: Running) -> None:
        try:
            await running.run(self._connected)
        except (SsmicError, OSError) as error:
            running.problem = str(error)
            self.complain(error, "The run did not start")
        finally:
            self._changed()

    def _connected(self, running: Running) -> None:
        if running.feeds:
            self.ssmic.watching.begin(running.feeds[0])

    def _changed(self) -> None:
        if not self.is_attached:
            return
        running = self._simulation
        if running is not None and running.is_over and running is not self._said:
            self._said = running
            watching = self.ssmic.watching
            if watching.feed in running.feeds:
                watching.rest()
            if running.state == "done":
                self.notify("Press r for the results, 3 for the negotiations.", title="The simulation is done")
            elif running.state == "failed":
                self.notify(running.problem, title="The simulation failed", severity="error", timeout=10, markup=False)
        self._show_buttons()
        self.refresh_bindings()
        self.draw()

    def _show_buttons(self) -> None:
        running = self._simulation
        self.query_one("#start", Button).disabled = self.is_busy
        self.query_one("#watch", Button).disabled = self.ssmic.watching.feed is None
        over = running is not None and running.is_over and running.began is not None
        self.query_one("#results", Button).disabled = not over

    def draw(self) -> None:
        """Draw how the simulation goes."""
        if self.is_current and self._simulation is not None:
            self.keys_follow_run()
            self.query_one(ProgressPanel).show(self._simulation, self.ssmic.watching)

    def action_stop(self) -> None:
        """End all runs, if that is meant."""
        details = "All runs end where they stand. What was agreed until then stays in the results file."
        answers: tuple[Answer, ...] = (("go on", "Let it go on", "primary"), ("stop", "Stop", "error"))
        self.app.push_screen(Confirm("Stop the simulation?", details, answers), self._stop_answered)

    def _stop_answered(self, answer: str | None) -> None:
        running = self._simulation
        if answer == "stop" and running is not None:
            self.run_worker(running.interrupt(), exit_on_error=False)

    def action_results(self) -> None:
        """Open what came out."""
        running = self._simulation
        if running is not None and running.began is not None:
            self.post_message(OpenResults(running.began.results_file))

    def action_leave_field(self) -> None:
        """Leave a field, so that keys steer again."""
        self.query_one("#runs-table", VirtualTable).focus()

    def action_watch_run(self) -> None:
        """Watch the run under the cursor."""
        row: Row | None = self.query_one("#runs-table", VirtualTable).row
        running = self._simulation
        if row is not None and running is not None and len(running.feeds) >= row.run:
            self.ssmic.watching.begin(running.feeds[row.run - 1])
            self.notify(f"Watching run {row.run}: press 3.")

    @on(VirtualTable.Chosen, "#runs-table")
    def _run_chosen(self) -> None:
        self.action_watch_run()

    def _loss_by_quitting(self) -> str | None:
        if not self.is_busy:
            return None
        return "A simulation is under way. Quitting stops it; what was agreed until then is kept."


def describe(scenario: Scenario) -> str:
    """Return in a few words what a scenario is."""
    zone = scenario.zone
    days = (
        "until its last job has run"
        if scenario.days is None
        else "1 day"
        if scenario.days == 1
        else f"{scenario.days} days"
    )
    numbers = {"house": len(scenario.houses), "producer": len(scenario.producers), "job": len(scenario.jobs)}
    counts = ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for name, count in numbers.items())
    start = f"{zone.at(scenario.start_s):%a %d %b %Y %H:%M} {zone.name}"
    text = f"{counts}; from {start}, {days}; {scenario.algorithm}, seed {scenario.seed}"
    return f"{text}\n{scenario.description}".rstrip()
