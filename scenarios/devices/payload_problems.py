"""The problems of a device's payload in words, for the person who builds the device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from broker import shown

MOST_PROBLEMS = 5
"""How many are named; of the others, only the number is given."""
_EXPECTED = {
    "extra_forbidden": "unknown key",
    "missing": "is missing",
    "finite_number": "a finite number is expected",
    "float_type": "a number is expected",
    "float_parsing": "a number is expected",
    "int_type": "a whole number is expected",
    "int_parsing": "a whole number is expected",
    "int_from_float": "a whole number is expected",
    "string_type": "a text is expected",
    "list_type": "a list is expected",
    "dict_type": "an object is expected",
    "tuple_type": "a pair is expected",
    "model_type": "an object is expected",
    "model_attributes_type": "an object is expected",
}
_LIMITS = {
    "greater_than_equal": "at least {ge} is expected",
    "less_than_equal": "at most {le} is expected",
    "string_too_long": "at most {max_length} characters are expected",
    "string_too_short": "at least {min_length} {characters} expected",
    "too_long": "at most {max_length} entries are expected",
    "too_short": "at least {min_length} {entries} expected",
    "literal_error": "{expected} is expected",
}


def problems_of(error: ValidationError) -> str:
    """Return all problems of a payload in one line, each with its key."""
    found: dict[str, str] = {}
    details = error.errors(include_url=False, include_input=False)
    for one in details:
        place = _place(one["loc"])
        found.setdefault(place, problem_in_words(one))
    named = [f"{place}: {what}" if place else what for place, what in found.items()]
    more = [f"and {len(named) - MOST_PROBLEMS} more"] if len(named) > MOST_PROBLEMS else []
    return "; ".join([*named[:MOST_PROBLEMS], *more])


def _place(path: tuple[str | int, ...]) -> str:
    """Return a key path, such as `power_w[3]`."""
    place = ""
    for part in path:
        if isinstance(part, int):
            place += f"[{part}]"
        elif not _is_of_a_union(part):
            place += ("." if place else "") + (part if part.isidentifier() and len(part) <= 40 else shown(part))
    return place


def _is_of_a_union(part: str) -> bool:
    """Return whether a part of a place names a form of a value, such as `constrained-float`, and no key."""
    return part.startswith(("constrained-", "function-", "[key]"))


def problem_in_words(one: ErrorDetails) -> str:
    """Return one problem in words, without its key."""
    context: Mapping[str, Any] = one.get("ctx", {})
    if one["type"] == "json_invalid":
        return f"not JSON ({context.get('error', '')})"
    if one["type"] in _LIMITS:
        numbers = {key: f"{value:,.12g}" if isinstance(value, float) else value for key, value in context.items()}
        is_one = context.get("min_length") == 1
        words = ("character is", "entry is") if is_one else ("characters are", "entries are")
        return _LIMITS[one["type"]].format(**numbers, characters=words[0], entries=words[1])
    return _EXPECTED.get(one["type"], one["msg"].removeprefix("Value error, "))
