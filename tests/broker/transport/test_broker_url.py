"""A broker's URL: what is written is understood or refused, and its password is never shown."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given, strategies as st

from broker.errors import BrokerUrlError
from broker.transport.broker_url import BrokerUrl, parse_url

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("mqtt://broker", BrokerUrl("broker", 1883)),
        ("mqtt://broker/", BrokerUrl("broker", 1883)),
        ("mqtts://broker", BrokerUrl("broker", 8883, tls=True)),
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
