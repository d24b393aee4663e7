"""The files that a process of a run writes: journals opened together, and files put back that somebody removes.

The journals of many households are opened and committed in threads, so that they share the disk's time.

A commit waits some milliseconds for the disk. Three hundred households that run a round one after another would wait
for seconds, in which the process reads nothing; the broker would take it for dead and disconnect all of its households.
Simultaneous commits are written together by the file system.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Protocol

import structlog

from broker import SsmicError
from broker.hosts import HostJournal
from scenarios.simulation.settings import RunSettings

try:
    import resource
except ImportError:  # pragma: no cover - Windows, which has no such limit
    resource = None  # type: ignore[assignment]  # not on Windows

MOST_THREADS = 16
"""More do not make it faster."""
FILES_A_HOUSEHOLD = 5
"""Open files per household: its journal, SQLite's two other files, the lock, and its connection to the broker."""
FILES_OF_A_PROCESS = 256
"""Open besides."""
CHECK_FILES_EVERY_WALL_S = 2.0
"""How often a process looks whether the files that it writes are still there."""
log = structlog.get_logger(__name__)


def open_journals(settings: RunSettings, setups: Mapping[str, str], opened: ExitStack) -> dict[str, HostJournal | None]:
    """Open the journals of a process.

    Args:
        settings: How the run is run.
        setups: By host id, everything that its contracts depend on.
        opened: Closes them after the last commit.

    Returns:
        By host id, its journal; None if no journals are kept.

    Raises:
        JournalError: One of them belongs to another run or host, or cannot be used; none is open then.
    """
    _allow_open_files(FILES_A_HOUSEHOLD * len(setups))
    if settings.journals is None or len(setups) < 2:
        return {host: _entered(settings.host_journal(host, setup), opened) for host, setup in setups.items()}
    threads = ThreadPoolExecutor(min(MOST_THREADS, len(setups)), "journals")
    opening = {host: threads.submit(settings.host_journal, host, setup, threads) for host, setup in setups.items()}
    wait(opening.values())
    journals = [future.result() for future in opening.values() if future.exception() is None]
    opened.callback(_close, [journal for journal in journals if journal is not None], threads)
    return {host: future.result() for host, future in opening.items()}


def _entered(journal: HostJournal | None, opened: ExitStack) -> HostJournal | None:
    return None if journal is None else opened.enter_context(journal)


def _close(journals: Sequence[HostJournal], threads: ThreadPoolExecutor) -> None:
    with threads:
        for closing in [threads.submit(journal.__exit__, None, None, None) for journal in journals]:
            closing.result()


def _allow_open_files(count: int) -> None:
    """Raise this process's limit of open files, as far as permitted, if it is too low for this many more."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + FILES_OF_A_PROCESS
    if resource.RLIM_INFINITY != soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


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


async def restore_removed_files(files: Collection[KeptFile]) -> None:
    """Log which files were removed while they are written, and put them back; until cancelled.

    Their content exists as long as the process has them open: afterwards it would be too late.
    """
    while True:
        await asyncio.sleep(CHECK_FILES_EVERY_WALL_S)
        for file in files:
            if not file.is_in_place:
                try:
                    file.put_back()
                except SsmicError as error:
                    log.error("removed file not put back yet", file=str(file.path), reason=str(error))  # noqa: TRY400 - the user needs no traceback
                else:
                    log.error("removed file put back", file=str(file.path))
