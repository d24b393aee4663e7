"""The files that `write_guard` writes and keeps; with real files."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from broker.errors import GuardError
from broker.security.acl import DeviceAccess
from broker.security.certificates import RENEW_DAYS, names_of
from broker.security.mosquitto_conf import is_line_of
from broker.security.provision import Guard, login_folder, write_guard

HOUSES = ("adler", "brandt")


def files_of(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder with their content."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def certificate(file: Path) -> x509.Certificate:
    """Read a certificate."""
    return x509.load_pem_x509_certificate(file.read_bytes())


def test_written_again_nothing_changes(tmp_path: Path) -> None:
    """Passwords, certificates, hashes and the rights of households to their devices stay to the byte."""
    washer = DeviceAccess("adler", "washer", ("tele/washer/+",), ("cmnd/washer/+",))
    names = ("broker.example", "192.0.2.7")
    first = write_guard(tmp_path, Guard(HOUSES, ("manager",), names=names, port=9883, devices=(washer,)))
    before = files_of(tmp_path)
    second = write_guard(tmp_path, Guard((), ("manager",)))
    assert files_of(tmp_path) == before
    assert set(first.new_logins) == {*HOUSES, "device.washer", "clock", "watcher", "operator"}
    assert not second.new_logins
    assert (second.port, set(second.names)) == (9883, {"broker.example", "192.0.2.7"})


def test_a_damaged_list_of_devices_is_not_taken_for_none(tmp_path: Path) -> None:
    """Households would lose their rights to their devices without a word."""
    write_guard(tmp_path, Guard(HOUSES, ("manager",), devices=(DeviceAccess("adler", "washer"),)))
    (tmp_path / "devices.json").write_text("[{")
    with pytest.raises(GuardError, match=r"devices\.json: is damaged"):
        write_guard(tmp_path, Guard((), ("manager",)))


def test_an_additional_household_changes_nothing_for_the_others(tmp_path: Path) -> None:
    """Only the lists of logins and permissions grow."""
    write_guard(tmp_path, Guard(HOUSES, ("manager",)))
    before = files_of(tmp_path)
    assert write_guard(tmp_path, Guard(("celik",), ("manager",))).new_logins == ("celik",)
    after = files_of(tmp_path)
    changed = {name for name, content in before.items() if after[name] != content}
    assert changed == {"broker/acl", "broker/passwords"}
    for name in changed:
        assert set(before[name].splitlines()) < set(after[name].splitlines())
    assert {name.split("/")[1] for name in after.keys() - before.keys()} == {"celik"}


def test_a_removed_login_loses_its_rights(tmp_path: Path) -> None:
    """Removing a login's folder and writing again revokes it."""
    write_guard(tmp_path, Guard(HOUSES, ("manager",)))
    shutil.rmtree(login_folder(tmp_path, "brandt"))
    write_guard(tmp_path, Guard((), ("manager",)))
    for file in ("acl", "passwords"):
        text = (tmp_path / "broker" / file).read_text()
        assert "adler" in text
        assert "brandt" not in text


def test_only_the_owner_reads(tmp_path: Path) -> None:
    """Every file and folder, also one that was there before and open."""
    (tmp_path / "logins" / "adler").mkdir(parents=True, mode=0o755)
    write_guard(tmp_path, Guard(HOUSES, ("manager",)))
    for path in tmp_path.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_password_stands_nowhere_but_in_its_file(tmp_path: Path) -> None:
    """A household's machine, or the broker's, gives away no other login."""
    write_guard(tmp_path, Guard(HOUSES, ("manager",)))
    files = files_of(tmp_path)
    for name, content in files.items():
        if name.endswith("/password"):
            assert [other for other, text in files.items() if content.strip() in text] == [name]
    keys = [content for name, content in files.items() if name.endswith(".key")]
    assert len(set(keys)) == len(keys) == 7


@pytest.mark.skipif(shutil.which("mosquitto_passwd") is None, reason="mosquitto_passwd is not installed")
def test_the_hashes_are_mosquittos(tmp_path: Path) -> None:
    """Hashes of Mosquitto's own tool are recognized by the arithmetic that writes ours."""
    file = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-c", "-b", str(file), "adler", "a secret"], check=True, capture_output=True)
    line = file.read_text().strip()
    assert is_line_of(line, "adler", "a secret")
    assert not is_line_of(line, "adler", "another")
    assert not is_line_of(line, "brandt", "a secret")


def test_certificates_that_expire_soon_are_renewed(tmp_path: Path) -> None:
    """A deployment that writes its guard at each start never has an expired certificate."""
    write_guard(tmp_path, Guard(HOUSES, ("manager",), days=20))
    password = (tmp_path / "logins" / "adler" / "password").read_bytes()
    written = write_guard(tmp_path, Guard((), ("manager",), days=400))
    assert set(written.new_certificates) == set(written.logins)
    assert written.is_server_renewed
    assert (tmp_path / "logins" / "adler" / "password").read_bytes() == password
    advice = " ".join((tmp_path / "README.md").read_text().split())
    assert f"once a month: it renews certificates in their last {RENEW_DAYS} days" in advice
    for file in ("broker/server.crt", "logins/adler/client.crt"):
        lasts = certificate(tmp_path / file).not_valid_after_utc - datetime.now(UTC)
        assert timedelta(days=399) < lasts < timedelta(days=401)


def test_a_new_name_makes_a_new_certificate_for_all_names(tmp_path: Path) -> None:
    """An address is an address there, a name a name."""
    write_guard(tmp_path, Guard(HOUSES, ("manager",), names=("broker",)))
    write_guard(tmp_path, Guard((), ("manager",), names=("192.0.2.7", "bücher.example")))
    server = certificate(tmp_path / "broker" / "server.crt")
    assert names_of(server) == ("broker", "192.0.2.7", "xn--bcher-kva.example")
    alternative = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(address) for address in alternative.get_values_for_type(x509.IPAddress)] == ["192.0.2.7"]


@pytest.mark.parametrize("missing", ["ca.key", "ca.crt", "."])
def test_an_authority_is_never_replaced_unasked(tmp_path: Path, missing: str) -> None:
    """Replacing it would require new certificates for all clients."""
    write_guard(tmp_path, Guard(HOUSES, ("manager",)))
    gone = tmp_path / "authority" / missing
    shutil.rmtree(gone) if missing == "." else gone.unlink()
    before = files_of(tmp_path)
    with pytest.raises(GuardError, match="authority"):
        write_guard(tmp_path, Guard(("celik",), ("manager",)))
    assert files_of(tmp_path) == before


@pytest.mark.parametrize("kept", range(1, 14))
def test_a_first_writing_that_broke_off_is_completed_by_the_next(tmp_path: Path, kept: int) -> None:
    """The disk was full after some files; after the first one, the authority's key, it could not be repeated."""
    guard = Guard(HOUSES, ("manager",))
    write_guard(tmp_path, guard)
    files = sorted(files_of(tmp_path), key=lambda path: (tmp_path / path).stat().st_mtime_ns)
    for path in files[kept:]:
        (tmp_path / path).unlink()
    write_guard(tmp_path, guard)
    assert sorted(files_of(tmp_path)) == sorted(files)


def test_certificates_stay_required(tmp_path: Path) -> None:
    """Adding a household does not open the broker to passwords."""
    write_guard(tmp_path, Guard(HOUSES, ("manager",), client_certificates=True))
    assert write_guard(tmp_path, Guard(("celik",), ("manager",))).client_certificates
    for file in ("mosquitto.conf", "mosquitto-host.conf"):
        assert "\nuse_identity_as_username true\n" in (tmp_path / "broker" / file).read_text()


@pytest.mark.parametrize("name", ["watcher", "operator", "clock", "manager"])
def test_names_of_services_are_not_households(tmp_path: Path, name: str) -> None:
    """A household of that name would share a login with the service."""
    with pytest.raises(GuardError, match=f"household cannot have the id '{name}'"):
        write_guard(tmp_path / "guard", Guard((name,), ("manager",)))
    assert not (tmp_path / "guard").exists()


@pytest.mark.parametrize(
    "house", ["..", ".", "../../x", "a/b", "ü", "+", "#", ".hidden", "a:b", "%", "a b", "con", "a.", "ü" * 200]
)
def test_any_id_has_a_folder_and_a_login(tmp_path: Path, house: str) -> None:
    """No id leads out of the folder or into another's; the next writing finds it again."""
    guard = tmp_path / "guard"
    write_guard(guard, Guard((house, "a"), ("manager",)))
    assert set(write_guard(guard, Guard((), ("manager",))).logins) == {"clock", "watcher", "operator", house, "a"}
    assert (login_folder(guard, house) / "password").is_file()
    assert [entry.name for entry in tmp_path.iterdir()] == ["guard"]
    assert len(list((guard / "logins").iterdir())) == 5


def test_ids_too_long_for_a_certificate_log_in_by_password(tmp_path: Path) -> None:
    """With certificates, they are refused with an error."""
    long = "ü" * 20
    write_guard(tmp_path / "one", Guard((long,), ("manager",)))
    with pytest.raises(GuardError, match="120 characters; a certificate's name has at most 64"):
        write_guard(tmp_path / "two", Guard((long,), ("manager",), client_certificates=True))


@pytest.mark.parametrize("name", ["", "a b", "a/b", "mqtts://broker", "broker:8883", "a..b"])
def test_invalid_names_are_refused(tmp_path: Path, name: str) -> None:
    """A certificate for such a name would be useless."""
    with pytest.raises(GuardError, match="neither a host name nor an IP address"):
        write_guard(tmp_path, Guard(HOUSES, ("manager",), names=(name,)))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The error has no traceback."""
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(GuardError, match="file"):
        write_guard(file, Guard(HOUSES, ("manager",)))
