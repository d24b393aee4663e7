"""docker-compose.yml, and what `ssmic compose` writes for others, as Compose itself reads it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from tui.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
ARGUMENTS = (
    ("street",),
    ("scarce", "--client-certificates"),
    ("village", "--image", "registry.example/ssmic:1"),
    ("street", "--secrets", "guard", "--central"),
    ("street", "--secrets", "guard", "--house", "adler", "--broker", "mqtts://broker.example:8883"),
)
MISTAKES = (
    ("restart: on-failure", "restart: sometimes"),
    ("condition: service_healthy", "condition: service_well"),
    ("cap_drop:", "cap_dropped:"),
    ("interval: 10s", "interval: soon"),
    ("user:", "usr:"),
)


@pytest.fixture(params=ARGUMENTS, ids=" ".join)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A Compose file, as the command writes it."""
    result = CliRunner().invoke(app, ["compose", *request.param])
    assert result.exit_code == 0, result.stderr
    written = tmp_path / "docker-compose.yml"
    written.write_text(result.stdout, encoding="utf-8")
    return written


def checked(text: str) -> list[str]:
    """Read a Compose file strictly by the Compose Specification, variables and merges resolved; return its services.

    Raises:
        ValueError: it does not follow the specification.
    """
    specification = pytest.importorskip("compose_spec", reason="needs compose-spec, which there is for Linux")
    plain = yaml.safe_dump(yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)))
    return list(specification.PyCompose.from_yaml(plain).service_names())


def test_it_follows_the_compose_specification(file: Path) -> None:
    """Every key, value, duration and condition."""
    text = file.read_text(encoding="utf-8")
    assert set(checked(text)) == set(yaml.safe_load(text)["services"])


@pytest.mark.parametrize("mistake", MISTAKES, ids=[wrong for _, wrong in MISTAKES])
def test_a_mistake_in_it_would_be_found(mistake: tuple[str, str]) -> None:
    """The check above is not satisfied with anything."""
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert mistake[0] in text
    with pytest.raises(ValueError, match="services"):
        checked(text.replace(*mistake))


def test_compose_itself_accepts_it(file: Path) -> None:
    """This needs `docker compose config`, but no engine."""
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("needs Docker Compose 2")
    done = subprocess.run(
        [docker, "compose", "-f", file, "--profile", "watch", "config", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_certificate_without_the_name_in_the_containers_is_noted(tmp_path: Path) -> None:
    """The clock's container could not connect, with the commands of docs/deploy.md."""
    guard = tmp_path / "guard"

    def composed(*names: str) -> str:
        options = [option for name in names for option in ("--name", name)]
        assert CliRunner().invoke(app, ["broker", "init", str(guard), "street", *options]).exit_code == 0
        written = CliRunner().invoke(app, ["compose", "street", "--secrets", str(guard), "--central"])
        assert written.exit_code == 0
        return " ".join(written.stderr.split())

    assert f"before `docker compose up`: ssmic broker init {guard} --name broker" in composed("broker.example")
    assert composed("broker") == ""
    elsewhere = ("--house", "adler", "--broker", "mqtts://broker.example:8883")
    written = CliRunner().invoke(app, ["compose", "street", "--secrets", str(guard), *elsewhere])
    assert "name `broker`" not in written.stderr


def test_the_documented_certificate_has_the_name_in_the_containers() -> None:
    """Of the central machine's broker."""
    text = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^ssmic broker init guard my\.yaml .*", text, re.MULTILINE)
    assert "--name broker " in command
    assert "--name broker.example" in command
