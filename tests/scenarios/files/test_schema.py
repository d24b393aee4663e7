"""The JSON schema: committed, and what the model says."""

from __future__ import annotations

import json

from scenarios.files.model import ScenarioFile
from scenarios.files.schema import SCHEMA_FILE, schema_text


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
