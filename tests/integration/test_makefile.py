"""Set-up by `make`: also after a failed set-up, and without damaging one that works."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.patience import PATIENCE_WALL_S

PROJECT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed"),
    pytest.mark.timeout(900),  # environments are made, which takes a busy machine long
]

PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "tiny"
version = "1"
"""
BACKEND = '''\
"""Builds a wheel with one module, without a network; fails on request."""

import os
import zipfile


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    if "BROKEN" in os.environ:
        raise RuntimeError("the download broke")
    name = "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as wheel:
        wheel.writestr("tiny.py", "")
        wheel.writestr("tiny-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1\\n")
        wheel.writestr("tiny-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("tiny-1.dist-info/RECORD", "tiny.py,,\\n")
    return name
'''


_ENVIRONMENT = {
    name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON", "MAKE"))
} | {
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_NO_CACHE_DIR": "1",
}
"""A neutral environment: no other index, no pip cache, and no options of the make that runs the tests."""


class Folder:
    """A project as small as can be, with our Makefile."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.venv = path / ".venv"
        shutil.copy(PROJECT / "Makefile", path)
        (path / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
        (path / "backend.py").write_text(BACKEND, encoding="utf-8")
        (path / "constraints.txt").touch()

    def make(self, *arguments: str, **more: str) -> tuple[int, str]:
        """Set up; return the exit code and the output."""
        done = subprocess.run(
            ["make", f"PYTHON={sys.executable}", *arguments, ".venv/.installed"],
            cwd=self.path,
            env={**_ENVIRONMENT, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_WALL_S,
            check=False,
        )
        return done.returncode, done.stdout

    @property
    def works(self) -> bool:
        """Whether what was to be installed is there."""
        python = self.venv / "bin" / "python"
        return python.exists() and not subprocess.run([python, "-c", "import tiny"], check=False).returncode

    def python_that(self, shadowed: str) -> str:
        """Return a Python that lacks a module."""
        modules = self.path / "shadow"
        modules.mkdir()
        (modules / f"{shadowed}.py").write_text(f"raise ImportError('no {shadowed}')", encoding="utf-8")
        python = self.path / "faked-python"
        python.write_text(f'#!/bin/sh\nPYTHONPATH={modules} exec {sys.executable} "$@"\n', encoding="utf-8")
        python.chmod(0o755)
        return str(python)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder in which nothing is set up."""
    return Folder(tmp_path)


def test_a_python_without_ensurepip_is_reported(folder: Folder) -> None:
    """The error names the missing package; nothing remains, and the next attempt uses another Python."""
    code, said = folder.make(f"PYTHON={folder.python_that('ensurepip')}")
    assert code != 0
    assert "apt install python3-venv" in said
    assert "make PYTHON=" in said
    assert "Traceback" not in said
    assert not folder.venv.exists()
    assert folder.make()[0] == 0
    assert folder.works


def test_an_incomplete_environment_is_recreated(folder: Folder) -> None:
    """Earlier releases left one if Python had no ensurepip."""
    venv.create(folder.venv, with_pip=False, symlinks=True)
    code, said = folder.make()
    assert code == 0, said
    assert folder.works


def test_an_installation_that_fails_is_started_over(folder: Folder) -> None:
    """The error is reported and leftovers are removed; a later failure does not damage a working set-up."""
    file = folder.path / "pyproject.toml"
    file.write_text(PYPROJECT.replace("requires = []", 'requires = ["setuptools>=61"]'), encoding="utf-8")
    code, said = folder.make(PIP_INDEX_URL="http://127.0.0.1:1/simple", PIP_RETRIES="0")
    assert code != 0
    assert "the index that PIP_INDEX_URL names" in said
    assert "run make again: it starts over" in said
    (folder.venv / "left").touch()

    file.write_text(PYPROJECT, encoding="utf-8")
    assert folder.make()[0] == 0
    assert folder.works
    assert not (folder.venv / "left").exists()

    file.touch()
    assert folder.make(BROKEN="1")[0] != 0
    assert folder.works
    assert folder.make()[0] == 0


def test_a_folder_that_is_not_an_environment_is_left_alone(folder: Folder) -> None:
    """It belongs to the user."""
    folder.venv.mkdir()
    (folder.venv / "thesis.txt").touch()
    code, said = folder.make()
    assert code != 0
    assert ".venv exists but is not a virtual environment" in said
    assert (folder.venv / "thesis.txt").exists()


def test_a_missing_python_is_named(folder: Folder) -> None:
    """The error states what to install, and how to choose another Python."""
    code, said = folder.make("PYTHON=no-such-python")
    assert code != 0
    assert "no-such-python was not found" in said
    assert "make PYTHON=" in said
