"""Mosquitto's configuration."""

from __future__ import annotations

from pathlib import PurePath

from broker.servers import HEADROOM_BYTES
from broker.transport import MAX_PAYLOAD_BYTES

CONTAINER_CONFIGURATION = PurePath("/mosquitto/config")
CONTAINER_DATA = PurePath("/mosquitto/data")
"""Where Mosquitto's image has these."""
CONTAINER_FILE = "mosquitto.conf"
HOST_FILE = "mosquitto-host.conf"

ACL_FILE = "acl"
PASSWORD_FILE = "passwords"  # noqa: S105 - a file's name
CA_FILE = "ca.crt"
CERT_FILE = "server.crt"
KEY_FILE = "server.key"

_TEXT = """\
# Written by `ssmic broker init`, which writes it anew: put lines of your own into another file.
per_listener_settings false

listener {port}
cafile {folder}/{ca}
certfile {folder}/{cert}
keyfile {folder}/{key}
tls_version tlsv1.2
{certificates}
allow_anonymous false
password_file {folder}/{passwords}
acl_file {folder}/{acl}

# A request and its reply take 88 ms without it.
set_tcp_nodelay true
max_inflight_messages 0
# Per client that does not keep up; by default what is above 1000 messages is dropped, which a round of a large
# neighbourhood exceeds.
max_queued_messages 100000
max_queued_bytes 268435456
# Who sends a larger one is cut off before it is read.
max_packet_size {max_packet_bytes}
persistent_client_expiration 1h

# A broker that is killed and started again still knows what is retained.
persistence true
persistence_location {data}/
autosave_interval 1

# Who came, from where, as whom, and what was denied to them. Denied messages are told at the level `debug` only.
log_dest stderr
log_timestamp_format %Y-%m-%dT%H:%M:%S
connection_messages true
log_type error
log_type warning
log_type notice
log_type information
log_type debug
"""

_LOGIN_BY_NAME = """\
# Clients log in with their passwords.
require_certificate false"""
_LOGIN_BY_CERTIFICATE = """\
# Clients log in with their certificates; passwords are not looked at.
require_certificate true
use_identity_as_username true"""


def configuration_text(folder: PurePath, data: PurePath, *, port: int, client_certificates: bool) -> str:
    """Return the configuration of a Mosquitto that finds its files in `folder` and keeps what is retained in `data`."""
    return _TEXT.format(
        port=port,
        folder=folder,
        ca=CA_FILE,
        cert=CERT_FILE,
        key=KEY_FILE,
        passwords=PASSWORD_FILE,
        acl=ACL_FILE,
        data=data,
        certificates=_LOGIN_BY_CERTIFICATE if client_certificates else _LOGIN_BY_NAME,
        max_packet_bytes=MAX_PAYLOAD_BYTES + HEADROOM_BYTES,
    )
