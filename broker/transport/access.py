"""Access to a broker: URL, login and certificate files, from command-line options and environment variables.

A password comes from a file, the environment or the URL. It is never a command-line option, because every user of the
machine can read command lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from broker.errors import BrokerUrlError
from broker.transport.broker_url import BrokerUrl, parse_url
from broker.transport.tls import Tls

BROKER = "SSMIC_BROKER"
USER = "SSMIC_USER"
PASSWORD = "SSMIC_PASSWORD"  # noqa: S105 - a variable's name
PASSWORD_FILE = "SSMIC_PASSWORD_FILE"  # noqa: S105 - a variable's name
CA_FILE = "SSMIC_CA_FILE"
CERT_FILE = "SSMIC_CERT_FILE"
KEY_FILE = "SSMIC_KEY_FILE"


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
