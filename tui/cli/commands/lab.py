"""`ssmic lab`: emulate the devices of a scenario for an external controller, and report the results."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from broker import plural
from broker.protocol import LIMIT_WALL_S
from tui.cli.options import (
    AllowOutside,
    AnyBroker,
    AsJson,
    LoginOptions,
    RunOption,
    ScenarioArgument,
    SetVariables,
    chosen_values,
    given,
    refuse_shared_files,
    refuse_without,
    takes_groups,
)
from tui.log_level import LogLevel

if TYPE_CHECKING:
    from broker.transport import Access
    from scenarios import Scenario
    from scenarios.lab import Case, FigureExpectation, Lab, LabSettings

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_EXAMPLES = """
\b
Examples:
  ssmic lab street                                        Tasmota plugs and an OpenDTU, a day in 24 minutes
  ssmic lab street --as shelly,ahoydtu --broker mqtt://127.0.0.1
  ssmic lab street --as zigbee2mqtt --from 06:00 --until 12:00 --pace 600x --faults faults.yaml
  ssmic lab street --controller "python my_controller.py" --junit verdict.xml --expect "bill_eur<=-6"

Exit codes: 0 done, 1 the lab failed or the verdict of --junit and --expect is negative, 2 wrong usage,
3 invalid scenario, 4 broker unreachable or lost, 6 broker refuses the login or is not trusted,
130 or 143 ended by Ctrl-C or SIGTERM.
"""


@app.command(epilog=_EXAMPLES, short_help="Emulate the devices of a scenario on MQTT, for an external controller.")
@takes_groups
def lab(
    ctx: typer.Context,
    scenario: ScenarioArgument,
    *,
    set_: SetVariables = None,
    allow_outside: AllowOutside = False,
    kinds: Annotated[
        list[str] | None,
        typer.Option(
            "--as",
            metavar="KIND[,KIND...]",
            help="Emulate the devices as these: tasmota, shelly or zigbee2mqtt for plugs, opendtu or ahoydtu for "
            "inverters. With several of one type, houses use them in rotation. Repeatable. [default: tasmota,opendtu]",
        ),
    ] = None,
    pace: Annotated[str, typer.Option(metavar="1x|60x...", help="Virtual seconds per second, such as 60x.")] = "60x",
    broker: AnyBroker = None,
    run: RunOption = None,
    days: Annotated[
        int | None,
        typer.Option(min=1, help="Days to emulate. [default: from the scenario, else until the last job has run]"),
    ] = None,
    begin: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="HH:MM", help="Begin this long after the scenario's start; leave out earlier jobs."
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            "--until",
            metavar="HH:MM",
            help="End this long after the scenario's start; leave out jobs that may start then or later.",
        ),
    ] = None,
    report_every: Annotated[
        int, typer.Option(min=1, max=3600, metavar="S", help="How often devices report, seconds of virtual time.")
    ] = 60,
    faults: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A YAML file with faults. [default: the scenario's own list, if any]"),
    ] = None,
    by_hand: Annotated[
        bool,
        typer.Option(
            "--by-hand/--no-by-hand",
            help="Whether a device is switched on by hand at a job's latest start if the controller has not done so.",
        ),
    ] = True,
    paused: Annotated[
        bool,
        typer.Option("--paused", help="Start virtual time only when 'resume' is published on ssmic/<run>/control."),
    ] = False,
    controller: Annotated[
        str | None,
        typer.Option(metavar="COMMAND", help="Start this command with the lab, and end it with the lab."),
    ] = None,
    expect: Annotated[
        list[str] | None,
        typer.Option(metavar="FIGURE>=NUMBER", help="A limit for a figure of the results. Repeatable."),
    ] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the verdict as JUnit XML.")] = None,
    compare: Annotated[
        bool,
        typer.Option("--compare/--no-compare", help="Compare with a negotiated run and the clairvoyant optimum."),
    ] = True,
    time_limit: Annotated[
        float, typer.Option(min=0.1, metavar="S", help="Time limit for computing the optimum, seconds.")
    ] = 30.0,
    limit: Annotated[
        float, typer.Option(min=0.1, metavar="S", help="Seconds without contact with the broker before the lab fails.")
    ] = LIMIT_WALL_S,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The results file. [default: results/<date>_<time>_<scenario>_controller_1.sqlite]"
        ),
    ] = None,
    login: LoginOptions,
    as_json: AsJson = False,
    log_level: LogLevel = None,
) -> None:
    """Emulate the devices of a scenario on MQTT, so that an external controller can be tested against them.

    Each appliance is behind a smart plug, inverters follow the actual production, and each house has a grid meter. The
    outcome of the controller's switching is compared with a negotiated run and the optimum. See docs/lab.md.
    """
    from broker.clock import Pace
    from scenarios.files import load_faults
    from scenarios.lab import SHARE, DeviceKinds, FigureExpectation, LabSettings
    from scenarios.load import load
    from scenarios.results import DEFAULT_FOLDER, check_writable
    from tui.cli.broker_access import chosen_access
    from tui.exit_codes import print_notes
    from tui.logs import configure_logs

    refuse_without(ctx, "time_limit", "--compare", is_there=compare)
    if days is not None and until is not None:
        raise typer.BadParameter("cannot be combined with --until, which says when the lab ends", param_hint="--days")
    if out is not None and out.exists():
        raise typer.BadParameter(f"{out} exists already; refusing to overwrite results", param_hint="--out")
    for written in filter(None, (out or DEFAULT_FOLDER / "lab", junit)):
        check_writable(written)  # the lab writes them when it has ended
    read = (scenario,) if faults is None else (scenario, faults)
    refuse_shared_files(read=read, written=(("--out", out), ("--junit", junit)))
    configure_logs(log_level or ctx.obj)
    access = chosen_access(broker, login.access, on_command_line=given(ctx, "broker"))
    expectations = [FigureExpectation.parse(text) for text in expect or ()]
    if not compare and any(expectation.figure == SHARE for expectation in expectations):
        raise typer.BadParameter(f"{SHARE} requires --compare", param_hint="--expect")
    chosen_kinds, virtual_pace = DeviceKinds.parse(kinds or ()), Pace.parse(pace)
    command = _command(controller)
    found = load(scenario, chosen_values(set_), allow_outside=allow_outside)
    print_notes(found.notes)
    whole, end_s = _between(found.scenario, begin, until, days)
    settings = LabSettings(
        run or whole.name,
        chosen_kinds,
        virtual_pace,
        report_every,
        end_s,
        by_hand=by_hand,
        faults=found.scenario.faults if faults is None else load_faults(faults, found.scenario),
        is_paused=paused,
    )
    request = _LabRequest(
        whole,
        settings,
        broker,
        access,
        limit,
        command,
        tuple(expectations),
        junit,
        time_limit if compare else None,
        out,
    )
    _perform(request, as_json=as_json)


@dataclass(frozen=True, slots=True)
class _LabRequest:
    scenario: Scenario
    settings: LabSettings
    broker: str | None
    access: Access | None
    limit_wall_s: float
    command: tuple[str, ...]
    expectations: tuple[FigureExpectation, ...]
    junit: Path | None
    compare_wall_s: float | None
    """How long the optimum is sought; None: there is no comparison."""
    out: Path | None


def _command(text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    try:
        command = tuple(shlex.split(text))
    except ValueError:
        raise typer.BadParameter(f"{text!r}: a quote is not closed", param_hint="--controller") from None
    if not command:
        raise typer.BadParameter("is empty", param_hint="--controller")
    return command


def _between(scenario: Scenario, begin: str | None, until: str | None, days: int | None) -> tuple[Scenario, int | None]:
    """Return the part of a scenario that the lab runs, and its end, UNIX seconds; None: when the last job has run."""
    from scenarios import MAX_DAYS, planned_end_s
    from scenarios.files import parse_time

    if days is not None and days > MAX_DAYS:
        raise typer.BadParameter(f"expected 1 to {MAX_DAYS} days, not {days}", param_hint="--days")

    def moment(text: str | None, option: str) -> int | None:
        try:
            return None if text is None else parse_time(text, scenario.start_s, None)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint=option) from None

    zone = scenario.zone
    first_s, last_s = moment(begin, "--from"), moment(until, "--until")
    if last_s is None and (days is not None or scenario.days is not None):
        last_s = planned_end_s(scenario, days)
    if first_s is not None and not scenario.start_s <= first_s < planned_end_s(scenario, days):
        what = f"{begin!r} is not before the end of the scenario, {zone.exact_moment(planned_end_s(scenario, days))}"
        raise typer.BadParameter(what, param_hint="--from")
    if last_s is not None and last_s <= (first_s or scenario.start_s):
        what = (
            f"{zone.exact_moment(last_s)} is not after the beginning, {zone.exact_moment(first_s or scenario.start_s)}"
        )
        raise typer.BadParameter(what, param_hint="--until")
    if begin is None and until is None:
        return scenario, last_s
    jobs = tuple(
        job
        for job in scenario.jobs
        if (first_s is None or job.latest_start_s >= first_s) and (last_s is None or job.latest_start_s < last_s)
    )
    if first_s is None:
        first_s = scenario.start_s
    return replace(scenario, start_s=first_s, jobs=jobs, days=None), last_s


def _perform(request: _LabRequest, *, as_json: bool) -> None:
    from scenarios.lab import write_junit
    from tui.cli.output import notes, own_output
    from tui.cli.simulate import reporting_interruption
    from tui.exit_codes import FAILED
    from tui.signals import run_until_interrupted

    with own_output():
        found: list[_Found] = []
        with reporting_interruption() as codes:
            codes.append(run_until_interrupted(_run(request, found)))
        code = max(codes, default=0)
        if not found:
            raise typer.Exit(code)
        ended = found[0]
        negotiated = _negotiated(request, ended.file) if request.compare_wall_s is not None and not code else None
        figures = _figures(ended.file) | ended.figures
        cases = [*ended.cases(request.expectations, figures), *ended.extra]
        if request.junit is not None:
            write_junit(request.junit, f"lab.{request.scenario.name}", cases, {"results": ended.file, **figures})
            notes().print(f"Written: {request.junit}", soft_wrap=True)
        if as_json:
            _print_json(ended, negotiated, cases)
        else:
            _show(ended.file, negotiated, cases)
        if not code and (request.junit is not None or request.expectations) and any(case.failure for case in cases):
            code = FAILED
        if code:
            raise typer.Exit(code)


def _print_json(ended: _Found, negotiated: Path | None, cases: Sequence[Case]) -> None:
    """Print the outcome as one object: figures, verdict, and the results of the lab and of the negotiated run."""
    from scenarios.results import ResultsReader, simulation_json
    from tui.cli.simulate import print_json

    content: dict[str, Any] = {"lab": ended.figures, "verdict": [asdict(case) for case in cases]}
    for name, file in (("results", ended.file), ("negotiated", negotiated)):
        if file is None:
            content[name] = None
            continue
        with ResultsReader(file) as results:
            content[name] = simulation_json(results)
    print_json(content)


def _show(lab_file: Path, negotiated: Path | None, cases: Sequence[Case]) -> None:
    """Print the outcome, compared with the negotiated run where there is one, and the verdict."""
    from tui.cli.simulate import show_results

    if negotiated is None:
        show_results(lab_file, as_json=False)
    else:
        _show_compared(lab_file, negotiated)
    _show_verdict(cases)


@dataclass(frozen=True, slots=True)
class _Found:
    """The outcome of a lab."""

    file: Path
    figures: dict[str, float]
    cases: Callable[[Sequence[FigureExpectation], Mapping[str, float | None]], list[Case]]
    extra: tuple[Case, ...]


async def _run(request: _LabRequest, found: list[_Found]) -> int:
    """Run the lab, add its outcome to `found` however it ends once it has begun, and return the exit code."""
    from scenarios.lab import Lab, open_lab_broker
    from tui.cli.output import notes
    from tui.exit_codes import FAILED, INTERRUPTED, complain

    must_restart = any(fault.kind == "broker" for fault in request.settings.faults)
    async with open_lab_broker(
        request.broker if request.access is None else request.access.url,
        tls=None if request.access is None else request.access.tls,
        must_restart=must_restart,
        lost_after_wall_s=request.limit_wall_s,
    ) as broker:
        notes().print(f"Broker: {broker.description}", soft_wrap=True)
        the_lab = Lab(request.scenario, request.settings, broker)
        began_wall_s = time.monotonic()
        extra: list[Case] = []
        is_complete = False
        try:
            await _with_controller(the_lab, request.command, extra)
            is_complete = not the_lab.stopped_by
        finally:
            if the_lab.has_begun:
                wall_s = time.monotonic() - began_wall_s
                found.append(_record(the_lab, request, extra, is_complete=is_complete, wall_s=wall_s))
    if the_lab.stopped_by:
        complain(f"stopped before the end by {the_lab.stopped_by}")
        return FAILED if extra else INTERRUPTED
    return 0


async def _with_controller(the_lab: Lab, command: Sequence[str], extra: list[Case]) -> None:
    from scenarios.lab import Case, how_it_ended, run_controller
    from tui.cli.output import notes

    async with AsyncExitStack() as stack:
        processes: list[asyncio.subprocess.Process] = []

        async def on_ready() -> None:
            pace = the_lab.settings.pace
            devices = (
                f"{plural(len(the_lab.emulated.plugs), 'plug')}, {plural(len(the_lab.emulated.inverters), 'inverter')}"
            )
            notes().print(f"Run {the_lab.settings.run_id!r}: {devices}, at {pace}", soft_wrap=True)
            if command:
                processes.append(await stack.enter_async_context(run_controller(the_lab, command)))
            else:
                notes().print(
                    f"A program in the lab's time: faketime -f '{the_lab.clock.faketime()}' COMMAND", soft_wrap=True
                )

        try:
            await the_lab.run(on_ready=on_ready)
        finally:
            extra += [
                Case("controller", "runs to the end", f"ended early, {how_it_ended(process.returncode)}")
                for process in processes
                if process.returncode
            ]


def _record(the_lab: Lab, request: _LabRequest, extra: Sequence[Case], *, is_complete: bool, wall_s: float) -> _Found:
    from scenarios.lab import cases_of, lab_figures, write_results

    file = write_results(the_lab, is_complete=is_complete, wall_s=wall_s, out=request.out)
    return _Found(
        file,
        lab_figures(the_lab).as_dict(),
        lambda expectations, figures: cases_of(the_lab, expectations, figures),
        tuple(extra),
    )


def _negotiated(request: _LabRequest, lab_file: Path) -> Path:
    """Run the same scenario negotiated, find the optimum of both, and return the results file."""
    from agents.scheduling import AlgorithmSettings
    from scenarios.optimum import compare
    from scenarios.simulation import Plan, open_simulation
    from tui.signals import run_until_interrupted

    scenario = request.scenario
    plan = Plan(
        scenario=scenario,
        seeds=(scenario.seed,),
        algorithm=AlgorithmSettings(scenario.algorithm),
        bus="memory",
        workers=1,
        until_s=request.settings.end_s,
        start_scores={},
        folder=lab_file.parent,
    )

    async def negotiate() -> Path:
        async with open_simulation(plan) as simulation:
            await simulation.run()
            return simulation.results_file

    file = run_until_interrupted(negotiate())
    for one in (lab_file, file):
        # What a controller does has no rule of supply; with both optima, the two have a share in common.
        compare(one, request.compare_wall_s or 0.1, supply="both" if scenario.supply == "shared" else None)
    return file


def _figures(file: Path) -> dict[str, float | None]:
    from scenarios.lab import SHARE
    from scenarios.results import ResultsReader

    with ResultsReader(file) as results:
        run = results.runs()[0]
        optimum = run.comparison.get("optimum")
        share = optimum.get("share") if isinstance(optimum, dict) else None
        return {**results.kpis(run.run).as_dict(), SHARE: share}


def _show_compared(lab_file: Path, negotiated: Path) -> None:
    from scenarios.results.comparison import compare_simulations
    from tui.cli.output import output
    from tui.cli.results_tables import show_comparison

    console = output()
    show_comparison(console, compare_simulations([negotiated, lab_file]))
    console.print(f"Results: {lab_file}", soft_wrap=True)
    console.print(f"Negotiated: {negotiated}", soft_wrap=True)


def _show_verdict(cases: Sequence[Case]) -> None:
    from tui.cli.output import output

    console = output()
    failed = [case for case in cases if case.failure]
    for case in failed:
        console.print(f"{case.group}.{case.name}: {case.failure}", soft_wrap=True)
    console.print(f"Verdict: {len(cases) - len(failed)} passed, {len(failed)} failed", soft_wrap=True)
