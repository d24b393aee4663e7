"""Days of a long run are chosen one by one: in the editor, in results, in a report."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.energy import Prediction, Production
from broker.protocol import TimeReport
from scenarios.monitor import ObservedRun, ScenarioContext
from scenarios.monitor.producers import ObservedProducer
from scenarios.results.power_profiles import AveragePowerProfile, PowerProfile, PowerStatistics
from scenarios.zone import Zone
from tui.editor.preview_chart import Kept, PreviewArtist
from tui.monitor.producers import day_bounds
from tui.shell.days import Days

START_S = 1_767_225_600
"""1 January 2026, 00:00 UTC."""
DAY_S = 86_400
UTC = Zone()


def day(hours: int, interval_s: int = 900, zone: Zone = UTC, start_s: int = START_S) -> PowerProfile:
    """Return hours of power whose values identify their interval."""
    count = hours * 3600 // interval_s
    values = np.arange(count, dtype=np.float64)
    return PowerProfile(interval_s, start_s + interval_s * np.arange(count), values, values, values, zone)


@pytest.mark.parametrize(("hours", "days"), [(24, 1), (27, 1), (48, 1), (49, 3), (72, 3), (365 * 24, 365)])
def test_up_to_two_days_are_shown_together(hours: int, days: int) -> None:
    """A day and the night after it are one picture; longer runs are displayed day by day."""
    assert day(hours).days == days


@pytest.mark.parametrize("interval_s", [60, 900, 7 * 60, 3600])
def test_days_hold_every_interval_once(interval_s: int) -> None:
    """For any interval length, none is missing or repeated."""
    whole = day(24 * 5 + 7, interval_s)

    parts = [whole.of_day(index) for index in range(whole.days)]

    assert np.concatenate([part.times_s for part in parts]).tolist() == whole.times_s.tolist()
    assert np.concatenate([part.grid_w for part in parts]).tolist() == whole.grid_w.tolist()
    for index, part in enumerate(parts):
        assert START_S + index * DAY_S <= part.times_s[0] < START_S + (index + 1) * DAY_S
    assert whole.of_day(99).times_s.tolist() == parts[-1].times_s.tolist()


@pytest.mark.parametrize(("date", "offset_s", "hours"), [("2026-10-24", 7200, 25), ("2026-03-28", 3600, 23)])
def test_days_are_those_of_the_calendar_where_clocks_change(date: str, offset_s: int, hours: int) -> None:
    """Each begins at midnight, is named by its date, and is found by that; the second has `hours`."""
    berlin = Zone(offset_s, "Europe/Berlin")
    start = datetime.fromisoformat(date).replace(tzinfo=berlin.tzinfo)
    start_s = int(start.timestamp())
    whole = day(4 * 24 + hours - 24, zone=berlin, start_s=start_s)
    days = Days(start_s, whole.days, berlin)
    dates = [f"{start + timedelta(days=number):%Y-%m-%d}" for number in range(4)]

    assert days.count == 4
    assert [len(whole.of_day(index).times_s) for index in range(4)] == [96, 4 * hours, 96, 96]
    assert [berlin.iso(int(whole.of_day(days.index(date)).times_s[0]))[:16] for date in dates] == [
        f"{date}T00:00" for date in dates
    ]
    assert [days.title(index).split()[1] for index in range(4)] == [date[-2:] for date in dates]
    assert day(24 + hours, zone=berlin, start_s=start_s).days == 1


def test_an_average_is_displayed_day_by_day_too() -> None:
    """It is displayed like a run."""
    whole = day(24 * 3)
    course = PowerStatistics(whole.grid_w, whole.grid_w)
    average = AveragePowerProfile(2, 900, whole.times_s, course, course, course, UTC)

    assert average.days == 3
    assert average.of_day(1).times_s.tolist() == whole.of_day(1).times_s.tolist()
    assert average.of_day(1).local.mean_w.tolist() == whole.of_day(1).local_w.tolist()


def test_a_day_is_named_by_number_or_date() -> None:
    """Dates are at the scenario's offset; other input is refused with a message."""
    days = Days(START_S - 3600, 365, Zone(3600))

    assert [days.index(text) for text in ("1", " 365 ", "2026-01-01", "2026-12-31")] == [0, 364, 0, 364]
    assert days.title(171) == "Sun 21 Jun, day 172 of 365"
    for wrong in ("0", "366", "2025-12-31", "2027-01-01", "tomorrow", ""):
        assert days.problem(wrong) == "expected: a number from 1 to 365, or a date from 2026-01-01 to 2026-12-31"


def test_the_editor_draws_the_chosen_day_of_a_year() -> None:
    """Its production, its jobs, and how many days there are."""
    tree = {
        "start": "2026-01-01T00:00:00Z",
        "days": 365,
        "load_profiles": {"wash": {"step_s": 3600, "power_w": [1000]}},
        "houses": [
            {
                "id": "a",
                "devices": [
                    {"id": "w", "type": "consumer", "load_profile": "wash"},
                    {
                        "id": "pv",
                        "type": "producer",
                        "predictions": [
                            {"issued": f"{24 * d}:00", "start": f"{24 * d}:00", "step_s": 86_400, "power_w": [d]}
                            for d in range(365)
                        ],
                    },
                ],
            }
        ],
        "jobs": [
            {
                "house": "a",
                "device": "w",
                "registered": f"{24 * d}:00",
                "earliest_start": f"{24 * d + 1}:00",
                "latest_start": f"{24 * d + 2}:00",
            }
            for d in (0, 9, 9)
        ],
    }

    whole = PreviewArtist(tree, None, 9).day(None)
    panel = PreviewArtist(tree, None, 9).producer(tree["houses"][0]["devices"][1])  # type: ignore[index]  # plain data of a known shape

    assert whole.days is not None
    assert whole.days.count == 365
    assert whole.title == "The day · Sat 10 Jan, day 10 of 365"
    assert whole.said == "0.2 kWh produced, jobs for 2.0 kWh"
    assert (whole.span.start_s, whole.span.end_s) == (START_S + 9 * DAY_S, START_S + 10 * DAY_S)
    assert panel.title == "Forecasts · Sat 10 Jan, day 10 of 365"
    assert "0.2 kWh" in panel.said


@pytest.mark.parametrize(("first", "second_kwh"), [("2026-10-24", 25), ("2026-03-28", 23)])
def test_the_editor_draws_days_of_the_calendar_where_clocks_change(first: str, second_kwh: int) -> None:
    """A constant power gives more or less on the second day; the one after that is named by its date."""
    series = {"issued": "00:00", "start": f"{first}T00:00", "step_s": 3600, "power_w": [1000] * 120}
    device = {"id": "pv", "type": "producer", "predictions": [series]}
    job = {"house": "a", "device": "w", "earliest_start": "72:00", "load_profile": "wash"}
    profiles = {"wash": {"step_s": 3600, "power_w": [1000]}}
    houses = [{"id": "a", "devices": [device, {"id": "w", "type": "consumer"}]}]
    tree: dict[str, Any] = {"start": f"{first}T00:00", "zone": "Europe/Berlin", "houses": houses, "jobs": [job]}
    tree["load_profiles"] = profiles
    third = int(first[-2:]) + 2

    second, later = (PreviewArtist(tree, None, day).day(None) for day in (1, 2))
    last = PreviewArtist(tree, None, 3).day(None)
    event = PreviewArtist({**tree, "timeline": [{"at": "3d 00:00", "do": "cloud"}]}, None).picture(("timeline", 0))

    assert second.said.startswith(f"{second_kwh}.0 kWh produced")
    assert f" {third} " in later.title
    assert "day 3 of 4" in later.title
    assert last.said == "24.0 kWh produced, jobs for 1.0 kWh"
    assert event.title == later.title
    assert f" {third} " in PreviewArtist(tree, None, 2).producer(device).title


@pytest.mark.parametrize("knows_start", [True, False])
def test_a_monitor_shows_days_of_the_calendar_where_clocks_change(*, knows_start: bool) -> None:
    """From midnight to midnight, also if it joins a run whose start it does not know."""
    berlin = Zone(7200, "Europe/Berlin")
    midnights_s = [int(datetime(2026, 10, day, tzinfo=berlin.tzinfo).timestamp()) for day in range(24, 29)]
    watched = ObservedRun("r", ScenarioContext(start_s=midnights_s[0] if knows_start else None))
    for begin_s, end_s in pairwise(midnights_s):
        for now_s in (begin_s, end_s - 1):
            watched.time = TimeReport(time=now_s, round=0, step=0, pace="max", lag_wall_s=0.0, state="running")
            assert day_bounds(watched, berlin, 0) == (begin_s, end_s)
    assert day_bounds(watched, berlin, 2) == (midnights_s[1], midnights_s[2])


def test_the_editor_draws_again_what_another_zone_moves() -> None:
    """Times without an offset are other moments then."""
    series = {"issued": "00:00", "start": "2026-06-21T06:00", "step_s": 3600, "power_w": [1000]}
    device = {"id": "pv", "type": "producer", "predictions": [series]}
    kept: Kept = {}

    begins_s = [
        PreviewArtist({"start": "2026-06-21T00:00", "zone": zone}, None, kept=kept).producer(device).span.start_s
        for zone in ("Europe/Berlin", "Europe/Lisbon")
    ]

    assert begins_s[1] - begins_s[0] == 3600


def test_a_watcher_forgets_forecasts_of_last_month() -> None:
    """Its memory and time per producer are no greater on the last day of a year than on the tenth."""
    watched = ObservedProducer("pv")
    points = []
    for number in range(40):
        issued_s = START_S + number * DAY_S
        times_s = tuple(range(issued_s, issued_s + DAY_S + 1, 60))
        energies_wh = tuple(float(i) for i in range(len(times_s)))
        forecast = Production(times_s=times_s, cumulative_wh=energies_wh)
        watched.learn(Prediction(issued_s=issued_s, production=forecast))
        assert watched.forecast is not None
        points.append(len(watched.forecast.times_s))

    assert points[39] == points[10] == 8 * 1440 + 1
    assert watched.day(START_S + 39 * DAY_S, START_S + 40 * DAY_S, 24, ()).forecast_wh.sum() == pytest.approx(1440)


def test_the_editor_reads_a_file_again_when_it_was_written_again(tmp_path: Path) -> None:
    """Cached content is never shown for a changed file."""
    file = tmp_path / "sun.txt"
    file.write_text(f"{START_S} 0\n{START_S + DAY_S} 24000\n")
    device = {"id": "pv", "type": "producer", "predictions": [{"issued": "00:00", "file": "sun.txt"}]}
    tree = {"start": "2026-01-01T00:00:00Z", "houses": [{"id": "a", "devices": [device]}]}
    kept: Kept = {}

    first = PreviewArtist(tree, tmp_path, kept=kept).day(None)
    again = PreviewArtist(tree, tmp_path, kept=kept).day(None)
    file.write_text(f"{START_S} 0\n{START_S + DAY_S} 120000\n")
    later = PreviewArtist(tree, tmp_path, kept=kept).day(None)

    assert (first.said, again.said) == ("24.0 kWh produced, jobs for 0.0 kWh",) * 2
    assert later.said == "120.0 kWh produced, jobs for 0.0 kWh"
