"""Attacks on who looks on: hostile text by a household's login, over the guarded broker, on terminals and in logs."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest
import structlog

from broker.errors import AgentFailedError
from broker.protocol import topics
from broker.protocol.envelope import Envelope, Envelopes
from broker.security.provision import login_folder
from broker.servers.own_broker import free_port
from scenarios.scenario import Scenario
from tests.deployment.guarded import GuardedBroker
from tests.patience import PATIENCE_WALL_S
from tests.redteam.attacked import attack_guarded
from tests.redteam.attacks import MEMBER, agreed, once
from tests.redteam.member import Member, Turn, plain_mqtt
from tests.tui.emulator import HOSTILE, SHOWN, emulated
from tests.tui.test_hostile_text import RUN, SIZE, deliveries, impossible, watched_in_terminal
from tui.exit_codes import print_error
from tui.logs import configure_logs

pytestmark = pytest.mark.long
ROWS = (400, 2_000)


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[pytest.CaptureFixture[str]]:
    """Logs go to the terminal, and are afterwards as they were."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    configure_logs("debug", tmp_path / "log.jsonl")
    yield capsys
    for handler in root.handlers[:]:
        if handler not in before[0]:
            root.removeHandler(handler)
            handler.close()
    root.setLevel(before[1])
    structlog.reset_defaults()


async def test_17_a_traceback_is_text_on_the_clocks_terminal(
    street: Scenario, guarded: GuardedBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    """The failure is reported by the member, and ends the run, as lost hosts are not dropped."""
    failure = {"agent": "pv-brandt", "traceback": f"Traceback:\n  {HOSTILE}\nValueError: {HOSTILE}"}
    member = Member(street, MEMBER, "traceback", once(lambda turn: turn.done.update(failure=failure)))
    attacked = await attack_guarded(street, member, guarded)
    assert isinstance(attacked.error, AgentFailedError)
    print_error(attacked.error)
    assert SHOWN in emulated(capsys.readouterr().err, ROWS)


def _says_escapes_everywhere(turn: Turn) -> None:
    turn.say("manager", agreed(HOSTILE, HOSTILE, HOSTILE, 1782018000))
    turn.say("manager", {"kind": "Withdraw", "job_id": HOSTILE, HOSTILE: HOSTILE})
    turn.say("manager", {"kind": "Withdraw", "job_id": "x"}, sender=HOSTILE)
    turn.say(HOSTILE, {"kind": HOSTILE}, is_counted=False)


async def test_18_logs_of_what_a_member_says_are_text(
    street: Scenario, guarded: GuardedBroker, terminal: pytest.CaptureFixture[str]
) -> None:
    """Ids, keys, kinds and names of agents; the run is done, and no line was forged."""
    member = Member(street, MEMBER, "escapes", once(_says_escapes_everywhere))
    outcome = (await attack_guarded(street, member, guarded, on_loss="drop")).done
    assert {dropped.host for dropped in outcome.without} <= {MEMBER}
    assert r"\x1b]0;OWNED" in emulated(terminal.readouterr().err, ROWS)


def _huge() -> tuple[tuple[str, bytes], ...]:
    """Attack 63: long ids, and numbers and times of hundreds of digits."""
    kind = {"kind": "Decline", "reason": "r" * 100_000}
    said = [kind | {"job_id": "J" * 400_000}] * 3 + [kind | {"job_id": "[bold red]j[/]"}]
    of: dict[str, Any] = {"session": "s", "step": 1, "time": 1_782_012_600, "round": 0}
    envelopes = [Envelope(**of, sender="brandt/d", seq=9, to="adler/car", body=body) for body in said]
    payloads = [Envelopes([envelope]).encoded() for envelope in envelopes]
    last = payloads[-1]
    payloads += [last.replace(b"1782012600", digits) for digits in (b"9" * 400, b"1" + b"0" * 18)]
    payloads += [last.replace(b'"seq":9', b'"seq":' + b"9" * 400)]
    return tuple((topics.inbox(RUN, "adler", "brandt"), payload) for payload in payloads)


async def test_60_to_63_a_watcher_shows_text_and_survives(guarded: GuardedBroker, tmp_path: Path) -> None:
    """The household publishes retained messages with its own login; `ssmic watch` is started twice."""
    own = login_folder(guarded.folder, "watcher")
    login = {
        "SSMIC_CA_FILE": str(own / "ca.crt"),
        "SSMIC_USER": "watcher",
        "SSMIC_PASSWORD_FILE": str(own / "password"),
    }
    of_household = (topics.host(RUN, "brandt"), topics.inbox(RUN, "adler", "brandt"))
    async with plain_mqtt(guarded, "brandt") as member, plain_mqtt(guarded, "clock") as clock:
        for topic, payload in (*deliveries(), *impossible()):
            is_own = topic in of_household or topic.startswith(topics.forecast(RUN, "brandt", "x")[:-1])
            await (member if is_own else clock).publish(topic, payload, qos=1, retain=True)
        for topic, payload in _huge():
            await member.publish(topic, payload, qos=1)
        for _ in range(2):
            written = await asyncio.to_thread(watched_in_terminal, f"mqtts://localhost:{guarded.port}", tmp_path, login)
            assert SHOWN in emulated(written, SIZE, moves=True)
            for topic, payload in _huge():
                await member.publish(topic, payload, qos=1)


@pytest.mark.skipif(find_spec("textual_serve") is None, reason="the extra 'serve' is not installed")
@pytest.mark.parametrize("host", ["localhost", "0.0.0.0"])  # noqa: S104 - that is the attack
async def test_71_the_browser_version_is_on_this_machine_only_or_warns(tmp_path: Path, host: str) -> None:
    """It has no login: by default it listens on the loopback interface; otherwise it explains the risk."""
    port = free_port()
    command = [sys.executable, "-m", "tui", "tui", "--serve", "--host", host, "--port", str(port)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    said = tmp_path / "said"
    with said.open("wb") as to:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=to, stderr=to)  # noqa: ASYNC220 - ours
    try:
        listening: set[str] = set()
        async with asyncio.timeout(PATIENCE_WALL_S):
            while not listening:
                assert process.poll() is None, said.read_text()
                found = psutil.Process(process.pid).net_connections()
                listening = {of.laddr.ip for of in found if of.status == psutil.CONN_LISTEN and of.laddr.port == port}
                await asyncio.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    if host == "localhost":
        assert listening <= {"127.0.0.1", "::1"}
    assert ("anyone who can reach" in said.read_text()) == (host != "localhost")
