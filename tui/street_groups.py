"""Divides the houses of a large neighbourhood into streets, so that no screen has to list all of them at once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

MOST_LISTED: Final = 200
"""Houses that are listed without streets."""
_BLOCK = 100
_NUMBERED = re.compile(r"(.*?\D)[\s_.-]*\d+\s?[a-zA-Z]?")


def streets_of(houses: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the street of each house, by house id.

    A street is the text in front of the houses' numbers, in their names (`Ahornweg 12`) or else in their ids
    (`ahornweg-12`). One of more than 200 houses is divided into blocks of 100. Houses that share no such
    text are grouped by their first letter.

    Args:
        houses: Ids and names, in the scenario's order.
    """
    found = [_before_number(name.partition(",")[0].strip()) for _, name in houses]
    if len(set(found) - {""}) < 2:
        found = [_before_number(house) for house, _ in houses]
    counts = Counter(found)
    streets = {
        house: street if street and counts[street] > 1 else f"{(name or house)[:1].upper()}..."
        for (house, name), street in zip(houses, found, strict=True)
    }
    members: dict[str, list[str]] = {}
    for house, street in streets.items():
        members.setdefault(street, []).append(house)
    for street, inside in members.items():
        if len(inside) > MOST_LISTED:
            for begin in range(0, len(inside), _BLOCK):
                block = inside[begin : begin + _BLOCK]
                streets.update(dict.fromkeys(block, _block(street, block[0], block[-1])))
    return streets


def _block(street: str, first: str, last: str) -> str:
    """Return the name of a part of a street: `house 101-200`."""
    numbers = [re.search(r"(\d+)\D*$", house) for house in (first, last)]
    if None in numbers:
        return f"{first} to {last}"
    return f"{street} {'-'.join(str(int(number[1])) for number in numbers if number is not None)}"


def _before_number(text: str) -> str:
    """Return the text before the number at the end; empty if there is none."""
    found = _NUMBERED.fullmatch(text)
    return "" if found is None else found[1].rstrip(" _.-")
