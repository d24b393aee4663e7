"""What a simulation came to, as a table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table

from scenarios.metrics.statistics import Spread, spread_of
from scenarios.optimum.optimum import Optimum
from tui.cli.figures import kwh, percent, ratio, unfinished

MAX_PRODUCERS = 12
"""So many are listed by name; the rest is summed up."""

Json = Mapping[str, Any]


def show_outcome(console: Console, simulation: Json) -> None:
    """Print what came out: one run in full, several as rows with mean and standard deviation.

    Args:
        console: Where to.
        simulation: What `scenarios.results.summary.simulation_json` returns.
    """
    runs: Sequence[Json] = simulation["runs"]
    if not runs:
        console.print("no run has begun")
    elif len(runs) == 1:
        console.print(_one_run(simulation, runs[0]))
    else:
        console.print(_several_runs(simulation, runs, console.width))
    for run in runs:
        how = unfinished(run["state"], run["covered_share"])
        if how and len(runs) > 1:
            console.print(f"* seed {run['seed']}: {how}; its figures cover that part only and enter no mean")
        elif how:
            console.print(f"The run was {how}: its figures cover that part only.")


def _one_run(simulation: Json, run: Json) -> RenderableType:
    kpis: Json = run["kpis"]
    how = unfinished(run["state"], run["covered_share"])
    state = f", {how}" if how else ""
    table = Table(
        title=f"{simulation['scenario']}, {simulation['algorithm']}, seed {run['seed']}{state}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_header=False,
    )
    table.add_column("figure", overflow="fold")
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    consumed_wh = kpis["consumed_wh"]
    table.add_row("Energy consumed", kwh(consumed_wh), "")
    for name, wh in _suppliers(run):
        table.add_row(f"  from {name}", kwh(wh), percent(wh / consumed_wh if consumed_wh else None))
    table.add_row(
        "  from the grid", kwh(kpis["grid_wh"]), percent(kpis["grid_wh"] / consumed_wh if consumed_wh else None)
    )
    table.add_row("Energy produced", kwh(kpis["produced_wh"]), "")
    table.add_row("Self-consumption", percent(kpis["self_consumption"]), "")
    table.add_row("Self-sufficiency", percent(kpis["self_sufficiency"]), "")
    table.add_row("Peak-to-average ratio", ratio(kpis["consumption_peak_to_average"]), "")
    table.add_row("Jobs with a contract", str(len(run["contracts"])), "")
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
    if "optimum" in run:
        optimum = run["optimum"]
        table.add_row("Best plan known", kwh(optimum["best_wh"]), "")
        table.add_row("  proven upper bound", kwh(optimum["bound_wh"]), "")
        table.add_row("  reached by the negotiation", kwh(kpis["delivered_wh"]), percent(optimum["share"]))
        for baseline in run["baselines"]:
            table.add_row(f"  by {baseline['name']}", kwh(baseline["delivered_wh"]), percent(baseline["share"]))
    if run["wall_s"] is not None:
        table.add_row("Took", f"{run['wall_s']:.2f} s", "")
    return table


def optimum_table(scenario: str, optimum: Optimum, jobs: int) -> RenderableType:
    """Return the best plan of a scenario, and how good any could be."""
    table = Table(
        title=f"{scenario}, best plan with perfect knowledge",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_header=False,
    )
    table.add_column("figure", overflow="fold")
    table.add_column("value", justify="right", no_wrap=True)
    table.add_row("Delivered by the best plan known", kwh(optimum.best_wh))
    table.add_row("Upper bound for plans that panels cover in full", kwh(optimum.carried_bound_wh))
    table.add_row("Upper bound for any run", kwh(optimum.bound_wh))
    table.add_row("Gap between plan and bound", "none: proven" if optimum.proven else percent(optimum.gap))
    table.add_row("Jobs on the sun", f"{len(optimum.plan)} of {jobs}")
    table.add_row("Took", f"{optimum.wall_s:.2f} s")
    return table


_HAPPENED = (
    ("on the grid", "jobs_on_grid"),
    ("served late", "jobs_late"),
    ("moved", "jobs_moved"),
    ("cancelled by a producer", "jobs_cancelled"),
    ("renegotiated", "jobs_renegotiated"),
    ("overlapping on their device", "jobs_overlapping"),
)
"""What happened to jobs; none of it is said where it happened to none."""


def _suppliers(run: Json) -> list[tuple[str, float]]:
    """Return who delivered how much, most first; many small ones as one."""
    delivered = sorted(
        ((producer, of["delivered_wh"]) for producer, of in run["by_producer"].items()),
        key=lambda item: (-item[1], item[0]),
    )
    if len(delivered) <= MAX_PRODUCERS:
        return delivered
    named, rest = delivered[: MAX_PRODUCERS - 1], delivered[MAX_PRODUCERS - 1 :]
    return [*named, (f"{len(rest)} other producers", sum(wh for _, wh in rest))]


_COLUMNS = (
    ("consumed", "consumed_wh"),
    ("local", "delivered_wh"),
    ("grid", "grid_wh"),
    ("self-\ncons.", "self_consumption"),
    ("self-\nsuff.", "self_sufficiency"),
    ("peak/\navg", "consumption_peak_to_average"),
)


def _several_runs(simulation: Json, runs: Sequence[Json], width: int) -> RenderableType:
    compared = any("optimum" in run for run in runs)
    complete = [run for run in runs if run["complete"]]
    counted = (
        f"{len(runs)} runs" if len(complete) == len(runs) else f"{len(runs)} runs, {len(complete)} of them complete"
    )
    columns = [column for column in _COLUMNS if not compared or column[1] != "self_consumption"]
    titles = ["seed", *(title for title, _ in columns), *(["of best"] if compared else [])]
    titles += ["negotia-\ntions", "messages", "took\n(s)"]
    rows = []
    for run in runs:
        cells = [_cell(name, run["kpis"][name]) for _, name in columns]
        if compared:
            cells.append(percent(run["optimum"]["share"] if "optimum" in run else None))
        took = "-" if run["wall_s"] is None else f"{run['wall_s']:.2f}"
        seed = f"{run['seed']}{'' if run['complete'] else '*'}"
        rows.append([seed, *cells, str(run["negotiations"]), str(run["messages"]), took])
    shares = spread_of([run["optimum"]["share"] for run in complete if "optimum" in run])
    spreads = [Spread(**simulation["statistics"][name]) for _, name in columns]
    sums = []
    for title, of in (("mean", _mean), ("± sd", _deviation), ("± 95 %", _half_width)):
        cells = [_cell(name, of(spread)) for (_, name), spread in zip(columns, spreads, strict=True)]
        sums.append([title, *cells, *([percent(of(shares))] if compared else []), "", "", ""])
    # What is there to judge the runs by is whole; how much was said and how long it took gives way.
    kept = _columns_that_fit(titles, [*rows, *sums], width)
    table = Table(
        title=f"{simulation['scenario']}, {simulation['algorithm']}, {counted}; energy in kWh",
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
    """Return how many columns, from the left, are whole in so many cells."""
    cells = [
        max(*(len(line) for line in title.split("\n")), *(len(row[i]) for row in rows))
        for i, title in enumerate(titles)
    ]
    return max(n for n in range(1, len(titles) + 1) if n == 1 or sum(cells[:n]) + n - 1 <= width)


def _mean(spread: Spread) -> float | None:
    return spread.mean


def _deviation(spread: Spread) -> float | None:
    return spread.standard_deviation


def _half_width(spread: Spread) -> float | None:
    """Return how far the 95 % interval of the mean reaches to either side."""
    return None if spread.high_95 is None or spread.mean is None else spread.high_95 - spread.mean


def _cell(name: str, value: float | None) -> str:
    if name.endswith("_wh"):
        return "-" if value is None else f"{value / 1000:,.2f}"
    return ratio(value) if name.endswith("average") else percent(value)
