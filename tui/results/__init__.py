"""The *Results* area."""

from tui.results.file_access import Book, Shelf

__all__ = [
    "Book",
    "Shelf",
]
