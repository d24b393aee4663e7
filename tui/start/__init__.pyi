from .recent import (
    is_rescued as is_rescued,
    load_recent as load_recent,
    name_in as name_in,
    original_of as original_of,
    own_folder as own_folder,
    save_recent as save_recent,
)

__all__ = [
    "is_rescued",
    "load_recent",
    "name_in",
    "original_of",
    "own_folder",
    "save_recent",
]
