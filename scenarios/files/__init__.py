"""Scenarios as files: reading, checking and writing them; the format is `model.ScenarioFile`."""

from scenarios.files.load import (
    Loaded,
    bundled_description,
    bundled_names,
    check_scenario,
    load,
    load_scenario,
    load_text,
)
from scenarios.files.write import save_scenario, to_yaml

__all__ = [
    "Loaded",
    "bundled_description",
    "bundled_names",
    "check_scenario",
    "load",
    "load_scenario",
    "load_text",
    "save_scenario",
    "to_yaml",
]
