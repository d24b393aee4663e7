from .file_access import (
    Book as Book,
    Shelf as Shelf,
)

__all__ = [
    "Book",
    "Shelf",
]
