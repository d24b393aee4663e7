"""What *All households* and *One household* show: the same sheet, of the neighbourhood or of one of its houses."""

from __future__ import annotations

from dataclasses import dataclass

from scenarios import Zone
from scenarios.results import (
    ContractRow,
    HouseholdRow,
    HouseView,
    NeighbourhoodView,
    PowerProfile,
    ResultsReader,
    RunInfo,
    household_rows,
    view_house,
    view_neighbourhood,
)
from tui.formatting import percent, plural, ratio, unfinished
from tui.results.formatting import euro, figure_text


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a whole."""

    name: str
    wh: float
    colour: str
    """A variable of the theme."""


@dataclass(frozen=True, slots=True)
class Whole:
    """An energy and its parts."""

    name: str
    wh: float
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One run, of all households or of one."""

    run: RunInfo
    house: str | None
    """None: all of them."""
    wholes: tuple[Whole, ...]
    peaks: str
    """Peak-to-average ratios, in words."""
    figures: tuple[tuple[str, str], ...]
    """The most telling ones first."""
    day: PowerProfile
    contracts: tuple[ContractRow, ...]
    households: tuple[HouseholdRow, ...]
    """Empty for one household."""
    zone: Zone
    """How times are shown."""


def neighbourhood_sheet(results: ResultsReader, run: int, interval_s: int) -> Sheet:
    """Read the sheet of all households.

    Raises:
        ResultsError: The file cannot be read, or has no such run.
        IntervalError: The interval is not a positive number of whole minutes.
    """
    view = view_neighbourhood(results, run, interval_s)
    kpis = view.kpis
    splits = view.split.by_house.values()
    own_wh, neighbours_wh = sum(split.own_wh for split in splits), sum(split.neighbours_wh for split in splits)
    return Sheet(
        run=view.run,
        house=None,
        wholes=_wholes(kpis.consumed_wh, own_wh, neighbours_wh, kpis.grid_wh, kpis.produced_wh, neighbours_wh),
        peaks=_peaks(kpis.consumption_peak_to_average, kpis.production_peak_to_average),
        figures=_neighbourhood_figures(view),
        day=view.day,
        contracts=view.contracts,
        households=household_rows(view),
        zone=results.scenario.zone,
    )


def house_sheet(results: ResultsReader, run: int, house: str, interval_s: int) -> Sheet:
    """Read the sheet of one household.

    Raises:
        ResultsError: The file cannot be read, or has no such run or house.
        IntervalError: The interval is not a positive number of whole minutes.
    """
    view = view_house(results, run, house, interval_s)
    split = view.split
    return Sheet(
        run=view.run,
        house=house,
        wholes=_wholes(
            split.consumed_wh, split.own_wh, split.neighbours_wh, split.grid_wh, view.produced_wh, view.sold_wh
        ),
        peaks=_peaks(view.consumption_peak_to_average, view.production_peak_to_average),
        figures=_house_figures(view),
        day=view.day,
        contracts=tuple(sorted((*view.contracts, *view.supplied), key=lambda row: (row.start_s, row.contract_id))),
        households=(),
        zone=results.scenario.zone,
    )


def _wholes(
    consumed_wh: float, own_wh: float, neighbours_wh: float, grid_wh: float, produced_wh: float, sold_wh: float
) -> tuple[Whole, ...]:
    surplus_wh = max(0.0, produced_wh - own_wh - sold_wh)
    return (
        Whole(
            "Consumed",
            consumed_wh,
            (
                Part("own sun", own_wh, "own"),
                Part("neighbours", neighbours_wh, "neighbours"),
                Part("grid", grid_wh, "grid-power"),
            ),
        ),
        Whole(
            "Produced",
            produced_wh,
            (
                Part("used at home", own_wh, "own"),
                Part("sold", sold_wh, "neighbours"),
                Part("surplus", surplus_wh, "surplus"),
            ),
        ),
    )


def _peaks(consumption: float | None, production: float | None) -> str:
    return f"used {ratio(consumption)}   produced {ratio(production)}"


def _neighbourhood_figures(view: NeighbourhoodView) -> tuple[tuple[str, str], ...]:
    kpis, run = view.kpis, view.run
    figures = [
        *_unfinished(run, view.covered_share),
        ("Self-sufficiency", percent(kpis.self_sufficiency)),
        ("Self-consumption", percent(kpis.self_consumption)),
        ("Jobs", f"{kpis.jobs:,}, {kpis.jobs_on_grid:,} on grid"),
        ("Promised, not kept", figure_text("wh", kpis.shortfall_wh)),
    ]
    if kpis.bill_eur is not None:
        figures.append(("All bills", f"{euro(kpis.bill_eur)} (alone {euro(kpis.bill_without_eur)})"))
    if kpis.kg_co2 is not None:
        figures.append(("Grid CO2", f"{kpis.kg_co2:,.2f} kg (alone {figure_text('kg', kpis.kg_co2_without)})"))
    optimum = run.comparison.get("optimum")
    if isinstance(optimum, dict) and optimum.get("share") is not None:
        figures.insert(2, ("Of the best plan known", percent(optimum["share"])))
    figures += [
        ("Started late", f"{kpis.jobs_late:,}, mean {figure_text('s', kpis.mean_delay_s)}"),
        ("Load factor", ratio(kpis.load_factor)),
        ("Peak consumption", figure_text("w", kpis.peak_consumption_w)),
        ("Peak import, pooled", figure_text("w", kpis.peak_import_w)),
        ("Self-sufficiency, pooled", percent(kpis.pooled_self_sufficiency)),
        *_troubles(
            (kpis.jobs_moved, "moved"),
            (kpis.jobs_cancelled, "cancelled"),
            (kpis.jobs_lost, "lost"),
            (kpis.jobs_overlapping, "overlapping on their device"),
            (kpis.jobs_unfinished, "still ran at the end"),
            (kpis.jobs_not_registered, "not registered by the end"),
        ),
        ("Said", f"{plural(run.messages, 'message')}, {plural(run.negotiations, 'negotiation')}"),
    ]
    if run.wall_s is not None:
        figures.append(("Took", f"{run.wall_s:,.2f} s"))
    return tuple(figures)


def _house_figures(view: HouseView) -> tuple[tuple[str, str], ...]:
    figures = [
        *_unfinished(view.run, view.covered_share),
        ("Self-sufficiency", percent(view.self_sufficiency)),
        ("Jobs", f"{len(view.contracts):,}, {sum(c.producer_house is None for c in view.contracts):,} on grid"),
        ("Jobs of others served", f"{len(view.supplied):,}"),
        ("Load factor", ratio(view.load_factor)),
    ]
    if view.bill is not None:
        figures.append(("Bill", f"{euro(view.bill.with_eur)} (alone {euro(view.bill.without_eur)})"))
    return tuple(figures)


def _unfinished(run: RunInfo, covered_share: float) -> tuple[tuple[str, str], ...]:
    how = unfinished(run.state, covered_share)
    return (("Part of a run", f"{how}; figures cover that part"),) if how else ()


def _troubles(*counts: tuple[int, str]) -> tuple[tuple[str, str], ...]:
    happened = [f"{count:,} {what}" for count, what in counts if count]
    return (("Jobs with a story", ", ".join(happened)),) if happened else ()


def fits(row: ContractRow, text: str) -> bool:
    """Return whether a contract has a text in one of its names, in any case."""
    wanted = text.casefold()
    names = (row.job_id, row.source_id, row.house, row.device, row.producer, row.producer_house or "", row.profile)
    return any(wanted in name.casefold() for name in names)
