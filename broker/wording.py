"""Words of messages that count or list things."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def plural(count: int, one: str) -> str:
    """Return a count with its noun, in the plural if not one."""
    return f"{count:,} {one}" if count == 1 else f"{count:,} {one}s"


def first_few(names: Iterable[str], most: int = 3, show: Callable[[str], str] = str) -> str:
    """Return the first distinct names, separated by commas, and how many further ones there are.

    Args:
        names: All of them; a name that comes again counts once.
        most: How many are named.
        show: Makes a name fit for display.
    """
    different = list(dict.fromkeys(names))
    named = ", ".join(show(name) for name in different[:most])
    return named if len(different) <= most else f"{named} and {len(different) - most:,} more"
