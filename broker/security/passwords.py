"""Passwords, and Mosquitto's password file: one line per login, `user:$7$iterations$salt$hash`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from broker.protocol.topics import encode

_ENTROPY_BYTES = 32
_SALT_BYTES = 12
_ITERATIONS = 101
"""Mosquitto's default. Key stretching protects guessable passwords; these have 256 random bits, so logging in can be
cheap."""


def new_password() -> str:
    """Return a random password of letters, digits, `-` and `_`."""
    return secrets.token_urlsafe(_ENTROPY_BYTES)


def password_line(login: str, password: str) -> str:
    """Return a login's line of the password file (PBKDF2 with SHA-512, the format of Mosquitto 1.6 and newer)."""
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    return f"{encode(login)}:$7${_ITERATIONS}${_base64(salt)}${_base64(digest)}"


def is_line_of(line: str, login: str, password: str) -> bool:
    """Return whether a line of the password file is for this login and password.

    Args:
        line: The line.
        login: The login, not encoded.
        password: The password in clear text.
    """
    user, _, stored = line.partition(":")
    try:
        empty, kind, iterations, salt, digest = stored.split("$")
        found = hashlib.pbkdf2_hmac("sha512", password.encode(), base64.b64decode(salt), int(iterations))
        wanted = base64.b64decode(digest)
    except ValueError:
        return False
    return (user, empty, kind) == (encode(login), "", "7") and hmac.compare_digest(found, wanted)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
