"""One page of HTML with everything that a simulation came to: it needs no network, no other file, no server."""

from scenarios.results.report.page import build_page, write_report

__all__ = ["build_page", "write_report"]
