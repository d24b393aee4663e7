"""Rescheduling after a new forecast: tasks that fit stay, others move, and the rest is cancelled."""

from agents.energy import LoadProfile, Production
from agents.scheduling.problem import Commitment, ProducerState, Task
from agents.scheduling.rescheduling import replan

HOUR = 3600
FLAT = Production(times_s=(0, 4 * HOUR), cumulative_wh=(0.0, 4000.0))
LATE = Production(times_s=(0, 2 * HOUR, 4 * HOUR), cumulative_wh=(0.0, 0.0, 2000.0))


def committed(name: str, wh: float, lo: int, hi: int, start: int) -> Commitment:
    """Return an hour of even load at `start`."""
    return Commitment(Task(name, LoadProfile(times_s=(0, HOUR), cumulative_wh=(0.0, wh)), lo, hi), start)


def test_an_equal_forecast_changes_nothing() -> None:
    """An equal forecast leaves even a suboptimal schedule unchanged."""
    committed_ = (committed("a", 600, 0, 3 * HOUR, HOUR + 5), committed("b", 300, 0, 3 * HOUR, HOUR + 7))
    answer = replan(ProducerState(FLAT, committed_, HOUR))
    assert dict(answer.starts_s) == {"a": HOUR + 5, "b": HOUR + 7}
    assert not answer.cancelled


def test_a_worse_forecast_moves_and_cancels() -> None:
    """Running jobs stay, the movable one moves, of two that compete the one with more energy stays."""
    committed_ = (
        committed("runs", 900, 0, 0, 0),
        committed("moves", 400, 100, 3 * HOUR, 100),
        committed("small", 500, 200, 2 * HOUR, 2 * HOUR),
        committed("large", 900, 200, 2 * HOUR, HOUR),
    )
    answer = replan(ProducerState(LATE, committed_, 60))
    assert answer.starts_s["runs"] == 0
    assert answer.starts_s["moves"] == 3 * HOUR
    assert answer.starts_s["large"] == 2 * HOUR
    assert list(answer.cancelled) == ["small"]
    assert "500 Wh" in answer.cancelled["small"]
