"""Bounds of the values that a monitor accepts, so that everything it keeps can be shown, summed and stored.

A message that a household may publish reaches every monitor, and a retained one reaches it again at each start. Values
outside these bounds are counted as refused when they arrive, so that they cannot cause errors when they are drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from agents import LedgerEntry, LoadProfile, Prediction
from broker.protocol import Announcement, Envelope, Roster, TimeReport

FIRST_S, LAST_S = -62_135_510_400, 253_402_214_400
"""The years 1 to 9999 but for a day at each end, UNIX seconds: what can be shown as a date at any offset."""
MOST_COUNT = 2**53
"""The largest count, sequence number or round: exact as a float, and no trouble for a database."""
LONGEST_JOB_S = 366 * 86_400
MOST_WH = 1e15
MOST_ID = 2_500
"""Characters of an id as it is sent: percent-encoded, a consumer's has two ids of 200 characters."""
MOST_TEXT = 2_000
"""Characters of a message's summary that are kept."""


def check_envelope(envelope: Envelope) -> None:
    """Raise ValueError if a message between agents has an id, a time or a number out of bounds."""
    check_moment(envelope.time)
    _check_counts(envelope.round, envelope.seq, envelope.step)
    _check_ids(envelope.sender, envelope.to)


def check_job(job_id: str) -> None:
    """Raise ValueError if a job's id is out of bounds."""
    _check_ids(job_id)


def check_job_of_request(house: str, device: str, window_s: tuple[int, int], profile: LoadProfile) -> None:
    """Raise ValueError if a requested job has a house, device, `window_s` or `profile` out of bounds.

    Its window is in UNIX seconds; it must not last longer than a year.
    """
    _check_ids(house, device)
    for time_s in window_s:
        check_moment(time_s)
    if not 0 <= profile.duration_s <= LONGEST_JOB_S:
        raise ValueError(f"a load profile of {profile.duration_s.bit_length()} bits of seconds")
    _check_energy(profile.energy_wh)


def check_time(report: TimeReport) -> None:
    """Raise ValueError if a clock's report has a time or a number out of bounds."""
    check_moment(report.time)
    check_moment(report.now_s)
    _check_counts(report.round, report.step, report.waiting_more)
    if not all(map(math.isfinite, (report.lag_wall_s, report.waiting_wall_s, report.every_wall_s))):
        raise ValueError("a duration is not finite")
    _check_ids(report.pace)


def check_entry(entry: LedgerEntry) -> None:
    """Raise ValueError if a ledger entry has an id, a time or an energy out of bounds."""
    contract = entry.contract
    _check_ids(contract.contract_id, contract.job_id, contract.producer)
    check_moment(contract.start_s)
    check_moment(contract.agreed_s)
    for event in entry.history:
        check_moment(event.at_s)
        check_moment(event.start_s)
    _check_energy(contract.energy_wh)


def check_prediction(prediction: Prediction) -> None:
    """Raise ValueError if a forecast has a time or an energy out of bounds."""
    production = prediction.production
    for time_s in (prediction.issued_s, production.start_s, production.end_s):
        check_moment(time_s)
    _check_energy(production.energy_wh)


def check_announcement(announcement: Announcement) -> None:
    """Raise ValueError if an id is out of bounds."""
    _check_ids(announcement.host, *announcement.agents)


def check_roster(roster: Roster) -> None:
    """Raise ValueError if an id is out of bounds."""
    for host, member in roster.hosts.items():
        _check_ids(host, *member.agents)


def check_moment(time_s: float) -> None:
    """Raise ValueError if a time cannot be shown as a date."""
    if not FIRST_S <= time_s <= LAST_S:
        raise ValueError("a time outside the years 1 to 9999")


def checked_counts(counts: Mapping[str, Any]) -> dict[str, int]:
    """Return counts by id.

    Raises:
        ValueError: An id or a count is out of bounds.
    """
    found = {str(name): int(count) for name, count in counts.items()}
    if found:
        _check_ids(*found)
        _check_counts(*found.values())
    return found


def _check_counts(*counts: int) -> None:
    if max(counts) > MOST_COUNT:
        raise ValueError(f"a number above {MOST_COUNT}")


def _check_energy(energy_wh: float) -> None:
    if not abs(energy_wh) <= MOST_WH:  # false for NaN, too
        raise ValueError(f"an energy that is not within {MOST_WH:g} Wh")


def _check_ids(*ids: str) -> None:
    if max(map(len, ids)) > MOST_ID:
        raise ValueError(f"an id of more than {MOST_ID} characters")
