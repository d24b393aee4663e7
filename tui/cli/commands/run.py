"""`ssmic run`: simulate a scenario, one or more runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from broker import shown
from broker.protocol import LIMIT_WALL_S
from tui.cli.options import (
    AlgorithmOptions,
    Algorithms,
    AllowOutside,
    AnyBroker,
    AsJson,
    CompareTo,
    HomeAssistant,
    Keep,
    LoginOptions,
    NegotiationOptions,
    PromiseOption,
    ScenarioArgument,
    SetVariables,
    Strategy,
    SupplyOptions,
    chosen_values,
    given,
    parse_id,
    refuse_shared_files,
    refuse_without,
    takes_groups,
)
from tui.log_level import LogLevel

if TYPE_CHECKING:
    from agents.scheduling import AlgorithmSettings
    from scenarios import Scenario
    from scenarios.simulation import Plan

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_EXAMPLES = """
\b
Examples:
  ssmic run street
  ssmic run my-street.yaml --days 2 --algorithm fifty_fifty --seed 7
  ssmic run pyssmic/test --bus memory --runs 20 --workers 4 --json
  ssmic run scarce --supply shared
  ssmic run street --broker mqtt://user:secret@broker.example:1883 --hosts 3
  ssmic run street --pace 600x
  ssmic run large.yaml --processes 2
  ssmic run my-street.yaml --set houses_at_home=3 --junit report.xml
  ssmic run street --algorithm insertion,SLSQP,exact --runs 20 --to table.tex --to figure.svg

Exit codes: 0 done, 1 the run failed, 2 wrong usage, 3 invalid scenario, 4 broker unreachable or lost,
5 an expectation of the scenario does not hold, 6 broker refuses the login or is not trusted,
130 or 143 ended by Ctrl-C or SIGTERM.
"""


def _spread_of(
    hosts: str | None, processes: int | None, workers: int | None, bus: str | None
) -> int | Literal["houses"] | None:
    """Return what `--hosts` says.

    Raises:
        typer.BadParameter: It is neither a number of at least 1 nor `houses`, or does not fit `--processes`; or that
            does not fit `--bus` or `--workers`.
    """
    spread: int | Literal["houses"] | None = None
    if hosts == "houses":
        spread = "houses"
    elif hosts is not None:
        from scenarios import whole_number_of
        from scenarios.simulation import MOST_HOSTS

        spread = whole_number_of(hosts)
        if not spread or spread > MOST_HOSTS:
            what = f"{shown(hosts)} is neither a whole number from 1 to {MOST_HOSTS} nor 'houses'"
            raise typer.BadParameter(what, param_hint="--hosts")
    if processes is not None and processes > 1:
        if bus == "memory":
            raise typer.BadParameter("goes with --bus mqtt only", param_hint="--processes")
        if workers is not None and workers > 1:
            what = "cannot be combined with --processes, with which one run is executed after another"
            raise typer.BadParameter(what, param_hint="--workers")
        if isinstance(spread, int) and spread < processes:
            raise typer.BadParameter(f"more than the {spread} hosts of --hosts", param_hint="--processes")
    return spread


def _broker_for(ctx: typer.Context, bus: str | None, broker: str | None, *, home_assistant: bool) -> str | None:
    """Return the broker that a bus has.

    Raises:
        typer.BadParameter: The bus has none, but something on the command line needs one.
    """
    if bus != "memory":
        return broker
    for option in ("broker", "keep"):
        if given(ctx, option):
            raise typer.BadParameter("goes with --bus mqtt only", param_hint=f"--{option}")
    if home_assistant:
        raise typer.BadParameter("goes with --bus mqtt only", param_hint="--home-assistant")
    return None


@app.command(epilog=_EXAMPLES)
@takes_groups
def run(
    ctx: typer.Context,
    scenario: ScenarioArgument,
    *,
    allow_outside: AllowOutside = False,
    days: Annotated[
        int | None,
        typer.Option(min=1, help="Days to simulate. [default: from the scenario, else until the last job has run]"),
    ] = None,
    algorithm: Algorithms = None,
    strategy: Strategy = None,
    algorithm_options: AlgorithmOptions,
    supply_options: SupplyOptions,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Seed of the first run; each further run uses the next. [default: from the scenario]"),
    ] = None,
    runs: Annotated[int, typer.Option(min=1, max=1_000_000, help="Number of runs, each with its own seed.")] = 1,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Worker processes. [default: one per run, at most one per core]")
    ] = None,
    promise: PromiseOption = None,
    messages: Annotated[
        Literal["all", "contracts", "none"],
        typer.Option(
            help="Which messages the results file keeps: all; contracts: only those that make contracts; none: the "
            "fastest. Contracts and figures are the same."
        ),
    ] = "all",
    negotiation_options: NegotiationOptions,
    impatient: Annotated[
        bool,
        typer.Option("--impatient", help="A job that no producer can supply takes grid power at once, as in PySSMic."),
    ] = False,
    bus: Annotated[
        Literal["memory", "mqtt"] | None,
        typer.Option(
            help="Transport for the agents' messages. "
            "[default: mqtt; memory if the neighbourhood is too large for a broker]"
        ),
    ] = None,
    broker: AnyBroker = None,
    login: LoginOptions,
    keep: Keep = False,
    home_assistant: HomeAssistant = False,
    hosts: Annotated[
        str | None,
        typer.Option(
            metavar="N|houses",
            help="Number of hosts, each with a connection of its own, over which the agents are spread; 'houses': one "
            "for each household. [default: 1, the fastest; houses with a --pace, with real devices, or if the "
            "timeline disturbs links]",
        ),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of processes over which the households of each run are spread, at most one per household, "
            "on one broker; several runs are then executed one after another. [default: one process per run]",
        ),
    ] = None,
    limit: Annotated[
        float,
        typer.Option(
            min=0.1,
            metavar="S",
            help="Seconds without contact with the broker or a host before the run fails.",
        ),
    ] = LIMIT_WALL_S,
    pace: Annotated[
        str,
        typer.Option(
            metavar="max|1x|60x...",
            help="Speed of virtual time: max, or a factor of real time such as 60x. "
            "[default: max; 1x with real devices]",
        ),
    ] = "",
    run_id: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="ID",
            help="Id of the run at the broker, by which devices and watchers find it. [default: a unique one]",
            parser=parse_id,
        ),
    ] = None,
    guests: Annotated[
        int,
        typer.Option(min=0, max=100, help="Real devices of each type that may join each house during the run."),
    ] = 0,
    scores: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Keep the producers' scores in this file between simulations. Several algorithms all begin with the "
            "scores in it and do not change it. [default: a file beside the results, with which a repeated "
            "run begins with the same scores again; for several algorithms: fresh scores]",
        ),
    ] = None,
    reset_scores: Annotated[bool, typer.Option("--reset-scores", help="Start from fresh producer scores.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The results file; for a single algorithm only. "
            "[default: results/<date>_<time>_<scenario>_<algorithm>_<runs>.sqlite, one for each algorithm]",
        ),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With real devices: also record their messages in this file, for `ssmic replay`.",
        ),
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Report the share of the clairvoyant optimum reached.")
    ] = False,
    compare_supply: Annotated[
        Literal["whole", "shared", "both"] | None,
        typer.Option(
            help="Implies --compare, and selects the optimum: for whole jobs, for supply shared by all panels (the "
            "most that production and windows allow under any rule), or both. [default: the run's rule]",
            show_default=False,
        ),
    ] = None,
    time_limit: Annotated[
        float, typer.Option(min=0.1, metavar="S", help="With --compare: time limit for computing the optimum, seconds.")
    ] = 30.0,
    to: CompareTo = None,
    set_: SetVariables = None,
    junit: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the verdicts on the scenario's expectations as JUnit XML, for CI. An invalid scenario or a "
            "failed run is reported as an error.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="With --to: overwrite files of the same names.")] = False,
    as_json: AsJson = False,
    log_level: LogLevel = None,
) -> None:
    """Run a neighbourhood on a virtual clock and print the results."""
    from broker.clock import Pace
    from scenarios import run_notes
    from scenarios.devices import with_guests
    from scenarios.load import load
    from scenarios.results import check_writable
    from scenarios.results.comparison import check_files
    from scenarios.simulation import Plan
    from tui.cli.broker_access import chosen_access
    from tui.cli.settings import (
        algorithm_names,
        algorithm_settings,
        negotiation_settings,
        options_without_effect,
        plugins_without_effect,
        refuse_foreign_settings,
        scenario_algorithms,
        supply_settings,
        with_promise,
        with_strategy,
    )
    from tui.cli.simulate import junit_of_failure, simulate
    from tui.exit_codes import print_notes
    from tui.logs import configure_logs

    broker = _broker_for(ctx, bus, broker, home_assistant=home_assistant)
    names = algorithm_names(algorithm)
    _refuse_to_overwrite(out, names)
    spread = _spread_of(hosts, processes, workers, bus)
    targets = to or []
    is_compared = compare or compare_supply is not None
    refuse_without(ctx, "time_limit", "--compare", is_there=is_compared)
    refuse_without(ctx, "force", "--to FILE", is_there=bool(targets))
    check_files(targets, overwrite=force)
    for written in filter(None, (out, junit, record)):
        check_writable(written)
    outputs = (("--out", out), ("--record", record), ("--junit", junit), ("--scores", scores))
    refuse_shared_files(read=(scenario,), written=(*outputs, *(("--to", file) for file in targets)))
    access = chosen_access(broker, login.access, on_command_line=given(ctx, "broker"))
    refuse_without(ctx, "keep", "--broker URL: a private broker ends with the run", is_there=access is not None)
    level = log_level or ctx.obj
    configure_logs(level)
    for name in names:
        algorithm_settings(name, algorithm_options)  # report wrong usage first
    negotiating = negotiation_settings(negotiation_options)

    with junit_of_failure(junit, scenario):
        found = load(scenario, chosen_values(set_), allow_outside=allow_outside)
    loaded = with_promise(with_strategy(with_guests(found.scenario, guests), strategy), promise)
    _refuse_what_does_not_fit(loaded, runs * len(names), run_id=run_id, record=record, bus=bus, pace=pace)
    algorithms = scenario_algorithms(loaded, names, algorithm_options)
    refuse_foreign_settings(ctx, *(chosen.name for chosen in algorithms))
    supplied = supply_settings(loaded, supply_options)
    notes = (note.what for note in run_notes(loaded, days, supplied))
    unused = plugins_without_effect(algorithms, negotiating.ranking)
    if junit is not None and not loaded.expectations:
        unused.append("the scenario has no expectations, so the report of --junit has no tests")
    print_notes((*found.notes, *notes, *options_without_effect(ctx, supplied), *unused))

    first_seed = loaded.seed if seed is None else seed
    plan = Plan(
        scenario=loaded,
        seeds=tuple(range(first_seed, first_seed + runs)),
        supply=supplied,
        bus=bus or "mqtt",
        broker=broker if access is None else access.url,
        tls=None if access is None else access.tls,
        hosts=spread,
        processes=processes,
        days=days,
        pace=Pace.parse(pace) if pace else Pace(1.0) if loaded.gateways else Pace(),
        patient=not impatient,
        negotiating=negotiating,
        limit_wall_s=limit,
        keep=keep,
        run_id=run_id,
        home_assistant=home_assistant,
        workers=workers,
        scores_file=scores,
        reset_scores=reset_scores,
        kept_messages=messages,
        out=out,
    )
    if bus is None and not (broker or home_assistant):
        plan = _on_a_bus_that_fits(plan)
    with junit_of_failure(junit, scenario):
        plans = _one_for_each(plan, algorithms)
    simulate(
        plans,
        level,
        as_json=as_json,
        compare_wall_s=time_limit if is_compared else None,
        compare_supply=compare_supply,
        to=targets,
        overwrite=force,
        record=record,
        junit=junit,
    )


def _refuse_to_overwrite(out: Path | None, algorithms: Sequence[str | None]) -> None:
    """Check that a results file can be written for the algorithms.

    Raises:
        typer.BadParameter: It exists already, or each of several algorithms would write it.
    """
    if out is not None and len(algorithms) > 1:
        raise typer.BadParameter("names one file, but each algorithm writes its own; omit it", param_hint="--out")
    if out is not None and out.exists():
        raise typer.BadParameter(f"{out} exists already; refusing to overwrite results", param_hint="--out")


def _refuse_what_does_not_fit(
    scenario: Scenario, runs: int, *, run_id: str | None, record: Path | None, bus: str | None, pace: str
) -> None:
    """Check that the options fit the number of runs, and the real devices of the scenario or their absence.

    Args:
        scenario: The scenario.
        runs: Number of runs, those of all algorithms together.
        run_id: The id of a run; None: a unique one.
        record: The file for the messages of real devices; None: they are not recorded.
        bus: The transport; None: the default.
        pace: The pace; empty: the default.

    Raises:
        typer.BadParameter: They do not.
    """
    from tui.cli.commands.devices import refuse_what_devices_cannot

    if run_id is not None and runs > 1:
        raise typer.BadParameter("names a single run; omit it, or do only one run", param_hint="--run")
    if record is not None and not scenario.gateways:
        raise typer.BadParameter("the scenario has no real devices to record", param_hint="--record")
    if scenario.gateways:
        refuse_what_devices_cannot(bus or "mqtt", runs, pace)


def _on_a_bus_that_fits(plan: Plan) -> Plan:
    """Return the plan, in memory if the neighbourhood is too large for a broker; then tell the user so."""
    from tui.exit_codes import print_notes

    fitting = plan.with_a_bus_that_fits()
    if fitting.bus == "memory":
        print_notes(("too many agents for a broker: the run is in memory, as with --bus memory",))
    return fitting


def _one_for_each(plan: Plan, algorithms: Sequence[AlgorithmSettings]) -> Sequence[Plan]:
    """Return a plan for each algorithm; several begin with equal scores."""
    from scenarios.simulation import from_equal_scores

    plans = [replace(plan, algorithm=algorithm) for algorithm in algorithms]
    return plans if len(plans) == 1 else from_equal_scores(plans)
