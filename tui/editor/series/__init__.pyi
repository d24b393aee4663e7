from .series_dialog import (
    SeriesDialog as SeriesDialog,
    entry_of as entry_of,
    is_plain as is_plain,
)
from .series_import import (
    SeriesImport as SeriesImport,
    is_series as is_series,
)

__all__ = [
    "SeriesDialog",
    "SeriesImport",
    "entry_of",
    "is_plain",
    "is_series",
]
