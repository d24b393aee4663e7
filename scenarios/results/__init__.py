"""Results files: SQLite databases written during a run; readers, views, summaries and exports."""

from scenarios.results.connection import (
    FigureFormatError,
    ResultsError,
    ResultsExistError,
    ResultsWriteError,
    SameSimulationError,
    record_comparison,
    seal,
)
from scenarios.results.export import FORMATS, Format, export_results
from scenarios.results.files import (
    DEFAULT_FOLDER,
    SUFFIX,
    ResultsEntry,
    SimulationSpec,
    create_results,
    glance,
    named_results,
    results_files,
)
from scenarios.results.reader import ResultsReader
from scenarios.results.rows import RecordedMessage, RunInfo, SimulationInfo
from scenarios.results.summary import simulation_json
from scenarios.results.views import (
    AveragePowerProfile,
    ContractRow,
    HouseholdRow,
    HouseView,
    NeighbourhoodView,
    PowerProfile,
    average_power_profile,
    household_rows,
    load_run,
    view_house,
    view_neighbourhood,
    view_runs,
)
from scenarios.results.writer import RunWriter

__all__ = [
    "DEFAULT_FOLDER",
    "FORMATS",
    "SUFFIX",
    "AveragePowerProfile",
    "ContractRow",
    "FigureFormatError",
    "Format",
    "HouseView",
    "HouseholdRow",
    "NeighbourhoodView",
    "PowerProfile",
    "RecordedMessage",
    "ResultsEntry",
    "ResultsError",
    "ResultsExistError",
    "ResultsReader",
    "ResultsWriteError",
    "RunInfo",
    "RunWriter",
    "SameSimulationError",
    "SimulationInfo",
    "SimulationSpec",
    "average_power_profile",
    "create_results",
    "export_results",
    "glance",
    "household_rows",
    "load_run",
    "named_results",
    "record_comparison",
    "results_files",
    "seal",
    "simulation_json",
    "view_house",
    "view_neighbourhood",
    "view_runs",
]
