from .build import (
    JobIds as JobIds,
    build_scenario as build_scenario,
)
from .document import (
    Document as Document,
)
from .dump import (
    block_lines as block_lines,
    consumer_entry as consumer_entry,
    natural_order as natural_order,
    producer_entry as producer_entry,
    profile_entries as profile_entries,
    save_scenario as save_scenario,
    to_yaml as to_yaml,
    write_text as write_text,
)
from .entries import (
    KEYS_OF_TABLE as KEYS_OF_TABLE,
    ProductionEntry as ProductionEntry,
)
from .file_reading import (
    check_inside as check_inside,
    lines_of as lines_of,
    read_bytes as read_bytes,
    read_text as read_text,
)
from .key_paths import (
    UnknownKeyError as UnknownKeyError,
    keys_inside as keys_inside,
    paths_of as paths_of,
    plain_value as plain_value,
    put as put,
    takes_single_value as takes_single_value,
)
from .lab_faults import (
    load_faults as load_faults,
)
from .model import (
    VERSION as VERSION,
    CommunityEntry as CommunityEntry,
    LoadProfileEntry as LoadProfileEntry,
    ScenarioFile as ScenarioFile,
)
from .problems import (
    KeyPath as KeyPath,
    ProblemCollector as ProblemCollector,
    YamlValue as YamlValue,
    locate_in as locate_in,
    path_in_words as path_in_words,
)
from .scenario_from_text import (
    load_text as load_text,
    parse_content as parse_content,
    plain_content as plain_content,
)
from .series import (
    MEASURED_SUFFIXES as MEASURED_SUFFIXES,
    UNITS as UNITS,
    MeasuredFormat as MeasuredFormat,
    MeasuredSeries as MeasuredSeries,
    MoveStart as MoveStart,
    Remedy as Remedy,
    RunDays as RunDays,
    ScenarioNote as ScenarioNote,
    SeriesReader as SeriesReader,
    ShiftForecasts as ShiftForecasts,
    cap_problems as cap_problems,
    coverage_notes as coverage_notes,
    head_of as head_of,
    known as known,
    problems_of_series as problems_of_series,
    read_measured as read_measured,
    read_points as read_points,
    read_series as read_series,
    zone_of as zone_of,
)
from .timeline import (
    EVENT_ENTRIES as EVENT_ENTRIES,
    event_action as event_action,
)
from .times import (
    MAX_SPAN_S as MAX_SPAN_S,
    MAX_TIME_S as MAX_TIME_S,
    counts_from_start as counts_from_start,
    duration_s as duration_s,
    format_after_start as format_after_start,
    format_iso as format_iso,
    offset_of as offset_of,
    parse_moment as parse_moment,
    parse_time as parse_time,
)
from .validation import (
    make_file as make_file,
)
from .variables import (
    meaning as meaning,
)
from .yaml_nodes import (
    line_of as line_of,
    parse_yaml as parse_yaml,
)

__all__ = [
    "EVENT_ENTRIES",
    "KEYS_OF_TABLE",
    "MAX_SPAN_S",
    "MAX_TIME_S",
    "MEASURED_SUFFIXES",
    "UNITS",
    "VERSION",
    "CommunityEntry",
    "Document",
    "JobIds",
    "KeyPath",
    "LoadProfileEntry",
    "MeasuredFormat",
    "MeasuredSeries",
    "MoveStart",
    "ProblemCollector",
    "ProductionEntry",
    "Remedy",
    "RunDays",
    "ScenarioFile",
    "ScenarioNote",
    "SeriesReader",
    "ShiftForecasts",
    "UnknownKeyError",
    "YamlValue",
    "block_lines",
    "build_scenario",
    "cap_problems",
    "check_inside",
    "consumer_entry",
    "counts_from_start",
    "coverage_notes",
    "duration_s",
    "event_action",
    "format_after_start",
    "format_iso",
    "head_of",
    "keys_inside",
    "known",
    "line_of",
    "lines_of",
    "load_faults",
    "load_text",
    "locate_in",
    "make_file",
    "meaning",
    "natural_order",
    "offset_of",
    "parse_content",
    "parse_moment",
    "parse_time",
    "parse_yaml",
    "path_in_words",
    "paths_of",
    "plain_content",
    "plain_value",
    "problems_of_series",
    "producer_entry",
    "profile_entries",
    "put",
    "read_bytes",
    "read_measured",
    "read_points",
    "read_series",
    "read_text",
    "save_scenario",
    "takes_single_value",
    "to_yaml",
    "write_text",
    "zone_of",
]
