"""`ssmic host`: the agents of one household, as a separate process."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from tui.cli.options import (
    DEFAULT_JOURNAL,
    DEFAULT_LIMIT_WALL_S,
    Algorithm,
    AlgorithmOptions,
    AllowOutside,
    BrokerOption,
    Impatient,
    Journal,
    Limit,
    LoginOptions,
    NegotiationOptions,
    PromiseOption,
    RunOption,
    ScenarioArgument,
    Seed,
    SetVariables,
    Strategy,
    SupplyOptions,
    chosen_values,
    given,
    parse_id,
    takes_groups,
)
from tui.exit_codes import print_notes, supervised
from tui.log_level import LogLevel
from tui.safe_output import echo, listed

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_EXAMPLES = """
\b
Examples:
  ssmic host street --house adler --broker mqtt://broker.example --run monday
  SSMIC_BROKER=mqtt://broker.example SSMIC_RUN=monday ssmic host street --house adler --house brandt

Restarted after a crash with the same journal, it resumes where it was.

Exit codes: 0 the run ended, 1 it failed or refused this household, 2 wrong usage, 3 invalid scenario,
4 broker unreachable or lost, 6 broker refuses the login or is not trusted, 75 try again (no sign of the clock, disk
full), 130 or 143 ended by Ctrl-C or SIGTERM. Restarting helps after 4 and 75 only.
"""


@app.command(epilog=_EXAMPLES, short_help="Run the agents of a household until the run ends.")
@takes_groups
def host(
    ctx: typer.Context,
    scenario: ScenarioArgument,
    broker: BrokerOption,
    house: Annotated[
        list[str],
        typer.Option(
            metavar="ID",
            help="A house of the scenario. Repeatable: several households share the process.",
            envvar="SSMIC_HOUSE",
            parser=parse_id,
        ),
    ],
    *,
    allow_outside: AllowOutside = False,
    set_: SetVariables = None,
    run: RunOption = None,
    seed: Seed = None,
    algorithm: Algorithm = None,
    strategy: Strategy = None,
    algorithm_options: AlgorithmOptions,
    negotiation_options: NegotiationOptions,
    supply_options: SupplyOptions,
    impatient: Impatient = False,
    promise: PromiseOption = None,
    limit: Limit = DEFAULT_LIMIT_WALL_S,
    journal: Journal = DEFAULT_JOURNAL,
    login: LoginOptions,
    log_level: LogLevel = None,
) -> None:
    """Run the agents of a household until the clock ends the run.

    Scenario, variables, seed, algorithm and supply must be the same as the clock's: the clock refuses a household
    that differs.
    """
    from broker.protocol import Timeouts
    from scenarios.deployment import load_part
    from scenarios.simulation import RunSettings, run_hosts
    from tui.cli.broker_access import deployed_broker
    from tui.cli.settings import (
        negotiation_settings,
        options_without_effect,
        refuse_foreign_settings,
        scenario_algorithm,
        supply_settings,
        with_promise,
        with_strategy,
    )
    from tui.logs import configure_logs
    from tui.signals import run_until_interrupted

    configure_logs(log_level or ctx.obj)
    if not given(ctx, "house"):  # else it would be divided at the blanks within an id
        house = [parse_id(line) for line in os.environ["SSMIC_HOUSE"].splitlines() if line]
    houses = list(dict.fromkeys(house))
    part = load_part(scenario, houses, chosen_values(set_), allow_outside=allow_outside)
    loaded = with_promise(with_strategy(part, strategy), promise)
    supplied = supply_settings(loaded, supply_options)
    print_notes(options_without_effect(ctx, supplied))
    chosen = scenario_algorithm(loaded, algorithm, algorithm_options)
    refuse_foreign_settings(ctx, chosen.name)
    settings = RunSettings(
        run_id=run or loaded.name,
        seed=loaded.seed if seed is None else seed,
        algorithm=chosen,
        supply=supplied,
        patient=not impatient,
        negotiating=negotiation_settings(negotiation_options),
        patience=Timeouts(limit_wall_s=limit),
        journals=journal,
    )
    connection = deployed_broker(
        broker,
        login.access,
        lost_after_wall_s=limit,
        on_command_line=given(ctx, "broker"),
        connections=len(houses),
        logins=houses,
    )
    echo(f"Run {settings.run_id!r}, {listed(houses)} at {connection.url}", err=True)
    with supervised():
        run_until_interrupted(run_hosts(loaded, settings, connection, houses))
