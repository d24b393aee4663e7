"""Standard output for what the command itself says, and for nothing else.

A solver's library may write a line of its own to file descriptor 1, below Python, where `--json` promises one object.
While a command works, descriptor 1 is therefore standard error, in this process and in all that it starts.
"""

from __future__ import annotations

import ctypes
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

STDOUT_FD = 1


@contextmanager
def own_output() -> Iterator[None]:
    """Send to standard error what anybody but Python's `sys.stdout` writes to standard output.

    Where `sys.stdout` is not the process's own (a test's, an embedding program's), nothing changes.
    """
    before = sys.stdout
    if not isinstance(before, io.TextIOWrapper) or not _is_real(before):
        yield
        return
    before.flush()
    kept_fd = os.dup(STDOUT_FD)
    os.dup2(2, STDOUT_FD)
    ours = io.TextIOWrapper(
        os.fdopen(kept_fd, "wb"),
        encoding=before.encoding,
        errors=before.errors,
        line_buffering=before.line_buffering,
    )
    sys.stdout = ours
    try:
        yield
        ours.flush()
    finally:
        # What C's own buffer still holds must not come out once descriptor 1 is standard output again.
        ctypes.CDLL(None).fflush(None)
        os.dup2(kept_fd, STDOUT_FD)
        sys.stdout = before
        # Whoever read it may have gone, which the caller was told of when it wrote.
        with suppress(BrokenPipeError):
            ours.close()


def _is_real(file: io.TextIOWrapper) -> bool:
    try:
        return file.fileno() == STDOUT_FD
    except (OSError, ValueError):
        return False
