"""How a broker is reached: its URL, login and TLS, from command-line options and environment variables.

A password comes from a file, the environment or the URL. It is never a command-line option, because every user of the
machine can read command lines.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from broker.errors import BrokerRefusedError, BrokerUrlError

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_EXPECTED = "expected mqtt://[user:password@]host[:port], or mqtts:// for TLS"
BROKER = "SSMIC_BROKER"
USER = "SSMIC_USER"
PASSWORD = "SSMIC_PASSWORD"  # noqa: S105 - a variable's name
PASSWORD_FILE = "SSMIC_PASSWORD_FILE"  # noqa: S105 - a variable's name
CA_FILE = "SSMIC_CA_FILE"
CERT_FILE = "SSMIC_CERT_FILE"
KEY_FILE = "SSMIC_KEY_FILE"


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
    if not host or not host.strip(".") or port == 0 or re.search(r"[\s\0]", host):
        raise BrokerUrlError(f"broker URL {shown!r}: no host, or port 0; {_EXPECTED}")
    if password is not None and not user:
        raise BrokerUrlError(f"broker URL {shown!r}: a password without a user; {_EXPECTED}")
    tls = parts.scheme == "mqtts"
    if tls:
        host = host.removesuffix(".")  # of an absolute name in the DNS; names in certificates have none
    return BrokerUrl(host, port or _PORTS[parts.scheme], user or None, password, tls=tls)


@dataclass(frozen=True, slots=True)
class Tls:
    """Certificate files in PEM format; without `ca_file`, the system's certificate authorities are trusted."""

    ca_file: Path | None = None
    cert_file: Path | None = None
    """The client's own certificate, if the broker requires one."""
    key_file: Path | None = None
    """Its private key; None: it is in `cert_file`."""


class _Socket(ssl.SSLSocket):
    """Closed when its handshake fails; paho would leave it open."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - inherited signature
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def client_context(tls: Tls) -> ssl.SSLContext:
    """Return the TLS settings of a client: TLS 1.2 or newer, with verification of certificate and host name.

    Raises:
        BrokerRefusedError: A file is missing, unreadable, or contains no certificate or key; the message names it.
    """
    for file in (tls.ca_file, tls.cert_file, tls.key_file):
        if file is not None and (problem := _problem_of(file)):
            raise BrokerRefusedError(f"TLS: {file}: {problem}")
    if tls.key_file is not None and tls.cert_file is None:
        raise BrokerRefusedError(f"TLS: the key {tls.key_file} needs a certificate")
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
    except (OSError, ValueError) as error:
        raise BrokerRefusedError(f"TLS: {tls.ca_file} contains no certificates in PEM format ({error})") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.ca_file is not None:
        # From Python 3.13 on, certificates without identifiers of their keys are refused by default. Those of private
        # authorities often have none: the `openssl` commands of Mosquitto's manual, for example, add none.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.sslsocket_class = _Socket
    if tls.cert_file is not None:
        try:
            # An empty password: an encrypted key is an error, never a question on the terminal.
            context.load_cert_chain(tls.cert_file, tls.key_file, password="")
        except (OSError, ValueError) as error:
            raise BrokerRefusedError(
                f"TLS: {tls.cert_file} and {tls.key_file or tls.cert_file} are not a certificate and its "
                f"unencrypted key in PEM format ({error})"
            ) from None
    return context


def _problem_of(file: Path) -> str:
    """Return why a file cannot be read; empty if it can."""
    try:
        if not file.is_file():
            return "is not a file" if os.path.lexists(file) else "there is no such file"
        file.open("rb").close()
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return ""


@dataclass(frozen=True, slots=True)
class Access:
    """A broker's address with the login, and the certificates for the connection."""

    url: BrokerUrl
    tls: Tls


@dataclass(frozen=True, slots=True)
class AccessOptions:
    """Command-line options; None: not given, so the environment applies."""

    user: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    @property
    def given(self) -> list[str]:
        """The options that were given."""
        return [f"--{name.replace('_', '-')}" for name in self.__slots__ if getattr(self, name) is not None]


def access_to(broker: str, options: AccessOptions, environment: Mapping[str, str]) -> Access:
    """Combine URL, options and environment.

    Options take precedence over the URL, and the URL over the environment. Certificates from the environment apply only
    to `mqtts` URLs.

    Args:
        broker: The broker's URL.
        options: Command-line options.
        environment: Environment variables.

    Raises:
        BrokerUrlError: The URL is malformed, a password file cannot be read, or the settings contradict each other.
    """
    url = parse_url(broker)
    if options.user is not None and url.user is not None and options.user != url.user:
        raise BrokerUrlError(f"two users for {url}: --user {options.user!r} and {url.user!r} in the URL")
    user = options.user or url.user or environment.get(USER) or None
    password = _password(url, options, environment)
    if password is not None and user is None:
        raise BrokerUrlError(f"a password for {url}, but no user: give --user or {USER}")
    tls = Tls(
        options.ca_file or _path(environment, CA_FILE),
        options.cert_file or _path(environment, CERT_FILE),
        options.key_file or _path(environment, KEY_FILE),
    )
    if not url.tls:
        certificates = [name for name in options.given if name in {"--ca-file", "--cert-file", "--key-file"}]
        if certificates:
            raise BrokerUrlError(f"{', '.join(certificates)}: requires an mqtts:// URL, not {url}")
        tls = Tls()
    return Access(replace(url, user=user, password=password), tls)


def _password(url: BrokerUrl, options: AccessOptions, environment: Mapping[str, str]) -> str | None:
    if options.password_file is not None:
        return _read(options.password_file, "--password-file")
    if url.password is not None:
        return url.password
    file, text = _path(environment, PASSWORD_FILE), environment.get(PASSWORD) or None
    if file is not None and text is not None:
        raise BrokerUrlError(f"both {PASSWORD} and {PASSWORD_FILE} are set: leave one out")
    return text if file is None else _read(file, PASSWORD_FILE)


def _path(environment: Mapping[str, str], name: str) -> Path | None:
    value = environment.get(name)
    return Path(value) if value else None


def _read(file: Path, what: str) -> str:
    """Return the first line of a password file."""
    try:
        line, _, _ = file.read_text(encoding="utf-8").partition("\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BrokerUrlError(f"{what}: no password can be read from {file} ({why})") from None
    if not line:
        raise BrokerUrlError(f"{what}: {file} is empty: expected a password in its first line")
    return line
