"""Other forms of results: exports and the report, never written over silently."""

from __future__ import annotations

import csv
import json
import webbrowser
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, Select, Static

from scenarios.results.reader import ResultsReader
from tests.tui.driving import click, dialog, notices, until
from tests.tui.results.driving import FIFTY, listed, opened_first, the_screen
from tui.results.export_dialog import ExportDialog, open_in_browser
from tui.shell.dialogs import Confirm, PickPath

Opened = Any


class Desktop:
    """A browser that only remembers what it was to open."""

    name = "desktop"

    def __init__(self) -> None:
        self.pages: list[str] = []

    def open(self, url: str) -> bool:
        self.pages.append(url)
        return True


@pytest.fixture
def desktop(monkeypatch: pytest.MonkeyPatch) -> Desktop:
    """A machine with a browser."""
    there = Desktop()
    monkeypatch.setattr(webbrowser, "get", lambda _=None: there)
    return there


async def test_results_are_exported_into_a_folder(opened: Opened, results_folder: Path) -> None:
    """From the list, by keys, as CSV into the proposed folder."""
    async with opened(first_area="results") as pilot:
        await listed(pilot)
        await pilot.press("e")
        await dialog(pilot, ExportDialog)
        await pilot.press("enter")
        folder = results_folder / "fifty-csv"
        await until(pilot, (folder / "simulation.json").exists)
        await until(pilot, lambda: notices(pilot))
        assert "files in results/fifty-csv" in notices(pilot)[-1][1]
    with (folder / "contracts.csv").open(encoding="utf-8", newline="") as file:
        exported = {row["job_id"] for row in csv.DictReader(file)}
    with ResultsReader(results_folder / FIFTY) as results:
        assert exported == {entry.contract.job_id for entry in results.ledger(1)}


@pytest.mark.long
async def test_an_export_asks_before_it_writes_over(opened: Opened, results_folder: Path) -> None:
    """Keeping is the answer that enter gives; another format is chosen from the list, and the folder follows."""
    folder = results_folder / "insertion-json"
    folder.mkdir()
    (folder / "simulation.json").write_text("mine", encoding="utf-8")
    async with opened(first_area="results") as pilot:
        await listed(pilot)
        await pilot.press("end")
        await opened_first(pilot)
        for answer in ("enter", "right"):
            await pilot.press("e")
            await dialog(pilot, ExportDialog)
            pilot.app.screen.query_one(Select).value = "json"
            await until(pilot, lambda: pilot.app.screen.query_one(Input).value.endswith("insertion-json"))
            await pilot.press("ctrl+s")
            await dialog(pilot, Confirm)
            assert (folder / "simulation.json").read_text(encoding="utf-8") == "mine"
            await pilot.press(answer)
            if answer == "enter":
                await until(pilot, lambda: pilot.app.screen is the_screen(pilot))
                assert (folder / "simulation.json").read_text(encoding="utf-8") == "mine"
        await pilot.press("enter")
        await until(pilot, (folder / "contracts.json").exists)
        await until(pilot, lambda: any("files in" in message for _, message in notices(pilot)))
        assert json.loads((folder / "simulation.json").read_text(encoding="utf-8"))["algorithm"] == "insertion"


async def test_an_export_needs_a_folder(opened: Opened, results_folder: Path) -> None:
    """A file in its place is refused in the dialog; escape leaves everything as it was."""
    async with opened(first_area="results") as pilot:
        await listed(pilot)
        await pilot.press("e")
        await dialog(pilot, ExportDialog)
        pilot.app.screen.query_one(Input).value = str(results_folder / FIFTY)
        asked = await dialog(pilot, ExportDialog)
        await click(pilot, asked.query("Button").first())
        problem = asked.query_one(".problem", Static)
        await until(pilot, lambda: "is a file: a folder is needed" in str(problem.content))
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is not asked)
        assert the_screen(pilot).place == "list"
    assert not list(results_folder.glob("*-csv"))


async def test_the_report_is_written_and_opened(opened: Opened, results_folder: Path, desktop: Desktop) -> None:
    """The path is proposed and shown; if there is one already, it can be opened or overwritten."""
    page = results_folder / "fifty.html"
    async with opened(first_area="results") as pilot:
        await listed(pilot)
        await opened_first(pilot)
        await pilot.press("B")
        await dialog(pilot, PickPath)
        await pilot.press("enter")
        await until(pilot, lambda: desktop.pages)
        assert desktop.pages == [page.as_uri()]
        assert "fifty_fifty" in page.read_text(encoding="utf-8")
        await until(pilot, lambda: any("fifty.html" in message for _, message in notices(pilot)))
        page.write_text("mine", encoding="utf-8")
        await pilot.press("B")
        await dialog(pilot, PickPath)
        await pilot.press("enter")
        await dialog(pilot, Confirm)
        await pilot.press("right", "enter")
        await until(pilot, lambda: len(desktop.pages) == 2)
        assert page.read_text(encoding="utf-8") == "mine"


def test_a_browser_in_the_terminal_is_not_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """If there is no other, only the path is shown."""
    text_browser = Desktop()
    text_browser.name = "/usr/bin/w3m"
    monkeypatch.setattr(webbrowser, "get", lambda _=None: text_browser)
    assert not open_in_browser(tmp_path / "page.html")
    assert text_browser.pages == []


def test_without_any_browser_nothing_is_opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This is the case on a server."""

    def none(_: object = None) -> object:
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(webbrowser, "get", none)
    assert not open_in_browser(tmp_path / "page.html")
