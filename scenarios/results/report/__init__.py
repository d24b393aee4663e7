"""One page of HTML with everything that one or several simulations came to: it needs no network, no file, no server."""

from scenarios.results.report.page import build_page, write_report

__all__ = ["build_page", "write_report"]
