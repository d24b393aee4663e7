"""A guard's folder: all that the broker needs, and a folder for each login to take away.

Writing it again adds what is new and keeps what is there: passwords and certificates that are in use stay as they are,
a certificate that is about to end is made anew.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from broker.errors import GuardError
from broker.filenames import file_name
from broker.identifiers import identifier_problem
from broker.protocol.topics import encode
from broker.security import mosquitto_conf as conf
from broker.security.acl import SERVICE_LOGINS, acl_text, rights_of
from broker.security.certificates import (
    MOST_NAME_CHARACTERS,
    Credential,
    is_good,
    names_of,
    new_authority,
    new_client,
    new_server,
    read_credential,
)
from broker.security.passwords import is_line_of, new_password, password_line
from broker.security.secret_files import Owner, SecretWriter

_TEXT = """\
# A guarded broker

Written by `ssmic broker init`. Run it again with more households, names or after a year: it adds what is new and keeps
what is there. Everything here but this file is secret.

| folder | what | who needs it |
| --- | --- | --- |
| `authority/` | the certificate authority and its key | you alone; keep it off the broker's machine if you can |
| `broker/` | Mosquitto's configuration, certificate, hashed passwords and rights | the broker, read only |
| `data/` | what the broker keeps across a restart | the broker |
| `logins/<login>/` | one login's `password`, certificate and key, and the authority's `ca.crt` | the one it is for |

Clients reach it at {addresses}.
They log in {how}.

## Run the broker

    docker run -p {port}:{port} --user "$(id -u):$(id -g)" -v "$PWD/broker:/mosquitto/config:ro" \\
      -v "$PWD/data:/mosquitto/data" eclipse-mosquitto:2
    mosquitto -c broker/mosquitto-host.conf        # or without containers (not as root)

After a change, let it read its files again: `kill -HUP` its process (logins and rights), or restart it (certificates).

## Connect

    export SSMIC_BROKER=mqtts://{name}:{port}
    export SSMIC_CA_FILE=$PWD/logins/clock/ca.crt
{login}

A household's machine gets the folder of its household and no other. Its login is its id as topics write it, which is
the folder's name: `Haus%201` for the household `Haus 1`.

## Who may what

| login | reads | writes |
| --- | --- | --- |
| a household | its own inbox and grants, roster, time | messages, answers, forecasts in its own name |
| `clock` | announcements, answers, control, all inboxes | time, roster, grants, ledger; as the manager |
| `watcher` | everything | nothing |
| `operator` | everything | control: pause, pace, stop |

Take a household's rights away: remove `logins/<login>`, run `ssmic broker init` without it, and restart the broker.

## Who tried what

The broker's log tells every connection with its address and login (`New client connected from 192.0.2.8:4711 as
<client> (..., u'<login>')`), refused ones (`not authorised`), and every denied message (`Denied PUBLISH from
<client>`). It tells messages that passed too, so let your system rotate it.
"""

_LOGIN_BY_NAME = """\
    export SSMIC_USER=clock SSMIC_PASSWORD_FILE=$PWD/logins/clock/password"""
_LOGIN_BY_CERTIFICATE = """\
    export SSMIC_CERT_FILE=$PWD/logins/clock/client.crt SSMIC_KEY_FILE=$PWD/logins/clock/client.key"""


def explanation(names: Sequence[str], port: int, *, client_certificates: bool) -> str:
    """Return the README of a guard's folder."""
    shown = [f"[{name}]" if ":" in name else name for name in names]
    return _TEXT.format(
        addresses=", ".join(f"`mqtts://{name}:{port}`" for name in shown),
        how="with their certificates" if client_certificates else "with their names and passwords",
        name=shown[0],
        port=port,
        login=_LOGIN_BY_CERTIFICATE if client_certificates else _LOGIN_BY_NAME,
    )


AUTHORITY = "authority"
BROKER = "broker"
DATA = "data"
LOGINS = "logins"
LOGIN = "login"
"""Holds the login where the folder's name cannot."""
PASSWORD = "password"  # noqa: S105 - a file's name
CLIENT_CERT = "client.crt"
CLIENT_KEY = "client.key"
CA = "ca.crt"
_CA_KEY = "ca.key"


@dataclass(frozen=True, slots=True)
class Guard:
    """What a guarded broker is to be."""

    hosts: tuple[str, ...]
    """The households' host ids, each a login; those that have one already stay."""
    clock_hosts: tuple[str, ...] = ()
    """Host ids that the clock's process runs under its own login."""
    names: tuple[str, ...] = ()
    """Host names and addresses under which clients reach the broker; those in its certificate already stay."""
    port: int | None = None
    """None: as it was, else 8883."""
    client_certificates: bool | None = None
    """Whether clients log in by certificate instead of by password; None: as it was, else by password."""
    days: float = 825
    """Validity of new certificates."""
    owner: Owner | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What `write_guard` did."""

    port: int
    names: tuple[str, ...]
    client_certificates: bool
    logins: tuple[str, ...]
    """All there are now."""
    new_logins: tuple[str, ...]
    new_certificates: tuple[str, ...]
    """Logins that had a certificate which was about to end or did not fit, and got a new one."""


def login_folder(folder: Path, login: str) -> Path:
    """Return where a login's password and certificate are."""
    return folder / LOGINS / file_name(login)


def _login_of(entry: Path) -> str:
    """Return whose folder an entry of `LOGINS` is.

    Raises:
        GuardError: its name is none that `login_folder` gives.
    """
    kept = entry / LOGIN
    login = kept.read_text(encoding="utf-8").rstrip("\n") if kept.is_file() else unquote(entry.name)
    if identifier_problem(login) is not None or login_folder(entry.parent.parent, login) != entry:
        raise GuardError(f"{entry}: no login has this folder's name; remove it, or give it back its name")
    return login


def write_guard(folder: Path, guard: Guard) -> Written:
    """Write into `folder` what a guarded Mosquitto and its clients need.

    Raises:
        GuardError: what is there does not fit together, or what is wanted cannot be; the message says what to do.
    """
    try:
        return _Folder(folder, guard).write()
    except OSError as error:
        raise GuardError(f"{error.filename or folder}: {error.strerror or error}") from None


class _Folder:
    """One writing of a guard's folder."""

    def __init__(self, folder: Path, guard: Guard) -> None:
        self._folder = folder
        self._guard = guard
        self._writer = SecretWriter(guard.owner)
        self._broker = folder / BROKER
        self._new_logins: list[str] = []
        self._new_certificates: list[str] = []

    def write(self) -> Written:
        hosts = self._hosts()
        for name in (AUTHORITY, BROKER, DATA, LOGINS):
            self._writer.make_folder(self._folder / name)
        authority = self._authority()
        names = self._server(authority)
        port, by_certificate = self._settings()
        logins = (*SERVICE_LOGINS, *hosts)
        passwords = {login: self._login(login, authority, by_certificate=by_certificate) for login in logins}
        self._password_file(passwords)
        rights = [(login, rights_of(login, hosts, self._guard.clock_hosts)) for login in logins]
        self._writer.write(self._broker / conf.ACL_FILE, acl_text(rights).encode())
        here = self._folder.resolve()
        places = {
            conf.CONTAINER_FILE: (conf.CONTAINER_CONFIGURATION, conf.CONTAINER_DATA),
            conf.HOST_FILE: (here / BROKER, here / DATA),
        }
        for file, (files, data) in places.items():
            text = conf.configuration_text(files, data, port=port, client_certificates=by_certificate)
            self._writer.write(self._broker / file, text.encode())
        written = Written(port, names, by_certificate, logins, tuple(self._new_logins), tuple(self._new_certificates))
        text = explanation(names, port, client_certificates=by_certificate)
        self._writer.write(self._folder / "README.md", text.encode())
        return written

    def _hosts(self) -> tuple[str, ...]:
        """Return all households, old ones first in the order of their names."""
        kept = self._folder / LOGINS
        entries = sorted(kept.iterdir()) if kept.is_dir() else []
        found = [_login_of(entry) for entry in entries if (entry / PASSWORD).is_file()]
        for host in self._guard.hosts:
            if host in SERVICE_LOGINS or host in self._guard.clock_hosts:
                raise GuardError(f"a household cannot have the id {host!r}: it is the name of a login or host of ours")
        everybody = (*found, *self._guard.hosts)
        return tuple(host for host in dict.fromkeys(everybody) if host not in SERVICE_LOGINS)

    def _authority(self) -> Credential:
        folder = self._folder / AUTHORITY
        cert_file, key_file = folder / CA, folder / _CA_KEY
        if cert_file.exists() or key_file.exists():
            authority = _read(cert_file, key_file)
            if authority is None or not is_good(authority, authority):
                raise GuardError(
                    f"{folder} holds no certificate authority that can be used: one of {CA} and {_CA_KEY} is missing, "
                    f"they do not belong together, or it has ended. Put back what was there; or remove {folder} and "
                    f"{self._broker / conf.CERT_FILE}, and everybody gets new certificates"
                )
            return authority
        if (self._broker / conf.CERT_FILE).exists():
            raise GuardError(
                f"{self._broker} holds a certificate, but {folder} no authority to have signed it. Put {CA} and "
                f"{_CA_KEY} back; or remove {self._broker / conf.CERT_FILE}, and everybody gets new certificates"
            )
        authority = new_authority(f"ssmic authority of {self._folder.resolve().name or 'the neighbourhood'}"[:64])
        # The key first: an authority without its key is of no use.
        self._writer.write(key_file, authority.key_pem)
        self._writer.write(cert_file, authority.certificate_pem)
        return authority

    def _server(self, authority: Credential) -> tuple[str, ...]:
        cert_file, key_file = self._broker / conf.CERT_FILE, self._broker / conf.KEY_FILE
        old = _read(cert_file, key_file)
        known = () if old is None else names_of(old.certificate)
        names = tuple(dict.fromkeys((*known, *self._guard.names))) or ("localhost", "127.0.0.1", "::1")
        server = old
        if server is None or set(names) != set(known) or not is_good(server, authority):
            server = new_server(authority, names, self._guard.days)
        self._writer.write(key_file, server.key_pem)
        self._writer.write(cert_file, server.certificate_pem)
        self._writer.write(self._broker / conf.CA_FILE, authority.certificate_pem)
        return names_of(server.certificate)

    def _login(self, login: str, authority: Credential, *, by_certificate: bool) -> str:
        """Write a login's folder; return its password."""
        folder = login_folder(self._folder, login)
        self._writer.make_folder(folder)
        file = folder / PASSWORD
        password = file.read_text(encoding="utf-8").strip() if file.is_file() else ""
        if not password:
            password = new_password()
            self._new_logins.append(login)
        self._writer.write(file, f"{password}\n".encode())
        if unquote(folder.name) != login:
            # Its name had to be cut.
            self._writer.write(folder / LOGIN, f"{login}\n".encode())
        if len(encode(login)) <= MOST_NAME_CHARACTERS:
            self._client(login, authority)
        elif by_certificate:
            raise GuardError(
                f"household {login!r} cannot log in by certificate: written as in a topic its id has "
                f"{len(encode(login))} characters, a certificate's name at most {MOST_NAME_CHARACTERS}"
            )
        self._writer.write(folder / CA, authority.certificate_pem)
        return password

    def _client(self, login: str, authority: Credential) -> None:
        folder = login_folder(self._folder, login)
        cert_file, key_file = folder / CLIENT_CERT, folder / CLIENT_KEY
        client = _read(cert_file, key_file)
        if client is None or not is_good(client, authority):
            client = new_client(authority, encode(login), self._guard.days)
            if cert_file.exists():
                self._new_certificates.append(login)
        self._writer.write(key_file, client.key_pem)
        self._writer.write(cert_file, client.certificate_pem)

    def _password_file(self, passwords: dict[str, str]) -> None:
        file = self._broker / conf.PASSWORD_FILE
        old = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
        by_user = {line.partition(":")[0]: line for line in old}
        lines = []
        for login, password in passwords.items():
            kept = by_user.get(encode(login), "")
            lines.append(kept if is_line_of(kept, login, password) else password_line(login, password))
        self._writer.write(file, ("\n".join(lines) + "\n").encode())

    def _settings(self) -> tuple[int, bool]:
        file = self._broker / conf.CONTAINER_FILE
        old = file.read_text(encoding="utf-8") if file.is_file() else ""
        port = self._guard.port
        if port is None:
            known = re.search(r"(?m)^listener (\d+)$", old)
            port = int(known[1]) if known else 8883
        by_certificate = self._guard.client_certificates
        if by_certificate is None:
            by_certificate = re.search(r"(?m)^require_certificate true$", old) is not None
        return port, by_certificate


def _read(cert_file: Path, key_file: Path) -> Credential | None:
    """Return what is in two files; None where they are not there or hold nothing of ours."""
    try:
        return read_credential(cert_file.read_bytes(), key_file.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
