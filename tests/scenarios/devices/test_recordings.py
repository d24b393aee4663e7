"""Recordings of sessions that were edited by hand: one clear error, with the line."""

from __future__ import annotations

import json
import sqlite3
import stat
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agents import (
    DEVICE_RULES,
    Availability,
    DeviceSaid,
    Forecasted,
    JobAsked,
    LoadProfile,
    Production,
    Rejected,
    Reported,
)
from agents.scheduling import AlgorithmSettings
from scenarios.devices import RecordedDeviceMessage
from scenarios.files.scenario_from_text import load_text
from scenarios.results import ResultsReader
from scenarios.simulation.replay import Recording, RecordingError, read_recording
from tests.scenarios.devices.session import STREET
from tui.cli.app import app

START_S = 1782021600


def recorded(*messages: RecordedDeviceMessage) -> Recording:
    """Return a recording of the street."""
    return Recording(
        scenario=load_text(STREET, "test", None),
        seed=1,
        algorithm=AlgorithmSettings(),
        patient=True,
        days=None,
        scores={},
        stop_after_s=None,
        ledger_sha256=None,
        device_messages=messages,
    )


@pytest.mark.parametrize(
    ("time_s", "agent", "problem"),
    [
        (
            START_S,
            "adler/washer",
            rf"line 2: time_s {START_S}: devices send messages only after the run's start, {START_S}",
        ),
        (
            START_S + 1,
            "adler/dryer",
            r"line 2: agent 'adler/dryer' is not a real device; expected one of: .*adler/washer",
        ),
    ],
)
def test_a_device_that_cannot_have_said_something_is_named_with_its_line(
    time_s: int, agent: str, problem: str, tmp_path: Path
) -> None:
    """Otherwise the replay would wait for its host forever."""
    saying = RecordedDeviceMessage(time_s, agent, DeviceSaid(device="washer", said=Availability(online=True)))
    recorded(saying).save(tmp_path / "session.jsonl")
    with pytest.raises(RecordingError, match=problem):
        read_recording(tmp_path / "session.jsonl")


@pytest.mark.parametrize(
    ("changed", "line", "problem"),
    [
        ({"days": "x"}, "", "line 1: .*days"),
        ({"scores": [1]}, "", "line 1: .*scores"),
        ({"stop_after_s": 1e300}, "", "line 1: .*stop_after_s"),
        ({"seed": None}, "", "line 1: .*seed"),
        ({}, "[]", "line 2: expected an object with time_s"),
        ({}, '{"time_s": 1e999, "agent": "a", "device": "d", "said": {}}', "line 2: "),
        ({}, "[" * 200_000, "line 2: expected an object with time_s"),
        ({}, '{"agent": "a\\ud800"}', "line 2: contains half a surrogate pair; expected Unicode"),
        ({"scores": {"\ud800": 1}}, "", "line 1: contains half a surrogate pair"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_recording_that_was_changed_is_refused_with_the_line(
    changed: dict[str, Any], line: str, problem: str, tmp_path: Path
) -> None:
    """Whatever it contains, the result is one clear error, not an internal one."""
    head = json.loads(next(recorded().lines()))
    path = tmp_path / "session.jsonl"
    path.write_text(json.dumps(head | changed) + "\n" + line)
    with pytest.raises(RecordingError, match=rf"session\.jsonl: {problem}"):
        read_recording(path)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"what": "job_asked", "ready_by_s": -(10**18)}, "ready_by_s, -1000000000000000000: expected 0 to"),
        ({"what": "job_asked", "earliest_start_s": 2**63}, "earliest_start_s, 9223372036854775808: expected 0 to"),
        ({"what": "job_asked", "load": {"times_s": [0, 10**12], "cumulative_wh": [0, 1]}}, "the end of the load"),
        ({"what": "job_asked", "id": "a\u2028"}, "contains a line break"),
        (
            {
                "what": "forecasted",
                "production": {"times_s": [START_S, START_S + 60], "cumulative_wh": [-1e308, 0]},
            },
            r"an energy of 1e\+308 Wh: expected at most 1e\+12 Wh",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
@pytest.mark.parametrize("kind", ["recording", "results"])
def test_what_no_device_can_have_said_is_refused_before_it_is_repeated(
    said: dict[str, Any], problem: str, kind: str, tmp_path: Path
) -> None:
    """It ended the replay with the traceback of an agent."""
    asked = JobAsked(id="wash-1", profile="eco40", ready_by_s=START_S + 9_000)
    session = recorded(RecordedDeviceMessage(START_S + 1, "adler/washer", DeviceSaid(device="washer", said=asked)))
    path = tmp_path / "session.jsonl"
    if kind == "results":
        results = tmp_path / "session.sqlite"
        assert replayed(replace(session, days=1), path, results)[1]["inputs"] == 1
        with closing(sqlite3.connect(results)) as connection, connection:
            body = json.dumps({"kind": "DeviceSaid", "device": "washer", "said": said})
            connection.execute("UPDATE messages SET body_json = ? WHERE kind = 'DeviceSaid'", (body,))
        path = results
    else:
        line = json.dumps({"time_s": START_S + 1, "agent": "adler/washer", "device": "washer", "said": said})
        path.write_text(next(recorded().lines()) + line)
    where = {"results": "is damaged: message 1 of its devices", "recording": "line 2"}[kind]
    with pytest.raises(RecordingError, match=rf"{path.name}: {where}: .*{problem}"):
        read_recording(path)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"start_s": -(10**18)}, "start_s .*is expected"),
        ({"producers": {}}, "producer .* has no series"),
        ({"houses": []}, "has series, but is no device"),
        ({"days": 10**9}, "days 1,000,000,000: 1 to 3,660 is expected"),
    ],
)
def test_a_scenario_that_contradicts_itself_is_not_repeated(
    changed: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    """A bit flip in an id ended the replay with an internal error."""
    head = json.loads(next(recorded().lines()))
    path = tmp_path / "session.jsonl"
    path.write_text(json.dumps(head | {"scenario": head["scenario"] | changed}))
    with pytest.raises(RecordingError, match=rf"session\.jsonl: line 1: the scenario: .*{problem}"):
        read_recording(path)


def test_an_adapter_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """So are those that do."""
    text = next(recorded().lines())
    path = tmp_path / "session.jsonl"
    path.write_text(text.replace('"adapter":"ssmic"', '"adapter":"ssmik"', 1))
    with pytest.raises(RecordingError, match=r"line 1: the scenario: adapter 'ssmik' of .*; one of ssmic, tasmota"):
        read_recording(path)


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x85", "\x0b", "\x1c"])
def test_what_a_device_said_is_recorded_and_read_whatever_its_characters(character: str, tmp_path: Path) -> None:
    """Some readers of text divide lines there; one odd message would make the record of a session useless."""
    odd = Rejected(topic="report", problem="not JSON", expected="JSON", payload=f"a{character}b")
    session = recorded(RecordedDeviceMessage(START_S + 1, "adler/washer", DeviceSaid(device="washer", said=odd)))
    session.save(tmp_path / "session.jsonl")
    assert read_recording(tmp_path / "session.jsonl").device_messages == session.device_messages


def test_no_other_user_can_read_a_recording(tmp_path: Path) -> None:
    """It says when a household used what, as its results do, which only their owner can read."""
    path = tmp_path / "new" / "session.jsonl"
    recorded().save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_recording_has_a_largest_size(tmp_path: Path) -> None:
    """It is read as a whole, and may come from anybody."""
    path = tmp_path / "session.jsonl"
    with path.open("wb") as file:
        file.write(next(recorded().lines()).encode())
        file.truncate(2**31)  # takes no space on the disk
    with pytest.raises(RecordingError, match=r"session\.jsonl: is larger than 1,024 MB"):
        read_recording(path)


def test_only_a_file_is_read_as_a_recording() -> None:
    """A device may never end."""
    with pytest.raises(RecordingError, match="/dev/zero: is not a file"):
        read_recording(Path("/dev/zero"))


ROOF = STREET.replace("        predictions:\n", "        gateway: {}\n        predictions:\n")
"""The roof of the street is a real one."""


def cloudy_session() -> Recording:
    """Return the record of a roof whose meter shows a fifth of its forecast, and of a job requested meanwhile."""
    forecast = Production(times_s=(START_S, START_S + 14_400), cumulative_wh=(0.0, 12_000.0))
    said: list[tuple[int, Forecasted | Reported]] = [(1, Forecasted(production=forecast))]
    said += [(s, Reported(power_w=200.0, counter_wh=200 * s / 3600)) for s in range(60, 3_600, 60)]
    messages = [RecordedDeviceMessage(START_S + s, "pv", DeviceSaid(device="pv", said=event)) for s, event in said]
    asked = JobAsked(id="wash-1", profile="eco40", ready_by_s=START_S + 3_600 + 5_000)
    messages.append(RecordedDeviceMessage(START_S + 3_600, "adler/washer", DeviceSaid(device="washer", said=asked)))
    return Recording(
        scenario=load_text(ROOF, "test", None),
        seed=1,
        algorithm=AlgorithmSettings(),
        patient=True,
        days=1,
        scores={},
        stop_after_s=None,
        ledger_sha256=None,
        device_messages=tuple(messages),
    )


def replayed(recording: Recording, file: Path, out: Path) -> tuple[int, dict[str, Any], str]:
    """Have `ssmic replay` repeat a recording; return its exit code, what it prints, and what it complains about."""
    recording.save(file)
    result = CliRunner().invoke(app, ["replay", str(file), "--json", "--out", str(out)])
    return result.exit_code, json.loads(result.stdout) if result.stdout else {}, result.stderr


@pytest.mark.long
def test_a_recording_replays_by_the_rules_of_its_time(tmp_path: Path) -> None:
    """Roofs promise less than their forecast since rules 2; a record that does not say its rules is tried by each."""
    ledgers = {}
    for rules in (1, 2):
        unfinished = replace(cloudy_session(), device_rules=rules)
        code, said, complaint = replayed(unfinished, tmp_path / "a.jsonl", tmp_path / f"{rules}.sqlite")
        assert (code, "the end of the session is not recorded" in complaint) == (1, True)
        ledgers[rules] = said["ledger_sha256"]
        assert read_recording(tmp_path / f"{rules}.sqlite").device_rules == rules
    assert ledgers[1] != ledgers[2]
    for rules, ledger_sha256 in ledgers.items():
        old = replace(cloudy_session(), ledger_sha256=ledger_sha256)
        code, said, _ = replayed(old, tmp_path / "old.jsonl", tmp_path / f"old-{rules}.sqlite")
        assert (code, said["same"], said["device_rules"]) == (0, True, rules)
        assert read_recording(tmp_path / f"old-{rules}.sqlite").device_rules == rules


Said = tuple[int, JobAsked | Reported | Availability]
"""Seconds since the start, and what a plug says."""


def long_session(last_w: float, rules: int) -> Recording:
    """Return the record of a plug whose appliance takes three hours, six times as long as planned, then draws less."""
    said: list[Said] = [(s, Reported(is_on=True, power_w=75.0, counter_wh=s / 48)) for s in range(120, 11_100, 60)]
    said += [(s, Reported(is_on=True, power_w=last_w, counter_wh=232.0)) for s in range(11_100, 18_000, 60)]
    return plug_session(said, rules)


def plug_session(of_plug: Sequence[Said], rules: int) -> Recording:
    """Return the record of a plug whose appliance starts in the third minute, for half an hour as planned."""
    asked = JobAsked(id="wash-1", profile="eco40", ready_by_s=START_S + 2_000)
    said: list[Said] = [(60, asked), *of_plug]
    plug = STREET.replace("gateway: {answer_s: 3600}", "gateway: {adapter: tasmota, topic: kitchen}")
    washer = [
        RecordedDeviceMessage(START_S + s, "adler/washer", DeviceSaid(device="washer", said=event)) for s, event in said
    ]
    scenario = load_text(plug, "test", None)
    return replace(cloudy_session(), scenario=scenario, device_messages=tuple(washer), device_rules=rules)


@pytest.mark.parametrize(
    ("rules", "last_w", "expected_s"),
    [
        pytest.param(3, 0.0, 7_500, marks=pytest.mark.long),
        (4, 0.0, 11_400),
        pytest.param(4, 12.0, 15_000, marks=pytest.mark.long),
    ],
)
def test_power_is_not_cut_while_a_programme_runs_however_long_it_takes(
    tmp_path: Path, rules: int, last_w: float, expected_s: int
) -> None:
    """Rules 3 cut it off after twice its planned duration and an hour; a stand-by still ends the job."""
    _, said, _ = replayed(long_session(last_w, rules), tmp_path / "a.jsonl", tmp_path / "a.sqlite")
    with ResultsReader(tmp_path / "a.sqlite") as results:
        history = results.ledger(1)[0].history
    finished_s = next(event.at_s for event in history if event.what == "finished") - START_S
    assert finished_s == pytest.approx(expected_s, abs=700), said


ON = Reported(is_on=True, power_w=2000.0, counter_wh=100.0)
OFF = Reported(is_on=False, power_w=0.0, counter_wh=100.0)
GONE, BACK = Availability(online=False), Availability(online=True)


@pytest.mark.parametrize(
    ("said", "rules", "expected"),
    [
        ([(900, GONE), (1_020, BACK), (1_020, OFF), (1_080, ON)], 6, ("interrupted", "power_lost")),
        ([(900, GONE), (1_020, BACK), (1_020, OFF), (1_080, ON)], 5, ("finished", "late")),
        ([(900, OFF)], 6, ("interrupted", "stopped_by_hand")),
        ([(900, OFF)], 5, ("finished", "late")),
        ([(600, GONE), (660, BACK), (660, ON), (900, OFF)], 6, ("interrupted", "stopped_by_hand")),
        ([(600, GONE), (660, BACK), (660, ON), (900, Reported(is_on=False))], 5, ("interrupted", "power_lost")),
        ([(840, Reported(power_w=0.0)), (900, OFF)], 6, ("finished", "late")),
    ],
    ids=["lost", "lost in rules 5", "by hand", "by hand in rules 5", "kept", "kept in rules 5", "was idle before"],
)
def test_a_plug_that_is_off_and_draws_nothing_in_one_message_has_not_finished(
    tmp_path: Path, said: list[Said], rules: int, expected: tuple[str, str]
) -> None:
    """Half-way it was switched off by hand, or its power failed: it draws nothing because of that."""
    starting = [(s, Reported(is_on=True, power_w=2000.0, counter_wh=s / 10)) for s in range(120, 601, 60)]
    recording = plug_session([*starting, *said, (2_400, OFF)], rules)
    replayed(recording, tmp_path / "a.jsonl", tmp_path / "a.sqlite")
    with ResultsReader(tmp_path / "a.sqlite") as results:
        history = results.ledger(1)[0].history
    assert next((event.what, event.reason) for event in history if event.at_s > START_S + 600) == expected


@pytest.mark.parametrize(
    ("prefer", "asked_after_s", "latest_after_s", "rules", "expected_s"),
    [
        ("covered", 1, 7 * 3_600 + 8, 8, 7 * 3_600 + 8),
        ("covered", 1, 7 * 3_600 + 8, 9, 1),
        ("cheapest", 8, 24_001, 8, 24_001),
        ("cheapest", 8, 24_001, 9, 8),
    ],
)
def test_a_shared_session_is_replayed_with_the_starts_of_its_time(
    tmp_path: Path, prefer: str, asked_after_s: int, latest_after_s: int, rules: int, expected_s: int
) -> None:
    """By rules 8, a job that was covered, or cost the same, at any time waited for the second that rounded best."""
    load = LoadProfile(times_s=(0, 600, 1200, 1800), cumulative_wh=(0.0, 250.0, 500.0, 700.0))
    asked = JobAsked(id="wash-1", load=load, ready_by_s=START_S + latest_after_s + 1_800)
    saying = RecordedDeviceMessage(START_S + asked_after_s, "adler/washer", DeviceSaid(device="washer", said=asked))
    chosen = f"seed: 1\nsupply: shared\nprefer: [{prefer}]"
    scenario = load_text(STREET.replace("seed: 1", chosen), "test", None)
    recording = replace(cloudy_session(), scenario=scenario, device_messages=(saying,), device_rules=rules)
    replayed(recording, tmp_path / "a.jsonl", tmp_path / "a.sqlite")
    with ResultsReader(tmp_path / "a.sqlite") as results:
        entry = next(entry for entry in results.ledger(1) if entry.contract.job_id == "adler/washer/wash-1")
    assert entry.history[0].start_s - START_S == expected_s


def test_a_recording_made_by_newer_rules_is_refused(tmp_path: Path) -> None:
    """The message says which rules this version knows."""
    newer = replace(cloudy_session(), device_rules=DEVICE_RULES + 1)
    code, _, complaint = replayed(newer, tmp_path / "newer.jsonl", tmp_path / "newer.sqlite")
    assert code == 3
    assert (
        f"was made by device rules {DEVICE_RULES + 1}; this version of ssmic knows rules 1 to {DEVICE_RULES}"
        in complaint
    )


@pytest.mark.long
def test_a_recording_whose_ledger_no_rules_give_says_so(tmp_path: Path) -> None:
    """All rules that this version knows were tried."""
    other = replace(cloudy_session(), ledger_sha256="0" * 64)
    code, said, complaint = replayed(other, tmp_path / "other.jsonl", tmp_path / "other.sqlite")
    assert (code, said["same"]) == (1, False)
    assert "made by a version of ssmic with other rules" in complaint
