"""Did you mean ...? The known name that a mistyped one is most like, as the end of an error message.

The command line suggests its own commands and options (`tui.cli.app`).
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

MAX_LISTED = 12
"""Most names in a message, where none is like the mistyped one."""
_MAX_COMPARED_CHARACTERS = 200
"""Comparing takes time quadratic in the length, and a name may come from any file."""
_CANNOT_BE_TYPED = "\0"
"""Names that begin with it stand in for names that could not be read."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most similar to another one, regardless of case; None if none is similar."""
    by_fold = {known_name.casefold(): known_name for known_name in sorted(set(known))}
    near = get_close_matches(name[:_MAX_COMPARED_CHARACTERS].casefold(), by_fold, n=1, cutoff=0.6)
    return by_fold[near[0]] if near else None


def suggest(name: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """Return the end of a message: `; did you mean ...?` if a known name is like another.

    Args:
        name: What was written.
        known: The names that are known.
        otherwise: The end of the message if none is like it; None: the first known names, or nothing if none are known.
    """
    names = sorted(known_name for known_name in set(known) if not known_name.startswith(_CANNOT_BE_TYPED))
    near = nearest(name, names)
    if near is not None:
        return f"; did you mean {near!r}?"
    if otherwise is not None:
        return otherwise
    if not names:
        return ""
    return f"; known: {', '.join(names[:MAX_LISTED])}{', ...' if len(names) > MAX_LISTED else ''}"
