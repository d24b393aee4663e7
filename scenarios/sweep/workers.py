"""The workers of a sweep: processes of this machine, or a Dask cluster."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeAlias

import structlog

from scenarios.scenario import Scenario
from scenarios.sweep.one_run import SweepRow, SweepRun, perform

Submit: TypeAlias = Callable[[SweepRun], Future[SweepRow]]
"""Has a run done by a worker."""


def perform_in_worker(scenario: Scenario, order: SweepRun) -> SweepRow:
    """Do a run in a process that does nothing else; it logs warnings only, to standard error."""
    if not structlog.is_configured():
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        )
    return perform(scenario, order)
