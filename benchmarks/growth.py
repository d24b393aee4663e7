"""How the cost of a run grows with the neighbourhood: messages, processor time and memory, from 10 to 10,000 houses.

benchmarks/growth.py [--houses 10,30,100] [--ranked-up-to 300] [--json FILE] [--chart FILE.svg]

Each neighbourhood is made of districts of up to 100 houses, as the bundled village is: 3.6 jobs a house, 40 % with
panels, demand 0.3 of production. Each run is a process of its own, over the memory bus, with all agents on one host.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import logging
import pstats
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import structlog

from agents import Device, House
from agents.ranking import NegotiationSettings
from broker.transport import MemoryBroker
from scenarios.generate.one_day_neighbourhood import NeighbourhoodSpec, neighbourhood
from scenarios.scenario import Scenario
from scenarios.simulation.run import run_scenario
from scenarios.simulation.settings import RunSettings

DISTRICT = 100
"""Houses of a district."""
ALL_HOUSES = (10, 30, 100, 300, 1_000, 3_000, 10_000)
QUICK_HOUSES = (10, 30, 100, 300)
SMALL_REPEATS = 3
"""Runs of up to `DISTRICT` houses, of which the median counts: they take a second, and a machine's pace varies."""
PROFILED = {
    "decisions": ("place", "have_room", "replan"),
    "views": ("uncommitted_of", "may_serve", "exceeds"),
    "lists": ("_begin_negotiation", "next_portion"),
}
"""Parts of a run by the functions that they are in; all else is messages and rounds."""


@dataclass(frozen=True, slots=True)
class GrowthRow:
    """What a run took."""

    houses: int
    negotiation: str
    jobs: int
    messages_a_job: float
    requests_a_job: float
    cpu_ms_a_job: float
    messages_a_second: float
    wall_s: float
    memory_mb: float
    ledger_sha256: str
    shares: dict[str, float]
    """By part of a run, its share of the processor time, measured in a second run; empty: not measured."""


def grown(houses: int, demand_per_production: float = 0.3) -> Scenario:
    """Return a neighbourhood of any size: districts beside each other, each drawn from a seed of its own."""
    districts = [
        _renamed(_district(number, min(DISTRICT, houses - DISTRICT * number), demand_per_production), number)
        for number in range(-(-houses // DISTRICT))
    ]
    return replace(
        districts[0],
        name=f"growth-{houses}",
        houses=tuple(house for district in districts for house in district.houses),
        jobs=tuple(job for district in districts for job in district.jobs),
        producers={producer: series for district in districts for producer, series in district.producers.items()},
    )


def _district(number: int, houses: int, demand_per_production: float) -> Scenario:
    return neighbourhood(
        NeighbourhoodSpec(
            name="district",
            seed=number + 1,
            houses=houses,
            roofs=round(0.4 * houses),
            jobs=round(3.6 * houses),
            demand_per_production=demand_per_production,
            date=date(2026, 6, 21),
        )
    )


def _renamed(district: Scenario, number: int) -> Scenario:
    """Return a district whose ids begin with its number."""

    def named(text: str) -> str:
        return f"{number}-{text}"

    def device(of: Device) -> Device:
        return of.model_copy(update={"house": named(of.house), "id": named(of.id) if of.type == "producer" else of.id})

    houses = tuple(
        House(id=named(house.id), name=house.name, devices=tuple(map(device, house.devices)))
        for house in district.houses
    )
    jobs = tuple(
        job.model_copy(update={"job_id": named(job.job_id), "house": named(job.house)}) for job in district.jobs
    )
    return replace(
        district, houses=houses, jobs=jobs, producers={named(p): series for p, series in district.producers.items()}
    )


def measure(houses: int, negotiation: str, *, profiled: bool) -> GrowthRow:
    """Run a neighbourhood once, or twice if its parts are measured too."""
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    scenario = grown(houses)
    settings = RunSettings(seed=1, run_id="growth", hosts=1, negotiating=NegotiationSettings(negotiation))

    def run() -> Any:  # noqa: ANN401 - the outcome
        return asyncio.run(run_scenario(scenario, settings, MemoryBroker()))

    requests = _counting_requests()
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    outcome = run()
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    jobs = len(scenario.jobs)
    return GrowthRow(
        houses=houses,
        negotiation=negotiation,
        jobs=jobs,
        messages_a_job=outcome.messages / jobs,
        requests_a_job=requests() / jobs,
        cpu_ms_a_job=1000 * cpu_s / jobs,
        messages_a_second=outcome.messages / cpu_s,
        wall_s=wall_s,
        memory_mb=memory_mb,
        ledger_sha256=outcome.ledger_sha256,
        shares=_shares(run) if profiled else {},
    )


def _counting_requests() -> Callable[[], int]:
    """Count the requests that producers decide on from now on; return a function that says how many there were."""
    from agents import WholeProducerSupply  # noqa: PLC0415 - only the measured process counts

    count, decide = 0, WholeProducerSupply._decide  # noqa: SLF001 - one call a request

    async def counted(self: WholeProducerSupply, *arguments: Any) -> None:  # noqa: ANN401 - passed on
        nonlocal count
        count += 1
        await decide(self, *arguments)

    WholeProducerSupply._decide = counted  # type: ignore[assignment,method-assign]  # noqa: SLF001 - see above
    return lambda: count


def _shares(run: Callable[[], Any]) -> dict[str, float]:
    profile = cProfile.Profile()
    profile.runcall(run)
    stats: Any = pstats.Stats(profile)
    total_s = stats.total_tt
    shares = dict.fromkeys(PROFILED, 0.0)
    for (file, _, function), (_, _, _, cumulative_s, _) in stats.stats.items():
        for part, functions in PROFILED.items():
            if function in functions and "/agents/" in file.replace("\\", "/"):
                shares[part] += cumulative_s / total_s
    return shares | {"messages and rounds": max(0.0, 1 - sum(shares.values()))}


def in_a_process(houses: int, negotiation: str, *, profiled: bool) -> GrowthRow:
    """Measure in a process of its own, whose memory is that of one run."""
    if houses > DISTRICT:
        return _in_a_process(houses, negotiation, profiled=profiled)
    others = [_in_a_process(houses, negotiation, profiled=False) for _ in range(SMALL_REPEATS - 1)]
    measured = _in_a_process(houses, negotiation, profiled=profiled)
    median = sorted([measured, *others], key=lambda run: run.cpu_ms_a_job)[SMALL_REPEATS // 2]
    return replace(median, shares=measured.shares)


def _in_a_process(houses: int, negotiation: str, *, profiled: bool) -> GrowthRow:
    command = [sys.executable, "-m", "benchmarks.growth", "--one", str(houses), negotiation, str(int(profiled))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return GrowthRow(**json.loads(done.stdout.splitlines()[-1]))


def table(rows: Sequence[GrowthRow]) -> str:
    """Return the figures as a Markdown table."""
    columns = (
        "houses",
        "jobs",
        "rule",
        "messages per job",
        "requests per job",
        "processor ms per job",
        "messages per second",
        "MB",
    )
    lines = [f"| {' | '.join(columns)} |", "| --: | --: | --- | --: | --: | --: | --: | --: |"]
    lines += [
        f"| {row.houses:,} | {row.jobs:,} | {row.negotiation} | {row.messages_a_job:.1f} | {row.requests_a_job:.1f} | "
        f"{row.cpu_ms_a_job:.1f} | {row.messages_a_second:,.0f} | {row.memory_mb:,.0f} |"
        for row in rows
    ]
    return "\n".join(lines)


def shares_table(rows: Sequence[GrowthRow]) -> str:
    """Return what a run spends its time on as a Markdown table."""
    parts = [*PROFILED, "messages and rounds"]
    lines = [f"| houses | {' | '.join(parts)} |", f"| --: |{' --: |' * len(parts)}"]
    lines += [
        f"| {row.houses:,} | {' | '.join(f'{100 * row.shares[part]:.0f} %' for part in parts)} |"
        for row in rows
        if row.shares
    ]
    return "\n".join(lines)


def ratios(rows: Sequence[GrowthRow]) -> str:
    """Return the processor time of a job at each size, relative to 100 houses, or to the smallest size."""
    short = [row for row in rows if row.negotiation == "short-list"]
    base = next((row for row in short if row.houses == DISTRICT), short[0])
    return "\n".join(
        f"processor time per job at {row.houses:,} houses, relative to {base.houses:,}: "
        f"{row.cpu_ms_a_job / base.cpu_ms_a_job:.2f}"
        for row in short
        if row is not base
    )


def draw(rows: Sequence[GrowthRow], file: Path) -> None:
    """Draw messages and processor time per job over the number of houses, for each rule."""
    import matplotlib as mpl  # noqa: PLC0415 - only where a chart is wanted

    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - an extra, for the chart only

    mpl.rcParams["svg.hashsalt"] = "growth"
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for axis, (title, value) in zip(
        axes,
        (("messages per job", "messages_a_job"), ("processor time per job, ms", "cpu_ms_a_job")),
        strict=True,
    ):
        for rule, style in (("short-list", "o-"), ("ranked", "s--")):
            points = [(row.houses, getattr(row, value)) for row in rows if row.negotiation == rule]
            if points:
                axis.semilogx(*zip(*points, strict=True), style, label=rule)
        axis.set(title=title, xlabel="houses")
        axis.set_ylim(bottom=0)
        axis.grid(visible=True, which="major", alpha=0.3)
        axis.legend()
    figure.savefig(file, metadata={"Date": None})


def main() -> None:
    """Measure all sizes, print the figures, and write them where they are wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--houses", default=",".join(map(str, ALL_HOUSES)), help="sizes, separated by commas")
    parser.add_argument("--quick", action="store_true", help=f"the sizes {QUICK_HOUSES}; ranked up to 100")
    parser.add_argument("--ranked-up-to", type=int, default=300, help="largest size also run with ranked negotiation")
    parser.add_argument("--profile-up-to", type=int, default=1_000, help="largest size whose parts are measured, too")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--chart", type=Path, help="draw them in this file, as SVG")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        houses, negotiation, profiled = chosen.one
        print(json.dumps(asdict(measure(int(houses), negotiation, profiled=bool(int(profiled))))))
        return
    sizes = QUICK_HOUSES if chosen.quick else tuple(int(size) for size in chosen.houses.split(","))
    ranked_up_to = 100 if chosen.quick else chosen.ranked_up_to
    profile_up_to = 100 if chosen.quick else chosen.profile_up_to
    rows = []
    for houses in sizes:
        rows.append(in_a_process(houses, "short-list", profiled=houses <= profile_up_to))
        if houses <= ranked_up_to:
            ranked = in_a_process(houses, "ranked", profiled=False)
            rows.append(ranked)
            if ranked.ledger_sha256 != rows[-2].ledger_sha256:
                print(f"{houses} houses: the two rules lead to different contracts", file=sys.stderr)
        print(table(rows[-2:] if houses <= ranked_up_to else rows[-1:]), flush=True)
    print("\n" + table(rows) + "\n\n" + shares_table(rows) + "\n\n" + ratios(rows))
    if chosen.json is not None:
        chosen.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")
    if chosen.chart is not None:
        draw(rows, chosen.chart)


if __name__ == "__main__":
    main()
