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


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("run small.yaml --bus memory --junit small.yaml", "small.yaml is read by this command"),
        ("run small.yaml --bus memory --scores ./small.yaml --reset-scores", "small.yaml is read by this command"),
        ("run small.yaml --bus memory --out new --junit new", "new is also the file of --out"),
        ("run small.yaml --bus memory --out new --scores linked/new", "linked/new is also the file of --out"),
        ("run small.yaml --bus memory --junit new.csv --to new.csv", "new.csv is also the file of --junit"),
        ("lab small.yaml --junit small.yaml", "small.yaml is read by this command"),
        ("lab small.yaml --out new --junit new", "new is also the file of --out"),
        (
            "clock small.yaml --broker mqtt://127.0.0.1:1 --out new --scores new --reset-scores",
            "new is also the file of --out",
        ),
        ("sweep small.yaml --seeds 1 --out new.csv --to new.csv", "new.csv is also the file of --out"),
        ("replay done.sqlite --record done.sqlite", "done.sqlite is read by this command"),
        ("results report done.sqlite --to done.sqlite --force", "done.sqlite is read by this command"),
        ("results scenario done.sqlite done.sqlite --force", "done.sqlite is read by this command"),
        ("results figure done.svg --to done.svg --force", "done.svg is read by this command"),
        ("results compare done.svg done.sqlite --to done.svg --force", "done.svg is read by this command"),
    ],
)
def test_no_file_is_lost_to_another_output(ssmic: Ssmic, small: Path, arguments: str, reason: str) -> None:
    """A JUnit report took the place of the results or of the scenario, and a report that of the results it showed."""
    folder = small.parent
    (folder / "linked").symlink_to(folder)
    for name in ("done.sqlite", "done.svg"):
        (folder / name).write_text("the results of a week", encoding="utf-8")
    kept = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}

    ended = ssmic(*arguments.split())

    assert ended.code == 2, ended.err
    assert f"{reason}; name another file" in " ".join(ended.err.split()), ended.err
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == kept


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("run circle.yaml --bus memory", "circle.yaml: cannot be read: Too many levels of symbolic links"),
        ("run small.yaml --bus memory --junit circle", "circle: cannot be written"),
        ("replay circle", "circle: cannot be read: Too many levels of symbolic links"),
    ],
)
def test_links_in_a_circle_are_no_internal_error(ssmic: Ssmic, small: Path, arguments: str, reason: str) -> None:
    """Looking whether two files are the same one ended in a defect."""
    for name in ("circle", "circle.yaml"):
        (small.parent / name).symlink_to(name)
    ended = ssmic(*arguments.split())
    assert ended.code in {1, 3}
    assert reason in ended.err
