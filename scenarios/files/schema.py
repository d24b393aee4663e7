"""JSON schema of scenario files, for editors with completion and validation.

`python -m scenarios.files.schema` regenerates the file next to this module.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scenarios.files.model import ScenarioFile

SCHEMA_FILE = Path(__file__).with_name("scenario.schema.json")
_FORMS: dict[str, tuple[tuple[str, ...], ...]] = {
    "LoadProfileEntry": (("points",), ("file",), ("step_s", "power_w")),
    "BaseLoadEntry": (("constant_w",), ("points",), ("file",), ("start", "step_s", "power_w")),
    "ProductionEntry": (("points",), ("file",), ("start", "step_s", "power_w")),
    "PredictionEntry": (("points",), ("file",), ("start", "step_s", "power_w")),
}
"""Keys of the forms of an energy series; an entry has exactly one form."""


_VARIABLE = {"type": "string", "pattern": r"\$\{[^}]+\}"}
"""`${name}`, which is replaced by a value of `vars`."""
_LITERAL = frozenset({"vars", "include"})
"""Keys whose values are used before variables are known."""


def schema_text() -> str:
    """Return the schema as text, as in `SCHEMA_FILE`."""
    schema = ScenarioFile.model_json_schema()
    for entry in schema["$defs"].values():
        if "when" in entry.get("properties", {}) and "at" in entry["properties"]:
            entry["oneOf"] = [{"required": ["at"]}, {"required": ["when"]}]
    for name, forms in _FORMS.items():
        schema["$defs"][name]["oneOf"] = [{"required": list(keys)} for keys in forms]
    clean = _without_nulls(schema)
    for part in (clean, *clean["$defs"].values()):
        part["properties"] = {
            key: value if key in _LITERAL else _or_variable(value) for key, value in part["properties"].items()
        }
    content = {"$schema": "https://json-schema.org/draft/2020-12/schema", **clean}
    return json.dumps(content, indent=2) + "\n"


def _without_nulls(node: Any) -> Any:  # noqa: ANN401 - any JSON
    """Remove `null` and titles: an optional key is left out, not null."""
    if isinstance(node, list):
        return [_without_nulls(item) for item in node]
    if not isinstance(node, dict):
        return node
    clean = {
        key: {name: _without_nulls(item) for name, item in value.items()}
        if key in ("properties", "$defs")
        else _without_nulls(value)
        for key, value in node.items()
        if not (key == "title" and isinstance(value, str)) and not (key == "default" and value is None)
    }
    options = clean.get("anyOf")
    if options and {"type": "null"} in options:
        options = [option for option in options if option != {"type": "null"}]
        clean["anyOf"] = options
        if len(options) == 1:
            del clean["anyOf"]
            clean = {**options[0], **clean}
    return clean


def _or_variable(node: dict[str, Any]) -> dict[str, Any]:
    """Allow a variable in place of a value, and of each value in it."""
    node = dict(node)
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            node[key] = _or_variable(node[key])
    if "prefixItems" in node:
        node["prefixItems"] = [_or_variable(item) for item in node["prefixItems"]]
    for key in ("anyOf", "oneOf"):
        if key in node:
            options = [_or_variable(option) if option.get("type") == "array" else option for option in node[key]]
            options = [option["anyOf"][0] if "anyOf" in option else option for option in options]
            return {**node, key: options if any(map(_takes_text, options)) else [*options, _VARIABLE]}
    if "const" in node or _takes_text(node):
        return node
    description = {"description": node.pop("description")} if "description" in node else {}
    return {"anyOf": [node, _VARIABLE], **description}


def _takes_text(node: dict[str, Any]) -> bool:
    kinds = node.get("type")
    return (kinds == "string" or (isinstance(kinds, list) and "string" in kinds)) and not node.keys() & {
        "pattern",
        "enum",
        "const",
    }


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8", newline="\n")
