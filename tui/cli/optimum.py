"""`ssmic optimum`: the clairvoyant optimum of a scenario."""

from __future__ import annotations

from typing import Annotated

import typer

from tui.cli.options import AllowOutside, ScenarioArgument, SetVariables, chosen_values
from tui.log_level import LogLevel

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(epilog="Example: ssmic optimum scarce --time-limit 120")
def optimum(
    ctx: typer.Context,
    scenario: ScenarioArgument,
    allow_outside: AllowOutside = False,
    set_: SetVariables = None,
    time_limit: Annotated[
        float,
        typer.Option(min=0.1, metavar="S", help="Time limit, seconds; the best plan found by then is reported."),
    ] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print a single JSON object on standard output.")] = False,
    log_level: LogLevel = None,
) -> None:
    """Compute the best plan possible with perfect foresight.

    It knows all jobs and the actual production in advance; a proven bound limits every plan.
    """
    from scenarios.load import load_scenario
    from scenarios.optimum import clairvoyant_optimum, optimum_json
    from tui.cli.output import optimum_progress, own_output
    from tui.cli.simulate import print_json
    from tui.cli.tables import optimum_table
    from tui.console import output
    from tui.logs import configure_logs
    from tui.signals import end_now, signals_heard

    configure_logs(log_level or ctx.obj)
    loaded = load_scenario(scenario, chosen_values(set_), allow_outside=allow_outside)
    with own_output(), signals_heard(end_now), optimum_progress(time_limit) as progress:
        found = clairvoyant_optimum(loaded, time_limit_wall_s=time_limit, progress=progress)
    if not as_json:
        output().print(optimum_table(loaded.name, found, len(loaded.jobs)))
        return
    plan = [
        {"job_id": job_id, "producer": producer, "start": start_s}
        for job_id, (producer, start_s) in sorted(found.plan.items())
    ]
    print_json({"scenario": loaded.name, **optimum_json(found), "plan": plan})
