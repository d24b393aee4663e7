"""Judges the expectations of a scenario by the outcome of runs, also against other algorithms and the optimum.

The verdicts are kept in the results file, and written as JUnit XML for CI systems.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from agents import GRID, SHARED, LedgerEntry
from agents.scheduling import AlgorithmSettings
from broker import new_loop, printable, printable_line
from scenarios.expectations.language import KPIS, ConditionError, Name, Value, compute, is_share, names_in, parse
from scenarios.metrics import Bill, Settlement, bills_of, compute_kpis, producer_houses, settle
from scenarios.results import ResultsReader, record_verdicts, seal
from scenarios.scenario import Expectation, Scenario

OPTIMUM_WALL_S = 20.0
"""How long the optimum is sought where an expectation asks for it and it has not been computed, real seconds."""
FiguresOf = Callable[[str], dict[str, float | None]]
"""Returns the figures that an algorithm, or `optimum`, comes to on the same scenario and seed."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an expectation holds in a run."""

    title: str
    """The expectation's name for users; empty: it has none."""
    condition: str
    """The condition, as the scenario states it."""
    holds: bool
    values: str
    """The values that decided: `self_sufficiency = 71 %`."""
    at_s: int | None = None
    """When it had to hold, UNIX seconds; None: at the end."""
    error: str = ""
    """Why it could not be judged, which counts as not holding."""

    def __str__(self) -> str:
        mark = "holds" if self.holds else "FAILS"
        values = f"  ({self.error or self.values})" if self.error or self.values else ""
        return f"{mark}  {self.title}{values}"


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as a JSON object."""
    return asdict(verdict)


def judge(results: ResultsReader, run: int, figures_of: FiguresOf) -> tuple[Verdict, ...]:
    """Return the verdicts on a scenario's expectations, in the order of the file.

    Args:
        results: The simulation's results.
        run: Number of the run.
        figures_of: Returns what another algorithm, or the optimum, comes to; called only where an expectation asks.
    """
    expectations = results.scenario.expectations
    known = cache(lambda at_s: _Run(results, run, at_s, figures_of))
    return tuple(_verdict(expectation, known(expectation.at_s)) for expectation in expectations)


def judge_so_far(results: ResultsReader, run: int, now_s: int) -> tuple[Verdict | None, ...]:
    """Return the verdicts on expectations whose time a run in progress has passed, in the order of the file.

    Args:
        results: The simulation's results so far.
        run: Number of the run.
        now_s: Virtual time that the run has reached, UNIX seconds.

    Returns:
        None for what cannot be judged yet: what is due later or at the end, and comparisons with another algorithm or
        the optimum, which are computed at the end.
    """

    def is_due(expectation: Expectation) -> bool:
        return expectation.at_s is not None and expectation.at_s < now_s and not _needs_others(expectation.text)

    known = cache(lambda at_s: _Run(results, run, at_s, lambda _: {}, now_s))
    return tuple(
        _verdict(expectation, known(expectation.at_s)) if is_due(expectation) else None
        for expectation in results.scenario.expectations
    )


def _needs_others(text: str) -> bool:
    try:
        return any(name.word in {"algorithm", "optimum", "shared_optimum"} for name in names_in(parse(text)))
    except ConditionError:
        return False


def _verdict(expectation: Expectation, run: _Run) -> Verdict:
    try:
        node = parse(expectation.text)
        holds = bool(compute(node, run.value))
        values = ", ".join(f"{name} = {_shown(name, run.value(name))}" for name in names_in(node))
    except ConditionError as error:
        return Verdict(
            expectation.title, expectation.text, holds=False, values="", at_s=expectation.at_s, error=str(error)
        )
    return Verdict(expectation.title, expectation.text, holds, values, expectation.at_s)


def _shown(name: Name, value: Value) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if name.word == "job" and name.field == "start" and isinstance(value, float):
        hours, rest_s = divmod(int(value), 3600)
        minutes, seconds = divmod(rest_s, 60)
        return f"{hours:02}:{minutes:02}" + (f":{seconds:02}" if seconds else "")
    if isinstance(value, str):
        return value
    # In the unit in which conditions state it; the names of all other figures contain their unit.
    return f"{100 * value:.6g} %" if is_share(name) else f"{value:.6g}"


class _Run:
    """A run, up to some moment."""

    def __init__(
        self,
        results: ResultsReader,
        run: int,
        at_s: int | None,
        figures_of: FiguresOf,
        reached_s: int | None = None,
    ) -> None:
        self._results = results
        self._info = results.run(run)
        self._at_s = at_s
        self._figures_of = figures_of
        realised = results.realised(run, at_s)
        self._scenario: Scenario = realised.scenario
        self._jobs = {job.job_id: job for job in self._scenario.jobs}
        self._ledger: Sequence[LedgerEntry] = results.ledger(run)
        # The file of a run in progress contains the time of the last message, not that of the clock.
        self._end_s = self._info.end_s if reached_s is None else reached_s
        if at_s is not None:
            self._ledger = [before for entry in self._ledger if (before := _until(entry, at_s)) is not None]
            self._end_s = min(at_s, self._end_s)
        self._standing = [entry.contract for entry in self._ledger if entry.state == "standing"]
        # As the results are settled: from when the devices really started.
        contracts, promises = realised.settled(self._standing), realised.promises(self._standing)
        self._settled: Settlement = settle(self._scenario, contracts, self._info.start_s, self._end_s, promises)
        not_registered = 0 if at_s is not None else len(self._info.not_registered)
        self._kpis = compute_kpis(
            self._scenario,
            self._settled,
            self._ledger,
            self._end_s,
            not_registered=not_registered,
            optional=realised.optional,
        ).as_dict()

    def value(self, name: Name) -> Value:  # noqa: PLR0911 - one case for each word
        if name.word in KPIS:
            return self._kpis[name.word]
        match name.word:
            case "messages":
                return self._messages(name.field)
            case "negotiations":
                return self._negotiations()
            case "events":
                return sum(one.at_s <= self._end_s for one in self._results.run_events(self._info.run))
            case "contracts":
                return self._contracts(name.field or "")
            case "optimum" | "shared_optimum" | "algorithm":
                return self._figures_of(name.of or name.word).get(name.field or "")
            case "job":
                return self._job(name.of or "", name.field or "")
            case "house":
                return self._house(name.of or "", name.field or "")
            case "producer":
                return self._producer(name.of or "", name.field or "")
        raise ConditionError(f"there is no figure {name.word!r}")

    def _messages(self, kind: str | None) -> int:
        if kind is None and self._at_s is None:
            return self._info.messages
        count = self._results.count_sent(self._info.run, kind, self._at_s)
        if count is None:
            raise ConditionError(f"the file has no counts of messages, and {self._kept_only_some}")
        return count

    def _negotiations(self) -> int:
        if self._at_s is None:
            return self._info.negotiations
        count = self._results.count_negotiations(self._info.run, self._at_s)
        if count is None:
            raise ConditionError(f"the file does not say when negotiations began: it {self._kept_only_some}")
        return count

    @property
    def _kept_only_some(self) -> str:
        kept = self._results.info.settings.get("messages", "all")
        return f"kept only some messages (--messages {kept}): run again"

    def _contracts(self, field: str) -> int:
        match field:
            case "standing" | "cancelled" | "lost":
                return sum(entry.state == field for entry in self._ledger)
            case "amended":
                return sum(any(event.what == "amended" for event in entry.history) for entry in self._ledger)
            case "on_grid":
                return sum(contract.producer == GRID for contract in self._standing)
        return len(self._ledger)

    def _job(self, job_id: str, field: str) -> Value:  # noqa: C901, PLR0911 - one case for each field
        entries = [entry for entry in self._ledger if entry.contract.job_id == job_id]
        standing = next((entry.contract for entry in entries if entry.state == "standing"), None)
        job = self._jobs.get(job_id)
        match field:
            case "contracts":
                return len(entries)
            case "moves":
                return sum(event.what == "amended" for entry in entries for event in entry.history)
            case "has_contract":
                return standing is not None
        if standing is None or job is None:
            return None
        match field:
            case "producer":
                return standing.producer
            case "house" | "device":
                return str(getattr(job, field))
            case "energy_wh":
                return standing.energy_wh
            case "is_on_grid":
                return standing.producer == GRID
            case "delay_s":
                possible_s = max(job.earliest_start_s, job.registered_s, self._scenario.start_s)
                return max(0, standing.start_s - possible_s)
            case "delivered_wh":
                return float(self._settled.job_delivered_wh[self._standing.index(standing)])
        return self._clock_s(standing.start_s)

    def _clock_s(self, time_s: int) -> float:
        """Return a time as the clock shows it, in seconds since midnight of the first day."""
        zone = self._scenario.zone
        midnight = datetime.combine(zone.at(self._scenario.start_s).date(), datetime.min.time())
        return (zone.at(time_s).replace(tzinfo=None) - midnight).total_seconds()

    def _house(self, house: str, field: str) -> Value:
        row = self._settled.houses.index(house)
        consumed_wh = float(self._settled.house_consumed_wh[row].sum())
        delivered_wh = float(self._settled.house_delivered_wh[row].sum())
        own = [contract for contract in self._standing if self._jobs[contract.job_id].house == house]
        match field:
            case "consumed_wh":
                return consumed_wh
            case "delivered_wh":
                return delivered_wh
            case "grid_wh":
                return consumed_wh - delivered_wh
            case "jobs":
                return len(own)
            case "jobs_on_grid":
                return sum(contract.producer == GRID for contract in own)
        bill = self._bills().get(house)
        return None if bill is None else float(bill.with_eur if field == "bill_eur" else bill.saving_eur)

    def _bills(self) -> dict[str, Bill]:
        return bills_of(self._scenario, self._settled, producer_houses(self._scenario))

    def _producer(self, producer: str, field: str) -> Value:
        row = self._settled.producers.index(producer)
        produced, drawn, delivered = (
            float(energies_wh[row].sum())
            for energies_wh in (self._settled.produced_wh, self._settled.drawn_wh, self._settled.delivered_wh)
        )
        match field:
            case "produced_wh":
                return produced
            case "contracted_wh":
                return drawn
            case "delivered_wh":
                return delivered
            case "shortfall_wh":
                return drawn - delivered
        return sum(producer in contract.producers for contract in self._standing)


def _until(entry: LedgerEntry, at_s: int) -> LedgerEntry | None:
    """Return a contract as the ledger had it at some time; None if it was not agreed yet."""
    history = tuple(event for event in entry.history if event.at_s <= at_s)
    if not history:
        return None
    start_s, state = history[0].start_s, "standing"
    supply: dict[str, Any] = {}
    """Empty: it has always been the same."""
    for event in history:
        if event.what == "amended":
            start_s = event.start_s
        elif event.what in ("cancelled", "lost"):
            state = event.what
        if event.shares:
            supply = {"producer": SHARED, "shares": event.shares}
        elif event.producer:
            supply = {"producer": event.producer, "shares": ()}
    contract = entry.contract.model_copy(update={"start_s": start_s, **supply})
    return entry.model_copy(update={"contract": contract, "state": state, "history": history})


def junit_xml(scenario: str, verdicts: Mapping[str, Sequence[Verdict]], wall_s: float, failure: str = "") -> bytes:
    """Return JUnit XML: a test suite for each run, a test case for each expectation.

    Args:
        scenario: Name of the scenario.
        verdicts: By name of the run.
        wall_s: How long all took, wall-clock seconds.
        failure: Why there is no verdict on all runs: a test case of its own, with an error. Without it, a report on a
            run that failed before it was judged would have no test case, which readers of JUnit XML take for success.
    """
    if failure:
        verdicts = {**verdicts, "run": [Verdict("the run ends", "the run ends", holds=False, values="", error=failure)]}
    cases = [verdict for of in verdicts.values() for verdict in of]
    scenario = printable_line(scenario)
    root = Element("testsuites", {"name": scenario, **_counts(cases), "time": f"{wall_s:.3f}"})
    for name, of in verdicts.items():
        run = printable_line(name)
        suite = SubElement(root, "testsuite", {"name": f"{scenario} {run}", **_counts(of)})
        for verdict in of:
            case = SubElement(suite, "testcase", classname=f"{scenario}.{run}", name=printable(verdict.title))
            if verdict.error:
                SubElement(case, "error", message=printable(verdict.error)).text = printable(verdict.condition)
            elif not verdict.holds:
                what = f"{verdict.condition} does not hold: {verdict.values}"
                SubElement(case, "failure", message=printable(what)).text = printable(what)
            elif verdict.values:
                SubElement(case, "system-out").text = printable(verdict.values)
    indent(root)
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _counts(verdicts: Sequence[Verdict]) -> dict[str, str]:
    errors = sum(bool(verdict.error) for verdict in verdicts)
    failures = sum(not verdict.holds for verdict in verdicts) - errors
    return {"tests": str(len(verdicts)), "failures": str(failures), "errors": str(errors)}


def judge_simulation(results_file: Path, scenario: Scenario | None = None) -> None:
    """Judge the completed runs of a simulation by the scenario's expectations, and keep the verdicts in its file.

    An expectation that compares with another algorithm has it run on the same seed in memory; one that compares with
    the optimum has it computed.

    Args:
        results_file: The file.
        scenario: Its scenario, if it has been read already: reading that of 10,000 houses takes half a minute.

    Raises:
        ResultsError: The file cannot be read or written.
    """
    with ResultsReader(results_file, scenario) as results:
        if not results.scenario.expectations:
            return
        numbers = [run.run for run in results.runs() if run.is_complete]
    for run in numbers:
        with ResultsReader(results_file, scenario) as results:
            verdicts = judge(results, run, cache(lambda name, run=run: _figures(results_file, run, name)))
        record_verdicts(results_file, run, [verdict_json(verdict) for verdict in verdicts])
    seal(results_file)


def _figures(results_file: Path, run: int, name: str) -> dict[str, float | None]:
    """Return what an algorithm, `optimum` or `shared_optimum`, comes to with the scenario and the seed of a run."""
    if name in ("optimum", "shared_optimum"):
        with ResultsReader(results_file) as results:
            found = results.run(run).comparison
        if name not in found:
            from scenarios.optimum import compare  # noqa: PLC0415 - heavy, and most expectations do without

            compare(results_file, OPTIMUM_WALL_S, supply="whole" if name == "optimum" else "shared")
            with ResultsReader(results_file) as results:
                found = results.run(run).comparison
        return dict(found[name])
    # Not at the top: screens that only show verdicts do not need it.
    from scenarios.simulation import open_simulation, read_recording  # noqa: PLC0415 - heavy, as above

    with TemporaryDirectory(prefix="ssmic-expect-") as folder:
        plan = replace(
            read_recording(results_file, run).plan(bus="memory", folder=Path(folder)),
            algorithm=AlgorithmSettings(name),
            replay=None,
        )

        async def perform() -> Path:
            async with open_simulation(plan) as simulation:
                await simulation.run()
                return simulation.results_file

        with asyncio.Runner(loop_factory=new_loop) as runner:
            file = runner.run(perform())
        with ResultsReader(file) as results:
            return results.kpis(1).as_dict()
