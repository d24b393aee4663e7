from .rejections import (
    RejectedMessages as RejectedMessages,
    first_problem as first_problem,
)
from .reorder_buffer import (
    ReorderBuffer as ReorderBuffer,
)
from .timeouts import (
    LIMIT_WALL_S as LIMIT_WALL_S,
    Backoff as Backoff,
    Timeouts as Timeouts,
)
from .wire import (
    MOST_NAMED as MOST_NAMED,
    VERSION as VERSION,
    Announcement as Announcement,
    Control as Control,
    Done as Done,
    Envelope as Envelope,
    Failure as Failure,
    Grant as Grant,
    Member as Member,
    ResendRequest as ResendRequest,
    Roster as Roster,
    RunPhase as RunPhase,
    TimeReport as TimeReport,
    Wake as Wake,
    shown as shown,
)

__all__ = [
    "LIMIT_WALL_S",
    "MOST_NAMED",
    "VERSION",
    "Announcement",
    "Backoff",
    "Control",
    "Done",
    "Envelope",
    "Failure",
    "Grant",
    "Member",
    "RejectedMessages",
    "ReorderBuffer",
    "ResendRequest",
    "Roster",
    "RunPhase",
    "TimeReport",
    "Timeouts",
    "Wake",
    "first_problem",
    "shown",
]
