"""Files that hold secrets: never there half-written, never readable by others, not even for a moment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from broker.atomic_file import atomic_write


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom files and folders are given to; only root can give them away."""

    user: int
    group: int


@dataclass(frozen=True, slots=True)
class SecretWriter:
    """Writes files that only their owner reads."""

    owner: Owner | None = None
    """None: whoever writes them."""

    def make_folder(self, folder: Path) -> None:
        """Make a folder with its parents, where it is not there, and let only its owner in.

        Raises:
            OSError: it cannot be done.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # One that was there, a mounted volume for example, may be open to all.
        folder.chmod(0o700)
        self._give_away(folder)

    def write(self, file: Path, content: bytes) -> bool:
        """Write a file at once and whole, where it does not hold `content` already; say whether it did not.

        Raises:
            OSError: it cannot be done.
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
