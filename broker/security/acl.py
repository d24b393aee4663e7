"""Access control: which login may read and write which topics, as Mosquitto's ACL file.

The rights follow the table in `broker.protocol.topics`. Every login has its own complete section. Mosquitto's
`pattern` lines would be shorter, but apply to every login: a watcher could then announce itself as a household.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from broker.protocol import MAX_PAYLOAD_BYTES, topics
from broker.protocol.topics import ROOT, encode

CLOCK = "clock"
"""The clock's process, which also runs the manager's host."""
WATCHER = "watcher"
"""Reads everything, writes nothing."""
OPERATOR = "operator"
"""Reads everything; may pause, pace and stop a run."""
SERVICE_LOGINS = (CLOCK, WATCHER, OPERATOR)


@dataclass(frozen=True, slots=True)
class Rights:
    """Topic filters; everything else is denied."""

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    """Topics that it may neither read nor write, although another filter contains them."""


def host_rights(host_id: str) -> Rights:
    """Return the rights of a host: to read its own inbox and grants, and to write under its own name."""
    host = encode(host_id)
    return Rights(
        read=_in_any_run("roster", "time", "grants", f"grant/{host}", f"inbox/{host}/+", f"resend/{host}/+"),
        write=_in_any_run(
            f"hosts/{host}",
            f"done/{host}",
            f"inbox/+/{host}",
            f"local/{host}",
            f"resend/+/{host}",
            f"forecast/{host}/+",
            f"wake/{host}",
        ),
    )


DEVICE_PREFIX = "device."
"""Before a real device's id in its login; no household's id begins with it."""
_TO_DEVICE = ("job", "set", "error", "state")
"""Last levels of the topics that a real device may read."""
_FROM_DEVICE = ("announce", "availability", "request", "withdraw", "report", "forecast")
"""Last levels of the topics that it may write."""


_CLAIMS = f"{ROOT}/+/claims/"
"""Topics on which runs claim the switches that they command; no device uses them."""


@dataclass(frozen=True, slots=True)
class DeviceAccess:
    """A real device that a household's process communicates with."""

    host: str
    device: str
    """Its gateway id; empty: any that joins during a run."""
    read: tuple[str, ...] = ()
    """Its maker's topics that are read, as filters."""
    write: tuple[str, ...] = ()
    is_guest: bool = False
    """Whether it joins during a run, although its household is known. A household with such guests takes no others."""
    largest_bytes: int = MAX_PAYLOAD_BYTES
    """The largest payload on the topics that are read."""


def device_rights(device: str, accesses: Sequence[DeviceAccess]) -> Rights:
    """Return the permissions of a real device: to write its own topics, and to read messages addressed to it.

    Args:
        device: Its gateway id.
        accesses: Real devices. It may write what its gateway reads of its maker's topics, and read what that writes; if
            it is behind a bridge, as Zigbee devices are, also those of the bridge's other devices.
    """
    own = f"devices/{encode(device)}"
    makers: list[DeviceAccess] = []
    for access in accesses:
        if device and access.device == device:
            makers += [other for other in accesses if other is access or _share_a_topic(access, other)]
    reports = [topic for access in makers for topic in access.read if not topic.startswith(_CLAIMS)]
    commands = [topic for access in makers for topic in access.write if not topic.startswith(_CLAIMS)]
    return Rights(
        read=tuple(dict.fromkeys((*_in_any_run("time", *(f"{own}/{part}" for part in _TO_DEVICE)), *commands))),
        write=tuple(dict.fromkeys((*_in_any_run(*(f"{own}/{part}" for part in _FROM_DEVICE)), *reports))),
    )


def _share_a_topic(one: DeviceAccess, other: DeviceAccess) -> bool:
    """Return whether gateways read the same topic for both, such as the state of the bridge that they are behind."""
    return any(topic in other.read for topic in one.read if not topic.startswith(_CLAIMS))


def gateway_rights(own_devices: Iterable[DeviceAccess], others: Iterable[DeviceAccess]) -> Rights:
    """Return the rights of a household's process towards its real devices.

    Args:
        own_devices: Its own ones.
        others: Those of other households, which a household with room for guests, whose ids are not known, must not
            use.
    """
    read: list[str] = []
    write: list[str] = []
    deny: list[str] = []
    for access in own_devices:
        own = f"devices/{encode(access.device) if access.device else '+'}"
        read += [*_in_any_run(f"{own}/+"), *access.read]
        # What a device has left at the broker is removed when the run ends.
        write += [*_in_any_run(*(f"{own}/{part}" for part in (*_TO_DEVICE, "announce", "availability", "forecast")))]
        write += access.write
        if not access.device:
            deny = [
                *_in_any_run(*(f"devices/{encode(other.device)}/#" for other in others if other.host and other.device))
            ]
    return Rights(tuple(dict.fromkeys(read)), tuple(dict.fromkeys(write)), tuple(deny))


def clock_rights(hosts: Iterable[str]) -> Rights:
    """Return the rights of the clock's process, which also runs `hosts` (the manager's) and so may write the ledger.

    It reads all messages between agents, to record them. It may also find and remove everything that a run has left at
    the broker (`ssmic broker clean`), including households' announcements and forecasts.
    """
    own = [host_rights(host) for host in hosts]
    read = [
        *_in_any_run("hosts/+", "done/+", "wake/+", "control", "inbox/+/+", "local/+", "resend/+/+", "ledger/+"),
        *_in_any_run("forecast/+/+", "devices/+/+", "claims/+"),
        *(topic for rights in own for topic in rights.read),
    ]
    write = [
        *_in_any_run("roster", "time", "grants", "grant/+", "ledger/+", f"resend/+/{topics.CLOCK}", "hosts/+"),
        *_in_any_run("forecast/+/+", "devices/+/+", "claims/+"),
        *(topic for rights in own for topic in rights.write),
    ]
    read += [*_in_any_run("ha/+/+/set", "devices/+/state"), "homeassistant/status"]
    write += [*_in_any_run("ha/#", "devices/+/request", "devices/+/withdraw"), "homeassistant/device/+/config"]
    return Rights(tuple(dict.fromkeys(read)), tuple(dict.fromkeys(write)))


def watcher_rights() -> Rights:
    """Return the rights of a watcher: to read everything."""
    return Rights(read=(f"{ROOT}/#",))


def operator_rights() -> Rights:
    """Return the rights to read everything, to command the clock, and to ask for jobs of real devices by hand."""
    return Rights(read=(f"{ROOT}/#",), write=_in_any_run("control", "devices/+/request", "devices/+/withdraw"))


def rights_of(
    login: str, hosts: Sequence[str], clock_hosts: Sequence[str], devices: Sequence[DeviceAccess] = ()
) -> Rights:
    """Return a login's rights.

    Args:
        login: The name of a service, or an id in `hosts`.
        hosts: Host ids of the households.
        clock_hosts: Host ids that the clock's process runs.
        devices: The real devices of households.
    """
    if login.startswith(DEVICE_PREFIX):
        return device_rights(login.removeprefix(DEVICE_PREFIX), devices)
    if login in hosts:
        own = host_rights(login)
        own_devices = [access for access in devices if access.host == login]
        if any(access.is_guest for access in own_devices):
            own_devices = [access for access in own_devices if access.device]
        outside = gateway_rights(own_devices, [access for access in devices if access.host != login])
        return Rights(own.read + outside.read, own.write + outside.write, outside.deny)
    return {CLOCK: clock_rights(clock_hosts), WATCHER: watcher_rights(), OPERATOR: operator_rights()}[login]


def acl_text(rights: Iterable[tuple[str, Rights]]) -> str:
    """Return the content of the ACL file."""
    lines = [
        "# Generated by `ssmic broker init`, which overwrites it.",
        "# Lines before the first `user` would apply to clients without a login, who have no rights.",
    ]
    for login, right in rights:
        lines += ["", f"user {encode(login)}"]
        lines += [f"topic deny {topic}" for topic in right.deny]
        lines += [f"topic read {topic}" for topic in right.read]
        lines += [f"topic write {topic}" for topic in right.write]
    return "\n".join(lines) + "\n"


def _in_any_run(*below: str) -> tuple[str, ...]:
    return tuple(f"{ROOT}/+/{topic}" for topic in below)
