"""How a broker is reached: what its URL means, which options count, TLS with a real Mosquitto; no password shows."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, strategies as st

from broker.errors import BrokerAwayError, BrokerRefusedError, BrokerUnreachableError, BrokerUrlError
from broker.servers.mosquitto import find_mosquitto, managed_mosquitto
from broker.transport import MqttBroker
from broker.transport.base import Delivery
from broker.transport.endpoint import AccessOptions, BrokerUrl, Tls, access_to, parse_url

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
NOTHING = AccessOptions()
pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")

DAY = dt.timedelta(days=1)
NOW = dt.timedelta()


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("mqtt://broker", BrokerUrl("broker", 1883)),
        ("mqtt://broker/", BrokerUrl("broker", 1883)),
        ("mqtts://broker", BrokerUrl("broker", 8883, tls=True)),
        ("mqtts://broker.example.", BrokerUrl("broker.example", 8883, tls=True)),  # certificates name it without a dot
        ("mqtt://broker.example.", BrokerUrl("broker.example.", 1883)),
        ("MQTT://Broker:1884", BrokerUrl("broker", 1884)),
        ("mqtt://127.0.0.1:1", BrokerUrl("127.0.0.1", 1)),
        ("mqtt://[::1]:1884", BrokerUrl("::1", 1884)),
        ("mqtt://house@broker", BrokerUrl("broker", 1883, "house")),
        ("mqtt://house:@broker", BrokerUrl("broker", 1883, "house", "")),
        ("mqtt://house:p%40ss%2Fw:rd@broker:1884", BrokerUrl("broker", 1884, "house", "p@ss/w:rd")),
    ],
)
def test_what_is_understood(text: str, url: BrokerUrl) -> None:
    """Ports have their defaults; user and password are percent-decoded."""
    assert parse_url(text) == url


@given(TEXT, TEXT)
def test_any_login_can_be_written(user: str, password: str) -> None:
    """Percent-encoded, it comes out as it was."""
    url = parse_url(f"mqtt://{quote(user, safe='')}:{quote(password, safe='')}@broker")
    assert (url.user, url.password) == (user, password)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "broker",
        "broker:1883",
        "http://broker",
        "mqtt:broker",
        "mqtt://",
        "mqtt://:1883",
        "mqtts://.",
        "mqtt://broker:0",
        "mqtt://broker:65536",
        "mqtt://broker:port",
        "mqtt://broker/topic",
        "mqtt://broker?x=1",
        "mqtt://broker#x",
        "mqtt://bro ker",
        "mqtt://[::1",
        "mqtt://%FF:x@broker",
        "mqtt://:x@broker",
    ],
)
def test_what_is_refused(text: str) -> None:
    """The message shows what was given and what was expected."""
    with pytest.raises(BrokerUrlError, match=r"^broker URL '.*expected mqtt://\[user:password@\]host\[:port\]"):
        parse_url(text)


@pytest.mark.parametrize(
    "text",
    [
        "mqtt://house:s3cret@broker",
        "mqtt://house:s3cret@broker:port",
        "mqtt://house:s3cret@",
        "mqtt://house:/s3cret@broker",
        "mqtt://house:%FFs3cret@broker",
        "mqtt://house:a@s3cret@broker:0",
        "mqtt://house:s3cret?@broker",
        "mqtt://house:s3cret#@broker",
        "mqtt://house:s3cret\n@broker:0",
        "http://house:s3cret@broker",
        "house:s3cret@broker",
        "//house:s3cret@broker",
    ],
)
def test_a_password_is_never_shown(text: str) -> None:
    """It appears neither in a valid URL nor in the error about an invalid one."""
    try:
        url = parse_url(text)
    except BrokerUrlError as error:
        shown = f"{error}{error!r}{error.__cause__}{error.__suppress_context__ or error.__context__}"
    else:
        shown = f"{url}{url!r}"
    assert "s3cret" not in shown
    assert "broker" in shown


def test_a_url_is_shown_as_it_is_written() -> None:
    """It is shown without the password, with the port."""
    assert str(parse_url("mqtt://house:x@broker")) == "mqtt://house@broker:1883"
    assert str(parse_url("mqtts://[::1]")) == "mqtts://[::1]:8883"


def test_the_environment_is_enough(tmp_path: Path) -> None:
    """Containers are configured this way."""
    file = tmp_path / "password"
    file.write_text("a secret\u2028, still\n", encoding="utf-8")
    access = access_to(
        "mqtts://broker", NOTHING, {"SSMIC_USER": "adler", "SSMIC_PASSWORD_FILE": str(file), "SSMIC_CA_FILE": "/ca"}
    )
    assert (access.url.user, access.url.password, access.url.port) == ("adler", "a secret\u2028, still", 8883)
    assert access.tls.ca_file == Path("/ca")
    assert "a secret" not in f"{access!r} {access.url}"


def test_options_count_more_than_the_url_and_that_more_than_the_environment(tmp_path: Path) -> None:
    """The nearer to the user, the more it counts."""
    file = tmp_path / "password"
    file.write_text("from the file", encoding="utf-8")
    environment = {"SSMIC_USER": "env", "SSMIC_PASSWORD": "from env", "SSMIC_CA_FILE": "/env", "SSMIC_KEY_FILE": "/k"}
    by_url = access_to("mqtts://url:from-url@broker", NOTHING, environment)
    assert (by_url.url.user, by_url.url.password) == ("url", "from-url")
    options = AccessOptions(user="url", password_file=file, ca_file=Path("/option"))
    by_option = access_to("mqtts://url:from-url@broker", options, environment)
    assert by_option.url.password == "from the file"  # noqa: S105 - the test's
    assert (by_option.tls.ca_file, by_option.tls.key_file) == (Path("/option"), Path("/k"))


def test_a_user_in_the_url_takes_the_password_from_the_environment() -> None:
    """So the password need not be on the command line."""
    access = access_to("mqtt://adler@broker", NOTHING, {"SSMIC_PASSWORD": "x"})
    assert (access.url.user, access.url.password) == ("adler", "x")


def test_certificates_in_the_environment_are_for_tls_only() -> None:
    """A broker without TLS is still reached; a certificate given as an option is then an error."""
    access = access_to("mqtt://broker", NOTHING, {"SSMIC_CA_FILE": "/ca"})
    assert access.tls.ca_file is None
    with pytest.raises(BrokerUrlError, match="--ca-file: requires an mqtts:// URL"):
        access_to("mqtt://broker", AccessOptions(ca_file=Path("/ca")), {})


@pytest.mark.parametrize(
    ("url", "options", "environment", "complaint"),
    [
        ("mqtt://a@b", AccessOptions(user="c"), {}, "two users"),
        ("mqtt://b", NOTHING, {"SSMIC_PASSWORD": "secret"}, "no user"),
        ("mqtt://b", NOTHING, {"SSMIC_USER": "a", "SSMIC_PASSWORD": "secret", "SSMIC_PASSWORD_FILE": "x"}, "both"),
        ("mqtt://b", AccessOptions(user="a", password_file=Path("/not/there")), {}, "/not/there"),
        ("mqtt://b", AccessOptions(user="a", password_file=Path("/dev/null")), {}, "is empty"),
        ("http://a:secret@b", NOTHING, {}, "expected mqtt://"),
    ],
)
def test_contradictions_are_reported_without_a_password(
    url: str, options: AccessOptions, environment: dict[str, str], complaint: str
) -> None:
    """The error states the problem and where to correct it."""
    with pytest.raises(BrokerUrlError, match=complaint) as caught:
        access_to(url, options, environment)
    assert "secret" not in str(caught.value)


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
