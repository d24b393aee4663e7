"""A scenario as YAML that people like to read: a job a line, points in rows, times in quotes."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Any

from scenarios.errors import Problem, ScenarioWriteError
from scenarios.files.describe import describe
from scenarios.files.model import ScenarioFile
from scenarios.files.yaml_tree import resolve
from scenarios.scenario import Scenario

WIDTH = 120
"""Of a line of points."""
WIDTH_OF_ENTRY = 200
"""Of a line that says all of a job or a device."""

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./()+-]*(?: [A-Za-z0-9_./()+-]+)*", re.ASCII)
_NOT_PLAIN = frozenset({"y", "n", "yes", "no", "on", "off"})
"""Words that readers of YAML 1.1 take for true and false."""
_UNPRINTABLE = re.compile(
    '[^\\x20-\\x7e\\xa0-\\ud7ff\\ue000-\\ufefe\\uff00-\\ufffd\\U00010000-\\U0010ffff]|["\\\\\\u2028\\u2029]'
)
_SECTIONS = frozenset({"load_profiles", "houses", "jobs", "tariff"})


def save_scenario(scenario: Scenario | ScenarioFile, path: Path, *, schema: str | None = None) -> None:
    """Write a scenario to a YAML file; an existing one is replaced whole or not at all.

    Args:
        scenario: What to write.
        path: The file.
        schema: Path or URL of the JSON schema, for editors that complete keys by it.

    Raises:
        ScenarioError: No file makes this scenario, or the file cannot be written.
    """
    write_text(to_yaml(scenario, schema=schema), path)


def write_text(text: str, path: Path) -> None:
    """Write a text to a file; an existing one is replaced whole or not at all.

    Raises:
        ScenarioError: The file cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8", newline="\n")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ScenarioWriteError([Problem(str(path), f"cannot be written: {error.strerror}")]) from None


def to_yaml(scenario: Scenario | ScenarioFile, *, schema: str | None = None) -> str:
    """Return the text that `load_text` makes the same scenario of."""
    file = describe(scenario) if isinstance(scenario, Scenario) else scenario
    lines = [f"# yaml-language-server: $schema={schema}"] if schema else []
    content = file.model_dump(exclude_none=True, exclude_defaults=True)
    for key, value in content.items():
        if key in _SECTIONS:
            lines.append("")
        lines += block_lines({key: value}, 0)
    return "\n".join(lines) + "\n"


def block_lines(value: dict[str, Any] | list[Any], indent: int) -> list[str]:
    """Return a mapping or a list as lines."""
    lines = []
    items = value.items() if isinstance(value, dict) else ((None, item) for item in value)
    for key, item in items:
        start = " " * indent + ("-" if key is None else f"{scalar(key)}:")
        if _is_flat(item):
            one_line = f"{start} {flow_text(item)}"
            width = WIDTH_OF_ENTRY if isinstance(item, dict) and key is None else WIDTH
            if not isinstance(item, dict | list) or not item or len(one_line) <= width:
                lines.append(one_line)
                continue
            if isinstance(item, list):
                lines += [start, *_rows(item, indent + 2)]
                continue
        below = block_lines(item, indent + 2)
        if key is None:
            below[0] = f"{start} {below[0].lstrip()}"
        else:
            lines.append(start)
        lines += below
    return lines


def _is_flat(value: object) -> bool:
    """Return whether it reads well on one line: no mapping inside of anything."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return not any(isinstance(item, dict) or not _is_flat(item) for item in inner)


def _rows(items: list[Any], indent: int) -> list[str]:
    """Return a list of numbers or points, broken into lines."""
    lines = []
    line = " " * indent + "["
    for i, item in enumerate(items):
        text = flow_text(item) + ("]" if i == len(items) - 1 else ",")
        if len(line) + 1 + len(text) > WIDTH:
            lines.append(line)
            line = " " * (indent + 1) + text
        else:
            line += text if line.endswith(" [") else f" {text}"
    return [*lines, line]


def flow_text(value: object) -> str:
    """Return any value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(key)}: {flow_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow_text, value)) + "]"
    return scalar(value)


def scalar(value: object) -> str:
    """Return a scalar as YAML 1.1 and 1.2 both read it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        if not math.isfinite(value):
            return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
        if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        text = repr(value)
        return text if "." in text or "e" not in text else text.replace("e", ".0e")
    if isinstance(value, int):
        return str(value)
    text = str(value)
    plain = _PLAIN.fullmatch(text) and text.lower() not in _NOT_PLAIN and isinstance(resolve(text), str)
    return text if plain else '"' + _UNPRINTABLE.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    if char in '"\\':
        return f"\\{char}"
    if char == "\n":
        return "\\n"
    code = ord(char)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
