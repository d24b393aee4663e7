"""The end of a run in its results file: how it ended, the figures that are computed then, and their rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Literal

import numpy as np

from agents import SHARED, FloatArray, Job, LedgerEntry, ledger_sha256
from scenarios.metrics import Settlement, account_of, bills_of, break_down_energy, compute_kpis, producer_houses, settle
from scenarios.realised_scenario import RealisedScenario
from scenarios.results.bill_rows import account_rows, bill_rows, write_bills
from scenarios.results.connection import now_utc
from scenarios.results.contract_rows import ContractRow, contract_rows
from scenarios.results.large_run_overviews import ShareDelivery, minute_rows, write_overview, write_shares
from scenarios.results.rows import DroppedHost, write_jobs
from scenarios.results.schema import BASE_LOADS_TABLE, DISPUTES_TABLE, DROPPED_HOSTS_TABLE, SCORES_TABLE
from scenarios.results.views import households_of

EndState = Literal["done", "interrupted", "failed"]


@dataclass(frozen=True, slots=True)
class RecordedEnd:
    """How a run ended, as its results file says it."""

    state: EndState
    end_s: int
    """Virtual time reached, UNIX seconds."""
    negotiations: int = 0
    """How often a job went looking for a supplier."""
    wall_s: float | None = None
    """How long it took, wall-clock seconds; None: not known."""
    not_registered: tuple[str, ...] = ()
    """Ids of the jobs for which it ended too early."""
    error: str = ""
    """Why it failed or was interrupted; empty: it did not, or no reason was given."""
    scores: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Score of each producer at the beginning and at the end, by producer id."""
    without: Sequence[DroppedHost] = ()
    """Hosts that it ended without."""
    disputes: Sequence[str] = ()
    """Statements of households that contradict the ledger or each other."""


def end_without_days_s(last_message_s: int, jobs: Iterable[Job], entries: Iterable[LedgerEntry]) -> int:
    """Return when a run without `days` has ended, UNIX seconds: its last job has run, and its last message was sent.

    Timers that follow do not prolong it. How late they are depends on what only the agents themselves know, so a run
    in one process and a deployment would end at different times.

    Args:
        last_message_s: When the last message was sent, UNIX seconds.
        jobs: The jobs of the run.
        entries: Its ledger.
    """
    durations_s = {job.job_id: job.duration_s for job in jobs}
    standing = (entry.contract for entry in entries if entry.state == "standing")
    return max([last_message_s, *(of.start_s + durations_s.get(of.job_id, 0) for of in standing)])


class SettledRun:
    """A run that is over: its energy, settled, and the figures and bills that follow from it."""

    def __init__(
        self,
        realised: RealisedScenario,
        entries: tuple[LedgerEntry, ...],
        start_s: int,
        end_s: int,
        *,
        not_registered: int,
    ) -> None:
        """Settle the energy of a run.

        Args:
            realised: The scenario as the run realised it.
            entries: The complete ledger, including cancelled contracts, by contract id.
            start_s: Start of the run, UNIX seconds.
            end_s: Its end, UNIX seconds.
            not_registered: Number of jobs for which it ended too early.
        """
        scenario = self._scenario = realised.scenario
        self.entries = entries
        self.end_s = end_s
        self._standing = [entry.contract for entry in entries if entry.state == "standing"]
        promises = realised.promises(self._standing)
        settlement = settle(scenario, realised.settled(self._standing), start_s, end_s, promises)
        houses = producer_houses(scenario)
        account = account_of(scenario, settlement, houses)
        bills = bills_of(scenario, settlement, houses, account)
        self._settlement, self._houses, self._account, self._bills = settlement, houses, account, bills
        if account is None:
            self._bill_rows = bill_rows(scenario, settlement, houses, bills=bills)
        else:
            self._bill_rows = account_rows(account)
        self.figures = compute_kpis(
            scenario,
            settlement,
            entries,
            end_s,
            not_registered=not_registered,
            optional=realised.optional,
            bills=bills,
        )
        """The key performance indicators."""

    def write(self, connection: sqlite3.Connection, run: int, most_minute_rows: int) -> None:
        """Write energy, bills and jobs within a transaction.

        Args:
            connection: The results file.
            run: Number of the run.
            most_minute_rows: If the minutes of houses and producers take more rows, an overview takes their place.
        """
        settlement, account = self._settlement, self._account
        if minute_rows(settlement) <= most_minute_rows:
            _write_minutes(connection, run, settlement)
        else:
            energy = break_down_energy(settlement, self._houses)
            contracts = contract_rows(settlement, self.entries, self._houses)
            members = {} if account is None else account.members
            write_overview(connection, run, settlement, households_of(energy, contracts, self._bills), members)
            if any(contract.shares for contract in self._standing):
                write_shares(connection, run, _share_deliveries(contracts))
        write_bills(connection, run, self._bill_rows)
        write_jobs(connection, self._scenario.jobs)


def write_end(
    connection: sqlite3.Connection, run: int, end: RecordedEnd, settled: SettledRun, message_count: int
) -> None:
    """Write how a run ended, and its figures, within a transaction.

    Args:
        connection: The results file.
        run: Number of the run.
        end: How it ended.
        settled: Its ledger and energy.
        message_count: Number of messages between its agents.
    """
    _write_scores(connection, run, end.scores)
    _write_dropped_hosts(connection, run, end.without)
    _write_disputes(connection, run, end.disputes)
    connection.execute(
        "UPDATE runs SET state = ?, reached_s = ?, ledger_sha256 = ?, messages = ?, negotiations = ?,"
        " wall_s = ?, not_registered_json = ?, error = ?, kpis_json = ?, written_utc = ? WHERE run = ?",
        (
            end.state,
            settled.end_s,
            ledger_sha256(settled.entries),
            message_count,
            end.negotiations,
            end.wall_s,
            json.dumps(end.not_registered, ensure_ascii=False),
            end.error,
            json.dumps(settled.figures.as_dict()),
            now_utc(),
            run,
        ),
    )


def _write_minutes(connection: sqlite3.Connection, run: int, settled: Settlement) -> None:
    """Write the energy of each minute, by producer and by house, within a transaction."""
    ids = dict(connection.execute("SELECT producer, id FROM producers"))
    for i, producer in enumerate(settled.producers):
        connection.executemany(
            "INSERT INTO production VALUES (?, ?, ?, ?, ?, ?)",
            _minute_rows(
                run, ids[producer], settled, (settled.produced_wh[i], settled.drawn_wh[i], settled.delivered_wh[i])
            ),
        )
    ids = dict(connection.execute("SELECT house, id FROM houses"))
    for i, house in enumerate(settled.houses):
        connection.executemany(
            "INSERT INTO consumption VALUES (?, ?, ?, ?, ?)",
            _minute_rows(run, ids[house], settled, (settled.house_consumed_wh[i], settled.house_delivered_wh[i])),
        )

    connection.execute(BASE_LOADS_TABLE)  # a resumed run may be in a file without this table
    base = settled.base_load
    if base is None:
        return
    for i, house in enumerate(settled.houses):
        columns = base.consumed_wh[i], base.own_wh[i], base.bought_wh[i]
        connection.executemany(
            "INSERT INTO base_loads VALUES (?, ?, ?, ?, ?, ?)", _minute_rows(run, ids[house], settled, columns)
        )


def _minute_rows(
    run: int, owner_id: int, settled: Settlement, columns: tuple[FloatArray, ...]
) -> Iterator[tuple[int | float, ...]]:
    """Return rows of run, owner, minute and columns for the minutes in which a column is not zero."""
    minutes = np.flatnonzero(np.any(np.stack(columns) != 0.0, axis=0))
    times_s = settled.times_s[minutes].tolist()
    values = [column[minutes].tolist() for column in columns]
    return zip(repeat(run), repeat(owner_id), times_s, *values, strict=False)


def _write_scores(connection: sqlite3.Connection, run: int, scores: Mapping[str, tuple[int, int]]) -> None:
    """Write the score of each producer at the beginning and at the end, by id, within a transaction."""
    connection.execute(SCORES_TABLE)  # a resumed run may be in a file without this table
    ids = dict(connection.execute("SELECT producer, id FROM producers"))
    connection.executemany(
        "INSERT OR REPLACE INTO scores VALUES (?, ?, ?, ?)",
        [(run, ids[producer], *of) for producer, of in scores.items() if producer in ids],
    )


def _write_dropped_hosts(connection: sqlite3.Connection, run: int, without: Sequence[DroppedHost]) -> None:
    """Write the hosts that a run ended without, within a transaction."""
    connection.execute(DROPPED_HOSTS_TABLE)  # as for scores
    connection.executemany(
        "INSERT OR REPLACE INTO dropped_hosts VALUES (?, ?, ?, ?)",
        [(run, dropped.host, dropped.why, dropped.is_quarantined) for dropped in without],
    )


def _write_disputes(connection: sqlite3.Connection, run: int, disputes: Sequence[str]) -> None:
    """Write where households contradict the ledger or each other, within a transaction."""
    if not disputes:
        return
    connection.execute(DISPUTES_TABLE)
    connection.executemany(
        "INSERT OR REPLACE INTO disputes VALUES (?, ?, ?)",
        [(run, n, what) for n, what in enumerate(disputes, start=1)],
    )


def _share_deliveries(contracts: Iterable[ContractRow]) -> Iterator[ShareDelivery]:
    """Yield what each producer gave to the contracts that several supply."""
    for row in contracts:
        if row.producer == SHARED:
            for share in row.shares:
                of = share.contracted_wh, share.delivered_wh, share.first_s, share.last_s
                yield (row.contract_id, share.producer, *of)
