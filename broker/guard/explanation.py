"""What stands in a guard's folder, for who opens it."""

from __future__ import annotations

from collections.abc import Sequence

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
