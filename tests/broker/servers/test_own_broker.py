"""A broker that a run starts for itself lets in who has its login: this user's own processes (attacks 72 to 74)."""

from __future__ import annotations

import asyncio
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from broker.errors import BrokerUnreachableError
from broker.servers.choose import choose_broker
from broker.servers.mosquitto import find_mosquitto
from broker.servers.own_broker import kept_login, logins_folder, own_brokers, with_own_login
from broker.transport import MqttBroker
from broker.transport.endpoint import Access, BrokerUrl, Tls

both_kinds = pytest.mark.parametrize(
    "kind",
    [
        pytest.param(
            "mosquitto", marks=pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
        ),
        "embedded",
    ],
)


@pytest.fixture(autouse=True)
def _state_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test its own state folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@both_kinds
async def test_a_client_without_the_login_is_refused(kind: str) -> None:
    """It is refused without a login, and with the password of another run; with the login it connects."""
    async with choose_broker(kind) as other, choose_broker(kind) as chosen:
        url = chosen.url
        assert url.password
        assert len(url.password) > 40
        assert url.password not in f"{url} {url!r} {chosen.description} {chosen!r}"
        for wrong in (
            replace(url, user=None, password=None),
            replace(url, password="guess"),  # noqa: S106 - a wrong one
            replace(url, password=other.url.password),
            replace(url, password=None),
        ):
            with pytest.raises(BrokerUnreachableError, match="refused the login"):
                async with MqttBroker(wrong, lost_after_wall_s=5).connect("stranger"):
                    pass
        async with chosen.broker.connect("host") as bus:
            await bus.subscribe("a")
            await bus.publish("a", b"1")
            async with asyncio.timeout(30):
                assert await anext(bus.messages()) is not None


@both_kinds
async def test_the_same_user_finds_the_login_in_a_file_of_theirs(kind: str) -> None:
    """A second terminal needs the URL only, or not even that; nothing is left when the broker has gone."""
    async with choose_broker(kind) as chosen:
        (file,) = logins_folder().iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        bare = BrokerUrl("localhost", chosen.url.port)
        assert with_own_login(Access(bare, Tls())).url == replace(chosen.url, host="localhost")
        assert own_brokers() == [chosen.url]
        async with MqttBroker(own_brokers()[0]).connect("watch"):
            pass
    assert not list(logins_folder().iterdir())
    assert own_brokers() == []


def test_a_login_given_by_the_user_is_kept() -> None:
    """So are URLs of remote brokers, TLS brokers and unknown brokers."""
    with kept_login(BrokerUrl("127.0.0.1", 1883, "ssmic", "p")):
        for url in (
            BrokerUrl("127.0.0.1", 1883, "ann", "x"),
            BrokerUrl("broker.example", 1883),
            BrokerUrl("127.0.0.1", 1883, tls=True),
            BrokerUrl("127.0.0.1", 1884),
        ):
            assert with_own_login(Access(url, Tls())).url == url


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"user": 1, "password": "p", "pid": 1}',
        pytest.param("x" * 5000, id="long"),
        pytest.param("[" * 5000, id="deep"),
    ],
)
def test_foreign_files_are_ignored(content: str) -> None:
    """So are files that others can write, and files of processes that have ended."""
    logins_folder().mkdir(parents=True)
    file = logins_folder() / "1883.json"
    file.write_text(content)
    file.chmod(0o600)
    assert own_brokers() == []
    file.write_text(f'{{"user": "u", "password": "p", "pid": {os.getpid()}}}')
    assert len(own_brokers()) == 1
    file.chmod(0o644)
    assert own_brokers() == []
    file.chmod(0o600)
    file.write_text('{"user": "u", "password": "p", "pid": 4194305}')
    assert own_brokers() == []
    assert not file.exists()


@both_kinds
async def test_a_folder_that_cannot_be_written_stops_no_run(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second terminal just does not find the login."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    async with choose_broker(kind) as chosen, chosen.broker.connect("host"):
        assert own_brokers() == []
