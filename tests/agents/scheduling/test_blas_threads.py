"""Plans do not depend on the number of cores, and importing the agents changes nothing in the process."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from threading import Event
from types import FrameType
from typing import Any

import pytest
import scipy.optimize  # noqa: F401 - its BLAS is one of those that are limited
from threadpoolctl import threadpool_info, threadpool_limits

from agents import LoadProfile, Production
from agents.scheduling import (
    AlgorithmSettings,
    Commitment,
    ProducerState,
    Schedule,
    Task,
    one_blas_thread,
    replan,
    scheduler_for,
)

NOW_S = 1_782_000_000
MINUTES = 8 * 1440
"""Of a long job: OpenBLAS splits a sum of 10,000 numbers among threads."""
ALGORITHMS = ("insertion", "L-BFGS-B", "SLSQP", "TNC", "exact", "fifty_fifty")


def blas_threads() -> set[int]:
    """Return how many threads the BLAS libraries of this process may use."""
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.fixture
def _two_threads() -> Iterator[None]:
    """Let linear algebra use two threads, on a machine of any size."""
    with threadpool_limits(2, user_api="blas"):
        if blas_threads() != {2}:
            pytest.skip("this BLAS cannot be limited at run time")
        yield


def problem(seed: int) -> tuple[ProducerState, Task]:
    """Return long tasks on more sun than they need, but for a few minutes in which they have to make room."""
    rng = Random(seed)
    first_s = NOW_S - NOW_S % 60
    edges = range(0, MINUTES + 2000, 7)
    sun_w = [rng.uniform(900, 4000) for _ in edges]
    energy_wh = [0.0]
    for power_w in sun_w[1:]:
        energy_wh.append(energy_wh[-1] + power_w * 7 / 60)
    production = Production(times_s=tuple(first_s + 60 * edge for edge in edges), cumulative_wh=tuple(energy_wh))
    tasks = []
    for name in ("a", "b", "c"):
        times = range(0, MINUTES * 60 + 1, 3600)
        load_wh = [0.0]
        for _ in times[1:]:
            load_wh.append(load_wh[-1] + rng.uniform(50, 280))
        load = LoadProfile(times_s=tuple(times), cumulative_wh=tuple(load_wh))
        tasks.append(Task(name, load, NOW_S + 60, NOW_S + 60 * rng.randint(20, 90)))
    committed = tuple(Commitment(task, task.earliest_start_s) for task in tasks[:-1])
    return ProducerState(production, committed, NOW_S), tasks[-1]


def many() -> tuple[ProducerState, Task]:
    """Return forty small tasks and a new one: matrices that are worth splitting, OpenBLAS finds."""
    load = LoadProfile(times_s=(0, 3600), cumulative_wh=(0, 100))
    tasks = [Task(str(i), load, 60, 36_000) for i in range(40)]
    sun = Production(times_s=(0, 40_000), cumulative_wh=(0, 4000))
    committed = tuple(Commitment(task, 900 * i + 60) for i, task in enumerate(tasks))
    return ProducerState(sun, committed, 0), Task("new", load, 60, 36_000)


def plans_sha256() -> str:
    """Return a hash of what every algorithm plans."""
    answer = scheduler_for(AlgorithmSettings("SLSQP")).place(*many(), Random(1))
    said = [f"many {answer}"]
    for algorithm in ALGORITHMS:
        for seed in range(2):
            asked, task = problem(seed)
            answer = scheduler_for(AlgorithmSettings(name=algorithm)).place(asked, task, Random(seed))
            said.append(
                f"{algorithm} {seed} {sorted(answer.starts_s.items()) if isinstance(answer, Schedule) else answer}"
            )
    assert sum("[(" in line for line in said) > len(said) / 2, said
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def python(code: str, **variables: str) -> str:
    """Run code in a process whose environment says nothing of threads but these variables; return its output."""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_THREADS")} | variables
    command = [sys.executable, "-c", code]
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), *(path for path in sys.path if path)])
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("package", ["agents", "agents.scheduling", "scenarios", "scenarios.optimum"])
def test_an_import_changes_no_environment_variable(package: str) -> None:
    """The environment belongs to the process that imports the package."""
    code = f"import os; before = dict(os.environ); import {package}; print(dict(os.environ) == before)"
    assert python(code) == "True"


@pytest.mark.long
def test_plans_are_the_same_with_one_thread_and_with_as_many_as_there_are() -> None:
    """The variable that limits OpenBLAS changes no plan of any algorithm."""
    code = "from test_blas_threads import plans_sha256; print(plans_sha256())"
    assert {python(code, OPENBLAS_NUM_THREADS="1"), python(code)} == {plans_sha256()}


@pytest.mark.usefixtures("_two_threads")
@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if name != "fifty_fifty"])
def test_a_decision_computes_on_one_thread(algorithm: str) -> None:
    """Inside every scheduler and inside SciPy's solver one thread is allowed, afterwards two again."""
    asked, task = problem(0)
    scheduler = scheduler_for(AlgorithmSettings(name=algorithm))
    seen = inside(lambda: scheduler.place(asked, task, Random(0)))
    assert seen == {1}
    assert blas_threads() == {2}


@pytest.mark.usefixtures("_two_threads")
def test_a_new_forecast_is_fitted_on_one_thread() -> None:
    """Rescheduling after a new forecast is limited to one thread, too."""
    asked, _ = problem(0)
    assert inside(lambda: replan(asked)) == {1}
    assert blas_threads() == {2}


def inside(decide: Any) -> set[int]:
    """Return the numbers of threads that were allowed while schedulers and solvers ran."""
    seen: set[int] = set()

    def look(frame: FrameType, event: str, _: object) -> None:
        module = str(frame.f_globals.get("__name__"))
        is_scheduler = module.startswith("agents.scheduling") and module != one_blas_thread.__module__
        computes = is_scheduler or frame.f_code.co_name in {"milp", "basinhopping"}
        if event == "call" and computes:
            seen.update(blas_threads())

    sys.setprofile(look)
    try:
        decide()
    finally:
        sys.setprofile(None)
    return seen


@pytest.mark.usefixtures("_two_threads")
def test_the_limit_stays_until_the_last_of_several_threads_has_planned() -> None:
    """A thread that ends first does not lift the limit under one that still plans."""
    first_in, second_in, first_out = Event(), Event(), Event()

    def first() -> None:
        with one_blas_thread():
            first_in.set()
            second_in.wait()
        first_out.set()

    def second() -> set[int]:
        first_in.wait()
        with one_blas_thread():
            second_in.set()
            first_out.wait()
            return blas_threads()

    with ThreadPoolExecutor(2) as threads:
        one, other = threads.submit(first), threads.submit(second)
        one.result()
        assert other.result() == {1}
    assert blas_threads() == {2}


@pytest.mark.usefixtures("_two_threads")
def test_a_decision_that_fails_lifts_the_limit() -> None:
    """An error leaves the process as it was."""

    @one_blas_thread()
    def fails() -> None:
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        fails()
    assert blas_threads() == {2}


def test_a_library_that_is_loaded_inside_a_block_is_limited_by_the_next_block() -> None:
    """SciPy is imported by the first decision that needs it, when the limit of NumPy's library is in force."""
    code = """
import numpy
from threadpoolctl import threadpool_info
from agents.scheduling import one_blas_thread
def threads(): return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]
before = threads()
with one_blas_thread():
    import scipy.linalg
    with one_blas_thread():
        inside = threads()
after = threads()
assert len(after) >= len(before) and set(inside) <= {1}, (before, inside, after)
assert sorted(after)[-1] == max(before), (before, after)
print("limited")
"""
    assert python(code, OPENBLAS_NUM_THREADS="4") == "limited"
