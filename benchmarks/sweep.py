"""A sweep of the bundled street on all cores: how much of them it uses, in processes and on a local Dask cluster.

python -m benchmarks.sweep [--runs 64] [--dask]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from scenarios.simulation import cores
from scenarios.sweep import SweepRequest, plan_sweep, read_sweep, run_sweep


class _Wanted:
    """How long the workers ran or waited for a core: on an idle machine, they would have had it."""

    def __init__(self) -> None:
        self._ns: dict[int, int] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def seconds(self) -> float:
        """Core time, seconds."""
        return sum(self._ns.values()) / 1e9

    def _look(self) -> None:
        while not self._ended.wait(0.1):
            for pid in _begun_by(os.getpid()):
                with suppress(OSError, ValueError):
                    ran_ns, waited_ns, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
                    self._ns[pid] = int(ran_ns) + int(waited_ns)


def _begun_by(pid: int) -> list[int]:
    """Return the processes that a process has begun, and that these have."""
    children = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            children += [int(child) for child in task.read_text().split()]
    return [*children, *(one for child in children for one in _begun_by(child))]


def _measure(runs: int, dask: str | None) -> None:
    plan = plan_sweep(SweepRequest("street", seeds=runs))
    with tempfile.TemporaryDirectory() as folder, _Wanted() as wanted:
        file = Path(folder) / "sweep.sqlite"
        began_wall_s = time.perf_counter()
        outcome = asyncio.run(run_sweep(plan, file, dask=dask))
        wall_s = time.perf_counter() - began_wall_s
        busy_s = sum(row.wall_s for row in read_sweep(file).rows)
    assert not outcome.failed
    core_s = wall_s * cores()
    where = "dask local" if dask else "processes"
    print(
        f"{where:<11}{runs:>5} runs{wall_s:>7.1f} s  workers ran or waited for a core {wanted.seconds / core_s:>6.1%}  "
        f"were within a run {busy_s / core_s:>6.1%}  {str(outcome.sha256)[:12]}"
    )


def main() -> None:
    """Measure and print one line for each kind of workers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=64)
    parser.add_argument("--dask", action="store_true", help="also on a local Dask cluster")
    options = parser.parse_args()
    _measure(options.runs, None)
    if options.dask:
        _measure(options.runs, "local")


if __name__ == "__main__":
    main()
