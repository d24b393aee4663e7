"""Data of an energy sheet, for the panes *All households* and *One household*: totals, the day, figures, contracts."""

from __future__ import annotations

from dataclasses import dataclass

from agents import GRID
from broker import plural
from scenarios import EventMark, EventMarks, Zone, action_in_words
from scenarios.metrics import Kpis
from scenarios.results import (
    ContractRow,
    HouseholdRow,
    HouseView,
    Overview,
    PowerProfile,
    ResultsReader,
    RunInfo,
    view_house,
    view_overview,
)
from tui.formatting import figure_text, percent, ratio, unfinished


@dataclass(frozen=True, slots=True)
class EnergyPart:
    """A part of an energy total."""

    name: str
    wh: float
    colour: str
    """Variable of the theme."""


@dataclass(frozen=True, slots=True)
class EnergyTotal:
    """An energy total and its parts."""

    name: str
    wh: float
    parts: tuple[EnergyPart, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One run, of all households or of one."""

    run: RunInfo
    house: str | None
    """None: all of them."""
    wholes: tuple[EnergyTotal, ...]
    peaks: str
    """Peak-to-average ratios, as text."""
    figures: tuple[tuple[str, str], ...]
    """The most important ones first."""
    day: PowerProfile
    contracts: tuple[ContractRow, ...]
    households: tuple[HouseholdRow, ...]
    """Empty for one household."""
    zone: Zone
    """Display zone of times."""
    events: tuple[EventMark, ...] = ()
    """Events of the timeline, by their time."""
    houses: tuple[tuple[str, str], ...] = ()
    """Ids and names of all houses; empty for one household."""
    search: tuple[str, ...] = ()
    """The searchable text, by contract: its names in lower case. Prepared, because there may be 50,000."""


def neighbourhood_sheet(results: ResultsReader, run: int, interval_s: int) -> Sheet:
    """Read the sheet of all households.

    Args:
        results: The simulation.
        run: The run's number, from 1.
        interval_s: Averaging interval of peaks, s.

    Raises:
        ResultsError: The file cannot be read, or has no such run.
        IntervalError: The interval is not a positive number of whole minutes.
    """
    view = view_overview(results, run, interval_s)
    kpis = view.kpis
    breakdowns = [row.breakdown for row in view.households]
    own_wh, neighbours_wh = (
        sum(breakdown.own_wh for breakdown in breakdowns),
        sum(breakdown.neighbours_wh for breakdown in breakdowns),
    )
    return Sheet(
        run=view.run,
        house=None,
        wholes=_wholes(kpis.consumed_wh, own_wh, neighbours_wh, kpis.grid_wh, kpis.produced_wh, neighbours_wh),
        peaks=_peaks(kpis.consumption_peak_to_average, kpis.production_peak_to_average),
        figures=(*_verdicts(results, run), *_neighbourhood_figures(view)),
        day=view.day,
        contracts=view.contracts,
        households=view.households,
        zone=results.zone,
        events=_events(results, run),
        houses=results.houses,
        search=tuple(map(search_text, view.contracts)),
    )


def house_sheet(results: ResultsReader, run: int, house: str, interval_s: int) -> Sheet:
    """Read the sheet of one household.

    Args:
        results: The simulation.
        run: The run's number, from 1.
        house: The house's id.
        interval_s: Averaging interval of peaks, s.

    Raises:
        ResultsError: The file cannot be read, or has no such run or house.
        IntervalError: The interval is not a positive number of whole minutes.
    """
    view = view_house(results, run, house, interval_s)
    breakdown = view.breakdown
    contracts = tuple(sorted((*view.contracts, *view.supplied), key=lambda row: (row.start_s, row.contract_id)))
    return Sheet(
        run=view.run,
        house=house,
        wholes=_wholes(
            breakdown.consumed_wh,
            breakdown.own_wh,
            breakdown.neighbours_wh,
            breakdown.grid_wh,
            view.produced_wh,
            view.sold_wh,
        ),
        peaks=_peaks(view.consumption_peak_to_average, view.production_peak_to_average),
        figures=_house_figures(view),
        day=view.day,
        contracts=contracts,
        households=(),
        zone=results.zone,
        events=_events(results, run),
        search=tuple(map(search_text, contracts)),
    )


def _events(results: ResultsReader, run: int) -> tuple[EventMark, ...]:
    return tuple(EventMarks((one.at_s, action_in_words(one.action)) for one in results.run_events(run)))


def _verdicts(results: ResultsReader, run: int) -> list[tuple[str, str]]:
    """Return the expectations that fail, each with its values, before one line about all."""
    verdicts = results.verdicts(run)
    if not verdicts:
        return []
    failed = [one for one in verdicts if not one["holds"]]
    failing = [("Expectation fails", f"{one['title']} ({one['error'] or one['values']})") for one in failed]
    held = [(f"Holds: {one['title']}", str(one["values"])) for one in verdicts if one["holds"]]
    return [*failing, ("Expectations", f"{len(held)} of {len(verdicts)} hold"), *held]


def _wholes(
    consumed_wh: float, own_wh: float, neighbours_wh: float, grid_wh: float, produced_wh: float, sold_wh: float
) -> tuple[EnergyTotal, ...]:
    surplus_wh = max(0.0, produced_wh - own_wh - sold_wh)
    return (
        EnergyTotal(
            "Consumed",
            consumed_wh,
            (
                EnergyPart("own panels", own_wh, "own"),
                EnergyPart("neighbours", neighbours_wh, "neighbours"),
                EnergyPart("grid", grid_wh, "grid-power"),
            ),
        ),
        EnergyTotal(
            "Produced",
            produced_wh,
            (
                EnergyPart("used at home", own_wh, "own"),
                EnergyPart("sold", sold_wh, "neighbours"),
                EnergyPart("surplus", surplus_wh, "surplus"),
            ),
        ),
    )


def _peaks(consumption: float | None, production: float | None) -> str:
    return f"used {ratio(consumption)}   produced {ratio(production)}"


def _neighbourhood_figures(view: Overview) -> tuple[tuple[str, str], ...]:
    kpis, run = view.kpis, view.run
    figures = [
        *_unfinished(run, view.covered_share),
        ("Self-sufficiency", percent(kpis.self_sufficiency)),
        ("Self-consumption", percent(kpis.self_consumption)),
        ("Share of the possible", _share_of_possible(kpis)),
        ("Jobs", f"{kpis.jobs:,}, {kpis.jobs_on_grid:,} on grid"),
        ("Shortfall", f"{figure_text('wh', kpis.shortfall_wh)} (promised but not delivered)"),
    ]
    if kpis.base_load_wh:
        figures.append(("Base load", _base_load(kpis.base_load_wh, kpis.base_load_local_wh)))
    if kpis.bill_eur is not None:
        figures.append(("Total bill", _with_and_without(kpis.bill_eur, kpis.bill_without_eur, "EUR")))
    if kpis.kg_co2 is not None:
        figures.append(("Grid CO2", _with_and_without(kpis.kg_co2, kpis.kg_co2_without, "kg")))
    optimum = run.comparison.get("optimum")
    shared = run.comparison.get("shared_optimum")
    if isinstance(shared, dict) and shared.get("share") is not None:
        figures.insert(2, ("Share of the shared optimum", percent(shared["share"])))
    if isinstance(optimum, dict) and optimum.get("share") is not None:
        of_rule = "Share of the best plan" + (" for whole jobs" if isinstance(shared, dict) else "")
        figures.insert(2, (of_rule, percent(optimum["share"])))
    figures += [
        ("Started after earliest time", f"{kpis.jobs_late:,} (mean {figure_text('s', kpis.mean_delay_s)})"),
        ("Load factor", ratio(kpis.load_factor)),
        ("Peak consumption", figure_text("w", kpis.peak_consumption_w)),
        ("Peak import, pooled", figure_text("w", kpis.peak_import_w)),
        ("Self-sufficiency, pooled", percent(kpis.pooled_self_sufficiency)),
        *_counts("Jobs moved or cancelled", (kpis.jobs_moved, "moved"), (kpis.jobs_cancelled, "cancelled")),
        *_counts("Jobs lost", (kpis.jobs_lost, "(household offline)")),
        *_counts("Jobs overlapping", (kpis.jobs_overlapping, "on their device")),
        *_counts(
            "Jobs not completed",
            (kpis.jobs_unfinished, "still running at the end"),
            (kpis.jobs_not_registered, "not registered by the end"),
        ),
        ("Messages", f"{run.messages:,} in {plural(run.negotiations, 'negotiation')}"),
    ]
    if run.wall_s is not None:
        figures.append(("Run time", f"{run.wall_s:,.2f} s"))
    return tuple(figures)


def _share_of_possible(kpis: Kpis) -> str:
    if not kpis.possible_wh:
        return percent(kpis.share_of_possible)
    return f"{percent(kpis.share_of_possible)} of {figure_text('wh', kpis.possible_wh)}"


def _house_figures(view: HouseView) -> tuple[tuple[str, str], ...]:
    figures = [
        *_unfinished(view.run, view.covered_share),
        ("Self-sufficiency", percent(view.self_sufficiency)),
        ("Jobs", f"{len(view.contracts):,}, {sum(c.producer == GRID for c in view.contracts):,} on grid"),
        ("Jobs of others served", f"{len(view.supplied):,}"),
        ("Load factor", ratio(view.load_factor)),
    ]
    if view.breakdown.base_load_wh:
        figures.append(("Base load", figure_text("wh", view.breakdown.base_load_wh)))
    if view.bill is not None:
        figures.append(("Bill", _with_and_without(view.bill.with_eur, view.bill.without_eur, "EUR")))
    if view.member is not None:
        figures += [(f"  {title}", figure_text("eur", eur)) for title, eur in view.member.named_lines()]
    return tuple(figures)


def _base_load(base_load_wh: float, local_wh: float) -> str:
    return f"{figure_text('wh', base_load_wh)}, {local_wh / base_load_wh:.0%} from panels"


def _unfinished(run: RunInfo, covered_share: float) -> tuple[tuple[str, str], ...]:
    how = unfinished(run.state, covered_share)
    return (("Part of a run", f"{how}; figures cover that part"),) if how else ()


def _counts(label: str, *counts: tuple[int, str]) -> tuple[tuple[str, str], ...]:
    parts = [f"{count:,} {what}" for count, what in counts if count]
    return ((label, ", ".join(parts)),) if parts else ()


def _with_and_without(with_it: float, without_it: float | None, unit: str) -> str:
    without = "" if without_it is None else f" (without neighbourhood {without_it:z,.2f})"
    return f"{with_it:z,.2f} {unit}{without}"


def search_text(row: ContractRow) -> str:
    """Return a contract's names in small letters, one a line."""
    suppliers = [name for share in row.shares for name in (share.producer, share.house)]
    names = (row.job_id, row.source_id, row.house, row.device, row.producer, row.profile, *suppliers)
    return "\n".join(names).casefold()
