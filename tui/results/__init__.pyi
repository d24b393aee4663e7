from .results_index import (
    IndexEntry as IndexEntry,
    ResultsIndex as ResultsIndex,
    entry_of as entry_of,
)

__all__ = [
    "IndexEntry",
    "ResultsIndex",
    "entry_of",
]
