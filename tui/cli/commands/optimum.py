"""`ssmic optimum`: the clairvoyant optimum of a scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tui.cli.options import AllowOutside, AsJson, ScenarioArgument, SetVariables, chosen_values
from tui.log_level import LogLevel

if TYPE_CHECKING:
    from scenarios.optimum import Optimum, SharedOptimum

app = typer.Typer(rich_markup_mode=None, add_completion=False)


_EXAMPLES = """
\b
Examples:
  ssmic optimum scarce --time-limit 120
  ssmic optimum scarce --supply shared
  ssmic optimum scarce --supply both --json
"""


@app.command(epilog=_EXAMPLES)
def optimum(
    ctx: typer.Context,
    scenario: ScenarioArgument,
    allow_outside: AllowOutside = False,
    supply: Annotated[
        Literal["whole", "shared", "both"] | None,
        typer.Option(
            show_default=False,
            help="whole: one panel supplies a job in full; shared: all panels together supply it minute by minute, and "
            "the grid the rest; both: one after the other, in half of the time limit each. "
            "[default: the scenario's rule]",
        ),
    ] = None,
    set_: SetVariables = None,
    time_limit: Annotated[
        float,
        typer.Option(min=0.1, metavar="S", help="Time limit, seconds; the best plan found by then is reported."),
    ] = 60.0,
    as_json: AsJson = False,
    log_level: LogLevel = None,
) -> None:
    """Compute the best plan possible with perfect foresight.

    The plan knows all jobs and the actual production in advance, and a proven bound limits every plan. The bound
    for shared supply also limits every run under either rule: it is the most that production and windows allow.
    """
    from scenarios.load import load_scenario
    from scenarios.optimum import clairvoyant_optimum, shared_optimum_of
    from tui.cli.outcome_tables import optimum_table, shared_optimum_table
    from tui.cli.output import optimum_progress, output, own_output
    from tui.cli.simulate import print_json
    from tui.logs import configure_logs
    from tui.signals import end_now, stopping_on_signals

    configure_logs(log_level or ctx.obj)
    loaded = load_scenario(scenario, chosen_values(set_), allow_outside=allow_outside)
    supply = supply or loaded.supply
    whole, shared, limit_wall_s = None, None, time_limit / (2 if supply == "both" else 1)
    with own_output(), stopping_on_signals(end_now), optimum_progress(time_limit) as progress:
        if supply != "shared":
            whole = clairvoyant_optimum(loaded, time_limit_wall_s=limit_wall_s, progress=progress)
        if supply != "whole":
            plans = [] if whole is None else [{job: start_s for job, (_, start_s) in whole.plan.items()}]
            shared = shared_optimum_of(loaded, plans, limit_wall_s, progress)
    if as_json:
        found = _as_json(whole, shared)
        print_json({"scenario": loaded.name, "supply": supply, **(found.get(supply, found))})
        return
    if whole is not None:
        output().print(optimum_table(loaded.name, whole, len(loaded.jobs)))
    if shared is not None:
        jobs_wh = sum(job.energy_wh for job in loaded.jobs)
        output().print(shared_optimum_table(loaded.name, shared, jobs_wh, whole))


def _as_json(whole: Optimum | None, shared: SharedOptimum | None) -> dict[str, dict[str, Any]]:
    """Return the optima that were computed, by rule, each with its plan."""
    from scenarios.optimum import optimum_json

    found: dict[str, dict[str, Any]] = {}
    if whole is not None:
        plan = [
            {"job_id": job_id, "producer": producer, "start": start_s}
            for job_id, (producer, start_s) in sorted(whole.plan.items())
        ]
        found["whole"] = {**optimum_json(whole), "plan": plan}
    if shared is not None:
        plan = [
            {"job_id": job_id, "producer": "shared", "start": start_s}
            for job_id, start_s in sorted(shared.plan.items())
        ]
        found["shared"] = {**optimum_json(shared), "plan": plan}
    return found
