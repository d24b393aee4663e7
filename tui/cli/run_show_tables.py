"""The tables of `ssmic run`, `ssmic results show` and `ssmic optimum`: one or several runs, households, the optimum."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich import box
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table

from agents import SHARED
from broker import plural
from scenarios import Zone
from scenarios.metrics import SampleStatistics, sample_statistics
from scenarios.results import (
    ContractRow,
    HouseholdRow,
    HouseView,
    NeighbourhoodView,
    household_rows,
    household_total,
    streets_of,
)
from tui.formatting import fit, kwh, percent, ratio, unfinished, without

if TYPE_CHECKING:
    from scenarios.optimum import Optimum, SharedOptimum

MAX_PRODUCERS = 12
"""Producers listed by name; the rest are summed up."""
MAX_DISPUTES = 10
"""Disputes that are listed for each run; the rest are counted."""

Json = Mapping[str, Any]


def show_outcome(console: Console, simulation: Json) -> None:
    """Print results: a single run in full, several as rows with mean and standard deviation.

    Args:
        console: The console to print on.
        simulation: As returned by `scenarios.results.summary.simulation_json`.
    """
    runs: Sequence[Json] = simulation["runs"]
    if not runs:
        console.print("no run has begun")
    elif len(runs) == 1:
        console.print(_one_run(simulation, runs[0]))
    else:
        console.print(_several_runs(simulation, runs, console.width))
        if _have_one_ledger(runs):
            console.print(
                f"All {len(runs)} runs made the same contracts: the seed made no difference, and the intervals are 0 "
                "wide.",
                soft_wrap=True,
            )
    for run in runs:
        how = unfinished(run["state"], run["covered_share"])
        if how and len(runs) > 1:
            console.print(f"* seed {run['seed']}: {how}; its figures cover that part only and are excluded from means")
        elif how:
            console.print(f"The run is unfinished ({how}): its figures cover that part only.")
        for line in _notes(run, f"seed {run['seed']}" if len(runs) > 1 else "the run"):
            console.print(line, soft_wrap=True)


def _have_one_ledger(runs: Sequence[Json]) -> bool:
    """Return whether all runs are complete and made the same contracts at the same times."""
    return all(run["complete"] for run in runs) and len({run["ledger_sha256"] for run in runs}) == 1


def _notes(run: Json, name: str) -> Iterator[str]:
    """Yield lines about hosts that a run ended without, with the reason, and about disputes."""
    if run["without"]:
        yield f"{name[0].upper()}{name[1:]} is {run['state']}{without(run['without'])}."
    for reasons, verb in ((run["quarantined"], "quarantined"), (run["dropped"], "dropped")):
        for host, why in reasons.items():
            yield f"  {host} was {verb}: {why}."
    if disputes := run.get("disputes", ()):
        yield f"{name[0].upper()}{name[1:]} has {plural(len(disputes), 'dispute')}; the ledger stands:"
        yield from (f"  {what}" for what in disputes[:MAX_DISPUTES])
        if len(disputes) > MAX_DISPUTES:
            yield f"  and {len(disputes) - MAX_DISPUTES} more, which --json lists"


def _figures_table(title: str, *, has_share: bool = False) -> Table:
    """Return an empty table of figures: name, value, and with `has_share` a share in per cent."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_header=False)
    table.add_column("figure", overflow="fold")
    table.add_column("value", justify="right", no_wrap=True)
    if has_share:
        table.add_column("share", justify="right", no_wrap=True)
    return table


def _one_run(simulation: Json, run: Json) -> RenderableType:
    kpis: Json = run["kpis"]
    how = unfinished(run["state"], run["covered_share"])
    state = f", {how}" if how else f", done{without(run['without'])}" if run["without"] else ""
    table = _figures_table(
        f"{simulation['scenario']}, {simulation['algorithm']}{_supply(simulation)}, seed {run['seed']}{state}",
        has_share=True,
    )
    for row in (*_consumed(run), *_base_load(kpis)):
        table.add_row(*row)
    table.add_row("Energy produced", kwh(kpis["produced_wh"]), "")
    table.add_row("Self-consumption", percent(kpis["self_consumption"]), "")
    table.add_row("Self-sufficiency", percent(kpis["self_sufficiency"]), "")
    table.add_row("Peak-to-average ratio", ratio(kpis["consumption_peak_to_average"]), "")
    table.add_row("Jobs with a contract", str(run.get("contract_count", len(run["contracts"]))), "")
    if kpis["jobs_lost"]:
        table.add_row("Jobs lost (household offline)", str(kpis["jobs_lost"]), "")
    for what, name in _HAPPENED:
        if kpis[name]:
            table.add_row(f"  {what}", str(kpis[name]), "")
    if run["not_registered"]:
        table.add_row("Jobs not registered by the end", str(len(run["not_registered"])), "")
    if kpis["jobs_unfinished"]:
        table.add_row("Jobs still running at the end", str(kpis["jobs_unfinished"]), "")
    table.add_row("Negotiations", str(run["negotiations"]), "")
    table.add_row("Messages", str(run["messages"]), "")
    for row in _compared_rows(run):
        table.add_row(*row)
    if run["wall_s"] is not None:
        table.add_row("Run time", f"{run['wall_s']:.2f} s", "")
    return table


def _compared_rows(run: Json) -> Iterator[tuple[str, str, str]]:
    """Yield the rows that compare a run with the optima that it was compared with."""
    delivered = kwh(run["kpis"]["delivered_wh"])
    if "optimum" in run:
        optimum = run["optimum"]
        yield ("Best plan known", kwh(optimum["best_wh"]), "")
        yield ("  proven upper bound", kwh(optimum["bound_wh"]), "")
        yield ("  reached by negotiation", delivered, percent(optimum["share"]))
        for baseline in run["baselines"]:
            yield (f"  by {baseline['name']}", kwh(baseline["delivered_wh"]), percent(baseline["share"]))
    if "shared_optimum" in run:
        shared = run["shared_optimum"]
        yield ("Best plan known, shared supply", kwh(shared["best_wh"]), "")
        yield ("  proven upper bound", kwh(shared["bound_wh"]), "")
        yield ("  reached by negotiation", delivered, percent(shared["share"]))


def _supply(simulation: Json) -> str:
    return ", shared supply" if simulation["supply"] == "shared" else ""


def optimum_table(scenario: str, optimum: Optimum, jobs: int) -> RenderableType:
    """Return a table of a scenario's best plan and its bounds.

    Args:
        scenario: The scenario's name.
        optimum: Its best plan and bounds.
        jobs: Number of jobs in the scenario.
    """
    table = _figures_table(f"{scenario}, best plan with perfect knowledge")
    table.add_row("Delivered by the best known plan", kwh(optimum.best_wh))
    table.add_row("Upper bound for plans that panels cover in full", kwh(optimum.carried_bound_wh))
    table.add_row("Upper bound for any run", kwh(optimum.bound_wh))
    table.add_row("Gap between plan and bound", "none (proven optimal)" if optimum.proven else percent(optimum.gap))
    table.add_row("Jobs supplied by panels", f"{len(optimum.plan)} of {jobs}")
    table.add_row("Run time", f"{optimum.wall_s:.2f} s")
    return table


def shared_optimum_table(
    scenario: str, optimum: SharedOptimum, jobs_wh: float, whole: Optimum | None
) -> RenderableType:
    """Return a table of a scenario's best plan under shared supply, and its bound.

    Args:
        scenario: The scenario's name.
        optimum: Its best plan and bound.
        jobs_wh: Energy of all jobs, Wh.
        whole: The optimum for whole jobs, for comparison; None: it is not known.
    """
    table = _figures_table(f"{scenario}, best plan with shared supply", has_share=True)
    table.add_row("Energy of all jobs", kwh(jobs_wh), "")
    share = percent(optimum.best_wh / jobs_wh if jobs_wh else None)
    table.add_row("Delivered by the best known plan", kwh(optimum.best_wh), share)
    table.add_row("Upper bound for any run", kwh(optimum.bound_wh), "")
    gap = "none (proven optimal)" if optimum.proven else percent(optimum.gap)
    table.add_row("Gap between plan and bound", gap, "")
    if whole is not None:
        of_shared = percent(optimum.share(whole.best_wh))
        table.add_row("Best known plan for whole jobs, share of the shared one", kwh(whole.best_wh), of_shared)
    table.add_row("Run time", f"{optimum.wall_s:.2f} s", "")
    return table


_HAPPENED = (
    ("on the grid", "jobs_on_grid"),
    ("started later than the earliest start", "jobs_late"),
    ("moved", "jobs_moved"),
    ("cancelled by a producer", "jobs_cancelled"),
    ("renegotiated", "jobs_renegotiated"),
    ("overlapping on their device", "jobs_overlapping"),
)
"""Counts of jobs, shown where not zero."""


def _consumed(run: Json) -> list[tuple[str, str, str]]:
    """Return rows on where the consumed energy came from."""
    whole_wh = run["kpis"]["consumed_wh"]
    parts = [*_suppliers(run), ("the grid", run["kpis"]["grid_wh"])]
    rows = [(f"  from {name}", kwh(wh), percent(wh / whole_wh if whole_wh else None)) for name, wh in parts]
    return [("Energy consumed", kwh(whole_wh), ""), *rows]


def _base_load(kpis: Json) -> list[tuple[str, str, str]]:
    """Return rows on the base load; empty if there is none."""
    base_wh, local_wh = kpis["base_load_wh"], kpis["base_load_local_wh"]
    if not base_wh:
        return []
    return [
        ("Base load, of the energy consumed", kwh(base_wh), percent(base_wh / kpis["consumed_wh"])),
        ("  from panels", kwh(local_wh), percent(local_wh / base_wh)),
    ]


def _suppliers(run: Json) -> list[tuple[str, float]]:
    """Return producers with delivered Wh, in descending order; small ones are combined."""
    delivered = sorted(
        ((producer, of["delivered_wh"] + of["base_load_wh"]) for producer, of in run["by_producer"].items()),
        key=lambda item: (-item[1], item[0]),
    )
    if len(delivered) <= MAX_PRODUCERS:
        return delivered
    named, rest = delivered[: MAX_PRODUCERS - 1], delivered[MAX_PRODUCERS - 1 :]
    return [*named, (f"{len(rest)} other producers", sum(wh for _, wh in rest))]


_COLUMNS = (
    ("consumed", "consumed_wh"),
    ("local", "local_wh"),
    ("grid", "grid_wh"),
    ("self-\ncons.", "self_consumption"),
    ("self-\nsuff.", "self_sufficiency"),
    ("peak/\navg", "consumption_peak_to_average"),
)


_OF_BEST = {"optimum": "of best", "shared_optimum": "of shared\nbest"}
"""By optimum that runs may be compared with, the title of the share's column."""


def _several_runs(simulation: Json, runs: Sequence[Json], width: int) -> RenderableType:
    compared = {name: title for name, title in _OF_BEST.items() if any(name in run for run in runs)}
    complete = [run for run in runs if run["complete"]]
    counted = plural(len(runs), "run") + ("" if len(complete) == len(runs) else f", {len(complete)} of them complete")
    left_out = {"self_consumption", "consumption_peak_to_average"} if len(compared) > 1 else {"self_consumption"}
    columns = [column for column in _COLUMNS if not compared or column[1] not in left_out]
    titles = ["seed", *(title for title, _ in columns), *compared.values()]
    titles += ["negotia-\ntions", "messages", "took\n(s)"]
    rows = []
    for run in runs:
        cells = [_cell(name, run["kpis"][name]) for _, name in columns]
        cells += [percent(run[name]["share"] if name in run else None) for name in compared]
        took = "-" if run["wall_s"] is None else f"{run['wall_s']:.2f}"
        seed = f"{run['seed']}{'' if run['complete'] else '*'}"
        rows.append([seed, *cells, str(run["negotiations"]), str(run["messages"]), took])
    shares = [sample_statistics([run[name]["share"] for run in complete if name in run]) for name in compared]
    spreads = [SampleStatistics(**simulation["statistics"][name]) for _, name in columns]
    sums = []
    for title, of in (("mean", _mean), ("± sd", _deviation), ("± 95 %", _half_width)):
        cells = [_cell(name, of(spread)) for (_, name), spread in zip(columns, spreads, strict=True)]
        sums.append([title, *cells, *(percent(of(share)) for share in shares), "", "", ""])
    # Figures of merit are never cut; message counts and run time are dropped first.
    kept = _columns_that_fit(titles, [*rows, *sums], width)
    table = Table(
        title=f"{simulation['scenario']}, {simulation['algorithm']}{_supply(simulation)}, {counted}; energy in kWh",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    for title in titles[:kept]:
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row[:kept])
    table.add_section()
    for row in sums:
        table.add_row(*row[:kept])
    return table


def _columns_that_fit(titles: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> int:
    """Return how many columns, from the left, fit into a width in cells."""
    cells = [
        max(*(len(line) for line in title.split("\n")), *(len(row[i]) for row in rows))
        for i, title in enumerate(titles)
    ]
    return max(n for n in range(1, len(titles) + 1) if n == 1 or sum(cells[:n]) + n - 1 <= width)


def _mean(spread: SampleStatistics) -> float | None:
    return spread.mean


def _deviation(spread: SampleStatistics) -> float | None:
    return spread.standard_deviation


def _half_width(spread: SampleStatistics) -> float | None:
    """Return the half-width of the 95 % interval of the mean."""
    return None if spread.high_95 is None or spread.mean is None else spread.high_95 - spread.mean


def _cell(name: str, value: float | None) -> str:
    if name.endswith("_wh"):
        return "-" if value is None else f"{value / 1000:,.2f}"
    return ratio(value) if name.endswith("average") else percent(value)


MIN_JOB_WIDTH, MIN_TEXT_WIDTH, MIN_SUPPLIER_WIDTH = 20, 10, 12
"""Minimum widths of text columns, in cells."""
_GAP = 2
"""Cells between two columns."""


def show_neighbourhood(console: Console, view: NeighbourhoodView, zone: Zone) -> None:
    """Print the households' energy and bills, and all contracts.

    Args:
        console: The console to print on.
        view: The results to print.
        zone: Display zone of times.
    """
    _show_households(console, "Households", household_rows(view))
    _show_contracts(console, "Contracts", view.contracts, zone)


def show_streets(console: Console, households: Sequence[HouseholdRow], houses: Sequence[tuple[str, str]]) -> None:
    """Print a large run's households street by street.

    Args:
        console: The console to print on.
        households: Their figures.
        houses: Ids and names of all houses.
    """
    streets = streets_of(houses)
    members: dict[str, list[HouseholdRow]] = {}
    for row in households:
        members.setdefault(streets[row.house], []).append(row)
    _show_households(
        console, "Streets", [household_total(name, rows) for name, rows in members.items()], ("sold", "without")
    )
    console.print(
        f"{len(households):,} households. --house ID shows one with its contracts, `ssmic results export` writes all "
        "contracts, and the terminal application finds them.",
        soft_wrap=True,
    )


def _show_households(console: Console, what: str, rows: Sequence[HouseholdRow], left_out: Sequence[str] = ()) -> None:
    has_bills = any(row.bill is not None for row in rows)
    both = "" if "without" in left_out else " with and without the neighbourhood"
    in_eur = f", bills in EUR{both}" if has_bills else ""
    houses = [row.house for row in rows]
    titles = ["consumed", "own", "neighbours", "grid", "produced", "sold"]
    titles += ["bill", "without"] if has_bills else []
    shown = [i for i, title in enumerate(titles) if title not in left_out]
    titles = [titles[i] for i in shown]
    cells = [[_household_cells(row)[i] for i in shown] for row in rows]
    room = console.width - sum(
        max(len(title), *(len(row[i]) for row in cells), 0) + _GAP for i, title in enumerate(titles)
    )
    longest = max((cell_len(house) for house in houses), default=0)
    table = _table(f"{what}; energy in kWh{in_eur}")
    table.add_column("house", overflow="fold", width=max(len("house"), min(longest, room)))
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)
    for row, figures in zip(rows, cells, strict=True):
        table.add_row(row.house, *figures)
    console.print(table)


def _household_cells(row: HouseholdRow) -> list[str]:
    split = row.split
    energies_wh = (
        split.consumed_wh,
        split.own_wh,
        split.neighbours_wh,
        split.grid_wh,
        row.produced_wh,
        row.sold_wh,
    )
    cells = [_number(wh) for wh in energies_wh]
    if row.bill is not None:
        cells += [f"{row.bill.with_eur:.2f}", f"{row.bill.without_eur:.2f}"]
    return cells


def show_house(console: Console, view: HouseView, zone: Zone) -> None:
    """Print a household's figures and contracts.

    Args:
        console: The console to print on.
        view: The results to print.
        zone: Display zone of times.
    """
    name = f'"{view.name}" (id {view.house})' if view.name and view.name != view.house else view.house
    how = unfinished(view.run.state, view.covered_share)
    table = _figures_table(f"House {name}, run {view.run.run}, seed {view.run.seed}{f', {how}' if how else ''}")
    split = view.split
    for title, wh in (
        ("Energy consumed", split.consumed_wh),
        ("  from own panels", split.own_wh),
        ("  from neighbours", split.neighbours_wh),
        ("  from the grid", split.grid_wh),
        ("Energy produced", view.produced_wh),
        ("  sold to neighbours", view.sold_wh),
    ):
        table.add_row(title, kwh(wh))
    table.add_row("Self-sufficiency", percent(view.self_sufficiency))
    table.add_row("Peak-to-average ratio of consumption", ratio(view.consumption_peak_to_average))
    table.add_row("Peak-to-average ratio of production", ratio(view.production_peak_to_average))
    table.add_row("Load factor", ratio(view.load_factor))
    if view.bill is not None:
        table.add_row("Bill", f"{view.bill.with_eur:.2f} EUR")
        for title, eur in view.member.named_lines() if view.member else ():
            table.add_row(f"  {title}", f"{eur:.2f} EUR")
        table.add_row("Bill without neighbourhood", f"{view.bill.without_eur:.2f} EUR")
    console.print(table)
    _show_contracts(console, "Jobs of this house", view.contracts, zone)
    if view.supplied:
        _show_contracts(console, "Jobs of other houses that it supplies", view.supplied, zone)


def house_json(view: HouseView) -> dict[str, Any]:
    """Return a household's figures and contracts, fit for JSON; times are UNIX seconds."""
    return {
        "run": view.run.run,
        "seed": view.run.seed,
        "state": view.run.state,
        "complete": view.run.is_complete,
        "covered_share": view.covered_share,
        "house": view.house,
        "name": view.name,
        **asdict(view.split),
        "produced_wh": view.produced_wh,
        "sold_wh": view.sold_wh,
        "self_sufficiency": view.self_sufficiency,
        "consumption_peak_to_average": view.consumption_peak_to_average,
        "production_peak_to_average": view.production_peak_to_average,
        "load_factor": view.load_factor,
        "bill": None if view.bill is None else {**asdict(view.bill), "saving_eur": view.bill.saving_eur},
        "community": None if view.member is None else view.member.as_dict(),
        "contracts": [_contract_json(row) for row in view.contracts],
        "supplied": [_contract_json(row) for row in view.supplied],
    }


def _contract_json(row: ContractRow) -> dict[str, Any]:
    """Return a contract fit for JSON, with the energy that each supplier gives by it, the grid among them."""
    suppliers = [{"producer": producer, "energy_wh": wh} for producer, wh in row.energy_by_supplier]
    return {**asdict(row), "suppliers": suppliers}


def _show_contracts(console: Console, title: str, rows: Sequence[ContractRow], zone: Zone) -> None:
    dates = {zone.at(row.start_s).date() for row in rows}
    on = f" on {dates.pop()}" if len(dates) == 1 else ""
    starts = [zone.exact_clock(row.start_s) if on else _moment(zone, row.start_s) for row in rows]
    figures = [
        ("start", starts),
        ("kWh", [_number(row.energy_wh) for row in rows]),
        ("panels", [percent(row.delivered_wh / row.energy_wh if row.energy_wh else None) for row in rows]),
    ]
    if any(row.producer == SHARED for row in rows):
        given = [[_number(wh) for _, wh in row.energy_by_supplier] for row in rows]
        figures.insert(0, ("gives", ["\n".join(each) for each in given]))
    room = console.width - sum(_width([name, *cells]) + _GAP for name, cells in figures)
    suppliers = [[name for name, _ in row.energy_by_supplier] for row in rows]
    texts = {
        "job": [row.job_id for row in rows],
        "profile": [row.profile for row in rows],
        "supplier": ["\n".join(each) for each in suppliers],
    }
    wanted = [_width([name, *cells]) for name, cells in texts.items()]
    widths = shared_widths(wanted, (MIN_JOB_WIDTH, MIN_TEXT_WIDTH, MIN_SUPPLIER_WIDTH), room - _GAP * len(texts) + 1)
    table = _table(f"{title}; start times {zone.name}{on}")
    # Ids wrap, so that they can be copied; other columns stay on one line for each supplier.
    table.add_column("job", overflow="fold", width=widths[0])
    table.add_column("profile", no_wrap=True, width=widths[1])
    table.add_column("supplier", no_wrap=True, width=widths[2])
    for name, _ in figures:
        table.add_column(name, justify="right", no_wrap=True)
    for row, names, *cells in zip(rows, suppliers, *(cells for _, cells in figures), strict=True):
        profile = fit(row.profile, widths[1], is_id=True).rstrip()
        supplier = "\n".join(fit(name, widths[2], is_id=True).rstrip() for name in names)
        table.add_row(row.job_id, profile, supplier, *cells)
    console.print(table)


def _width(cells: Iterable[str]) -> int:
    """Return the width of the widest line of some cells."""
    return max(cell_len(line) for cell in cells for line in cell.split("\n"))


def shared_widths(wanted: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Divide a width among columns: as wide as wanted, else the widest ones shrink first.

    Args:
        wanted: Preferred widths, in cells.
        least: Minimum widths, in cells; returned (unless less is wanted) even if they exceed `room`.
        room: Total width, in cells.
    """
    widths = list(wanted)
    while sum(widths) > room:
        spare = [width - min(low, want) for width, low, want in zip(widths, least, wanted, strict=True)]
        widest = max(range(len(widths)), key=lambda i: (spare[i], -i))
        if spare[widest] <= 0:
            break
        widths[widest] -= 1
    return widths


def _table(title: str) -> Table:
    return Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False
    )


def _number(wh: float) -> str:
    return f"{wh / 1000:,.2f}"


def _moment(zone: Zone, time_s: int) -> str:
    return f"{zone.at(time_s):%Y-%m-%d} {zone.exact_clock(time_s)}"
