"""Options, URL and environment: which of them counts, and that no password shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.errors import BrokerUrlError
from broker.transport.access import AccessOptions, access_to

NOTHING = AccessOptions()


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
