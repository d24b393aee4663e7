"""How fast the editor answers a key while it checks the largest bundled neighbourhood, and a small one.

    python benchmarks/editor_keys.py

A letter is typed into a name, and while the whole file is checked the cursor goes through the tree. The time from a key
to the screen that shows its effect is measured.

Then houses are added, removed and brought back in a generated neighbourhood of 1,000 houses. The processor time of the
application until the change is drawn and checked is measured, in all its threads and in the one that draws.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from keyboard import LIMIT_WALL_MS, Keyboard, KeyTime, ratio, said
from textual.widgets import Input

from tui.app import SsmicApp
from tui.editor.screen import NeighbourhoodsScreen
from tui.editor.tree_model import WHOLE
from tui.editor.tree_view import NeighbourhoodTree
from tui.shell.idle_collector import IdleCollector

ROUNDS = 12
NAMES = ("street", "village")
HOUSES = 1_000
CHANGES = ("h", "delete", "ctrl+z")


async def keys(name: str) -> tuple[list[KeyTime], list[KeyTime], list[float]]:
    """Open a bundled neighbourhood and type; return what letters and moves took, and how long each check, in ms."""
    app = SsmicApp(first_area="neighbourhoods", remember=False, collector=IdleCollector())
    async with app.run_test(size=(140, 45)) as pilot:
        screen = app.screen
        if not isinstance(screen, NeighbourhoodsScreen):
            raise SystemExit("this is not the editor")
        await screen.open_source(name)
        while not screen.is_settled:
            await pilot.pause(0.05)
        keyboard = Keyboard(app)
        tree = screen.query_one(NeighbourhoodTree)
        letters, moves, checks = [], [], []
        for number in range(ROUNDS):
            field = screen.query("FormView Input").first(Input)
            field.focus()
            while field.selected_text != field.value:  # focus selects what is there
                await pilot.pause(0.02)
            letter = "xy"[number % 2]  # the letter replaces what is selected
            letters.append(await keyboard.press(letter, lambda f=field, said=letter: f.value == said))
            began_wall_s = time.perf_counter()
            tree.focus()
            work = screen.work
            while work is not None and work.checked is not work.history.current:
                line = tree.cursor_line
                key = "down" if line < 3 or number % 2 else "up"
                moves.append(await keyboard.press(key, lambda before=line: tree.cursor_line != before))
                await asyncio.sleep(0.01)
            checks.append(1000 * (time.perf_counter() - began_wall_s))
            tree.cursor_line = 0
            while screen.ref != WHOLE or not screen.is_settled:
                await pilot.pause(0.05)
    return letters, moves, checks


async def changes(path: Path) -> dict[str, list[tuple[float, float]]]:
    """Open a file and change it; return by key the processor time of all threads and of this one, in ms."""
    app = SsmicApp(first_area="neighbourhoods", remember=False, collector=IdleCollector())
    found: dict[str, list[tuple[float, float]]] = {key: [] for key in CHANGES}
    async with app.run_test(size=(140, 45)) as pilot:
        screen = app.screen
        if not isinstance(screen, NeighbourhoodsScreen):
            raise SystemExit("this is not the editor")
        await screen.open_source(str(path))
        tree = screen.query_one(NeighbourhoodTree)
        for key in CHANGES * 5:
            tree.focus()
            while not screen.is_settled or not tree.has_focus:
                await pilot.pause(0.2)
            before = screen.work.history.current if screen.work is not None else None
            began_ms = 1000 * time.process_time(), 1000 * time.thread_time()
            await pilot.press(key)
            while screen.work is None or screen.work.history.current is before or not screen.is_settled:
                await pilot.pause(0.2)
            found[key].append((1000 * time.process_time() - began_ms[0], 1000 * time.thread_time() - began_ms[1]))
    return found


def main() -> None:
    """Measure both neighbourhoods in turn, and then a large one."""
    found: dict[str, list[KeyTime]] = {name: [] for name in NAMES}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for _ in range(2):
            for name in NAMES:
                letters, moves, checks = asyncio.run(keys(name))
                found[name] += letters + moves
                print(f"{name:8} letters: {said(letters)}")
                print(f"{name:8} cursor : {said(moves)}")
                print(f"{name:8} checked after {min(checks):.0f} to {max(checks):.0f} ms")
        path = Path("large.yaml")
        command = (sys.executable, "-m", "tui", "generate", "--houses", str(HOUSES), "--out", str(path))
        subprocess.run(command, check=True, capture_output=True)
        for key, took in asyncio.run(changes(path)).items():
            all_ms, own_ms = (statistics.median(times) for times in zip(*took, strict=True))
            print(f"{HOUSES:,} houses, {key:6}: processor {all_ms:.0f} ms, {own_ms:.0f} ms of them to draw")
    most_wall_ms = max(one.wall_ms for one in found["village"])
    print(
        f"ratio of medians, village to street: {ratio(found['village'], found['street']):.2f}; "
        f"the most {most_wall_ms:.0f} of {LIMIT_WALL_MS} ms"
    )


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    main()
