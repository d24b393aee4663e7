"""The state of a scenario's expectations during and after a simulation: held, failed, not yet known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from scenarios import Scenario, Zone
from scenarios.expectations import Verdict
from tui.formatting import plural

State = Literal["held", "failed", "not yet"]
_MARKS: dict[State, tuple[str, str]] = {
    "held": ("✓ held   ", "success"),
    "failed": ("✗ failed ", "error"),
    "not yet": ("· not yet", "foreground"),
}


@dataclass(frozen=True, slots=True)
class ExpectationLine:
    """The state of an expectation in all runs of a simulation."""

    state: State
    """`failed` where it failed in any run; `held` where it held in all of them."""
    title: str
    details: str
    """The values that decided, when it is due, or in how many runs it held."""


def expectation_lines(
    scenario: Scenario, runs: int, verdicts: Mapping[int, Sequence[Verdict | None]]
) -> tuple[ExpectationLine, ...]:
    """Return how each expectation stands, in the order of the file.

    Args:
        scenario: The scenario.
        runs: Number of runs.
        verdicts: By run, the verdicts so far; None for an expectation that is not judged yet.
    """
    lines = []
    for i, expectation in enumerate(scenario.expectations):
        found = [one for of_run in verdicts.values() if i < len(of_run) and (one := of_run[i]) is not None]
        held = sum(one.holds for one in found)
        state: State = "failed" if held < len(found) else "held" if len(found) == runs else "not yet"
        if runs > 1 and found:
            details = f"{held} of {plural(len(found), 'run')}"
        elif found:
            details = found[0].error or found[0].values
        else:
            details = _due(expectation.at_s, scenario.start_s, scenario.zone)
        lines.append(ExpectationLine(state, expectation.title, details))
    return tuple(lines)


def _due(at_s: int | None, start_s: int, zone: Zone) -> str:
    if at_s is None:
        return "at the end"
    is_same_day = zone.at(at_s).date() == zone.at(start_s).date()
    return f"at {zone.clock(at_s) if is_same_day else zone.moment(at_s)}"


def summary_of(lines: Sequence[ExpectationLine]) -> str:
    """Return how many expectations hold, fail and are open."""
    counts = Counter(line.state for line in lines)
    return ", ".join(f"{counts[state]} {state}" for state in _MARKS if counts[state])


class ExpectationsPanel(VerticalScroll, can_focus=False):
    """A line for each expectation; hidden where the scenario has none."""

    DEFAULT_CSS = """
    ExpectationsPanel { height: auto; max-height: 6; padding: 0 1; display: none; scrollbar-size-vertical: 1; }
    ExpectationsPanel.some { display: block; }
    ExpectationsPanel Static { height: auto; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[ExpectationLine, ...] = ()

    def compose(self) -> ComposeResult:
        """One text of several lines."""
        yield Static("")

    def show(self, lines: tuple[ExpectationLine, ...]) -> None:
        """Show the state of each expectation; those that fail come first, then those that hold."""
        if lines == self._shown:
            return
        self._shown = lines
        self.set_class(bool(lines), "some")
        colours = self.app.theme_variables
        said = Text(f"Expectations: {summary_of(lines)}")
        order: tuple[State, ...] = ("failed", "held", "not yet")
        for line in sorted(lines, key=lambda line: order.index(line.state)):
            mark, colour = _MARKS[line.state]
            said.append(f"\n{mark} ", style=colours.get(colour, ""))
            said.append(line.title)
            said.append(f"  {line.details}", style="dim")
        self.query_one(Static).update(said)
