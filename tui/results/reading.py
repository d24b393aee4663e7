"""Reads and writes files off the UI's thread; what goes wrong becomes a message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from textual.containers import Vertical
from textual.worker import WorkType

from broker.errors import SsmicError
from tui.shell.guard import Guarded, complain

T = TypeVar("T")
Failed = Callable[[BaseException], None]


class Reads(Guarded, Vertical):
    """A part of the screen that shows what was read in a thread."""

    def read(self, group: str, work: Callable[[], T], then: Callable[[T], None], failed: Failed | None = None) -> None:
        """Do some work in a thread, then show what came of it; a newer one of the same group takes its place.

        Args:
            group: Of which only the newest counts.
            work: Done in a thread; touches no widget.
            then: Told what it returned, in the UI's thread.
            failed: Told what it raised, if that is an error of ours or of the system; None: a notice.
        """

        async def job() -> None:
            await self._read(work, then, failed)

        # The function, not its coroutine: one that is cancelled before it begins would be complained about.
        later: WorkType[None] = job
        self.run_worker(later, group=group, exclusive=True, exit_on_error=False)

    def is_reading(self, group: str) -> bool:
        """Whether something of a group is still under way."""
        return any(worker.group == group and worker.node is self and worker.is_running for worker in self.workers)

    async def _read(self, work: Callable[[], T], then: Callable[[T], None], failed: Failed | None) -> None:
        try:
            value = await asyncio.to_thread(work)
            then(value)
        except (SsmicError, OSError) as error:
            (failed or self.complain)(error)
        except Exception as error:  # noqa: BLE001 - a worker that raises would end the application
            self.complain(error)

    def complain(self, error: BaseException, title: str = "") -> None:
        """Show an error as a notice."""
        complain(self.app, error, title)
