from .file_access import (
    IndexEntry as IndexEntry,
    ResultsIndex as ResultsIndex,
)

__all__ = [
    "IndexEntry",
    "ResultsIndex",
]
