"""The start screen: recent neighbourhoods, rescued work, last results, bundled scenarios."""

from tui.start.recent import load_recent, save_recent
from tui.start.rescued import is_rescued, name_in, original_of, own_folder

__all__ = [
    "is_rescued",
    "load_recent",
    "name_in",
    "original_of",
    "own_folder",
    "save_recent",
]
