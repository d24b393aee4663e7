"""Recordings of sessions that were edited by hand: one clear error, with the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents import Availability, DeviceSaid
from agents.scheduling import AlgorithmSettings
from scenarios.devices import Saying
from scenarios.files.parse import load_text
from scenarios.simulation.replay import Recording, RecordingError, read_recording
from tests.scenarios.devices.session import STREET

START_S = 1782021600


@pytest.mark.parametrize(
    ("time_s", "agent", "problem"),
    [
        (
            START_S,
            "adler/washer",
            rf"line 2: time_s {START_S}: devices are heard after the start of the run, {START_S}",
        ),
        (START_S + 1, "adler/dryer", r"line 2: agent 'adler/dryer' is no real device; expected one of: .*adler/washer"),
    ],
)
def test_a_device_that_cannot_have_said_something_is_named_with_its_line(
    time_s: int, agent: str, problem: str, tmp_path: Path
) -> None:
    """Otherwise the replay would wait for its host forever."""
    saying = Saying(time_s, agent, DeviceSaid(device="washer", said=Availability(online=True)))
    scenario = load_text(STREET, "test", None)
    recording = Recording(
        scenario=scenario,
        seed=1,
        algorithm=AlgorithmSettings(),
        patient=True,
        days=None,
        scores={},
        stop_after_s=None,
        ledger_sha256=None,
        sayings=(saying,),
    )
    recording.save(tmp_path / "session.jsonl")
    with pytest.raises(RecordingError, match=problem):
        read_recording(tmp_path / "session.jsonl")
