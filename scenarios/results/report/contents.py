"""Content of a report as compact JSON, which the page aggregates by run, household and producer.

Every contract carries its power over the intervals, so any total on the page is a sum over contracts. Recurring texts
are listed once and referred to by number. Headers, jobs and bills are those of a report of large runs too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from agents import Job
from scenarios.metrics import (
    MINUTE_S,
    Kpis,
    SampleStatistics,
    Settlement,
    compute_kpis,
    figures_json,
    mean_power_w,
    peak_to_average,
    settle,
    statistics_by_figure,
)
from scenarios.monitor import shown_agent
from scenarios.prices import TariffChange, prices_in_words
from scenarios.results.bill_rows import LINES, BillRow, bill_rows
from scenarios.results.contract_rows import ContractRow
from scenarios.results.kept_messages import RecordedMessage
from scenarios.results.reader import ResultsReader
from scenarios.results.rows import RunInfo
from scenarios.results.views import RunResults, load_run
from scenarios.scenario import Scenario
from scenarios.zone import Zone

PEAK_INTERVALS_S = (60, 300, 900, 1800, 3600)
LONGEST_NOTE = 160


@dataclass(frozen=True, slots=True)
class ReportLimits:
    """Size limits that keep a page quick to open; beyond them details are left out, never figures."""

    contracts: int = 20_000
    """Of all runs together."""
    messages: int = 15_000
    """Of all runs together; also the maximum for the first run."""
    powers: int = 500_000
    """Number of production values of all producers together."""


def whole_contents(
    results: ResultsReader, infos: tuple[RunInfo, ...], interval_s: int, limits: ReportLimits, *, utc: bool
) -> dict[str, Any]:
    """Return the content of a report with the jobs and messages of its runs; see `report_contents`.

    Args:
        results: An open results file.
        infos: Its runs.
        interval_s: Interval over which powers are averaged, seconds.
        limits: Limits of its size.
        utc: Whether times are in UTC at first.
    """
    return _Contents(results, infos, interval_s, limits, utc=utc).build()


def _with_all_jobs(results: ResultsReader) -> Scenario:
    """Return the scenario with the jobs of all runs."""
    runs = [info.run for info in results.runs()]
    if not runs:
        return results.scenario
    scenario = results.scenario_of(runs[0])
    # Real devices take part in a single run, and events with a time add the same jobs to all; others may not occur.
    if any(event.at_s is None for event in scenario.timeline):
        jobs = {job.job_id: job for run in reversed(runs) for job in results.scenario_of(run).jobs}
        return replace(scenario, jobs=tuple(sorted(jobs.values(), key=lambda job: (job.registered_s, job.job_id))))
    return scenario


class _Contents:
    """Collects runs and the texts that they share."""

    def __init__(
        self, results: ResultsReader, infos: tuple[RunInfo, ...], interval_s: int, limits: ReportLimits, *, utc: bool
    ) -> None:
        self._results = results
        self._utc = utc
        self._scenario = _with_all_jobs(results)
        self._infos = infos
        self._interval_s = interval_s
        self._texts: dict[str, int] = {}
        self._jobs = {job.job_id: i for i, job in enumerate(self._scenario.jobs)}
        self._houses = {house.id: i for i, house in enumerate(self._scenario.houses)}
        self._start_s = self._end_s = 0
        self._priced: list[tuple[int, int, Sequence[TariffChange]]] = []
        self._contracts_left = limits.contracts
        self._messages_left = limits.messages
        self._powers = limits.powers

    def build(self) -> dict[str, Any]:
        self._start_s = min(info.start_s for info in self._infos) // MINUTE_S * MINUTE_S
        figures, runs = [], []
        for each in self._infos:  # one at a time: all minutes of all runs would not fit in memory
            loaded = load_run(self._results, each.run)
            self._end_s = max(self._end_s, loaded.settlement.end_s)
            self._priced.append((loaded.settlement.start_s, loaded.settlement.end_s, loaded.tariff_changes))
            figures.append(self._kpis(loaded))
            runs.append(self._run(loaded, figures[-1]))
        # Production continues after a run's last job: show it over the time that any run covers.
        production = settle(self._scenario, (), self._start_s, self._end_s)
        header = page_header(
            self._results,
            self._scenario.description,
            len(self._scenario.jobs),
            self._scenario.zone,
            (self._start_s, self._end_s),
            self._interval_s,
            utc=self._utc,
        )
        return {
            **header,
            "houses": [[house.id, house.name] for house in self._scenario.houses],
            "producers": self._producers(production),
            "production_step": self._production_step(production),
            "jobs": self._job_rows() if any(run["contracts"] is not None for run in runs) else [],
            "figures": figures_json(self._interval_s),
            "spread": {name: asdict(of) for name, of in self._statistics(figures).items()},
            "tariff": self._tariff(),
            "community": self._community(),
            "runs": runs,
            "texts": list(self._texts),
        }

    def _tariff(self) -> dict[str, str] | None:
        """Return the prices of all runs in words, ct/kWh."""
        tariff = self._scenario.tariff
        return None if tariff is None else prices_in_words(tariff, self._priced, self._scenario.zone)

    def _community(self) -> dict[str, Any] | None:
        community = self._scenario.community
        if community is None or self._scenario.tariff is None:
            return None
        return {"key": community.key, "minutes": community.interval_s // MINUTE_S}

    def _statistics(self, figures: list[Kpis]) -> dict[str, SampleStatistics]:
        return statistics_by_figure([of.as_dict() for of in figures], [info.is_complete for info in self._infos])

    def _job_rows(self) -> list[list[Any]]:
        return [job_row(job, job.duration_s, self._start_s, self._houses, self._text) for job in self._scenario.jobs]

    def _text(self, text: str) -> int:
        return self._texts.setdefault(text, len(self._texts))

    def _kpis(self, run: RunResults) -> Kpis:
        missing = len(run.run.not_registered)
        end_s, interval_s = run.run.end_s, self._interval_s
        realised = self._results.realised(run.run.run)
        return compute_kpis(
            realised.scenario,
            run.settlement,
            run.ledger,
            end_s,
            not_registered=missing,
            optional=realised.optional,
            interval_s=interval_s,
        )

    def _production_step(self, production: Settlement) -> int:
        """Return how many intervals one production value covers: a long run with many panels would fill the page."""
        intervals = -(-(self._end_s - self._start_s) // self._interval_s)
        return max(1, -(-intervals * len(production.producers) // self._powers))

    def _producers(self, production: Settlement) -> list[list[Any]]:
        step_s = self._interval_s * self._production_step(production)
        house_of = {d.id: house.id for house in self._scenario.houses for d in house.devices if d.type == "producer"}
        return [
            [producer, self._houses[house_of[producer]], _rounded(mean_power_w(production.produced_wh[i], step_s))]
            for i, producer in enumerate(production.producers)
        ]

    def _run(self, run: RunResults, figures: Kpis) -> dict[str, Any]:
        info = run.run
        detailed = len(run.contracts) <= self._contracts_left
        if detailed:
            self._contracts_left -= len(run.contracts)
        said = self._said(info) if detailed else None
        return {
            **run_header(info, self._start_s, self._results.covered_share(info), figures),
            "houses": self._house_rows(run),
            "produced": [round(of.produced_wh, 3) for of in run.breakdown.by_producer.values()],
            "peaks": _peaks(run.settlement),
            "base": self._base(run.settlement),
            "given": None
            if run.settlement.base_load is None
            else [
                [round(of.base_load_wh - of.base_load_sold_wh, 3), round(of.base_load_sold_wh, 3)]
                for of in run.breakdown.by_producer.values()
            ],
            "contracts": self._contract_rows(run) if detailed else None,
            "history": self._history(run) if detailed else None,
            "said": said,
            "more_was_said": said is not None and self._messages_left == 0,
        }

    def _house_rows(self, run: RunResults) -> list[list[float | int | None]]:
        scenario = replace(self._scenario, tariff_changes=run.tariff_changes)
        billed = {row.house: row for row in bill_rows(scenario, run.settlement, run.producer_houses)}
        rows: list[list[float | int | None]] = []
        for house, breakdown in run.breakdown.by_house.items():
            energies = [breakdown.consumed_wh, breakdown.own_wh, breakdown.neighbours_wh, breakdown.grid_wh]
            money = bill_row(billed[house]) if billed else []
            rows.append([*(round(wh, 3) for wh in energies), breakdown.jobs, *money])
        return rows

    def _base(self, settled: Settlement) -> dict[str, Any] | None:
        """Return the power of base loads, W, local and from the grid, by interval: of all houses, and of each.

        Houses are left out where there are too many values for a page.
        """
        base = settled.base_load
        if base is None:
            return None
        local_wh = base.own_wh + base.bought_wh
        grid_wh = np.maximum(base.consumed_wh - local_wh, 0.0)
        interval_s = self._interval_s
        shift = (settled.start_s - self._start_s) % interval_s // MINUTE_S
        pad = np.zeros((len(settled.houses), shift))
        local_wh, grid_wh = np.hstack([pad, local_wh]), np.hstack([pad, grid_wh])
        size = 2 * len(settled.houses) * -(-local_wh.shape[1] * MINUTE_S // interval_s)
        each = [
            [_rounded(mean_power_w(local_wh[i], interval_s)), _rounded(mean_power_w(grid_wh[i], interval_s))]
            for i in range(len(settled.houses))
        ]
        return {
            "first": (settled.start_s - self._start_s) // interval_s,
            "all": [_rounded(mean_power_w(of.sum(axis=0), interval_s)) for of in (local_wh, grid_wh)],
            "houses": each if size <= self._powers else None,
        }

    def _contract_rows(self, run: RunResults) -> list[list[Any]]:
        """Return contracts with their power, W: the first interval, then local and grid power by interval."""
        settled = run.settlement
        minutes = settled.job_minutes
        width_s = self._interval_s
        interval = (settled.start_s - self._start_s + MINUTE_S * minutes.minute) // width_s
        starts = np.searchsorted(minutes.job, np.arange(len(settled.jobs) + 1))
        index = {contract.contract_id: i for i, contract in enumerate(settled.contracts)}
        producers = {producer: i for i, producer in enumerate(settled.producers)}
        rows = []
        for row in run.contracts:
            part = slice(starts[index[row.contract_id]], starts[index[row.contract_id] + 1])
            first = int(interval[part][0])
            place = interval[part] - first
            local_wh = np.bincount(place, weights=minutes.delivered_wh[part])
            all_wh = np.bincount(place, weights=minutes.consumed_wh[part])
            rows.append(
                [
                    row.contract_id,
                    self._jobs[row.job_id],
                    producers.get(row.producer, -1),
                    row.start_s - self._start_s,
                    row.agreed_s - self._start_s,
                    round(row.delivered_wh, 3),
                    row.amended,
                    row.cancelled_before,
                    first,
                    _rounded(local_wh * (3600 / width_s)),
                    _rounded((all_wh - local_wh) * (3600 / width_s)),
                    [
                        [producers[share.producer], round(share.contracted_wh, 3), round(share.delivered_wh, 3)]
                        for share in row.shares
                    ],
                ]
            )
        return rows

    def _history(self, run: RunResults) -> list[list[Any]]:
        """Return the events of contracts in the order of time."""
        events = [
            [
                event.at_s - self._start_s,
                self._jobs[entry.contract.job_id],
                self._text(event.what),
                self._text(" + ".join(entry.suppliers_after(event))),
                event.start_s - self._start_s,
                self._text(event.reason),
            ]
            for entry in run.ledger
            for event in entry.history
            if entry.contract.job_id in self._jobs
        ]
        return sorted(events, key=lambda event: event[:2])

    def _said(self, info: RunInfo) -> list[list[int]] | None:
        """Return the messages about jobs; None if they would make the page too large."""
        if info.messages > self._messages_left and info != self._infos[0]:
            return None
        said = [
            [
                message.time_s - self._start_s,
                message.round,
                self._text(shown_agent(message.sender)),
                self._text(shown_agent(message.recipient)),
                self._text(message.kind),
                self._jobs[message.job_id],
                self._text(self._note(message)),
            ]
            for message in self._results.messages(info.run, limit=self._messages_left)
            if message.job_id in self._jobs
        ]
        self._messages_left -= len(said)
        return said

    def _note(self, message: RecordedMessage) -> str:
        """Return the content of a message beyond its kind and job."""
        body = message.body
        reason = body.get("reason")
        if isinstance(body.get("contract"), dict):
            said = f"with {body['contract'].get('producer', '?')}"
            return _shortened(f"{said}: {reason}" if reason else said)
        if isinstance(reason, str) and reason:
            return _shortened(reason)
        if isinstance(body.get("producers"), list):
            return _shortened(", ".join(map(str, body["producers"])) or "no producer left to ask")
        if isinstance(body.get("producer"), str):
            return _shortened(f"by {body['producer']}")
        start_s = body.get("start_s")
        # Between marks, as only the page knows at which offset it shows times.
        return f"start \ue000{start_s}\ue001" if isinstance(start_s, int) else ""


def _peaks(settled: Settlement) -> list[list[float | None]]:
    """Return peak and peak-to-average ratio of consumption, then of production, for each of `PEAK_INTERVALS_S`."""
    rows: list[list[float | None]] = []
    for interval_s in PEAK_INTERVALS_S:
        row: list[float | None] = [interval_s]
        for energy_wh in (settled.consumed_wh, settled.produced_wh.sum(axis=0)):
            ratio = peak_to_average(energy_wh, interval_s)
            row += [
                round(float(mean_power_w(energy_wh, interval_s).max()), 1),
                None if ratio is None else round(ratio, 4),
            ]
        rows.append(row)
    return rows


def _rounded(power_w: npt.NDArray[np.floating[Any]]) -> list[int]:
    return [int(power) for power in np.rint(power_w)]


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_NOTE else f"{text[: LONGEST_NOTE - 1]}…"


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
