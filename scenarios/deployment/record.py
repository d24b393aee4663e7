"""The results file of a deployed run: made by the clock's process, and taken up again when that comes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from broker import make_private_folder
from scenarios.results import ResultsError, SimulationSpec, create_results, seal
from scenarios.scenario import Scenario
from scenarios.simulation import CLOCK_JOURNAL, Order, RunRecord, RunSettings, described, record_run


@contextmanager
def open_record(path: Path, scenario: Scenario, settings: RunSettings) -> Iterator[RunRecord]:
    """Make the results file of a run, or go on with it where the clock's journal has the run already.

    Raises:
        ResultsError: the file exists and is not this run's, or cannot be written.
        JournalError: the journal is another run's; then the file may be too, and is left as it is.
    """
    comes_back = settings.journal_file(CLOCK_JOURNAL).exists()
    if comes_back and (journal := settings.clock_journal(settings.fingerprint_of_all(scenario))) is not None:
        with journal:
            pass  # it is this run's, or could not have been opened
    if path.exists() and not comes_back:
        raise ResultsError(f"{path}: exists already; refusing to overwrite results")
    if not path.exists():
        make_private_folder(path.parent)
        chosen = described(settings, "mqtt", settings.days, {settings.seed: settings.scores})
        spec = SimulationSpec(scenario, settings.algorithm.name, (settings.seed,), "mqtt", settings=chosen)
        create_results(spec, path)
    with record_run(scenario, Order(1, settings, path), resume=comes_back) as record:
        yield record
    seal(path)
