"""The HTML report."""

from scenarios.results.report.page import write_report

__all__ = [
    "write_report",
]
