"""Drawing of tables and charts, at any width."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult

from scenarios.events import EventMark, EventMarks
from scenarios.monitor import ObservedNegotiation
from scenarios.monitor.summaries import energy
from scenarios.zone import Zone
from tui.formatting import fit
from tui.monitor.job_negotiations import SequenceView, _columns as job_columns
from tui.monitor.ledger import _columns as ledger_columns
from tui.monitor.messages import _columns as message_columns
from tui.monitor.real_devices import _columns as device_columns
from tui.results.contracts import _columns as contract_columns
from tui.results.negotiation import _columns as recorded_columns
from tui.run.progress_panel import _COLUMNS as RUN_COLUMNS
from tui.widgets.chart import Chart, TimeAxis, drawn
from tui.widgets.table_rendering import Column, placed
from tui.widgets.theme_colours import DEFAULT_VARIABLES, DEMAND, FORECAST, MEANINGS

BERLIN = Zone(7200)
NEPAL = Zone(20_700)
DAY_S = 86_400
MIDNIGHT_S = 1_781_992_800
"""2026-06-21T00:00:00+02:00."""


@pytest.mark.parametrize(
    "text", ["pv-adler", "日本語の太陽光パネル-12", "🌞🌞🌞🌞🌞🌞-roof-7", "é́" * 20, "[57]:[219]-[3]"]
)
@pytest.mark.parametrize("width", [1, 2, 3, 8, 13, 40])
def test_a_cell_is_exactly_as_wide_as_its_column(text: str, width: int) -> None:
    """Characters may be two cells wide, or have no width."""
    for is_id in (False, True):
        assert cell_len(fit(text, width, is_id=is_id)) == width


def test_an_id_that_is_too_long_keeps_its_end() -> None:
    """Ids of one kind differ there."""
    first, second = (fit(f"pv-producer-of-the-house-{n}", 14, is_id=True) for n in (12, 13))
    assert first.endswith("12")
    assert second.endswith("13")
    assert first.startswith("pv-pr")


def test_id_columns_grow_with_the_terminal() -> None:
    """With 200 columns an id gets more of them than with 80."""
    columns: tuple[Column[str], ...] = (
        Column("from", lambda text: text, 18, 14, wide=30),
        Column("what it says", lambda text: text),
    )
    widths = [dict(placed(columns, width))[0] for width in (80, 140, 200)]
    assert widths == [14, 30, 30]


MONITOR_COLUMNS = (job_columns, ledger_columns, message_columns, device_columns)


@pytest.mark.parametrize(
    "columns", [contract_columns(BERLIN), recorded_columns(BERLIN), *(of(BERLIN) for of in MONITOR_COLUMNS)]
)
def test_a_column_that_takes_the_rest_is_not_crowded_out_by_wide_ones(columns: Sequence[Column[Any]]) -> None:
    """At no width of a terminal."""
    for width in range(80, 300):
        assert all(cells >= 10 for column, cells in _placed(columns, width) if column.width is None), width


def test_titles_are_not_cut_if_they_fit() -> None:
    """The titles of the runs' figures fit at 80 columns; other columns keep their width."""
    shown = {columns.title_in(width) for columns, width in _placed(RUN_COLUMNS[1:8] + RUN_COLUMNS[11:12], 80)}
    assert {"self-consumption", "self-sufficiency", "from grid", "messages"} <= shown
    two: tuple[Column[str], ...] = (Column("self-s.", str, 7, full="self-sufficiency"), Column("file", str))
    assert [column.title_in(width) for column, width in _placed(two, 30)] == ["self-s.", "file"]
    assert [column.title_in(width) for column, width in _placed(two, 40)] == ["self-sufficiency", "file"]


def _placed(columns: Sequence[Column[Any]], width: int) -> list[tuple[Column[Any], int]]:
    return [(columns[index], cells) for index, cells in placed(columns, width)]


@pytest.mark.parametrize(("zone", "first"), [(BERLIN, "00:00"), (Zone(), "22:00"), (NEPAL, "04:00")])
def test_the_ticks_of_a_chart_are_at_round_hours_of_the_shown_offset(zone: Zone, first: str) -> None:
    """The start of the axis, here midnight at +02:00, does not matter."""
    span = TimeAxis(MIDNIGHT_S, MIDNIGHT_S + DAY_S, zone)
    texts = [span.tick_text(time_s) for time_s in span.ticks(12)]
    assert texts[0] == first
    hours = [text for text in texts if ":" in text]
    assert len(hours) >= 11
    assert {text[2:] for text in hours} == {":00"}
    assert {int(text[:2]) % 2 for text in hours} == {0}


def test_an_axis_that_starts_at_an_odd_minute_still_has_round_ticks() -> None:
    """The first tick is behind the start."""
    span = TimeAxis(MIDNIGHT_S + 437, MIDNIGHT_S + 437 + DAY_S, BERLIN)
    assert [span.tick_text(time_s) for time_s in span.ticks(6)] == [
        "04:00",
        "08:00",
        "12:00",
        "16:00",
        "20:00",
        "22 Jun",
    ]


def test_an_axis_over_several_days_names_them() -> None:
    """The names are at their midnights, in the displayed offset."""
    span = TimeAxis(MIDNIGHT_S, MIDNIGHT_S + 3 * DAY_S, BERLIN)
    texts = [span.tick_text(time_s) for time_s in span.ticks(12)]
    assert [text for text in texts if "Jun" in text] == ["21 Jun", "22 Jun", "23 Jun", "24 Jun"]


@pytest.mark.parametrize(
    ("key", "first_day", "days"),
    [
        ("Europe/Berlin", "2026-10-24", ["24 Oct", "25 Oct", "26 Oct", "27 Oct"]),
        ("Europe/Berlin", "2026-03-28", ["28 Mar", "29 Mar", "30 Mar", "31 Mar"]),
        ("Australia/Lord_Howe", "2026-04-04", ["04 Apr", "05 Apr", "06 Apr", "07 Apr"]),
        ("Australia/Lord_Howe", "2026-10-03", ["03 Oct", "04 Oct", "05 Oct", "06 Oct"]),
        ("America/Santiago", "2026-09-05", ["05 Sep", "06 Sep", "07 Sep", "08 Sep"]),
        ("Pacific/Apia", "2011-12-28", ["28 Dec", "29 Dec", "31 Dec", "01 Jan"]),
    ],
)
def test_an_axis_over_a_change_of_the_clocks_has_its_ticks_at_round_times_of_the_clock(
    key: str, first_day: str, days: list[str]
) -> None:
    """Days of 23, 23.5, 24.5 and 25 hours, one that begins at 01:00, and one that did not exist."""
    begin_s, end_s = (
        int((datetime.fromisoformat(first_day) + timedelta(days=n)).replace(tzinfo=ZoneInfo(key)).timestamp())
        for n in (0, 3 if key != "Pacific/Apia" else 4)
    )
    span = TimeAxis(begin_s, end_s, Zone(0, key))
    texts = [span.tick_text(time_s) for time_s in span.ticks(13)]
    assert [text for text in texts if ":" not in text] == days
    assert {text[3:] for text in texts if ":" in text} == {"00"}
    assert len(texts) == 13
    assert set(texts) - set(days) == {"06:00", "12:00", "18:00"}


@pytest.mark.parametrize(
    ("first", "most", "texts"),
    [
        ("2026-10-25T01:00:00+02:00", 4, ["01:00", "2A:00", "2B:00", "03:00", "04:00"]),
        (
            "2026-10-25T02:00:00+02:00",
            8,
            ["2A:00", "2A:30", "2B:00", "2B:30", "03:00", "03:30", "04:00", "04:30", "05:00"],
        ),
        ("2026-03-29T01:00:00+01:00", 4, ["01:00", "03:00", "04:00", "05:00", "06:00"]),
        (
            "2026-03-29T01:00:00+01:00",
            8,
            ["01:00", "01:30", "03:00", "03:30", "04:00", "04:30", "05:00", "05:30", "06:00"],
        ),
    ],
)
def test_an_hour_that_occurs_twice_is_told_apart_below_a_chart(first: str, most: int, texts: list[str]) -> None:
    """The second one had no tick; the cursor's column names its hour."""
    start_s = datetime.fromisoformat(first).timestamp()
    axis = TimeAxis(start_s, start_s + 4 * 3600, Zone(0, "Europe/Berlin"))
    assert [axis.tick_text(time_s) for time_s in axis.ticks(most)] == texts
    assert axis.period(start_s + 3600, start_s + 5400).startswith(texts[most // 4])


@pytest.mark.parametrize("days", [30, 365, 3650])
def test_an_axis_over_many_days_has_room_for_its_ticks(days: int) -> None:
    """Never more than were asked for, and the one at the end."""
    assert 2 <= len(TimeAxis(MIDNIGHT_S, MIDNIGHT_S + days * DAY_S, BERLIN).ticks(10)) <= 11


def test_meanings_are_distinguishable_without_colour() -> None:
    """Each has its own pattern and its own colour."""
    assert len({meaning.pattern for meaning in MEANINGS}) == len(MEANINGS)
    assert len({meaning.colour for meaning in MEANINGS}) == len(MEANINGS)


class OneChart(App[None]):
    """Two series and two marks."""

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The colours of the meanings."""
        return dict(DEFAULT_VARIABLES)

    def compose(self) -> ComposeResult:
        """The chart alone."""
        yield Chart()

    def on_mount(self) -> None:
        """Show it."""
        long = drawn(DEMAND, [1.0], "jobs at their earliest start", short_name="jobs, earliest")
        marks = (EventMark(3600.0, "clouds"), EventMark(7200.0, "rain"))
        self.query_one(Chart).show((drawn(FORECAST, [1.0], "produced"), long), TimeAxis(0, DAY_S), marks=marks)


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        (90, ("produced", "jobs at their earliest start", "╎ 01:00 clouds, 02:00 rain")),
        (66, ("produced", "jobs at their earliest start", "2 events")),
        (51, ("produced", "jobs, earliest", "2 events")),
        (44, ("produced", "jobs, earliest", "2 events")),
        (30, ("produced", "jobs,", "…")),
    ],
)
async def test_a_legend_without_room_has_shorter_names_rather_than_cut_ones(
    columns: int, names: tuple[str, ...]
) -> None:
    """At 51 columns, as in the editor on 80, the preview's legend ended with `earliest st`."""
    app = OneChart()
    async with app.run_test(size=(columns, 12)) as pilot:
        await pilot.pause()
        legend = app.query_one(Chart).render_line(0).text
        assert cell_len(legend) == columns
        assert [name for name in names if name not in legend] == []
        assert legend.rstrip().endswith("…") == (names[-1] == "…")


async def test_events_of_every_second_of_a_day_are_drawn_without_a_wait() -> None:
    """A repetition of `1d` begins with the letter 1, every second: the legend tried each number of 86,400 events."""
    app = OneChart()
    async with app.run_test(size=(90, 12)) as pilot:
        chart = app.query_one(Chart)
        produced = drawn(FORECAST, [1.0], "produced")
        chart.show(
            (produced,),
            TimeAxis(0, DAY_S),
            marks=tuple(EventMarks((float(time_s), "clouds") for time_s in range(DAY_S))),
        )
        await pilot.pause()
        assert (
            chart.render_line(0)
            .text.rstrip()
            .endswith(" 00:00 clouds (300 times), 00:05 clouds (300 times), 85,800 more")
        )


def test_a_window_names_its_second_day_only_where_it_has_one() -> None:
    """With seconds, the window of a single day was cut in every terminal; and that of two days looked like one."""
    job = ObservedNegotiation("j", earliest_start_s=MIDNIGHT_S + 29_550, latest_start_s=MIDNIGHT_S + 29_620)
    (column,) = (column for column in job_columns(BERLIN) if column.title == "window")
    assert column.text(job) == "21 Jun 08:12:30 - 08:13:40"
    assert cell_len(column.text(job)) <= (column.width or 0)
    job.latest_start_s = MIDNIGHT_S + DAY_S + 29_620
    assert column.text(job) == "21 Jun 08:12:30 - 22 Jun 08:13:40"
    assert cell_len(column.text(job)) <= (column.wide or 0)


class _Sequence(App[None]):
    """The sequence diagram of a job that has asked the manager."""

    def compose(self) -> ComposeResult:
        """The diagram."""
        yield SequenceView()


@pytest.mark.parametrize("width", [82, 98])
async def test_a_sequence_leaves_room_for_what_messages_say(width: int) -> None:
    """Beside the producers of a terminal of 120 columns, ten cells were left for the words."""
    app = _Sequence()
    async with app.run_test(size=(width, 20)) as pilot:
        view = app.query_one(SequenceView)
        view.show(ObservedNegotiation("j", consumer="a/oven"))
        await pilot.pause()
        widths = {view.columns[index].title: cells for index, cells in placed(view.columns, width)}
        assert widths["what it says"] >= 30


def test_large_energies_have_separators() -> None:
    """As everywhere else."""
    assert energy(1_119_833.0) == "1,119.83 kWh"
