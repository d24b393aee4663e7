"""A year in the minutes of measured sun: what a day costs in the first month of the run and in the last.

    python -m benchmarks.long_runs [--days 365] [--houses 6] [--supply shared]

See README.md for how to read it.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import get_args

import numpy as np

from agents.energy import FloatArray, LoadProfile, Prediction, Production
from agents.model import Device, House, Job
from agents.sharing import SupplyRule, SupplySettings
from broker.clock.pacing import Moment
from broker.transport.memory import MemoryBroker
from scenarios.results.files import SimulationSpec, create_results
from scenarios.results.reader import ResultsReader
from scenarios.results.report.page import write_report
from scenarios.results.run_end import RecordedEnd
from scenarios.results.views import view_neighbourhood
from scenarios.results.writer import RunWriter
from scenarios.scenario import ProducerSeries, Scenario
from scenarios.simulation.run import RunCallbacks, run_scenario
from scenarios.simulation.settings import RunSettings
from tui.logs import configure_logs

DAY_S = 86_400
START_S = 1_767_225_600
"""Midnight of 1 January 2026."""
MONTH_DAYS = 30
JOBS_A_DAY = 3
"""Of each house."""


def scenario_of(houses: int, days: int, seed: int = 1) -> Scenario:
    """Return houses with a panel and a consumer each: a forecast a day in minutes, and the sun measured in minutes."""
    dice, sky = Random(seed), np.random.default_rng(seed)
    minutes = np.arange(1440)
    clear_w = 4000 * np.clip(np.sin(np.pi * (minutes - 360) / 840), 0, None)
    load = LoadProfile(times_s=(0, 1800, 5400), cumulative_wh=(0.0, 1000.0, 1600.0))
    members, jobs, producers = [], [], {}
    for h in range(houses):
        house = f"house-{h + 1}"
        panel = Device(id=f"pv-{h + 1}", house=house, type="producer")
        washer = Device(id="washer", house=house, type="consumer")
        members.append(House(id=house, devices=(panel, washer)))
        clouds = np.repeat(sky.uniform(0.2, 1.0, days), 1440)
        power_w = np.tile(clear_w, days) * clouds
        producers[panel.id] = ProducerSeries(
            predictions=tuple(_forecast(power_w, day, min(2, days - day)) for day in range(days)),
            actual=_series(power_w * sky.uniform(0.8, 1.1, len(power_w)), START_S),
        )
        for day in range(days):
            for n in range(JOBS_A_DAY):
                earliest_s = START_S + day * DAY_S + dice.randrange(6 * 60, 15 * 60) * 60
                job_id = f"{house}/{day}/{n}"
                jobs.append(
                    Job(
                        job_id=job_id,
                        source_id=job_id,
                        house=house,
                        device=washer.id,
                        profile="wash",
                        load_profile=load,
                        registered_s=earliest_s - dice.randrange(5 * 60) * 60,
                        earliest_start_s=earliest_s,
                        latest_start_s=earliest_s + dice.randrange(1, 4 * 60) * 60,
                    )
                )
    return Scenario(
        name="long",
        start_s=START_S,
        seed=seed,
        houses=tuple(members),
        jobs=tuple(sorted(jobs, key=lambda job: (job.registered_s, job.job_id))),
        producers=producers,
        days=days,
    )


def _forecast(power_w: FloatArray, day: int, days: int) -> Prediction:
    start_s = START_S + day * DAY_S
    return Prediction(issued_s=start_s, production=_series(power_w[day * 1440 : (day + days) * 1440] * 0.95, start_s))


def _series(power_w: FloatArray, start_s: int) -> Production:
    energy_wh = np.concatenate([[0.0], np.cumsum(power_w / 60)])
    return Production(
        times_s=tuple(range(start_s, start_s + 60 * len(energy_wh), 60)), cumulative_wh=tuple(energy_wh.tolist())
    )


class DayMeter:
    """Notes when each day of the run is over: processor time, and the memory that the process takes."""

    def __init__(self) -> None:
        self.cpu_s: dict[int, float] = {}
        self.memory_mb: dict[int, float] = {}

    def moment(self, moment: Moment) -> None:
        """Take note."""
        day = (moment.time_s - START_S) // DAY_S
        self.cpu_s[day] = time.process_time()
        if day not in self.memory_mb:
            self.memory_mb[day] = memory_mb()


def memory_mb() -> float:
    """Return the memory that this process has now, MB: the highest so far was needed to make the scenario."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def peak_mb() -> float:
    """Return the most memory that this process has had, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def cost_a_day_s(watch: DayMeter, first: int, last: int) -> float:
    """Return the median processor time of a day between two days of the run."""
    days = sorted(watch.cpu_s)
    return statistics.median(
        watch.cpu_s[after] - watch.cpu_s[before] for before, after in pairwise(days) if first <= before < last
    )


def timed(what: str, act: Callable[[], object]) -> None:
    """Print how long something took."""
    began_s = time.process_time()
    act()
    print(f"  {what:44} {time.process_time() - began_s:7.2f} s    {peak_mb():6.0f} MB at most")


class _TimedWriter(RunWriter):
    """Takes the processor time that it takes to finish."""

    finish_s = 0.0

    def finish(self, end: RecordedEnd) -> None:
        """Finish, and take the time."""
        began_s = time.process_time()
        super().finish(end)
        self.finish_s = time.process_time() - began_s


async def main(houses: int, days: int, supply: SupplyRule, folder: Path) -> None:
    """Run, then read what came of it."""
    print(f"{houses} houses, {days} days, supply {supply}, forecasts and measured sun in minutes (processor time)")
    scenario = scenario_of(houses, days)
    print(f"  the scenario in memory, {len(scenario.jobs)} jobs {'':24} {peak_mb():6.0f} MB at most")
    watch, path = DayMeter(), folder / "long.sqlite"
    settings = RunSettings(seed=1, run_id="long", supply=SupplySettings(supply))
    simulation = SimulationSpec(scenario, "insertion", seeds=(1,), broker="memory")
    timed("the results file is begun", lambda: create_results(simulation, path))
    began_s = time.process_time()
    with _TimedWriter(path, scenario, run=1, run_id="long", seed=1, start_s=START_S) as writer:
        await run_scenario(
            scenario, settings, MemoryBroker(), recorder=writer, callbacks=RunCallbacks(on_moment=watch.moment)
        )
    total = time.process_time() - began_s - writer.finish_s
    print(f"  energy and figures of the run are written    {writer.finish_s:7.2f} s")
    print(f"  the run itself {'':29} {total:7.2f} s    {total / len(scenario.jobs) * 1000:.2f} ms a job")
    first, last = cost_a_day_s(watch, 1, MONTH_DAYS), cost_a_day_s(watch, days - MONTH_DAYS, days)
    print(f"  a day of the first month {first * 1000:6.1f} ms, of the last {last * 1000:6.1f} ms: ", end="")
    print(f"ratio {last / first:.2f}")
    last_day = max(watch.memory_mb)
    grown = (watch.memory_mb[last_day] - watch.memory_mb[MONTH_DAYS]) / (last_day - MONTH_DAYS) * 2**10
    print(f"  memory of each day from day {MONTH_DAYS} to the end: {grown:.0f} kB")
    with ResultsReader(path) as results:
        timed("the scenario is read from the results", lambda: results.scenario)
        timed("the view of all households", lambda: view_neighbourhood(results, 1))
        report = folder / "report.html"
        timed("the report is written", lambda: write_report(results, report))
        print(f"  report {report.stat().st_size / 2**20:.1f} MB, results {path.stat().st_size / 2**20:.0f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--houses", type=int, default=6)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--supply", choices=get_args(SupplyRule), default="whole")
    configure_logs("warning")
    chosen = parser.parse_args()
    if chosen.days < 2 * MONTH_DAYS:
        parser.error(f"--days: the first {MONTH_DAYS} are compared with the last, so {2 * MONTH_DAYS} are the least")
    with tempfile.TemporaryDirectory() as folder_name:
        asyncio.run(main(chosen.houses, chosen.days, chosen.supply, Path(folder_name)))
