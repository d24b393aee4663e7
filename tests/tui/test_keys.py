"""Keys: one meaning each, a table that agrees with them, and hints only where they work."""

from __future__ import annotations

import inspect
import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from textual.binding import Binding
from textual.geometry import Region
from textual.widgets import Input, Select, Static, Tab

import tui
from scenarios.monitor.run_state import ObservedRun
from tests.tui.driving import click, dialog, focus, until
from tui.app import SsmicApp
from tui.areas import AREAS
from tui.keys import KEYS, page, shown
from tui.shell.footer import Footer
from tui.shell.header import AreaTab
from tui.shell.help import HelpScreen
from tui.shell.navigation import EditScenario
from tui.widgets import VirtualTable

Opened = Any
DOCS = Path(tui.__file__).parents[1] / "docs" / "keys.md"


def _classes() -> Iterator[type]:
    """Yield every class of the application."""
    for module in pkgutil.walk_packages(tui.__path__, "tui."):
        if module.name.startswith("tui.cli") or module.name == "tui.__main__":
            continue
        for _, cls in inspect.getmembers(import_module(module.name), inspect.isclass):
            if cls.__module__ == module.name:
                yield cls


def _bound() -> Iterator[tuple[str, str, str]]:
    """Yield key, action and class of every binding of the application."""
    for cls in _classes():
        for binding in cls.__dict__.get("BINDINGS", ()):
            assert isinstance(binding, Binding), cls.__name__
            action = binding.action.partition("(")[0].rpartition(".")[2]
            for key in binding.key.split(","):
                yield key, action, cls.__name__


OF_WIDGETS = {"enter", "space", "up", "down", "left", "right", "pageup", "pagedown", "home", "end", "tab", "escape"}
"""Keys that work everywhere on what has the focus."""


@pytest.mark.parametrize("area", [area.id for area in AREAS])
async def test_keys_that_work_everywhere_work_in_each_area(opened: Opened, area: str) -> None:
    """The table said so of `/`, `q` and `Ctrl+O`, which have nothing to find, close or open in some areas."""
    async with opened(first_area=area) as pilot:
        everywhere = {key for meaning in KEYS if meaning.where == "Everywhere" for key in meaning.keys}
        await until(pilot, lambda: everywhere - OF_WIDGETS <= set(pilot.app.screen.active_bindings))


def test_every_key_has_one_meaning_and_the_table_holds_them_all() -> None:
    """Two meanings, a key that the table does not know, and a row without a binding all fail."""
    rows = {key: meaning for meaning in KEYS for key in meaning.keys}
    assert len(rows) == sum(len(meaning.keys) for meaning in KEYS), "a key is in two rows"
    bound = list(_bound())
    unknown = [entry for entry in bound if entry[0] not in rows or entry[1] not in rows[entry[0]].actions]
    assert unknown == []
    pairs = {(key, action) for key, action, _ in bound}
    assert [key for key in rows if not any(key == bound_key for bound_key, _ in pairs)] == []
    unused = [
        (meaning.keys, action)
        for meaning in KEYS
        for action in meaning.actions
        if not any((key, action) in pairs for key in meaning.keys)
    ]
    assert unused == []


def test_the_page_of_keys_is_the_table() -> None:
    """`python -m tui.keys > docs/keys.md` after a change; the README leads to it."""
    assert DOCS.read_text(encoding="utf-8") == page()
    assert "docs/keys.md" in (DOCS.parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_help_names_no_key_that_does_nothing() -> None:
    """Keys are a letter or have a modifier; other words in the style of code are signs, values and commands."""
    known = {shown(key) for meaning in KEYS for key in meaning.keys} | {"Ctrl+P"}
    named = [
        (cls.__name__, word)
        for cls in _classes()
        for word in re.findall("`([^`]+)`", cls.__dict__.get("HELP") or "")
        if (len(word) == 1 and word.isascii()) or word.startswith(("Ctrl+", "Shift+", "Alt+"))
    ]
    assert len(named) > 20
    assert [name for name in named if name[1] not in known] == []


def _offered(app: SsmicApp) -> str:
    return str(app.screen.query_one(Footer).render())


async def test_the_footer_shows_no_letters_while_a_field_takes_them(opened: Opened, tmp_path: Path) -> None:
    """In the tree `a` adds a device; in a field it is text, and the footer omits it."""
    (tmp_path / "empty.yaml").write_text(
        "version: 1\nname: x\nstart: 2026-06-21T00:00:00Z\nseed: 1\nhouses: []\njobs: []\n"
    )
    intent = EditScenario(str(tmp_path / "empty.yaml"))
    async with opened(first_intent=intent, size=(140, 45)) as pilot:
        app = pilot.app
        await until(pilot, lambda: app.screen.focused is not None and app.screen.focused.id == "tree")
        await until(pilot, lambda: " h House" in _offered(app))
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen.focused, Input))
        await until(pilot, lambda: " h House" not in _offered(app))
        assert " a Device" not in _offered(app)
        assert "Save" in _offered(app)
        form = app.screen.query_one("#form")
        assert "(a)" not in str(form.query_one(".note").render())
        await pilot.press("f1")
        keys = (await dialog(pilot, HelpScreen)).query_one(".keys", Static)
        strips = keys.render_lines(Region(0, 0, keys.size.width, keys.virtual_size.height))
        lines = [strip.text.strip() for strip in strips]
        for key in ("/ ", "+ "):
            assert _line_of(lines, key) > _line_of(lines, "Outside the field"), key
        await pilot.press("escape")
        await pilot.press("escape")
        await until(pilot, lambda: " a Device" in _offered(app))


def _line_of(lines: list[str], beginning: str) -> int:
    return next(number for number, line in enumerate(lines) if line.startswith(beginning))


@pytest.mark.parametrize("way", ["key", "click"])
async def test_help_opens_from_a_field(opened: Opened, way: str) -> None:
    """F1 and the mouse open it; "?" is not typed into the field."""
    async with opened(first_area="run") as pilot:
        app = pilot.app
        field = app.screen.query_one("#source", Input)
        await focus(pilot, field)
        await pilot.pause()
        before = field.value
        footer = app.screen.query_one(Footer)
        await until(pilot, lambda: "F1 Help" in _offered(app))
        if way == "key":
            await pilot.press("f1")
        else:
            await click(pilot, footer, offset=(str(footer.render()).index("Help"), 0))
        await dialog(pilot, HelpScreen)
        assert field.value == before


async def test_help_opens_above_a_dialog(opened: Opened) -> None:
    """It lists the dialog's keys, and closing it returns to the dialog."""
    async with opened(first_area="neighbourhoods") as pilot:
        await pilot.press("i")
        await until(pilot, lambda: type(pilot.app.screen).__name__ == "ImportDialog")
        under = pilot.app.screen
        await pilot.press("f1")
        await dialog(pilot, HelpScreen)
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is under)


async def test_the_areas_show_the_keys_that_work_while_typing(opened: Opened) -> None:
    """Digits go into the field, so the bar shows the function keys."""
    async with opened(first_area="run") as pilot:
        screen = pilot.app.screen
        field = screen.query_one("#source", Input)

        def bar() -> list[str]:
            return [str(tab.render()) for tab in screen.query(AreaTab)]

        await focus(pilot, screen.query_one("#choices", Select))
        await until(pilot, lambda: "2 Run" in bar())
        await focus(pilot, field)
        await until(pilot, lambda: "F3 Run" in bar())
        await pilot.press("f4")
        await until(pilot, lambda: pilot.app.screen.AREA == "negotiations")


TABS = ("Messages", "Jobs", "Producers", "Ledger", "Hosts", "Devices")
"""The last one is hidden until a real device takes part."""


async def test_tabs_show_their_keys_only_while_they_work(opened: Opened) -> None:
    """In a text field the keys are letters, so no placeholder names one."""
    async with opened(first_area="negotiations") as pilot:
        screen = pilot.app.screen

        def labels() -> list[str]:
            return [str(tab.label) for tab in screen.query(Tab)]

        assert labels() == ["M Messages", "J Jobs", "P Producers", "L Ledger", "H Hosts", "E Devices"]
        pilot.app.monitored_run.begin(Silent())
        await until(pilot, lambda: isinstance(screen.focused, VirtualTable))  # as a run's messages come in sight
        field = screen.query_one("#text", Input)
        await focus(pilot, field)
        await until(pilot, lambda: labels() == [f"  {name}" for name in TABS])
        assert not any(line.placeholder.startswith("/") for line in screen.query(Input))
        await pilot.press("escape")
        await until(pilot, lambda: labels()[0] == "M Messages")


class Silent:
    """The feed of a run of which nothing is known yet."""

    title, status, problem = "mqtt://broker:1883", "connecting", ""

    def __init__(self) -> None:
        self.watched = ObservedRun("silent")

    async def run(self) -> None:
        """Nothing comes."""

    async def control(self, control: object) -> None:
        """Nothing listens."""
