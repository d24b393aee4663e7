"""The part of a scenario that a lab emulates: `ssmic lab --from --until`."""

from __future__ import annotations

from scenarios.load import load_scenario
from tui.cli.commands.lab import _between


def test_a_job_that_may_start_when_the_lab_ends_is_left_out() -> None:
    """Nobody could start it in time, so it would always fail."""
    street = load_scenario("street")
    latest_s = {job.job_id: job.latest_start_s - street.start_s for job in street.jobs}
    part, end_s = _between(street, "08:00", "15:00", None)
    assert end_s == street.start_s + 15 * 3600
    assert 15 * 3600 in latest_s.values()
    assert {job.job_id for job in part.jobs} == {
        id_ for id_, time_s in latest_s.items() if 8 * 3600 <= time_s < 15 * 3600
    }
