"""The live view on a real run: messages are displayed, found and followed, and the run is controlled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input, OptionList, Select, Static, TabbedContent

from agents.manager.ledger import LedgerEntry
from broker.clock.pacing import Pace
from broker.protocol import topics
from broker.protocol.envelope import Envelope, Envelopes
from broker.protocol.wire import Announcement, Roster, TimeReport
from broker.transport import MqttBroker
from broker.transport.memory import MemoryBroker
from scenarios.load import load_scenario
from scenarios.monitor.feed import BusFeed
from scenarios.monitor.message_log import IN_MEMORY, MessageSummary, shown_agent
from scenarios.monitor.negotiations import ObservedNegotiation
from scenarios.monitor.run_state import ObservedRun, context_of_scenario
from scenarios.monitor.summaries import KINDS, summarize
from scenarios.scenario import Scenario
from scenarios.simulation.outcome import RunOutcome
from scenarios.simulation.run import run_scenario
from scenarios.simulation.settings import RunSettings
from scenarios.zone import Zone
from tests.tui.driving import click, dialog, focus, steps, the_app, until
from tui.monitor.hosts_and_devices import HostRows
from tui.monitor.job_negotiations import SequenceView, arrow, lanes_of
from tui.monitor.messages import Filter
from tui.monitor.producers import ProducerRow, ProducersPane
from tui.shell.dialogs import AskText, ChooseOne, Confirm
from tui.shell.footer import Footer
from tui.shell.header import StatusLine
from tui.street_groups import MOST_LISTED
from tui.widgets.chart import Chart
from tui.widgets.fields import PlainText
from tui.widgets.table import VirtualTable
from tui.widgets.table_rendering import placed

Opened = Any
UTC = Zone()
WIDE = (140, 45)
FAST = Pace()
SLOW = Pace(600)
"""Slow enough for key presses on a busy machine; steps run as fast as possible."""


@pytest.fixture(scope="module")
def street() -> Scenario:
    """The bundled one."""
    return load_scenario("street")


@asynccontextmanager
async def monitored_run(opened: Opened, scenario: Scenario, **options: Any) -> AsyncIterator[Any]:
    """Open the live view on a run of a scenario that is about to begin; give what starts it."""
    broker = MemoryBroker()
    async with opened(first_area="negotiations", **options) as pilot:
        watched = ObservedRun("w", context_of_scenario(scenario), from_the_start=True)
        feed = BusFeed(broker, watched, "memory")
        the_app(pilot).monitored_run.begin(feed)
        await until(pilot, lambda: feed.status == "connected")
        await until(pilot, lambda: isinstance(pilot.app.screen.focused, VirtualTable))

        async def run(pace: Pace = FAST) -> RunOutcome:
            return await run_scenario(scenario, RunSettings(seed=1, run_id="w", pace=pace), broker)

        yield pilot, watched, run


def standing(watched: ObservedRun) -> Callable[[], TimeReport]:
    """Return a key for the position of a run that has begun."""

    def now() -> TimeReport:
        assert watched.time is not None
        return watched.time

    return now


def table(pilot: Pilot[Any], id_: str) -> VirtualTable[Any]:
    """Return a table by its id."""
    return pilot.app.screen.query_one(f"#{id_}", VirtualTable)


def shown_columns(table: VirtualTable[Any]) -> list[tuple[Any, int]]:
    """Return the columns that there is room for, and their widths in cells."""
    return [(table.columns[index], width) for index, width in placed(table.columns, table.size.width)]


async def test_an_empty_view_says_what_to_do(opened: Opened) -> None:
    """Its button does it."""
    async with opened(first_area="negotiations") as pilot:
        assert pilot.app.screen.query_one("#nothing").display
        await click(pilot, pilot.app.screen.query("EmptyState Button").first())
        await until(pilot, lambda: pilot.app.screen.AREA == "run")


async def test_all_panes_show_the_run(opened: Opened, street: Scenario) -> None:
    """Messages, jobs, producers, ledger, hosts: as many as there are."""
    async with monitored_run(opened, street) as (pilot, watched, run):
        outcome = await run()
        await until(pilot, lambda: watched.time is not None and watched.time.state == "ended")
        await until(pilot, lambda: len(table(pilot, "messages").rows) == outcome.messages)
        await pilot.press("J")
        await until(pilot, lambda: len(table(pilot, "jobs").rows) == len(street.jobs))
        await pilot.press("P")
        await until(pilot, lambda: len(table(pilot, "producers").rows) == len(street.producers))
        scores = {row.producer.id: row.producer.score for row in table(pilot, "producers").rows}
        assert scores == dict(outcome.scores)
        await pilot.press("L")
        await until(pilot, lambda: len(table(pilot, "ledger").rows) == len(outcome.ledger))
        entries: list[LedgerEntry] = list(table(pilot, "ledger").rows)
        assert {e.contract.contract_id: e for e in entries} == {e.contract.contract_id: e for e in outcome.ledger}
        starts = {column.title: width for column, width in shown_columns(table(pilot, "ledger"))}
        assert starts["start"] >= len("21 Jun 10:20:05"), "the start of a contract is read in 80 columns, too"
        await pilot.press("H")
        agents = sum(len(house.devices) for house in street.houses) + 1
        await until(pilot, lambda: len(table(pilot, "hosts").rows) == agents + len(street.houses) + 1)


@pytest.mark.long
async def test_messages_are_filtered_by_one_of_many_houses(opened: Opened, street: Scenario) -> None:
    """The field offers a search in place of all houses; the one that is found stays in it."""
    async with monitored_run(opened, street) as (pilot, watched, run):
        many = {f"oak-{i}": f"Oak {i}" for i in range(1, MOST_LISTED + 50)}
        watched.scenario_context = replace(watched.scenario_context, houses={**watched.scenario_context.houses, **many})
        await run()
        messages = table(pilot, "messages")
        await until(pilot, lambda: len(messages.rows) > 0)
        house = pilot.app.screen.query_one("#house", Select)
        house.focus()
        await pilot.press("enter", "down", "enter")
        await dialog(pilot, ChooseOne)
        await pilot.press(*"adler", "enter")
        await until(pilot, lambda: house.value == "adler")
        ours = ("adler/", "pv-adler")
        await until(pilot, lambda: all(li.sender.startswith(ours) or li.to.startswith(ours) for li in messages.rows))


def test_hosts_of_thousands_of_households_are_listed_as_they_are_drawn(street: Scenario) -> None:
    """Each with its agents behind it; none of them is taken for a forgery."""
    watched = ObservedRun("w", context_of_scenario(street))
    for i in range(5_500):
        agents = tuple(f"h{i:04}/{device}" for device in ("car", "dryer"))
        there = Announcement(host=f"h{i:04}", session="s", agents=agents, state="there")
        watched.take(topics.host("w", there.host), there.encoded())
    assert watched.refused == 0
    rows = HostRows(watched, street.zone)
    assert len(rows) == 16_500
    assert [row.id for row in rows[3:6]] == ["host h0001", "h0001/car", "h0001/dryer"]
    assert rows[-1].id == "h5499/dryer"
    assert rows.position("h5000/car") == 15_001
    assert rows.position("nobody") is None


@pytest.mark.long
async def test_messages_are_filtered_by_keys_alone(opened: Opened, street: Scenario) -> None:
    """The filters are kind, producer, house, job and text; Escape shows all again."""
    async with monitored_run(opened, street) as (pilot, watched, run):
        outcome = await run()
        messages = table(pilot, "messages")
        await until(pilot, lambda: len(messages.rows) == outcome.messages)
        every: list[MessageSummary] = list(messages.rows)

        await pilot.press("slash", *"ebert/dish")
        wanted = [line for line in every if "ebert/dish" in line.sender + line.to + line.text]
        await until(pilot, lambda: messages.rows == wanted)
        await pilot.press("enter", "escape")
        await until(pilot, lambda: len(messages.rows) == len(every))

        screen = pilot.app.screen
        screen.query_one("#kind", Select).value = "Decline"
        await until(pilot, lambda: messages.rows == [line for line in every if line.kind == "Decline"])
        screen.query_one("#producer", Select).value = "pv-adler"
        declined = [line for line in every if line.kind == "Decline" and line.sender == "pv-adler"]
        await until(pilot, lambda: messages.rows == declined)
        screen.query_one("#kind", Select).clear()
        screen.query_one("#producer", Select).clear()
        screen.query_one("#house", Select).value = "adler"
        ours = ("adler/", "pv-adler")
        await until(
            pilot,
            lambda: messages.rows == [li for li in every if li.sender.startswith(ours) or li.to.startswith(ours)],
        )
        screen.query_one("#house", Select).clear()
        screen.query_one("#job", Input).value = "adler-car"
        await until(pilot, lambda: messages.rows == [line for line in every if "adler-car" in line.job_id])
        assert watched.lines.total == len(every)


@pytest.mark.long
async def test_messages_are_filtered_by_mouse_alone(opened: Opened, street: Scenario) -> None:
    """A kind is chosen from its list, a pane by its tab."""
    async with monitored_run(opened, street, size=WIDE) as (pilot, _, run):
        outcome = await run()
        messages = table(pilot, "messages")
        await until(pilot, lambda: len(messages.rows) == outcome.messages)
        screen = pilot.app.screen
        kind = screen.query_one("#kind", Select)
        await click(pilot, kind)
        await until(pilot, lambda: kind.expanded)
        choices = kind.query_one(OptionList)
        await click(pilot, choices, offset=(3, 1 + list(KINDS).index("Request")))
        await until(pilot, lambda: messages.rows and {line.kind for line in messages.rows} == {"Request"})
        await click(pilot, screen.query_one("Tab#--content-tab-ledger-tab"))
        await until(pilot, lambda: len(table(pilot, "ledger").rows) == len(outcome.ledger))


@pytest.mark.long
async def test_times_are_those_of_the_scenario(opened: Opened, street: Scenario) -> None:
    """They are at the offset of its start, which the status line states; `U` shows them in UTC."""
    assert street.zone.name == "+02:00"
    async with monitored_run(opened, street) as (pilot, watched, run):
        await run()
        await until(pilot, lambda: table(pilot, "messages").rows)
        (first,) = {line.time_s for line in watched.lines.since(0) if line.kind == "ProducerJoined"}
        assert first == street.start_s
        status = pilot.app.screen.query_one(StatusLine)
        await until(pilot, lambda: "+02:00" in str(status.render()))
        column = table(pilot, "messages").columns[1]
        assert column.cell(table(pilot, "messages").rows[0]) == "00:00:00"
        asked = next(line for line in watched.lines.since(0) if line.kind == "Request")
        job = next(job for job in street.jobs if job.job_id == asked.job_id)
        assert f"start {street.zone.clock(job.earliest_start_s)}-" in asked.said(street.zone)
        await pilot.press("Z")
        await until(pilot, lambda: "UTC" in str(status.render()))
        rows = table(pilot, "messages")
        await until(pilot, lambda: rows.rows and rows.columns[1].cell(rows.rows[0]) == "22:00:00")
        said = rows.columns[-1].cell(next(line for line in rows.rows if line.number == asked.number))
        window = f"{UTC.clock(job.earliest_start_s)}-{UTC.clock(job.latest_start_s)}?"
        assert f"start 21 Jun {window}" in said, "there it is still the day before"
        await pilot.press("Z")
        await until(pilot, lambda: "+02:00" in str(status.render()))


async def test_the_bar_names_a_household_as_it_is_written(opened: Opened) -> None:
    """Part of the bar's own markup stood behind an id with a bracket."""
    broker = MemoryBroker()
    async with opened(first_area="negotiations", size=WIDE) as pilot, broker.connect("clock") as clock:
        feed = BusFeed(broker, ObservedRun("w"), "memory")
        the_app(pilot).monitored_run.begin(feed)
        await until(pilot, lambda: feed.status == "connected")
        report = TimeReport(
            time=60,
            round=0,
            step=1,
            pace="max",
            lag_wall_s=0.0,
            state="running",
            waiting_for=("[x",),
            waiting_wall_s=9.0,
        )
        await clock.publish(topics.time("w"), report.encoded(), retain=True)
        bar = pilot.app.screen.query_one("AreaBar .status", Static)
        await until(pilot, lambda: "[x" in str(bar.render()))
        assert str(bar.render()).endswith("waiting for [x (9 s) 00:01")


@pytest.mark.long
async def test_a_watcher_without_the_scenario_shows_times_at_its_offset(opened: Opened, street: Scenario) -> None:
    """The offset travels in the roster."""
    broker = MemoryBroker()
    async with opened(first_area="negotiations", size=WIDE) as pilot:
        watched = ObservedRun("w")
        assert watched.zone == UTC
        feed = BusFeed(broker, watched, "memory")
        the_app(pilot).monitored_run.begin(feed)
        await until(pilot, lambda: feed.status == "connected")
        await run_scenario(street, RunSettings(seed=1, run_id="w"), broker)
        status = pilot.app.screen.query_one(StatusLine)
        await until(pilot, lambda: "+02:00" in str(status.render()))
        await until(pilot, lambda: table(pilot, "messages").rows)
        rows = table(pilot, "messages")
        await until(pilot, lambda: rows.columns[1].cell(rows.rows[0]) == "00:00:00")


@pytest.mark.long
async def test_the_producers_show_the_last_day_when_the_run_has_ended(opened: Opened, street: Scenario) -> None:
    """The clock then stands at the first moment of the day after it, for which there is no forecast."""
    async with monitored_run(opened, street, size=WIDE) as (pilot, watched, run):
        await run()
        await until(pilot, lambda: watched.time is not None and watched.time.state == "ended")
        await pilot.press("P")
        producers = table(pilot, "producers")
        await until(pilot, lambda: producers.rows and sum(row.forecast_wh for row in producers.rows) > 50_000)
        chart = pilot.app.screen.query_one("ProducersPane Chart", Chart)
        assert max(chart._series[0].values) > 1_000
        await pilot.press("left_curly_bracket")
        assert max(chart._series[0].values) > 1_000, "there is no day before the first"


def test_what_a_producer_committed_before_it_was_watched_is_a_bound(street: Scenario) -> None:
    """The loads of those jobs are not known: nothing was committed, it said, and all was free."""
    start_s = street.start_s
    terms = {"job_id": "wash", "producer": "pv-adler", "start_s": start_s, "agreed_s": start_s, "energy_wh": 1_200.0}
    event = {"at_s": start_s, "what": "agreed", "start_s": start_s, "reason": ""}
    contract = {"contract_id": "wash/1", **terms}
    entry = LedgerEntry.model_validate({"contract": contract, "state": "standing", "history": [event]})
    run = ObservedRun("run", context_of_scenario(street))
    run._entry(entry)  # as it comes from the broker
    (prediction, *_) = street.producers["pv-adler"].predictions
    run.producers["pv-adler"].learn(prediction)
    row = ProducerRow(run.producers["pv-adler"], run, (start_s, start_s + 86_400))
    assert (row.committed, row.remaining) == ("≥ 0 Wh", "≤ 35.34 kWh")
    there = Announcement(host="brandt", session="s", agents=("brandt/washer", "pv-adler"), state="there")
    run.take(topics.host("run", there.host), there.encoded())
    _, washer, roof = HostRows(run, UTC)
    assert washer.state == ("· unknown", "muted")  # not idle: it may run the job
    assert roof.detail == "1 contract, score unknown"  # not the score of a new producer
    for producer in run.producers.values():
        producer.contracts.clear()
    row = ProducerRow(run.producers["pv-adler"], run, (start_s, start_s + 86_400))
    assert (row.committed, row.remaining) == ("0 Wh", "35.34 kWh")


@pytest.mark.long
async def test_a_key_moves_a_cursor_that_reads_values_from_a_chart(opened: Opened, street: Scenario) -> None:
    """It shows the time and the value of each series, in place of the legend."""
    async with monitored_run(opened, street, size=WIDE) as (pilot, watched, run):
        await run()
        await until(pilot, lambda: watched.time is not None and watched.time.state == "ended")
        await pilot.press("P")
        chart = pilot.app.screen.query_one("ProducersPane Chart", Chart)
        await until(pilot, lambda: chart._series)
        await focus(pilot, chart)
        await pilot.press("home", *["right"] * 8)
        assert "forecast 0 W" in _first_line(chart)
        await pilot.press(*["ctrl+right"] * 7)
        await until(pilot, lambda: "kW" in _first_line(chart))
        await pilot.press("tab")
        await until(pilot, lambda: "W" not in _first_line(chart))
        assert "forecast" in _first_line(chart), "the legend is back"


def _first_line(chart: Chart) -> str:
    """Return what is above a chart: the legend, or what the cursor reads."""
    return " ".join(chart.render_line(0).text.split())


@pytest.mark.long
async def test_a_message_leads_to_the_negotiation_of_its_job(opened: Opened, street: Scenario) -> None:
    """It goes from request to contract, with the reason of each refusal."""
    async with monitored_run(opened, street, size=WIDE) as (pilot, watched, run):
        await run()
        await pilot.press("slash", *"Decline")
        messages = table(pilot, "messages")
        await until(pilot, lambda: messages.rows and all("Decline" in line.kind for line in messages.rows))
        await pilot.press("enter")
        await until(pilot, lambda: messages.has_focus)
        await pilot.press("home")
        await until(pilot, lambda: messages.row == messages.rows[0])
        line: MessageSummary = messages.rows[0]
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen.query_one(TabbedContent).active == "jobs-tab")
        await until(pilot, lambda: (row := table(pilot, "jobs").row) is not None and row.job_id == line.job_id)
        job = watched.jobs.get(line.job_id)
        assert job is not None
        sequence = pilot.app.screen.query_one(SequenceView)
        await until(pilot, lambda: sequence.rows == watched.steps(job))
        assert any(step.kind == "Decline" and len(step.text) > 10 for step in sequence.rows)
        assert sequence.rows[-1].kind in {"ContractAgreed", "ContractAmended", "Withdraw", "Amend"}


async def test_a_broker_that_goes_after_the_run_was_stopped_here_is_its_end(opened: Opened) -> None:
    """No reconnection is hoped for, and none is announced; the next run is another matter."""
    async with opened(first_area="negotiations") as pilot:
        monitored = the_app(pilot).monitored_run
        watched = ObservedRun("w")
        report = TimeReport(time=0, round=0, step=0, pace="max", lag_wall_s=0.0, state="running")
        watched.take(topics.time("w"), report.encoded())
        gone = BusFeed(MqttBroker("mqtt://127.0.0.1:1"), watched, "gone")
        monitored.begin(gone)
        await pilot.pause()
        assert monitored.state == "connecting"
        monitored.expect_end()
        assert monitored.state == "ended"
        monitored.begin(gone)
        await pilot.pause()
        assert monitored.state == "connecting"


@pytest.mark.long
async def test_what_is_long_past_is_scrolled_to_and_found(opened: Opened) -> None:
    """More messages than memory holds: the first is there, a text finds it, and so does its job."""
    count = IN_MEMORY + 2_000
    async with opened(first_area="negotiations", size=WIDE) as pilot:
        watched = ObservedRun("w", from_the_start=True)
        the_app(pilot).monitored_run.begin(BusFeed(MemoryBroker(), watched, "memory"))
        topic = topics.inbox("w", "manager", "1")
        for seq in range(count):
            body = {"kind": "Declined", "job_id": f"job-{seq % 40}", "producer": f"pv-{seq}"}
            told = Envelope(session="s", step=seq, time=seq, round=0, sender="1/tv", seq=seq, to="manager", body=body)
            watched.take(topic, Envelopes([told]).encoded())
        messages = table(pilot, "messages")
        await until(pilot, lambda: len(messages.rows) == count and messages.has_focus)
        await pilot.press("home")
        await until(
            pilot, lambda: "pv-0 declined" in pilot.app.screen.query_one("MessagesPane .detail", PlainText).content
        )
        await pilot.press("slash", *"pv-7 declined")
        await until(pilot, lambda: [line.number for line in messages.rows] == [7])
        await pilot.press("enter", "enter")
        sequence = pilot.app.screen.query_one(SequenceView)
        await until(pilot, lambda: [step.number for step in sequence.rows] == list(range(7, count, 40)))
        await pilot.press("M", "escape", "slash", *"pv-1")
        expected = [seq for seq in range(count) if str(seq).startswith("1")]
        await until(pilot, lambda: [line.number for line in messages.rows] == expected)


def space_does(pilot: Pilot[Any]) -> list[str]:
    """Return what the footer says of the space bar."""
    return [key.title for key in pilot.app.screen.query_one(Footer).footer_keys if key.key == "space"]


async def test_a_run_is_paused_stepped_and_resumed_by_keys(opened: Opened, street: Scenario) -> None:
    """The commands go to the clock over the bus; the ledger is that of an uncontrolled run."""
    untouched = await run_scenario(street, RunSettings(seed=1, run_id="u"), MemoryBroker())
    async with monitored_run(opened, street) as (pilot, watched, run):
        running = asyncio.create_task(run(SLOW))
        await until(pilot, lambda: the_app(pilot).monitored_run.state == "running")
        await pilot.press("space")
        await until(pilot, lambda: the_app(pilot).monitored_run.state == "paused")
        await until(pilot, lambda: space_does(pilot) == ["Resume"])
        where = standing(watched)
        before = where().step
        await pilot.press("n")
        await until(pilot, lambda: where().step == before + 1 and where().state == "paused")
        before_s = where().time
        await pilot.press("t")
        await until(pilot, lambda: where().time > before_s and where().state == "paused")
        before = where().step
        await pilot.press("N")
        await until(pilot, lambda: where().step > before and where().state == "paused")
        await pilot.press("p")
        (await dialog(pilot, AskText)).query_one(Input).value = "3600x"
        await pilot.press("enter")
        await until(pilot, lambda: where().pace == "3600x" and not isinstance(pilot.app.screen, AskText))
        await pilot.press("space")
        await until(pilot, lambda: where().pace == "3600x" and where().state == "running")
        await until(pilot, lambda: space_does(pilot) == ["Pause"])
        for _ in range(3):
            await pilot.press("greater_than_sign")
        await until(pilot, lambda: where().pace == "max")
        outcome = await running
        assert outcome.ledger_sha256 == untouched.ledger_sha256


@pytest.mark.long
async def test_stopping_asks_first(opened: Opened, street: Scenario) -> None:
    """All contracts are kept."""
    async with monitored_run(opened, street) as (pilot, watched, run):
        running = asyncio.create_task(run(SLOW))
        await until(pilot, lambda: the_app(pilot).monitored_run.state == "running")
        await pilot.press("space")
        await until(pilot, lambda: the_app(pilot).monitored_run.state == "paused")
        await steps(pilot, lambda: len(watched.ledger) > 3)
        await pilot.press("x")
        await dialog(pilot, Confirm)
        await pilot.press("right", "enter")
        outcome = await running
        assert outcome.state == "interrupted"
        assert len(outcome.ledger) > 3


async def test_a_producers_day_is_drawn_with_its_figures(opened: Opened, street: Scenario) -> None:
    """It shows expected, committed and remaining energy."""
    async with monitored_run(opened, street, size=WIDE) as (pilot, _, run):
        await run()
        await pilot.press("P")
        pane = pilot.app.screen.query_one(ProducersPane)
        await until(pilot, lambda: "forecast" in str(pane.query_one(".detail", Static).content))
        assert "committed" in str(pane.query_one(".detail", Static).content)


def test_arrows_cross_lanes() -> None:
    """They lead from the sender's lane to the recipient's, in both directions."""
    lanes = ["dish", "manager", "pv"]
    assert arrow(lanes, "dish", "manager", 5) == "  ├───▶│    │  "
    assert arrow(lanes, "pv", "dish", 5) == "  │◀───┼────┤  "


def test_many_producers_share_a_lane() -> None:
    """There is no room for a lane of each."""
    job = ObservedNegotiation("j", consumer="1/tv")
    steps = [MessageSummary(number, 0, 0, "1/tv", number, f"pv-{number}", "Request", "j", "?") for number in range(9)]
    assert lanes_of(job, steps, 12) == ["1/tv", "manager", *(f"pv-{n}" for n in range(9))]
    assert lanes_of(job, steps, 5) == ["1/tv", "manager", "producers"]


def test_an_open_filter_shows_all() -> None:
    """A narrow one does not."""
    line = MessageSummary(0, 0, 0, "a%2F1/tv", 0, "manager", "Declined", "Job-7", "pv declined")
    assert Filter()(line)
    assert Filter(house="a/1", job="job-7", text="PV", kind="Declined")(line)
    assert not Filter(producer="pv")(line)
    assert not Filter(house="a")(line)


def test_agents_are_shown_by_the_names_that_users_gave() -> None:
    """On the wire, house and device are percent-encoded; the search finds both forms."""
    assert shown_agent("M%C3%BCller/dish%2Fwasher") == "Müller/dish/washer"
    assert shown_agent("pv-100%25") == "pv-100%25"
    for kind in ("Promised", "SharePromised", "ShareDeclined"):
        body = {
            "job_id": "j",
            "consumer": "M%C3%BCller/tv",
            "energy_wh": 1,
            "start_s": 0,
            "reason": "",
            "minutes_mwh": [],
        }
        assert "to Müller/tv" in summarize(kind, body, Zone())[1]
    line = MessageSummary(0, 0, 0, "M%C3%BCller/tv", 0, "manager", "Declined", "j", "pv declined")
    assert Filter(text="müller")(line)
    assert Filter(text="M%C3")(line)


def test_devices_show_their_activity(street: Scenario) -> None:
    """It is empty before the first message."""
    assert list(HostRows(ObservedRun("w", context_of_scenario(street)), street.zone)) == []


def test_a_quarantined_host_is_shown_with_the_reason(street: Scenario) -> None:
    """The roster states it, even if the host still announces itself."""
    watched = ObservedRun("w", context_of_scenario(street))
    there = Announcement(host="brandt", session="s", agents=("pv-brandt",), state="there")
    watched.take(topics.host("w", "brandt"), there.encoded())
    watched.take(topics.roster("w"), Roster(hosts={}, quarantined={"brandt": "it lied"}).encoded())
    row = next(row for row in HostRows(watched, street.zone) if row.id == "host brandt")
    assert row.state == ("✗ quarantined", "bad")
    assert row.detail == "it lied"


async def test_keys_of_panes_leave_the_focus_where_there_is_no_run(opened: Opened) -> None:
    """They gave it to a hidden table: Enter no longer pressed a button, and the footer offered to find messages."""
    async with opened(first_area="negotiations") as pilot:
        screen = pilot.app.screen
        await until(pilot, lambda: isinstance(screen.focused, Button))
        before = screen.focused
        await pilot.press("M", "J", "right_square_bracket")
        assert screen.focused is before


def test_devices_on_a_host_of_many_households_are_shown_with_theirs(street: Scenario) -> None:
    """By default one host has all agents: the list had dozens of lines "oven", each of another house."""
    watched = ObservedRun("w", context_of_scenario(street))
    agents = ("brandt/oven", "ebert/oven", "pv-ebert")
    for host, on_it in (("host-1", agents), ("brandt", ("brandt/oven", "brandt/wash%2Fdry"))):
        there = Announcement(host=host, session="s", agents=on_it, state="there")
        watched.take(topics.host("w", host), there.encoded())
    names = [str(row.name[0] if isinstance(row.name, tuple) else row.name) for row in HostRows(watched, street.zone)]
    assert names[1:3] == ["  oven", "  wash/dry"]
    assert names[4:] == ["  brandt/oven", "  ebert/oven", "  pv-ebert"]
