"""The nearest known name to one that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

MAX_LISTED = 12


def suggest(name: str, known: Iterable[str]) -> str:
    """Return `did you mean ...?`, or else what is known, as the end of a message; empty where nothing is known."""
    names = sorted(set(known))
    by_fold = {known_name.casefold(): known_name for known_name in names}
    near = get_close_matches(name[:200].casefold(), by_fold, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {by_fold[near[0]]!r}?"
    if not names:
        return ""
    listed = ", ".join(names[:MAX_LISTED]) + (", ..." if len(names) > MAX_LISTED else "")
    return f"; known: {listed}"
