"""A neighbourhood with every household a process of its own, beside the same run in one process: time and memory.

benchmarks/households.py [HOUSES]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from broker.servers.mosquitto import find_mosquitto
from broker.servers.own_broker import free_port
from scenarios.files.dump import save_scenario
from scenarios.generate.one_day_neighbourhood import NeighbourhoodSpec, neighbourhood

KIB = 1024


def memory_mb(pid: int) -> tuple[float, float]:
    """Return what a process holds, and that with what it shares counted in parts, MB."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    values = {line.split(":")[0]: int(line.split()[1]) for line in rollup.splitlines()[1:]}
    return values["Rss"] / KIB, values["Pss"] / KIB


def main(houses: int) -> None:
    """Run it and print what it took."""
    plan = NeighbourhoodSpec(
        name="many",
        seed=1,
        houses=houses,
        roofs=max(1, houses // 3),
        jobs=3 * houses,
        demand_per_production=0.5,
        date=date(2026, 6, 21),
    )
    scenario = neighbourhood(plan)
    ssmic = [sys.executable, "-m", "tui"]
    port = free_port()
    if find_mosquitto() is None:
        sys.exit("needs Mosquitto: apt-get install mosquitto")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "many.yaml"
        save_scenario(scenario, file)
        environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "SSMIC_BROKER": f"mqtt://127.0.0.1:{port}"}
        broker = subprocess.Popen(
            [*ssmic, "broker", "--engine", "mosquitto", "--port", str(port)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert broker.stdout is not None
        broker.stdout.readline()  # it says where it listens once it does
        started_wall_s = time.perf_counter()
        processes = [
            subprocess.Popen(
                [*ssmic, "host", str(file), "--house", house.id, "--limit", "900"],
                cwd=folder,
                env=environment,
                stderr=subprocess.DEVNULL,
            )
            for house in scenario.houses
            if house.devices
        ]
        clock = subprocess.Popen(
            [*ssmic, "clock", str(file), "--limit", "900", "--json"],
            cwd=folder,
            env=environment,
            stdout=(Path(folder) / "clock.json").open("wb"),
            stderr=subprocess.DEVNULL,
        )
        held: list[tuple[float, float]] = []
        while clock.poll() is None:
            time.sleep(0.5)
            alive = [process.pid for process in processes if process.poll() is None]
            try:
                now = [memory_mb(pid) for pid in alive]
            except (OSError, KeyError):
                continue  # one ended just now
            if len(now) == len(processes):
                held = now
        run = json.loads((Path(folder) / "clock.json").read_text())["runs"][0]
        codes = {process.wait() for process in processes}
        wall_s = time.perf_counter() - started_wall_s
        broker.terminate()
        alone = subprocess.run(
            [*ssmic, "run", str(file), "--json"],
            cwd=folder,
            env={**environment, "SSMIC_BROKER": ""},
            capture_output=True,
            text=True,
            check=True,
        )
        one = json.loads(alone.stdout)["runs"][0]
    if run["ledger_sha256"] != one["ledger_sha256"] or codes != {0}:
        sys.exit(f"ledgers differ, or a household failed: {run['ledger_sha256']} {one['ledger_sha256']} {codes}")
    rss, pss = [of[0] for of in held], [of[1] for of in held]
    print(f"{len(processes)} households as processes, {run['messages']} messages: equal ledgers")
    print(f"from the first start to the last end: {wall_s:.1f} s, of which the clock {run['wall_s']:.1f} s")
    print(f"the same in one process: {one['wall_s']:.1f} s")
    print(f"memory of a household: at most {max(rss):.0f} MB, {max(pss):.0f} MB with shared pages counted in parts")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("houses", metavar="HOUSES", nargs="?", type=int, default=50, help="how many (default: 50)")
    main(parser.parse_args().houses)
