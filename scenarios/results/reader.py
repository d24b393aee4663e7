"""Reads a results file: simulation, runs, contracts, messages, and everything derived from them.

Energy and figures are recomputed from the scenario and the contracts in the file, so they are also available for a run
that is still in progress or was cut off.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from pydantic import ValidationError

from agents import LedgerEntry
from broker.protocol import first_problem
from scenarios.devices import is_guest_producer
from scenarios.events import RunEvent
from scenarios.metrics import (
    DEFAULT_INTERVAL_S,
    CommunityAccount,
    Kpis,
    MemberBill,
    Settlement,
    account_of,
    averaged_over,
    compute_kpis,
    producer_houses,
    settle,
)
from scenarios.mistyped_names import suggest
from scenarios.prices import Community
from scenarios.realised_scenario import RealisedScenario, realise
from scenarios.results.bill_rows import BillRow, bill_rows, read_bills
from scenarios.results.connection import DAMAGE, ResultsError, damage_of, open_for_reading, translate_read_errors
from scenarios.results.contract_rows import ContractRow, read_contract_rows
from scenarios.results.kept_messages import (
    KeptMessages,
    RecordedMessage,
    begins_negotiation,
    is_kept,
    message_of,
    read_message_counts,
    read_realised,
    read_represented,
    read_run_events,
)
from scenarios.results.large_run_overviews import (
    HouseholdRow,
    MinuteEnergies,
    has_overview,
    read_household,
    read_households,
    read_minutes,
)
from scenarios.results.ledger_rows import read_ledger
from scenarios.results.rows import (
    DroppedHost,
    RunInfo,
    SimulationInfo,
    check_times,
    checked_settings,
    read_verdicts,
    restored_scenario,
    run_info_of,
)
from scenarios.results.schema import has_table
from scenarios.scenario import Scenario, contradiction, planned_end_s, scenario_digest, scenario_of
from scenarios.timeline import as_happened, optional_jobs
from scenarios.zone import Zone

MESSAGES_A_PAGE = 1000
MOST_NAMED = 30
"""Houses that an error names at most."""
MOST_SETTLED_CELLS = 4_000_000
"""Minutes of producers of the settlements that a reader keeps; the newest one is kept in any case."""


class ResultsReader:
    """A results file open for reading; sees everything that writers have committed so far."""

    def __init__(self, path: Path, scenario: Scenario | None = None) -> None:
        """Open a results file.

        Args:
            path: The file.
            scenario: Its scenario if it has been read before, as it never changes and takes a while to parse.

        Raises:
            ResultsError: The file is missing, empty, damaged, not ours, or of a newer version.
        """
        self.path = path
        self._connection = open_for_reading(path)
        self._scenario = scenario
        self._ledger: tuple[RunInfo, tuple[LedgerEntry, ...]] | None = None
        self._settled: dict[int, tuple[RunInfo, Settlement]] = {}
        """By run, as long as the run is as it was then; the newest one last."""
        try:
            self.info = self._read_info()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @property
    def scenario(self) -> Scenario:
        """The scenario that was run, complete."""
        if self._scenario is None:
            text = self._scenario_json()
            try:
                scenario = scenario_of(text)
            except ValidationError as error:
                problem = error.errors()[0]
                place = ".".join(str(part) for part in problem["loc"])
                where = f"its scenario, at {place}" if place else "its scenario"
                raise ResultsError(f"{self.path}: {damage_of(error)}: {where}: {problem['msg']}") from error
            if (wrong := contradiction(scenario)) is not None:
                raise ResultsError(f"{self.path}: is damaged: its scenario: {wrong}")
            self._scenario = scenario
        return self._scenario

    def scenario_digest(self, without: Collection[str] = ()) -> str:
        """Return a digest of the scenario, without these keys of it; see `scenarios.scenario.scenario_digest`."""
        with self._translate_damage():
            return scenario_digest(self._scenario_json(), without)

    def _scenario_json(self) -> str:
        with self._translate_damage():
            return restored_scenario(self._one("SELECT scenario_json FROM simulation")["scenario_json"])

    @property
    def parsed_scenario(self) -> Scenario | None:
        """The scenario if it has been read; parsing that of 10,000 houses takes half a minute."""
        return self._scenario

    @property
    def zone(self) -> Zone:
        """The display zone of times."""
        text = self._meta("zone")
        if text is None or not self._has_overviews:
            return self.scenario.zone
        with self._translate_damage():
            return Zone(**json.loads(text))

    @property
    def houses(self) -> tuple[tuple[str, str], ...]:
        """Ids and names of the houses, in the scenario's order."""
        return tuple((row["house"], row["name"]) for row in self._rows("SELECT house, name FROM houses ORDER BY id"))

    @property
    def about(self) -> dict[str, Any] | None:
        """Facts about the scenario: `description`, number of `jobs`, prices and settlement in words.

        None: written by a version that did not store it.
        """
        text = self._meta("about")
        with self._translate_damage():
            return None if text is None else dict(json.loads(text))

    @property
    def producers(self) -> tuple[tuple[str, str], ...]:
        """Ids of the producers and of their houses, in the scenario's order."""
        query = "SELECT producer, house FROM producers JOIN houses ON houses.id = house_id ORDER BY producers.id"
        return tuple((row["producer"], row["house"]) for row in self._rows(query))

    @property
    def _has_overviews(self) -> bool:
        return self._has_table("overviews")

    def _has_table(self, name: str) -> bool:
        with translate_read_errors(self.path):
            return has_table(self._connection, name)

    def _meta(self, key: str) -> str | None:
        """Return the file's facts about its scenario; None: written by a version that did not store them."""
        for row in self._rows("SELECT value FROM meta WHERE key = ?", key):
            return cast("str", row["value"])
        return None

    @property
    def knows_offset(self) -> bool:
        """Whether the file records the scenario's UTC offset; the first versions of ssmic did not."""
        if self._has_overviews:
            return True  # to search the scenario of 10,000 houses takes a while
        return '"utc_offset_s":' in self._scenario_json()

    def run_events(self, run: int) -> tuple[RunEvent, ...]:
        """Return the events of the timeline that took place in a run, in order."""
        planned = self._meta("timeline")
        has_timeline = bool(self.scenario.timeline) if planned is None else planned != "0"
        if not has_timeline and not self.info.settings.get("script"):
            return ()  # searching a million messages takes a while
        with self._reading():
            return read_run_events(self._connection, run)

    def verdicts(self, run: int) -> tuple[dict[str, Any], ...]:
        """Return the verdicts on the scenario's expectations, in their order; empty if it has none."""
        with self._reading():
            return read_verdicts(self._connection, run)

    def scenario_of(self, run: int) -> Scenario:
        """Return the scenario as a run observed it: production, prices and jobs as realised."""
        return self.realised(run).scenario

    def realised(self, run: int, until_s: int | None = None) -> RealisedScenario:
        """Return the scenario as a run realised it, with its events and the requests and readings of real devices.

        Args:
            run: Number of the run.
            until_s: Only with what took place up to this time, UNIX seconds; None: in the whole run.
        """
        run_events, end_s = self.run_events(run), self.run(run).end_s
        if until_s is not None:
            run_events, end_s = tuple(one for one in run_events if one.at_s <= until_s), min(until_s, end_s)
        with self._reading():
            happened = as_happened(self.scenario, run_events, end_s)
            optional = optional_jobs(happened, run_events)
            if not self.scenario.gateways:
                return RealisedScenario(happened, happened, optional)
            said = read_realised(self._connection, run, until_s)
            is_shared = self.info.supply == "shared"
            return realise(happened, said, is_shared=is_shared, known_until_s=end_s, optional=optional)

    def empty_places(self, run: int) -> frozenset[str]:
        """Return the producers of a run that are places for guests and that no device took."""
        places = frozenset(producer for producer, _ in self.producers if is_guest_producer(producer))
        if not places:
            return places
        with self._reading():
            return places - read_represented(self._connection, run)

    def runs(self) -> tuple[RunInfo, ...]:
        """Return the runs that have started, in order."""
        with self._translate_damage():
            without, disputes = self._dropped_hosts(), self._disputes()
            rows = self._rows("SELECT * FROM runs ORDER BY run")
            return tuple(run_info_of(row, without[row["run"]], disputes[row["run"]]) for row in rows)

    def run(self, run: int) -> RunInfo:
        """Return one run.

        Raises:
            ResultsError: There is no such run.
        """
        with self._translate_damage():
            for row in self._rows("SELECT * FROM runs WHERE run = ?", run):
                return run_info_of(row, self._dropped_hosts()[run], self._disputes()[run])
        numbers = [info.run for info in self.runs()]
        there = f"there are runs {numbers[0]} to {numbers[-1]}" if numbers else "none has begun"
        raise ResultsError(f"{self.path}: has no run {run}; {there}")

    def _dropped_hosts(self) -> defaultdict[int, list[DroppedHost]]:
        """Return the hosts that the runs ended without, by run; empty for files written before they were recorded."""
        by_run: defaultdict[int, list[DroppedHost]] = defaultdict(list)
        if self._has_table("dropped_hosts"):
            for row in self._rows("SELECT * FROM dropped_hosts ORDER BY run, host"):
                by_run[row["run"]].append(DroppedHost(row["host"], row["why"], bool(row["quarantined"])))
        return by_run

    def _disputes(self) -> defaultdict[int, list[str]]:
        """Return the disputes by run; a file without disputes lacks the table."""
        by_run: defaultdict[int, list[str]] = defaultdict(list)
        if self._has_table("disputes"):
            for row in self._rows("SELECT * FROM disputes ORDER BY run, n"):
                by_run[row["run"]].append(row["what"])
        return by_run

    def covered_share(self, run: RunInfo) -> float:
        """Return the share of a run's planned time that its figures cover: 1 for a completed run, else 0 to 1."""
        if run.is_complete:
            return 1.0
        days = self.info.settings.get("days", self.scenario.days)
        span_s = planned_end_s(self.scenario, days) - run.start_s
        return min(1.0, max(0.0, (run.end_s - run.start_s) / span_s)) if span_s > 0 else 0.0

    def ledger(self, run: int) -> tuple[LedgerEntry, ...]:
        """Return a run's contracts with their history, including cancelled ones, in the order of contract ids."""
        info = self.run(run)
        if self._ledger is None or self._ledger[0] != info or info.state == "running":
            with self._reading():
                ledger = read_ledger(self._connection, run)
                check_times(run, info.start_s, (entry.contract.start_s for entry in ledger))
                self._ledger = info, ledger
        return self._ledger[1]

    def check_house(self, house: str) -> None:
        """Raise `ResultsError` if there is no such house; the message names all, or in a large neighbourhood a few."""
        houses = [known for known, _ in self.houses]
        if house in houses:
            return
        if len(houses) > MOST_NAMED:
            there = f"there are {len(houses):,}{suggest(house, houses, otherwise='')}"
        else:
            there = f"there are {', '.join(houses)}"
        raise ResultsError(f"{self.path}: has no house {house!r}; {there}")

    def producers_of(self, house: str) -> set[str]:
        """Return the ids of a house's producers.

        Raises:
            ResultsError: There is no such house.
        """
        self.check_house(house)
        query = "SELECT producer FROM producers JOIN houses ON houses.id = house_id WHERE house = ?"
        return {row["producer"] for row in self._rows(query, house)}

    def settlement(self, run: int, ledger: Sequence[LedgerEntry] | None = None) -> Settlement:
        """Return a run's settled energy; of a run that is over, it is computed once.

        Args:
            run: Number of the run.
            ledger: The run's ledger if it has been read before.
        """
        info = self.run(run)
        kept = self._settled.get(run)
        if kept is not None and kept[0] == info and info.state != "running":
            return kept[1]
        settled = self._settle(info, ledger)
        self._settled.pop(run, None)
        self._settled[run] = info, settled
        cells = sum(of.produced_wh.size for _, of in self._settled.values())
        while cells > MOST_SETTLED_CELLS and len(self._settled) > 1:
            _, oldest = self._settled.pop(next(iter(self._settled)))
            cells -= oldest.produced_wh.size
        return settled

    def _settle(self, info: RunInfo, ledger: Sequence[LedgerEntry] | None) -> Settlement:
        run = info.run
        entries = self.ledger(run) if ledger is None else ledger
        standing = [entry.contract for entry in entries if entry.state == "standing"]
        realised = self.realised(run)
        with self._translate_damage():
            contracts, promises = realised.settled(standing), realised.promises(standing)
            return settle(realised.scenario, contracts, info.start_s, info.end_s, promises)

    def kpis(self, run: int, interval_s: int = DEFAULT_INTERVAL_S) -> Kpis:
        """Return a run's figures.

        Raises:
            IntervalError: The interval is not a positive number of whole minutes.
        """
        info = self.run(run)
        if (minutes := self.minutes(run)) is not None:
            return self._kept_kpis(run, minutes, interval_s)
        ledger, realised = self.ledger(run), self.realised(run)
        return compute_kpis(
            realised.scenario,
            self.settlement(run, ledger),
            ledger,
            info.end_s,
            not_registered=len(info.not_registered),
            optional=realised.optional,
            interval_s=interval_s,
        )

    def is_large(self, run: int) -> bool:
        """Return whether the file has an overview of a run in place of its minutes (`overviews`)."""
        with translate_read_errors(self.path):
            return has_overview(self._connection, run)

    def minutes(self, run: int, house: str | None = None) -> MinuteEnergies | None:
        """Return the minutes of all households of a large run, or of one; None: the run is not large (`overviews`)."""
        with self._reading():
            if not has_overview(self._connection, run):
                return None
            return read_minutes(self._connection, run, house)

    def households(self, run: int) -> tuple[HouseholdRow, ...]:
        """Return the figures of all households of a large run, in the scenario's order."""
        with self._reading():
            return read_households(self._connection, run)

    def household(self, run: int, house: str) -> tuple[HouseholdRow, MemberBill | None]:
        """Return the figures of one household of a large run, and its bill in an energy community."""
        with self._reading():
            return read_household(self._connection, run, house)

    def kept_contracts(self, run: int, house: str | None = None) -> tuple[ContractRow, ...]:
        """Return the standing contracts of a large run, by start, then contract id.

        Args:
            run: Number of the run.
            house: Only contracts of its jobs and with its producers.
        """
        with self._reading():
            return read_contract_rows(self._connection, run, house)

    def _kept_kpis(self, run: int, minutes: MinuteEnergies, interval_s: int) -> Kpis:
        """Return the figures that the file has, with powers averaged over another interval if need be."""
        text = self._one("SELECT kpis_json FROM runs WHERE run = ?", run)["kpis_json"]
        with self._translate_damage():
            figures = Kpis(**json.loads(text))
        if interval_s == figures.interval_s:
            return figures
        return averaged_over(figures, minutes.consumed_wh, minutes.produced_wh, interval_s)

    def bills(self, run: int, community: Community | None = None) -> tuple[BillRow, ...]:
        """Return the bills of a run in the order of the houses; empty if the scenario has no tariff.

        Args:
            run: Number of the run.
            community: Settle in this way instead of the scenario's.
        """
        if community is None and self.minutes(run) is not None:
            with self._reading():
                return read_bills(self._connection, run)
        settled = self.settlement(run)
        with self._translate_damage():
            scenario = self.scenario_of(run)
            return bill_rows(scenario, settled, producer_houses(scenario), community)

    def account(self, run: int, community: Community | None = None) -> CommunityAccount | None:
        """Return the account of the energy community in a run; None if the scenario has none, or no tariff.

        Args:
            run: Number of the run.
            community: Settle in this way instead of the scenario's.
        """
        settled = self.settlement(run)
        with self._translate_damage():
            scenario = self.scenario_of(run)
            return account_of(scenario, settled, producer_houses(scenario), community)

    def scores(self, run: int) -> dict[str, tuple[int, int]]:
        """Return each producer's score at the beginning and at the end of a run, by producer id.

        Empty while the run is in progress, and for files written before scores were recorded.
        """
        with self._translate_damage():
            if not self._has_table("scores"):
                return {}
            query = "SELECT producer, before, after FROM scores JOIN producers ON id = producer_id WHERE run = ?"
            return {row["producer"]: (row["before"], row["after"]) for row in self._rows(query, run)}

    def count_messages(self, run: int) -> int:
        """Return the number of recorded messages of a run."""
        return cast("int", self._one("SELECT COUNT(*) AS n FROM messages WHERE run = ?", run)["n"])

    def count_sent(self, run: int, kind: str | None, until_s: int | None) -> int | None:
        """Return the number of messages of a run, also of those that the file does not keep.

        Args:
            run: Number of the run.
            kind: Only messages of this kind; None: of every kind.
            until_s: Only messages up to the time of an expectation, UNIX seconds; None: all.

        Returns:
            None if the file neither keeps nor counts them.
        """
        kept: KeptMessages = self.info.settings.get("messages", "all")
        if kept == "all" or (kind is not None and is_kept(kind, kept)):
            conditions = "run = :run AND (:kind IS NULL OR kind = :kind) AND (:until_s IS NULL OR time_s <= :until_s)"
            query = f"SELECT COUNT(*) FROM messages WHERE {conditions}"  # noqa: S608 - made of constants only
            with self._reading():
                row = self._connection.execute(query, {"run": run, "kind": kind, "until_s": until_s}).fetchone()
            return cast("int", row[0])
        with self._reading():
            counts = read_message_counts(self._connection, run, until_s)
        if counts is None:
            return None
        return sum(counts.values()) if kind is None else counts.get(kind, 0)

    def count_negotiations(self, run: int, until_s: int) -> int | None:
        """Return how often a job went looking for a supplier up to a time, UNIX seconds.

        Returns:
            None if the file does not keep the messages that say so.
        """
        if not is_kept("ProducersFor", self.info.settings.get("messages", "all")):
            return None
        asked = (message for message in self.messages(run, kind="ProducersFor") if message.time_s <= until_s)
        return sum(begins_negotiation(message.body) for message in asked)

    def messages(
        self, run: int, *, after: int = 0, limit: int = -1, kind: str | None = None, job_id: str | None = None
    ) -> Iterator[RecordedMessage]:
        """Yield a run's messages in order, without loading all of them.

        Args:
            run: Number of the run.
            after: Skip messages up to this number.
            limit: Maximum number of messages; -1: all.
            kind: Only messages of this kind.
            job_id: Only messages about this job.
        """
        conditions = ["run = ?", "n > ?"]
        wanted: list[int | str] = [run, after]
        for column, value in (("kind", kind), ("job_id", job_id)):
            if value is not None:
                conditions.append(f"{column} = ?")
                wanted.append(value)
        where = " AND ".join(conditions)
        query = f"SELECT * FROM messages WHERE {where} ORDER BY n LIMIT ?"  # noqa: S608 - made of constants only
        while limit != 0:
            # Page by page: an open cursor would prevent writers from checkpointing the log.
            page = MESSAGES_A_PAGE if limit < 0 else min(limit, MESSAGES_A_PAGE)
            with self._translate_damage():
                found = [message_of(row) for row in self._rows(query, *wanted, page)]
            yield from found
            if len(found) < page:
                return
            wanted[1] = found[-1].n
            limit = limit - len(found) if limit > 0 else limit

    def _read_info(self) -> SimulationInfo:
        with self._translate_damage():
            columns = "scenario, algorithm, settings_json, broker, hosts, seeds_json, versions_json, created_utc"
            row = self._one(f"SELECT {columns} FROM simulation")  # noqa: S608 - made of constants only
            return SimulationInfo(
                scenario=row["scenario"],
                algorithm=row["algorithm"],
                settings=checked_settings(row["settings_json"]),
                broker=row["broker"],
                hosts=row["hosts"],
                seeds=tuple(json.loads(row["seeds_json"])),
                versions=json.loads(row["versions_json"]),
                created_utc=row["created_utc"],
            )

    def _rows(self, query: str, *values: int | str) -> list[sqlite3.Row]:
        with translate_read_errors(self.path):
            return self._connection.execute(query, values).fetchall()

    def _one(self, query: str, *values: int | str) -> sqlite3.Row:
        for row in self._rows(query, *values):
            return row
        raise ResultsError(f"{self.path}: is damaged: it does not say what was simulated")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Translate all errors of reading from the connection."""
        with self._translate_damage(), translate_read_errors(self.path):
            yield

    def _translate_damage(self) -> _Damage:
        return _Damage(self.path)


class _Damage:
    """Translates errors that only a damaged file can cause into one that names the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # ValidationError and JSONDecodeError are ValueErrors.
        if isinstance(error, DAMAGE):
            raise ResultsError(f"{self._path}: {damage_of(error)}: {first_problem(error)}") from error
