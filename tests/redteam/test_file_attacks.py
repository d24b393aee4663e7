"""Attacks by the content of a scenario: ids that are rules or commands elsewhere, and endless inputs."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from broker.protocol import topics
from broker.security.acl import rights_of
from broker.transport.filters import matches
from tui.cli.app import app

HOSTILE_IDS = (
    "+", "#", "a/b", "..", ".", "%2E", "$SYS", "a:b", "$HOME", "$(id)", "a: b", '"q', "`id`", "'q", "user x", "- a",
)  # fmt: skip


def scenario(folder: Path, ids: tuple[str, ...] = HOSTILE_IDS) -> Path:
    """Write a scenario with a house for each id, each with one device."""
    houses = [{"id": name, "devices": [{"id": f"d{i}", "type": "consumer"}]} for i, name in enumerate(ids)]
    head = {"version": 1, "name": "hostile", "seed": 1, "start": "2026-06-21T00:00:00Z"}
    file = folder / "s.yaml"
    file.write_text(yaml.safe_dump(head | {"houses": houses}), encoding="utf-8")
    return file


def run(*arguments: str | Path) -> str:
    """Run a command that succeeds; return its output."""
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_52_an_id_is_no_wildcard_no_path_and_no_rule(tmp_path: Path) -> None:
    """It remains one topic level, one folder and one login; its permissions cover no topic of another."""
    run("broker", "init", tmp_path / "guard", scenario(tmp_path))
    logins = tmp_path / "guard" / "logins"
    assert len(list(logins.iterdir())) >= len(HOSTILE_IDS)
    assert {path.parent for path in tmp_path.rglob("password")} == set(logins.iterdir())
    users = {line.partition(":")[0] for line in (tmp_path / "guard/broker/passwords").read_text().splitlines()}
    assert {topics.encode(name) for name in HOSTILE_IDS} <= users
    for name in HOSTILE_IDS:
        rights = rights_of(name, HOSTILE_IDS, ("manager",))
        for other in HOSTILE_IDS:
            own = other == name
            assert any(matches(right, topics.done("r", other)) for right in rights.write) == own, (name, other)
            assert any(matches(right, topics.grant("r", other)) for right in rights.read) == own, (name, other)


def test_52_an_id_with_a_line_of_rules_is_refused(tmp_path: Path) -> None:
    """No file is written for it."""
    file = scenario(tmp_path, ("a\ntopic readwrite #",))
    result = CliRunner().invoke(app, ["broker", "init", str(tmp_path / "guard"), str(file)])
    assert result.exit_code == 3
    assert "line break" in result.stderr
    assert not (tmp_path / "guard").exists()


def test_53_no_other_user_reads_a_guard(tmp_path: Path) -> None:
    """Folders are 0700 and files 0600, from the top on."""
    run("broker", "init", tmp_path / "guard", scenario(tmp_path, ("adler", "brandt")))
    for path in [tmp_path / "guard", *(tmp_path / "guard").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_70_an_id_adds_nothing_to_a_compose_file(tmp_path: Path) -> None:
    """It adds no service, key or variable: it is a quoted argument in which `$` is doubled."""
    honest = yaml.safe_load(run("compose", scenario(tmp_path, ("adler",))))
    file = yaml.safe_load(run("compose", scenario(tmp_path)))
    houses = {name: service for name, service in file["services"].items() if name not in honest["services"]}
    assert len(houses) == len(HOSTILE_IDS)
    assert {frozenset(service) for service in houses.values()} == {frozenset(honest["services"]["house-adler"])}
    said = [word.replace("$$", "\0") for service in houses.values() for word in service["command"]]
    assert not [word for word in said if "$" in word]
    assert set(HOSTILE_IDS) <= {word.replace("\0", "$") for word in said}


@pytest.mark.parametrize(
    "content",
    [
        "houses: &a [*a]\n",
        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n"
        + "".join(
            f"k{i}: &k{i} [*{'c' if not i else f'k{i - 1}'}, *{'c' if not i else f'k{i - 1}'}]\n" for i in range(60)
        ),
        "houses: " + "[" * 100_000,
        "houses: !!python/object/apply:os.system ['touch ran']\n",
        "seed: " + "9" * 1_000_000 + "\n",
    ],
    ids=["an alias of itself", "an alias bomb", "100,000 brackets", "a Python object", "a million digits"],
)
def test_66_an_input_made_to_exhaust_the_machine_is_refused(tmp_path: Path, content: str) -> None:
    """There is one error, and none of the input is executed."""
    file = tmp_path / "s.yaml"
    file.write_text(content, encoding="utf-8")
    result = CliRunner().invoke(app, ["check", str(file)])
    assert result.exit_code == 3, result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom"])
def test_66_an_endless_device_is_refused(tmp_path: Path, device: str) -> None:
    """It is refused as a scenario, and as a file that a scenario names."""
    result = CliRunner().invoke(app, ["check", device])
    assert result.exit_code in {2, 3}, result.output
    file = tmp_path / "s.yaml"
    file.write_text(f"include: {device}\n", encoding="utf-8")
    result = CliRunner().invoke(app, ["check", "--allow-outside", str(file)])
    assert result.exit_code == 3, result.output
