"""Times as fields show them: date and time of day, at the UTC offset of the run's start."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from scenarios import DAY_S, Zone, zone_info
from scenarios.files import MAX_TIME_S, YamlValue, format_after_start, offset_of, parse_time
from tui.editor.tree_model import Tree

_CLOCK = re.compile(r"\d{1,5}:[0-5]\d(:[0-5]\d)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class RunStart:
    """The run's start, if it can be parsed."""

    start_s: int | None
    zone: Zone
    info: ZoneInfo | None = None
    """The file's IANA time zone; None: it has none."""

    @classmethod
    def of(cls, start: object, zone: object = None) -> RunStart:
        """Read the `start` and the `zone` of a file."""
        info = zone_info(zone) if isinstance(zone, str) else None
        try:
            if isinstance(start, int | str):
                start_s = parse_time(start, None, info)
                if info is None:
                    return cls(start_s, Zone(offset_of(start)))
                offset = datetime.fromtimestamp(start_s, info).utcoffset() or timedelta()
                return cls(start_s, Zone(int(offset.total_seconds()), info.key), info)
        except ValueError:
            pass
        return cls(None, Zone())

    @classmethod
    def of_tree(cls, tree: Tree) -> RunStart:
        """Read those of an open neighbourhood."""
        return cls.of(tree.get("start"), tree.get("zone"))


def _iso_offset(zone: Zone) -> str:
    if zone.key:
        return ""
    return "Z" if zone == Zone() else zone.name


def split(value: YamlValue, run_start: RunStart) -> tuple[str, str]:
    """Split a time into date and time of day; an invalid value is returned unchanged as the time of day."""
    try:
        time_s = (
            parse_time(value, run_start.start_s, run_start.info)
            if isinstance(value, int | str) and value != ""
            else None
        )
    except ValueError:
        time_s = None
    if time_s is None or isinstance(value, bool):
        return "", "" if value is None else str(value)
    return f"{run_start.zone.at(time_s):%Y-%m-%d}", run_start.zone.clock(time_s)


def offset_name(value: YamlValue, run_start: RunStart) -> str:
    """Return the zone of a time as it is shown beside it: `CEST`, which has room, instead of `Europe/Berlin`."""
    time_s = seconds(value, run_start)
    if time_s is None or not run_start.zone.key:
        return run_start.zone.name
    return run_start.zone.at(time_s).tzname() or run_start.zone.name


def join(date: str, clock: str, run_start: RunStart, old: YamlValue) -> int | str:
    """Join date and time of day to a YAML value in the old value's format; invalid input is kept as typed.

    Args:
        date: `2026-06-21`; empty: the time of day counts from the start.
        clock: `06:00`, `06:00:30`.
        run_start: The run's start.
        old: The value before.
    """
    date, clock = date.strip(), clock.strip()
    if not date:
        return clock
    if re.fullmatch(r"\d{1,2}", clock):
        clock += ":00"
    if re.fullmatch(r"\d:[0-5]\d.*", clock):
        clock = f"0{clock}"
    written = f"{date}T{clock}{_iso_offset(run_start.zone)}"
    if not _CLOCK.fullmatch(clock):
        return written
    try:
        time_s = parse_time(written, None, run_start.info)
    except ValueError:
        return written
    return in_form_of(time_s, run_start, old, written)


def in_form_of(time_s: int, run_start: RunStart, old: YamlValue, written: str = "") -> int | str:
    """Return a time in the format of another one: UNIX seconds, ISO, or hours after the start.

    Args:
        time_s: The time, UNIX seconds.
        run_start: The run's start.
        old: The value whose format is used.
        written: ISO form to use if the result is an ISO time; empty: generated.
    """
    if type(old) is int:
        return time_s
    iso = written or _iso_in_form_of(time_s, run_start, old)
    if run_start.start_s is None or (isinstance(old, str) and old and not _CLOCK.fullmatch(old)):
        return iso
    after = format_after_start(time_s, run_start.start_s, run_start.info)
    return after if _CLOCK.fullmatch(after) else iso


def _iso_in_form_of(time_s: int, run_start: RunStart, old: YamlValue) -> str:
    """Return an ISO time, without an offset if the old one has none and the clocks show it once."""
    had_offset = seconds(old, replace(run_start, info=None)) is not None
    local = run_start.zone.at(time_s).replace(tzinfo=None).isoformat()
    return run_start.zone.iso(time_s) if had_offset or seconds(local, run_start) != time_s else local


def shifted(value: YamlValue, by_s: int, run_start: RunStart) -> int | str | None:
    """Return a time moved to the next or last multiple of some seconds, or by whole days; None if it is not a time.

    Args:
        value: The time as a YAML value.
        by_s: The shift, s; negative: earlier. A day is one of the calendar: the time of day stays.
        run_start: The run's start.
    """
    try:
        time_s = parse_time(value, run_start.start_s, run_start.info) if isinstance(value, int | str) else None
    except ValueError:
        return None
    if time_s is None:
        return None
    step_s = abs(by_s)
    if step_s < DAY_S:
        time_s = time_s // step_s * step_s if by_s > 0 else -(-time_s // step_s) * step_s
        moved_s = time_s + by_s
    else:
        moved_s = run_start.zone.days_later_s(time_s, by_s // DAY_S)
    return in_form_of(moved_s, run_start, value) if 0 <= moved_s <= MAX_TIME_S else None


def seconds(value: YamlValue, run_start: RunStart) -> int | None:
    """Return UNIX seconds; None if the value is not a time."""
    try:
        return parse_time(value, run_start.start_s, run_start.info) if isinstance(value, int | str) else None
    except ValueError:
        return None


def in_words(value: YamlValue, run_start: RunStart) -> str:
    """Format a time for a list, with the day unless it is the first day."""
    time_s = seconds(value, run_start)
    if time_s is None:
        return str(value if value is not None else "?")
    zone = run_start.zone
    moment, clock = zone.at(time_s), zone.narrow_clock(time_s)
    if run_start.start_s is None:
        return zone.narrow_moment(time_s)
    days = (moment.date() - zone.at(run_start.start_s).date()).days
    return clock if days == 0 else f"{clock} {days:+}d" if abs(days) < 100 else f"{moment:%Y-%m-%d} {clock}"
