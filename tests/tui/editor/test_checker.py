"""Checking in a separate process gives the same result as in this one, even if that process dies."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.files.document import Document
from tui.editor import checker as checker_module, edit_history
from tui.editor.checker import LARGE, Checker
from tui.editor.edit_history import Change, History, Insert, Put, TreeVersion, written
from tui.editor.file_actions import bundled_document


def broken(name: str) -> TreeVersion:
    """Return a bundled neighbourhood whose second device has the id of the first."""
    history = History(bundled_document(name), saved=True)
    devices = history.tree["houses"][0]["devices"]
    step = Put(("houses", 0, "devices", 1, "id"), devices[0]["id"])
    version = history.apply(lambda _: Change("spoil it", (step,)))
    assert version is not None
    return version


@pytest.mark.long
async def test_a_large_neighbourhood_is_checked_in_a_separate_process() -> None:
    """The result is the same, also if the process dies; the process has ended at the end."""
    version = broken("village")
    assert len(version.document().text) > LARGE
    expected = tuple(version.document().problems("village", Path.cwd()))
    assert expected
    checker = Checker()
    assert (await checker.check(version, "village", Path.cwd())).problems == expected
    first = checker._server.process
    assert first is not None
    first.kill()
    assert (await checker.check(version, "village", Path.cwd())).problems == expected
    await first.wait()
    assert (await checker.check(version, "village", Path.cwd())).problems == expected
    last = checker._server.process
    assert last is not None
    assert last is not first
    await checker.close()
    assert last.returncode is not None


@pytest.mark.long
async def test_the_text_of_a_large_one_is_changed_in_the_separate_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parse of it in a thread would delay keys; the text is the same, and so is the reason why there is none."""
    version = broken("village")
    document, steps = version.source()
    expected = written(document, steps)
    checker = Checker()
    with monkeypatch.context() as patch:
        for module in (edit_history, checker_module):
            patch.setattr(module, "written", None)  # a call in this process fails
        checked = await checker.check(version, "village", Path.cwd())
        assert checked.problems == tuple(expected.problems("village", Path.cwd()))
        assert version.document().text == expected.text
        assert version.source() == (expected, ())
    history = History(Document(f"#{'-' * LARGE}\nhouses: [&h {{id: a}}]\nx: *h\n"), saved=True)
    impossible = history.apply(lambda _: Change("spoil it", (Put(("x", "id"), "b"),)))
    assert impossible is not None
    failed = (await checker.check(impossible, "aliases", Path.cwd())).failed
    assert failed is not None
    assert "an alias" in str(failed)
    await checker.close()


@pytest.mark.long
async def test_a_small_one_that_becomes_large_is_checked_in_a_separate_process() -> None:
    """Thousands of jobs that are imported into it are written and checked for seconds."""
    history = History(bundled_document("street"), saved=True)
    jobs = tuple({**history.tree["jobs"][0], "id": f"copy-{number}"} for number in range(1_000))
    version = history.apply(lambda _: Change("import jobs", (Insert(("jobs",), 0, jobs),)))
    assert version is not None
    checker = Checker()
    checked = await checker.check(version, "street", Path.cwd())
    assert checker._server.process is not None
    assert checked.problems == tuple(version.document().problems("street", Path.cwd()))
    await checker.close()


async def test_a_small_one_needs_no_process() -> None:
    """The check takes less time than a request to a process."""
    version = broken("street")
    checker = Checker()
    checked = await checker.check(version, "street", Path.cwd())
    assert checked.problems == tuple(version.document().problems("street", Path.cwd()))
    assert checked.problems
    assert checker._server.process is None
    await checker.close()
