"""Random tasks, and what they need of a producer."""

from __future__ import annotations

from random import Random

from agents.energy import LoadProfile
from agents.job_needs import JobNeeds
from agents.scheduling import Task

HOUR_S = 3600
NOW_S = 1_466_460_000


def random_task(random: Random, number: int, now_s: int) -> Task:
    """Return a task that may start within some hours."""
    first_s = now_s + random.randrange(6 * HOUR_S)
    between_s = random.choice([40, 300, 1700])
    times_s = (0, between_s, between_s + random.choice([77, 1800, 5400]))
    first_wh = random.choice([0.0, 20.0, 200.0])
    load = LoadProfile(times_s=times_s, cumulative_wh=(0.0, first_wh, first_wh + random.choice([10.0, 100.0, 700.0])))
    return Task(f"job-{number}", load, first_s, first_s + random.choice([0, 60, 1234, 4 * HOUR_S]))


def need_of(task: Task, now_s: int) -> JobNeeds:
    """Return what a task needs."""
    first_s = max(task.earliest_start_s, now_s)
    end_s = max(task.latest_start_s, now_s) + task.load.duration_s
    return JobNeeds(first_s, end_s, task.load.energy_wh, task.load.least_peak_wh, task.load)
