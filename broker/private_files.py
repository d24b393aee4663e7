"""Creates files and folders that only their owner can read, from their first moment."""

from __future__ import annotations

import os
from pathlib import Path

FILE_MODE = 0o600
_FOLDER_MODE = 0o700


def make_private_folder(folder: Path) -> None:
    """Create a folder and its missing parents, accessible only to their owner; an existing one keeps its permissions.

    Raises:
        OSError: It cannot be created, or is a file.
    """
    for missing in reversed([parent for parent in (folder, *folder.parents) if not parent.exists()]):
        missing.mkdir(mode=_FOLDER_MODE, exist_ok=True)
    folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)  # raises where it is a file


def create_private_file(path: Path) -> None:
    """Create an empty file that only its owner can read and write.

    Raises:
        FileExistsError: It exists already.
        OSError: It cannot be created.
    """
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE))


def make_private(path: Path) -> None:
    """Let only its owner read and write a file, which is created if missing.

    Raises:
        OSError: It cannot be created, or belongs to another user.
    """
    try:
        create_private_file(path)
    except FileExistsError:
        path.chmod(FILE_MODE)
