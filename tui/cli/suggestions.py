"""What somebody may have meant who mistyped a command or an option."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

_MOST = 3


def likely(typed: str, known: Iterable[str]) -> list[str]:
    """Return the known words that are most like what was typed, the likeliest first."""
    folded = {word.casefold(): word for word in known}
    return [folded[match] for match in get_close_matches(typed.casefold(), folded, n=_MOST)]


def likely_command(typed: str, commands: Sequence[str], below: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the commands that may have been meant.

    Args:
        typed: What stands in the place of the command.
        commands: Those that are there.
        below: By command, the commands that it has itself: `show` may be `results show`.
    """
    nested = {name: f"{group} {name}" for group, names in below.items() for name in names}
    if typed in nested:
        return [nested[typed]]
    return likely(typed, commands) or [nested[name] for name in likely(typed, nested)]


def did_you_mean(words: Sequence[str]) -> str:
    """Return the question, with a space before it; empty where there is nothing to ask."""
    return f" Did you mean {' or '.join(repr(word) for word in words)}?" if words else ""


@contextmanager
def suggesting_options() -> Iterator[None]:
    """Let an option that does not exist be refused with those that are like it."""
    try:
        yield
    except Exception as error:
        # Typer brings its own copy of click, whose classes have no public name: known by what they hold.
        if hasattr(error, "option_name") and hasattr(error, "possibilities"):
            _suggest(error)
        raise


def _suggest(error: Any) -> None:  # noqa: ANN401 - see above
    known = [] if error.ctx is None else [name for param in error.ctx.command.params for name in param.opts]
    options = [name for name in known if name.startswith("--")]
    error.message = f"No such option: {error.option_name}.{did_you_mean(likely(error.option_name, options))}"
    error.possibilities = None
