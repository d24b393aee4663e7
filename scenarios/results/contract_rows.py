"""The standing contracts of a run with their jobs, and what each supplier gives, in sum and over time."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from agents import GRID, Contract, FloatArray, Job, LedgerEntry
from scenarios.metrics import MINUTE_S, Settlement, fractions_of
from scenarios.results.schema import has_table


@dataclass(frozen=True, slots=True)
class ContractRow:
    """A standing contract with its job and its delivered energy. Times are UNIX seconds."""

    contract_id: str
    job_id: str
    source_id: str
    """The job's id in the input that its scenario was made from."""
    house: str
    device: str
    producer: str
    """`GRID`, `SHARED` or a producer id."""
    producer_house: str | None
    """None for the grid and for several producers."""
    registered_s: int
    """When the job becomes known."""
    earliest_start_s: int
    latest_start_s: int
    start_s: int
    """Start by the contract."""
    end_s: int
    """When the job has run."""
    agreed_s: int
    """When the contract was made."""
    energy_wh: float
    """By the contract; for a job of a real device, as measured."""
    delivered_wh: float
    """Energy that the producer delivered."""
    profile: str
    """Name of the job's load profile."""
    amended: int
    """How often its start was moved."""
    cancelled_before: int
    """Number of cancelled contracts of the same job."""

    shares: tuple[SupplierShare, ...]
    """What each producer gives, in the order of the settlement's producers; the rest is grid power."""

    @property
    def suppliers(self) -> str:
        """The producers that supply it, and the grid if it gives a part: `pv-1 + pv-2 + grid`."""
        return " + ".join(name for name, _ in self.energy_by_supplier)

    @property
    def energy_by_supplier(self) -> tuple[tuple[str, float], ...]:
        """What each producer gives by the contract, Wh, and last what the grid gives, if anything."""
        given = tuple((share.producer, share.contracted_wh) for share in self.shares)
        promised_wh = sum(wh for _, wh in given)
        is_grid_needed = not given or promised_wh < self.energy_wh * (1 - 1e-9)
        return (*given, (GRID, self.energy_wh - promised_wh)) if is_grid_needed else given


@dataclass(frozen=True, slots=True)
class SupplierShare:
    """One producer's part of a job's supply."""

    producer: str
    """Its id."""
    house: str
    """The producer's house."""
    contracted_wh: float
    """Energy that it was to give by the contract."""
    delivered_wh: float
    """The part of it that its production covered."""
    first_s: int
    """Beginning of the first minute in which it gives something, UNIX seconds."""
    last_s: int
    """End of the last one."""


def contract_rows(
    settled: Settlement, ledger: tuple[LedgerEntry, ...], producer_house: dict[str, str]
) -> tuple[ContractRow, ...]:
    """Return the standing contracts with their jobs, ordered by start, then contract id.

    Args:
        settled: The run's settled energy.
        ledger: The run's ledger, including cancelled contracts.
        producer_house: The house of each producer, by producer id.
    """
    entries = {entry.contract.contract_id: entry for entry in ledger}
    cancelled: dict[str, int] = {}
    for entry in ledger:
        if entry.state == "cancelled":
            cancelled[entry.contract.job_id] = cancelled.get(entry.contract.job_id, 0) + 1
    shares = _supplier_shares(settled, producer_house)
    rows = (
        ContractRow(
            contract_id=contract.contract_id,
            job_id=job.job_id,
            source_id=job.source_id,
            house=job.house,
            device=job.device,
            producer=contract.producer,
            producer_house=producer_house.get(contract.producer),
            registered_s=job.registered_s,
            earliest_start_s=job.earliest_start_s,
            latest_start_s=job.latest_start_s,
            start_s=contract.start_s,
            end_s=contract.start_s + job.duration_s,
            agreed_s=contract.agreed_s,
            energy_wh=job.energy_wh,
            delivered_wh=float(delivered_wh),
            profile=job.profile,
            amended=sum(event.what == "amended" for event in entries[contract.contract_id].history),
            cancelled_before=cancelled.get(job.job_id, 0),
            shares=given,
        )
        for job, contract, delivered_wh, given in zip(
            settled.jobs, settled.contracts, settled.job_delivered_wh, shares, strict=True
        )
    )
    return tuple(sorted(rows, key=lambda row: (row.start_s, row.contract_id)))


def _supplier_shares(settled: Settlement, producer_house: Mapping[str, str]) -> list[tuple[SupplierShare, ...]]:
    """Return what each producer gives to each job, in the order of the jobs; see `contract_rows`."""
    given, producers = settled.share_minutes, len(settled.producers)
    pair = given.job * max(1, producers) + given.producer
    pairs, index = np.unique(pair, return_inverse=True)
    contracted_wh = np.bincount(index, weights=given.contracted_wh, minlength=len(pairs))
    delivered_wh = np.bincount(index, weights=given.delivered_wh, minlength=len(pairs))
    first = np.full(len(pairs), settled.minutes, dtype=np.int64)
    last = np.zeros(len(pairs), dtype=np.int64)
    np.minimum.at(first, index, given.minute)
    np.maximum.at(last, index, given.minute + 1)
    shares: list[list[SupplierShare]] = [[] for _ in settled.jobs]
    for i, one in enumerate(pairs.tolist()):
        job, producer = divmod(one, max(1, producers))
        share = SupplierShare(
            settled.producers[producer],
            producer_house[settled.producers[producer]],
            float(contracted_wh[i]),
            float(delivered_wh[i]),
            settled.start_s + MINUTE_S * int(first[i]),
            settled.start_s + MINUTE_S * int(last[i]),
        )
        shares[job].append(share)
    return [tuple(of) for of in shares]


_STANDING = (
    "SELECT c.*, j.*, c.start_s AS begin_s, d.delivered_wh, h.house AS producer_house,"
    " (SELECT COUNT(*) FROM history AS e WHERE e.run = c.run AND e.contract_id = c.contract_id"
    " AND e.what = 'amended') AS amended,"
    " IFNULL(x.cancelled, 0) AS cancelled FROM contracts AS c JOIN jobs AS j USING (job_id)"
    " LEFT JOIN deliveries AS d ON d.run = c.run AND d.contract_id = c.contract_id"
    " LEFT JOIN producers AS p ON p.producer = c.producer LEFT JOIN houses AS h ON h.id = p.house_id"
    " LEFT JOIN (SELECT job_id, COUNT(*) AS cancelled FROM contracts WHERE run = :run AND state = 'cancelled'"
    " GROUP BY job_id) AS x ON x.job_id = c.job_id"
    " WHERE c.run = :run AND c.state = 'standing'"
)
_SHARED_WITH = (
    "SELECT s.contract_id FROM share_deliveries AS s JOIN producers AS q ON q.id = s.producer_id"
    " JOIN houses AS g ON g.id = q.house_id WHERE s.run = :run AND g.house = :house"
)
_SHARES = (
    "SELECT contract_id, producer, house, contracted_wh, s.delivered_wh, first_s, last_s"
    " FROM share_deliveries AS s JOIN producers AS p ON p.id = s.producer_id JOIN houses AS h ON h.id = p.house_id"
    " WHERE run = ? ORDER BY contract_id, s.producer_id"
)


def read_contract_rows(connection: sqlite3.Connection, run: int, house: str | None) -> tuple[ContractRow, ...]:
    """Return the standing contracts of a large run as its file keeps them, by start, then contract id.

    Args:
        connection: Open for reading.
        run: Number of the run.
        house: Only contracts of its jobs and with its producers; None: all.

    Raises:
        sqlite3.Error: The file cannot be read.
    """
    has_shares = has_table(connection, "share_deliveries")
    query = _STANDING
    if house is not None:
        by_share = f" OR c.contract_id IN ({_SHARED_WITH})" if has_shares else ""
        query += f" AND (j.house = :house OR h.house = :house{by_share})"
    found = connection.execute(f"{query} ORDER BY c.start_s, c.contract_id", {"run": run, "house": house}).fetchall()
    shares: dict[str, list[SupplierShare]] = {}
    for contract_id, *share in connection.execute(_SHARES, (run,)).fetchall() if has_shares else ():
        shares.setdefault(contract_id, []).append(SupplierShare(*share))
    return tuple(_kept_row(row, tuple(shares.get(row["contract_id"], ()))) for row in found)


def _kept_row(row: sqlite3.Row, shares: tuple[SupplierShare, ...]) -> ContractRow:
    """Return a contract as the file keeps it; only contracts of several suppliers have shares there."""
    begin_s, end_s = row["begin_s"], row["begin_s"] + row["duration_s"]
    energy_wh, delivered_wh, producer_house = row["energy_wh"], row["delivered_wh"] or 0.0, row["producer_house"]
    if not shares and producer_house is not None:
        first_s, last_s = begin_s // MINUTE_S * MINUTE_S, -(end_s // -MINUTE_S) * MINUTE_S
        shares = (SupplierShare(row["producer"], producer_house, energy_wh, delivered_wh, first_s, last_s),)
    return ContractRow(
        contract_id=row["contract_id"],
        job_id=row["job_id"],
        source_id=row["source_id"],
        house=row["house"],
        device=row["device"],
        producer=row["producer"],
        producer_house=producer_house,
        registered_s=row["registered_s"],
        earliest_start_s=row["earliest_start_s"],
        latest_start_s=row["latest_start_s"],
        start_s=begin_s,
        end_s=end_s,
        agreed_s=row["agreed_s"],
        energy_wh=energy_wh,
        delivered_wh=delivered_wh,
        profile=row["profile"],
        amended=row["amended"],
        cancelled_before=row["cancelled"],
        shares=shares,
    )


SAME_WH_PER_S = 1e-9
"""Powers that differ by no more, Wh per second, are the same in a series of shares."""


@dataclass(frozen=True, slots=True)
class ShareSeries:
    """One supplier's part of a job's contract."""

    producer: str
    """A producer's id, or `GRID`."""
    times_s: tuple[int, ...]
    """Seconds since the job's start, ascending, from 0 to the job's duration, shape (points,)."""
    cumulative_wh: tuple[float, ...]
    """Energy from the start up to each time, Wh; between two points power is constant. Shape (points,)."""

    @property
    def energy_wh(self) -> float:
        """Energy of the supplier's part, Wh."""
        return self.cumulative_wh[-1]

    def as_dict(self) -> dict[str, object]:
        """Return it fit for JSON."""
        points = [list(point) for point in zip(self.times_s, self.cumulative_wh, strict=True)]
        return {"producer": self.producer, "energy_wh": self.energy_wh, "cumulative_wh": points}


def share_series(job: Job, contract: Contract) -> tuple[ShareSeries, ...]:
    """Return the energy from each supplier: producers in the order of their ids, then the grid if it gives anything.

    In each minute the shares add up to what the job draws.

    Args:
        job: The job.
        contract: Its contract.
    """
    phase_s = contract.start_s % MINUTE_S
    minutes = -(-(phase_s + job.duration_s) // MINUTE_S)
    edges_s = np.arange(minutes + 1) * MINUTE_S - phase_s
    edges_s[0], edges_s[-1] = 0, job.duration_s
    drawn_wh = np.diff(job.load_profile.energy_until_wh(edges_s.astype(np.float64)))
    given_wh = {producer: drawn_wh * part for producer, part in sorted(fractions_of(job, contract).items())}
    rest_wh = drawn_wh - sum(given_wh.values(), start=np.zeros(minutes))
    rest_wh[np.abs(rest_wh) <= 1e-9 * np.maximum(drawn_wh, 1.0)] = 0.0
    if rest_wh.any() or not given_wh:
        given_wh[GRID] = rest_wh
    return tuple(_series(producer, edges_s, wh) for producer, wh in given_wh.items() if wh.any() or len(given_wh) == 1)


def _series(
    producer: str, edges_s: np.ndarray[tuple[int, ...], np.dtype[np.int64]], given_wh: FloatArray
) -> ShareSeries:
    """Return a series without the points between which its power stays the same."""
    is_kept = np.ones(len(edges_s), dtype=bool)
    power = (given_wh / np.diff(edges_s)).tolist()
    # Compared with the power at the last point kept, not with the minute before: small steps would add up.
    level = power[0]
    for i, now in enumerate(power[1:], start=1):
        is_kept[i] = abs(now - level) > SAME_WH_PER_S
        if is_kept[i]:
            level = now
    cumulative_wh = np.concatenate([[0.0], np.cumsum(given_wh)])
    return ShareSeries(producer, tuple(edges_s[is_kept].tolist()), tuple(cumulative_wh[is_kept].tolist()))
