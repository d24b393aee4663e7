"""Output of text to a terminal: `echo` for lines, hooks for text that Rich and Textual draw.

Both libraries have a function that removes control codes from text before it is laid out. It keeps `ESC` and all
characters that hide text, so a function of this module replaces it. Then every table, pane, title and notice is
harmless, regardless of the text's origin. `tui.app` replaces Textual's function; `tui.cli.output` and `tui.app` replace
Rich's. Only this module may use `typer.echo` and `print`; ruff enforces this.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import TextIO

from broker import first_few, printable

_LONG_WORD = re.compile(r"[^\s/\\]{257,}(?<![:;,])")  # punctuation after it belongs to the message
_SHOWN_CHARACTERS = 60


def echo(text: object, *, err: bool = False, nl: bool = True) -> None:
    """Print a text, made harmless.

    Args:
        text: The text to print.
        err: On standard error, not on standard output.
        nl: Whether a line break follows.
    """
    import typer  # noqa: PLC0415 - tests of single screens need no command line

    typer.echo(printable(str(text)), err=err, nl=nl)  # noqa: TID251 - the one place


def plugins_on_stderr() -> redirect_stdout[TextIO]:
    """Return a context in which what plug-ins print goes to standard error: standard output is for results."""
    return redirect_stdout(sys.stderr)


def make_rich_safe() -> None:
    """Make Rich escape every character that controls a terminal or cannot be seen."""
    import rich.text  # noqa: PLC0415 - a household's process does without Rich

    rich.text.strip_control_codes = printable  # type: ignore[attr-defined,assignment]  # stricter than rich's


def make_textual_safe() -> None:
    """Make Textual, and Rich within it, do the same."""
    make_rich_safe()
    content = sys.modules["textual.content"]
    content._strip_control_codes = printable  # type: ignore[attr-defined]  # noqa: SLF001 - see the module


def without_long_words(text: str) -> str:
    """Return a message with each word of more than 256 characters shortened, and its length in place of the rest.

    What was typed by mistake, such as a number of thousands of digits, would cover the screen. Paths stay whole: their
    parts have at most 255 characters.
    """
    return _LONG_WORD.sub(lambda word: f"{word[0][:_SHOWN_CHARACTERS]}… ({len(word[0]):,} characters)", text)


def listed(names: Sequence[str], most: int = 20) -> str:
    """Return names separated by commas; of many, the first ones and how many more there are."""
    return first_few(names, most)
