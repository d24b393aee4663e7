"""Settings of a run, and its setup, by which the processes of a run detect whether and where their settings differ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from concurrent.futures import Executor
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from agents import DEVICE_RULES, Job, Prediction, SettingsError
from agents.ranking import NegotiationSettings
from agents.scheduling import AlgorithmSettings
from agents.sharing import SupplySettings
from broker import PROTOCOL_KEY, file_name, setup_parts
from broker.clock import CatchUp, ClockJournal, OnLoss, Pace
from broker.hosts import HostJournal
from broker.protocol import VERSION, Timeouts
from scenarios.events import TimelineEvent
from scenarios.prices import price_settings
from scenarios.scenario import MAX_DAYS, MOST_SEED, Scenario
from scenarios.timeline import absent_at_start, counters_of

CLOCK_JOURNAL = "clock"
"""Name of the clock's journal."""
_JOBS: TypeAdapter[tuple[Job, ...]] = TypeAdapter(tuple[Job, ...])
_PREDICTIONS: TypeAdapter[dict[str, tuple[Prediction, ...]]] = TypeAdapter(dict[str, tuple[Prediction, ...]])
_TIMELINE: TypeAdapter[tuple[TimelineEvent, ...]] = TypeAdapter(tuple[TimelineEvent, ...])
_MAX_BYTES_OF_PART = 100
"""Maximum length of the part of a journal's name that a run or a process has."""


MOST_HOSTS = 100_000
"""The most hosts of a run; more than there are agents in the largest neighbourhood."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """Settings of one run of a scenario, in one process or in several.

    `seed`, `algorithm`, `supply`, `patient` and `negotiating` must be the same in all processes of a run. What is
    marked "clock only" does not concern a process that only runs households.
    """

    seed: int
    """Seed of the agents' random numbers."""
    run_id: str
    """Names the run on the broker."""
    algorithm: AlgorithmSettings = field(default_factory=AlgorithmSettings)
    supply: SupplySettings = field(default_factory=SupplySettings)
    """Whether a job is supplied whole or by several producers together."""
    patient: bool = True
    """Whether jobs that no producer can serve wait for an opening."""
    negotiating: NegotiationSettings = field(default_factory=NegotiationSettings)
    """How jobs find a supplier."""
    device_rules: int = DEVICE_RULES
    """The rules by which gateway agents answer real devices; others in the replay of an older recording."""
    patience: Timeouts = field(default_factory=Timeouts)
    """When to ask again, reconnect or give up, wall-clock seconds; no part in the result."""
    hosts: int | None = None
    """Number of hosts that the agents are spread over; None: one for each household, and one for the manager."""
    journals: Path | None = None
    """Folder of the journals; None: a process that dies does not come back."""
    days: int | None = None
    """Clock only. None: as the scenario says, else until the last job has run."""
    until_s: int | None = None
    """Clock only: instead of `days`, when the run ends, UNIX seconds."""
    pace: Pace = field(default_factory=Pace)
    """Clock only."""
    catch_up: CatchUp = field(default_factory=CatchUp)
    """Clock only: how the run makes up for time in which a household, the broker or the machine was away."""
    on_loss: OnLoss = "wait"
    """Clock only: what happens when a household stays away."""
    keep: bool = False
    """Clock only: whether retained messages stay at the broker after the run, for watchers that come later."""
    home_assistant: bool = False
    """Clock only: whether to publish the run to Home Assistant (MQTT discovery)."""
    scores: Mapping[str, int] = field(default_factory=dict)
    """Clock only: the producers' scores from earlier simulations, by id."""

    def __post_init__(self) -> None:
        """Raise `SettingsError` if numbers are out of range; it lists all of them."""
        ranges = (
            ("seed", self.seed, 0, MOST_SEED),
            ("days", self.days, 1, MAX_DAYS),
            ("hosts", self.hosts, 1, MOST_HOSTS),
        )
        problems = tuple(
            f"{name} {value}: expected a whole number from {least} to {'2^63 - 1' if most == MOST_SEED else most}"
            for name, value, least, most in ranges
            if value is not None and not least <= value <= most
        )
        if problems:
            raise SettingsError(problems)

    def days_of(self, scenario: Scenario) -> int | None:
        """Return how many days the run lasts; None: until the last job has run."""
        return scenario.days if self.days is None else self.days

    def end_s(self, scenario: Scenario) -> int | None:
        """Return when the run ends, in UNIX seconds; None: when the last job has run."""
        if self.until_s is not None:
            return self.until_s
        days = self.days_of(scenario)
        return None if days is None else scenario.end_s(days)

    def fingerprint(self, scenario: Scenario, house_ids: Collection[str]) -> str:
        """Return everything that a household's contracts depend on, as a setup (`broker.journal_file`).

        Args:
            scenario: Only the households' part of it counts.
            house_ids: The houses of the process.
        """
        return self.fingerprints(scenario, {"": house_ids})[""]

    def fingerprints(self, scenario: Scenario, groups: Mapping[str, Collection[str]]) -> dict[str, str]:
        """Return the same for groups of houses, by group.

        Args:
            scenario: Only the houses' parts of it count.
            groups: The houses that share a process, by group; each house is in one at most.
        """
        return {
            group: " ".join(f"{name}:{value}" for name, value in self._parts(part).items())
            for group, part in scenario.parts_of(groups).items()
        }

    def fingerprint_of_all(self, scenario: Scenario) -> str:
        """Return everything that the contracts of a run depend on, as a setup (`broker.journal_file`)."""
        end = self.fingerprint(scenario, [house.id for house in scenario.houses])
        timeline = f" timeline:{_hash_of(_TIMELINE.dump_json(scenario.timeline))}" if scenario.timeline else ""
        zone = f" zone:{scenario.zone_name}" if scenario.zone_name else ""
        return f"{end} days:{self.days_of(scenario) or 'all'}{timeline}{zone}"

    def _parts(self, scenario: Scenario) -> dict[str, str]:
        """Return by name what a part of a scenario and these settings say of its contracts.

        Names for display and descriptions have no part in any contract; actual production only where producers correct
        their forecasts by it, prices only where consumers compare costs.
        """
        name, *numbers = astuple(self.algorithm)
        devices = [(d.house, d.id, d.type) for house in scenario.houses for d in house.devices]
        predictions = {producer: series.predictions for producer, series in sorted(scenario.producers.items())}
        there = {device.agent for house in scenario.houses for device in house.devices}
        absent = sorted(absent_at_start(scenario) & there)
        base_loads = {house: load.digest for house, load in sorted(scenario.base_loads.items())}
        return {
            **({"base_loads": _hash_of(json.dumps(base_loads).encode())} if base_loads else {}),
            **({"absent": _hash_of(json.dumps(absent).encode())} if absent else {}),
            "algorithm": "/".join([str(name), *(f"{number:g}" for number in numbers)]),
            "devices": _hash_of(json.dumps(devices).encode()),
            **({"gateways": _hash_of(_gateways_json(scenario))} if scenario.gateways else {}),
            **({"strategy": scenario.strategy} if scenario.strategy else {}),
            "forecasts": _hash_of(_PREDICTIONS.dump_json(predictions)),
            "jobs": _hash_of(_JOBS.dump_json(scenario.jobs)),
            **({"negotiation": _shown(self.negotiating)} if self.negotiating != NegotiationSettings() else {}),
            **({"prices": _hash_of(_prices_json(scenario))} if self.supply.compares_costs and scenario.tariff else {}),
            "patient": "yes" if self.patient else "no",
            **({"promise": scenario.promise} if scenario.promise != "early" else {}),
            "seed": str(self.seed),
            "start": str(scenario.start_s),
            **({"supply": "/".join(["shared", *self.supply.prefer])} if self.supply.is_shared else {}),
            **({"counters": _counters_hash(scenario)} if self.supply.corrects_forecasts else {}),
        }

    def clock_journal(self, fingerprint: str) -> ClockJournal | None:
        """Open the clock's journal; return None if no journals are kept.

        Raises:
            JournalError: It belongs to another run, or cannot be used.
        """
        if self.journals is None:
            return None
        return ClockJournal(self.journal_file(CLOCK_JOURNAL), self._journal_identity(CLOCK_JOURNAL, fingerprint))

    def host_journal(self, host_id: str, fingerprint: str, threads: Executor | None = None) -> HostJournal | None:
        """Open a host's journal; return None if no journals are kept.

        Args:
            host_id: The host.
            fingerprint: Everything that its contracts depend on.
            threads: See `JournalFile`.

        Raises:
            JournalError: It belongs to another run or host, or cannot be used.
        """
        if self.journals is None:
            return None
        return HostJournal(self.journal_file(host_id), self._journal_identity(host_id, fingerprint), threads)

    def _journal_identity(self, name: str, fingerprint: str) -> dict[str, str]:
        return {"run": self.run_id, "name": name, PROTOCOL_KEY: str(VERSION), **setup_parts(fingerprint)}

    def journal_file(self, name: str) -> Path:
        """Return the path of a process's journal, whether or not the file exists."""
        folder = self.journals or Path()
        run, process = (file_name(text, dots=False, most_bytes=_MAX_BYTES_OF_PART) for text in (self.run_id, name))
        return folder / f"{run}.{process}.journal.sqlite"


def _shown(negotiating: NegotiationSettings) -> str:
    return "/".join(str(value) for value in astuple(negotiating))


def _gateways_json(scenario: Scenario) -> bytes:
    """Return the real devices of a part of a scenario, and the load profiles that they may ask for by name."""
    gateways = {agent: gateway.model_dump(mode="json") for agent, gateway in sorted(scenario.gateways.items())}
    profiles = {name: profile.digest for name, profile in sorted(scenario.load_profiles.items())}
    return json.dumps([gateways, profiles]).encode()


def _counters_hash(scenario: Scenario) -> str:
    """Return a hash of what producers correct their forecasts by."""
    counted = {
        producer: counter.production.digest
        for producer, counter in sorted(counters_of(scenario).items())
        if counter.production is not None
    }
    return _hash_of(json.dumps(counted).encode())


def _prices_json(scenario: Scenario) -> bytes:
    return json.dumps(price_settings(scenario.tariff, scenario.community, scenario.zone), sort_keys=True).encode()


def _hash_of(content: bytes) -> str:
    return f"#{hashlib.sha256(content).hexdigest()[:12]}"


def described(
    scenario: Scenario, settings: RunSettings, bus: str, days: int | None, scores: Mapping[int, Mapping[str, int]]
) -> dict[str, Any]:
    """Return the settings as a results file records them, fit for JSON.

    Args:
        scenario: The scenario.
        settings: Of the run, or of all runs of a simulation.
        bus: `memory` or `mqtt`.
        days: As the results file is to say it; None: no end was set.
        scores: By seed, the producers' scores at the beginning of the run; left out if all are empty.
    """
    algorithm = asdict(settings.algorithm)
    del algorithm["name"]
    asking = {} if settings.negotiating == NegotiationSettings() else asdict(settings.negotiating)
    chosen = {**algorithm, **asking, "bus": bus, "days": days, "pace": str(settings.pace), "patient": settings.patient}
    if settings.supply.is_shared:
        chosen |= {
            "supply": settings.supply.rule,
            "prefer": list(settings.supply.prefer),
            "forecast": settings.supply.forecast,
        }
    if scenario.gateways:
        chosen["device_rules"] = settings.device_rules
    if scenario.promise != "early":
        chosen["promise"] = scenario.promise
    if any(scores.values()):
        chosen["scores"] = {str(seed): dict(earlier) for seed, earlier in scores.items()}
    return chosen
