"""Settings of a container by its environment."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import typer.main
from typer.core import TyperOption
from typer.testing import CliRunner

from broker.transport import endpoint
from tui.cli.app import app
from tui.cli.commands import clock, host, run

ROOT = Path(__file__).resolve().parents[3]
DEPLOY = ROOT / "docs" / "deploy.md"
BUNDLED = ROOT / "scenarios" / "bundled"
NO_SETTINGS = {"as_json", "install_completion", "show_completion"}
READ_ELSEWHERE = {endpoint.USER, endpoint.PASSWORD_FILE, endpoint.CA_FILE, endpoint.CERT_FILE, endpoint.KEY_FILE}
"""By `broker.transport.endpoint`, which weighs them against what the URL says."""


@pytest.mark.parametrize("command", [clock, host])
def test_every_setting_of_a_deployed_process_is_a_documented_environment_variable(command: ModuleType) -> None:
    """New settings are covered automatically."""
    written = DEPLOY.read_text(encoding="utf-8")
    parameters = typer.main.get_command(command.app).params
    options = [parameter for parameter in parameters if isinstance(parameter, TyperOption)]
    assert len(options) > 15
    for option in options:
        if option.name not in NO_SETTINGS:
            variable = option.envvar or f"SSMIC_{str(option.name).upper()}"
            assert option.envvar or variable in READ_ELSEWHERE, option.name
            assert f"`{variable}`" in written


@pytest.mark.parametrize("command", [clock, host, run])
def test_the_help_names_each_variable_that_sets_an_option(command: ModuleType) -> None:
    """Else a variable of the shell could change a run unnoticed."""
    for parameter in typer.main.get_command(command.app).params:
        if isinstance(parameter, TyperOption) and parameter.envvar:
            assert parameter.show_envvar, parameter.name


@pytest.mark.parametrize(
    ("value", "first_line"),
    [
        pytest.param("Haus 1", "Run 'r', Haus 1 at mqtt://127.0.0.1:1", marks=pytest.mark.long),
        ("Haus 1\nbrandt\n", "Run 'r', Haus 1, brandt at mqtt://127.0.0.1:1"),
        ("celik dorn", "ssmic: sunny: no house with devices has the id 'celik dorn'"),
    ],
)
def test_the_house_of_a_container_may_have_blanks_in_its_id(
    value: str, first_line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Click divides the variable of a repeatable option at blanks."""
    sunny = (BUNDLED / "sunny.yaml").read_text(encoding="utf-8")
    (tmp_path / "my.yaml").write_text(sunny.replace("adler", "Haus 1"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SSMIC_HOUSE", value)
    result = CliRunner().invoke(
        app, ["host", "my.yaml", "--broker", "mqtt://127.0.0.1:1", "--run", "r", "--limit", "1"]
    )
    assert first_line in result.stderr
