"""Dialog for algorithms to compare, and the number of seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Label, Static

from agents.scheduling import ALGORITHMS
from broker import shown
from scenarios import whole_number_of
from tui.shell import Dialog, Footer
from tui.widgets import SignCheckbox

USUAL_SEEDS = "20"
"""Default number of seeds if the form has one run, which gives no interval."""

SENTENCES: dict[str, str] = {
    "fifty_fifty": "Accepts at random with a random start. Baseline.",
    "insertion": "Takes the first start that fits; moves others if needed.",
    "L-BFGS-B": "Basin-hopping over start times, as in PySSMic.",
    "SLSQP": "Basin-hopping over start times, as in PySSMic.",
    "TNC": "Basin-hopping over start times, as in PySSMic.",
    "exact": "Replans all jobs by mixed-integer programming. Slow.",
}
"""Short description of each algorithm."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The choice of algorithms and seeds."""

    algorithms: tuple[str, ...]
    """One or more; the first is the reference."""
    runs: str
    """Number of seeds, as typed."""


class AlgorithmsDialog(Dialog[Chosen | None]):
    """Asks for algorithms and number of seeds; escape returns None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,ctrl+s", "accept", "OK", priority=True, key_display="enter"),
        Binding("up", "app.focus_previous", "Up", show=False),
        Binding("down", "app.focus_next", "Down", show=False),
        *(Binding(str(n), f"tick({n})", f"Tick {name}", show=False) for n, name in enumerate(ALGORITHMS, start=1)),
    ]
    DEFAULT_CSS = """
    AlgorithmsDialog > Vertical { width: 78; max-width: 100%; padding: 1 1 0 1; }
    AlgorithmsDialog .details { color: $text-muted; margin: 0 0 1 1; height: auto; }
    AlgorithmsDialog .line { height: 1; }
    AlgorithmsDialog .line SignCheckbox { width: 19; }
    AlgorithmsDialog .sentence { width: 1fr; height: 1; color: $text-muted; text-wrap: nowrap; }
    AlgorithmsDialog .seeds { height: 1; margin: 1 0 0 1; }
    AlgorithmsDialog .seeds Input { width: 8; margin: 0 1; background: $panel; }
    AlgorithmsDialog .problem { color: $text-error; height: auto; min-height: 1; margin-left: 1; }
    AlgorithmsDialog .buttons { height: auto; align-horizontal: right; margin-bottom: 1; }
    AlgorithmsDialog Button { margin-left: 2; }
    """

    def __init__(self, ticked: Sequence[str], runs: str) -> None:
        """Ask.

        Args:
            ticked: Algorithms initially ticked.
            runs: Initial number of runs.
        """
        super().__init__()
        self._ticked = tuple(ticked)
        self._runs = USUAL_SEEDS if runs.strip() in {"", "1"} else runs.strip()

    def compose(self) -> ComposeResult:
        """Compose the algorithms, the seeds and their problems."""
        with Vertical() as box:
            box.border_title = "Compare algorithms"
            yield Static(
                "Keys 1 to 6 tick an algorithm. Several run one after another on the same seeds, each from fresh "
                "producer scores; differences are relative to the first.",
                classes="details",
            )
            for n, name in enumerate(ALGORITHMS, start=1):
                with Horizontal(classes="line"):
                    yield SignCheckbox(f"{n} {name}", value=name in self._ticked, id=f"tick-{n}", compact=True)
                    yield Static(SENTENCES[name], classes="sentence", markup=False)
            with Horizontal(classes="seeds"):
                yield Label("Seeds")
                yield Input(self._runs, id="seeds", compact=True)
                yield Static("runs per algorithm; intervals need at least 2", classes="sentence")
            yield Static("", classes="problem", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("OK", variant="primary", action="screen.accept", compact=True)
                yield Button("Back", id="back", action="screen.dismiss", compact=True)
        yield Footer()

    def on_mount(self) -> None:
        """Begin with the first algorithm that is ticked."""
        first = next((n for n, name in enumerate(ALGORITHMS, start=1) if name in self._ticked), 1)
        self.query_one(f"#tick-{first}").focus()

    def action_tick(self, number: int) -> None:
        """Toggle an algorithm."""
        tick = self.query_one(f"#tick-{number}", SignCheckbox)
        tick.value = not tick.value
        tick.focus()

    @property
    def _chosen(self) -> tuple[str, ...]:
        """The ticked algorithms; those chosen earlier come first."""
        ticked = [
            name for n, name in enumerate(ALGORITHMS, start=1) if self.query_one(f"#tick-{n}", SignCheckbox).value
        ]
        return tuple(sorted(ticked, key=lambda name: name not in self._ticked))

    @on(Input.Submitted)
    def action_accept(self) -> None:
        """Return the choice, if valid, or none if `Back` has the focus; the button `OK` calls this, too."""
        self.in_order(self._accept)

    def _accept(self) -> None:
        if self.focused is not None and self.focused.id == "back":
            self.dismiss(None)
            return
        runs = self.query_one("#seeds", Input).value.strip()
        problem = ""
        if not self._chosen:
            problem = "Tick at least one algorithm."
        elif not whole_number_of(runs):
            problem = f"Seeds: {shown(runs)} is not a whole number, 1 or more."
        self.query_one(".problem", Static).update(problem)
        if not problem:
            self.dismiss(Chosen(self._chosen, runs))
