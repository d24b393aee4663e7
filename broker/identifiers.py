"""The rule for ids of houses, devices, jobs, load profiles and runs, in files, topics and on command lines.

An id is a text of 1 to 200 characters that can be seen and typed. It has no control or invisible characters, no line
breaks, no white space other than plain spaces, and none at either end. So every id fits into an MQTT client id, a
topic, a log line and a table row. Ids that look the same are the same: all are normalised to Unicode NFC, so a letter
with a mark (`ü`) is equal whether it was typed as one character or as two.
"""

from __future__ import annotations

import unicodedata

MAX_CHARACTERS = 200
"""Longest id. In a topic, a character takes up to 12 bytes (36 in an agent's id), and a topic has at most 65,535."""

_UNFIT = {
    "Cc": "a control character",
    "Cf": "an invisible character",
    "Cs": "half of a surrogate pair",
    "Zl": "a line break",
    "Zp": "a paragraph break",
}
"""By Unicode category, characters that an id must not contain."""
_LINE_BREAKS = frozenset("\n\r\v\f\x85\x1c\x1d\x1e")
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800")
"""Letters and marks that display nothing; format characters have their own Unicode category."""
_LAST_IN_PLANE = 0xFFFE
"""The last two code points of each plane are noncharacters."""


def canonical(identifier: str) -> str:
    """Return the NFC form of an id; ids that look the same have the same form."""
    return unicodedata.normalize("NFC", identifier)


def identifier_problem(identifier: str) -> str | None:
    """Return why a text is not a valid id, and what is expected; None if it is valid."""
    if not identifier:
        return "is empty; an id has at least one character"
    text = canonical(identifier)
    if len(text) > MAX_CHARACTERS:
        return f"has {len(text)} characters; an id has at most {MAX_CHARACTERS}"
    return character_problem(text)


def character_problem(text: str) -> str | None:
    """Return which character of a text an id must not contain; None if there is none. Length is not checked."""
    # Fast path: nearly every id is plain, and a large neighbourhood has a hundred thousand of them.
    suspects = () if text.isascii() and text.isprintable() else text
    for place, character in enumerate(suspects, start=1):
        what = _unfit(character)
        if what is not None:
            shown = f"U+{ord(character):04X}"
            return f"contains {what} ({shown}, character {place}); an id has visible characters and plain spaces only"
    if text != text.strip():
        return "begins or ends with a blank; an id does not"
    return None


def may_be_topic(value: object) -> bool:
    """Return whether a value from outside can be the topic, or the beginning of one, of a message to publish."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= MAX_CHARACTERS
        and not set(value) & set("+#")
        and character_problem(value) is None  # a broker ends the connection of who publishes control characters
    )


def checked(identifier: str) -> str:
    """Return a valid id in its NFC form.

    Raises:
        ValueError: The id is not valid; the message says why.
    """
    problem = identifier_problem(identifier)
    if problem is not None:
        raise ValueError(f"{shown(identifier)}: {problem}")
    return canonical(identifier)


def shown(identifier: str) -> str:
    """Return an id for display in a message: quoted, on one line, with escapes for characters that cannot be seen."""
    text = identifier if len(identifier) <= 60 else f"{identifier[:57]}..."
    return "".join(
        f"\\u{{{ord(character):x}}}" if ord(character) > 0x7F and _unfit(character) else character
        for character in repr(text)
    )


def _unfit(character: str) -> str | None:
    if character in _LINE_BREAKS:
        return "a line break"
    if character in _INVISIBLE or ord(character) & 0xFFFF >= _LAST_IN_PLANE or 0xFDD0 <= ord(character) <= 0xFDEF:
        return "an invisible character"
    category = unicodedata.category(character)
    if category == "Zs" and character != " ":
        return "a blank other than a plain space"
    return _UNFIT.get(category)
