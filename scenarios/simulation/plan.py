"""The plan of a simulation: one scenario, one algorithm, a run for every seed."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from agents import DEVICE_RULES
from agents.ranking import NegotiationSettings
from agents.scheduling import AlgorithmSettings
from agents.sharing import SupplySettings
from broker import SsmicError
from broker.clock import Pace
from broker.protocol import LIMIT_WALL_S, Timeouts
from broker.transport import BrokerUrl, Tls
from scenarios.results import DEFAULT_FOLDER, KeptMessages
from scenarios.scenario import Scenario
from scenarios.simulation.agents import check_fits_broker, fastest_spread
from scenarios.simulation.run import Replay
from scenarios.simulation.scores_file import ScoresFile, run_key
from scenarios.simulation.settings import RunSettings

BusKind = Literal["memory", "mqtt"]


@dataclass(frozen=True, slots=True)
class Plan:
    """A simulation before it begins."""

    scenario: Scenario
    seeds: tuple[int, ...]
    """One per run, all different."""
    algorithm: AlgorithmSettings = field(default_factory=AlgorithmSettings)
    bus: BusKind = "mqtt"
    broker: str | BrokerUrl | None = None
    """`mqtt` only: a URL, `mosquitto` or `embedded`; None: a managed Mosquitto, or embedded if it is not installed."""
    tls: Tls | None = None
    """The certificates for a broker with an `mqtts` URL; None: the system's."""
    hosts: int | Literal["houses"] | None = None
    """Hosts, each with its own connection, that the agents are spread over; `houses`: one for each household;
    None: as fast as possible, see `spread`."""
    processes: int | None = None
    """`mqtt` only: processes that the households of a run are spread over; None: a run has one."""
    days: int | None = None
    """None: as the scenario says, which may be until the last job has run."""
    until_s: int | None = None
    """Instead of `days`, when a run ends, UNIX seconds."""
    pace: Pace = field(default_factory=Pace)
    """How fast virtual time passes at most."""
    patient: bool = True
    """Whether jobs that no producer can serve wait for an opening."""
    negotiating: NegotiationSettings = field(default_factory=NegotiationSettings)
    """How jobs find a supplier."""
    limit_wall_s: float = LIMIT_WALL_S
    """How long the broker may be away, or a host say nothing, before a run is given up; no part in the result."""
    keep: bool = False
    """Whether what is retained stays at the broker when a run has ended, for watchers that come later."""
    home_assistant: bool = False
    """Whether to publish each run to Home Assistant (MQTT discovery)."""
    workers: int | None = None
    """Processes; None: one per run, at most one per core."""
    scores_file: Path | None = None
    """The file that keeps scores between simulations. None: next to the results, and a repeated run begins with the
    same scores again; a named file is used as it is."""
    reset_scores: bool = False
    """Start with fresh scores, and discard those in the scores file."""
    start_scores: Mapping[str, int] | None = None
    """Scores with which every run begins, by producer id; the file is then not read, and changed only by
    `reset_scores`. None: the scores kept in the file. Empty: fresh scores, as for the first run ever."""
    replay: Replay | None = None
    """What real devices said in an earlier session, which is repeated without them; None: they take part."""
    run_id: str | None = None
    """The run's id on the broker, of a single run; None: one unlike any other."""
    has_script: bool = False
    """Whether a script acts on the runs, so that their results hold more than the scenario's own events."""
    kept_messages: KeptMessages = "all"
    """Which messages the results file keeps."""
    out: Path | None = None
    """The results file; None: one named after the simulation, in `folder`."""
    folder: Path = DEFAULT_FOLDER
    """Folder of the results file if `out` names none."""
    supply: SupplySettings | None = None
    """How jobs are supplied; None: as the scenario says."""
    device_rules: int = DEVICE_RULES
    """See `RunSettings`."""

    @property
    def spread(self) -> int | None:
        """Number of hosts that the agents are spread over; None: one for each household."""
        if self.hosts == "houses":
            return None
        if self.hosts is None and self.processes is not None:
            return self.processes
        if self.hosts is None and self.pace.factor is not None:
            return None  # a paced run gains nothing from fewer hosts, and watchers see each household
        return self.hosts or fastest_spread(self.scenario, has_script=self.has_script)

    @property
    def has_open_end(self) -> bool:
        """Whether a run lasts until it is stopped, because real devices may take part and no days are given."""
        days = self.scenario.days if self.days is None else self.days
        return bool(self.scenario.gateways) and self.replay is None and days is None

    @property
    def has_private_broker(self) -> bool:
        """Whether the broker is started for the simulation, with a login that only this user's processes find."""
        return self.bus == "mqtt" and self.broker in {None, "mosquitto", "embedded"}

    def check_fits_broker(self) -> None:
        """Check that a broker can carry the run.

        Raises:
            SsmicError: The neighbourhood has more agents than fit into a message.
        """
        check_fits_broker(self.scenario, self.spread, has_script=self.has_script)

    def with_a_bus_that_fits(self) -> Plan:
        """Return the plan, in memory if a broker cannot carry it; unchanged if something else needs the broker."""
        if self.scenario.gateways or (self.processes or 1) > 1:
            return self
        try:
            self.check_fits_broker()
        except SsmicError:
            return replace(self, bus="memory")
        return self

    def kept_scores(self) -> ScoresFile:
        """Return the file that keeps the scores."""
        return ScoresFile.beside(self.out or self.folder / "results", self.scenario.name, self.scores_file)

    @asynccontextmanager
    async def _first_scores(self) -> AsyncIterator[list[dict[str, int]]]:
        """Return the scores with which each run begins, by producer id; see `ScoresFile.beginning`."""
        if self.start_scores is not None and not self.reset_scores:
            yield [dict(self.start_scores) for _ in self.seeds]
            return
        keys: list[str | None] = [None] * len(self.seeds)
        if self.scores_file is None and self.start_scores is None:
            keys = [self._key(seed) for seed in self.seeds]
        async with self.kept_scores().beginning(keys, afresh=self.reset_scores) as kept:
            yield kept if self.start_scores is None else [dict(self.start_scores) for _ in self.seeds]

    def _key(self, seed: int) -> str:
        return run_key(
            self.scenario,
            seed,
            self.algorithm,
            self.days,
            patient=self.patient,
            negotiating=self.negotiating,
            supply=self.supply_settings,
        )

    @property
    def supply_settings(self) -> SupplySettings:
        """How jobs are supplied."""
        return self.supply or self.scenario.supply_settings

    @asynccontextmanager
    async def run_settings(self) -> AsyncIterator[list[RunSettings]]:
        """Return the settings of each run; the scores with which it begins are remembered, unless the context fails.

        The ids of the runs are unlike those of any other run on the same broker; they have no part in the results.

        Raises:
            ScoresFileError: the file that keeps the scores cannot be used.
        """
        async with self._first_scores() as begun_with:
            yield self._settings_with(begun_with)

    def _settings_with(self, begun_with: Sequence[Mapping[str, int]]) -> list[RunSettings]:
        name = re.sub(r"[^\w.-]+", "-", self.scenario.name, flags=re.ASCII)
        return [
            RunSettings(
                seed=seed,
                run_id=self.run_id or f"{name}-{self.algorithm.name}-{seed}-{secrets.token_hex(4)}",
                algorithm=self.algorithm,
                supply=self.supply_settings,
                patient=self.patient,
                negotiating=self.negotiating,
                device_rules=self.device_rules,
                patience=Timeouts(limit_wall_s=self.limit_wall_s),
                hosts=self.spread,
                days=self.days,
                until_s=self.until_s,
                pace=self.pace,
                keep=self.keep,
                home_assistant=self.home_assistant,
                scores=scores,
            )
            for seed, scores in zip(self.seeds, begun_with, strict=True)
        ]


def from_equal_scores(plans: Sequence[Plan]) -> tuple[Plan, ...]:
    """Return plans that are to be compared, so that none begins with what another one learned.

    All begin with fresh scores or, where a scores file is named, with those in it; no kept score changes, unless the
    plans ask to reset them: the first of them does.

    Raises:
        ScoresFileError: the file that is named cannot be used, or the kept scores cannot be reset.
    """
    first, *others = plans
    if first.reset_scores:
        first.kept_scores().check_writable()
    is_fresh = first.scores_file is None or first.reset_scores
    begun_with = {} if is_fresh else first.kept_scores().scores()
    return (
        replace(first, start_scores=begun_with),
        *(replace(plan, start_scores=begun_with, reset_scores=False) for plan in others),
    )
