"""Scenarios as files: reading, checking and writing them; the format is `model.ScenarioFile`."""

from scenarios.files.parse import load_text
from scenarios.files.write import save_scenario, to_yaml

__all__ = ["load_text", "save_scenario", "to_yaml"]
