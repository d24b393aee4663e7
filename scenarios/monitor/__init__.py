"""Monitoring: observes a run through its topics, independent of any screen."""

from scenarios.monitor.feed import BusFeed, Feed, FoundRun, NotConnectedError, RunFinder
from scenarios.monitor.message_log import MessageLog, MessageSummary, shown_agent
from scenarios.monitor.negotiations import Negotiation, Step
from scenarios.monitor.producers import ObservedProducer
from scenarios.monitor.rate import Rate
from scenarios.monitor.run_state import ObservedHost, ObservedRun, ScenarioContext, context_of_scenario
from scenarios.monitor.run_status import (
    SIGNS,
    LinkStatus,
    RunStatus,
    Tone,
    most_urgent,
    names,
    status_of_reported,
    status_of_run,
)
from scenarios.monitor.summaries import KINDS, energy, summarize

__all__ = [
    "KINDS",
    "SIGNS",
    "BusFeed",
    "Feed",
    "FoundRun",
    "LinkStatus",
    "MessageLog",
    "MessageSummary",
    "Negotiation",
    "NotConnectedError",
    "ObservedHost",
    "ObservedProducer",
    "ObservedRun",
    "Rate",
    "RunFinder",
    "RunStatus",
    "ScenarioContext",
    "Step",
    "Tone",
    "context_of_scenario",
    "energy",
    "most_urgent",
    "names",
    "shown_agent",
    "status_of_reported",
    "status_of_run",
    "summarize",
]
