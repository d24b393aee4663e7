"""Readings that fail, or that nobody waits for any more: what is on the screen says so, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Static

from scenarios.results.reader import ResultsReader
from tests.patience import PATIENCE_WALL_S
from tests.tui.driving import dialog, notices, the_app, until
from tests.tui.results.driving import INSERTION, listed, opened_first, table, text, the_screen
from tui.results.export_dialog import ExportDialog
from tui.results.log_pane import log_sheet
from tui.results.pane_parts import UNREAD
from tui.results.scores_pane import scores_sheet
from tui.results.simulation_pane import SimulationPane
from tui.shell.dialogs import Confirm, PickPath

Opened = Any
pytestmark = pytest.mark.usefixtures("newest")


class Held:
    """A reading that goes on until it is let go, and may fail then."""

    def __init__(self, read: Callable[..., Any]) -> None:
        self._read = read
        self._released = threading.Event()
        self.begun = threading.Event()
        self.error: Exception | None = None

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Read in the end."""
        self.begun.set()
        assert self._released.wait(PATIENCE_WALL_S)
        if self.error is not None:
            raise self.error
        return self._read(*args, **options)

    def end(self, error: Exception | None = None) -> None:
        """Let it go on, and fail if an error is given."""
        self.error = error
        self._released.set()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, Callable[..., Any]], Held]]:
    """Return a function that holds a reading, by its name in *Results*; all are let go at the end."""
    made: list[Held] = []

    def hold(name: str, read: Callable[..., Any]) -> Held:
        made.append(Held(read))
        monkeypatch.setattr(name, made[-1])
        return made[-1]

    yield hold
    for reading in made:
        reading.end()


async def test_a_defect_of_a_view_leaves_no_reading_in_the_title(opened: Opened, held: Callable[..., Held]) -> None:
    """The title said "reading ..." until something else was read; the view says now why it is empty."""
    reading = held("tui.results.simulation_pane.log_sheet", log_sheet)
    async with opened(first_area="results") as pilot:
        await listed(pilot, 1)
        await opened_first(pilot)
        await pilot.press("E")
        await until(pilot, lambda: text(pilot, ".heading .title").startswith("reading"))
        reading.end(LookupError("a defect"))
        await until(pilot, lambda: the_app(pilot).unexpected)
        await pilot.pause()
        assert not text(pilot, ".heading .title").startswith("reading")
        assert text(pilot, "SimulationPane > .problem") == "Unexpected error (LookupError: a defect)"
        the_app(pilot).unexpected.clear()


async def test_the_problem_of_a_view_is_not_shown_above_another(opened: Opened, held: Callable[..., Held]) -> None:
    """It stood above all views, also those that had been read, until the file changed."""
    reading = held("tui.results.simulation_pane.scores_sheet", scores_sheet)
    async with opened(first_area="results") as pilot:
        await listed(pilot, 1)
        await opened_first(pilot)
        simulation = the_screen(pilot).simulation
        await pilot.press("S")
        reading.end(OSError("the scores are gone"))
        await until(pilot, lambda: simulation.has_class("troubled"))
        assert text(pilot, "SimulationPane > .problem") == "the scores are gone"
        assert table(pilot, "#score-rows")._instead == UNREAD
        await pilot.press("A")
        await until(pilot, lambda: simulation.tab == "all")
        await pilot.pause()
        assert not simulation.has_class("troubled")
        reading.error = None
        await pilot.press("S")
        await until(pilot, lambda: simulation.tab == "scores" and not simulation.is_reading("sheet"))
        await pilot.pause()
        assert not simulation.has_class("troubled")


async def test_a_reading_that_fails_after_the_user_has_left_says_nothing(
    opened: Opened, held: Callable[..., Held]
) -> None:
    """Neither where another view is in sight, nor in the list."""
    reading = held("tui.results.simulation_pane.scores_sheet", scores_sheet)
    async with opened(first_area="results") as pilot:
        await listed(pilot, 1)
        await opened_first(pilot)
        simulation = the_screen(pilot).simulation
        await pilot.press("S")
        await until(pilot, reading.begun.is_set)
        await pilot.press("A")
        reading.end(OSError("too late"))
        await until(pilot, lambda: not simulation.is_reading("sheet"))
        await pilot.pause()
        assert not simulation.has_class("troubled")
        again = held("tui.results.simulation_pane.scores_sheet", scores_sheet)
        await pilot.press("S")
        await until(pilot, again.begun.is_set)
        await pilot.press("escape")
        await until(pilot, lambda: the_screen(pilot).place == "list")
        again.end(OSError("too late"))
        await until(pilot, lambda: not simulation.is_reading("sheet"))
        await pilot.pause()
        assert notices(pilot) == []


async def test_a_negotiation_does_not_open_over_what_the_user_went_to(
    opened: Opened, held: Callable[..., Held]
) -> None:
    """Reading all messages takes seconds in large results; its dialog opened over the list of simulations."""
    reading = held("tui.results.simulation_pane.said_about", lambda *_: ())
    async with opened(first_area="results") as pilot:
        await listed(pilot, 1)
        await opened_first(pilot)
        await pilot.press("enter")
        await until(pilot, reading.begun.is_set)
        await pilot.press("escape")
        await until(pilot, lambda: the_screen(pilot).place == "list")
        reading.end()
        await until(pilot, lambda: not the_screen(pilot).simulation.is_reading("said"))
        await pilot.pause()
        assert pilot.app.screen is the_screen(pilot)


async def test_escape_stops_the_opening_of_a_simulation(opened: Opened, held: Callable[..., Held]) -> None:
    """It takes half a minute for 10,000 houses, and there was no way back."""
    reading = held("tui.results.file_access.neighbourhood_sheet", ResultsReader)
    async with opened(first_area="results") as pilot:
        await listed(pilot, 1)
        await pilot.press("enter")
        await until(pilot, reading.begun.is_set)
        assert text(pilot, ".finding .count") == f"opening {INSERTION} ..."
        await pilot.press("escape")
        await until(pilot, lambda: not the_screen(pilot).simulation.is_reading("open"))
        assert text(pilot, ".finding .count") == "1 simulation"
        reading.end(OSError("too late"))
        await pilot.pause()
        assert the_screen(pilot).place == "list"
        assert notices(pilot) == []


@pytest.mark.parametrize(("key", "work", "what"), [("e", "export_results", "export"), ("B", "write_report", "report")])
async def test_quitting_asks_while_files_are_written(
    opened: Opened, held: Callable[..., Held], *, key: str, work: str, what: str
) -> None:
    """The application ended, and left hidden files of an export that nobody knew to be unfinished."""
    writing = held(f"tui.results.export_dialog.{work}", lambda *_, **__: ())
    async with opened(first_area="results") as pilot:
        await listed(pilot, 1)
        await pilot.press(key)
        await dialog(pilot, ExportDialog if key == "e" else PickPath)
        await pilot.press("ctrl+s")
        await until(pilot, writing.begun.is_set)
        await pilot.press("ctrl+q")
        question = await dialog(pilot, Confirm)
        details = str(question.query_one(".details", Static).content)
        assert details == f"The {what} is being written. Quitting leaves it unfinished."
        await pilot.press("escape")
        writing.end(OSError("the disk is full"))
        await until(pilot, lambda: notices(pilot))
        assert the_app(pilot).before_quit
        assert [loss for check in the_app(pilot).before_quit for loss in check()] == []


async def test_quitting_names_all_that_is_being_written(opened: Opened, held: Callable[..., Held]) -> None:
    """It named the first file only."""
    exporting = held("tui.results.export_dialog.export_results", lambda *_, **__: ())
    reporting = held("tui.results.export_dialog.write_report", lambda *_, **__: ())
    async with opened(first_area="results") as pilot:
        await listed(pilot, 1)
        for key, kind, writing in (("e", ExportDialog, exporting), ("B", PickPath, reporting)):
            await pilot.press(key)
            await dialog(pilot, kind)
            await pilot.press("ctrl+s")
            await until(pilot, writing.begun.is_set)
        await pilot.press("ctrl+q")
        question = await dialog(pilot, Confirm)
        details = str(question.query_one(".details", Static).content)
        assert "The export is being written." in details
        assert "The report is being written." in details
        await pilot.press("escape")
        for writing in (exporting, reporting):
            writing.end(OSError("the disk is full"))
        await until(pilot, lambda: len(notices(pilot)) == 2)


async def test_a_second_export_does_not_hide_how_the_first_ended(opened: Opened, held: Callable[..., Held]) -> None:
    """It ended without a word, also where it had failed."""
    first = held("tui.results.export_dialog.export_results", lambda *_, **__: ())
    async with opened(first_area="results") as pilot:
        await listed(pilot, 1)
        await pilot.press("e")
        await dialog(pilot, ExportDialog)
        await pilot.press("ctrl+s")
        await until(pilot, first.begun.is_set)
        second = held("tui.results.export_dialog.export_results", lambda *_, **__: ())
        await pilot.press("e")
        await dialog(pilot, ExportDialog)
        await pilot.press("ctrl+s")
        await until(pilot, second.begun.is_set)
        second.end()
        await until(pilot, lambda: notices(pilot))
        first.end(OSError("the disk is full"))
        await until(pilot, lambda: ("error", "the disk is full") in notices(pilot))


async def test_a_defect_of_an_opening_leaves_no_opening_in_the_list(opened: Opened, held: Callable[..., Held]) -> None:
    """The list said "opening ..." until it changed."""
    reading = held("tui.results.file_access.neighbourhood_sheet", ResultsReader)
    async with opened(first_area="results") as pilot:
        await listed(pilot, 1)
        await pilot.press("enter")
        await until(pilot, reading.begun.is_set)
        reading.end(LookupError("a defect"))
        await until(pilot, lambda: the_app(pilot).unexpected)
        await until(pilot, lambda: text(pilot, ".finding .count") == "1 simulation")
        the_app(pilot).unexpected.clear()


async def test_a_view_that_cannot_be_read_does_not_claim_to_show_anything(opened: Opened, newest: Path) -> None:
    """Of a file that had vanished it said "Showing what was read before" above empty tables, and "No bills"."""
    async with opened(first_area="results") as pilot:
        await listed(pilot, 1)
        await opened_first(pilot)
        simulation = the_screen(pilot).simulation
        newest.unlink()
        await until(pilot, lambda: "Showing what was read before" in text(pilot, "SimulationPane > .problem"))
        await pilot.press("dollar_sign")
        await until(pilot, lambda: simulation.tab == "bills" and not simulation.is_reading("sheet"))
        await pilot.pause()
        assert text(pilot, "SimulationPane > .problem") == f"results/{INSERTION}: there is no such file"
        assert table(pilot, "#bill-rows")._instead == UNREAD


async def test_reading_a_simulation_again_is_not_an_opening(opened: Opened) -> None:
    """After `Ctrl+L`, the list said "opening ..." without end, also where the file could not be read again."""
    async with opened(first_area="results") as pilot:
        await listed(pilot, 1)
        await opened_first(pilot)
        await pilot.press("ctrl+l", "escape")
        await until(pilot, lambda: the_screen(pilot).place == "list")
        await until(pilot, lambda: not the_screen(pilot).simulation.is_reading("open"))
        await pilot.pause()
        assert text(pilot, ".finding .count") == "1 simulation"


async def test_a_defect_while_results_are_shown_leaves_no_opening_in_the_list(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list said "opening ..." without end where a simulation was read but could not be shown."""

    def offer(*_: Any) -> None:
        raise LookupError("a defect")

    monkeypatch.setattr(SimulationPane, "_offer", offer)
    async with opened(first_area="results") as pilot:
        await listed(pilot, 1)
        await pilot.press("enter")
        await until(pilot, lambda: the_app(pilot).unexpected)
        await until(pilot, lambda: text(pilot, ".finding .count") == "1 simulation")
        the_app(pilot).unexpected.clear()


async def test_a_broken_file_leaves_the_open_simulation_open(opened: Opened, tmp_path: Path) -> None:
    """Choosing one with `Ctrl+O` closed the simulation that was open."""
    broken = tmp_path / "broken.sqlite"
    broken.write_text("no database")
    async with opened(first_area="results") as pilot:
        await listed(pilot, 1)
        await opened_first(pilot)
        the_screen(pilot)._open(broken)
        await until(pilot, lambda: notices(pilot))
        await pilot.pause()
        there = the_screen(pilot).simulation.opened
        assert the_screen(pilot).place == "simulation"
        assert there is not None
        assert there.path.name == INSERTION
