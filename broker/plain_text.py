"""Text for people: escapes what would control or deceive a display, and puts counts and lists into words.

Ids, names, reasons and errors come over the network and from files. A terminal obeys the control characters in them,
and characters that reverse the direction of text, or that have no width, disguise it. All text from others passes
through this module before display, so that it is plain text, and different texts look different. Passwords are removed
from log records, also those inside the URLs of brokers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

_CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f"
_FORMATS = (
    r"\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    r"\ufeff\ufff0-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e0fff"
)
"""Direction, spaces without width, tags, line and paragraph separators."""
_SYMBOL = r"\u2190-\u27ff\u2900-\u2bff\U0001f000-\U0001faff"
_VIRAMA = r"\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca"
_INDIC = r"\u0900-\u0dff"
_JOINED_ARABIC = (
    r"\u0626\u0628\u062a-\u062e\u0633-\u063a\u0641-\u0647\u0649\u064a\u0678-\u0687\u069a-\u06bf\u06c1\u06c2\u06cc\u06ce"
    r"\u06d0\u06d1"
)
"""Letters that join the next one, unless a non-joiner follows."""
_JOINERS = (
    # The joiner comes first in each pattern, and what must be before it in a lookbehind, which is faster.
    # An emoji of several (a selector may follow the symbol); Indic conjuncts and half forms.
    rf"\u200d(?<![{_SYMBOL}{_VIRAMA}]\u200d)(?<![{_SYMBOL}]\ufe0f\u200d)(?<!\u09b0\u200d(?=\u09cd))"
    rf"|\u200d(?<![{_VIRAMA}]\u200d)(?<!\u09b0\u200d(?=\u09cd))(?![{_SYMBOL}])"
    # An Indic letter that is not joined; Persian prefixes and suffixes.
    rf"|\u200c(?<![{_VIRAMA}{_JOINED_ARABIC}]\u200c)|\u200c(?<=[{_VIRAMA}]\u200c)(?![{_INDIC}])"
    rf"|\u200c(?<=[{_JOINED_ARABIC}]\u200c)(?![\u0620-\u064a\u066e-\u06d3])"
)
"""Joiners and non-joiners, except where they change what is seen, so that texts that differ look different."""
_BLANK_LETTERS = r"\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\uffa0"
_NO_CHARACTERS = r"\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
_SELECTORS = r"(?<![\u203c-\u205f\u2070-\u27ff\u2801-\u3163\u3165-\u3299\U0001f000-\U0001faff])[\ufe00-\ufe0f]"
"""Variation selectors, which cannot be seen; after a symbol (one that is not escaped) they are part of an emoji."""
_MARKS = r"\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_MOST_MARKS = 4
"""Combining marks on one letter; more of them grow into the lines above and below."""
_UNSAFE = re.compile(
    f"[{_CONTROLS}{_FORMATS}{_BLANK_LETTERS}{_NO_CHARACTERS}]|{_JOINERS}|{_SELECTORS}|(?<=[{_MARKS}]{{{_MOST_MARKS}}})[{_MARKS}]"
)
_BREAKS = {"\n": r"\n", "\t": r"\t"}
_LOGIN = re.compile(r"(?<=://)([^/@\s:]*):\S*@")


def printable(text: str) -> str:
    r"""Return a text without characters that command a terminal or cannot be seen, line breaks and tabs aside.

    Each becomes an escape as in Python, such as `\x1b`, `\u202e` or `\U000e0041`. A text that is harmless already is
    returned as it is, so that applying this twice changes nothing.
    """
    if text.isascii() and text.isprintable():
        return text  # nearly all text
    return _UNSAFE.sub(_escape, text)


def printable_line(text: str) -> str:
    r"""Return a text as `printable` does, on one line: line breaks and tabs are escaped too."""
    shown = printable(text)
    for character, escape in _BREAKS.items():
        shown = shown.replace(character, escape)
    return shown


def printable_json(text: str) -> str:
    r"""Return JSON that means the same, in which such characters are written as JSON escapes, `\u001b`."""
    if text.isascii():
        return text.replace("\x7f", "\\u007f")
    return _UNSAFE.sub(_json_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _json_escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


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


def without_passwords(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the passwords in a log `event`, including those in URLs, by `***`; a processor of structlog."""
    for key, value in event.items():
        if "password" in key.lower():
            event[key] = "***"
        elif isinstance(value, str) and "://" in value:
            event[key] = _LOGIN.sub(r"\1:***@", value)
    return event
