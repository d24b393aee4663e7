from .series_dialog import (
    SeriesDialog as SeriesDialog,
)
from .series_import import (
    SeriesImport as SeriesImport,
    is_series as is_series,
)
from .series_model import (
    entry_of as entry_of,
    is_plain as is_plain,
)

__all__ = [
    "SeriesDialog",
    "SeriesImport",
    "entry_of",
    "is_plain",
    "is_series",
]
