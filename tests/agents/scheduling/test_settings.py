"""Settings: what is allowed, said in one clear message; SciPy only where it is used."""

import subprocess
import sys
from dataclasses import replace

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
        (
            {"name": "simplex"},
            "unknown algorithm 'simplex': expected one of fifty_fifty, insertion, L-BFGS-B, SLSQP, TNC",
        ),
        ({"penalty": -1.0}, "penalty -1: expected a finite number above 0"),
        ({"penalty": float("nan")}, "penalty nan: expected a finite number above 0"),
        ({"step_size": 0.0}, "step size 0 s: expected a number above 0, at most 86400"),
        ({"tolerance": 0.0}, "tolerance 0: expected a finite number above 0"),
        ({"node_limit": 0}, "node limit 0: expected a whole number, 1 or more"),
    ],
)
def test_says_what_is_allowed(change: dict[str, object], message: str) -> None:
    """A value that is not allowed is refused, with what is."""
    with pytest.raises(SettingsError) as caught:
        replace(AlgorithmSettings(), **change)  # type: ignore[arg-type]  # the table mixes fields
    assert message in str(caught.value)


def test_names_all_problems_at_once() -> None:
    """An error names all wrong settings at once."""
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
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
