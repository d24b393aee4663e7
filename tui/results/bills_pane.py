"""The *Bills* of all households with and without the neighbourhood, and what is saved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Select, Static

from scenarios.metrics import ALLOCATION_KEYS
from scenarios.results import BillRow, ResultsReader, community_with_key, total_row
from tui.formatting import column_kwh, unfinished
from tui.results.pane_parts import READING
from tui.shell import ErrorBoundary
from tui.widgets import Cell, CellTable, Column, PlainText

ALL = "all households"
_AS_SCENARIO = "from scenario"
_MEANINGS = {
    "static": "fixed shares of all production",
    "proportional": "in proportion to consumption",
    "hierarchical": "own roof first, then neighbours",
    "negotiated": "as delivered under contracts, then from a house's own surplus",
}
_BY_CONTRACT = "by contract and minute, then from a house's own surplus"


@dataclass(frozen=True, slots=True)
class BillsSheet:
    """The bills of a run, with their sum first."""

    rows: tuple[BillRow, ...]
    """Empty without a tariff."""
    said: str


def bills_sheet(results: ResultsReader, run: int, key: str | None) -> BillsSheet:
    """Read the bills of a run.

    Args:
        results: The simulation.
        run: The run's number, from 1.
        key: Settle by this allocation key; None: as the scenario says.

    Raises:
        ResultsError: The results file cannot be read.
    """
    if key is None and results.minutes(run) is not None:
        return _kept_bills(results, run)
    scenario = results.scenario
    known = next((one for one in ALLOCATION_KEYS if one == key), None)
    community = scenario.community if known is None else community_with_key(scenario, known)
    rows = results.bills(run, community)
    if not rows:
        return BillsSheet((), "The scenario has no tariff, so there are no bills.")
    how = _BY_CONTRACT if community is None else f"{_MEANINGS[community.key]}, every "
    how += "" if community is None else f"{community.interval_s // 60} min"
    sheet = _totalled(results, run, rows, how)
    said = sheet.said
    account = results.account(run, community)
    if account is not None:
        lines = account.outside
        said += (
            f" Paid to outsiders: grid {_amount(lines.import_cents / 100)}, "
            f"fed in {_amount(lines.feed_in_cents / 100)}, "
            f"grid fees {_amount((lines.grid_fee_cents + lines.local_grid_fee_cents) / 100)}, "
            f"fixed {_amount(lines.fixed_cents / 100)}, VAT {_amount(lines.vat_cents / 100)}."
        )
    return replace(sheet, said=said)


def _kept_bills(results: ResultsReader, run: int) -> BillsSheet:
    """Return the bills as the file of a large run has them, without settling it again."""
    rows = results.bills(run)
    if not rows:
        return BillsSheet((), "The scenario has no tariff, so there are no bills.")
    key = next((one for one in ALLOCATION_KEYS if one == rows[0].allocation_key), None)
    return _totalled(results, run, rows, _BY_CONTRACT if key is None else _MEANINGS[key])


def _totalled(results: ResultsReader, run: int, rows: tuple[BillRow, ...], how: str) -> BillsSheet:
    total = total_row(rows)
    most = max(rows, key=lambda row: row.saving_eur)
    info = results.run(run)
    part = unfinished(info.state, results.covered_share(info))
    by = f", most by {most.house} ({_amount(most.saving_eur)})" if most.saving_eur > 0 else ""
    said = (
        f"{f'{part}. ' if part else ''}Settlement {how} (All households: by contract only); kWh and EUR. "
        f"Total {_amount(total.with_eur)}, without neighbourhood {_amount(total.without_eur)}: saved "
        f"{_amount(total.saving_eur)}{by}."
    )
    return BillsSheet((total, *rows), said)


def _amount(eur: float | None) -> str:
    return "-" if eur is None else f"{eur:z,.2f}"


def _saved(row: BillRow) -> Cell:
    return _amount(row.saving_eur), "ok" if row.saving_eur > 0 else "warn" if row.saving_eur < 0 else "muted"


def _energy(title: str, value: Callable[[BillRow], float], from_width: int = 0) -> Column[BillRow]:
    return Column(title, lambda row: column_kwh(value(row)), 8, right=True, from_width=from_width, sort=value)


def _line(title: str, value: Callable[[BillRow], float | None], from_width: int = 0) -> Column[BillRow]:
    def rank(row: BillRow) -> float:
        return value(row) or 0.0

    return Column(title, lambda row: _amount(value(row)), 9, right=True, from_width=from_width, sort=rank)


_COLUMNS: tuple[Column[BillRow], ...] = (
    Column("household", lambda row: row.house or ALL, most=24),
    _energy("consumed", lambda row: row.consumed_wh),
    _energy("own", lambda row: row.own_wh),
    _energy("bought", lambda row: row.bought_wh),
    _energy("grid", lambda row: row.imported_wh),
    _energy("sold", lambda row: row.sold_wh, 90),
    _energy("fed in", lambda row: row.fed_in_wh, 90),
    _line("grid fee", lambda row: row.grid_fee_eur, 120),
    _line("local fee", lambda row: row.local_grid_fee_eur, 120),
    _line("fixed", lambda row: row.fixed_eur, 130),
    _line("VAT", lambda row: row.vat_eur, 130),
    _line("bill EUR", lambda row: row.with_eur),
    _line("without", lambda row: row.without_eur),
    Column("saved", _saved, 8, right=True, sort=lambda row: row.saving_eur),
)


class BillsPane(ErrorBoundary, Vertical):
    """The bills of a run."""

    DEFAULT_CSS = """
    BillsPane { height: 1fr; }
    BillsPane .key { height: 1; }
    BillsPane .key Static { width: auto; padding: 0 1; }
    BillsPane .key Select { width: 24; }
    BillsPane .detail { height: auto; min-height: 1; padding: 0 1; background: $panel; }
    """

    class KeyChosen(Message):
        """An allocation key was chosen."""

        def __init__(self, key: str | None) -> None:
            super().__init__()
            self.key = key

    def compose(self) -> ComposeResult:
        """The choice of a key, the households, and sums in words."""
        options = [(_AS_SCENARIO, _AS_SCENARIO), *((key, key) for key in ALLOCATION_KEYS)]
        with Horizontal(classes="key"):
            yield Static("Allocation key")
            yield Select[str](options, id="allocation-key", compact=True, allow_blank=False)
        yield CellTable[BillRow](_COLUMNS, key=lambda row: row.house, empty="No bills", waiting=READING, id="bill-rows")
        yield PlainText(classes="detail")

    def show(self, sheet: BillsSheet) -> None:
        """Show the bills of another run, or by another allocation key."""
        self.query_one("#bill-rows", CellTable).show_rows(sheet.rows)
        self.query_one(".detail", PlainText).say(sheet.said)

    @on(Select.Changed, "#allocation-key")
    def _key_changed(self, event: Select.Changed) -> None:
        event.stop()
        self.post_message(self.KeyChosen(None if event.value == _AS_SCENARIO else str(event.value)))
