"""The paths of journals: all in one folder, for any ids of runs and households."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.simulation.settings import RunSettings


def journal_of(folder: Path, run: str, house: str) -> Path:
    """Return where a household's journal of a run is."""
    return RunSettings(1, run, journals=folder).journal_file(house)


@pytest.mark.parametrize("name", ["..", "../../x", "a/b", "con", ".hidden", "\u00fc" * 200])
def test_no_id_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    """No name is too long for a file system, including SQLite's suffixes."""
    for file in (
        journal_of(tmp_path, name, "adler"),
        journal_of(tmp_path, "monday", name),
        journal_of(tmp_path, name, name),
    ):
        assert file.parent == tmp_path
        file.with_name(f"{file.name}-journal").touch()


def test_two_households_of_two_runs_never_share_a_journal(tmp_path: Path) -> None:
    """`a.b` of the run `c`, and `b` of the run `c.a`."""
    assert journal_of(tmp_path, "c", "a.b") != journal_of(tmp_path, "c.a", "b")
