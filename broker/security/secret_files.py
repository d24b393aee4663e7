"""Writes files with secrets atomically, and never readable by other users, not even briefly."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from broker.file_writing import atomic_write, make_private_folder


@dataclass(frozen=True, slots=True)
class Owner:
    """User and group that own the files; only root can set them."""

    user: int
    group: int


@dataclass(frozen=True, slots=True)
class SecretWriter:
    """Writes files that only their owner can read."""

    owner: Owner | None = None
    """None: the current user."""

    def make_folder(self, folder: Path) -> None:
        """Create a folder and its parents if missing, accessible only to its owner.

        Raises:
            OSError: It cannot be created.
        """
        missing = [parent for parent in folder.parents if not parent.exists()]
        make_private_folder(folder)
        # An existing folder, such as a mounted volume, may be open to everyone.
        folder.chmod(0o700)
        for made in (*missing, folder):
            self._give_away(made)

    def write(self, file: Path, content: bytes) -> bool:
        """Write a file atomically, unless it already has this content.

        Args:
            file: The file.
            content: Its new content.

        Returns:
            Whether the content changed.

        Raises:
            OSError: It cannot be written.
        """
        changed = not file.is_file() or file.read_bytes() != content
        if changed:
            with atomic_write(file, mode=0o600) as draft:
                draft.write_bytes(content)
        file.chmod(0o600)
        self._give_away(file)
        return changed

    def _give_away(self, path: Path) -> None:
        if self.owner is not None:
            os.chown(path, self.owner.user, self.owner.group)
