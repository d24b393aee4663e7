from .coverage_notes import (
    MoveStart as MoveStart,
    Remedy as Remedy,
    RunDays as RunDays,
    ScenarioNote as ScenarioNote,
    ShiftForecasts as ShiftForecasts,
    coverage_notes as coverage_notes,
)
from .energy_lines import (
    read_points as read_points,
    read_series as read_series,
)
from .measured_series import (
    MEASURED_SUFFIXES as MEASURED_SUFFIXES,
    MeasuredFormat as MeasuredFormat,
    MeasuredSeries as MeasuredSeries,
    head_of as head_of,
    read_measured as read_measured,
)
from .series_problems import (
    cap_problems as cap_problems,
    known as known,
    problems_of_series as problems_of_series,
)
from .series_sources import (
    MAX_TOLD as MAX_TOLD,
    SeriesReader as SeriesReader,
    constant_w as constant_w,
)
from .table_columns import (
    UNITS as UNITS,
)
from .table_times import (
    zone_of as zone_of,
)
from .tables import (
    forget_tables as forget_tables,
)

__all__ = [
    "MAX_TOLD",
    "MEASURED_SUFFIXES",
    "UNITS",
    "MeasuredFormat",
    "MeasuredSeries",
    "MoveStart",
    "Remedy",
    "RunDays",
    "ScenarioNote",
    "SeriesReader",
    "ShiftForecasts",
    "cap_problems",
    "constant_w",
    "coverage_notes",
    "forget_tables",
    "head_of",
    "known",
    "problems_of_series",
    "read_measured",
    "read_points",
    "read_series",
    "zone_of",
]
