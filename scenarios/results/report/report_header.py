"""The header of each run in a report, and the zone's offsets from UTC; the same for large and for small runs."""

from __future__ import annotations

from typing import Any

from scenarios.metrics import Kpis
from scenarios.results.rows import RunInfo
from scenarios.zone import Zone


def run_header(info: RunInfo, start_s: int, covered_share: float, kpis: Kpis) -> dict[str, Any]:
    """Return the keys of a run that the page's script reads in either form of report.

    Args:
        info: The run as its row in the results file says.
        start_s: Start of the scenario, UNIX seconds; the page counts its times from there.
        covered_share: Share of the run that its figures cover, 0 to 1.
        kpis: Its figures.
    """
    return {
        "run": info.run,
        "id": info.run_id,
        "seed": info.seed,
        "state": info.state,
        "covered": round(covered_share, 4),
        "error": info.error,
        "without": [[dropped.host, dropped.why, dropped.is_quarantined] for dropped in info.without],
        "disputes": list(info.disputes),
        "start": info.start_s - start_s,
        "end": info.end_s - start_s,
        "sha": info.ledger_sha256,
        "messages": info.messages,
        "negotiations": info.negotiations,
        "wall_s": info.wall_s,
        "comparison": info.comparison,
        "missing": list(info.not_registered),
        "kpis": {name: None if value is None else round(value, 6) for name, value in kpis.as_dict().items()},
    }


def utc_offsets(zone: Zone, start_s: int, end_s: int) -> list[tuple[int, int]]:
    """Return the zone's offsets from UTC between two times, seconds, each with the time from which it holds."""
    found: list[tuple[int, int]] = []
    quarter_s = 900  # clocks change at whole quarters of an hour
    later_s = range((start_s // quarter_s + 1) * quarter_s, end_s + 1, quarter_s) if zone.key else ()
    for time_s in (start_s, *later_s):
        offset = zone.at(time_s).utcoffset()
        offset_s = 0 if offset is None else int(offset.total_seconds())
        if not found or found[-1][1] != offset_s:
            found.append((time_s, offset_s))
    return found
