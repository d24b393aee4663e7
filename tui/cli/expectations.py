"""The expectations of a scenario on the command line: printed, and written as JUnit XML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from broker import atomic_write
from scenarios.expectations import Verdict, junit_xml
from scenarios.results import ResultsReader, ResultsWriteError
from tui.console import notes, output

WIDTH = 80
"""Longer lines are broken."""


def report_verdicts(scenario: str, files: Sequence[Path], junit: Path | None, wall_s: float, *, is_quiet: bool) -> bool:
    """Print and write the verdicts on a scenario's expectations; return whether all hold.

    Args:
        scenario: Name of the scenario.
        files: Results files.
        junit: Where to write JUnit XML; None: nowhere.
        wall_s: How long all took, wall-clock seconds.
        is_quiet: Whether nothing is printed.

    Raises:
        ResultsError: A file cannot be read or written.
    """
    verdicts = verdicts_of(files)
    if junit is not None:
        write_junit(junit, scenario, verdicts, wall_s)
    if not is_quiet:
        show_verdicts(verdicts)
    return all(verdict.holds for of in verdicts.values() for verdict in of)


def verdicts_of(files: Sequence[Path]) -> dict[str, tuple[Verdict, ...]]:
    """Return the verdicts in results files, by algorithm and run; only of runs that were judged."""
    found: dict[str, tuple[Verdict, ...]] = {}
    for file in files:
        with ResultsReader(file) as results:
            for run in results.runs():
                verdicts = tuple(Verdict(**verdict) for verdict in results.verdicts(run.run))
                if verdicts:
                    found[f"{results.info.algorithm} seed {run.seed}"] = verdicts
    return found


def show_verdicts(verdicts: Mapping[str, Sequence[Verdict]]) -> None:
    """Print each expectation with its value."""
    console = output()
    for run, of in verdicts.items():
        held = sum(verdict.holds for verdict in of)
        console.print(f"Expectations, {run}: {held} of {len(of)} hold", soft_wrap=True, markup=False, highlight=False)
        for verdict in of:
            line = f"  {verdict}"
            if len(line) <= WIDTH:
                lines = [line]
            else:
                mark = "holds" if verdict.holds else "FAILS"
                why = [verdict.error] if verdict.error else verdict.values.split(", ")
                lines = [f"  {mark}  {verdict.title}", *(f"         {value}" for value in why)]
            console.print("\n".join(lines), soft_wrap=True, markup=False, highlight=False)


def write_junit(path: Path, scenario: str, verdicts: Mapping[str, Sequence[Verdict]], wall_s: float) -> None:
    """Write the `verdicts` on runs of `scenario` as JUnit XML to `path`; `wall_s` is the duration of the test, seconds.

    Raises:
        ResultsWriteError: The file cannot be written.
    """
    try:
        with atomic_write(path) as draft:
            draft.write_bytes(junit_xml(scenario, verdicts, wall_s))
    except OSError as error:
        raise ResultsWriteError(f"{path}: cannot be written: {error.strerror}") from error
    notes().print(f"Written: {path}", soft_wrap=True)
