"""Rich consoles: tables on standard output, everything else on standard error."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Console

from tui.safe_output import make_rich_safe

make_rich_safe()

PIPED_WIDTH = 80


def output() -> Console:
    """Return the console for standard output; 80 columns wide if it is not a terminal."""
    return _console(sys.stdout)


def notes() -> Console:
    """Return the console for standard error."""
    return _console(sys.stderr)


def _console(file: TextIO) -> Console:
    """Return a console; rich handles NO_COLOR, TERM and COLUMNS."""
    console = Console(file=file, highlight=False, markup=False, emoji=False, soft_wrap=False)
    if not console.is_terminal and console.width < PIPED_WIDTH:
        console.width = PIPED_WIDTH
    return console
