"""The JSON schema: committed, and what the model says."""

from __future__ import annotations

import json

from jsonschema import Draft202012Validator

from scenarios.files.model import ScenarioFile
from scenarios.files.schema import SCHEMA_FILE, schema_text
from scenarios.files.yaml_nodes import parse_yaml
from scenarios.load import bundled_text


def test_the_committed_schema_is_up_to_date() -> None:
    """It equals the generated one to the byte."""
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), "run `python -m scenarios.files.schema`"


def test_it_knows_every_key_and_explains_it() -> None:
    """Editors complete keys by it, and show what they mean."""
    schema = json.loads(schema_text())

    assert set(schema["properties"]) == set(ScenarioFile.model_fields)
    assert set(schema["required"]) == {"version", "name", "start", "seed", "houses"}
    assert schema["additionalProperties"] is False
    parts = [schema, *schema["$defs"].values()]
    unexplained = [
        key
        for part in parts
        for key, value in part["properties"].items()
        if key != "type" and "description" not in value
    ]
    assert unexplained == []


def test_a_variable_may_stand_for_every_value() -> None:
    """Editors flag neither it nor lists among the variables; other text in the place of a number is flagged."""
    text = bundled_text("cloud-front")
    for old, new in (
        ("days: 1", "days: ${x}"), ("factor: 0.15", 'factor: "${x}"'), ('"08:00"', '"${x}"'), ("0.35", "${x}"),
        ("[2000, 400,", '[2000, "${x}",'), ("patient: true", "patient: ${x}"),
    ):  # fmt: skip
        text = text.replace(old, new)
    validator = Draft202012Validator(json.loads(schema_text()))
    assert [error.message for error in validator.iter_errors(parse_yaml(text + "vars: {x: [1]}\n", "x"))] == []
    assert not validator.is_valid(parse_yaml(text.replace("days: ${x}", "days: soon"), "x"))
