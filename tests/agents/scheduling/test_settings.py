"""Settings: what is allowed, said in one clear message; SciPy only where it is used."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agents.errors import SettingsError
from agents.scheduling.algorithms import scheduler_for
from agents.scheduling.settings import ALGORITHMS, AlgorithmSettings


def test_every_name_has_a_scheduler() -> None:
    """The names are the public ones, and all but the two quick algorithms are heavy."""
    assert ALGORITHMS == ("fifty_fifty", "insertion", "L-BFGS-B", "SLSQP", "TNC", "exact")
    schedulers = [scheduler_for(AlgorithmSettings(name)) for name in ALGORITHMS]
    assert len({repr(scheduler) for scheduler in schedulers}) == len(ALGORITHMS)
    assert [scheduler_for(AlgorithmSettings(name)).is_heavy for name in ALGORITHMS] == [
        False,
        False,
        True,
        True,
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "simplex"}, "unknown algorithm 'simplex': allowed are fifty_fifty, insertion, L-BFGS-B, SLSQP, TNC"),
        ({"penalty": -1.0}, "penalty -1: a finite number above 0 is allowed"),
        ({"penalty": float("nan")}, "penalty nan: a finite number above 0 is allowed"),
        ({"step_size": 0.0}, "step size 0 s: a number above 0, at most 86400, is allowed"),
        ({"tolerance": 0.0}, "tolerance 0: a finite number above 0 is allowed"),
        ({"node_limit": 0}, "node limit 0: a whole number from 1 on is allowed"),
    ],
)
def test_says_what_is_allowed(change: dict[str, object], message: str) -> None:
    """A value that is not allowed is refused, with what is."""
    with pytest.raises(SettingsError) as caught:
        replace(AlgorithmSettings(), **change)  # type: ignore[arg-type]  # the table mixes fields
    assert message in str(caught.value)


def test_names_all_problems_at_once() -> None:
    """Who has two settings wrong need not try twice."""
    with pytest.raises(SettingsError) as caught:
        AlgorithmSettings("exact", penalty=0.0, node_limit=-3)
    assert len(caught.value.problems) == 2


def test_scipy_waits_until_it_is_needed() -> None:
    """Importing the registry and making any scheduler does not import SciPy."""
    code = (
        "import sys; from agents.scheduling.algorithms import scheduler_for; "
        "from agents.scheduling.settings import ALGORITHMS, AlgorithmSettings; "
        "[scheduler_for(AlgorithmSettings(name)) for name in ALGORITHMS]; "
        "sys.exit('scipy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 - our own code


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted as Linux lists them")
def test_plans_on_one_thread() -> None:
    """Linear algebra of 40 tasks starts no threads: how many cores there are must not change a plan."""
    code = (
        "import os, random; from agents.energy import LoadProfile, Production; "
        "from agents.scheduling.problem import Commitment, ProducerState, Task; "
        "from agents.scheduling.algorithms import scheduler_for; "
        "from agents.scheduling.settings import AlgorithmSettings; "
        "load = LoadProfile(times_s=(0, 3600), cumulative_wh=(0, 100)); "
        "tasks = [Task(str(i), load, 60, 36000) for i in range(40)]; "
        "sun = Production(times_s=(0, 40000), cumulative_wh=(0, 4000)); "
        "state = ProducerState(sun, tuple(Commitment(t, 900 * int(t.job_id) + 60) for t in tasks), 0); "
        "scheduler_for(AlgorithmSettings('SLSQP')).place(state, Task('new', load, 60, 36000), random.Random(1)); "
        "print(len(os.listdir('/proc/self/task')))"
    )
    plain = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    answer = subprocess.run([sys.executable, "-c", code], env=plain, check=True, capture_output=True, text=True)  # noqa: S603 - our own code
    assert answer.stdout.split() == ["1"]
