"""How fast the editor answers a key while it checks the largest bundled neighbourhood, and a small one.

    python benchmarks/editor_keys.py

A letter is typed into a name, and while the whole file is checked the cursor goes through the tree; measured is the
time from a key to the screen that shows its effect.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time

from keyboard import LIMIT_WALL_MS, Keyboard, Took, ratio, said
from textual.widgets import Input

from tui.app import SsmicApp
from tui.editor.screen import NeighbourhoodsScreen
from tui.editor.tree_model import WHOLE
from tui.editor.tree_view import NeighbourhoodTree
from tui.shell.idle_collector import IdleCollector

ROUNDS = 12
NAMES = ("street", "village")


async def keys(name: str) -> tuple[list[Took], list[Took], list[float]]:
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


def main() -> None:
    """Measure both, by turns."""
    found: dict[str, list[Took]] = {name: [] for name in NAMES}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for _ in range(2):
            for name in NAMES:
                letters, moves, checks = asyncio.run(keys(name))
                found[name] += letters + moves
                print(f"{name:8} letters: {said(letters)}")
                print(f"{name:8} cursor : {said(moves)}")
                print(f"{name:8} checked after {min(checks):.0f} to {max(checks):.0f} ms")
    most_wall_ms = max(one.wall_ms for one in found["village"])
    print(
        f"ratio of medians, village to street: {ratio(found['village'], found['street']):.2f}; "
        f"the most {most_wall_ms:.0f} of {LIMIT_WALL_MS} ms"
    )


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    main()
