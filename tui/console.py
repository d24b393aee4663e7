"""Where a person reads: tables on standard output, all else on standard error."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Console

PIPED_WIDTH = 80


def output() -> Console:
    """Return the console of standard output; 80 columns where it is no terminal."""
    return _console(sys.stdout)


def notes() -> Console:
    """Return the console of standard error."""
    return _console(sys.stderr)


def _console(file: TextIO) -> Console:
    """Return a console; NO_COLOR, TERM and COLUMNS are rich's own business."""
    console = Console(file=file, highlight=False, markup=False, emoji=False, soft_wrap=False)
    if not console.is_terminal and console.width < PIPED_WIDTH:
        console.width = PIPED_WIDTH
    return console
