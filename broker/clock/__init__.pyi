from .clock import (
    Clock as Clock,
)
from .journal import (
    ClockJournal as ClockJournal,
)
from .pacing import (
    CatchUp as CatchUp,
    Moment as Moment,
    Pace as Pace,
    PaceError as PaceError,
)
from .settings import (
    ClockSettings as ClockSettings,
    OnLoss as OnLoss,
)
from .status_reports import (
    STALLED_AFTER_WALL_S as STALLED_AFTER_WALL_S,
    ClockReport as ClockReport,
    check_alone as check_alone,
)

__all__ = [
    "STALLED_AFTER_WALL_S",
    "CatchUp",
    "Clock",
    "ClockJournal",
    "ClockReport",
    "ClockSettings",
    "Moment",
    "OnLoss",
    "Pace",
    "PaceError",
    "check_alone",
]
