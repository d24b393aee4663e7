"""The URL of a broker: address, login, and whether TLS is used."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from broker.errors import BrokerUrlError

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_EXPECTED = "expected mqtt://[user:password@]host[:port], or mqtts:// for TLS"


@dataclass(frozen=True, slots=True)
class BrokerUrl:
    """A broker's address, with the login."""

    host: str
    port: int
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False

    def __str__(self) -> str:
        user = "" if self.user is None else f"{self.user}@"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{user}{host}:{self.port}"


def parse_url(text: str) -> BrokerUrl:
    """Parse a broker's URL; user and password may be percent-encoded.

    Raises:
        BrokerUrlError: The URL is malformed; the message says what was expected.
    """
    shown = re.sub(r"(?s)^(\w+:)?(//)?.*@", r"\1\2***@", text)
    scheme, separator, _ = text.partition("://")
    if not separator or scheme.lower() not in _PORTS:
        raise BrokerUrlError(f"broker URL {shown!r}: {_EXPECTED}")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
        user = None if parts.username is None else unquote(parts.username, errors="strict")
        password = None if parts.password is None else unquote(parts.password, errors="strict")
    except ValueError:
        # The original message is left out (`from None`): it may quote a part of the password.
        raise BrokerUrlError(f"broker URL {shown!r}: bad port, host or percent-encoding; {_EXPECTED}") from None
    if parts.path not in {"", "/"} or parts.query or parts.fragment or "#" in text or "?" in text:
        raise BrokerUrlError(
            f"broker URL {shown!r}: nothing may follow the port; {_EXPECTED} ('/', '?', '#', '@' and '%' in a "
            f"password are written %2F, %3F, %23, %40 and %25)"
        )
    if not host or port == 0 or re.search(r"[\s\0]", host):
        raise BrokerUrlError(f"broker URL {shown!r}: no host, or port 0; {_EXPECTED}")
    if password is not None and not user:
        raise BrokerUrlError(f"broker URL {shown!r}: a password without a user; {_EXPECTED}")
    return BrokerUrl(host, port or _PORTS[parts.scheme], user or None, password, tls=parts.scheme == "mqtts")
