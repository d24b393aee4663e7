"""How a run ended: its outcome, the judgement of its ledger, what is recorded of both, and the error if it failed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from agents import NEW_PRODUCER, Job, LedgerEntry, ledger_sha256, plugin_of
from broker import (
    AgentFailedError,
    BrokerLostError,
    BrokerUnreachableError,
    HostsMissingError,
    SsmicError,
)
from broker.clock import Clock
from scenarios.realised_scenario import realise
from scenarios.results import DroppedHost, EndState, RecordedEnd, end_without_days_s
from scenarios.scenario import Scenario
from scenarios.simulation.agents import AgentSet
from scenarios.simulation.invariants import PartyContracts, consumer_problems, disagreements, manager_problems
from scenarios.simulation.recording import DistributedRunObserver, Recorder, RunObserver
from scenarios.simulation.settings import RunSettings
from scenarios.simulation.shared_invariants import PartyShares, double_booked, forecasts_of, share_disagreements
from scenarios.timeline import as_happened, optional_jobs

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended, and what was agreed until then."""

    seed: int
    run_id: str
    state: EndState
    ledger: tuple[LedgerEntry, ...] = field(repr=False)
    """In the order of agreement."""
    start_s: int
    """Start of virtual time, UNIX seconds."""
    end_s: int
    """Virtual time at the end, UNIX seconds: the end that `days` gives, if there is one, else that of the last job or
    message."""
    not_registered: tuple[str, ...]
    """Jobs that the run ended before; they have no contract."""
    scores: Mapping[str, int]
    """Scores of the producers at the end, by producer id."""
    messages: int
    """That agents sent to each other."""
    negotiations: int
    """How often a job went looking for a supplier."""
    rounds: int
    """Rounds that the clock granted."""
    wall_s: float
    """How long it took, in all processes that its clock has had, wall-clock seconds."""
    disputes: tuple[str, ...] = ()
    """Statements of households of other processes that contradict the ledger or each other. The ledger stands."""
    without: tuple[DroppedHost, ...] = ()
    """Hosts that the run ended without, by id."""

    def scores_since(self, begun_with: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """Return each producer's score at the beginning and at the end, by id.

        Args:
            begun_with: The scores that the run began with; a producer that is not among them was new.
        """
        return {producer: (begun_with.get(producer, NEW_PRODUCER), after) for producer, after in self.scores.items()}

    @property
    def ledger_sha256(self) -> str:
        """SHA-256 of the ledger's canonical form; equal ledgers have equal hashes."""
        return ledger_sha256(self.ledger)


@dataclass(frozen=True, slots=True)
class RunFinisher:
    """Judges and records a run, however it ends."""

    scenario: Scenario
    settings: RunSettings
    agent_set: AgentSet
    """The agents of this process."""
    clock: Clock
    observer: RunObserver
    """What the agents of this process have said and agreed."""
    recorder: Recorder | None
    """Writes the results; None: nothing is recorded."""
    started_wall_s: float
    """When this process began with the run, seconds of `time.perf_counter`."""
    is_without_days: bool
    """Whether no `days` are given: if the run is done, it has ended with its last job or message."""

    def finish(
        self, state: EndState, error: str = "", disputes: tuple[str, ...] = (), reached_s: int = 0
    ) -> RunOutcome:
        """Return the outcome of the run, and record it.

        Args:
            state: How it ended.
            error: Why it failed or was interrupted; empty: it was not.
            disputes: What households say against the ledger.
            reached_s: Virtual time reached, UNIX seconds, if it is later than the last event.
        """
        outcome = self._outcome(state, disputes, reached_s)
        if self.recorder is not None:
            self.recorder.finish(
                RecordedEnd(
                    state,
                    outcome.end_s,
                    negotiations=outcome.negotiations,
                    wall_s=outcome.wall_s,
                    not_registered=outcome.not_registered,
                    error=error,
                    scores=outcome.scores_since(self.settings.scores),
                    without=outcome.without,
                    disputes=outcome.disputes,
                )
            )
        return outcome

    def judge(self, *, was_stopped: bool) -> RunOutcome:
        """Check the ledger of a run that has ended in order, and return and record its outcome.

        Args:
            was_stopped: Whether it was stopped before its end.

        Raises:
            SsmicError: The ledger violates an invariant.
        """
        defects, disputes = _violations(self.scenario, self.agent_set, self.clock, self.observer)
        if defects:
            strategies = {name for one in self.agent_set.consumers.values() if (name := plugin_of(type(one)))}
            whose = f", with consumers of {', '.join(sorted(strategies))}" if strategies else ""
            violation = SsmicError(f"the ledger violates an invariant{whose}:\n" + "\n".join(defects))
            self.finish("failed", str(violation))
            raise violation
        for dispute in disputes:
            log.warning("dispute", what=dispute)
        return self.finish("interrupted" if was_stopped else "done", disputes=tuple(disputes))

    def _outcome(self, state: EndState, disputes: tuple[str, ...], reached_s: int) -> RunOutcome:
        clock, manager, jobs = self.clock, self.agent_set.manager, self.scenario.jobs
        return RunOutcome(
            seed=self.settings.seed,
            run_id=self.settings.run_id,
            state=state,
            ledger=tuple(manager.ledger.values()),
            start_s=self.scenario.start_s,
            end_s=self._end_s(state, reached_s),
            not_registered=tuple(job.job_id for job in jobs if job.registered_s > clock.acted_until_s),
            scores=manager.scores.by_producer(),
            messages=self.observer.messages,
            negotiations=self.observer.negotiations,
            rounds=clock.now.step + 1,
            disputes=disputes,
            wall_s=clock.earlier_wall_s + time.perf_counter() - self.started_wall_s,
            without=tuple(
                DroppedHost(host, why, host in clock.membership.quarantined)
                for host, why in sorted(clock.membership.reasons.items())
            ),
        )

    def _end_s(self, state: EndState, reached_s: int) -> int:
        """Return the virtual time at the end, UNIX seconds."""
        if not (self.is_without_days and state == "done"):
            return max(self.clock.now.time_s, reached_s)
        timeline_agent, observer = self.agent_set.timeline_agent, self.observer
        happened = self.scenario if timeline_agent is None else as_happened(self.scenario, timeline_agent.run_events)
        jobs = realise(happened, observer.realised, is_shared=self.agent_set.is_shared).scenario.jobs
        return end_without_days_s(observer.last_message_s, jobs, self.agent_set.manager.ledger.values())


def _violations(
    scenario: Scenario, agent_set: AgentSet, clock: Clock, observer: RunObserver
) -> tuple[list[str], list[str]]:
    """Return how the ledger and the agents violate the invariants of a run that has ended.

    An error of an agent in this process is a defect of this program. Households in other processes are responsible for
    their own statements: one that lies about its own jobs or production does not end the run, but is named.

    Returns:
        Defects, and disputes.
    """
    ledger = list(agent_set.manager.ledger.values())
    optional: frozenset[str] = frozenset()
    if agent_set.timeline_agent is not None:
        scenario = as_happened(scenario, agent_set.timeline_agent.run_events)
        optional = optional_jobs(scenario, agent_set.timeline_agent.run_events)
    lost = [host for host in clock.membership.dropped if host in clock.settings.hosts]
    # With the jobs as they were agreed: what was measured since changes no contract.
    realised = realise(scenario, observer.realised, is_shared=agent_set.is_shared, optional=optional)
    scenario = realised.agreed
    defects = manager_problems(scenario, ledger)
    open_ends = consumer_problems(scenario, ledger, clock.acted_until_s, lost, realised.optional)
    if not isinstance(observer, DistributedRunObserver):
        defects += double_booked(scenario.jobs, ledger, forecasts_of(agent_set))
        local: PartyContracts | PartyShares = (
            PartyShares.of(agent_set) if agent_set.is_shared else PartyContracts.of(agent_set)
        )
        return defects + open_ends + _differences(ledger, local, scenario.jobs, agent_set.producers), []
    if observer.party_contracts is None:
        return defects, open_ends
    there = scenario.part_of([house.id for house in scenario.houses if house.id not in lost])
    return defects, open_ends + _differences(ledger, observer.party_contracts, there.jobs, there.producers)


def _differences(
    ledger: Sequence[LedgerEntry],
    party_contracts: PartyContracts | PartyShares,
    jobs: Sequence[Job],
    producers: Iterable[str],
) -> list[str]:
    if isinstance(party_contracts, PartyShares):
        return share_disagreements(ledger, party_contracts, jobs, producers)
    return disagreements(ledger, party_contracts, jobs, producers)


def root_cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one error of a group that says why: the first failure, not what followed from it."""
    leaves: list[BaseException] = []
    pending: list[BaseException] = [group]
    while pending:
        error = pending.pop(0)
        if isinstance(error, BaseExceptionGroup):
            pending += error.exceptions
        else:
            leaves.append(error)
    # Hosts that cannot reach the broker are missing because of that.
    order = (AgentFailedError, BrokerUnreachableError, BrokerLostError, HostsMissingError)

    def rank(error: BaseException) -> int:
        if not isinstance(error, SsmicError):
            return -1  # a defect: never hide it behind what it caused
        return next((i for i, kind in enumerate(order) if isinstance(error, kind)), len(order))

    return min(leaves, key=rank)
