"""Where commands write their files: missing folders are created, and what is in the way is said before the work."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from tests.ended import Ssmic
from tests.tui.cli.conftest import SMALL


@pytest.mark.parametrize(
    "arguments",
    [
        ("generate", "--houses", "1", "--out"),
        ("generate", "--houses", "1", "--series", "csv", "--out"),
        ("scenarios", "copy", "night"),
        ("import", "jobs.csv/nowhere"),
        ("run", "small.yaml", "--bus", "memory", "--out"),
        ("run", "small.yaml", "--bus", "memory", "--junit"),
        ("run", "small.yaml", "--bus", "memory", "--algorithm", "insertion,fifty_fifty", "--to"),
        ("lab", "small.yaml", "--out"),
        ("lab", "small.yaml", "--junit"),
        ("sweep", "small.yaml", "--seeds", "1", "--out"),
    ],
)
def test_a_file_in_the_place_of_a_folder_is_named_at_once(
    ssmic: Ssmic, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """It was called a missing file, an existing one or a draft; runs and labs had ended before it was found."""
    (tmp_path / "small.yaml").write_text(SMALL, encoding="utf-8")
    (tmp_path / "taken").touch()
    ended = ssmic(*arguments, f"taken/deep/file.{'md' if '--to' in arguments else 'yaml'}")
    assert ended.code == 1
    assert ended.err.startswith("ssmic: taken/deep/file."), ended.err
    assert ended.err.endswith(": cannot be written: taken is a file, a folder is expected\n"), ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("generate", "--houses", "1", "--out"),
        ("generate", "--houses", "1", "--series", "csv", "--out"),
        ("scenarios", "copy", "night"),
        pytest.param(("run", "small.yaml", "--bus", "memory", "--junit"), marks=pytest.mark.long),
    ],
)
def test_missing_folders_are_created(ssmic: Ssmic, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Some commands did, others said that there was no such file."""
    (tmp_path / "small.yaml").write_text(SMALL, encoding="utf-8")
    ended = ssmic(*arguments, "new/folder/file.yaml")
    assert ended.code == 0, ended.err
    assert (tmp_path / "new" / "folder" / "file.yaml").is_file()


def test_a_folder_is_not_overwritten_by_a_file(ssmic: Ssmic, tmp_path: Path) -> None:
    """`--force` was suggested, with which the error was another one."""
    (tmp_path / "taken").mkdir()
    for arguments in (("generate", "--houses", "1", "--out", "taken"), ("generate", "--houses", "1", "--out", "")):
        ended = ssmic(*arguments)
        assert ended.code == 1
        assert "cannot be written: it is a folder, a file is expected" in ended.err


def test_a_run_that_cannot_begin_changes_no_scores(ssmic: Ssmic, tmp_path: Path) -> None:
    """`--reset-scores` had discarded them when the results file could not be created; other runs left a scores file."""
    (tmp_path / "small.yaml").write_text(SMALL, encoding="utf-8")
    assert ssmic("run", "small.yaml", "--bus", "memory", "--out", "kept/r.sqlite").code == 0
    kept = {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()}
    assert "small.scores.json" in kept
    clock = ("clock", "small.yaml", "--run", "other", "--broker", "mqtt://127.0.0.1:1", "--journal", "journals")
    for command in (
        ("run", "small.yaml", "--bus", "memory", "--out", "kept/new.sqlite"),
        (*clock, "--out", "kept/r.sqlite"),
    ):
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, limits[1]))
        try:
            ended = ssmic(*command, "--reset-scores")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert ended.code != 0
        assert "cannot be written" in ended.err or "results of another run" in ended.err, ended.err
        assert {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()} == kept
    assert ssmic(*clock, "--out", "kept/r.sqlite", "--scores", "new/scores.json").code != 0
    assert not (tmp_path / "new").exists()
