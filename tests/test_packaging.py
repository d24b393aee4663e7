"""The installed packages are complete: they are listed by name, and users would miss a forgotten one."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("agents", "broker", "scenarios", "ssmic", "tui")


def test_every_folder_with_code_or_data_is_listed() -> None:
    """The list in pyproject.toml is what setuptools installs."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        setuptools = tomllib.load(file)["tool"]["setuptools"]

    here = {
        path.parent.relative_to(ROOT).as_posix().replace("/", ".")
        for layer in LAYERS
        for path in (ROOT / layer).rglob("*.*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert set(setuptools["packages"]) == here


def test_every_file_that_is_not_code_ships() -> None:
    """Bundled scenarios, styles, templates: each matches a pattern of its package's data."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        data = tomllib.load(file)["tool"]["setuptools"]["package-data"]

    for layer in LAYERS:
        for path in (ROOT / layer).rglob("*.*"):
            if path.is_file() and path.suffix not in {".py", ".pyc"}:
                package = path.parent.relative_to(ROOT).as_posix().replace("/", ".")
                assert any(path.match(pattern) for pattern in [*data["*"], *data.get(package, [])]), path.relative_to(
                    ROOT
                )


def test_the_image_is_built_from_what_docker_is_given() -> None:
    """A file that `.dockerignore` excludes is not there when the Dockerfile copies it."""
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert lines.count("*") == 1
    assert {name for line in copied for name in line.split()} == {line[1:] for line in lines if line.startswith("!")}


def test_the_image_keeps_the_stubs_that_packages_read(tmp_path: Path) -> None:
    """A package without its stub cannot be imported, so what slims the image leaves it."""
    shutil.copy(ROOT / "agents" / "__init__.pyi", tmp_path)
    (tmp_path / "typing.pyi").touch()
    commands = re.findall(r"find /opt/ssmic (.* -delete)", (ROOT / "Dockerfile").read_text(encoding="utf-8"))

    assert commands
    for command in commands:
        subprocess.run(f"find . {command}", shell=True, cwd=tmp_path, check=True)  # noqa: S602 - the project's own

    assert [file.name for file in tmp_path.iterdir()] == ["__init__.pyi"]


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_finds_nothing_to_warn_about() -> None:
    """No target is defined twice."""
    planned = subprocess.run(["make", "--dry-run", "check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (planned.returncode, planned.stderr) == (0, "")
