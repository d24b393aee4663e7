"""The jobs that additional energy could cover, and the order in which the manager informs them of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from agents.energy import IntArray
from agents.job_needs import JobNeeds
from agents.shares import MINUTE_S

NEWS_SHARE = 0.05
"""A job is informed of additional energy if that could cover at least this share of it."""
MAX_NEWS = 10
"""Maximum number of times that a job is informed between two forecasts, as it then competes with others for the
energy."""
COMPETING = 2.0
"""Jobs are informed one after another until together they could use this many times the additional energy: not all of
them can actually use it, because it may come in other minutes than they need."""


class UndersuppliedJobs:
    """Jobs with the time in which they can run, and the energy that they lack."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._consumers: dict[str, str] = {}
        self._rows: dict[str, int] = {}
        self._begin_minute: IntArray = np.zeros(0, dtype=np.int64)
        """The first UNIX minute in which a job can run, shape (jobs,), as are the following."""
        self._end_minute: IntArray = np.zeros(0, dtype=np.int64)
        """The minute after the last one."""
        self._energy_mwh: IntArray = np.zeros(0, dtype=np.int64)
        """The energy that it needs, mWh."""
        self._lacking_mwh: IntArray = np.zeros(0, dtype=np.int64)
        """The part of it that panels do not cover, mWh."""
        self._news: IntArray = np.zeros(0, dtype=np.int64)
        """How often it has been informed since the newest forecast."""
        self._informed: set[str] = set()
        """Jobs that have been informed of the present additional energy."""
        self._spent_mwh = 0.0
        """The additional energy that the informed jobs could have used."""
        self._most_mwh = 0.0
        """The maximum of the additional energy."""

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._ids))

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._rows

    def add(self, job_id: str, consumer: str, need: JobNeeds) -> None:
        """Add a job of a consumer, or change the time in which it can run.

        Args:
            job_id: The job.
            consumer: Its consumer.
            need: Its window and its energy.
        """
        if job_id not in self._rows:
            row = self._rows[job_id] = len(self._ids)
            self._ids.append(job_id)
            if row >= len(self._begin_minute):
                for name in ("_begin_minute", "_end_minute", "_energy_mwh", "_lacking_mwh", "_news"):
                    kept = getattr(self, name)
                    setattr(self, name, np.concatenate([kept, np.zeros(max(64, len(kept)), dtype=np.int64)]))
            self._energy_mwh[row] = self._lacking_mwh[row] = round(need.energy_wh * 1_000)
            self._news[row] = 0
        self._consumers[job_id] = consumer
        self.within(job_id, need.begin_s, need.end_s)

    def within(self, job_id: str, begin_s: int, end_s: int) -> None:
        """Change the time in which a job can run.

        Args:
            job_id: The job, which waits.
            begin_s: Its earliest start, UNIX seconds.
            end_s: Its latest end, UNIX seconds.
        """
        row = self._rows[job_id]
        self._begin_minute[row], self._end_minute[row] = begin_s // MINUTE_S, -(-end_s // MINUTE_S)

    def covered(self, job_id: str, covered_mwh: int) -> None:
        """Take how much of a job panels cover; jobs that do not wait are ignored."""
        row = self._rows.get(job_id)
        if row is not None:
            self._lacking_mwh[row] = max(0, int(self._energy_mwh[row]) - covered_mwh)

    def remove(self, job_id: str) -> None:
        """Remove a job; unknown ones are ignored."""
        row = self._rows.pop(job_id, None)
        if row is None:
            return
        del self._consumers[job_id]
        last = len(self._ids) - 1
        for array in (self._begin_minute, self._end_minute, self._energy_mwh, self._lacking_mwh, self._news):
            array[row] = array[last]
        moved = self._ids.pop()
        if moved != job_id:
            self._ids[row] = moved
            self._rows[moved] = row

    def remove_of(self, consumers: frozenset[str]) -> None:
        """Remove the jobs of lost consumers."""
        for job_id in [job_id for job_id, consumer in self._consumers.items() if consumer in consumers]:
            self.remove(job_id)

    def remove_ended(self, now_minute: int) -> None:
        """Remove jobs that can no longer run."""
        for row in np.flatnonzero(self._end_minute[: len(self._ids)] <= now_minute)[::-1].tolist():
            self.remove(self._ids[row])

    def forget_news(self) -> None:
        """Let all jobs be informed again: there is a new forecast."""
        self._news[:] = 0

    def mark_informed(self, job_id: str) -> None:
        """Record that a job knows of the present additional energy, because it has just asked."""
        self._informed.add(job_id)

    def lack_energy(self, least_lacking: float) -> bool:
        """Return whether any job lacks more than this share of its energy."""
        jobs = len(self._ids)
        return bool((self._lacking_mwh[:jobs] > least_lacking * self._energy_mwh[:jobs]).any())

    def inform_again(self) -> None:
        """Let jobs be informed again that have been informed already: there is energy that they do not know of."""
        self._informed.clear()

    def next_to_inform(self, first_minute: int, more_mwh: IntArray, least_lacking: float) -> tuple[str, str] | None:
        """Return the job to inform next of additional energy, the one that could use most of it, and its consumer.

        Args:
            first_minute: UNIX minute with which the energy begins.
            more_mwh: The additional energy in each minute, mWh, shape (minutes,).
            least_lacking: Only jobs that lack more than this share of their energy.

        Returns:
            None: all jobs that could use it have been informed, or enough of them. Counting then starts again.
        """
        jobs = len(self._ids)
        until = np.concatenate([[0.0], np.cumsum(more_mwh, dtype=np.float64)])
        self._most_mwh = max(self._most_mwh, float(until[-1]))
        begin = np.clip(self._begin_minute[:jobs] - first_minute, 0, len(more_mwh))
        end = np.clip(self._end_minute[:jobs] - first_minute, 0, len(more_mwh))
        energy, lacking = self._energy_mwh[:jobs], self._lacking_mwh[:jobs]
        possible = np.minimum(until[np.maximum(begin, end)] - until[begin], lacking)
        is_of_use = (possible >= NEWS_SHARE * energy) & (lacking > least_lacking * energy) & (energy > 0)
        rows = np.flatnonzero(is_of_use & (self._news[:jobs] < MAX_NEWS)).tolist()
        rows = [row for row in rows if self._ids[row] not in self._informed]
        if not rows or self._spent_mwh >= COMPETING * self._most_mwh:
            self._informed, self._spent_mwh, self._most_mwh = set(), 0.0, 0.0
            return None
        # Equal ones in the order of their ids, whatever the order of the rows.
        row = min(rows, key=lambda row: (-possible[row], self._ids[row]))
        job_id = self._ids[row]
        self._spent_mwh += float(possible[row])
        self._news[row] += 1
        self._informed.add(job_id)
        return job_id, self._consumers[job_id]
