from .file_states import (
    IndexEntry as IndexEntry,
    ResultsIndex as ResultsIndex,
)

__all__ = [
    "IndexEntry",
    "ResultsIndex",
]
