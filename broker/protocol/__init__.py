"""The wire format: topics, payload models, reordering, rejected messages, timeouts and back-off."""

from broker.protocol.rejections import RejectedMessages, first_problem
from broker.protocol.reorder_buffer import ReorderBuffer
from broker.protocol.timeouts import LIMIT_WALL_S, Backoff, Timeouts
from broker.protocol.wire import (
    MOST_NAMED,
    VERSION,
    Announcement,
    Control,
    Done,
    Envelope,
    Failure,
    Grant,
    Member,
    ResendRequest,
    Roster,
    RunPhase,
    TimeReport,
    shown,
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
    "first_problem",
    "shown",
]
