"""The clock: the coordinator that advances virtual time by counting messages."""

from broker.clock.clock import Clock, ClockSettings, OnLoss
from broker.clock.journal import ClockJournal
from broker.clock.pacing import Moment, Pace, PaceError
from broker.clock.time_report import STALLED_AFTER_WALL_S, Reported

__all__ = [
    "STALLED_AFTER_WALL_S",
    "Clock",
    "ClockJournal",
    "ClockSettings",
    "Moment",
    "OnLoss",
    "Pace",
    "PaceError",
    "Reported",
]
