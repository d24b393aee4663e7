"""Scores survive between simulations, or one clear error says why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.scores_file import ScoresFileError, load_scores, save_scores


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    """Ids may be anything; the folder is made."""
    file = tmp_path / "new" / "street.scores.json"
    save_scores(file, "street", {"pv-2": 11, "[1]:[häuser/2]": -3})
    assert load_scores(file, "street") == {"pv-2": 11, "[1]:[häuser/2]": -3}
    assert [path.name for path in file.parent.iterdir()] == ["street.scores.json"]


def test_no_file_yet_is_a_fresh_start(tmp_path: Path) -> None:
    """The first simulation with `--scores` finds none."""
    assert load_scores(tmp_path / "none.json", "street") == {}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is no scores file"),
        (b"\x00\xff\x00binary", "is no scores file"),
        (b'{"version": 1, "scenario": "street", "scores": {"pv": "many"}}', r"scores\.pv: .*integer"),
        (b'{"version": 1, "scenario": "street", "scores": {"pv": 1.5}}', r"scores\.pv: .*integer"),
        (b'{"version": 2, "scenario": "street", "scores": {}}', "version"),
        (b'{"version": 1, "scenario": "street", "scores": {}, "more": 1}', "more: "),
        (b'{"version": 1, "scenario": "scarce", "scores": {}}', "of scenario 'scarce', not of 'street'"),
    ],
)
def test_a_bad_file_is_refused_with_its_name(tmp_path: Path, content: bytes, complaint: str) -> None:
    """The message names the file, what is wrong, and the way out."""
    file = tmp_path / "bad.scores.json"
    file.write_bytes(content)
    with pytest.raises(ScoresFileError, match=rf"bad\.scores\.json: .*{complaint}.*--reset-scores"):
        load_scores(file, "street")
    assert file.read_bytes() == content


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    """Reading and writing both say so."""
    with pytest.raises(ScoresFileError, match="cannot be read"):
        load_scores(tmp_path, "street")
    with pytest.raises(ScoresFileError, match="cannot be written"):
        save_scores(tmp_path, "street", {})
