"""Follows a run by reading its topics; no screen in it."""

from scenarios.monitor.feed import BusFeed, Feed, FoundRun, NotConnectedError, RunFinder, Status
from scenarios.monitor.message_log import Line, Stream, shown_agent
from scenarios.monitor.negotiations import Negotiation, Step
from scenarios.monitor.producers import WatchedProducer
from scenarios.monitor.rate import Rate
from scenarios.monitor.run_state import Backdrop, Watched, WatchedHost, backdrop_of
from scenarios.monitor.run_status import SIGNS, Standing, Tone, gravest, names, standing_of, standing_of_reported
from scenarios.monitor.summaries import KINDS, energy, say

__all__ = [
    "KINDS",
    "SIGNS",
    "Backdrop",
    "BusFeed",
    "Feed",
    "FoundRun",
    "Line",
    "Negotiation",
    "NotConnectedError",
    "Rate",
    "RunFinder",
    "Standing",
    "Status",
    "Step",
    "Stream",
    "Tone",
    "Watched",
    "WatchedHost",
    "WatchedProducer",
    "backdrop_of",
    "energy",
    "gravest",
    "names",
    "say",
    "shown_agent",
    "standing_of",
    "standing_of_reported",
]
