"""Files that a process has open and writes to, and that somebody may remove meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path
from typing import Protocol

import structlog

from broker import SsmicError

LOOK_AFTER_FILES_WALL_S = 2.0
"""How often a process looks whether the files that it writes are still there."""

log = structlog.get_logger(__name__)


class KeptFile(Protocol):
    """A file that a process has open and writes to."""

    path: Path

    @property
    def is_in_place(self) -> bool:
        """Whether the file is still where it was opened."""
        ...

    def put_back(self) -> None:
        """Write its content to its place again."""
        ...


async def look_after(files: Collection[KeptFile]) -> None:
    """Complain about files that were removed while they are written, and put them back; until cancelled.

    Their content exists as long as the process has them open: afterwards it would be too late.
    """
    while True:
        await asyncio.sleep(LOOK_AFTER_FILES_WALL_S)
        for file in files:
            if not file.is_in_place:
                try:
                    file.put_back()
                except SsmicError as error:
                    log.error("file removed, not put back yet", file=str(file.path), why=str(error))  # noqa: TRY400 - the user needs no traceback
                else:
                    log.error("file removed, put back", file=str(file.path))
