"""`ssmic replay`: repeat a session without its real devices, or without the script that acted on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker import plural
from tui.cli.options import AsJson, refuse_shared_files
from tui.log_level import LogLevel

if TYPE_CHECKING:
    from scenarios.simulation import Recording

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_EXAMPLES = """
\b
Examples:
  ssmic replay latest
  ssmic replay session.jsonl --record again.jsonl --json

Exit codes: 0 the same ledger, 1 another ledger or a failed run, 2 wrong usage, 3 no record of a session.
"""


@app.command(epilog=_EXAMPLES, short_help="Repeat a recorded session without its real devices or its script.")
def replay(
    ctx: typer.Context,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A results file, `latest` for the newest one in results/, or a recording of `ssmic run --record`.",
        ),
    ],
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also record the repeated session in this file.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The results file. [default: a new one in results/]")
    ] = None,
    hosts: Annotated[
        int | None, typer.Option(min=1, help="Number of connections shared by the agents. [default: one per household]")
    ] = None,
    as_json: AsJson = False,
    log_level: LogLevel = None,
) -> None:
    """Repeat a recorded session without its real devices, or without its script, and compare the ledgers.

    The recorded messages of the devices, and the events that a script caused, come at the same seconds of virtual time.
    """
    from scenarios.results import check_writable, named_results
    from scenarios.simulation import is_saved_recording, read_recording
    from tui.cli.output import output
    from tui.cli.simulate import print_json, save_recording
    from tui.exit_codes import FAILED, complain
    from tui.logs import configure_logs
    from tui.signals import run_until_interrupted

    configure_logs(log_level or ctx.obj)
    if out is not None and out.exists():
        raise typer.BadParameter(f"{out} exists already; refusing to overwrite results", param_hint="--out")
    for written in filter(None, (out, record)):
        check_writable(written)
    recorded = named_results(file)
    # A recording may take its own place: what its replay records is the same.
    is_kept = is_saved_recording(recorded)
    refuse_shared_files(read=() if is_kept else (recorded,), written=(("--out", out), ("--record", record)))
    recording = read_recording(recorded)

    reading, results_file, ledger_sha256 = run_until_interrupted(_repeated(recording, out, hosts))
    if record is not None:
        save_recording(results_file, record)
    same = ledger_sha256 == recording.ledger_sha256
    said = len(recording.device_messages)
    if as_json:
        print_json(
            {
                "file": str(recorded),
                "inputs": said,
                "recorded_ledger_sha256": recording.ledger_sha256,
                "ledger_sha256": ledger_sha256,
                "same": same,
                "device_rules": reading.device_rules,
                "results": str(results_file),
            }
        )
    else:
        output().print(f"{plural(said, 'message')} of devices replayed\nledger_sha256 {ledger_sha256}", soft_wrap=True)
        output().print(f"Results: {results_file}", soft_wrap=True)
    if not same:
        complain(_difference_from(recording.ledger_sha256))
        raise typer.Exit(FAILED)


async def _repeated(recording: Recording, out: Path | None, hosts: int | None) -> tuple[Recording, Path, str]:
    """Repeat a session by each version of the device rules that it may have had, until the ledger is the recorded one.

    Args:
        recording: The session.
        out: The results file; None: a new one.
        hosts: Number of connections shared by the agents; None: one per household.

    Returns:
        The recording with the rules found, or with the last ones tried; the results; the hash of their ledger.
    """
    from scenarios.simulation import open_simulation

    async def repeat(reading: Recording) -> tuple[Path, str]:
        async with open_simulation(reading.plan(bus="memory", out=out, hosts=hosts)) as simulation:
            outcomes = await simulation.run()
        return simulation.results_file, outcomes[0].ledger_sha256

    first, *others = recording.readings()
    found = first, *await repeat(first)
    for reading in others:
        _, results_file, ledger_sha256 = found
        if ledger_sha256 == recording.ledger_sha256:
            break
        results_file.unlink()  # other rules than the recording's
        found = reading, *await repeat(reading)
    return found


def _difference_from(recorded_sha256: str | None) -> str:
    if recorded_sha256 is None:
        return "the end of the session is not recorded, so there is no ledger to compare with"
    return (
        f"the ledger differs from the recorded one, {recorded_sha256}: the record was changed, or made by a version of "
        "ssmic with other rules"
    )
