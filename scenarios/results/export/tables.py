"""The tables that are exported: their columns, and their rows one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Literal, get_type_hints

import numpy as np

from agents.energy import FloatArray
from scenarios.accounting import Account
from scenarios.kpis.run import Kpis
from scenarios.results.reader import ResultsReader

Value = str | int | float | None
Row = tuple[Value, ...]
Kind = Literal["text", "int", "float", "instant"]
"""An `instant` is in UNIX seconds, its name ends in `_s`; an ISO 8601 column ending in `_utc` is written beside it."""


@dataclass(frozen=True, slots=True)
class Column:
    """Its name says the unit."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Table:
    """One file of an export."""

    name: str
    columns: tuple[Column, ...]
    rows: Callable[[], Iterator[Row]]
    """Reads them anew, one by one."""


def tables(results: ResultsReader) -> tuple[Table, ...]:
    """Return all tables of a simulation."""
    return (
        Table("runs", RUNS, lambda: _runs(results)),
        Table("kpis", KPIS, lambda: _kpis(results)),
        Table("contracts", CONTRACTS, lambda: _contracts(results)),
        Table("history", HISTORY, lambda: _history(results)),
        Table("messages", MESSAGES, lambda: _messages(results)),
        Table("minutes", MINUTES, lambda: _minutes(results)),
        Table("production", PRODUCTION, lambda: _production(results)),
        Table("consumption", CONSUMPTION, lambda: _consumption(results)),
    )


def _columns(**kinds: Kind) -> tuple[Column, ...]:
    return tuple(Column(name, kind) for name, kind in kinds.items())


def _kpi_columns() -> tuple[Column, ...]:
    hints = get_type_hints(Kpis)
    return tuple(Column(field.name, "int" if hints[field.name] is int else "float") for field in fields(Kpis))


RUNS = _columns(
    run="int",
    run_id="text",
    seed="int",
    state="text",
    start_s="instant",
    end_s="instant",
    ledger_sha256="text",
    messages="int",
    negotiations="int",
    wall_s="float",
    not_registered="int",
    error="text",
    covered_share="float",
)
KPIS = (*_columns(run="int", seed="int"), *_kpi_columns(), *_columns(state="text", covered_share="float"))
CONTRACTS = _columns(
    run="int",
    contract_id="text",
    job_id="text",
    source_id="text",
    house="text",
    device="text",
    producer="text",
    state="text",
    registered_s="instant",
    earliest_start_s="instant",
    latest_start_s="instant",
    start_s="instant",
    agreed_s="instant",
    energy_wh="float",
    delivered_wh="float",
    profile="text",
)
HISTORY = _columns(
    run="int", contract_id="text", n="int", at_s="instant", what="text", start_s="instant", reason="text"
)
MESSAGES = _columns(
    run="int",
    n="int",
    time_s="instant",
    round="int",
    sender="text",
    seq="int",
    recipient="text",
    kind="text",
    job_id="text",
    body="text",
)
MINUTES = _columns(
    run="int",
    minute_s="instant",
    produced_wh="float",
    consumed_wh="float",
    contracted_wh="float",
    delivered_wh="float",
    grid_wh="float",
    export_wh="float",
)
PRODUCTION = _columns(
    run="int",
    producer="text",
    minute_s="instant",
    produced_wh="float",
    contracted_wh="float",
    delivered_wh="float",
)
CONSUMPTION = _columns(run="int", house="text", minute_s="instant", consumed_wh="float", delivered_wh="float")


def _runs(results: ResultsReader) -> Iterator[Row]:
    for run in results.runs():
        yield (
            run.run,
            run.run_id,
            run.seed,
            run.state,
            run.start_s,
            run.end_s,
            run.ledger_sha256,
            run.messages,
            run.negotiations,
            run.wall_s,
            len(run.not_registered),
            run.error,
            results.covered_share(run),
        )


def _kpis(results: ResultsReader) -> Iterator[Row]:
    for run in results.runs():
        figures = results.kpis(run.run).as_dict().values()
        yield run.run, run.seed, *figures, run.state, results.covered_share(run)


def _contracts(results: ResultsReader) -> Iterator[Row]:
    jobs = {job.job_id: job for job in results.scenario.jobs}
    for run in results.runs():
        settled = results.account(run.run)
        covered_wh = dict(
            zip((c.contract_id for c in settled.contracts), settled.job_delivered_wh.tolist(), strict=True)
        )
        for entry in results.ledger(run.run):
            contract = entry.contract
            job = jobs.get(contract.job_id)
            yield (
                run.run,
                contract.contract_id,
                contract.job_id,
                *((job.source_id, job.house, job.device) if job else (None, None, None)),
                contract.producer,
                entry.state,
                *((job.registered_s, job.earliest_start_s, job.latest_start_s) if job else (None, None, None)),
                contract.start_s,
                contract.agreed_s,
                contract.energy_wh,
                covered_wh.get(contract.contract_id, 0.0),
                job.profile if job else None,
            )


def _history(results: ResultsReader) -> Iterator[Row]:
    for run in results.runs():
        for entry in results.ledger(run.run):
            for n, event in enumerate(entry.history, start=1):
                yield run.run, entry.contract.contract_id, n, event.at_s, event.what, event.start_s, event.reason


def _messages(results: ResultsReader) -> Iterator[Row]:
    for run in results.runs():
        for m in results.messages(run.run):
            body = json.dumps(m.body, ensure_ascii=False, separators=(",", ":"))
            yield run.run, m.n, m.time_s, m.round, m.sender, m.seq, m.recipient, m.kind, m.job_id, body


def _minutes(results: ResultsReader) -> Iterator[Row]:
    for run in results.runs():
        settled = results.account(run.run)
        columns = (
            settled.produced_wh.sum(axis=0),
            settled.consumed_wh,
            settled.drawn_wh.sum(axis=0),
            settled.delivered_wh.sum(axis=0),
            settled.grid_wh,
            settled.export_wh.sum(axis=0),
        )
        for row in zip(settled.times_s.tolist(), *(column.tolist() for column in columns), strict=True):
            yield (run.run, *row)


def _production(results: ResultsReader) -> Iterator[Row]:
    for run in results.runs():
        settled = results.account(run.run)
        for i, producer in enumerate(settled.producers):
            columns = settled.produced_wh[i], settled.drawn_wh[i], settled.delivered_wh[i]
            for row in _where_anything_is(settled, columns):
                yield (run.run, producer, *row)


def _consumption(results: ResultsReader) -> Iterator[Row]:
    for run in results.runs():
        settled = results.account(run.run)
        for i, house in enumerate(settled.houses):
            for row in _where_anything_is(settled, (settled.house_consumed_wh[i], settled.house_delivered_wh[i])):
                yield (run.run, house, *row)


def _where_anything_is(settled: Account, columns: tuple[FloatArray, ...]) -> Iterator[Row]:
    """Return rows of minute and columns, without the minutes in which all of them are zero."""
    minutes = np.flatnonzero(np.any(np.stack(columns) != 0.0, axis=0))
    return zip(settled.times_s[minutes].tolist(), *(column[minutes].tolist() for column in columns), strict=True)
