"""The *Results* area."""

from tui.results.file_access import IndexEntry, ResultsIndex

__all__ = [
    "IndexEntry",
    "ResultsIndex",
]
