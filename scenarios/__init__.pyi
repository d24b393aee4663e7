from .appliances import (
    APPLIANCES as APPLIANCES,
    Appliance as Appliance,
)
from .asyncapi import (
    asyncapi_document as asyncapi_document,
)
from .errors import (
    Problem as Problem,
    ScenarioError as ScenarioError,
    ScenarioWriteError as ScenarioWriteError,
    problem_count as problem_count,
)
from .events import (
    Action as Action,
    AddJobs as AddJobs,
    EventMark as EventMark,
    EventMarks as EventMarks,
    JoinDevice as JoinDevice,
    LeaveDevice as LeaveDevice,
    RunEvent as RunEvent,
    TimelineEvent as TimelineEvent,
    action_in_words as action_in_words,
)
from .figures import (
    FigureKind as FigureKind,
    FigureKindError as FigureKindError,
    write_figure as write_figure,
)
from .mistyped_names import suggest as suggest
from .notes import (
    job_notes as job_notes,
    keys_without_effect as keys_without_effect,
    overlap_notes as overlap_notes,
    repeated_id_notes as repeated_id_notes,
    run_notes as run_notes,
    without_effect as without_effect,
)
from .scenario import (
    MAX_DAYS as MAX_DAYS,
    MAX_NAME_LENGTH as MAX_NAME_LENGTH,
    RESERVED as RESERVED,
    ProducerSeries as ProducerSeries,
    Scenario as Scenario,
    fingerprint as fingerprint,
    free_id as free_id,
    planned_end_s as planned_end_s,
    sharing_problems as sharing_problems,
)
from .whole_numbers import (
    whole_number_of as whole_number_of,
)
from .zone import (
    DAY_S as DAY_S,
    Zone as Zone,
    zone_info as zone_info,
)

__all__ = [
    "APPLIANCES",
    "DAY_S",
    "MAX_DAYS",
    "MAX_NAME_LENGTH",
    "RESERVED",
    "Action",
    "AddJobs",
    "Appliance",
    "EventMark",
    "EventMarks",
    "FigureKind",
    "FigureKindError",
    "JoinDevice",
    "LeaveDevice",
    "Problem",
    "ProducerSeries",
    "RunEvent",
    "Scenario",
    "ScenarioError",
    "ScenarioWriteError",
    "TimelineEvent",
    "Zone",
    "action_in_words",
    "asyncapi_document",
    "fingerprint",
    "free_id",
    "job_notes",
    "keys_without_effect",
    "overlap_notes",
    "planned_end_s",
    "problem_count",
    "repeated_id_notes",
    "run_notes",
    "sharing_problems",
    "suggest",
    "whole_number_of",
    "without_effect",
    "write_figure",
    "zone_info",
]
