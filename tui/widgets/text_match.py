"""Text search: matches in titles rank before matches in details; synonyms count."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TypeVar

ThingT = TypeVar("ThingT")

SYNONYMS: tuple[frozenset[str], ...] = tuple(
    frozenset(group.split(", "))
    for group in (
        "solar, pv, photovoltaic, panel, panels, sun, sunny, sky, roof, producer, generation, kwp",
        "car, ev, electric vehicle, e-car, charger, charging, wallbox, vehicle",
        "washer, washing machine, laundry, wash",
        "dryer, tumble, laundry",
        "dishwasher, dishes",
        "oven, stove, cooker, hob, cooking, kitchen",
        "boiler, water heater, hot water, immersion",
        "heat pump, heating",
        "freezer, fridge, refrigerator, cooling",
        "bike, bicycle, e-bike, pedelec",
        "house, household, home, building, apartment",
        "device, appliance, consumer, load, machine",
        "job, jobs, task, request, cycle",
        "forecast, prediction, weather",
        "profile, curve, series, consumption",
        "neighbourhood, neighborhood, scenario, street, village, file",
        "new, create, begin, add",
        "open, load, read",
        "save, write, store, keep",
        "remove, delete, erase",
        "duplicate, copy, clone",
        "undo, revert",
        "redo, repeat",
        "run, start, simulate, simulation, play, execute",
        "pause, resume, continue, halt",
        "stop, end, abort, cancel, quit",
        "pace, speed, faster, slower, tempo",
        "step, next, advance",
        "watch, follow, observe, monitor, join, broker, mqtt, mosquitto",
        "results, outcome, output, figures, kpi, kpis",
        "compare, difference, versus, vs",
        "export, csv, json, parquet, excel, spreadsheet, table, tables, download",
        "report, html, print, browser, page",
        "find, search, filter, scan",
        "sort, order",
        "quit, exit, leave, close",
        "theme, colour, color, colours, colors, dark, light, appearance",
        "help, keys, shortcuts, manual, documentation",
        "screenshot, picture, image, svg",
        "bundled, example, examples, sample, demo",
        "import, pyssmic, greencharge, meter, xml, pickle, convert",
        "problem, error, mistake, wrong, check, validate",
    )
)
_WORD = re.compile(r"[^\W_]+")
_SUBSTRING_FROM = 3
"""Minimum length for matches within words: "ev" should not find "seven"."""


def ranked(wanted: str, things: Iterable[ThingT], texts: Callable[[ThingT], tuple[str, str]]) -> list[ThingT]:
    """Return the matching things, best first; ties keep their order.

    Args:
        wanted: The search text; all of its words must match. Empty: everything matches.
        things: The things to search.
        texts: Returns a thing's title and details.
    """
    if not wanted.strip():
        return [*things]
    found = [(rank, thing) for thing in things if (rank := rank_of(wanted, *texts(thing))) is not None]
    return [thing for _, thing in sorted(found, key=lambda pair: pair[0])]


def rank_of(wanted: str, title: str, details: str = "") -> int | None:
    """Return the rank of a match, 0 the best; None if it does not match.

    Args:
        wanted: The search text.
        title: Matches here rank first.
        details: Matches here rank after the title; synonyms rank last.
    """
    words = [word.strip(",;.") or word for word in wanted.casefold().split()]
    title, details = title.casefold(), details.casefold()
    if not words or title.startswith(" ".join(wanted.casefold().split())):
        return 0
    ranks = [_rank_of_word(word, title, details) for word in words]
    return max((rank for rank in ranks if rank is not None), default=0) if None not in ranks else None


def _rank_of_word(word: str, title: str, details: str) -> int | None:
    """Return 1 if a word of the title begins so, 2 for a synonym there, 3 within a word, 4 and 5 for the details."""
    is_short = len(word) < _SUBSTRING_FROM
    if _begins_word(word, title):
        return 1
    if any(_has(known, title) for known in _synonyms(word)):
        return 2
    if not is_short and word in title:
        return 3
    if _has(word, details) if is_short else word in details:
        return 4
    both = f"{title} {details}"
    return 5 if any(_has(known, both) for known in (_synonyms if is_short else _synonyms_begun)(word)) else None


@lru_cache(maxsize=1_000)
def _synonyms(word: str) -> tuple[str, ...]:
    """Return the words that mean the same as a word."""
    return tuple(known for group in SYNONYMS if word in group for known in group)


@lru_cache(maxsize=1_000)
def _synonyms_begun(word: str) -> tuple[str, ...]:
    """Return the words that mean the same as one that begins with a word."""
    return tuple(known for group in SYNONYMS if any(one.startswith(word) for one in group) for known in group)


def _begins_word(word: str, text: str) -> bool:
    # Thousands of texts are searched at each key, and hardly any has the word.
    return word in text and any(text.startswith(word, found.start()) for found in _WORD.finditer(text))


def _has(known: str, text: str) -> bool:
    return known in text and re.search(rf"\b{re.escape(known)}\b", text) is not None
