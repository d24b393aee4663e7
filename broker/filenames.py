"""Safe file names for arbitrary text: an id, a run, a scenario's name.

The result is a single path component on every system: no separators, no `..`, no leading dot, no characters that a
shell or console interprets, none of the device names reserved by Windows, and short enough for every file system. Plain
words stay as they are; different texts have different names.
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote

MAX_BYTES = 200
"""Length limit of a name; file systems allow 255, which leaves room for suffixes (`-wal`, a draft's 10 bytes)."""

_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE | re.ASCII)
_DIGITS = 16
"""Hexadecimal digits of the hash that ends a shortened name."""


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
