"""`--messages`: a smaller file with the same contracts and figures."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from scenarios.results import ResultsReader
from tui.cli.app import app


@pytest.mark.parametrize(
    ("kept", "kinds"), [("contracts", {"Promised", "ContractAgreed", "ContractAmended"}), ("none", set())]
)
def test_contracts_and_figures_do_not_depend_on_the_messages_kept(tmp_path: Path, kept: str, kinds: set[str]) -> None:
    """All messages are counted, whichever are kept."""
    files = {}
    for choice in ("all", kept):
        files[choice] = tmp_path / f"{choice}.sqlite"
        arguments = ["run", "sunny", "--bus", "memory", "--reset-scores", "--messages", choice]
        outcome = CliRunner().invoke(app, [*arguments, "--out", str(files[choice])])
        assert outcome.exit_code == 0, outcome.output
    with ResultsReader(files["all"]) as full, ResultsReader(files[kept]) as small:
        assert small.run(1).ledger_sha256 == full.run(1).ledger_sha256
        assert small.kpis(1) == full.kpis(1)
        assert small.run(1).messages == full.run(1).messages == full.count_messages(1)
        assert {message.kind for message in small.messages(1)} <= kinds
        assert small.info.settings["messages"] == kept
