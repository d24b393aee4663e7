"""`ssmic broker init`, and the options with the login of a command at its broker."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ended import Ssmic


def test_every_house_of_a_scenario_gets_a_login(ssmic: Ssmic, tmp_path: Path) -> None:
    """The output lists the files and points to the documentation; no password is shown."""
    ended = ssmic(
        "broker",
        "init",
        "guard",
        "street",
        "--house",
        "gerber",
        "--device",
        "kettle@gerber",
        "--name",
        "broker.example",
    )
    assert ended.code == 0, ended.err
    logins = {folder.name for folder in (tmp_path / "guard" / "logins").iterdir()}
    houses = {"adler", "brandt", "celik", "dahl", "ebert", "fuchs", "gerber"}
    assert logins == {"clock", "watcher", "operator", "device.kettle"} | houses
    assert "mqtts://broker.example:8883" in ended.out
    assert "guard/README.md" in ended.out
    passwords = [file.read_text().strip() for file in (tmp_path / "guard" / "logins").glob("*/password")]
    assert len(set(passwords)) == 11
    assert not [password for password in passwords if password in ended.out + ended.err]
    again = ssmic("broker", "init", "guard", "--house", "haas")
    assert "New logins: haas\n" in again.out


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["guard", "--house", "clock"], 1, "'clock'"),
        (["guard", "--owner", "me"], 2, "UID"),
        (["guard", "no-such-scenario"], 3, "no-such-scenario"),
        (["guard", "--name", "a b"], 1, "neither a host name"),
        (["guard", "--house", "adler", "--device", "kettle@brandt"], 1, "there is no household 'brandt'"),
        (["guard", "--house", "adler", "--device", "@adler"], 2, "'@adler' is not ID or ID@HOUSE"),
    ],
)
def test_impossible_requests_are_reported(ssmic: Ssmic, arguments: list[str], code: int, complaint: str) -> None:
    """The exit code tells wrong usage from an invalid scenario."""
    ended = ssmic("broker", "init", *arguments)
    assert ended.code == code
    assert complaint in ended.err


def test_a_login_needs_a_broker(ssmic: Ssmic) -> None:
    """A broker started for the run accepts none."""
    ended = ssmic("run", "street", "--user", "adler", "--ca-file", "ca.crt")
    assert ended.code == 2
    assert "--broker URL" in ended.err


def test_a_password_on_the_command_line_is_warned_of(ssmic: Ssmic, monkeypatch: pytest.MonkeyPatch) -> None:
    """The warning does not repeat it; one in the environment is accepted."""
    url = "mqtt://adler:hunter2@127.0.0.1:1"
    ended = ssmic("run", "street", "--broker", url, "--limit", "0.5")
    assert ended.code == 4
    assert "is visible to all users" in ended.err
    assert "hunter2" not in ended.out + ended.err
    monkeypatch.setenv("SSMIC_BROKER", url)
    ended = ssmic("run", "street", "--limit", "0.5")
    assert ended.code == 4
    assert "can be read" not in ended.err
    assert "hunter2" not in ended.out + ended.err


def test_logins_are_printed_as_they_must_be_typed(ssmic: Ssmic) -> None:
    """The household's id is added if it differs."""
    ended = ssmic("broker", "init", "guard", "--house", "Haus 1", "--house", "adler", "--house", "M\u00fc#er")
    assert ended.code == 0, ended.err
    listed = next(line for line in ended.out.splitlines() if line.startswith("Logins"))
    assert "adler, " in listed
    assert "Haus%201 (household 'Haus 1')" in listed
    assert "M%C3%BC%23er (household 'M\u00fc#er')" in listed


@pytest.mark.parametrize(
    "arguments",
    [
        ["broker", "init", "guard", "--house", "a\nb"],
        ["clock", "street", "--broker", "mqtt://127.0.0.1:1", "--run", "a\nb"],
        ["clock", "street", "--broker", "mqtt://127.0.0.1:1", "--run", ""],
        ["host", "street", "--house", "adler", "--broker", "mqtt://127.0.0.1:1", "--run", "a\x7f"],
        ["host", "street", "--house", "a\u200b", "--broker", "mqtt://127.0.0.1:1"],
        ["watch", "--broker", "mqtt://127.0.0.1:1", "--run", " a"],
        ["compose", "street", "--house", "a\t"],
    ],
)
def test_ids_on_the_command_line_follow_the_rule_for_ids(ssmic: Ssmic, arguments: list[str]) -> None:
    """Ids that no broker accepts are wrong usage, reported immediately."""
    ended = ssmic(*arguments)
    assert ended.code == 2, ended.err
    assert "an id" in ended.err.replace("\n", " ")


def test_a_new_certificate_of_the_broker_asks_for_a_restart(ssmic: Ssmic) -> None:
    """The broker went on with the expired one, and nothing said why."""
    restart = "New certificate of the broker: restart the broker"
    assert restart not in ssmic("broker", "init", "guard", "street").out
    assert restart not in ssmic("broker", "init", "guard").out
    assert restart in ssmic("broker", "init", "guard", "--name", "broker.example").out
    assert restart not in ssmic("broker", "init", "guard").out
