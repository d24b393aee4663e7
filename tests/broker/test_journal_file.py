"""A journal notices that it was changed or cut, and says so plainly; no other user can read it (attacks 54 to 57)."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from broker.clock.journal import ClockJournal, ClockProgress, ProgressKeeper
from broker.clock.pacing import ControlState
from broker.clock.quarantine import ConductCounters
from broker.hosts.journal import HostJournal
from broker.hosts.rounds import Round, RoundRecord
from broker.journal_file import JournalError, _link
from broker.protocol.envelope import Envelope
from tests.patience import PATIENCE_WALL_S

IDENTITY = {"run": "r", "host": "adler", "seed": "1"}


def record(step: int) -> RoundRecord:
    """Return a round in which one message arrived."""
    grant = Round(step=step, time=60 * step, round=0, granted_step=step, expected={"brandt": 1})
    body = {"kind": "Decline", "job_id": "j", "reason": "no sun"}
    envelope = Envelope(session="s", step=step, time=60 * step, round=0, sender="b", seq=step, to="a", body=body)
    return RoundRecord(grant, (envelope,), (("brandt", envelope),), (), None, None)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A household's journal of five rounds."""
    path = tmp_path / "journals" / "adler.sqlite"
    with HostJournal(path, IDENTITY) as journal:
        journal.save_host_by_agent('{"a": "adler", "b": "brandt"}')
        for step in range(5):
            journal.append(record(step))
    return path


def read(path: Path) -> list[int]:
    """Return the steps of a journal, as a household that comes back reads it."""
    with HostJournal(path, IDENTITY) as journal:
        journal.load_host_by_agent()
        return [round_.grant.step for round_ in journal.rounds()]


def change(path: Path, *statements: str) -> None:
    """Meddle with a file."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def test_a_journal_is_read_as_it_was_written(file: Path) -> None:
    """It can be continued."""
    assert read(file) == [0, 1, 2, 3, 4]
    with HostJournal(file, IDENTITY) as journal:
        journal.append(record(5))
    assert read(file) == [0, 1, 2, 3, 4, 5]


def test_no_other_user_can_read_it(file: Path) -> None:
    """The same holds for adjacent files and the folder; a journal of an earlier release is closed to others, too."""
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    file.chmod(0o644)
    with HostJournal(file, IDENTITY) as journal:
        journal.append(record(5))
        files = list(file.parent.iterdir())
        assert len(files) == 4, "the journal, SQLite's two, and the lock"
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM rounds WHERE step > 2",
        "DELETE FROM rounds WHERE step = 0",
        "DELETE FROM rounds WHERE step = 3",
        "DELETE FROM rounds",
        "DROP TABLE rounds",
        "UPDATE rounds SET digest = 'x' WHERE step = 4",
        "UPDATE rounds SET delivered_json = '[]' WHERE step = 1",
        "UPDATE rounds SET grant_json = replace(grant_json, '60', '61') WHERE step = 1",
        "UPDATE rounds SET step = 9 WHERE step = 4",
        "INSERT INTO rounds SELECT 7, grant_json, delivered_json, digest FROM rounds WHERE step = 4",
        "UPDATE state SET json = 'not JSON'",
        "UPDATE state SET json = '[]'",
        "DELETE FROM state",
        "DROP TABLE state",
        "UPDATE identity SET value = x'ff' WHERE key = 'seed'",
        "UPDATE identity SET key = x'ff' WHERE key = 'seed'",
        "UPDATE chain SET count = 4",
        "DELETE FROM chain WHERE name = 'rounds'",
        "DROP TABLE chain",
    ],
)
def test_a_changed_or_cut_journal_is_detected(file: Path, statement: str) -> None:
    """One plain message names the file and the remedy, without a parser's wording."""
    change(file, statement)
    with pytest.raises(JournalError) as caught:
        read(file)
    message = str(caught.value)
    assert str(file) in message
    assert "remove it and begin again under another run id" in message
    assert not re.search(r"pydantic|https?:|JSONDecode|Attribute|Traceback|\n", message)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="this system does not list open files")
def test_a_journal_that_cannot_be_used_is_closed_while_its_error_is_reported(file: Path) -> None:
    """The error refers to the journal as long as anyone shows it, and a user may restore the file meanwhile."""
    whole = file.read_bytes()
    for content in (b"no journal" * 1_000, whole):
        file.write_bytes(content)
        with pytest.raises(JournalError) as caught:
            HostJournal(file, {**IDENTITY, "seed": "other"})
        assert str(file) in str(caught.value)
        links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
        assert not [link for link in links if str(link.resolve()).startswith(str(file))]


@pytest.mark.parametrize("part", [0.001, 0.3, 0.9])
def test_a_file_that_broke_off_is_detected(file: Path, part: float) -> None:
    """A copy of it is incomplete: the message says what to do, and how much is left."""
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(
        JournalError, match=r"was changed or cut .* remove it and begin again .*\(.*bytes are left"
    ) as caught:
        read(file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("content", [b"no journal" * 100, b"SQLite format 3\x00" + b"\xff" * 5_000])
def test_a_file_of_another_kind_is_not_a_journal(file: Path, content: bytes) -> None:
    """The message says what to do, besides SQLite's reason."""
    file.write_bytes(content)
    with pytest.raises(JournalError, match=r"cannot be used; restore .* remove it and begin again") as caught:
        read(file)
    assert str(file) in str(caught.value)


def test_the_number_of_remaining_rounds_is_reported(file: Path) -> None:
    """The journal was cut."""
    change(file, "DELETE FROM rounds WHERE step > 2")
    with pytest.raises(JournalError, match="3 rounds are left of 5"):
        read(file)


@pytest.mark.parametrize(
    ("change_of_version", "found"),
    [
        ("UPDATE identity SET value = '5' WHERE key = 'protocol'", "5"),
        ("DELETE FROM identity WHERE key = 'protocol'", "unknown"),
    ],
)
def test_a_journal_of_another_version_of_the_protocol_is_recognized(
    tmp_path: Path, change_of_version: str, found: str
) -> None:
    """The remedy is a release, not a setting, whatever else differs."""
    path, identity = tmp_path / "adler.sqlite", {**IDENTITY, "protocol": "6"}
    with HostJournal(path, identity):
        pass
    change(path, change_of_version, "UPDATE identity SET value = '7' WHERE key = 'seed'")
    with pytest.raises(JournalError, match=f"of version {found} of the protocol.* version 6: finish .* the release"):
        HostJournal(path, identity)


def test_a_journal_of_an_earlier_release_is_recognized(file: Path) -> None:
    """It has no chain."""
    change(file, "DROP TABLE chain")
    with pytest.raises(JournalError, match="a journal of an earlier release; finish the run with that release"):
        read(file)


def test_the_rounds_of_another_run_do_not_pass(file: Path, tmp_path: Path) -> None:
    """The chain begins with what the journal belongs to."""
    other = tmp_path / "other.sqlite"
    with HostJournal(other, IDENTITY | {"run": "other"}):
        pass
    change(other, f"ATTACH '{file}' AS old", "DELETE FROM chain", "INSERT INTO chain SELECT * FROM old.chain")
    change(other, f"ATTACH '{file}' AS old", "INSERT INTO rounds SELECT * FROM old.rounds")
    with HostJournal(other, IDENTITY | {"run": "other"}) as journal, pytest.raises(JournalError):
        list(journal.rounds())


@pytest.mark.parametrize(
    "statement", ["UPDATE state SET json = '{}'", "UPDATE state SET json = 'x'", "DELETE FROM state"]
)
def test_the_clock_notices_too(tmp_path: Path, statement: str) -> None:
    """Its journal is one row."""
    path = tmp_path / "clock.sqlite"
    with ClockJournal(path, IDENTITY) as journal:
        journal._save_state('{"step": 1}')
    change(path, statement)
    with ClockJournal(path, IDENTITY) as journal, pytest.raises(JournalError, match="was changed or cut"):
        journal.load_round()


def test_a_round_of_another_release_is_reported_as_such(tmp_path: Path) -> None:
    """The chain is intact, but the content has another format."""
    with ClockJournal(tmp_path / "clock.sqlite", IDENTITY) as journal:
        journal._save_state('{"surprise": 1}')
        with pytest.raises(
            JournalError, match="is not in the format of this release: finish the run with the release that"
        ):
            journal.load_round()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("pace", "sixty"),
        ("pace", ""),
        ("reached_s", 1e300),
        ("reached_s", -1.0),
        ("owed_s", -1.0),
        ("wall_s", -1.0),
    ],
)
def test_impossible_progress_is_reported_with_the_file(tmp_path: Path, field: str, value: object) -> None:
    """A clock would otherwise fail later, on a pace that its user never gave, or publish an impossible time."""
    control = {"begun_with": "60x", "pace": "60x", "reached_s": 7200.0, "owed_s": 0.0}
    progress = {"control": control, "wall_s": 3.0}
    (control if field in control else progress)[field] = value
    path = tmp_path / "clock.sqlite"
    with ClockJournal(path, IDENTITY) as journal:
        journal._save_progress(json.dumps(progress), is_final=True)
        with pytest.raises(JournalError, match=rf"{re.escape(str(path))}: its progress \(.*{field}"):
            journal.load_progress()


async def test_journals_of_one_process_wait_for_the_disk_together(tmp_path: Path) -> None:
    """So that hundreds of households neither take turns at the disk nor stop the event loop meanwhile."""
    both_are_at_the_disk = threading.Barrier(2)

    class Slow(HostJournal):
        """One whose disk does not answer before another commit has come, too."""

        def _commit(self) -> None:
            if threading.current_thread() is not threading.main_thread():
                both_are_at_the_disk.wait(PATIENCE_WALL_S)
            super()._commit()

    with (
        ThreadPoolExecutor(2) as threads,
        Slow(tmp_path / "adler", IDENTITY, threads) as adler,
        Slow(tmp_path / "brandt", IDENTITY, threads) as brandt,
    ):
        await asyncio.gather(adler.store(record(0)), brandt.store(record(0)))
        assert [round_.grant.step for round_ in adler.rounds()] == [0]
        assert [round_.grant.step for round_ in brandt.rounds()] == [0]


async def test_a_round_is_stored_although_its_host_is_cancelled_meanwhile(tmp_path: Path) -> None:
    """The journal closes only after the commit."""
    is_at_the_disk, may_go_on = threading.Event(), threading.Event()

    class Slow(HostJournal):
        """One whose disk answers when it may."""

        def _commit(self) -> None:
            if threading.current_thread() is not threading.main_thread():
                is_at_the_disk.set()
                may_go_on.wait(PATIENCE_WALL_S)
            super()._commit()

    path = tmp_path / "adler"
    with ThreadPoolExecutor(1) as threads, Slow(path, IDENTITY, threads) as journal:
        storing = asyncio.create_task(journal.store(record(0)))
        await asyncio.to_thread(is_at_the_disk.wait, PATIENCE_WALL_S)
        storing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await storing
        may_go_on.set()
    assert read(path) == [0]


def test_no_content_of_a_journal_can_pass_for_another_one() -> None:
    """Bytes that move from one column to the next, or change their type, change the chain."""
    chains = [_link("", *parts) for parts in (("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), (b"abc",), (1,), ("1",))]
    assert len(set(chains)) == len(chains)
    assert _link(chains[0], "x") != _link(chains[1], "x")


def test_each_commit_waits_for_the_disk_unless_it_need_not(file: Path) -> None:
    """The last rounds would be lost in a power cut, and the household could not catch up."""
    full = (2,)
    with HostJournal(file, IDENTITY) as journal:
        assert journal._connection.execute("PRAGMA synchronous").fetchone() == full
        journal.save_host_by_agent("{}")
        assert journal._connection.execute("PRAGMA synchronous").fetchone() == full


def test_the_digest_of_a_round_covers_all_that_a_replay_must_repeat_and_no_session() -> None:
    """A host whose next timer, or next step, comes out differently would go another way later on."""
    one = record(1)
    other_session = Envelope(session="t", step=1, time=60, round=0, sender="b", seq=1, to="a", body={"kind": "x"})
    same = one._replace(sent=(("brandt", other_session),))
    ours = Envelope(session="s", step=1, time=60, round=0, sender="b", seq=1, to="a", body={"kind": "x"})
    assert one._replace(sent=(("brandt", ours),)).digest == same.digest
    changed = [
        one._replace(sent=()),
        one._replace(sent=(("adler", one.sent[0][1]),)),
        one._replace(next_s=60),
        one._replace(next_step=8),
    ]
    assert len({one.digest, *(other.digest for other in changed)}) == 5


async def test_the_time_that_a_run_takes_adds_up_over_the_processes_of_its_clock(tmp_path: Path) -> None:
    """An earlier one has worked for a hundred seconds."""
    control = ControlState(begun_with="max", pace="max", reached_s=0.0)
    with ClockJournal(tmp_path / "clock.sqlite", IDENTITY) as journal:
        journal.save_progress(ClockProgress(control=control, wall_s=100.0))
        keeper = ProgressKeeper(journal)
        keeper.begin()
        keeper.store(control, ConductCounters(), is_final=True)
        found = journal.load_progress()
    assert found is not None
    assert 100.0 <= found.wall_s < 100.0 + PATIENCE_WALL_S


def test_a_folder_in_which_nothing_can_be_written_is_named_once(tmp_path: Path) -> None:
    """The reason is what is in the way, not the system's "File exists"; else the system's, without its number."""
    folder = tmp_path / "journals"
    folder.write_text("a file")
    for path in (folder / "adler.sqlite", folder / "deeper" / "adler.sqlite"):
        with pytest.raises(JournalError) as raised:
            HostJournal(path, IDENTITY)
        assert str(raised.value) == f"journal {path} cannot be written: {folder} is a file, a folder is expected"
    path = tmp_path / ("x" * 300) / "adler.sqlite"
    with pytest.raises(JournalError) as raised:
        HostJournal(path, IDENTITY)
    cause = raised.value.__cause__
    assert isinstance(cause, OSError)
    assert str(raised.value) == f"journal {path} cannot be written: {cause.strerror}"


def test_a_folder_in_the_place_of_a_journal_is_named(file: Path) -> None:
    """SQLite said only that it was unable to open a database file."""
    file.unlink()
    file.mkdir()
    with pytest.raises(JournalError, match=re.escape(f"journal {file} cannot be written: it is a folder")):
        read(file)
