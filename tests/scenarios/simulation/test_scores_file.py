"""Scores survive between simulations, a run that is repeated begins as it began, or one clear error says why not."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock

from agents.scheduling.settings import AlgorithmSettings
from scenarios.load import load_scenario
from scenarios.simulation.scores_file import ScoresFile, ScoresFileError, ScoresWriteError, run_key

ODD = {"[1]:[häuser/2]": -3, "pv-2": 11}


@pytest.fixture
def kept(tmp_path: Path) -> ScoresFile:
    """A file of the street's that is not there yet, nor is its folder."""
    return ScoresFile.beside(tmp_path / "new" / "r.sqlite", "street")


async def test_what_was_learned_is_what_the_next_run_begins_with(kept: ScoresFile) -> None:
    """Ids may be anything; the folder is made."""
    assert kept.scores() == {}
    assert await kept.begin(["monday"]) == [{}]
    await kept.learn({}, ODD)
    assert kept.scores() == ODD
    assert await kept.begin(["tuesday"]) == [ODD]
    assert [path.name for path in kept.path.parent.glob("[!.]*")] == ["street.scores.json"]


async def test_a_repeated_run_begins_as_before_and_changes_no_saved_score(kept: ScoresFile) -> None:
    """This also holds if it is one of several, of which the others are new."""
    await kept.begin(["monday"])
    await kept.learn({}, {"pv": 9})
    await kept.begin(["tuesday"])
    await kept.learn({"pv": 9}, {"pv": 8})
    assert await kept.begin(["wednesday", "monday", "tuesday"]) == [{"pv": 8}, {}, {"pv": 9}]
    await kept.learn({}, {"pv": 7})
    assert kept.scores() == {"pv": 8}


async def test_a_repeated_interrupted_run_still_updates_the_scores(kept: ScoresFile) -> None:
    """It began, but had no result."""
    await kept.begin(["monday"])
    assert await kept.begin(["monday"]) == [{}]
    await kept.learn({}, {"pv": 9})
    assert kept.scores() == {"pv": 9}


async def test_a_lock_that_cannot_be_had_is_an_error(kept: ScoresFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run waited forever, without a word: for a process that had stopped, or in a folder that takes no files."""
    await kept.begin(["monday"])
    monkeypatch.setattr("scenarios.simulation.scores_file.LOCK_WALL_S", 0.05)
    with (
        FileLock(kept.path.with_name(f".{kept.path.name}.lock")),
        pytest.raises(
            ScoresWriteError, match=r"street\.scores\.json: another process has held its lock for 0\.05 s, and may hang"
        ),
    ):
        await kept.begin(["tuesday"])


async def test_the_event_loop_goes_on_while_another_process_holds_the_lock(kept: ScoresFile) -> None:
    """Agents, the broker's connection and the keys of the application share the loop; a signal cancels the wait."""
    await kept.begin(["monday"])
    with FileLock(kept.path.with_name(f".{kept.path.name}.lock")):
        beginning = asyncio.create_task(kept.begin(["tuesday"]))
        given_up = asyncio.create_task(kept.learn({}, {"pv": 9}))
        await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        assert not beginning.done()
    assert await beginning == [{}]
    assert kept.scores() == {}


async def test_a_run_without_a_key_always_uses_the_latest_scores(kept: ScoresFile) -> None:
    """A named file works this way."""
    for score in (9, 8, 7):
        (begun_with,) = await kept.begin([None])
        await kept.learn(begun_with, {"pv": score})
        assert await kept.begin([None]) == [{"pv": score}]


async def test_a_fresh_start_forgets_what_runs_began_with(kept: ScoresFile) -> None:
    """It ignores the content of the file, even if it is not a scores file."""
    await kept.begin(["monday"])
    await kept.learn({}, {"pv": 9})
    assert await kept.begin(["tuesday"], afresh=True) == [{}]
    assert kept.scores() == {}
    assert await kept.begin(["monday"]) == [{}]
    kept.path.write_text("no scores")
    assert await kept.begin(["monday"], afresh=True) == [{}]


async def test_simulations_side_by_side_lose_nothing(kept: ScoresFile) -> None:
    """Fifty runs begin at once; the file knows all of them afterwards."""
    runs = [f"run-{number}" for number in range(50)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda run: asyncio.run(kept.begin([run])), runs))
    await kept.learn({}, {"pv": 9})
    assert await kept.begin([*runs, "another"]) == [{}] * 50 + [{"pv": 9}]


def test_a_run_is_identified_by_what_its_contracts_depend_on() -> None:
    """A change of any of these gives another key; the same values do not."""
    street, scarce, insertion = load_scenario("street"), load_scenario("scarce"), AlgorithmSettings()
    runs = [
        run_key(street, 1, insertion, None, patient=True),
        run_key(street, 2, insertion, None, patient=True),
        run_key(scarce, 1, insertion, None, patient=True),
        run_key(street, 1, AlgorithmSettings(name="SLSQP"), None, patient=True),
        run_key(street, 1, AlgorithmSettings(name="SLSQP", penalty=7), None, patient=True),
        run_key(street, 1, insertion, 3, patient=True),
        run_key(street, 1, insertion, None, patient=False),
    ]
    assert len(set(runs)) == len(runs)
    assert run_key(load_scenario("street"), 1, AlgorithmSettings(), None, patient=True) == runs[0]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is not a scores file: it is empty"),
        (b" \n", "is not a scores file: it is empty"),
        (b"\x00\xff\x00binary", "is not a scores file: line 1, column 1: this is not JSON"),
        (b'{"version": 1,\n "scores": {"pv": }}', "line 2, column 19: this is not JSON"),
        (b'{"version": 1,\n "scores": {"pv": 3', "line 2: the text ends in the middle, so a part of the file is lost"),
        (b"[]", "is not a scores file: an object in braces is expected"),
        (b'{"version": 1, "scenario": "street", "scores": []}', "scores: an object in braces is expected"),
        (b'{"version": 1, "scenario": null, "scores": {}}', "scenario: a text in quotes is expected"),
        (b'{"version": 1, "scenario": "street", "scores": {"pv": "many"}}', r"scores\.pv: a whole number is expected"),
        (b'{"version": 1, "scenario": "street", "scores": {"pv": 1.5}}', r"scores\.pv: a whole number is expected"),
        (
            b'{"version": 1, "scenario": "street", "scores": {}, "starts": [{"runs": []}]}',
            r"starts\[0\]\.scores: the key is missing",
        ),
        (b'{"version": 2, "scenario": "street", "scores": {}}', "version: this ssmic reads version 1 only"),
        (b'{"version": 1, "scenario": "street", "scores": {}, "more": 1}', "more: unknown key"),
        (b'{"version": 1, "scenario": "scarce", "scores": {}}', "of scenario 'scarce', not of 'street'"),
    ],
)
async def test_a_bad_file_is_refused_with_its_name(tmp_path: Path, content: bytes, complaint: str) -> None:
    """The message states the file, the problem and the remedy."""
    file = tmp_path / "bad.scores.json"
    file.write_bytes(content)
    kept, refused = ScoresFile(file, "street"), rf"bad\.scores\.json: .*{complaint}.*--reset-scores"
    with pytest.raises(ScoresFileError, match=refused):
        kept.scores()
    for use in (kept.begin(["run"]), kept.learn({}, {"pv": 9})):
        with pytest.raises(ScoresFileError, match=refused):
            await use
    assert file.read_bytes() == content


async def test_a_place_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    """A folder in its place, a file in its folder's, a folder that nothing can be written to."""
    with pytest.raises(ScoresFileError, match="cannot be read"):
        ScoresFile(tmp_path, "street").scores()
    with pytest.raises(ScoresWriteError, match="cannot be written"):
        await ScoresFile(tmp_path, "street").begin(["run"], afresh=True)
    (tmp_path / "file").touch()
    with pytest.raises(ScoresWriteError, match="file is a file, a folder is expected"):
        await ScoresFile(tmp_path / "file" / "street.scores.json", "street").begin(["run"], afresh=True)
    if os.geteuid() != 0:
        tmp_path.chmod(0o500)
        with pytest.raises(ScoresWriteError, match="cannot be written"):
            await ScoresFile(tmp_path / "street.scores.json", "street").begin(["run"])
