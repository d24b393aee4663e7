"""The parts of a report that are the same for large and for small runs: headers, jobs and bills."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from agents import Job
from scenarios.metrics import Kpis
from scenarios.results.bill_rows import LINES, BillRow
from scenarios.results.contract_rows import ContractRow
from scenarios.results.reader import ResultsReader
from scenarios.results.rows import RunInfo
from scenarios.zone import Zone


def page_header(
    results: ResultsReader,
    description: str,
    job_count: int,
    zone: Zone,
    span_s: tuple[int, int],
    interval_s: int,
    *,
    utc: bool,
) -> dict[str, Any]:
    """Return the keys of a report by which the page's script knows its simulation, and its times.

    Args:
        results: The results file.
        description: That of the scenario.
        job_count: Jobs of the scenario.
        zone: In which times are shown.
        span_s: Start and end of the times that the report covers, UNIX seconds.
        interval_s: Interval over which powers are averaged, seconds.
        utc: Whether times are in UTC at first.
    """
    info, (start_s, end_s) = results.info, span_s
    return {
        "scenario": info.scenario,
        "description": description,
        "algorithm": info.algorithm_and_supply,
        "broker": info.broker,
        "hosts": info.hosts,
        "settings": info.settings,
        "versions": info.versions,
        "created": re.sub(r"\.\d+", "", info.created_utc),
        "file": results.path.name,
        "planned": len(info.seeds),
        "offsets": zone.utc_offsets(start_s, end_s),
        "zone": zone.name,
        "knows_offset": results.knows_offset,
        "utc": utc,
        "start": start_s,
        "interval": interval_s,
        "job_count": job_count,
        "intervals": -(-(end_s - start_s) // interval_s),
    }


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


def job_row(
    job: Job | ContractRow, duration_s: int, start_s: int, houses: Mapping[str, int], number_of: Callable[[str], int]
) -> list[Any]:
    """Return the row of a job.

    Args:
        job: The job, or its contract.
        duration_s: How long it runs, seconds.
        start_s: Start of the times that the report covers, UNIX seconds.
        houses: The number of each house, by its id.
        number_of: Returns the number of a text that recurs.
    """
    return [
        job.job_id,
        job.source_id,
        houses[job.house],
        number_of(job.device),
        number_of(job.profile),
        job.registered_s - start_s,
        job.earliest_start_s - start_s,
        job.latest_start_s - start_s,
        duration_s,
        round(job.energy_wh, 3),
    ]


def bill_row(bill: BillRow) -> list[float]:
    """Return the bill with and without the neighbourhood, then the lines of the bill where they are known, EUR."""
    lines = [getattr(bill, name) for name in LINES[:-3]]
    return [round(eur, 4) for eur in (bill.with_eur, bill.without_eur, *(eur for eur in lines if eur is not None))]
