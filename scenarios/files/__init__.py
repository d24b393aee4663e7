"""The YAML scenario format: reading, validating, editing and writing."""

from scenarios.files.build import MAX_DAYS, RESERVED, JobIds, build_scenario
from scenarios.files.coverage import MoveStart, Note, Remedy, RunDays, ShiftForecasts, coverage_notes
from scenarios.files.document import Document
from scenarios.files.dump import consumer_entry, natural_order, producer_entry, profile_entries, save_scenario, to_yaml
from scenarios.files.model import VERSION, LoadProfileEntry, ProductionEntry, ScenarioFile
from scenarios.files.parse import load_text
from scenarios.files.problems import KeyPath, ProblemCollector, in_words, locate_in, suggest
from scenarios.files.read import lines_of, read_bytes, read_text
from scenarios.files.series import SeriesReader, cap_problems, known, read_points, read_series, series_problems
from scenarios.files.times import MAX_TIME_S, counts_from_start, format_after_start, format_iso, offset_of, parse_time
from scenarios.files.validation import make_file
from scenarios.files.yaml_nodes import line_of, parse_yaml

__all__ = [
    "MAX_DAYS",
    "MAX_TIME_S",
    "RESERVED",
    "VERSION",
    "Document",
    "JobIds",
    "KeyPath",
    "LoadProfileEntry",
    "MoveStart",
    "Note",
    "ProblemCollector",
    "ProductionEntry",
    "Remedy",
    "RunDays",
    "ScenarioFile",
    "SeriesReader",
    "ShiftForecasts",
    "build_scenario",
    "cap_problems",
    "consumer_entry",
    "counts_from_start",
    "coverage_notes",
    "format_after_start",
    "format_iso",
    "in_words",
    "known",
    "line_of",
    "lines_of",
    "load_text",
    "locate_in",
    "make_file",
    "natural_order",
    "offset_of",
    "parse_time",
    "parse_yaml",
    "producer_entry",
    "profile_entries",
    "read_bytes",
    "read_points",
    "read_series",
    "read_text",
    "save_scenario",
    "series_problems",
    "suggest",
    "to_yaml",
]
