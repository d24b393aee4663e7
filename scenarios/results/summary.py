"""Summary of a simulation as one JSON object: the output of `ssmic run --json` and of `export --format json`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from agents import Job, LedgerEntry
from scenarios.events import action_in_words
from scenarios.metrics import (
    DEFAULT_INTERVAL_S,
    account_of,
    bills_of,
    compute_kpis,
    statistics_by_figure,
)
from scenarios.results.contract_rows import share_series
from scenarios.results.reader import ResultsReader
from scenarios.results.rows import RunInfo
from scenarios.results.views import load_run


def simulation_json(
    results: ResultsReader, interval_s: int = DEFAULT_INTERVAL_S, *, brief: bool = False
) -> dict[str, Any]:
    """Return all runs with their figures and standing contracts; times are UNIX seconds.

    Figures of a run that is not `complete` cover `covered_share` of its planned time and are excluded from
    `statistics`.

    Args:
        results: An open results file.
        interval_s: Interval over which powers are averaged, seconds, whole minutes.
        brief: Whether large runs are listed with their figures only, without contracts and without settling them again.
    """
    info = results.info
    runs = [
        _brief(results, run, interval_s) if brief and results.is_large(run.run) else run_json(results, run, interval_s)
        for run in results.runs()
    ]
    statistics = statistics_by_figure([run["kpis"] for run in runs], [run["complete"] for run in runs])
    return {
        "scenario": info.scenario,
        "algorithm": info.algorithm,
        "supply": info.supply,
        "broker": info.broker,
        "results_file": str(results.path),
        "settings": info.settings,
        "hosts": info.hosts,
        "versions": info.versions,
        "created": info.created_utc,
        "utc_offset_s": results.zone.offset_s,
        "runs": runs,
        "statistics": {name: asdict(of) for name, of in statistics.items()},
    }


def run_json(results: ResultsReader, run: RunInfo, interval_s: int = DEFAULT_INTERVAL_S) -> dict[str, Any]:
    """Return one run with its figures, its standing contracts, and what it was compared with.

    Args:
        results: An open results file.
        run: The run.
        interval_s: Interval over which powers are averaged, seconds, whole minutes.
    """
    realised, loaded = results.realised(run.run), load_run(results, run.run)
    scenario = realised.scenario
    settled, ledger, breakdown = loaded.settlement, loaded.ledger, loaded.breakdown
    account = account_of(scenario, settled, loaded.producer_houses)
    billed = bills_of(scenario, settled, loaded.producer_houses, account)
    figures = compute_kpis(
        scenario,
        settled,
        ledger,
        run.end_s,
        not_registered=len(run.not_registered),
        optional=realised.optional,
        interval_s=interval_s,
        bills=billed,
    )
    jobs = {job.job_id: job for job in scenario.jobs}
    empty_places = results.empty_places(run.run)
    return {
        **_header(results, run),
        "kpis": figures.as_dict(),
        **run.comparison,
        "contracts": [
            contract_json(entry, jobs[entry.contract.job_id], with_shares=results.info.supply == "shared")
            for entry in ledger
            if _stands(entry)
        ],
        "not_registered": list(run.not_registered),
        "expectations": list(results.verdicts(run.run)),
        "events": [
            {"n": one.n, "time": one.at_s, "do": one.action.do, "what": action_in_words(one.action)}
            for one in results.run_events(run.run)
        ],
        "by_house": {house: asdict(of) for house, of in breakdown.by_house.items()},
        "by_device": [
            {"house": house, "device": device, **asdict(of)} for (house, device), of in breakdown.by_device.items()
        ],
        "by_producer": {
            producer: asdict(of) for producer, of in breakdown.by_producer.items() if producer not in empty_places
        },
        "by_hour": [asdict(hour) for hour in breakdown.by_hour],
        "bills": {house: {**asdict(bill), "saving_eur": bill.saving_eur} for house, bill in billed.items()},
        "community": None if account is None else account.as_dict(),
    }


def _header(results: ResultsReader, run: RunInfo) -> dict[str, Any]:
    """Return a run without its contracts."""
    return {
        "run": run.run,
        "run_id": run.run_id,
        "seed": run.seed,
        "state": run.state,
        "without": [dropped.host for dropped in run.without],
        "dropped": {dropped.host: dropped.why for dropped in run.without if not dropped.is_quarantined},
        "quarantined": {dropped.host: dropped.why for dropped in run.without if dropped.is_quarantined},
        **({"disputes": list(run.disputes)} if run.disputes else {}),
        "complete": run.is_complete,
        "covered_share": results.covered_share(run),
        "start": run.start_s,
        "end": run.end_s,
        "ledger_sha256": run.ledger_sha256,
        "messages": run.messages,
        "negotiations": run.negotiations,
        "wall_s": run.wall_s,
        "error": run.error,
    }


def _brief(results: ResultsReader, run: RunInfo, interval_s: int) -> dict[str, Any]:
    """Return a large run with its figures only; of its producers, all together."""
    figures = results.kpis(run.run, interval_s)
    panels = {"delivered_wh": figures.delivered_wh, "base_load_wh": figures.base_load_local_wh}
    return {
        **_header(results, run),
        "kpis": figures.as_dict(),
        **run.comparison,
        "contracts": [],
        "contract_count": figures.jobs,
        "not_registered": list(run.not_registered),
        "expectations": list(results.verdicts(run.run)),
        "by_producer": {"panels": panels},
    }


def contract_json(entry: LedgerEntry, job: Job, *, with_shares: bool) -> dict[str, Any]:
    """Return a contract with its job; times are UNIX seconds.

    Args:
        entry: The contract.
        job: Its job.
        with_shares: Whether to say what each supplier gives, the grid among them.
    """
    contract = entry.contract
    shares = [series.as_dict() for series in share_series(job, contract)] if with_shares else []
    return {
        "contract_id": contract.contract_id,
        "job_id": job.job_id,
        "source_id": job.source_id,
        "house": job.house,
        "device": job.device,
        "producer": contract.producer,
        "registered": job.registered_s,
        "earliest_start": job.earliest_start_s,
        "latest_start": job.latest_start_s,
        "start": contract.start_s,
        "agreed": contract.agreed_s,
        "energy_wh": contract.energy_wh,
        "profile": job.profile,
        **({"shares": shares} if with_shares else {}),
    }


def _stands(entry: LedgerEntry) -> bool:
    return entry.state == "standing"
