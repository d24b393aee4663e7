"""Widgets of the *Run* form: rows of fields, each with its problems below."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.widgets import Button, Input, Label, Select, Static

from agents.scheduling import known_algorithms, settings_of
from agents.sharing import DEFAULT_FORECAST, PREFERENCES
from scenarios import Scenario
from scenarios.load import bundled_names
from tui.run.form import BUSES, FORECASTS, OPEN, PROMISES, SEARCH_WALL_S, SUPPLIES, Choice, FormValues, about
from tui.safe_output import without_long_words
from tui.shell import PACES, ErrorBoundary, PickPath
from tui.widgets import FieldHelp, SignCheckbox

_ROWS: dict[str, tuple[str, ...]] = {
    "amounts": ("days", "seed", "runs", "workers"),
    "algorithms": ("penalty", "step_size", "tolerance", "node_limit"),
    "supplies": ("supply", "promise", "prefer", "forecast"),
    "buses": ("bus", "broker"),
    "times": ("pace", "hosts"),
    "optima": ("optimum_s",),
    "files": ("out",),
}
_SELECTS = ("supply", "promise", "forecast", "bus")
_LABELS = {
    "bus": "transport",
    "step_size": "step",
    "node_limit": "nodes",
    "out": "results file",
    "optimum_s": "seconds to search",
}


def problem_text(field: str, problem: str) -> str:
    """Return the problem of a field with the field's label, unless it begins with that anyway."""
    label = _LABELS.get(field, field)
    return problem if problem.startswith(f"{label} ") else f"{label}: {problem}"


_UNTIL_LAST_JOB = "until last job"


class RunForm(ErrorBoundary, VerticalScroll):
    """The form of a simulation."""

    DEFAULT_CSS = """
    RunForm { height: 1fr; padding: 0 1; overflow-x: auto; scrollbar-size-horizontal: 1; }
    RunForm .row, RunForm .buttons { min-width: 74; }
    RunForm .row { height: 1; margin-bottom: 0; }
    RunForm .row Label { width: auto; padding: 0 1 0 0; color: $text-muted; }
    RunForm .row Label.first { width: 13; }
    RunForm .row Input { width: 10; margin-right: 2; background: $panel; }
    RunForm .row Select { width: 36; margin-right: 2; }
    RunForm #settings Input { width: 7; }  /* four of them fit into 80 columns */
    RunForm #bus { width: 47; margin-right: 1; }
    RunForm #hosts { width: 15; margin-right: 0; }
    RunForm #days { width: 15; margin-right: 1; }
    RunForm #seed { width: 14; margin-right: 1; }
    RunForm #runs { width: 6; margin-right: 1; }
    RunForm #workers { width: 6; margin-right: 0; }
    RunForm .row SignCheckbox { margin-right: 3; }
    RunForm #source { width: 1fr; }
    RunForm #choices { width: 28; margin-right: 1; }
    RunForm #supply { width: 21; }
    RunForm #promise { width: 27; margin-right: 0; }
    RunForm #prefer { width: 1fr; }
    RunForm #forecast { width: 36; }
    RunForm #broker { width: 1fr; }
    RunForm #out { width: 1fr; }
    RunForm .about { color: $text-muted; padding: 0 0 0 13; height: auto; margin-bottom: 1; }
    RunForm .compared { color: $text-muted; padding-left: 13; height: auto; }
    RunForm .about.wrong { color: $text-error; }
    RunForm .problem { color: $text-error; padding-left: 13; height: auto; display: none; }
    RunForm .problem.shown { display: block; }
    RunForm .gone { display: none; }
    RunForm .buttons { height: 1; margin-top: 1; padding-left: 13; }
    RunForm .buttons Button { margin-right: 2; min-width: 13; }
    """

    class Changed(Message):
        """A field was changed."""

    class OpenChosen(Message):
        """The neighbourhood open in *Neighbourhoods* was chosen."""

    class SourceChanged(Message):
        """A different scenario was entered."""

        def __init__(self, source: str) -> None:
            super().__init__()
            self.source = source

    def __init__(self) -> None:
        super().__init__()
        self._others: tuple[str, ...] = ()
        self._has_devices = False
        """Whether the scenario that was loaded last has real devices."""
        self._proposed_broker = ""
        """The broker that was proposed for them; empty: none was."""
        self._preselected: tuple[str, str, str, str] | None = None
        """Supply, promise, preferences and use of forecasts of the scenario that was loaded last."""

    def compose(self) -> ComposeResult:
        """Yield the form's rows."""
        names = bundled_names()
        with Horizontal(classes="row"):
            yield Label("Scenario", classes="first")
            yield Input(id="source", compact=True, placeholder="file, folder or name", suggester=SuggestFromList(names))
            yield Select[str]([(f"bundled: {n}", n) for n in names], prompt="choose", id="choices", compact=True)
            yield Button("Open...", action="screen.browse", compact=True)
        yield Static("", classes="about", markup=False)
        with Horizontal(classes="row"):
            yield from self._field("days", _UNTIL_LAST_JOB, first="Days")
            yield from self._field("seed", "from scenario")
            yield from self._field("runs", "1", value="1")
            yield from self._field("workers", "auto")
        yield self._problem("amounts")
        with Horizontal(classes="row joined"):
            yield Label("Algorithm", classes="first")
            yield Select[str](
                [(a, a) for a in known_algorithms()], prompt="from scenario", id="algorithm", compact=True
            )
            yield Button("Compare several...", action="screen.algorithms", id="several", compact=True)
        yield Static("", classes="compared", markup=False)
        with Horizontal(classes="row", id="settings"):
            yield Label("", classes="first")
            yield from self._field("penalty", "100")
            yield from self._field("step_size", "60")
            yield from self._field("tolerance", "0.01")
            yield from self._field("node_limit", "20")
        yield self._problem("algorithms")
        yield from self._supply_and_promise()
        yield from self._transport_and_scores()
        with Horizontal(classes="row"):
            yield Label("Optimum", classes="first")
            yield SignCheckbox("compare with the optimum", id="optimum", compact=True)
            yield from self._field("optimum_s", f"{SEARCH_WALL_S:g}")
        yield self._problem("optima")
        with Horizontal(classes="row"):
            yield from self._field("out", "results/<date>_<time>_<scenario>...", first="Results file")
        yield self._problem("files")
        with Horizontal(classes="buttons"):
            yield Button("Start", variant="primary", id="start", action="screen.start", compact=True)
            yield Button("Watch", action="app.open_area('negotiations')", id="watch", compact=True)
            yield Button("Results", action="screen.results", id="results", compact=True)
            yield Button("Sweep...", action="screen.sweep", id="sweep", compact=True)

    def _supply_and_promise(self) -> ComposeResult:
        with Horizontal(classes="row", id="supply-row"):
            yield Label("Supply", classes="first")
            yield Select[str](SUPPLIES, value="whole", allow_blank=False, id="supply", compact=True)
            yield Label("promise")
            yield Select[str](PROMISES, value="early", allow_blank=False, id="promise", compact=True)
        with Horizontal(classes="row joined gone", id="prefer-row"):
            yield from self._field("prefer", ", ".join(PREFERENCES), first="Prefer")
        with Horizontal(classes="row gone", id="forecast-row"):
            yield Label("Forecasts", classes="first")
            yield Select[str](FORECASTS, value=DEFAULT_FORECAST, allow_blank=False, id="forecast", compact=True)
        yield self._problem("supplies")

    def _transport_and_scores(self) -> ComposeResult:
        with Horizontal(classes="row joined"):
            yield Label("Transport", classes="first")
            yield Select[str](BUSES, value="auto", allow_blank=False, id="bus", compact=True)
        with Horizontal(classes="row gone", id="broker-row"):
            yield from self._field("broker", "mqtt://[user:password@]host[:port]", first="Broker")
        yield self._problem("buses")
        with Horizontal(classes="row"):
            yield from self._field("pace", "max", first="Pace", value="max", suggestions=PACES)
            yield from self._field("hosts", "fastest", label="connections")
        with Horizontal(classes="row"):
            yield Label("Jobs", classes="first")
            yield SignCheckbox("wait for a better offer", value=True, id="patient", compact=True)
            yield SignCheckbox("reset producer scores", id="reset_scores", compact=True)
        yield self._problem("times")

    @staticmethod
    def _field(
        name: str,
        placeholder: str,
        *,
        first: str = "",
        label: str = "",
        value: str = "",
        suggestions: Iterable[str] = (),
    ) -> ComposeResult:
        yield Label(first or label or _LABELS.get(name, name), classes="first" if first else "", id=f"label-{name}")
        suggester = SuggestFromList(suggestions) if suggestions else None
        yield Input(value, placeholder=placeholder, id=name, compact=True, suggester=suggester)

    @staticmethod
    def _problem(row: str) -> Static:
        return Static("", classes="problem", id=f"problem-{row}", markup=False)

    def on_mount(self) -> None:
        """Show the settings of the chosen algorithm."""
        self._show_settings()

    # Help at the field.

    def on_descendant_focus(self) -> None:
        """Show the focused field's help."""
        self._explain()

    def on_descendant_blur(self) -> None:
        """Clear the help if no field has the focus."""
        self._explain()

    def _explain(self) -> None:
        if not self.is_mounted or not self.query("#algorithm"):
            return
        focused = self.screen.focused
        is_here = focused is not None and self in focused.ancestors
        said = (
            about(focused.id or "", self._chosen("algorithm"), self._chosen("supply"))
            if focused is not None and is_here
            else ""
        )
        for line in self.screen.query(FieldHelp):
            line.say(said)

    # What stands there.

    @property
    def form(self) -> FormValues:
        """The fields' contents."""
        names = [name for names in _ROWS.values() for name in names if name not in _SELECTS]
        values: dict[str, Any] = {name: self.query_one(f"#{name}", Input).value for name in names}
        values |= {name: self.query_one(f"#{name}", Select).value for name in _SELECTS}
        return FormValues(
            **values,
            algorithm=self._chosen("algorithm"),
            others=self._others,
            patient=self.query_one("#patient", SignCheckbox).value,
            reset_scores=self.query_one("#reset_scores", SignCheckbox).value,
            optimum=self.query_one("#optimum", SignCheckbox).value,
        )

    def set_source(self, source: str) -> None:
        """Set the scenario field."""
        self.query_one("#source", Input).value = source

    def preselect(self, scenario: Scenario, devices_broker: str) -> None:
        """Set the fields on supply, pace and broker to suit the scenario, unless the one before had the same needs.

        The empty field of the days says what it means for this scenario.

        Args:
            scenario: The scenario.
            devices_broker: URL of the broker at which real devices were chosen; empty: none were.
        """
        self._preselect_for_devices(devices_broker, has_devices=bool(scenario.gateways))
        self.query_one("#days", Input).placeholder = _UNTIL_LAST_JOB if scenario.days is None else "from scenario"
        own = scenario.supply, scenario.promise, ", ".join(scenario.prefer), scenario.forecast
        if own != self._preselected:
            self._preselected = own
            supply, promise, prefer, forecast = own
            with self.prevent(Select.Changed, Input.Changed):
                self.query_one("#supply", Select).value = supply
                self.query_one("#promise", Select).value = promise
                self.query_one("#prefer", Input).value = prefer
                self.query_one("#forecast", Select).value = forecast
            self._show_settings()

    def _preselect_for_devices(self, devices_broker: str, *, has_devices: bool) -> None:
        """Choose pace and broker for real devices if the scenario before had none; the usual ones if only it did.

        A broker at which devices were chosen since is proposed, too. What the user has changed meanwhile stays.
        """
        proposed = devices_broker if has_devices else ""
        if (has_devices, proposed) == (self._has_devices, self._proposed_broker):
            return
        pace, bus, broker = (
            self.query_one("#pace", Input),
            self.query_one("#bus", Select),
            self.query_one("#broker", Input),
        )
        with self.prevent(Select.Changed, Input.Changed):
            if has_devices and not self._has_devices and pace.value.strip() in {"", "max"}:
                pace.value = "1x"
            elif not has_devices and pace.value == "1x":
                pace.value = "max"
            if proposed:
                bus.value, broker.value = "url", proposed
            elif bus.value == "url" and self._proposed_broker and broker.value == self._proposed_broker:
                bus.value = "auto"
        self._has_devices, self._proposed_broker = has_devices, proposed
        self._show_settings()

    def choose_algorithms(self, algorithms: Sequence[str], runs: str) -> None:
        """Set the algorithms to compare and the number of seeds; a single one is not compared."""
        first, *others = algorithms
        with self.prevent(Select.Changed):
            self.query_one("#algorithm", Select).value = first
        self._others = tuple(others)
        if others:
            self.query_one("#runs", Input).value = runs
        self._changed()

    def offer(self, choices: Iterable[Choice]) -> None:
        """Set the list of scenarios, without choosing one."""
        with self.prevent(Select.Changed):
            self.query_one("#choices", Select).set_options((Text(label), value) for label, value in choices)

    def tell(self, about: str, *, wrong: bool = False) -> None:
        """Show the scenario's description or problem."""
        line = self.query_one(".about", Static)
        line.update(without_long_words(about))
        line.set_class(wrong, "wrong")

    def show_problems(self, problems: dict[str, str]) -> None:
        """Show problems below the rows."""
        for row, names in _ROWS.items():
            found = [f"✗ {problem_text(name, problems[name])}" for name in names if name in problems]
            line = self.query_one(f"#problem-{row}", Static)
            line.update(without_long_words("\n".join(found)))
            line.set_class(bool(found), "shown")

    def _chosen(self, name: str) -> str:
        value: Any = self.query_one(f"#{name}", Select).value
        return value if isinstance(value, str) else ""

    def _show_settings(self) -> None:
        algorithms = (self._chosen("algorithm"), *self._others)
        wanted = {setting for name in algorithms for setting in settings_of(name)}
        compared = self.query_one(".compared", Static)
        compared.set_class(not self._others, "gone")
        compared.update(f"{', '.join(algorithms)}; same seeds, fresh producer scores")
        is_sought = self.query_one("#optimum", SignCheckbox).value
        for selector in ("#optimum_s", "#label-optimum_s"):
            self.query_one(selector).set_class(not is_sought, "gone")
        for name in _ROWS["algorithms"]:
            self.query_one(f"#{name}").set_class(name not in wanted, "gone")
            self.query_one(f"#label-{name}").set_class(name not in wanted, "gone")
        self.query_one("#settings").set_class(not wanted, "gone")
        is_shared = self._chosen("supply") == "shared"
        self.query_one("#supply-row").set_class(is_shared, "joined")
        self.query_one("#prefer-row").set_class(not is_shared, "gone")
        self.query_one("#forecast-row").set_class(not is_shared, "gone")
        self.query_one("#broker-row").set_class(self._chosen("bus") != "url", "gone")

    # What is done.

    @on(Select.Changed, "#algorithm")
    def _one_chosen(self) -> None:
        """Drop the comparison: a single algorithm was chosen."""
        self._others = ()

    @on(Input.Changed, "#source")
    def _source_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.SourceChanged(event.value.strip()))

    @on(Select.Changed, "#choices")
    def _choice_made(self, event: Select.Changed) -> None:
        event.stop()
        if event.value == OPEN:
            self.post_message(self.OpenChosen())
        elif isinstance(event.value, str):
            self.set_source(event.value)
        with self.prevent(Select.Changed):
            event.select.clear()  # the adjacent field is authoritative, because it can be edited by hand

    @on(Input.Changed)
    @on(Select.Changed)
    @on(SignCheckbox.Changed)
    def _changed(self) -> None:
        self._show_settings()
        self._explain()
        self.post_message(self.Changed())

    def browse(self) -> None:
        """Let the user choose a scenario from the disk."""

        def chosen(path: Path | None) -> None:
            if path is not None:
                self.set_source(str(path))

        details = (
            "A YAML file, or an input of PySSMic or GreenCharge: XML, pickle or folder (select it, then press Choose)."
        )
        suffixes = (".yaml", ".yml", ".xml", ".pkl", ".pickle")
        self.app.push_screen(
            PickPath("Open a scenario", Path.cwd(), suffixes=suffixes, kind="either", details=details), chosen
        )
