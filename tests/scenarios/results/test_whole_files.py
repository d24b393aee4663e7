"""Files made of results are all written, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.results import ResultsWriteError
from scenarios.results.connection import whole_files


def _write(paths: list[Path], in_the_way: Path) -> None:
    with whole_files() as draft_of:
        for path in paths:
            draft_of(path).write_text("1", encoding="utf-8")
        in_the_way.mkdir()


def test_the_error_names_the_file_that_cannot_take_its_place(tmp_path: Path) -> None:
    """Drafts take their places one after the other, when all of them are complete."""
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"

    with pytest.raises(ResultsWriteError, match=r"first\.csv: cannot be written: "):
        _write([first, second], in_the_way=first)
