"""Times and durations in a scenario file, and their conversion to and from seconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from scenarios.scenario import MAX_DAYS
from scenarios.zone import Zone, iso_datetime, shown_at_s

MAX_TIME_S = 253_402_300_799
"""The end of the year 9999."""
MAX_SPAN_S = MAX_DAYS * 86_400
"""The longest duration."""

_CLOCK = re.compile(r"(?:(\d{1,4})d\s+)?(\d{1,2}):([0-5]\d)(?::([0-5]\d))?", re.ASCII)
_AFTER_START = re.compile(r"(?:(\d{1,4})d\s+)?(\d{1,5}):([0-5]\d)(?::([0-5]\d))?", re.ASCII)
_AFTER = re.compile(r"\+\s*(.+)")
_DURATION = re.compile(r"(?:(\d+)d)?\s*(?:(\d+)h)?\s*(?:(\d+)(?:m|min))?\s*(?:(\d+)s)?", re.ASCII)
_HOURS_PER_DAY = 24
NOT_A_TIME = "is not a time"
"""In the message for text that is not a time, for any start of the run."""
_MOMENTS = "12:00, 2d 12:00, +2h after the start, an ISO time (2026-06-21T06:00:00+02:00), or UNIX seconds"
_FORMS = 'UNIX seconds, an ISO time with its offset (2026-06-21T06:00:00+02:00), or "HH:MM" after the start'

_STARTS = "an ISO time such as 2026-06-21T06:00:00+02:00 (without an offset if the file has a zone), or UNIX seconds"


def duration_s(text: str) -> int | None:
    """Return a duration such as `1h30m`, `45 min`, `2d` or `90s` in seconds; None if the text is not one."""
    compact = text.strip().replace(" ", "")
    found = _DURATION.fullmatch(compact)
    if not compact or found is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    total_s = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return total_s if total_s <= MAX_SPAN_S else None


def _after_start_s(value: object) -> int | None:
    """Return an offset such as `+2h` in seconds; None if the text is not one."""
    found = _AFTER.fullmatch(value) if isinstance(value, str) else None
    return None if found is None else duration_s(found[1])


def parse_time(value: int | str, start_s: int | None, zone: ZoneInfo | None) -> int:
    """Return a time in UNIX seconds.

    Args:
        value: UNIX seconds, ISO 8601 with an offset, `HH:MM[:SS]` after the start (hours may exceed 24), `2d HH:MM` on
            the second day, or a duration after the start such as `+2h30m`.
        start_s: Start of the run, UNIX seconds; None if it is not known.
        zone: The scenario's IANA time zone: ISO times may then leave out their offset, and `HH:MM` counts hours of the
            clock, which on two days of the year are not hours after the start. None: times have offsets.

    Raises:
        ValueError: It is not a valid time; the message says what is expected.
    """
    if isinstance(value, int):
        time_s = value
    elif clock := _AFTER_START.fullmatch(value):
        if start_s is None:
            raise ValueError(f'"{value}" counts from the start, which itself needs a date')
        day, hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        after = timedelta(days=max(day, 1) - 1, hours=hours, minutes=minutes, seconds=seconds)
        if zone is None:
            time_s = start_s + int(after.total_seconds())
        else:
            begin = _clock_time(start_s, zone, value)
            time_s = shown_at_s(_later(begin, after, value), zone, start_s)
    elif (after_s := _after_start_s(value)) is not None:
        if start_s is None:
            raise ValueError(f'"{value}" counts from the start, which itself needs a date')
        time_s = start_s + after_s
    else:
        time_s = _parse_iso(value, zone)
    _check_range(value, time_s)
    return time_s


def parse_start(value: int | str, zone: ZoneInfo | None) -> int:
    """Return the start of a run in UNIX seconds; see `parse_time`."""
    if isinstance(value, str) and not counts_from_start(value):
        value = _parse_iso(value, zone, _STARTS)
    return parse_time(value, None, zone)


def parse_moment(value: int | str, start_s: int, zone: Zone) -> int:
    """Return the time of an event or an expectation in UNIX seconds.

    Args:
        value: `12:00` (clock time on the day of the start), `2d 12:00` (on the second day), `+2h` after the start, an
            ISO time or UNIX seconds.
        start_s: Start of the run, UNIX seconds.
        zone: The scenario's.

    Raises:
        ValueError: It is no such time, or before the start; the message says what is expected.
    """
    info = zone.tzinfo if isinstance(zone.tzinfo, ZoneInfo) else None
    text = value.strip() if isinstance(value, str) else ""
    if re.fullmatch(r"-\s*\d+\s*[dhms].*", text):
        raise ValueError(f"{value!r} is in the past: before the run starts ({zone.iso(start_s)}); +2h is after it")
    if text.startswith("+"):
        after_s = _after_start_s(text)
        if after_s is None:
            raise ValueError(f"{value!r} is not a time after the start; write for example +2h or +1h30m")
        time_s = start_s + after_s
    elif clock := _CLOCK.fullmatch(text):
        day, hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        if hours > 23:
            raise ValueError(f"{value!r} is not a clock time; for the second day write for example 2d 12:00")
        midnight = datetime.combine(zone.at(start_s).date(), datetime.min.time())
        after = timedelta(days=max(day, 1) - 1, hours=hours, minutes=minutes, seconds=seconds)
        local = _later(midnight, after, value)
        time_s = (
            int(local.replace(tzinfo=zone.tzinfo).timestamp()) if info is None else shown_at_s(local, info, start_s)
        )
    else:
        time_s = value if isinstance(value, int) else _parse_iso(value, info, _MOMENTS)
    _check_range(value, time_s)
    if time_s < start_s:
        raise ValueError(f"{value!r} is in the past: {zone.iso(time_s)} is before the run starts ({zone.iso(start_s)})")
    return time_s


def _later(local: datetime, after: timedelta, value: int | str) -> datetime:
    """Return a time of the clock some time after another one.

    Raises:
        ValueError: It is after the year 9999.
    """
    try:
        return local + after
    except OverflowError:
        raise ValueError(_out_of_range(value)) from None


def _clock_time(time_s: int, zone: ZoneInfo, value: int | str) -> datetime:
    """Return what a clock of the zone shows at a time, UNIX seconds, from which a value counts.

    Raises:
        ValueError: It shows a year after 9999 there.
    """
    try:
        return datetime.fromtimestamp(time_s, zone).replace(tzinfo=None)
    except OverflowError:
        raise ValueError(_out_of_range(value)) from None


def _check_range(value: int | str, time_s: int) -> None:
    if not 0 <= time_s <= MAX_TIME_S:
        raise ValueError(_out_of_range(value))


def _out_of_range(value: int | str) -> str:
    return f"{value!r} is not a time between the years 1970 and 9999"


def counts_from_start(value: int | str) -> bool:
    """Return whether a time counts from the start: `HH:MM[:SS]`, `2d HH:MM` or `+2h`."""
    return isinstance(value, str) and (_AFTER_START.fullmatch(value) is not None or _after_start_s(value) is not None)


def reads_as_clock_time(value: int | str, start: datetime) -> bool:
    """Return whether a time that counts from the start may be meant as one of the clock: `HH:MM[:SS]`, `2d HH:MM`.

    Args:
        value: The time.
        start: The local time at which the run starts: what the clock showed before, nobody means.
    """
    found = _AFTER_START.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return False
    day, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    clock = (hours, minutes, seconds)
    return hours < _HOURS_PER_DAY and (day > 1 or clock > (start.hour, start.minute, start.second))


def _parse_iso(value: str, zone: ZoneInfo | None, forms: str = _FORMS) -> int:
    try:
        moment = iso_datetime(value)
    except ValueError:
        raise ValueError(f"{value!r} {NOT_A_TIME}; expected {forms}") from None
    if moment.microsecond:
        raise ValueError(f"{value!r} has a fraction of a second; times are whole seconds")
    if moment.year < 1969:  # a zone may not know what its clocks showed
        raise ValueError(_out_of_range(value))
    if moment.tzinfo is None and zone is not None:
        both = {moment.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta() for fold in (0, 1)}
        time_s = shown_at_s(moment, zone)
        if len(both) > 1:
            earlier, later = (moment.replace(tzinfo=timezone(offset)).isoformat() for offset in sorted(both)[::-1])
            raise ValueError(f"{value!r} occurs twice (the clocks go back); write {earlier} or {later}")
        return time_s
    if moment.tzinfo is None:
        raise ValueError(f"{value!r} has no UTC offset; write for example {_suggest_offset(moment)}")
    try:
        return int(moment.timestamp())
    except (OverflowError, ValueError):
        raise ValueError(_out_of_range(value)) from None


def _suggest_offset(moment: datetime) -> str:
    return f"{moment.isoformat(timespec='seconds')}+02:00, or ...Z for UTC"


def format_iso(time_s: int) -> str:
    """Return `2026-06-21T06:00:00Z`."""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def offset_of(value: int | str) -> int:
    """Return the UTC offset that a time is written with, seconds; 0 if it has none or is not a time."""
    try:
        offset = iso_datetime(str(value)).utcoffset()
    except ValueError:
        return 0
    return 0 if offset is None else int(offset.total_seconds())


def format_after_start(time_s: int, start_s: int, zone: ZoneInfo | None) -> str:
    """Return `time_s` in `zone` as `HH:MM[:SS]` after `start_s`, or as ISO time if it is before that or weeks later."""
    after_s = time_s - start_s
    if zone is not None:
        try:
            local, begin = (datetime.fromtimestamp(s, zone) for s in (time_s, start_s))
        except OverflowError:  # the year 10000 in the zone
            return format_iso(time_s)
        after_s = int((local.replace(tzinfo=None) - begin.replace(tzinfo=None)).total_seconds())
        if local.fold:
            return format_iso(time_s)
    if not 0 <= after_s < 1000 * 3600:
        return format_iso(time_s)
    minutes, seconds = divmod(after_s, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}" + (f":{seconds:02}" if seconds else "")
