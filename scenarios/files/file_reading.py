"""Reads users' files as a whole, with a size limit, and decodes text.

A scenario from someone else must not read what lies elsewhere, so files outside its folder are refused.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from scenarios.errors import Problem, ScenarioError

_LINE_BREAK = re.compile(r"\r\n|\n|\r")
_SQLITE_MAGIC = b"SQLite format 3\0"

MAX_BYTES = 64 * 2**20
"""Maximum size of a file; a year of a large neighbourhood is far smaller."""


def check_inside(path: Path, folder: Path, where: str) -> None:
    """Raise `ScenarioError` if a file lies outside a folder, also where a symbolic link in the folder leads there.

    Args:
        path: The file.
        folder: The folder of the scenario that refers to it.
        where: Its name, for messages.
    """
    try:
        is_inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # a loop of links, or a name that no file has
        is_inside = False
    if not is_inside:
        what = "lies outside the scenario's folder: move it there, or give --allow-outside"
        raise ScenarioError([Problem(where, what)])


def read_bytes(path: Path, where: str, *, any_kind: bool = False) -> bytes:
    """Return the content of a file.

    Args:
        path: The file.
        where: Its name, for messages.
        any_kind: Whether it may be a pipe or a device, which the user has named; else only a regular file is read.

    Raises:
        ScenarioError: It is missing, too large or cannot be read.
    """
    try:
        if path.is_dir():
            raise ScenarioError([Problem(where, "is a folder, a file is expected")])
        # Opening a pipe without a writer would block forever.
        with open(os.open(path, os.O_RDONLY | (0 if any_kind else os.O_NONBLOCK)), "rb") as file:  # noqa: PTH123 - as above
            if not any_kind and not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ScenarioError([Problem(where, "is a pipe, a device or a socket; a file is expected")])
            # The size is not checked beforehand, as that of a device or a pipe shows only when it is read.
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ScenarioError([Problem(where, "there is no such file")]) from None
    except OSError as error:
        raise ScenarioError([Problem(where, f"cannot be read: {error.strerror}")]) from None
    except ValueError:
        raise ScenarioError([Problem(where, "is not a file name")]) from None
    if len(content) > MAX_BYTES:
        raise ScenarioError([Problem(where, f"larger than {MAX_BYTES // 2**20} MB")])
    return content


def read_text(path: Path, where: str, *, any_kind: bool = False) -> str:
    """Return the text of a file.

    Args:
        path: The file.
        where: Its name, for messages.
        any_kind: See `read_bytes`.

    Raises:
        ScenarioError: It is missing, too large or not text.
    """
    return decode(read_bytes(path, where, any_kind=any_kind), where)


def structured_form(content: bytes) -> str | None:
    """Return `JSON` or `XML` if a file that should hold rows of numbers is in that form, else None."""
    begin = content[:200].removeprefix(b"\xef\xbb\xbf").lstrip()
    if begin[:1] == b"{" or re.match(rb"\[\s*[\[{]", begin):
        return "JSON"
    return "XML" if re.match(rb"<[?!A-Za-z]", begin) else None


def lines_of(text: str) -> list[str]:
    """Return the lines of a text as editors count them; other Unicode line separators do not end a line."""
    return _LINE_BREAK.split(text)


def decode(content: bytes, where: str) -> str:
    """Return the text of a file's content; raise `ScenarioError` where it is not text."""
    if content.startswith(_SQLITE_MAGIC):
        what = "is an SQLite file, not a text file; `ssmic results scenario` writes the scenario in a results file"
        raise ScenarioError([Problem(where, what)])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
            what = "is a text file in UTF-16; save it in UTF-8"
        else:
            what = f"is not a text file, or not in UTF-8 (byte {error.start + 1})"
        raise ScenarioError([Problem(where, what)]) from None
    if "\0" in text:
        raise ScenarioError([Problem(where, "is not a text file: it contains NUL bytes")])
    return text
