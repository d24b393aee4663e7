"""A stream of any length is kept in little memory, and all of it is found again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import closing

import pytest

from scenarios.monitor.message_log import IN_MEMORY, MARKED, MessageLog, MessageSummary
from scenarios.monitor.summaries import summarize
from scenarios.zone import Zone

JOBS = 7


def line(number: int) -> MessageSummary:
    """Return the line with a number."""
    job_id = f"job-{number % JOBS}" if number % 11 else ""
    return MessageSummary(
        number, 100 + number, number % 3, f"{number % 5}/tv", number, "manager", "Declined", job_id, f"<{number}>"
    )


def filled(count: int, **bounds: int) -> MessageLog:
    """Return a log with a number of lines."""
    stream = MessageLog(**bounds)
    for number in range(count):
        stream.add(line(number))
    return stream


COUNT = 5 * IN_MEMORY + 123


@pytest.fixture(scope="module")
def long() -> Iterator[MessageLog]:
    """One that does not fit in memory."""
    with closing(filled(COUNT)) as stream:
        yield stream


def test_all_lines_can_be_read_from_memory_and_file(long: MessageLog) -> None:
    """They are read one by one, in parts and all together, also across the border between file and memory."""
    assert (len(long), long.total, long.first, long.dropped) == (COUNT, COUNT, 0, 0)
    for number in (0, 1, 63, 64, 65, 1_000, COUNT - IN_MEMORY - 600, COUNT - IN_MEMORY, COUNT - 1):
        assert long.get(number) == line(number)
    border = COUNT - IN_MEMORY - 300
    assert long.between(border - 700, border + 700) == [line(n) for n in range(border - 700, border + 700)]
    assert list(long.since(0)) == [line(n) for n in range(COUNT)]
    assert list(long.since(COUNT - 5)) == [line(n) for n in range(COUNT - 5, COUNT)]
    assert list(long.since(COUNT)) == []


def test_messages_about_a_job_are_found(long: MessageLog) -> None:
    """They are in order; of a very long negotiation, the newest ones."""
    expected = [line(n) for n in range(COUNT) if line(n).job_id == "job-3"]
    assert long.about("job-3", COUNT) == expected
    assert long.about("job-3", 1_000) == expected[-1_000:]
    assert long.about("job-3", 5) == expected[-5:]
    assert long.about("nobody's", 5) == []


def test_memory_holds_only_the_newest(long: MessageLog) -> None:
    """However many there were."""
    list(long.since(0))
    lines = [o for o in gc.get_objects() if isinstance(o, MessageSummary)]
    assert len(lines) < 2 * IN_MEMORY + 3_000


def test_the_oldest_lines_are_dropped_at_the_limit() -> None:
    """They are counted; the others remain."""
    kept = 2 * IN_MEMORY
    with closing(filled(COUNT, kept=kept)) as stream:
        assert (len(stream), stream.dropped) == (kept, COUNT - kept)
        assert list(stream.since(0)) == [line(n) for n in range(COUNT - kept, COUNT)]
        assert stream.get(stream.first) == line(COUNT - kept)
        about = [line(n) for n in range(COUNT - kept, COUNT) if line(n).job_id == "job-3"]
        assert stream.about("job-3", COUNT) == about


def test_the_newest_lines_are_kept_on_a_full_disk() -> None:
    """Lines that do not fit are dropped and counted, without an error."""
    with closing(filled(COUNT, most_bytes=300_000)) as stream:
        assert IN_MEMORY <= len(stream) < COUNT
        assert stream.dropped == COUNT - len(stream)
        assert list(stream.since(0)) == [line(n) for n in range(stream.first, COUNT)]


def test_the_minutes_of_a_share_are_said_in_the_zone_of_the_screen() -> None:
    """They were said in UTC, beside times in the zone; the second 02:30 has its offset."""
    start_s = 1_792_888_200  # 2026-10-25 02:30 in Berlin, for the first time
    body = {"job_id": "tea", "consumer": "1/tv", "start_s": start_s, "minutes_mwh": [[10, 5_000], [55, 0], [5, 5_000]]}
    _, text = summarize("SharePromised", body, MARKED)
    message = MessageSummary(1, start_s, 0, "pv", 1, "1/tv", "SharePromised", "tea", text)
    assert message.said(Zone()).endswith("1/tv, 00:30-00:40, 01:35-01:40")
    assert message.said(Zone(key="Europe/Berlin")).endswith("1/tv, 02:30+02:00-02:40+02:00, 02:35+01:00-02:40+01:00")
