"""A client's certificate that is issued to another household than the one that uses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.security.certificates import new_authority, new_client
from broker.transport import AccessOptions
from tui.cli.broker_access import deployed_broker


@pytest.mark.parametrize(
    ("issued_to", "logins", "others"),
    [
        ("brandt", ["adler"], "adler"),
        ("adler", ["adler"], None),
        ("Haus%201", ["Haus 1"], None),
        ("adler", ["adler", "brandt"], "brandt"),
        ("brandt", ["clock"], "clock"),
        ("brandt", [], None),  # `ssmic devices`, as whoever has a login
    ],
)
def test_a_certificate_of_another_household_is_noted(
    issued_to: str, logins: list[str], others: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A guarded broker lets it connect and sends it nothing, so that a host only ever missed the clock."""
    authority = new_authority("authority")
    client = new_client(authority, issued_to, 1)
    files = {"ca_file": authority.certificate_pem, "cert_file": client.certificate_pem, "key_file": client.key_pem}
    for name, pem in files.items():
        (tmp_path / name).write_bytes(pem)
    access = AccessOptions(None, None, *(tmp_path / name for name in files))
    deployed_broker("mqtts://localhost", access, lost_after_wall_s=1, on_command_line=False, logins=logins)
    said = capsys.readouterr().err
    assert (f"cert_file is issued to {issued_to!r}, not to {others}: " in said) == (others is not None)
    assert bool(said) == (others is not None)
