"""Dialog of a sweep: its parameters, its progress, and the results of each point.

The sweep is a separate process, `ssmic sweep`, which the screen starts, monitors by its file, and stops.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, Input, Label, ProgressBar, Static

from broker import SsmicError, shown
from scenarios import whole_number_of
from scenarios.results import ResultsError
from scenarios.results.comparison import mean_text
from scenarios.sweep import SweepPlan, SweepRequest, SweepResults, compared_points, default_file, plan_sweep, read_sweep
from tui.safe_output import without_long_words
from tui.shell import Dialog, Footer
from tui.widgets import typed_path

_MOST_SAID = 2000
_LOOK_WALL_S = 0.5
_FIELDS = (
    ("source", "Scenario", "A YAML file or a bundled name", ""),
    ("vary", "Vary", "algorithm=insertion,exact penalty=0.5:2:4", "algorithm=insertion,fifty_fifty"),
    ("zip", "Together", "keys whose values are paired: algorithm,penalty", ""),
    ("set", "Set", "days=1", ""),
    ("seeds", "Seeds", "runs of each combination", "10"),
    ("sample", "Sample", "every combination; or the size of a Latin hypercube sample", ""),
    ("out", "Results file", "results/sweep_<scenario>_<hash>.sqlite", ""),
)
"""Id, label, what an empty field means or an example, value at the beginning."""


@dataclass(slots=True)
class SweepProcess:
    """A sweep that was started from the screen."""

    plan: SweepPlan
    path: Path
    fingerprint: str
    """The fingerprint of the plan."""
    begun_wall_s: float = field(default_factory=time.monotonic)
    before: int = 0
    """Runs that were done before it was started."""
    said: str = ""
    """Standard error of the command."""
    code: int | None = None
    """Its exit code; None: it is running."""
    _process: Process | None = None

    @property
    def goes_on(self) -> bool:
        """Whether it has not ended."""
        return self.code is None

    async def run(self) -> None:
        """Do the runs that are missing, until all are done or it is stopped."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tui", *arguments(self.plan.request), "--out", str(self.path)),
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            start_new_session=True,
        )
        try:
            _, said = await self._process.communicate()
        except asyncio.CancelledError:
            self.stop()
            raise
        self.said = said.decode(errors="replace")[-_MOST_SAID:]
        self.code = self._process.returncode

    def stop(self) -> None:
        """Ask it to stop; the runs that are done stay in its file."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGINT)

    def left_wall_s(self, done: int) -> float | None:
        """Return how long the rest is likely to take, seconds; None if nothing is known yet."""
        if done <= self.before:
            return None
        elapsed_s = time.monotonic() - self.begun_wall_s
        return elapsed_s / (done - self.before) * (self.plan.count - done)


def arguments(request: SweepRequest) -> list[str]:
    """Return the command line for a request, without `ssmic`."""
    found = ["sweep", request.source, "--seeds", str(request.seeds)]
    for option, texts in (("--vary", request.vary), ("--set", request.fixed), ("--zip", request.together)):
        for text in texts:
            found += [option, text]
    if request.sample is not None:
        found += ["--sample", str(request.sample)]
    if request.allow_outside:
        found.append("--allow-outside")
    return found


def _with_labels(problem: str) -> str:
    """Return a problem in which the options of `ssmic sweep` have the labels of their fields."""
    for id_, label, *_ in _FIELDS:
        problem = re.sub(rf"--{id_}\b", label, problem)
    return problem


def prepared(request: SweepRequest, out: str) -> SweepProcess:
    """Return a sweep that can be run; its file may have some runs already.

    Raises:
        SettingsError, ScenarioError: see `scenarios.sweep.plan_sweep`.
    """
    plan = plan_sweep(request)
    path = typed_path(out) if out else default_file(plan)
    fingerprint = plan.fingerprint()
    there = found_in(path, fingerprint)
    return SweepProcess(plan, path, fingerprint, before=0 if there is None else there.done_runs)


def found_in(path: Path, fingerprint: str) -> SweepResults | None:
    """Return the present content of a sweep's file; None while there is no file, or if it holds another sweep."""
    try:
        results = read_sweep(path)
    except ResultsError:
        return None
    return results if results.info.fingerprint == fingerprint else None


class SweepDialog(Dialog[None]):
    """Sets up, starts, shows and stops a sweep; starting a stopped sweep again resumes it."""

    HELP = """
**Vary** takes parameters, separated by spaces: `algorithm=insertion,exact`, `penalty=0.5:2:4` (four values from 0.5 to
2), or a value of the scenario's file by its path, `jobs[adler-car].latest_start=12:00,14:00`. Every combination is run
with the same seeds. **Together** names keys that take their first values together, then their second:
`algorithm,penalty`. **Set** takes one value for all runs. Quote values that contain spaces.

`Ctrl+R` starts, `Ctrl+G` stops. The sweep has its own process; `Esc` leaves it running. *Stop* keeps the runs that are
done; starting the same sweep again continues from there. `ssmic results report FILE` writes its charts as a page.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r", "start", "Start", priority=True),
        Binding("ctrl+g", "stop", "Stop", priority=True),
        Binding("up", "app.focus_previous", "Up", show=False),
        Binding("down", "app.focus_next", "Down", show=False),
    ]
    DEFAULT_CSS = """
    SweepDialog > Vertical { width: 96; max-width: 100%; }
    SweepDialog .line { height: 1; }
    SweepDialog .line Label { width: 14; }
    SweepDialog .line Input { width: 1fr; background: $panel; }
    SweepDialog ProgressBar { margin-top: 1; width: 100%; }
    SweepDialog Bar { width: 1fr; }
    SweepDialog #state { height: auto; min-height: 1; }
    SweepDialog .problem { color: $text-error; height: auto; display: none; }
    SweepDialog #notes { color: $text-muted; height: auto; max-height: 3; display: none; }
    SweepDialog VerticalScroll { height: auto; max-height: 12; overflow-x: auto; scrollbar-size-vertical: 1; }
    SweepDialog.some VerticalScroll { min-height: 3; }
    SweepDialog #points { height: auto; width: auto; padding-right: 1; }  /* room for the scroll bar */
    SweepDialog.-short ProgressBar { margin-top: 0; }
    SweepDialog.-short.some > Vertical { height: 95%; }
    SweepDialog.-short.some VerticalScroll { height: 1fr; max-height: 100%; }
    SweepDialog .buttons { height: auto; align-horizontal: right; }
    SweepDialog Button { margin-left: 2; }
    """

    def __init__(
        self,
        source: str,
        sweep: SweepProcess | None,
        begin: Callable[[SweepProcess], None],
        *,
        allow_outside: bool,
    ) -> None:
        """Open the dialog.

        Args:
            source: The scenario that is chosen.
            sweep: The sweep that was started last.
            begin: Starts a sweep, which continues when the dialog is closed.
            allow_outside: Whether scenarios may refer to files outside their folder.
        """
        super().__init__()
        self._source = source
        self._begin = begin
        self._allow_outside = allow_outside
        self.sweep = sweep
        self._results: SweepResults | None = None

    def compose(self) -> ComposeResult:
        """The fields, the progress, the points."""
        request = None if self.sweep is None else self.sweep.plan.request
        values = {"source": self._source}
        if self.sweep is not None and request is not None:
            values = {
                "source": request.source,
                "vary": shlex.join(request.vary),
                "zip": " ".join(request.together),
                "set": shlex.join(request.fixed),
                "seeds": str(request.seeds),
                "sample": "" if request.sample is None else str(request.sample),
                # Without a file of its own, another sweep that is typed over this one gets another default.
                "out": "" if self.sweep.path == default_file(self.sweep.plan) else str(self.sweep.path),
            }
        with Vertical() as box:
            box.border_title = "Sweep"
            for name, label, example, value in _FIELDS:
                with Horizontal(classes="line"):
                    yield Label(label)
                    yield Input(values.get(name, value), placeholder=example, id=f"sweep-{name}", compact=True)
            yield Static("", classes="problem", markup=False)
            yield Static("", id="notes", markup=False)
            yield ProgressBar(total=1, show_eta=False, id="sweep-progress")
            yield Static("", id="state", markup=False)
            with VerticalScroll(can_focus=False):
                yield Static("", id="points", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Start", variant="primary", action="screen.start", compact=True, id="start")
                yield Button("Stop", action="screen.stop", compact=True, id="stop")
                yield Button("Back", action="screen.dismiss", compact=True)
        yield Footer()

    def on_mount(self) -> None:
        """Look at the file from time to time."""
        self.query_one("#sweep-vary").focus()
        self.set_interval(_LOOK_WALL_S, self._look)
        self._show()

    def action_start(self) -> None:
        """Start or continue the sweep."""
        self.in_order(self._start)

    def _start(self) -> None:
        if self.sweep is not None and self.sweep.goes_on:
            return
        problem, notes = self.query_one(".problem", Static), self.query_one("#notes", Static)
        try:
            self.sweep = prepared(self._request(), self._text("out"))
        except SsmicError as error:
            _say(problem, without_long_words(_with_labels(str(error))))
            _say(notes, "")
            return
        _say(problem, "")
        _say(notes, "\n".join(f"Note: {note}" for note in self.sweep.plan.notes))
        self._results = None
        self._begin(self.sweep)
        self._show()

    def action_stop(self) -> None:
        """Stop the sweep; what is done stays."""
        if self.sweep is not None:
            self.sweep.stop()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the key that stops a sweep only while one runs, and the key that starts one only while none does."""
        goes_on = self.sweep is not None and self.sweep.goes_on
        if action in {"start", "stop"}:
            return goes_on == (action == "stop")
        return super().check_action(action, parameters)

    def _text(self, name: str) -> str:
        return self.query_one(f"#sweep-{name}", Input).value.strip()

    def _request(self) -> SweepRequest:
        seeds, sample = self._text("seeds"), self._text("sample")
        for label, text in (("Seeds", seeds), ("Sample", sample or "1")):
            if not whole_number_of(text):
                raise SsmicError(f"{label}: {shown(text)} is not a whole number, 1 or more")
        return SweepRequest(
            self._text("source"),
            self._words("vary"),
            self._words("set"),
            int(seeds),
            sample=int(sample) if sample else None,
            allow_outside=self._allow_outside,
            together=tuple(self._text("zip").split()),
        )

    def _words(self, name: str) -> tuple[str, ...]:
        """Return what is between spaces; quotes keep spaces together, as in a shell."""
        try:
            return tuple(shlex.split(self._text(name)))
        except ValueError:
            raise SsmicError(f"{name.capitalize()}: a quotation mark is not closed") from None

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.action_start()

    async def _look(self) -> None:
        sweep = self.sweep
        if sweep is not None:
            results = await asyncio.to_thread(found_in, sweep.path, sweep.fingerprint)
            if self.is_mounted and sweep is self.sweep:
                self._results = results
                self._show()

    def _show(self) -> None:
        sweep, results = self.sweep, self._results
        goes_on = sweep is not None and sweep.goes_on
        self.query_one("#start", Button).disabled = goes_on
        self.query_one("#stop", Button).disabled = not goes_on
        self.refresh_bindings()
        if sweep is None:
            return
        done = 0 if results is None else results.done_runs
        self.query_one("#sweep-progress", ProgressBar).update(total=sweep.plan.count, progress=done)
        self.query_one("#state", Static).update(state_of(sweep, done))
        points = "" if results is None or not done else points_of(results)
        self.query_one("#points", Static).update(points)
        self.set_class(bool(points), "some")
        self.query_one(VerticalScroll).can_focus = bool(points)


def _say(text: Static, words: str) -> None:
    """Show words; without any, no empty line."""
    text.update(words)
    text.display = bool(words)


def state_of(sweep: SweepProcess, done: int) -> str:
    """Return the state of a sweep, in words."""
    runs = f"{done} of {sweep.plan.count} runs"
    if sweep.goes_on:
        left_s = sweep.left_wall_s(done)
        return f"{runs}{'' if left_s is None else f', about {timedelta(seconds=round(left_s))} left'}"
    if sweep.code == 0 or (sweep.code == 130 and done == sweep.plan.count):
        return f"{runs} done: {sweep.path}"
    if sweep.code == 130:
        return f"Stopped: {runs} are kept in {sweep.path}. Start continues from there."
    lines = [line for line in sweep.said.splitlines() if line.startswith("ssmic: ")]
    return f"{runs}. {lines[-1].removeprefix('ssmic: ') if lines else f'It ended with exit code {sweep.code}.'}"


def points_of(results: SweepResults) -> str:
    """Return the means of each point with their intervals, and the difference from the first on the same seeds."""
    try:
        comparison = compared_points(results)
    except ResultsError:
        return ""
    by_name = {figure.name: figure for figure in comparison.figures}
    share, grid = by_name["self_sufficiency"], by_name["grid_wh"]
    varied, points = split_labels([one.label for one in comparison.simulations])
    bill = by_name["bill_eur"]
    has_bills = any(comparison.statistics_of(i, bill.name).mean is not None for i in range(len(points)))
    rows = [[varied, "runs", "Self-suff. (%)", "difference (pp)", "Grid (kWh)", *(["Bill (EUR)"] if has_bills else [])]]
    for i, one in enumerate(comparison.simulations):
        paired = comparison.difference(0, i)
        difference = "" if paired is None else mean_text(share, paired.figures[share.name], signed=True)
        shown = (share, grid, bill) if has_bills else (share, grid)
        means = [mean_text(figure, comparison.statistics_of(i, figure.name)) for figure in shown]
        rows.append([points[i], str(len(one.by_seed)), means[0], difference, *means[1:]])
    widths = [max(cell_len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return "\n".join(
        "  ".join(set_cell_size(row[0], widths[0]) if k == 0 else cell.rjust(widths[k]) for k, cell in enumerate(row))
        for row in rows
    )


def split_labels(labels: Sequence[str]) -> tuple[str, list[str]]:
    """Return what is varied, and the values of each point: `algorithm, penalty` and `SLSQP, 0.5`.

    Args:
        labels: `algorithm=SLSQP, penalty=0.5`, one a point.
    """
    split = [[part.partition("=") for part in label.split(", ")] for label in labels]
    keys = [tuple(key for key, _, _ in parts) for parts in split]
    if len(set(keys)) != 1 or not all(sign for parts in split for _, sign, _ in parts):
        return "", list(labels)
    return ", ".join(keys[0]), [", ".join(value for _, _, value in parts) for parts in split]
