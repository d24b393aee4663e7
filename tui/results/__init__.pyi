from .results_index import (
    IndexEntry as IndexEntry,
    ResultsIndex as ResultsIndex,
)

__all__ = [
    "IndexEntry",
    "ResultsIndex",
]
