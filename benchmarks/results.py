"""Results files: settling, writing and opening, each against the plainest way of doing it, side by side in one run.

    python benchmarks/results.py [--messages 100000]

See README.md for how to read it.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from agents.model import GRID, Contract
from scenarios.load import load_scenario
from scenarios.metrics.settlement import MINUTE_S, settle
from scenarios.results.connection import seal
from scenarios.results.files import SimulationSpec, create_results
from scenarios.results.reader import ResultsReader
from scenarios.results.views import view_neighbourhood
from scenarios.results.writer import RunWriter
from scenarios.scenario import Scenario

REPEATS = 5
"""Alternating, so that a machine that becomes slower or faster does so for both."""
MESSAGES_A_COMMIT = 50


def any_contracts(scenario: Scenario) -> list[Contract]:
    """Return a contract for every job: producers in turn, at the earliest start."""
    suppliers = [GRID, *scenario.producers]
    return [
        Contract(
            contract_id=f"{job.job_id}/1",
            job_id=job.job_id,
            producer=suppliers[i % len(suppliers)],
            start_s=job.earliest_start_s,
            agreed_s=job.registered_s,
            energy_wh=job.energy_wh,
        )
        for i, job in enumerate(scenario.jobs)
    ]


def by_loops(scenario: Scenario, contracts: list[Contract]) -> float:
    """Return the delivered energy, Wh: minute after minute, job after job."""
    jobs = {job.job_id: job for job in scenario.jobs}
    delivered_wh = 0.0
    for producer_id, producer in scenario.producers.items():
        production = producer.actual or producer.predictions[0].production
        if producer.actual is None:
            for prediction in producer.predictions[1:]:
                production = production.continued_by(prediction.production)
        own = [contract for contract in contracts if contract.producer == producer_id]
        begin = min((contract.start_s for contract in own), default=0) // MINUTE_S * MINUTE_S
        end = max((c.start_s + jobs[c.job_id].duration_s for c in own), default=0)
        for minute_s in range(begin, end, MINUTE_S):
            edges_s = np.array([minute_s, minute_s + MINUTE_S])
            drawn_wh = sum(float(jobs[c.job_id].load_profile.energy_per_bin_wh(edges_s - c.start_s)[0]) for c in own)
            delivered_wh += min(drawn_wh, float(production.energy_per_bin_wh(edges_s)[0]))
    return delivered_wh


def message_rows(count: int) -> Iterator[tuple[int, str, str, dict[str, object]]]:
    """Yield messages: sequence, sender, recipient, body."""
    for i in range(count):
        body: dict[str, object] = {"kind": "Decline", "job_id": f"job-{i % 400}", "reason": "no sun is left"}
        yield i, f"pv-{i % 40}", f"house-{i % 100}/machine", body


def write_ours(path: Path, scenario: Scenario, count: int) -> None:
    """Write messages as a run does, with all indices, a commit every now and then."""
    create_results(SimulationSpec(scenario, "insertion", (1,), "memory"), out=path)
    with RunWriter(path, scenario, run=1, run_id="r", seed=1, start_s=scenario.start_s) as writer:
        for seq, sender, to, body in message_rows(count):
            writer.message(scenario.start_s + seq, 0, sender, seq, to, "Decline", body)
            if seq % MESSAGES_A_COMMIT == 0:
                writer.commit()
        writer.commit()


def write_bare(path: Path, scenario: Scenario, count: int) -> None:
    """Write the same into one table without an index, in one transaction."""
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE messages (time_s, sender, seq, recipient, kind, body)")
    connection.executemany(
        "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?)",
        (
            (scenario.start_s + seq, sender, seq, to, "Decline", json.dumps(body))
            for seq, sender, to, body in message_rows(count)
        ),
    )
    connection.commit()
    connection.close()


def open_ours(path: Path) -> None:
    """Open a file, with the view of all households, the first page of messages and the course of one job."""
    with ResultsReader(path) as results:
        view_neighbourhood(results, 1)
        list(results.messages(1, limit=500))
        list(results.messages(1, job_id="job-7"))


def open_bare(path: Path) -> None:
    """Read all messages and nothing else."""
    connection = sqlite3.connect(path)
    connection.execute("SELECT * FROM messages").fetchall()
    connection.close()


def compare(what: str, ours: Callable[[], object], plain: Callable[[], object]) -> None:
    """Do both alternately; print the medians and their ratio."""
    took_wall_s: dict[str, list[float]] = {"ours": [], "plain": []}
    for _ in range(REPEATS):
        for name, act in (("ours", ours), ("plain", plain)):
            began_wall_s = time.perf_counter()
            act()
            took_wall_s[name].append(time.perf_counter() - began_wall_s)
    ours_wall_s, plain_wall_s = statistics.median(took_wall_s["ours"]), statistics.median(took_wall_s["plain"])
    print(f"{what:<46} {ours_wall_s:8.3f} s {plain_wall_s:8.3f} s   ratio {ours_wall_s / plain_wall_s:6.3f}")


def main() -> None:
    """Compare settling, writing and opening."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=100_000, help="of one run")
    count = parser.parse_args().messages
    village = load_scenario("village")
    contracts = any_contracts(village)
    end_s = village.start_s + 86_400
    settled_wh = float(settle(village, contracts, village.start_s, end_s).delivered_wh.sum())
    if abs(settled_wh - by_loops(village, contracts)) > 1e-3:
        raise SystemExit("the account and the loops differ")
    print(f"{'':<46} {'ours':>10} {'plain':>10}")
    compare(
        f"settle {len(village.houses)} houses, {len(contracts)} jobs: arrays, loops",
        lambda: settle(village, contracts, village.start_s, end_s),
        lambda: by_loops(village, contracts),
    )
    with tempfile.TemporaryDirectory() as folder:
        places = iter(range(1_000))
        compare(
            f"write {count} messages: a run's file, one table",
            lambda: write_ours(Path(folder) / f"{next(places)}.sqlite", village, count),
            lambda: write_bare(Path(folder) / f"{next(places)}.db", village, count),
        )
        ours, bare = Path(folder) / "0.sqlite", Path(folder) / "1.db"
        seal(ours)
        compare(
            f"open {count} messages: views, all rows",
            lambda: open_ours(ours),
            lambda: open_bare(bare),
        )


if __name__ == "__main__":
    main()
