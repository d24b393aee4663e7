"""The hosts and their devices, with current activity."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import overload

from textual.app import ComposeResult

from agents import MANAGER, TIMELINE
from broker import plural
from scenarios import Zone
from scenarios.monitor import ObservedHost, ObservedNegotiation, ObservedRun, shown_agent
from tui.monitor.pane import STATES, Pane, clock, moment
from tui.widgets import Cell, Column, VirtualTable


@dataclass(frozen=True, slots=True)
class HostRow:
    """A host, or an agent on it."""

    id: str
    name: Cell
    state: Cell
    detail: str
    last: str


_HOST = "host "
"""Begins the ids of rows of hosts."""
_COLUMNS: tuple[Column[HostRow], ...] = (
    Column("host and device", lambda row: row.name, 30, wide=44, is_id=True),
    Column("state", lambda row: row.state, 14),
    Column("what it does", lambda row: row.detail),
    Column("last heard", lambda row: (row.last, "muted"), 10, from_width=80),
)


class HostsPane(Pane):
    """Hosts with their devices."""

    def __init__(self) -> None:
        super().__init__()
        self._changes = -1

    def compose(self) -> ComposeResult:
        """One table."""
        yield VirtualTable[HostRow](
            _COLUMNS, key=lambda row: row.id, empty="No host has announced itself yet", id="hosts"
        )

    def show(self, watched: ObservedRun) -> None:
        """Redraw if something changed."""
        if watched.changes != self._changes:
            self._changes = watched.changes
            self.query_one("#hosts", VirtualTable).show_rows(HostRows(watched, self.zone))

    def forget(self) -> None:
        """Clear the pane."""
        self._changes = -1
        self.query_one("#hosts", VirtualTable).show_rows([])


class HostRows(Sequence[HostRow]):
    """A row for every host, each followed by its agents; made when it is drawn, as there may be 60,000."""

    def __init__(self, watched: ObservedRun, zone: Zone) -> None:
        """Take the hosts and agents as they are now.

        Args:
            watched: The run.
            zone: Zone in which times are shown.
        """
        self._watched, self._zone = watched, zone
        self._now_s = 0 if watched.time is None else watched.time.now_s
        self._jobs: dict[str, list[ObservedNegotiation]] = defaultdict(list)
        for job in watched.negotiations():
            self._jobs[job.consumer].append(job)
        self._misses_jobs = bool(self._jobs.pop("", []))
        """Whether there are jobs of consumers that are not known: they were agreed before the monitor joined."""
        self._hosts = sorted(watched.hosts.values(), key=lambda host: (host.id != MANAGER, host.id))
        self._begins = list(accumulate((1 + len(host.agents) for host in self._hosts), initial=0))
        """Index of the row of each host, and the number of rows."""

    def __len__(self) -> int:
        return self._begins[-1]

    @overload
    def __getitem__(self, index: int) -> HostRow: ...

    @overload
    def __getitem__(self, index: slice) -> list[HostRow]: ...

    def __getitem__(self, index: int | slice) -> HostRow | list[HostRow]:
        """Return a row, or several."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        place = index % len(self)
        number = bisect_right(self._begins, place) - 1
        host, below = self._hosts[number], place - self._begins[number]
        return self._row(host, host.agents[below - 1] if below else "")

    def position(self, key: object) -> int | None:
        """Return the index of the row with an id; None if there is none."""
        for host, begin in zip(self._hosts, self._begins, strict=False):
            if key == f"{_HOST}{host.id}":
                return begin
            if key in host.agents:
                return begin + 1 + host.agents.index(str(key))
        return None

    def _row(self, host: ObservedHost, agent: str) -> HostRow:
        watched, zone = self._watched, self._zone
        if agent:
            # A host may have the agents of many households: then the title names the device's household too.
            title = f"  {shown_agent(agent).removeprefix(f'{host.id}/')}"
            jobs = self._jobs.get(agent, [])
            if self._misses_jobs and not (jobs or agent in {MANAGER, TIMELINE} or agent in watched.producers):
                return HostRow(agent, title, ("· unknown", "muted"), "no message since you joined", "")
            return _device(watched, agent, title, jobs, self._now_s, zone)
        name = watched.scenario_context.houses.get(host.id) or ""
        title = f"{host.id}  {name}" if name and name.casefold() != host.id.casefold() else host.id
        count = host.quarantined or f"{plural(len(host.agents), 'agent')}, {plural(host.sent, 'message')}"
        return HostRow(f"{_HOST}{host.id}", (title, "strong"), _state(host), count, clock(zone, host.last_s))


def _state(host: ObservedHost) -> Cell:
    if host.quarantined:
        return "✗ quarantined", "bad"
    if host.is_there:
        return "● online", "ok"
    return ("○ offline", "bad") if host.was_there else ("· never seen", "warn")


def _device(
    watched: ObservedRun, agent: str, name: str, jobs: list[ObservedNegotiation], now_s: int, zone: Zone
) -> HostRow:
    if agent == MANAGER:
        standing = sum(entry.state == "standing" for entry in watched.ledger.values())
        return HostRow(
            agent,
            name,
            ("§ manager", "accent"),
            f"{plural(standing, 'contract')} stand{'s' if standing == 1 else ''}",
            "",
        )
    producer = watched.producers.get(agent)
    if producer is not None:
        count = plural(len(producer.contracts), "contract")
        score = producer.score if producer.is_score_known else "unknown"
        return HostRow(agent, name, ("☼ producer", "warn"), f"{count}, score {score}", "")
    return _consumer(agent, name, jobs, now_s, zone)


def _consumer(agent: str, name: str, jobs: list[ObservedNegotiation], now_s: int, zone: Zone) -> HostRow:
    open_jobs = [job for job in jobs if job.state in {"asking", "waiting", "cancelled"}]
    running = [job for job in jobs if job.start_s is not None and _runs(job, now_s)]
    to_come = sorted((job for job in jobs if (job.start_s or 0) > now_s), key=lambda job: job.start_s or 0)
    if running:
        job = running[0]
        until = (
            ""
            if job.load_profile is None
            else f" until {clock(zone, (job.start_s or 0) + job.load_profile.duration_s)}"
        )
        return HostRow(agent, name, ("▶ runs", "ok"), f"on {' + '.join(job.suppliers)}{until}", "")
    if open_jobs:
        job = open_jobs[-1]
        return HostRow(agent, name, STATES[job.state], f"{job.job_id}, {job.declines} declined", "")
    if to_come:
        job = to_come[0]
        starts = f"starts {moment(zone, job.start_s)} on {' + '.join(job.suppliers)}"
        return HostRow(agent, name, ("◷ planned", "accent"), starts, "")
    return HostRow(agent, name, ("· idle", "muted"), f"{plural(len(jobs), 'job')} done" if jobs else "", "")


def _runs(job: ObservedNegotiation, now_s: int) -> bool:
    start_s = job.start_s or 0
    duration_s = 0 if job.load_profile is None else job.load_profile.duration_s
    return start_s <= now_s < start_s + duration_s
