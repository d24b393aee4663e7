"""TLS for connections to a broker: which certificates are trusted and presented, and the least version."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

from broker.errors import BrokerRefusedError


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
