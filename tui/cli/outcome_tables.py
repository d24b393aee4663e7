"""The tables of how runs ended, and of the best plan: `ssmic run`, `ssmic results show`, `ssmic optimum`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table

from broker import plural
from scenarios.metrics import SampleStatistics, sample_statistics
from tui.cli.figure_tables import DIVIDER, GAP, column_widths, new_table
from tui.formatting import kwh, number_kwh, percent, ratio, unfinished, without

if TYPE_CHECKING:
    from scenarios.optimum import Optimum, SharedOptimum

MAX_PRODUCERS = 12
"""Producers listed by name; the rest are summed up."""
MAX_DISPUTES = 10
"""Disputes that are listed for each run; the rest are counted."""

_ABOVE_ALL = (
    "PySSMic's rule promises more than the forecasts, which no contract does: neither the best plan nor the bound "
    "limits it."
)

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
    if len(runs) == 1 and any((baseline["share"] or 0.0) > 1.0 for baseline in runs[0].get("baselines", ())):
        console.print(_ABOVE_ALL, soft_wrap=True)


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


def figures_table(title: str, *, has_share: bool = False) -> Table:
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
    table = figures_table(
        f"{simulation['scenario']}, {simulation['algorithm']}{_supply(simulation)}, seed {run['seed']}{state}",
        has_share=True,
    )
    for row in (*_consumed(run), *_base_load(kpis)):
        table.add_row(*row)
    table.add_row("Energy produced", kwh(kpis["produced_wh"]), "")
    table.add_row("Self-consumption", percent(kpis["self_consumption"]), "")
    table.add_row("Self-sufficiency", percent(kpis["self_sufficiency"]), "")
    if kpis["possible_wh"]:
        table.add_row("Possible given production and windows", kwh(kpis["possible_wh"]), "")
        table.add_row("  reached", kwh(kpis["delivered_wh"]), percent(kpis["share_of_possible"]))
    table.add_row("Peak-to-average ratio of consumption", ratio(kpis["consumption_peak_to_average"]), "")
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
    for row in _compared_rows(run, simulation["supply"]):
        table.add_row(*row)
    if run["wall_s"] is not None:
        table.add_row("Run time", f"{run['wall_s']:.2f} s", "")
    return table


def _compared_rows(run: Json, supply: str) -> Iterator[tuple[str, str, str]]:
    """Yield the rows that compare a run, under a rule of supply, with the optima that it was compared with."""
    delivered = kwh(run["kpis"]["delivered_wh"])
    if "optimum" in run:
        optimum = run["optimum"]
        of_rule = ", whole jobs" if supply == "shared" else ""
        yield (f"Best plan known{of_rule}", kwh(optimum["best_wh"]), "")
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
    table = figures_table(f"{scenario}, best plan with perfect knowledge")
    table.add_row("Best known plan that panels cover in full", kwh(optimum.best_wh))
    table.add_row("Upper bound for plans that panels cover in full", kwh(optimum.carried_bound_wh))
    table.add_row("Upper bound for any run with whole jobs", kwh(optimum.bound_wh))
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
    table = figures_table(f"{scenario}, best plan with shared supply", has_share=True)
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
    ("of pos-\nsible", "share_of_possible"),
    ("peak/\navg", "consumption_peak_to_average"),
)


_OF_BEST = {"optimum": "of best", "shared_optimum": "of shared\nbest"}
"""By optimum that runs may be compared with, the title of the share's column."""


def _several_runs(simulation: Json, runs: Sequence[Json], width: int) -> RenderableType:
    titles_of = {**_OF_BEST, "optimum": "of whole\nbest"} if simulation["supply"] == "shared" else _OF_BEST
    compared = {name: title for name, title in titles_of.items() if any(name in run for run in runs)}
    complete = [run for run in runs if run["complete"]]
    counted = plural(len(runs), "run") + ("" if len(complete) == len(runs) else f", {len(complete)} of them complete")
    left_out = {"self_consumption", "share_of_possible"}
    if len(compared) > 1:
        left_out.add("consumption_peak_to_average")
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
    kept, gap = _columns_that_fit(column_widths(titles, [*rows, *sums]), width)
    table = new_table(
        f"{simulation['scenario']}, {simulation['algorithm']}{_supply(simulation)}, {counted}; energy in kWh", gap
    )
    for title in titles[:kept]:
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row[:kept])
    table.add_section()
    for row in sums:
        table.add_row(*row[:kept])
    return table


def _columns_that_fit(widths: Sequence[int], width: int) -> tuple[int, int]:
    """Return how many columns, from the left, fit into a width in cells, and the gap between them.

    The gap is narrowed before a column is dropped.
    """

    def that_fit(gap: int) -> int:
        return max(n for n in range(1, len(widths) + 1) if n == 1 or sum(widths[:n]) + gap * (n - 1) <= width)

    gap = GAP if that_fit(GAP) == len(widths) else DIVIDER
    return that_fit(gap), gap


def _mean(spread: SampleStatistics) -> float | None:
    return spread.mean


def _deviation(spread: SampleStatistics) -> float | None:
    return spread.standard_deviation


def _half_width(spread: SampleStatistics) -> float | None:
    """Return the half-width of the 95 % interval of the mean."""
    return None if spread.high_95 is None or spread.mean is None else spread.high_95 - spread.mean


def _cell(name: str, value: float | None) -> str:
    if name.endswith("_wh"):
        return "-" if value is None else number_kwh(value)
    return ratio(value) if name.endswith("average") else percent(value)
