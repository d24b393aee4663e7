"""`ssmic clock`: the time authority and the manager of a run whose households are separate processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from broker import ClockTakenError, SsmicError, plural
from tui.cli.options import (
    DEFAULT_JOURNAL,
    DEFAULT_LIMIT_WALL_S,
    Algorithm,
    AlgorithmOptions,
    AllowOutside,
    AsJson,
    BrokerOption,
    HomeAssistant,
    Impatient,
    Journal,
    Keep,
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
    refuse_shared_files,
    takes_groups,
)
from tui.exit_codes import code_for_supervisor, print_notes
from tui.log_level import LogLevel
from tui.safe_output import listed, plugins_on_stderr

if TYPE_CHECKING:
    from broker.transport import MqttBroker
    from scenarios import Scenario
    from scenarios.simulation import RunSettings, ScoresFile

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_EXAMPLES = """
\b
Examples:
  ssmic clock street --broker mqtt://broker.example --run monday
  ssmic clock street --broker mqtts://broker.example --user clock --password-file clock.password --on-loss drop

Restarted after a crash with the same journal, it resumes where it was.

Exit codes: 0 done, 1 the run failed, 2 wrong usage, 3 invalid scenario, 4 broker unreachable or lost,
6 broker refuses the login or is not trusted, 75 try again (households missing, disk full), 130 or 143 ended by Ctrl-C
or SIGTERM. Restarting helps after 4 and 75 only.
"""


@app.command(epilog=_EXAMPLES, short_help="Run the clock of a deployment whose households are separate processes.")
@takes_groups
def clock(
    ctx: typer.Context,
    scenario: ScenarioArgument,
    broker: BrokerOption,
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
    days: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Days to simulate. [default: from the scenario, else until the last job has run]",
            envvar="SSMIC_DAYS",
        ),
    ] = None,
    pace: Annotated[
        str,
        typer.Option(
            metavar="max|1x|60x...",
            help="Speed of virtual time: max, or a factor of real time such as 60x.",
            envvar="SSMIC_PACE",
        ),
    ] = "max",
    catch_up: Annotated[
        str,
        typer.Option(
            metavar="none|2x|max...",
            help="What happens to time during which a household, the broker or the machine was away. none: it is lost; "
            "2x, ...: it is made up for at this multiple of the pace; max: as fast as possible.",
            envvar="SSMIC_CATCH_UP",
        ),
    ] = "none",
    on_loss: Annotated[
        Literal["wait", "drop", "fail"],
        typer.Option(
            help="What to do when a household is lost. wait: wait up to the limit, then fail; drop: continue without "
            "it after the limit, or when it fails; fail: fail at once. A household that breaks the protocol is "
            "excluded, except with fail.",
            envvar="SSMIC_ON_LOSS",
        ),
    ] = "wait",
    keep: Keep = False,
    home_assistant: HomeAssistant = False,
    limit: Limit = DEFAULT_LIMIT_WALL_S,
    journal: Journal = DEFAULT_JOURNAL,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The results file. [default: results/<run>.sqlite]", envvar="SSMIC_OUT"),
    ] = None,
    scores: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Keep the producers' scores in this file between runs. [default: a file beside the results, with "
            "which a repeated run begins with the same scores again]",
            envvar="SSMIC_SCORES",
        ),
    ] = None,
    reset_scores: Annotated[
        bool, typer.Option("--reset-scores", help="Start from fresh producer scores.", envvar="SSMIC_RESET_SCORES")
    ] = False,
    login: LoginOptions,
    as_json: AsJson = False,
    log_level: LogLevel = None,
) -> None:
    """Keep the time and the ledger of a run whose households are separate processes.

    Waits until every household of the scenario has connected, and names those that have not.
    """
    from broker import file_name
    from broker.clock import CatchUp, Pace
    from broker.protocol import Timeouts
    from broker.security import CLOCK
    from scenarios import run_notes
    from scenarios.load import load
    from scenarios.simulation import RunSettings
    from tui.cli.broker_access import deployed_broker
    from tui.cli.settings import (
        negotiation_settings,
        options_without_effect,
        plugins_without_effect,
        refuse_foreign_settings,
        scenario_algorithm,
        supply_settings,
        with_promise,
        with_strategy,
    )
    from tui.logs import configure_logs, log_file_of

    refuse_shared_files(read=(scenario,), written=(("--out", out), ("--scores", scores)))
    level = log_level or ctx.obj
    configure_logs(level)
    virtual_pace, catching_up = Pace.parse(pace), CatchUp.parse(catch_up)
    found = load(scenario, chosen_values(set_), allow_outside=allow_outside)
    loaded = with_promise(with_strategy(found.scenario, strategy), promise)
    supplied = supply_settings(loaded, supply_options)
    notes = run_notes(loaded, days, supplied)
    chosen = scenario_algorithm(loaded, algorithm, algorithm_options)
    refuse_foreign_settings(ctx, chosen.name)
    negotiating = negotiation_settings(negotiation_options)
    unused = [*options_without_effect(ctx, supplied), *plugins_without_effect([chosen], negotiating.ranking)]
    if given(ctx, "catch_up") and catching_up.factor is not None and virtual_pace.factor is None:
        unused.append(f"--catch-up {catch_up} has no effect as long as the pace is max: no time is lost")
    print_notes((*found.notes, *(note.what for note in notes), *unused))
    settings = RunSettings(
        run_id=run or loaded.name,
        seed=loaded.seed if seed is None else seed,
        algorithm=chosen,
        supply=supplied,
        patient=not impatient,
        negotiating=negotiating,
        patience=Timeouts(limit_wall_s=limit),
        journals=journal,
        days=days,
        pace=virtual_pace,
        catch_up=catching_up,
        on_loss=on_loss,
        keep=keep,
        home_assistant=home_assistant,
    )
    connection = deployed_broker(
        broker,
        login.access,
        lost_after_wall_s=limit,
        on_command_line=given(ctx, "broker"),
        logins=(CLOCK,),
    )
    results_file = out or Path("results") / f"{file_name(settings.run_id)}.sqlite"
    configure_logs(level, log_file_of(results_file))
    kept, key = _scores_of(loaded, settings, results_file, scores)
    begin = partial(kept.beginning, [key], afresh=reset_scores)
    _keep_time(loaded, settings, connection, results_file, kept, begin, as_json=as_json)


def _scores_of(
    scenario: Scenario, settings: RunSettings, results_file: Path, scores: Path | None
) -> tuple[ScoresFile, str]:
    """Return the file that keeps the producers' scores between runs, and the run's key in it.

    Args:
        scenario: The scenario.
        settings: The run.
        results_file: Its results.
        scores: The file that the user named; None: one beside the results.
    """
    from scenarios.simulation import ScoresFile, run_key

    key = run_key(
        scenario,
        settings.seed,
        settings.algorithm,
        settings.days,
        patient=settings.patient,
        negotiating=settings.negotiating,
        supply=settings.supply,
    )
    if scores is not None:
        # A named file is used as it is, but a restarted clock begins with the same scores as before.
        key = f"{key}/{settings.run_id}"
    return ScoresFile.beside(results_file, scenario.name, scores), key


def _keep_time(
    loaded: Scenario,
    settings: RunSettings,
    connection: MqttBroker,
    results_file: Path,
    kept: ScoresFile,
    begin: Callable[[], AbstractAsyncContextManager[Sequence[Mapping[str, int]]]],
    *,
    as_json: bool,
) -> None:
    """Keep the time of a run until it ends, then show its results.

    Everything runs in one event loop: when a loop ends, systemd is notified that the service is stopping.

    Args:
        loaded: The scenario.
        settings: The run, without the scores that it begins with.
        connection: The broker.
        results_file: The run's results.
        kept: The producers' scores between runs.
        begin: Returns the scores that the run begins with; remembers them unless the context fails.
        as_json: Whether the results are shown as JSON.
    """
    from agents import MANAGER
    from scenarios.deployment import open_record
    from scenarios.simulation import RunCallbacks, run_scenario
    from tui.cli.output import notes
    from tui.cli.simulate import after_failing, exit_code_of, reporting_interruption, show_results
    from tui.signals import run_until_interrupted

    def on_missing(houses: tuple[str, ...]) -> None:
        notes().print(f"Waiting for {plural(len(houses), 'host')}: {listed(houses)}", soft_wrap=True)

    is_ours: list[bool] = []

    async def keep_time() -> int:
        with ExitStack() as recording:
            async with begin() as (begun_with,):
                begun = replace(settings, scores=begun_with)
                record = recording.enter_context(open_record(results_file, loaded, begun))
            is_ours.append(True)
            notes().print(f"Run {settings.run_id!r} at {connection.url}", soft_wrap=True)
            outcome = await run_scenario(
                loaded,
                begun,
                connection,
                local_hosts=[MANAGER],
                recorder=record.writer,
                callbacks=RunCallbacks(on_moment=record.moment, on_missing=on_missing),
            )
            record.ended(outcome)
        if outcome.state == "done":
            await kept.learn(begun_with, outcome.scores)
        return exit_code_of([outcome])

    failures: list[SsmicError] = []
    with plugins_on_stderr(), reporting_interruption(code_of=code_for_supervisor, failures=failures) as codes:
        codes.append(run_until_interrupted(keep_time()))
    code = max(codes)
    with after_failing(code, failures):
        # If another clock is active, the run and its results are not ours.
        if is_ours and not any(isinstance(failure, ClockTakenError) for failure in failures):
            show_results(results_file, as_json=as_json)
    if code:
        raise typer.Exit(code)
