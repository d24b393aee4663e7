"""A simulation: its broker, its results file, its runs, and the scores that outlive it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from broker.clock import ClockReport
from scenarios.devices import languages_of
from scenarios.results import SimulationSpec, being_written, create_results, seal
from scenarios.simulation.brokers import OpenBroker, open_broker
from scenarios.simulation.household_processes import household_processes, process_shares
from scenarios.simulation.outcome import RunOutcome
from scenarios.simulation.plan import Plan
from scenarios.simulation.recording import PlannedRun, RunRecord, record_run
from scenarios.simulation.run import RunCallbacks, RunEnvironment, run_scenario
from scenarios.simulation.scores_file import ScoresFileError
from scenarios.simulation.settings import described
from scenarios.simulation.worker_processes import cores, perform_all


class Simulation:
    """A simulation with an open broker and a results file; created by `open_simulation`."""

    def __init__(self, plan: Plan, broker: OpenBroker, results_file: Path, planned_runs: Sequence[PlannedRun]) -> None:
        """Create a simulation.

        Args:
            plan: What is run, and how often.
            broker: Open for the duration of the simulation.
            results_file: Exists already; the runs are added to it.
            planned_runs: One per run, with the ids that the runs have on the broker.
        """
        self.plan = plan
        self.broker = broker
        self.results_file = results_file
        self.planned_runs = tuple(planned_runs)
        """One per run, with the ids that the runs have on the broker."""

    async def run(
        self,
        on_progress: Callable[[int, int], None] | None = None,
        in_worker: Callable[[], None] | None = None,
        on_report: Callable[[int, ClockReport], None] | None = None,
    ) -> list[RunOutcome]:
        """Do all runs, here or on worker processes.

        Args:
            on_progress: Called with (run, virtual time in UNIX seconds), a few times a second for each run.
            in_worker: Called in every worker process when it starts, for example to set up its logs.
            on_report: Called with (run, its clock's report), at least every few seconds.

        Returns:
            The outcomes, in the order of the seeds.

        Raises:
            asyncio.CancelledError: interrupted; what was agreed until then is in the results file.
            SsmicError: a run failed; see `scenarios.simulation.run.run_scenario`. Other runs are interrupted.
        """
        processes = 1 if self.plan.replay is not None else self.plan.processes or 1
        workers = 1 if processes > 1 else self.plan.workers or min(len(self.planned_runs), cores())
        tell, report = on_progress or _ignore, on_report or _ignore
        if workers == 1 or len(self.planned_runs) == 1:
            outcomes = []
            for planned in self.planned_runs:
                with record_run(self.plan.scenario, planned, partial(tell, planned.run)) as record:
                    outcome = await self._run_once(planned, record, processes, in_worker, partial(report, planned.run))
                    outcomes.append(record.ended(outcome))
        else:
            outcomes = await perform_all(
                self.plan.scenario, self.planned_runs, self.broker, workers, tell, in_worker, on_report=report
            )
        if outcomes[0].state == "done" and self.plan.start_scores is None:
            await self.plan.kept_scores().learn(self.planned_runs[0].settings.scores, outcomes[0].scores)
        return outcomes

    async def _run_once(
        self,
        planned: PlannedRun,
        record: RunRecord,
        processes: int,
        in_worker: Callable[[], None] | None,
        on_report: Callable[[ClockReport], None],
    ) -> RunOutcome:
        """Perform a run in this process only, or with further processes, each for its share of the households."""
        scenario = self.plan.scenario
        own, *others = process_shares(scenario, planned.settings.hosts, processes)
        async with household_processes(scenario, planned.settings, self.broker, others, in_worker):
            return await run_scenario(
                scenario,
                planned.settings,
                self.broker.for_run(),
                None if processes == 1 else own,
                recorder=record.writer,
                callbacks=RunCallbacks(on_moment=record.moment, on_report=on_report),
                environment=RunEnvironment(
                    replay=self.plan.replay, restart_broker=self.broker.restart, is_spread=processes > 1
                ),
            )


@asynccontextmanager
async def open_simulation(plan: Plan) -> AsyncIterator[Simulation]:
    """Prepare everything that the runs of a plan need.

    Raises:
        ScoresFileError: the scores to start from cannot be used.
        BrokerUrlError, BrokerUnreachableError, ClockTakenError: see `open_broker`.
        SsmicError: The neighbourhood is too large for a broker.
        ResultsError: the results file cannot be made.
        MissingLibraryError: a real device uses payloads whose library is not installed.
    """
    scenario = plan.scenario
    if plan.replay is None:
        languages_of(scenario.gateways.values())  # said before anything is started
    if not plan.reset_scores and plan.start_scores is None:
        plan.kept_scores().scores()  # said before anything is started
    if plan.bus == "mqtt":
        plan.check_fits_broker()
    async with open_broker(plan) as broker:
        results_file: Path | None = None
        try:
            async with plan.run_settings() as runs:
                scores = {settings.seed: settings.scores for settings in runs}
                chosen = described(scenario, runs[0], plan.bus, runs[0].days_of(scenario), scores)
                if plan.has_script:
                    chosen["script"] = True
                if plan.kept_messages != "all":
                    chosen["messages"] = plan.kept_messages
                record = SimulationSpec(scenario, plan.algorithm.name, plan.seeds, broker.name, plan.spread, chosen)
                results_file = create_results(record, plan.out, plan.folder)
        except ScoresFileError:
            if results_file is not None:
                results_file.unlink(missing_ok=True)  # its runs cannot begin
            raise
        planned_runs = [
            PlannedRun(run, settings, results_file, plan.kept_messages) for run, settings in enumerate(runs, start=1)
        ]
        try:
            with being_written(results_file):
                yield Simulation(plan, broker, results_file, planned_runs)
        finally:
            seal(results_file)


def _ignore(_run: int, _what: object) -> None: ...
