"""Scenarios as files: reading, checking and writing them; the format is `model.ScenarioFile`."""

from scenarios.files.load import bundled_names, check_scenario, load_scenario, load_text

__all__ = ["bundled_names", "check_scenario", "load_scenario", "load_text"]
