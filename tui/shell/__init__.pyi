from .base_screen import (
    AreaScreen as AreaScreen,
    EmptyState as EmptyState,
    PaletteEntry as PaletteEntry,
)
from .days import (
    Days as Days,
)
from .dialogs import (
    MOST_FOUND as MOST_FOUND,
    Answer as Answer,
    AnswersOnce as AnswersOnce,
    AskText as AskText,
    ChooseOne as ChooseOne,
    Confirm as Confirm,
    Dialog as Dialog,
    PickPath as PickPath,
)
from .error_notices import (
    AdviceError as AdviceError,
    Defect as Defect,
    ErrorBoundary as ErrorBoundary,
    complain as complain,
    guard_handlers as guard_handlers,
    is_of_callback as is_of_callback,
    is_too_early as is_too_early,
    is_too_late as is_too_late,
    keep_details as keep_details,
)
from .footer import (
    Footer as Footer,
)
from .header import (
    COLOURS as COLOURS,
    StatusLine as StatusLine,
    short_status as short_status,
    shown_zone as shown_zone,
)
from .help import (
    HelpScreen as HelpScreen,
    described as described,
    is_move as is_move,
    title_of as title_of,
)
from .idle_collector import (
    IdleCollector as IdleCollector,
)
from .key_queue import (
    KeyQueue as KeyQueue,
)
from .monitored_run import (
    REFRESH_WALL_S as REFRESH_WALL_S,
    MonitoredRun as MonitoredRun,
    whoami as whoami,
)
from .navigation import (
    Application as Application,
    CompareResults as CompareResults,
    EditScenario as EditScenario,
    Intent as Intent,
    OpenNeighbourhood as OpenNeighbourhood,
    OpenResults as OpenResults,
    RunScenario as RunScenario,
    WatchBroker as WatchBroker,
)
from .parsed_styles import (
    ParsedStyles as ParsedStyles,
)
from .rescue_at_exit import (
    Rescue as Rescue,
    ended_by_signals as ended_by_signals,
    rescued as rescued,
)
from .run_controls import (
    PACES as PACES,
    RunControlsScreen as RunControlsScreen,
)

__all__ = [
    "COLOURS",
    "PACES",
    "REFRESH_WALL_S",
    "AdviceError",
    "Answer",
    "AnswersOnce",
    "Application",
    "AreaScreen",
    "AskText",
    "ChooseOne",
    "CompareResults",
    "Confirm",
    "Days",
    "Defect",
    "Dialog",
    "EditScenario",
    "EmptyState",
    "ErrorBoundary",
    "Footer",
    "HelpScreen",
    "IdleCollector",
    "Intent",
    "KeyQueue",
    "MonitoredRun",
    "OpenNeighbourhood",
    "OpenResults",
    "PaletteEntry",
    "ParsedStyles",
    "PickPath",
    "Rescue",
    "RunControlsScreen",
    "RunScenario",
    "StatusLine",
    "WatchBroker",
    "complain",
    "described",
    "ended_by_signals",
    "guard_handlers",
    "is_move",
    "is_of_callback",
    "is_too_early",
    "is_too_late",
    "keep_details",
    "rescued",
    "short_status",
    "shown_zone",
    "title_of",
    "whoami",
]
