from .remembered import (
    Preferences as Preferences,
    is_rescued as is_rescued,
    load_preferences as load_preferences,
    load_recent as load_recent,
    name_in as name_in,
    original_of as original_of,
    own_folder as own_folder,
    save_preferences as save_preferences,
    save_recent as save_recent,
)

__all__ = [
    "Preferences",
    "is_rescued",
    "load_preferences",
    "load_recent",
    "name_in",
    "original_of",
    "own_folder",
    "save_preferences",
    "save_recent",
]
