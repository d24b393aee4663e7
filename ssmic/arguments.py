"""Checks the arguments of scripts: times, durations, names of parts, file names. Each mistake is one clear error."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from operator import index
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from broker import SsmicError
from scenarios import Zone, suggest
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
        EmulationError: It is no such time, or before the start.
    """
    if isinstance(time, datetime):
        if time.tzinfo is None and not isinstance(zone.tzinfo, ZoneInfo):
            time = time.replace(tzinfo=zone.tzinfo)
        value: str | int | None = time.isoformat()
    else:
        value = time if isinstance(time, str) else _whole(time)
    if value is None:
        what = "a datetime, 12:00, 2d 12:00, +2h after the start, an ISO time or whole UNIX seconds"
        raise EmulationError(f"{time!r} is not a time; expected is {what}")
    try:
        return parse_moment(value, start_s, zone)
    except ValueError as error:
        raise EmulationError(str(error)) from None


def span_s(span: object) -> int:
    """Return a duration above 0 in seconds.

    Raises:
        EmulationError: It is no such duration.
    """
    seconds = duration_s(span) if isinstance(span, str) else _whole(span)
    if seconds is None or not 0 < seconds <= MAX_SPAN_S:
        what = "write for example 15m or 1h30m, or whole seconds above 0"
        raise EmulationError(f"{span!r} is not a duration; {what}")
    return seconds


def check_part(kind: Literal["house", "producer", "job"], name: object, known: Iterable[str]) -> None:
    """Check that a part of the neighbourhood exists.

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
    if not isinstance(file, str | os.PathLike) or not str(file):
        raise EmulationError(f"{file!r} is not a file name")
    return Path(file)


def check_source(source: object) -> None:
    """Check that a scenario is named.

    Raises:
        EmulationError: It is neither a name nor a path.
    """
    if not isinstance(source, str | os.PathLike) or not str(source):
        raise EmulationError(f"{source!r} is not a scenario; a file, a bundled name or a loaded one is expected")


def plain_list(values: object) -> object:
    """Return several values as a list; return anything else unchanged, so that the event's check can report it."""
    return list(values) if isinstance(values, Iterable) and not isinstance(values, str | bytes) else values


def _whole(value: object) -> int | None:
    """Return a whole number, also one of NumPy; None: it is none."""
    try:
        return None if isinstance(value, bool) else index(value)  # type: ignore[arg-type]  # what is none is caught
    except TypeError:
        return None
