from .bill_rows import (
    BillRow as BillRow,
    community_with_key as community_with_key,
    total_row as total_row,
)
from .connection import (
    OutputFormatError as OutputFormatError,
    ResultsError as ResultsError,
    ResultsExistError as ResultsExistError,
    ResultsLockedError as ResultsLockedError,
    ResultsUnreadableError as ResultsUnreadableError,
    ResultsWriteError as ResultsWriteError,
    SameSimulationError as SameSimulationError,
    UnknownWordError as UnknownWordError,
    being_written as being_written,
    check_writable as check_writable,
    damage_of as damage_of,
    has_writer as has_writer,
    is_busy as is_busy,
    is_sweep_file as is_sweep_file,
    refuse_existing as refuse_existing,
    refuse_newer as refuse_newer,
    seal as seal,
    whole_file as whole_file,
    whole_files as whole_files,
)
from .contract_rows import (
    ContractRow as ContractRow,
    share_series as share_series,
)
from .export import (
    FORMATS as FORMATS,
    CsvRows as CsvRows,
    Format as Format,
    export_bills as export_bills,
    export_results as export_results,
    require_parquet as require_parquet,
)
from .file_validation import (
    MOST_NUMBER as MOST_NUMBER,
    foreign_part as foreign_part,
)
from .files import (
    DEFAULT_FOLDER as DEFAULT_FOLDER,
    SUFFIX as SUFFIX,
    ResultsEntry as ResultsEntry,
    SimulationSpec as SimulationSpec,
    create_results as create_results,
    glance as glance,
    named_results as named_results,
    results_files as results_files,
    sole_writer as sole_writer,
    sweep_files as sweep_files,
    versions as versions,
)
from .frames import (
    ResultFrames as ResultFrames,
    load_frames as load_frames,
)
from .kept_messages import (
    ABOUT_KEPT as ABOUT_KEPT,
    KeptMessages as KeptMessages,
    RecordedMessage as RecordedMessage,
    begins_negotiation as begins_negotiation,
)
from .large_run_overviews import (
    HouseholdRow as HouseholdRow,
)
from .power_profiles import (
    AveragePowerProfile as AveragePowerProfile,
    PowerProfile as PowerProfile,
    average_power_profile as average_power_profile,
)
from .reader import (
    ResultsReader as ResultsReader,
)
from .rows import (
    DroppedHost as DroppedHost,
    RunInfo as RunInfo,
    SimulationInfo as SimulationInfo,
    record_comparison as record_comparison,
    record_verdicts as record_verdicts,
)
from .run_end import (
    EndState as EndState,
    RecordedEnd as RecordedEnd,
    end_without_days_s as end_without_days_s,
)
from .schema import (
    SWEEP_ID as SWEEP_ID,
)
from .summary import (
    simulation_json as simulation_json,
)
from .views import (
    HouseView as HouseView,
    NeighbourhoodView as NeighbourhoodView,
    Overview as Overview,
    household_rows as household_rows,
    household_total as household_total,
    load_run as load_run,
    view_house as view_house,
    view_neighbourhood as view_neighbourhood,
    view_overview as view_overview,
    view_runs as view_runs,
)
from .writer import (
    RunWriter as RunWriter,
)

__all__ = [
    "ABOUT_KEPT",
    "DEFAULT_FOLDER",
    "FORMATS",
    "MOST_NUMBER",
    "SUFFIX",
    "SWEEP_ID",
    "AveragePowerProfile",
    "BillRow",
    "ContractRow",
    "CsvRows",
    "DroppedHost",
    "EndState",
    "Format",
    "HouseView",
    "HouseholdRow",
    "KeptMessages",
    "NeighbourhoodView",
    "OutputFormatError",
    "Overview",
    "PowerProfile",
    "RecordedEnd",
    "RecordedMessage",
    "ResultFrames",
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
    "begins_negotiation",
    "community_with_key",
    "create_results",
    "end_without_days_s",
    "export_bills",
    "export_results",
    "glance",
    "household_rows",
    "household_total",
    "is_sweep_file",
    "load_frames",
    "load_run",
    "named_results",
    "record_comparison",
    "record_verdicts",
    "refuse_existing",
    "require_parquet",
    "results_files",
    "seal",
    "share_series",
    "simulation_json",
    "sole_writer",
    "sweep_files",
    "total_row",
    "versions",
    "view_house",
    "view_neighbourhood",
    "view_overview",
    "view_runs",
    "whole_file",
    "whole_files",
]
