"""The neighbourhood's own certificate authority and the certificates it issues: TLS 1.2 and newer, P-256 keys.

A client's certificate is not valid for a server (extended key usage), so no household can impersonate the broker.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from broker.errors import GuardError

AUTHORITY_DAYS = 3650
"""Validity of the authority's own certificate."""
VALID_DAYS = 825
"""Validity of the certificates that it issues, unless another is chosen."""
RENEW_DAYS = 30
"""A certificate with fewer days left is renewed."""
_CLOCKS_DIFFER = timedelta(hours=1)
"""Certificates are valid from this long ago, so that machines whose clocks are slow accept them."""
MOST_NAME_CHARACTERS = 64
"""Longest common name (RFC 5280, upper bound `ub-common-name`)."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        """The certificate in PEM format."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The key in PEM format, unencrypted."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def new_authority(name: str) -> Credential:
    """Create an authority that may sign server and client certificates, but no further authorities."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(name)
    builder = _builder(subject, subject, key.public_key(), AUTHORITY_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return Credential(builder.sign(key, hashes.SHA256()), key)


def new_server(authority: Credential, names: Sequence[str], days: float) -> Credential:
    """Issue a broker's certificate.

    Args:
        authority: Signs it.
        names: Host names and IP addresses under which clients reach the broker.
        days: Validity, days.

    Raises:
        GuardError: A name is neither a host name nor an IP address.
    """
    alternative = x509.SubjectAlternativeName([_alternative(name) for name in names])
    return _issue(authority, "broker", days, ExtendedKeyUsageOID.SERVER_AUTH, alternative)


def new_client(authority: Credential, login: str, days: float) -> Credential:
    """Issue a client's certificate.

    Args:
        authority: Signs it.
        login: Becomes the common name; at most `MOST_NAME_CHARACTERS` characters.
        days: Validity, days.
    """
    return _issue(authority, login, days, ExtendedKeyUsageOID.CLIENT_AUTH, None)


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the names that a server's certificate is valid for."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(name.value) for name in found)


def server_names(file: Path) -> tuple[str, ...] | None:
    """Return the names that a server's certificate file is valid for; None if it cannot be read."""
    try:
        return names_of(x509.load_pem_x509_certificates(file.read_bytes())[0])
    except (OSError, ValueError):
        return None


def common_name_of(file: Path) -> str | None:
    """Return the common name of a client's certificate, its login at a guarded broker; None if it cannot be read."""
    try:
        certificate = x509.load_pem_x509_certificates(file.read_bytes())[0]
        name = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except (OSError, ValueError):
        return None
    return str(name[0].value) if name else None


def is_good(credential: Credential, authority: Credential) -> bool:
    """Return whether a credential is signed by `authority`, matches its key, and does not expire soon."""
    certificate = credential.certificate
    try:
        certificate.verify_directly_issued_by(authority.certificate)
    except (InvalidSignature, ValueError, TypeError):
        return False
    lasts = certificate.not_valid_after_utc > datetime.now(UTC) + timedelta(days=RENEW_DAYS)
    return lasts and certificate.public_key() == credential.key.public_key()


def read_credential(certificate_pem: bytes, key_pem: bytes) -> Credential:
    """Parse a certificate and its key.

    Raises:
        ValueError: They are not a certificate and an unencrypted P-256 key in PEM format.
    """
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    try:
        key = serialization.load_pem_private_key(key_pem, password=None)
    except TypeError:
        raise ValueError("the key is encrypted") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the key is not a P-256 key")  # noqa: TRY004 - a file is wrong, no caller
    return Credential(certificate, key)


def _issue(
    authority: Credential,
    name: str,
    days: float,
    purpose: x509.ObjectIdentifier,
    alternative: x509.SubjectAlternativeName | None,
) -> Credential:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_subject(name), authority.certificate.subject, key.public_key(), days)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    builder = builder.add_extension(issuer, critical=False)
    if alternative is not None:
        builder = builder.add_extension(alternative, critical=False)
    return Credential(builder.sign(authority.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: float
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER)
        .not_valid_after(now + timedelta(days=days))
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        ascii_name = name.encode("idna").decode("ascii")
    except ValueError:
        ascii_name = ""
    if re.fullmatch(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?", ascii_name) is None:
        raise GuardError(f"{name!r} is neither a host name nor an IP address")
    return x509.DNSName(ascii_name)
