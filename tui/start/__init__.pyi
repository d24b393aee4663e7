from .remembered import (
    Preferences as Preferences,
    is_rescued as is_rescued,
    load_preferences as load_preferences,
    load_recent as load_recent,
    new_rescued_file as new_rescued_file,
    original_of as original_of,
    rescue_folder as rescue_folder,
    rescued_name as rescued_name,
    save_preferences as save_preferences,
    save_recent as save_recent,
)

__all__ = [
    "Preferences",
    "is_rescued",
    "load_preferences",
    "load_recent",
    "new_rescued_file",
    "original_of",
    "rescue_folder",
    "rescued_name",
    "save_preferences",
    "save_recent",
]
