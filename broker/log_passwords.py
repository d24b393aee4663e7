"""Removes passwords from log records, also those inside the URLs of brokers."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

_LOGIN = re.compile(r"(?<=://)([^/@\s:]*):[^@\s]*@")


def without_passwords(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the passwords in a log `event`, including those in URLs, by `***`; a processor of structlog."""
    for key, value in event.items():
        if "password" in key.lower():
            event[key] = "***"
        elif isinstance(value, str) and "://" in value:
            event[key] = _LOGIN.sub(r"\1:***@", value)
    return event
