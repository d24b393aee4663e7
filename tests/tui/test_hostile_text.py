"""Hostile text from the network and from files, in every kind of viewer: a terminal emulator receives text only."""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import os
import pty
import re
import select
import shutil
import sqlite3
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import structlog
from rich.table import Table
from rich.text import Text
from textual.pilot import Pilot
from textual.widgets import Select
from typer.testing import CliRunner, Result

from broker.errors import AgentFailedError
from broker.plain_text import printable
from broker.protocol import topics
from broker.protocol.envelope import Envelope, Envelopes
from broker.protocol.wire import Announcement, Member, Roster, TimeReport
from broker.servers.mosquitto import find_mosquitto, managed_mosquitto
from broker.transport import MqttBroker
from scenarios.load import load_scenario
from scenarios.monitor.run_state import ObservedRun
from scenarios.results.reader import ResultsReader
from scenarios.results.report.page import write_report
from scenarios.results.schema import DISPUTES_TABLE
from scenarios.simulation.plan import Plan
from scenarios.simulation.simulation import open_simulation
from tests.patience import PATIENCE_WALL_S
from tests.tui.driving import until
from tests.tui.emulator import HOSTILE, SHOWN, emulated
from tests.tui.results.driving import listed, opened_first, the_screen
from tests.tui.terminal import environment
from tui.cli.app import app
from tui.cli.output import output
from tui.exit_codes import print_error
from tui.logs import configure_logs
from tui.widgets.table import VirtualTable

Opened = Any
SIZE = (140, 45)
RUN = "hostile"
NAME = "X[@click=app.quit]q[/]"
"""As hostile as the id of a host or an agent can be: payloads with other characters in ids are refused."""


class Feed:
    """A feed of what a household said."""

    title, status, problem = HOSTILE, "connected", ""

    def __init__(self, watched: ObservedRun) -> None:
        self.watched = watched

    async def run(self) -> None:
        """Nothing more comes."""

    async def control(self, control: object) -> None:
        """Discard commands."""


def message(seq: int, **body: Any) -> tuple[str, bytes]:
    """Return a message of the household to a neighbour's agent."""
    envelope = Envelope(
        session="s", step=1, time=1_782_012_600, round=0, sender=f"{NAME}/d", seq=seq, to=NAME, body=body
    )
    return topics.inbox(RUN, "adler", "brandt"), Envelopes([envelope]).encoded()


def hostile_run() -> ObservedRun:
    """Return a run whose every text is hostile."""
    watched = ObservedRun(RUN)
    for topic, payload in deliveries():
        watched.take(topic, payload)
    assert watched.refused == 0
    return watched


def deliveries() -> tuple[tuple[str, bytes], ...]:
    """Return what a household may publish, hostile text wherever text is allowed."""
    agents = (f"{NAME}/d", f"pv{NAME}")
    job = {
        "job_id": f"j3{HOSTILE}",
        "house": HOSTILE,
        "device": HOSTILE,
        "earliest_start_s": 1_782_012_600,
        "latest_start_s": 1_782_012_900,
        "load_profile": {"times_s": [0, 60], "cumulative_wh": [0, 1]},
    }
    contract = {
        "contract_id": f"j3{HOSTILE}/1",
        "job_id": f"j3{HOSTILE}",
        "producer": f"pv{HOSTILE}",
        "start_s": 1_782_012_600,
        "agreed_s": 1_782_012_600,
        "energy_wh": 1.0,
    }
    history = [{"at_s": 1_782_012_600, "what": "agreed", "start_s": 1_782_012_600, "reason": HOSTILE}]
    entry = {"contract": contract, "state": "standing", "history": history}
    report = TimeReport(time=1_782_012_600, round=0, step=1, pace=HOSTILE, lag_wall_s=0.0, state="running")
    return (
        (topics.time(RUN), report.encoded()),
        (topics.host(RUN, "brandt"), Announcement(host=NAME, session="s", agents=agents, state="there").encoded()),
        message(0, kind="Decline", job_id=f"j0{HOSTILE}", reason=HOSTILE),
        message(1, kind="Declined", job_id=f"j1{HOSTILE}", producer=f"pv{HOSTILE}"),
        message(2, kind="Cancel", job_id=f"j2{HOSTILE}", reason=HOSTILE),
        message(3, kind="Request", patient=True, job=job),
        message(4, kind="Producers", job_id=f"j3{HOSTILE}", producers=[f"pv{HOSTILE}"]),
        (topics.ledger(RUN, "c"), json.dumps(entry).encode()),
        (
            topics.roster(RUN),
            Roster(
                hosts={"brandt": Member(session="s", agents=agents), NAME: Member(session="s", agents=())}
            ).encoded(),
        ),
    )


def impossible() -> tuple[tuple[str, bytes], ...]:
    """Return what once ended every watcher at its start."""
    huge = 10**400
    digits = {"v": 6, "host": "digits", "session": "x", "agents": ["9" * 5000 + "/x", "pv-brandt"], "state": "there"}
    escapes = {"v": 6, "host": HOSTILE, "session": HOSTILE, "agents": [f"{HOSTILE}/x"], "state": "there"}
    forecast = {"issued_s": huge, "production": {"times_s": [1_782_012_600, huge], "cumulative_wh": [0, 1e308]}}
    contract = json.loads(deliveries()[-2][1])
    contract["contract"] |= {"start_s": 2**70, "agreed_s": -(2**70)}
    return (
        (topics.host(RUN, "digits"), json.dumps(digits).encode()),
        (topics.host(RUN, "escapes"), json.dumps(escapes).encode()),
        (topics.forecast(RUN, "brandt", "x"), json.dumps(forecast).encode()),
        (topics.ledger(RUN, "d"), json.dumps(contract).encode()),
        (topics.forecast(RUN, "brandt", "y"), b"[" * 10_000),
    )


def watched_in_terminal(url: str, folder: Path, login: Mapping[str, str] | None = None) -> str:
    """Run `ssmic watch` in a separate terminal until it shows the run; return its output.

    Args:
        url: Of the broker.
        folder: For its settings.
        login: Variables of the environment that let it in.
    """
    command = [sys.executable, "-m", "tui", "watch", "--broker", url, "--run", RUN]
    near, far = pty.openpty()
    fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", SIZE[1], SIZE[0], 0, 0))
    variables = environment() | {"TERM": "xterm-256color", "HOME": str(folder)} | dict(login or {})
    process = subprocess.Popen(command, stdin=far, stdout=far, stderr=far, env=variables)
    os.close(far)
    written = b""
    try:
        until_wall_s = time.monotonic() + PATIENCE_WALL_S
        while b"]0;OWNED" not in written.split(b"what it says")[-1]:
            assert time.monotonic() < until_wall_s, written[-2000:]
            if select.select([near], [], [], 0.1)[0]:
                written += os.read(near, 65536)
    finally:
        process.terminate()
        process.wait()
        os.close(near)
    return re.sub(r"\x1b[^A-Za-z]*$", "", written.decode(errors="ignore"))  # the last read may have cut a sequence


def picture(pilot: Pilot[Any]) -> str:
    """Return what the emulator shows of what the application would write to its terminal."""
    screen = pilot.app.screen
    update: Any = screen._compositor.render_update(full=True)
    return emulated(update.render_segments(pilot.app.console), SIZE, moves=True)


@pytest.mark.long
@pytest.mark.parametrize(
    "pane",
    ["messages", *(pytest.param(pane, marks=pytest.mark.long) for pane in ("jobs", "producers", "ledger", "hosts"))],
)
async def test_the_live_view_shows_text_only(opened: Opened, pane: str) -> None:
    """This covers each pane, including Hosts, its details, its filters and the status line."""
    async with opened(first_area="negotiations", size=SIZE) as pilot:
        app: Any = pilot.app
        app.monitored_run.begin(Feed(hostile_run()))
        await until(pilot, lambda: isinstance(app.screen.focused, VirtualTable))
        await pilot.press(pane[0].upper())
        await until(pilot, lambda: app.screen.query_one(f"#{pane}", VirtualTable).rows)
        await pilot.press("down", "up")
        await until(pilot, lambda: (NAME if pane == "hosts" else r"\x1b]0") in picture(pilot))
        if pane == "messages":
            for select in app.screen.query(Select):
                select.focus()
                await pilot.press("enter")
                await pilot.pause()
                picture(pilot)
                await pilot.press("escape")


async def test_notices_and_dialogs_show_text_only(opened: Opened) -> None:
    """They are about a run whose hosts have hostile names; markup in them does not become a link."""
    async with opened(first_area="negotiations", size=SIZE) as pilot:
        app: Any = pilot.app
        app.notify(f"waiting for {HOSTILE}", title=HOSTILE, markup=False)
        await until(pilot, lambda: SHOWN in picture(pilot))
        assert "[@click=app.quit]q[/]" in picture(pilot)


@pytest.fixture(scope="module")
def crafted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results file in which the texts that a household chose are hostile."""
    plan = Plan(
        scenario=load_scenario("street"),
        seeds=(1,),
        bus="memory",
        out=tmp_path_factory.mktemp("crafted") / "r.sqlite",
        workers=1,
    )

    async def run() -> Path:
        async with open_simulation(plan) as simulation:
            await simulation.run()
            return simulation.results_file

    file = asyncio.run(run())
    with closing(sqlite3.connect(file)) as connection, connection:
        for (table,) in connection.execute("select name from sqlite_master where type = 'table'").fetchall():
            for _, column, *_ in connection.execute(f"pragma table_info({table})").fetchall():
                hostile = json.dumps(HOSTILE)[1:-1] if "json" in column else HOSTILE
                connection.execute(
                    f"update {table} set {column} = replace({column}, 'brandt', ?) where typeof({column}) = 'text'",  # noqa: S608 - names of ours
                    (f"brandt{hostile}",),
                )
        connection.execute("update runs set error = ?, state = 'failed'", (HOSTILE,))
        connection.execute("insert into dropped_hosts values (1, ?, ?, 1)", (HOSTILE, HOSTILE))
        connection.execute(DISPUTES_TABLE)
        connection.execute("insert into disputes values (1, 1, ?)", (HOSTILE,))
        connection.execute("update simulation set scenario = ?", (HOSTILE,))
    return file


def ssmic(*arguments: str | Path) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="ssmic")


@pytest.mark.long
@pytest.mark.parametrize(
    "command", ["show", *(pytest.param(more, marks=pytest.mark.long) for more in ("show --run 1", "list", "compare"))]
)
def test_tables_of_results_show_text_only(
    crafted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """`results show`, `list`, `compare`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    copies = [tmp_path / "results" / f"{name}.sqlite" for name in "ab"]
    for copy in copies:
        shutil.copy(crafted, copy)
    word, *options = command.split()
    files = {"show": copies[:1], "list": [], "compare": copies}[word]
    if word == "compare":
        for copy in copies:
            with closing(sqlite3.connect(copy)) as connection, connection:
                connection.execute("update runs set state = 'done'")
    ended = ssmic("results", word, *files, *options)
    shown = emulated(ended.stdout, (400, 400)) + emulated(ended.stderr, (400, 400))
    assert word == "compare" or r"\x1b]0;" in shown
    if word == "show":
        plain = ssmic("results", word, *files, *options, "--json").stdout
        assert json.loads(plain)["scenario"] == HOSTILE
        emulated(plain, (400, 4000))


@pytest.mark.long
async def test_the_results_area_shows_text_only(opened: Opened, crafted: Path, tmp_path: Path) -> None:
    """This covers the list and each tab of a simulation, with quarantined hosts and disputes."""
    (tmp_path / "results").mkdir()
    shutil.copy(crafted, tmp_path / "results" / "a.sqlite")
    async with opened(first_area="results", size=SIZE) as pilot:
        await listed(pilot, 1)
        picture(pilot)
        await opened_first(pilot)
        await until(pilot, lambda: "quarantined:" in picture(pilot))
        for tab in ("house", "runs", "bills", "log", "scores"):
            the_screen(pilot).simulation.show_tab(tab)

            def is_shown(wanted: str = tab) -> bool:
                return the_screen(pilot).simulation.tab == wanted

            await until(pilot, is_shown)
            picture(pilot)


def test_the_report_contains_text_only(crafted: Path, tmp_path: Path) -> None:
    """The page is harmless; a browser would obey U+202E as a terminal does."""
    page = tmp_path / "report.html"
    with ResultsReader(crafted) as results:
        write_report(results, page)
    content = page.read_text(encoding="utf-8")
    emulated(re.sub(r"(?s)<script.*?</script>|<style.*?</style>", "", content), (400, 4000))
    (data,) = re.findall(r'(?s)<script type="application/json"[^>]*>(.*?)</script>', content)
    texts = json.dumps(json.loads(data), ensure_ascii=False)
    assert printable(texts) == texts
    assert "\\x1b" not in texts.replace("\\\\", "")


@pytest.fixture
def configured() -> Iterator[None]:
    """Logging is afterwards as it was."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    for handler in root.handlers[:]:
        if handler not in before[0]:
            root.removeHandler(handler)
            handler.close()
    root.setLevel(before[1])
    structlog.reset_defaults()


@pytest.mark.parametrize("level", ["info", "debug"])
@pytest.mark.usefixtures("configured")
def test_logs_show_text_only(level: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Events, fields, names of loggers, tracebacks; no line break forges a record."""
    configure_logs(level, tmp_path / "log.jsonl")
    log = structlog.get_logger("broker.test")
    log.warning(HOSTILE, who=HOSTILE, whom=[HOSTILE], **{HOSTILE: 1})
    log.warning("a\nssmic: all is well", topic="a\nb")
    logging.getLogger("broker.other").warning("said %s", HOSTILE)
    error = ValueError(HOSTILE)
    log.error("failed", error=error, stack=HOSTILE, exc_info=(ValueError, error, None))
    written = capsys.readouterr().err
    shown = emulated(written, (400, 200))
    assert SHOWN in shown
    assert not any(line.startswith("ssmic") for line in written.splitlines())


def test_errors_that_other_hosts_report_show_text_only(capsys: pytest.CaptureFixture[str]) -> None:
    """The traceback of an agent on another host, several lines of it."""
    print_error(AgentFailedError("pv", "brandt", f"Traceback:\n  {HOSTILE}\nValueError: {HOSTILE}"))
    shown = emulated(capsys.readouterr().err, (400, 50))
    assert shown.count(SHOWN) == 2
    assert "ValueError" in shown


def test_rich_draws_text_only(capsys: pytest.CaptureFixture[str]) -> None:
    """The origin of a text for a console does not matter."""
    table = Table(title=HOSTILE)
    table.add_column(HOSTILE)
    table.add_row(Text(HOSTILE))
    for thing in (HOSTILE, Text(HOSTILE), table):
        output().print(thing, width=300)
    assert emulated(capsys.readouterr().out, (400, 50)).count(SHOWN) >= 4


@pytest.mark.long
@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
async def test_watch_shows_text_only_for_any_retained_message(tmp_path: Path) -> None:
    """A real `ssmic watch` on a real broker: attacks 60 to 62, and each again after a restart."""
    async with managed_mosquitto() as running, MqttBroker(running.url).connect("evil") as bus:
        for topic, payload in (*deliveries(), *impossible()):
            await bus.publish(topic, payload, qos=1, retain=True)
        await bus.flush()
        for _ in range(2):
            written = await asyncio.to_thread(watched_in_terminal, str(running.url), tmp_path)
            assert SHOWN in emulated(written, SIZE, moves=True)
