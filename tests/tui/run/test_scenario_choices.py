"""*Run* runs the scenario open in *Neighbourhoods*: saved, changed, broken, externally changed, never saved."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, Select, Static

from scenarios.load import bundled_names
from scenarios.results.reader import ResultsReader
from tests.tui.driving import dialog, focus, notices, until
from tests.tui.editor.conftest import TEXT
from tui.editor.dialogs import ImportDialog, Notes
from tui.editor.screen import NeighbourhoodsScreen
from tui.run.form import choices
from tui.run.screen import RunScreen
from tui.shell.dialogs import Confirm, PickPath
from tui.shell.navigation import EditScenario

Opened = Any


class User:
    """A user who has opened a neighbourhood."""

    def __init__(self, pilot: Any) -> None:
        self.pilot = pilot

    @property
    def editor(self) -> NeighbourhoodsScreen:
        """The editor's screen."""
        screen: NeighbourhoodsScreen = self.pilot.app._screen_stacks["neighbourhoods"][0]
        return screen

    @property
    def run(self) -> RunScreen:
        """The run's screen."""
        screen: RunScreen = self.pilot.app._screen_stacks["run"][0]
        return screen

    @property
    def about(self) -> str:
        """What stands below the scenario's field."""
        return str(self.run.query_one(".about", Static).content)

    async def until(self, holds: Any) -> None:
        """Wait until something holds."""
        await until(self.pilot, holds)

    async def change(self) -> None:
        """Add a house, whose id and name are made up."""
        houses = len(self.editor.work.tree["houses"]) if self.editor.work is not None else 0
        await focus(self.pilot, self.editor.query_one("#tree"))
        await self.pilot.press("h")
        await self.until(lambda: self.editor.work is not None and len(self.editor.work.tree["houses"]) > houses)
        await self.pilot.press("escape")

    async def go_to_run(self) -> None:
        """Show *Run*, and wait for the scenario that it shows."""
        await self.pilot.press("f3")
        await self.until(lambda: isinstance(self.pilot.app.screen, RunScreen))
        await self.until(lambda: self.run._scenario is not None or "✗" in self.about)
        self.run.query_one("#bus", Select).value = "memory"

    async def change_area_and_back(self) -> None:
        """Look at the editor, and come back."""
        await self.pilot.press("f2")
        await self.until(lambda: self.pilot.app.screen is self.editor)
        await self.pilot.press("f3")
        await self.until(lambda: self.pilot.app.screen is self.run)

    async def ended(self) -> ResultsReader:
        """Wait for the end of the run; return its results."""
        await self.until(lambda: self.run._simulation is not None and self.run._simulation.is_over)
        simulation = self.run._simulation
        assert simulation is not None
        assert (simulation.state, simulation.problem) == ("done", "")
        assert simulation.began is not None
        return ResultsReader(simulation.began.results_file)


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """A neighbourhood in a file."""
    path = tmp_path / "ours.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


@asynccontextmanager
async def working(opened: Opened, source: object) -> AsyncIterator[User]:
    """Open the application with a neighbourhood, as `ssmic tui SOURCE` does."""
    async with opened(size=(120, 40), first_intent=EditScenario(str(source))) as pilot:
        user = User(pilot)
        await user.until(lambda: user.editor.work is not None)
        yield user


def write(path: Path, content: str) -> None:
    """Write a file, as another program does."""
    path.write_text(content, encoding="utf-8")


def read(path: Path) -> str:
    """Return what is in a file."""
    return path.read_text(encoding="utf-8")


def houses_of(results: ResultsReader) -> int:
    """Return how many houses a run had."""
    with results:
        return len(results.scenario.houses)


async def test_the_open_scenario_runs(opened: Opened, ours: Path) -> None:
    """From *Run* by its key, and from the editor by the same key."""
    async with working(opened, ours) as user:
        await user.go_to_run()
        assert user.run.query_one("#source", Input).value == "ours.yaml"
        assert user.about.startswith("Open in Neighbourhoods. 2 houses")
        await user.pilot.press("ctrl+r")
        assert houses_of(await user.ended()) == 2
        await user.pilot.press("f2")
        await user.until(lambda: user.pilot.app.screen is user.editor)
        await user.pilot.press("ctrl+r")
        await user.until(lambda: user.pilot.app.screen is user.run)
        assert user.run.query_one("#source", Input).value == "ours.yaml"
        assert user.run._follows


@pytest.mark.long
@pytest.mark.parametrize("answer", ["save", "back"])
async def test_unsaved_changes_are_saved_on_the_way(opened: Opened, ours: Path, answer: str) -> None:
    """They are saved if the user agrees; otherwise no run starts."""
    async with working(opened, ours) as user:
        await user.change()
        await user.go_to_run()
        await user.until(lambda: "3 houses" in user.about)
        assert "with unsaved changes" in user.about
        await user.pilot.press("ctrl+r")
        await dialog(user.pilot, Confirm)
        await user.pilot.press(*(["enter"] if answer == "save" else ["right", "enter"]))
        if answer == "save":
            assert houses_of(await user.ended()) == 3
            assert read(ours) != TEXT
        else:
            await user.until(lambda: user.pilot.app.screen is user.run)
            assert user.run._simulation is None
            assert read(ours) == TEXT


@pytest.mark.long
async def test_a_new_neighbourhood_asks_for_its_file(opened: Opened, tmp_path: Path) -> None:
    """A copy that was changed, too: it has no file, and runs from the one that is chosen."""
    async with working(opened, "street") as user:
        await user.change()
        await user.go_to_run()
        assert "never saved" in user.about
        await user.pilot.press("ctrl+r")
        await dialog(user.pilot, Confirm)
        await user.pilot.press("enter")
        (await dialog(user.pilot, PickPath)).query_one(Input).value = str(tmp_path / "mine.yaml")
        await user.pilot.press("enter")
        assert houses_of(await user.ended()) == 7
        assert user.run.query_one("#source", Input).value == "mine.yaml"


@pytest.mark.long
async def test_an_unchanged_copy_runs_as_the_bundled_one(opened: Opened) -> None:
    """It need not be saved."""
    async with working(opened, "scarce") as user:
        await user.go_to_run()
        assert user.run.query_one("#source", Input).value == "scarce"
        await user.pilot.press("ctrl+r")
        with await user.ended() as results:
            assert results.scenario.name == "scarce"


async def test_a_scenario_with_problems_does_not_run(opened: Opened, ours: Path) -> None:
    """The problem of the open version is shown, although the file has none."""
    write(ours, TEXT.replace("dish: {points: [[0, 0], [3600, 900.5]]}", "other: {points: [[0, 0], [3600, 900.5]]}"))
    async with working(opened, ours) as user:
        await user.go_to_run()
        assert "dish" in user.about
        await user.pilot.press("ctrl+r")
        await user.until(lambda: any("The scenario has problems" in text for _, text in notices(user.pilot)))
        assert user.run._simulation is None


@pytest.mark.long
@pytest.mark.parametrize(("keys", "houses"), [(("right", "enter"), 1), (("right", "right", "enter"), 2)])
async def test_an_externally_changed_file_is_asked_about(
    opened: Opened, ours: Path, keys: tuple[str, ...], houses: int
) -> None:
    """It is read again, or overwritten by the open version."""
    async with working(opened, ours) as user:
        await user.go_to_run()
        second = TEXT.index('  - id: "2"'), TEXT.index("jobs:")
        write(ours, TEXT[: second[0]] + "\n" + TEXT[second[1] :])
        await user.pilot.press("ctrl+r")
        await dialog(user.pilot, Confirm)
        await user.pilot.press(*keys)
        assert houses_of(await user.ended()) == houses


@pytest.mark.long
async def test_an_import_that_was_never_saved_asks_for_its_file(
    opened: Opened, pyssmic_folder: Path, tmp_path: Path
) -> None:
    """Its name is in the field until then."""
    async with opened(size=(120, 40)) as pilot:
        user = User(pilot)
        await pilot.press("f2", "i")
        (await dialog(pilot, ImportDialog)).query_one("#source", Input).value = str(pyssmic_folder)
        await pilot.press("enter")
        await user.until(lambda: user.editor.work is not None or isinstance(pilot.app.screen, Notes))
        if isinstance(pilot.app.screen, Notes):
            await pilot.press("escape")
        await user.go_to_run()
        assert "never saved" in user.about
        assert user.run.query_one("#source", Input).value == user.editor.work.title  # type: ignore[union-attr]  # something is open
        await pilot.press("ctrl+r")
        await dialog(pilot, Confirm)
        await pilot.press("enter")
        (await dialog(pilot, PickPath)).query_one(Input).value = str(tmp_path / "imported.yaml")
        await pilot.press("enter")
        assert houses_of(await user.ended()) == 1


@pytest.mark.long
async def test_another_scenario_is_run_until_another_one_is_opened(opened: Opened, ours: Path) -> None:
    """The user chose it from the list, or typed it."""
    async with working(opened, ours) as user:
        await user.go_to_run()
        user.run.query_one("#choices", Select).value = "street"
        await user.until(lambda: "6 houses" in user.about)
        await user.change_area_and_back()
        assert user.run.query_one("#source", Input).value == "street"
        user.run.query_one("#choices", Select).value = "open"
        await user.until(lambda: "2 houses" in user.about)
        assert user.run.query_one("#source", Input).value == "ours.yaml"


def test_the_list_is_ordered_by_relevance(tmp_path: Path) -> None:
    """Open, recent, this folder's, bundled; each once, and only scenarios."""
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    for folder in (here, elsewhere):
        folder.mkdir()
        (folder / "ours.yaml").write_text(TEXT)
    (here / "zoo.yml").write_text(TEXT)
    (here / "docker-compose.yml").write_text("services: {}\n")
    found = choices("theirs.yaml", [elsewhere / "ours.yaml", here / "ours.yaml", elsewhere / "gone.yaml"], here)
    assert [label for label, _ in found] == [
        "open: theirs.yaml",
        "recent: ours.yaml (elsewhere)",
        "recent: ours.yaml (here)",
        "here: zoo.yml",
        *(f"bundled: {name}" for name in bundled_names()),
    ]
