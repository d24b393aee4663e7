"""A file's name made of any text: an id, a run, a scenario's name.

The name is one name, on every system: no folder (`/`, `..`), nothing hidden (a leading dot), nothing a shell or a
console trips over, none of the names that Windows keeps for devices, and short enough for every file system. Plain
words stay as they are; different texts have different names.
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote

MAX_BYTES = 200
"""Of a name; file systems allow 255, and what is put around a name (`-wal`, a draft's 10 bytes) has to fit too."""

_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE | re.ASCII)
_DIGITS = 16
"""Of the hash at the end of a name that had to be cut."""


def file_name(text: str, *, dots: bool = True, most_bytes: int = MAX_BYTES) -> str:
    """Return the name of a file or folder for a text.

    Args:
        text: Any text; what is no letter, digit, `-`, `_`, `.` or `~` of ASCII is percent-encoded.
        dots: Whether dots inside stay; else a name of several parts can be joined with dots.
        most_bytes: Length of the name; of a longer one the end becomes `~` and a hash of the whole.
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
