"""`--messages`: a smaller file with the same contracts and figures."""

from __future__ import annotations

import json
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


def test_expectations_on_messages_do_not_depend_on_the_messages_kept(tmp_path: Path) -> None:
    """Messages are counted by kind, up to the expectation's time, also where the file does not keep them."""
    text = CliRunner().invoke(app, ["scenarios", "show", "sunny"]).output
    own = """expect:
  - messages.Request > 0 and messages.Cancel == 0
  - {that: messages > 0 and messages.Request >= messages.Decline, at: "09:00"}
  - {that: messages.Promised == 0, at: "00:00"}
"""
    (tmp_path / "own.yaml").write_text(text[: text.index("expect:")] + own, encoding="utf-8")
    verdicts = {}
    for kept in ("all", "contracts", "none"):
        arguments = [
            "run",
            str(tmp_path / "own.yaml"),
            "--bus",
            "memory",
            "--reset-scores",
            "--messages",
            kept,
            "--json",
        ]
        outcome = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / f"{kept}.sqlite")])
        verdicts[kept] = [one["values"] for one in json.loads(outcome.stdout)["runs"][0]["expectations"]]
    assert len(verdicts["all"]) == 3
    assert verdicts["contracts"] == verdicts["none"] == verdicts["all"]
    assert outcome.exit_code == 0, outcome.output
