"""Files: replaced whole or not at all, private from their first moment, and named safely after arbitrary text.

A name is a single path component on every system: no separators, no `..`, no leading dot, no characters that a shell or
console interprets, none of the device names reserved by Windows, and short enough for every file system. Plain words
stay as they are; different texts have different names.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

FILE_MODE = 0o600
_FOLDER_MODE = 0o700
MAX_BYTES = 200
"""Length limit of a name; file systems allow 255, which leaves room for suffixes (`-wal`, a draft's 10 bytes)."""

_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE | re.ASCII)
_DIGITS = 16
"""Hexadecimal digits of the hash that ends a shortened name."""
_BESIDE = ("", "-journal", "-wal", "-shm")
"""Endings of a draft itself, and of what SQLite keeps beside it."""
_drafts: set[Path] = set()
"""The drafts that this process is writing."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drafts.clear)  # they are the parent's


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
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    # Each writer has its own draft, because two processes or threads may write the same file at the same time.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode))
    _drafts.add(draft)
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
    finally:
        _drafts.discard(draft)


def remove_drafts() -> None:
    """Remove the drafts that this process is writing, before it ends without unwinding."""
    for draft in tuple(_drafts):
        for ending in _BESIDE:
            with suppress(OSError):
                draft.with_name(f"{draft.name}{ending}").unlink()


def remove_abandoned_drafts(path: Path) -> None:
    """Remove the drafts of a file, which killed processes have left; no process may be writing the file."""
    for draft in path.parent.glob(f".{glob.escape(path.name)}.{'[0-9a-f]' * 8}"):
        for ending in _BESIDE:
            with suppress(OSError):
                draft.with_name(f"{draft.name}{ending}").unlink()


def writing_obstacle(path: Path) -> str:
    """Return why a file cannot be written, for an error before long work; empty: nothing known is in the way.

    Args:
        path: The file, which may exist; its folders may be missing.
    """
    try:
        if path.is_dir():
            return "it is a folder, a file is expected"
        folder = next((parent for parent in path.parents if parent.exists()), path.parent)
        if not folder.is_dir():
            return f"{folder} is a file, a folder is expected"
    except OSError as error:  # such as a name that is too long, or a folder that is closed to the user
        return error.strerror or str(error)
    return "" if os.access(folder, os.W_OK | os.X_OK) else f"the folder {folder.absolute()} is not writable"


@contextmanager
def missing_folders(path: Path) -> Iterator[None]:
    """Create the missing folders of a file for a block that writes the file; if the block fails, remove them again.

    Raises:
        OSError: A folder cannot be created, or one of them is a file.
    """
    created = [parent for parent in reversed(path.parents) if not parent.exists()]
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise NotADirectoryError(errno.ENOTDIR, writing_obstacle(path) or error.strerror, str(path)) from None
        yield
    except BaseException:
        for folder in reversed(created):
            with suppress(OSError):
                folder.rmdir()
        raise


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
    """Restrict a file to its owner, for reading and writing; create it if missing.

    Raises:
        OSError: It cannot be created, or belongs to another user.
    """
    try:
        create_private_file(path)
    except FileExistsError:
        path.chmod(FILE_MODE)


def inode_of(path: Path) -> tuple[int, int] | None:
    """Return device and inode of a file, which differ if another file took its place; None: it is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def file_name(text: str, *, dots: bool = True, most_bytes: int = MAX_BYTES) -> str:
    """Return a file or folder name for a text.

    Args:
        text: Any text; characters other than ASCII letters, digits, `-`, `_`, `.` and `~` are percent-encoded.
        dots: Whether dots are kept; without them, several names can be joined by dots.
        most_bytes: Longest name; the end of a longer one is replaced by `~` and a hash of the whole text.
    """
    name = quote(text, safe="", errors="surrogatepass")
    if not dots:
        name = name.replace(".", "%2E")
    if name.startswith("."):
        name = f"%2E{name[1:]}"
    if name.endswith("."):
        # Windows drops it.
        name = f"{name[:-1]}%2E"
    if not name or _DEVICES.fullmatch(name):
        name = f"%{ord(name[0]):02X}{name[1:]}" if name else "%"
    if len(name) > most_bytes:
        digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:_DIGITS]
        name = f"{name[: most_bytes - _DIGITS - 1]}~{digest}"
    return name
