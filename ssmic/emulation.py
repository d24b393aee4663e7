"""A run that a script controls: it stops the run at a virtual time, reads and changes its state, and continues it."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from types import TracebackType
from typing import Any, Literal, Unpack

from agents import Contract, LedgerEntry
from broker.clock import Pace
from broker.protocol import Control
from scenarios import (
    MAX_NAME_LENGTH,
    Action,
    AddJobs,
    JoinDevice,
    LeaveDevice,
    RunEvent,
    Scenario,
    TimelineEvent,
    fingerprint,
)
from scenarios.expectations import Verdict
from scenarios.files import event_action, save_scenario
from scenarios.metrics import Kpis
from scenarios.results import ResultsReader
from scenarios.simulation import (
    Plan,
    RunCallbacks,
    RunEnvironment,
    RunOutcome,
    open_simulation,
    record_run,
    run_scenario,
)
from scenarios.timeline import ScriptControl, absent_at_start
from ssmic.arguments import EmulationError, SpanLike, TimeLike, check_part, file_path, moment_s, plain_list, span_s
from ssmic.handles import HouseHandle, JobHandle, ProducerHandle
from ssmic.options import RunOptions, plan_of
from ssmic.verdicts import TIME_LIMIT_WALL_S, compared, judged, write_junit


class Emulation:
    """A neighbourhood to be run under a script's control.

    Example:
        async with Emulation("street") as run:
            await run.until("12:00")
            run.producer("pv-adler").forecast(factor=0.5)
            await run.finish()
            print(run.kpis().self_sufficiency)
    """

    def __init__(self, scenario: str | Path | Scenario, **options: Unpack[RunOptions]) -> None:
        """Prepare a run.

        Args:
            scenario: A file, the name of a bundled scenario, or one that was loaded.
            **options: Those of `ssmic run`: seed, days, algorithm, bus, ...; see `RunOptions`.

        Raises:
            ScenarioError: The scenario cannot be used; carries all problems.
            SettingsError: An option is not valid, or does not go with another one.
            BrokerUrlError: The broker cannot be reached in this way.
        """
        out = options.get("out")
        if out is None:
            folder = mkdtemp(prefix="ssmic-run-")
            weakref.finalize(self, rmtree, folder, ignore_errors=True)
            out = Path(folder) / "run.sqlite"
        self._plan = plan_of(scenario, options, file_path(out))
        self.scenario = self._plan.scenario
        """The scenario that is run."""
        self._stack = AsyncExitStack()
        self._run: Run | None = None

    async def __aenter__(self) -> Run:
        """Start the run; it is stopped at its start until the script continues it.

        Raises:
            EmulationError: It has been run already.
            BrokerUnreachableError: The broker cannot be reached.
        """
        if self._run is not None:
            raise EmulationError("an Emulation runs once; make another one")
        simulation = await self._stack.enter_async_context(open_simulation(self._plan))
        planned, script = simulation.planned_runs[0], ScriptControl()
        script.stop_s = self.scenario.start_s

        async def perform() -> RunOutcome:
            with record_run(self.scenario, planned) as record:
                outcome = record.ended(
                    await run_scenario(
                        self.scenario,
                        planned.settings,
                        simulation.broker.for_run(),
                        recorder=record.writer,
                        callbacks=RunCallbacks(on_moment=record.moment),
                        environment=RunEnvironment(restart_broker=simulation.broker.restart, script=script),
                    )
                )
            if outcome.state == "done" and self._plan.start_scores is None:
                await self._plan.kept_scores().learn(planned.settings.scores, outcome.scores)
            return outcome

        task = asyncio.create_task(perform(), name="ssmic.emulation")
        self._run = Run(self.scenario, simulation.results_file, task, script, self, self._plan)
        try:
            await self._run.wait_stopped()
        except BaseException:
            await self._end(task)
            raise
        return self._run

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the run continue to its end; after an exception, interrupt it."""
        run = self._run
        if run is None:
            return
        try:
            if kind is None:
                await run.finish()
        finally:
            await self._end(run.task)

    async def _end(self, task: asyncio.Task[RunOutcome]) -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await self._stack.aclose()


class Run:
    """A run in progress, or one that has ended; `Emulation` makes it."""

    def __init__(
        self,
        scenario: Scenario,
        results_file: Path,
        task: asyncio.Task[RunOutcome],
        script: ScriptControl,
        emulation: Emulation,
        plan: Plan,
    ) -> None:
        """Create a run that has been started.

        Args:
            scenario: What is run.
            results_file: Where its results are written.
            task: Performs the run.
            script: Stops the run at virtual times, and acts on it there.
            emulation: Who started the run; its temporary results go with it.
            plan: How the scenario is run.
        """
        self.scenario = scenario
        """The scenario that is run."""
        self.results_file = results_file
        """Complete once the run has ended."""
        self.task = task
        self._script = script
        self._plan = plan
        self._emulation = emulation
        self._acted: list[TimelineEvent] = []

    # Time.

    @property
    def now(self) -> datetime:
        """Virtual time, in the scenario's zone."""
        return self.scenario.zone.at(self.now_s)

    @property
    def now_s(self) -> int:
        """Virtual time, UNIX seconds."""
        return self.task.result().end_s if self._is_done else self._script.timeline_agent.now_s

    @property
    def is_over(self) -> bool:
        """Whether the run has ended."""
        return self.task.done()

    @property
    def _is_done(self) -> bool:
        return self.task.done() and not self.task.cancelled() and self.task.exception() is None

    async def until(self, time: TimeLike) -> None:
        """Continue the run until the beginning of a second, or until its end if that is earlier.

        Events of that second have not taken place yet, except forecasts that are due.

        Raises:
            EmulationError: It is not a time, or in the past.
            SsmicError: The run failed.
        """
        time_s = self.moment_s(time)
        if time_s < self.now_s:
            zone = self.scenario.zone
            raise EmulationError(f"{zone.iso(time_s)} is in the past: the run is at {zone.iso(self.now_s)}")
        if not self.is_over and time_s > self.now_s:
            self._script.go_on(time_s)
            await self.wait_stopped()

    async def every(self, span: SpanLike) -> AsyncIterator[datetime]:
        """Continue the run step by step; yield the time after each step, until the run ends.

        Raises:
            EmulationError: The step is not a duration.
            SsmicError: The run failed.
        """
        step_s = span_s(span)
        while not self.is_over:
            await self.until(self.now_s + step_s)
            if not self.is_over:
                yield self.now

    async def finish(self) -> None:
        """Let the run continue to its end.

        Raises:
            SsmicError: The run failed.
        """
        if not self.is_over:
            self._script.go_on(None)
        await asyncio.shield(self.task)

    async def stop(self) -> None:
        """End the run at the present moment; contracts agreed until then stand.

        The recording does not contain the stop: a repeated run continues to its end.

        Raises:
            SsmicError: The run failed.
        """
        if not self.is_over:
            self._script.command(Control(command="stop", by="script"))
            self._script.go_on(None)
        await asyncio.shield(self.task)

    def set_pace(self, pace: str) -> None:
        """Change the speed of virtual time: `max`, or a factor of real time such as `60x`.

        Raises:
            PaceError: The text is not a pace.
            EmulationError: The run has ended.
        """
        parsed = Pace.parse(str(pace))
        self._check_going()
        self._script.command(Control(command="pace", pace=str(parsed), by="script"))

    async def wait_stopped(self) -> None:
        """Wait until the run is stopped, or has ended."""
        arrived = asyncio.create_task(self._script.arrived())
        try:
            await asyncio.wait({arrived, self.task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            arrived.cancel()
        if self.task.done():
            self.task.result()

    def moment_s(self, time: TimeLike) -> int:
        """Return a time in UNIX seconds.

        Raises:
            EmulationError: It is not a time, or before the run's start.
        """
        return moment_s(time, self.scenario.start_s, self.scenario.zone)

    def _check_going(self) -> None:
        """Raise `EmulationError` if the run has ended."""
        if self.is_over:
            raise EmulationError("the run has ended; nothing can be changed")

    def _check_ended(self) -> None:
        """Raise `EmulationError` if the run has not ended."""
        if not self._is_done:
            raise EmulationError("the run has not ended; await run.finish() first")

    # Parts of the run.

    @property
    def ledger(self) -> tuple[LedgerEntry, ...]:
        """All contracts so far with their history, cancelled ones included, in the order of agreement."""
        if self._is_done:
            return self.task.result().ledger
        return tuple(self._script.ledger().values())

    @property
    def contracts(self) -> Mapping[str, Contract]:
        """The standing contracts, by job id."""
        return {entry.contract.job_id: entry.contract for entry in self.ledger if entry.state == "standing"}

    @property
    def events(self) -> tuple[RunEvent, ...]:
        """The events that took place, those of the scenario's timeline included."""
        return tuple(self._script.timeline_agent.run_events)

    @property
    def outcome(self) -> RunOutcome:
        """The outcome of the run.

        Raises:
            EmulationError: It has not ended.
        """
        self._check_ended()
        return self.task.result()

    @property
    def ledger_sha256(self) -> str:
        """The hash of the ledger of a run that has ended: equal ledgers, equal hash."""
        return self.outcome.ledger_sha256

    def kpis(self) -> Kpis:
        """Return the figures of a run that has ended.

        Raises:
            EmulationError: It has not ended.
        """
        self._check_ended()
        with ResultsReader(self.results_file) as results:
            return results.kpis(1)

    def verdicts(self) -> tuple[Verdict, ...]:
        """Return whether the scenario's expectations hold in a run that has ended, in the order of the file.

        If an expectation compares with another algorithm, that algorithm is run; if it is about the optimum, the
        optimum is computed.

        Raises:
            EmulationError: It has not ended.
        """
        self._check_ended()
        return judged(self.results_file)

    def optimum(
        self, *, supply: Literal["whole", "shared", "both"] | None = None, time_limit_wall_s: float = TIME_LIMIT_WALL_S
    ) -> Mapping[str, Any]:
        """Return how a run that has ended compares with the clairvoyant optimum, as `ssmic run --compare` does.

        Args:
            supply: For whole jobs, for supply shared by all panels, or both; None: the run's own rule.
            time_limit_wall_s: How long the optimum may be sought, real seconds.

        Raises:
            EmulationError: It has not ended, or an argument is not valid.
        """
        self._check_ended()
        return compared(self.results_file, supply, time_limit_wall_s)

    def write_junit(self, file: str | Path) -> None:
        """Write the verdicts on the scenario's expectations as JUnit XML.

        Raises:
            EmulationError: The run has not ended.
            ResultsError: The file cannot be written.
        """
        write_junit(self.results_file, self.scenario.name, file_path(file), self.outcome.wall_s)

    # Actions of a script.

    def do(self, what: str, **how: object) -> None:
        """Carry out an event of a scenario's `timeline` now: `run.do("cloud", factor=0.2, duration="2h")`.

        The methods below, and those of producers, houses and jobs, are shorthands: they raise the same errors.

        Args:
            what: The name of the event, as under `do` in a file.
            **how: The keys of the event, with the units that they have in a file.

        Raises:
            ScenarioError: There is no such event, or its keys are not valid; carries all problems.
            EmulationError: The run has ended; a device joins that is present, or leaves that is absent; or one joins or
                leaves that also does so in an event that waits for a job.
        """
        self._check_going()
        if "do" in how:
            raise EmulationError(f"an event has one name, not {what!r} and {how['do']!r}")
        known = replace(self.scenario, timeline=(*self.scenario.timeline, *self._acted))
        action = event_action(known, {"do": what, **how}, self.now_s)
        event = TimelineEvent(at_s=self.now_s, action=action)
        self._check_presence(action, replace(known, timeline=(*known.timeline, event)))
        self._acted.append(event)
        self._script.timeline_agent.perform(action)

    def _check_presence(self, action: Action, recording: Scenario) -> None:
        """Refuse joining and leaving by which a recording would not tell whether the device is there at the start.

        Args:
            action: What the script does.
            recording: The scenario with all actions of the script, including this one.
        """
        if isinstance(action, JoinDevice | LeaveDevice):
            is_absent = self._script.timeline_agent.is_absent(action.house, action.device)
            if isinstance(action, JoinDevice) and not is_absent:
                raise EmulationError(f"{action.house}/{action.device} is present: only an absent device can join")
            if isinstance(action, LeaveDevice) and is_absent:
                raise EmulationError(f"{action.house}/{action.device} is absent: only a present device can leave")
            if absent_at_start(recording) != absent_at_start(self.scenario):
                verb = "joins" if isinstance(action, LeaveDevice) else "leaves"
                raise EmulationError(
                    f"{action.house}/{action.device} {verb} when something happens to a job: only the timeline can "
                    "change whether it is there"
                )

    def producer(self, producer: str) -> ProducerHandle:
        """Return a producer, to change something about it.

        Raises:
            EmulationError: There is no part with this id.
        """
        check_part("producer", producer, self.scenario.producers)
        house = next(
            house.id
            for house in self.scenario.houses
            for device in house.devices
            if device.type == "producer" and device.id == producer
        )
        return ProducerHandle(self, producer, house)

    def house(self, house: str) -> HouseHandle:
        """Return a household, to change something about it.

        Raises:
            EmulationError: There is no part with this id.
        """
        check_part("house", house, (one.id for one in self.scenario.houses))
        return HouseHandle(self, house)

    def job(self, job_id: str) -> JobHandle:
        """Return a job, to see its contract or to withdraw it.

        Raises:
            EmulationError: There is no job with this id, neither in the scenario nor added by an event.
        """
        if not self.scenario.gateways:  # real devices have jobs that nothing here knows yet
            events = (*self.scenario.timeline, *self._acted)
            added = (event.action.job_id for event in events if isinstance(event.action, AddJobs))
            check_part("job", job_id, (*(job.job_id for job in self.scenario.jobs), *added))
        return JobHandle(self, job_id)

    def add_job(
        self,
        house: str,
        device: str,
        *,
        latest_start: SpanLike,
        earliest_start: SpanLike = 0,
        id: str | None = None,  # noqa: A002 - as the file has it
        load_profile: str | None = None,
    ) -> None:
        """Make a household request another job, now.

        Args:
            house: Id of the house.
            device: Id of the consumer that runs the job.
            latest_start: The latest start, as a duration from now.
            earliest_start: The earliest start, as a duration from now.
            id: Id of the job; None: one derived from house and device.
            load_profile: Name of its load profile; None: that of the device.

        Raises:
            ScenarioError: The house, the device or the load profile does not exist, or the window is not valid.
            EmulationError: The run has ended.
        """
        named = {key: value for key, value in (("id", id), ("load_profile", load_profile)) if value is not None}
        self.do(
            "add_job", house=house, device=device, earliest_start=earliest_start, latest_start=latest_start, **named
        )

    def cloud(
        self,
        *,
        factor: float,
        duration: SpanLike,
        producers: Iterable[str] | None = None,
        ramp: SpanLike = 600,
        travel: SpanLike = 0,
        announced: bool = True,
    ) -> None:
        """Make a cloud front arrive, now.

        Args:
            factor: The share of the production that remains, 0 to 1.
            duration: How long the front is over one producer.
            producers: Ids of the producers, in the order in which the front reaches them; None: all.
            ramp: How long the production takes to fall, and to rise again.
            travel: How much later the front reaches the next producer.
            announced: Whether forecasts follow once the front has arrived; otherwise promises are broken.

        Raises:
            ScenarioError: There is no such producer, or a value is out of range.
            EmulationError: The run has ended.
        """
        of = {} if producers is None else {"producers": plain_list(producers)}
        self.do("cloud", factor=factor, duration=duration, ramp=ramp, travel=travel, announced=announced, **of)

    def tariff(self, **prices: float) -> None:
        """Change prices of the scenario's `tariff` from the next minute on.

        Args:
            **prices: EUR per kWh (`import_eur_per_kwh`, `feed_in_eur_per_kwh`, `neighbour_eur_per_kwh`), or kg of CO2
                per kWh (`grid_kg_co2_per_kwh`).

        Raises:
            ScenarioError: The scenario has no tariff, or none with this name.
            EmulationError: The run has ended.
        """
        self.do("tariff", **prices)

    def restart_broker(self) -> None:
        """Restart the broker, which changes no contract."""
        self.do("restart_broker")

    def note(self, text: str) -> None:
        """Write a note into the log and the results."""
        self.do("note", text=text)

    # The recording.

    @property
    def recording(self) -> Scenario:
        """The scenario with all actions of the script as its timeline: run again, it gives the same ledger.

        It has the seed, the days and the algorithm of the run. It has a name of its own, so that it does not begin with
        scores from other runs of the scenario. Other settings are not part of a scenario and must be given again: those
        of an algorithm, `patient` and `scores`.
        """
        plan = self._plan
        recording = replace(
            self.scenario,
            seed=plan.seeds[0],
            algorithm=plan.algorithm.name,
            days=self.scenario.days if plan.days is None else plan.days,
            timeline=(*self.scenario.timeline, *self._acted),
        )
        own = f"-recording-{fingerprint(recording)[:8]}"
        return replace(recording, name=f"{recording.name[: MAX_NAME_LENGTH - len(own)]}{own}")

    def save_recording(self, file: str | Path) -> None:
        """Write the recording as a scenario file, for `ssmic run`.

        Raises:
            ScenarioError: It cannot be written.
            EmulationError: It is not a file name.
        """
        save_scenario(self.recording, file_path(file))
