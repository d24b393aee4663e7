"""Checks what scripts pass: times, durations, names, files, types of options; each error says what is expected."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from operator import index
from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo

from agents.scheduling import AlgorithmSettings
from broker import SsmicError
from scenarios import MAX_DAYS, Zone, suggest
from scenarios.files import MAX_SPAN_S, duration_s, parse_moment

TimeLike = str | int | datetime
"""`"12:00"` on the first day, `"2d 12:00"`, `"+2h"` after the start, an ISO time, UNIX seconds, or a datetime."""
SpanLike = str | int
"""`"1h30m"`, or seconds."""


class EmulationError(SsmicError):
    """A script asks for something impossible: a time in the past, an unknown part, a change after the end."""


def moment_s(time: object, start_s: int, zone: Zone) -> int:
    """Return a time in UNIX seconds.

    Args:
        time: As in `TimeLike`; a datetime without a zone is in the scenario's.
        start_s: Start of the run, UNIX seconds.
        zone: The scenario's.

    Raises:
        EmulationError: It is not such a time, or is before the start.
    """
    if isinstance(time, datetime):
        if time.tzinfo is None and not isinstance(zone.tzinfo, ZoneInfo):
            time = time.replace(tzinfo=zone.tzinfo)
        value: str | int | None = time.isoformat()
    else:
        value = time if isinstance(time, str) else _whole(time)
    if value is None:
        what = "a datetime, 12:00, 2d 12:00, +2h after the start, an ISO time or whole UNIX seconds"
        raise EmulationError(f"{time!r} is not a time; expected {what}")
    try:
        return parse_moment(value, start_s, zone)
    except ValueError as error:
        raise EmulationError(str(error)) from None


def span_s(span: object) -> int:
    """Return a duration above 0 in seconds.

    Raises:
        EmulationError: It is not such a duration.
    """
    seconds = duration_s(span) if isinstance(span, str) else _whole(span)
    if seconds is None or not 0 < seconds <= MAX_SPAN_S:
        what = "write for example 15m or 1h30m, or whole seconds above 0"
        raise EmulationError(f"{span!r} is not a duration; {what}")
    return seconds


def check_part(kind: Literal["house", "producer", "job"], name: object, known: Iterable[str]) -> None:
    """Check that a part of the neighbourhood exists.

    Args:
        kind: What it is, for the message.
        name: What a script gave as its name.
        known: All names of the kind.

    Raises:
        EmulationError: It does not; the message states the nearest known name.
    """
    names = set(known)
    if not isinstance(name, str) or name not in names:
        nearest = suggest(name if isinstance(name, str) else "", names)
        raise EmulationError(f"there is no {kind} {name!r}{nearest}")


def file_path(file: object) -> Path:
    """Return the path of a file to be written.

    Raises:
        EmulationError: It is not a file name.
    """
    if not _is_file(file) or not str(file):
        raise EmulationError(f"{file!r} is not a file name")
    return Path(file)  # type: ignore[arg-type]  # it is a name


def check_source(source: object) -> None:
    """Check that a scenario is named.

    Raises:
        EmulationError: It is neither a name nor a path.
    """
    if not _is_file(source) or not str(source):
        raise EmulationError(f"{source!r} is not a scenario; a file, a bundled name or a loaded one is expected")


def plain_list(values: object) -> object:
    """Return several values as a list; return anything else unchanged, so that the event's check can report it."""
    return list(values) if isinstance(values, Iterable) and not isinstance(values, str | bytes) else values


def _whole(value: object) -> int | None:
    """Return a whole number, which may be one of NumPy; None if it is not a whole number."""
    try:
        return None if isinstance(value, bool) else index(value)  # type: ignore[arg-type]  # other values raise it
    except TypeError:
        return None


Expected = tuple[Callable[[object], bool], str]
"""A check whether a value is of the type, and a description of the type in words."""


def type_problems(values: Mapping[str, object], expected: Mapping[str, Expected]) -> Iterator[str]:
    """Yield which options have a value of another type than theirs, or a number out of range."""
    for name, value in values.items():
        if name in expected:
            is_valid, words = expected[name]
            if not is_valid(value):
                yield f"{name} {value!r}: {words} is expected"


def _or_none(expected: Expected) -> Expected:
    is_valid, words = expected
    return lambda value: value is None or is_valid(value), words


def _whole_number(least: int, most: int | None = None) -> Expected:
    limits = f"of at least {least}" if most is None else f"from {least} to {'2^63 - 1' if most == _MOST else most}"
    return (
        lambda value: type(value) is int and value >= least and (most is None or value <= most),
        f"a whole number {limits}",
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_file(value: object) -> bool:
    return isinstance(value, str | os.PathLike) and "\0" not in str(value)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _is_mapping(value: object, of: Callable[[object], bool]) -> bool:
    """Return whether a value is a mapping of text to values that meet a condition."""
    return isinstance(value, Mapping) and all(isinstance(key, str) and of(one) for key, one in value.items())


def _is_group(value: object) -> bool:
    return _is_list(value) and all(isinstance(key, str) for key in value)  # type: ignore[attr-defined]  # it is a list


_MOST: Final = 2**63 - 1
_TEXT: Final[Expected] = (lambda value: isinstance(value, str), "text")
_YES_OR_NO: Final[Expected] = (lambda value: isinstance(value, bool), "True or False")
_NUMBER: Final[Expected] = (_is_number, "a number")
_FILE: Final[Expected] = (_is_file, "a file name")
_ANYTHING: Final[Expected] = (lambda value: _is_mapping(value, lambda _one: True), "a mapping of names to values")

RUN_OPTIONS: Final[Mapping[str, Expected]] = {
    **dict.fromkeys(("allow_outside", "patient", "keep", "home_assistant", "reset_scores"), _YES_OR_NO),
    **dict.fromkeys(("strategy", "run_id", "negotiation", "ranking", "broker", "user", "pace"), _or_none(_TEXT)),
    **dict.fromkeys(("penalty", "step_size", "tolerance"), _or_none(_NUMBER)),
    **dict.fromkeys(("out", "password_file", "ca_file", "cert_file", "key_file"), _or_none(_FILE)),
    "algorithm": _or_none((lambda value: isinstance(value, str | AlgorithmSettings), "a name")),
    "seed": _or_none(_whole_number(0, _MOST)),
    "days": _or_none(_whole_number(1, MAX_DAYS)),
    "hosts": _or_none(
        (lambda value: value == "houses" or _whole_number(1)[0](value), "'houses' or a whole number of at least 1")
    ),
    "guests": _whole_number(0, 100),
    "node_limit": _or_none(_whole_number(1)),
    "ask_at_once": _or_none(_whole_number(1, 64)),
    "limit_wall_s": (lambda value: _is_number(value) and value > 0, "a number above 0"),  # type: ignore[operator]  # it is a number
    "prefer": _or_none((_is_list, "a list, such as ['cheapest'],")),
    "variables": _ANYTHING,
    "scores": _or_none(
        (
            lambda value: _is_file(value) or _is_mapping(value, lambda one: type(one) is int),
            "a file name, or a mapping of producers to whole numbers,",
        )
    ),
}
"""Of `ssmic.RunOptions`; those with a few known values are checked elsewhere."""

SWEEP_OPTIONS: Final[Mapping[str, Expected]] = {
    "vary": _or_none(
        (
            lambda value: _is_mapping(value, lambda one: isinstance(one, str) or _is_list(one)),
            "a mapping of keys to lists of values or to LOW:HIGH:COUNT",
        )
    ),
    "fixed": _or_none(_ANYTHING),
    "seeds": _whole_number(1),
    "first_seed": _or_none(_whole_number(0, _MOST)),
    "sample": _or_none(_whole_number(1)),
    "sample_seed": _whole_number(0, _MOST),
    "out": _or_none(_FILE),
    "workers": _or_none(_whole_number(1)),
    "dask": _or_none(_TEXT),
    "together": (
        lambda value: _is_list(value) and all(map(_is_group, value)),  # type: ignore[call-overload]  # it is a list
        "a list of lists of keys",
    ),
    "allow_outside": _YES_OR_NO,
}
"""Of `ssmic.sweep`."""
