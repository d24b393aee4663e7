"""What users copy from the documentation works: commands with their options, parts of scenarios, queries, payloads."""

from __future__ import annotations

import inspect
import json
import re
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import typer.main
import yaml

import ssmic
from scenarios.devices.adapters import ADAPTERS
from scenarios.load import bundled_names, bundled_text, load_scenario
from scenarios.sweep import SweepRequest, plan_sweep
from tui.cli.app import app
from tui.cli.commands import sweep as sweep_command

PAGES = (Path("README.md"), Path("benchmarks/README.md"), *sorted(Path("docs").glob("*.md")))
_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


def _snippets(page: str, language: str) -> list[str]:
    """Return the blocks of a page in a language, in order; empty: those of commands."""
    return [content for of, content in _BLOCK.findall(Path(page).read_text(encoding="utf-8")) if of == language]


def _commands(line: str) -> Iterator[list[str]]:
    """Yield the words after `ssmic` of each command in a line."""
    words = shlex.shlex(line, posix=True, punctuation_chars=True)
    words.whitespace_split, words.commenters = True, ""
    command: list[str] | None = None
    is_first = True
    for word in words:
        if set(word) <= set("();<>|&"):
            if command is not None:
                yield command
            command, is_first = None, True
        elif command is not None:
            command.append(re.sub(r"^\[(?=-)|(?<=[A-Z])\]$", "", word))
        elif is_first and word in {"ssmic", ".venv/bin/ssmic"}:
            command = []
        else:
            is_first = is_first and ("=" in word or word in {"sudo", "time", "do"})
    if command is not None:
        yield command


def _documented() -> Iterator[tuple[Path, list[str]]]:
    """Yield the commands of all pages, from blocks and from the text."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = [re.sub(r"(^|\s)#.*", "", content) for of, content in _BLOCK.findall(text) if not of]
        inline = re.findall(r"(?<!`)`(ssmic [^`]+)`(?!`)", _BLOCK.sub("", text))
        lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if "ssmic" in line]
        for line in (*lines, *(" ".join(command.split()) for command in inline)):
            for command in _commands(line.replace("...", "")):
                yield page, command


def _problems(words: list[str]) -> Iterator[str]:
    """Yield what is wrong with a command."""
    command: Any = typer.main.get_command(app)
    expected: Any = None
    for word in words:
        if word.startswith("-") and not re.fullmatch(r"-\d.*", word):
            name, _, value = word.partition("=")
            options = (option for option in command.params if name in (*option.opts, *option.secondary_opts))
            expected = next(options, None)
            if expected is None and name not in {"--help", "-h"}:
                yield f"{' '.join(words)}: {command.name} has no option {name}"
            if expected is not None and (expected.is_flag or value):
                expected = None
        elif expected is not None:
            annotation = getattr(getattr(expected, "type_descriptor", None), "annotation", None)
            choices = get_args(annotation) if get_origin(annotation) is Literal else ()
            if choices and word not in choices and not word.isupper():
                yield f"{' '.join(words)}: {word} is none of {', '.join(map(str, choices))}"
            expected = None
        elif hasattr(command, "get_command"):
            inner = command.get_command(typer.Context(command), word)
            if inner is None:
                yield f"{' '.join(words)}: {command.name} has no command {word}"
                return
            command = inner


def test_every_documented_command_exists_with_its_options() -> None:
    """Options are renamed and removed; a copied command then ends in an error."""
    documented = list(_documented())
    assert len(documented) > 150
    wrong = [f"{page}: {problem}" for page, words in documented for problem in _problems(words)]
    assert wrong == []


def test_every_example_of_a_sweep_can_be_planned() -> None:
    """Its keys exist, and its values fit the scenario."""
    lines = (line.strip() for line in inspect.getsource(sweep_command).splitlines())
    help_lines = [line for line in lines if line.startswith("ssmic sweep ")]
    examples = [words for line in help_lines for words in _commands(line)]
    examples += [words for _, words in _documented() if words[:1] == ["sweep"]]
    planned = 0
    for _, source, *options in (words for words in examples if len(words) > 2 and words[1] in bundled_names()):
        values = [
            (name, value) for name, value in pairwise(options) if name in {"--vary", "--set", "--zip", "--sample"}
        ]
        vary, fixed, together, samples = (
            tuple(value for name, value in values if name == option)
            for option in ("--vary", "--set", "--zip", "--sample")
        )
        if any(value.endswith(",latest") for value in vary):
            continue  # a scheduler of the example plug-ins
        sample = int(samples[0]) if samples else None
        plan_sweep(SweepRequest(source, vary, fixed, seeds=1, sample=sample, together=together))
        planned += 1
    assert planned > 8


def _bundled(name: str) -> dict[str, Any]:
    """Return the content of the file of a bundled scenario."""
    content: dict[str, Any] = yaml.safe_load(bundled_text(name))
    return content


@pytest.mark.parametrize(
    ("page", "number", "bundled"),
    [
        ("docs/scripts.md", 0, "cloud-front"),
        ("docs/scripts.md", 1, "cloud-front"),
        ("docs/settlement.md", 0, "street"),
        ("docs/lab.md", 0, "street"),
    ],
)
def test_documented_parts_of_a_scenario_fit_a_bundled_one(tmp_path: Path, page: str, number: int, bundled: str) -> None:
    """Events, expectations, prices with a community, faults."""
    part = yaml.safe_load(_snippets(page, "yaml")[number])
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**_bundled(bundled), **part}))

    loaded = load_scenario(tmp_path / "mine.yaml")
    assert loaded.timeline or loaded.expectations or loaded.community or loaded.faults


def test_documented_measured_data_are_read(tmp_path: Path) -> None:
    """Production, load profile and base load of the page on data."""
    for name, header in (
        ("export.csv", "Zeitstempel;PV [kWh]"),
        ("plug.csv", "time;W"),
        ("smart-meter.csv", "time;Consumption [kWh]"),
    ):
        hours = (f"2026-06-21 {hour:02}:00;{hour % 5}" for hour in range(24))
        (tmp_path / name).write_text("\n".join([header, *hours]))
    production, profiles, base_loads = map(yaml.safe_load, _snippets("docs/data.md", "yaml"))
    street = _bundled("street")
    houses = {house["id"]: house for house in street["houses"]}
    panels = next(device for device in houses["adler"]["devices"] if device["type"] == "producer")
    panels["actual"] = production["actual"]
    for house in base_loads["houses"]:
        houses[house["id"]] |= house
    street.setdefault("load_profiles", {}).update(profiles["load_profiles"])
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(street))

    assert set(load_scenario(tmp_path / "mine.yaml").base_loads) >= {"adler", "brandt", "celik"}


def test_documented_gateways_are_accepted(tmp_path: Path) -> None:
    """Each adapter with the options that the page on devices gives it, as text: YAML 1.1 takes `on` for true."""
    joining, adapters, generic, waiting = _snippets("docs/devices.md", "yaml")
    text = f"{adapters}\n{generic}".replace("00158d00...", "00158d0001234567")
    entries = re.split(r"^gateway:", text, flags=re.MULTILINE)[1:]
    entries.append(waiting.removeprefix("gateway:").replace("A1B2C3", "another"))
    devices = [
        f"      - id: device-{n}\n        type: {'producer' if 'dtu' in entry else 'consumer'}\n        gateway:"
        + entry.rstrip().replace("\n", "\n        ")
        for n, entry in enumerate(entries)
    ]
    (tmp_path / "mine.yaml").write_text(
        "version: 1\nname: devices\nstart: 2026-06-21T00:00:00+02:00\nseed: 1\njobs: []\n"
        "load_profiles: {eco40: {step_s: 600, power_w: [2000, 400]}}\n" + joining + "\n".join(devices)
    )

    gateways = load_scenario(tmp_path / "mine.yaml").gateways.values()
    assert {gateway.id for gateway in gateways} >= {f"device-{n}" for n in range(len(entries))}
    assert {gateway.adapter for gateway in gateways} == {*ADAPTERS, "s2", "ssmic"}


def test_every_documented_payload_is_json() -> None:
    """The page on devices is all that the author of a device has."""
    payloads = _snippets("docs/devices.md", "json")
    assert len(payloads) > 8
    for payload in payloads:
        rest = payload.strip() if payload.startswith("{") else f"{{{payload}}}"
        while rest:
            _, end = json.JSONDecoder().raw_decode(rest)
            rest = rest[end:].strip()


@pytest.mark.long
def test_documented_queries_and_frames_of_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page on other tools: frames of pandas, and SQL that DuckDB sends to the files; here SQLite answers it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    ssmic.run("street", out=Path("results/street.sqlite"), reset_scores=True, bus="memory")
    ssmic.sweep("night", seeds=2, out=Path("sweep.sqlite"))
    page = str(Path(__file__).parents[1] / "docs" / "elsewhere.md")
    (frames,) = _snippets(page, "python")
    exec(compile(frames, page, "exec"), {})  # noqa: S102 - our own page
    _, attached = _snippets(page, "sql")
    queries = [query for query in attached.split(";") if re.search("ATTACH|SELECT", query)]
    assert len(queries) == 4
    with closing(sqlite3.connect(":memory:")) as connection:
        for query in queries:
            plain = query.replace(" (TYPE sqlite, READ_ONLY)", "").replace("to_timestamp(", "datetime(")
            rows = connection.execute(plain).fetchall()
            assert rows or "ATTACH" in query
