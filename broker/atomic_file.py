"""Replaces a file whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def atomic_write(path: Path, *, mode: int | None = None) -> Iterator[Path]:
    """Yield an empty draft beside a file; the draft takes the file's place when the block ends.

    Concurrent readers see the old content or the new content, never a part. If the block fails, is cancelled or is
    interrupted, the old file stays and the draft is removed.

    Args:
        path: The file, which may exist; its folder must exist.
        mode: The permissions, which the draft has from its first moment. None: those of the file that is replaced; for
            a new file, those that the process gives to every new file.

    Raises:
        OSError: The draft cannot be made or moved.
    """
    # Each writer has its own draft, because two processes or threads may write the same file at the same time.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode))
    try:
        yield draft
        if mode is None:
            with suppress(FileNotFoundError):
                draft.chmod(stat.S_IMODE(path.stat().st_mode))
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
