"""Settings of a container by its environment."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import typer.main
from typer.core import TyperOption

from broker.transport import endpoint
from tui.cli.commands import clock, host, run

DEPLOY = Path(__file__).resolve().parents[3] / "docs" / "deploy.md"
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
