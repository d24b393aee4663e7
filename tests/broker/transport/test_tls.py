"""Connections over TLS, with certificates made here and a real Mosquitto."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from broker.errors import BrokerAwayError, BrokerRefusedError, BrokerUnreachableError
from broker.servers.mosquitto import find_mosquitto, managed_mosquitto
from broker.transport import MqttBroker
from broker.transport.base import Delivery
from broker.transport.broker_url import BrokerUrl
from broker.transport.tls import Tls

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")

DAY = dt.timedelta(days=1)
NOW = dt.timedelta()


@dataclass(frozen=True)
class Authority:
    """Signs certificates and writes them into a folder."""

    folder: Path
    name: str
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls, folder: Path, name: str) -> Authority:
        """Make one, with its certificate in `<name>.crt`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            _certificate(subject, subject, key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        (folder / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return cls(folder, name, key, certificate)

    def sign(self, name: str, address: str = "127.0.0.1", later: dt.timedelta = NOW) -> None:
        """Write a certificate and its key into `<name>.crt` and `<name>.key`; `later` moves its validity."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        certificate = (
            _certificate(subject, self.certificate.subject, key, later)
            .add_extension(names, critical=False)
            .sign(self.key, hashes.SHA256())
        )
        (self.folder / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (self.folder / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, later: dt.timedelta = NOW
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC) + later
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
    )


@asynccontextmanager
async def tls_mosquitto(
    folder: Path, *, address: str = "127.0.0.1", wants_certificate: bool = False, later: dt.timedelta = NOW
) -> AsyncIterator[BrokerUrl]:
    """Run one with a certificate for `address`; the authority's is in `authority.crt`."""
    authority = Authority.make(folder, "authority")
    authority.sign("server", address, later)
    authority.sign("client")
    extra_configuration = (
        f"cafile {folder}/authority.crt\ncertfile {folder}/server.crt\nkeyfile {folder}/server.key\n"
        f"require_certificate {'true' if wants_certificate else 'false'}\n"
    )
    async with managed_mosquitto(extra_configuration=extra_configuration) as running:
        yield BrokerUrl(running.url.host, running.url.port, tls=True)


async def connect(url: BrokerUrl, tls: Tls | None) -> None:
    """Connect, and send a message to oneself."""
    async with MqttBroker(url, tls=tls, is_patient=False).connect("host") as host:
        await host.subscribe("a")
        payload = bytes(100_000)
        for _ in range(3):
            await host.publish("a", payload, qos=1)
            assert await anext(host.messages()) == Delivery("a", payload, retain=False)


async def test_a_broker_whose_authority_is_trusted(tmp_path: Path) -> None:
    """Messages larger than a TLS record arrive whole."""
    async with tls_mosquitto(tmp_path) as url:
        await connect(url, Tls(tmp_path / "authority.crt"))


async def test_a_client_with_a_certificate(tmp_path: Path) -> None:
    """A client with a certificate connects; one without, or with a foreign one, gets an error."""
    strangers = tmp_path / "strangers"
    strangers.mkdir()
    Authority.make(strangers, "stranger").sign("client")
    async with tls_mosquitto(tmp_path, wants_certificate=True) as url:
        trusted = tmp_path / "authority.crt"
        await connect(url, Tls(trusted, tmp_path / "client.crt", tmp_path / "client.key"))
        for cert, key in [(None, None), (strangers / "client.crt", strangers / "client.key")]:
            with pytest.raises(BrokerUnreachableError, match=f"mqtts://127.0.0.1:{url.port}: "):
                await connect(url, Tls(trusted, cert, key))


async def test_a_certificate_that_is_refused_fails_at_once(tmp_path: Path) -> None:
    """The broker says why; the test would not end if it were tried again up to the limit."""
    async with tls_mosquitto(tmp_path, wants_certificate=True) as url:
        broker = MqttBroker(url, tls=Tls(tmp_path / "authority.crt"), lost_after_wall_s=100_000)
        with pytest.raises(BrokerUnreachableError, match="TLS failed: the broker refuses the client certificate"):
            async with broker.connect("host"):
                pass


@pytest.mark.parametrize("case", ["system", "stranger", "address"])
async def test_a_broker_that_is_not_trusted(tmp_path: Path, case: str) -> None:
    """The client refuses a broker with a certificate of an unknown authority, or for another address."""
    strangers = tmp_path / "strangers"
    strangers.mkdir()
    Authority.make(strangers, "stranger")
    trusted = {
        "system": Tls(),
        "stranger": Tls(strangers / "stranger.crt"),
        "address": Tls(tmp_path / "authority.crt"),
    }
    async with tls_mosquitto(tmp_path, address="127.0.0.2" if case == "address" else "127.0.0.1") as url:
        with pytest.raises(BrokerUnreachableError, match="TLS failed: the broker's certificate is not trusted"):
            await connect(url, trusted[case])


@pytest.mark.parametrize(
    ("later", "kind", "reason"),
    [
        (2 * DAY, BrokerAwayError, "not yet valid"),
        (-2 * DAY, BrokerRefusedError, "certificate has expired"),
    ],
)
async def test_a_certificate_that_is_not_valid_now(
    tmp_path: Path, later: dt.timedelta, kind: type[BrokerUnreachableError], reason: str
) -> None:
    """A machine that booted with a slow clock tries again; the error names the time on its clock."""
    async with tls_mosquitto(tmp_path, later=later) as url:
        with pytest.raises(kind, match=rf"{reason}; the clock of this machine says \d+-\d\d-\d\d \d\d:\d\d UTC\)"):
            await connect(url, Tls(tmp_path / "authority.crt"))


async def test_one_side_without_tls(tmp_path: Path) -> None:
    """In both directions the message mentions TLS or the missing answer."""
    async with tls_mosquitto(tmp_path) as url:
        with pytest.raises(BrokerUnreachableError, match="without an answer; is it an MQTT broker, and without TLS"):
            await connect(BrokerUrl(url.host, url.port), None)
    async with managed_mosquitto() as running:
        with pytest.raises(BrokerUnreachableError, match="does it speak TLS"):
            await connect(BrokerUrl(running.url.host, running.url.port, tls=True), Tls(tmp_path / "authority.crt"))


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    """The message names the file, before anything is connected."""
    Authority.make(tmp_path, "authority").sign("client")
    Authority.make(tmp_path, "other").sign("stranger")
    text = tmp_path / "text"
    text.write_text("no certificate", encoding="utf-8")
    url = "mqtts://broker"
    with pytest.raises(BrokerUnreachableError, match=r"TLS: .*missing.*: there is no such file"):
        MqttBroker(url, tls=Tls(tmp_path / "missing"))
    with pytest.raises(BrokerUnreachableError, match=r"TLS: .*xxx: cannot be read: File name too long"):
        MqttBroker(url, tls=Tls(tmp_path / ("x" * 300)))
    with pytest.raises(BrokerUnreachableError, match="text contains no certificates"):
        MqttBroker(url, tls=Tls(text))
    with pytest.raises(BrokerUnreachableError, match="needs a certificate"):
        MqttBroker(url, tls=Tls(key_file=tmp_path / "client.key"))
    with pytest.raises(BrokerUnreachableError, match="are not a certificate and its"):
        MqttBroker(url, tls=Tls(cert_file=tmp_path / "client.crt", key_file=tmp_path / "stranger.key"))
    with pytest.raises(BrokerUnreachableError, match="are not a certificate and its"):
        MqttBroker(url, tls=Tls(cert_file=text))
    if os.geteuid() != 0:
        text.chmod(0)
        for tls in (Tls(text), Tls(cert_file=text), Tls(cert_file=tmp_path / "client.crt", key_file=text)):
            with pytest.raises(BrokerUnreachableError, match=r"TLS: .*text: cannot be read: Permission denied"):
                MqttBroker(url, tls=tls)
