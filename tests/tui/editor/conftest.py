"""The editor under test: a small neighbourhood in a file, and what a person does to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from tests.tui import driving
from tui.editor.forms.form_view import FieldRow, FormView
from tui.editor.screen import NeighbourhoodsScreen
from tui.editor.session import EditedNeighbourhood
from tui.editor.tree_view import NeighbourhoodTree
from tui.shell.navigation import EditScenario

TEXT = """\
# Our street.
version: 1
name: ours   # short
start: 2026-06-21T00:00:00+02:00
seed: 1

load_profiles:
  dish: {points: [[0, 0], [3600, 900.5]]}  # measured

houses:
  # The Adlers live at the corner.
  - id: "1"
    name: Adler
    devices:
      - {id: dishwasher, type: consumer, name: Dishwasher, load_profile: dish}
      # On the roof.
      - id: pv
        type: producer
        name: Roof
        predictions:
          - {issued: "00:00", points: [["04:00", 0], ["12:00", 12000]]}
  - id: "2"
    name: Brandt
    devices:
      - {id: washer, type: consumer, name: Washer, load_profile: dish}

jobs:
  # Breakfast.
  - {house: "1", device: dishwasher, registered: "06:00", earliest_start: "08:00", latest_start: "16:00"}
  # Dinner.
  - {house: "1", device: dishwasher, registered: "16:00", earliest_start: "18:00", latest_start: "20:00"}
# The end.
"""
Opened = Callable[..., AbstractAsyncContextManager[Pilot[Any]]]


class Person:
    """A user of the editor."""

    def __init__(self, pilot: Pilot[Any]) -> None:
        self.pilot = pilot
        self.app = pilot.app

    @property
    def screen(self) -> NeighbourhoodsScreen:
        """Return the editor's screen, also below a dialog."""
        return cast("NeighbourhoodsScreen", self.app._screen_stacks["neighbourhoods"][0])

    @property
    def work(self) -> EditedNeighbourhood:
        """What is open."""
        assert self.screen.work is not None
        return self.screen.work

    @property
    def tree(self) -> NeighbourhoodTree:
        """The tree at the left."""
        return self.screen.query_one(NeighbourhoodTree)

    @property
    def text(self) -> str:
        """What a save would write."""
        return self.work.history.current.document().text

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other, as a person does."""
        for key in keys:
            await self.pilot.press(key)
        await self.settle()

    async def settle(self) -> None:
        """Wait until all changes are displayed and checked."""
        await self.pilot.pause()
        screen = self.screen
        if screen.work is None:
            return
        await self.until(lambda: screen.is_settled)
        await self.pilot.pause()

    async def until(self, holds: Callable[[], object]) -> None:
        """Run the application until a condition holds."""
        await driving.until(self.pilot, holds)

    async def dialog(self, kind: type[Screen[Any]]) -> Screen[Any]:
        """Wait for a dialog that takes keys."""
        return await driving.dialog(self.pilot, kind)

    async def show(self, *ref: str | int) -> None:
        """Put the cursor on a part."""
        self.screen.go_to(ref)
        await driving.focus(self.pilot, self.tree)
        await self.settle()
        await self.until(lambda: self.labels)
        assert self.screen.ref == ref

    def row(self, label: str) -> FieldRow:
        """Return a field of the form by its label."""
        return next(row for row in self.screen.query_one(FormView).rows if row.field.label == label)

    @property
    def labels(self) -> list[str]:
        """Which fields the form has."""
        return [row.field.label for row in self.screen.query_one(FormView).rows]

    async def type_in(self, label: str, text: str, part: int = 0) -> None:
        """Replace the content of a field by typing."""
        field = list(self.row(label).query(Input))[part]
        await driving.focus(self.pilot, field)
        await self.press("end", "ctrl+u", *(_KEYS.get(char, char) for char in text))

    def problems_at(self, label: str) -> str:
        """Return what stands below a field."""
        row = self.row(label)
        return str(row.query_one(".problem").render()) if row.has_class("wrong") else ""

    def notices(self) -> list[str]:
        """Return the texts of what was announced."""
        return [notice.message for notice in self.app._notifications]


_KEYS = {" ": "space", "-": "minus", ":": "colon", ".": "full_stop", "/": "slash", "_": "underscore", "+": "plus"}


@pytest.fixture(scope="session")
def ours() -> str:
    """The text of a neighbourhood of two houses."""
    return TEXT


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A neighbourhood of two houses."""
    path = tmp_path / "ours.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def editing(opened: Opened) -> Callable[..., AbstractAsyncContextManager[Person]]:
    """Open the editor, with a scenario where one is given."""

    @asynccontextmanager
    async def run(source: Path | str | None = None, **options: Any) -> AsyncIterator[Person]:
        intent = None if source is None else EditScenario(str(source))
        async with opened(first_area="neighbourhoods", first_intent=intent, **options) as pilot:
            person = Person(pilot)
            if source is not None:
                await person.until(lambda: person.screen.work is not None)
                await person.settle()
                await person.until(lambda: person.screen.focused is not None)  # or else keys go nowhere
            yield person

    return run
