"""Bills as rows, one per house: for tables, exports and the results file."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from scenarios.metrics import Bill, CommunityAccount, Settlement, account_of, bills_of, rest_wh
from scenarios.prices import AllocationKey, Community
from scenarios.results.schema import BILLS_TABLE
from scenarios.scenario import Scenario


@dataclass(frozen=True, slots=True)
class BillRow:
    """The bill of a house in one run; amounts in EUR; earnings are negative.

    The lines of a bill are None if the bill is settled without an energy community, by the tariff only.
    """

    house: str
    """The house's id; empty: the sum of all houses."""
    allocation_key: str | None
    """None: minute by minute as negotiated, by the tariff only."""
    consumed_wh: float
    """By jobs and base load."""
    produced_wh: float
    """By the house's own producers."""
    own_wh: float
    """Consumed from the house's own producers."""
    bought_wh: float
    """From other houses."""
    sold_wh: float
    """To other houses."""
    imported_wh: float
    """From the grid."""
    fed_in_wh: float
    """To the grid."""
    import_eur: float | None
    """Cost of energy from the grid."""
    feed_in_eur: float | None
    """Cost of energy fed in; negative at a positive price."""
    local_bought_eur: float | None
    """Paid to other houses."""
    local_sold_eur: float | None
    """Received from other houses; negative at a positive price."""
    grid_fee_eur: float | None
    """Grid fees of energy from the grid."""
    local_grid_fee_eur: float | None
    """Grid fees of energy from other houses."""
    fixed_eur: float | None
    """Fixed fees."""
    vat_eur: float | None
    """Value added tax."""
    with_eur: float
    """The bill with the neighbourhood."""
    without_eur: float
    """The bill of the same consumption at the same times without it."""
    saving_eur: float
    """Bill without the neighbourhood, less the bill with it."""


LINES = tuple(field.name for field in fields(BillRow) if field.name.endswith("_eur"))
"""Names of the amounts, in order."""


def community_with_key(scenario: Scenario, key: AllocationKey) -> Community:
    """Return the scenario's community with another allocation key; without any fees where it has none."""
    community = scenario.community or Community()
    coefficients = community.coefficients if key == "static" else None
    return replace(community, key=key, coefficients=coefficients)


def bill_rows(
    scenario: Scenario,
    settlement: Settlement,
    producer_house: Mapping[str, str],
    community: Community | None = None,
    *,
    bills: Mapping[str, Bill] | None = None,
) -> tuple[BillRow, ...]:
    """Return the bills of a run in the order of the houses; empty if the scenario has no tariff.

    Args:
        scenario: The scenario as the run observed it.
        settlement: The run's settled energy.
        producer_house: The house of each producer, by producer id.
        community: Settle in this way instead of the scenario's.
        bills: What `bills_of` returns for the run, if it has been computed; not used with an energy community.
    """
    account = account_of(scenario, settlement, producer_house, community)
    if account is not None:
        return account_rows(account)
    consumptions_wh = settlement.house_consumed_wh.sum(axis=1)
    produced_wh = dict.fromkeys(settlement.houses, 0.0)
    for i, producer in enumerate(settlement.producers):
        produced_wh[producer_house[producer]] += float(settlement.produced_wh[i].sum())
    rows = []
    for i, (house, bill) in enumerate((bills or bills_of(scenario, settlement, producer_house)).items()):
        consumed_wh = float(consumptions_wh[i])
        rows.append(
            BillRow(
                house=house,
                allocation_key=None,
                consumed_wh=consumed_wh,
                produced_wh=produced_wh[house],
                own_wh=max(0.0, rest_wh(consumed_wh, bill.bought_from_grid_wh + bill.bought_from_neighbours_wh)),
                bought_wh=bill.bought_from_neighbours_wh,
                sold_wh=bill.sold_to_neighbours_wh,
                imported_wh=bill.bought_from_grid_wh,
                fed_in_wh=bill.fed_in_wh,
                **dict.fromkeys(LINES[:-3]),
                with_eur=bill.with_eur,
                without_eur=bill.without_eur,
                saving_eur=bill.saving_eur,
            )
        )
    return tuple(rows)


def account_rows(account: CommunityAccount) -> tuple[BillRow, ...]:
    """Return the bills of a community's account."""
    return tuple(
        BillRow(house=house, allocation_key=account.community.key, **member.as_dict())
        for house, member in account.members.items()
    )


def total_row(rows: Sequence[BillRow]) -> BillRow:
    """Return the sum of bills as a row without a house; amounts are exact to the cent where the bills are in cents.

    Args:
        rows: At least one.
    """
    totals: dict[str, Any] = {}
    for field in fields(BillRow)[2:]:
        values = [getattr(row, field.name) for row in rows]
        totals[field.name] = None if None in values else round(sum(values), 6)
    return BillRow(house="", allocation_key=rows[0].allocation_key, **totals)


def write_bills(connection: sqlite3.Connection, run: int, rows: Sequence[BillRow]) -> None:
    """Write a run's bills.

    Args:
        connection: Open for writing, within a transaction.
        run: Number of the run.
        rows: One per house.

    Raises:
        sqlite3.Error: The rows cannot be written.
    """
    connection.execute(BILLS_TABLE)  # a resumed run may be in a file without this table
    ids = dict(connection.execute("SELECT house, id FROM houses"))
    names = [field.name for field in fields(BillRow)[1:]]
    marks = ", ".join("?" * (len(names) + 2))
    connection.executemany(
        f"INSERT OR REPLACE INTO bills VALUES ({marks})",  # noqa: S608 - made of constants only
        [(run, ids[row.house], *(getattr(row, name) for name in names)) for row in rows],
    )


def read_bills(connection: sqlite3.Connection, run: int) -> tuple[BillRow, ...]:
    """Return a run's bills as the file has them, in the order of the houses; empty if the scenario has no tariff.

    Raises:
        sqlite3.Error: The rows cannot be read.
    """
    names = ", ".join(field.name for field in fields(BillRow)[1:])
    query = f"SELECT house, {names} FROM bills JOIN houses ON id = house_id WHERE run = ? ORDER BY id"  # noqa: S608 - made of constants only
    return tuple(BillRow(*row) for row in connection.execute(query, (run,)))
