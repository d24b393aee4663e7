"""Who may read and write which topics: the table in `broker.protocol.topics`, as Mosquitto's ACL file.

Every login has a section of its own, in full. Mosquitto's `pattern` lines would be shorter, but hold for every login:
a watcher could then announce itself as a household.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from broker.protocol import topics
from broker.protocol.topics import ROOT, encode

CLOCK = "clock"
"""The clock's process, which runs the manager's host too."""
WATCHER = "watcher"
"""Reads everything, writes nothing."""
OPERATOR = "operator"
"""Reads everything, and may pause, pace and stop a run."""
SERVICE_LOGINS = (CLOCK, WATCHER, OPERATOR)


@dataclass(frozen=True, slots=True)
class Rights:
    """Topic filters; what none of them covers is denied."""

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()


def host_rights(host_id: str) -> Rights:
    """Return what a host needs: its own inbox and grants, and to write in its own name."""
    host = encode(host_id)
    return Rights(
        read=_in_any_run("roster", "time", f"grant/{host}", f"inbox/{host}/+/+", f"resend/{host}/+"),
        write=_in_any_run(
            f"hosts/{host}", f"done/{host}", f"inbox/+/+/{host}", f"resend/+/{host}", f"forecast/{host}/+"
        ),
    )


def clock_rights(hosts: Iterable[str]) -> Rights:
    """Return what the clock's process needs, which runs `hosts` (the manager's) too and so may write the ledger.

    It reads what all say to each other, to record it. It may also find and remove whatever a run has left at the broker
    (`ssmic broker clean`), households' announcements and forecasts too.
    """
    own = [host_rights(host) for host in hosts]
    read = [
        *_in_any_run("hosts/+", "done/+", "control", "inbox/+/+/+", "ledger/+", "forecast/+/+"),
        *(topic for rights in own for topic in rights.read),
    ]
    write = [
        *_in_any_run("roster", "time", "grant/+", "ledger/+", f"resend/+/{topics.CLOCK}", "hosts/+", "forecast/+/+"),
        *(topic for rights in own for topic in rights.write),
    ]
    return Rights(tuple(dict.fromkeys(read)), tuple(dict.fromkeys(write)))


def watcher_rights() -> Rights:
    """Return what lets one see everything."""
    return Rights(read=(f"{ROOT}/#",))


def operator_rights() -> Rights:
    """Return what lets one see everything and command the clock."""
    return Rights(read=(f"{ROOT}/#",), write=_in_any_run("control"))


def rights_of(login: str, hosts: Sequence[str], clock_hosts: Sequence[str]) -> Rights:
    """Return a login's rights.

    Args:
        login: The name of a service, or an id in `hosts`.
        hosts: The households' host ids.
        clock_hosts: Host ids that the clock's process runs.
    """
    if login in hosts:
        return host_rights(login)
    return {CLOCK: clock_rights(clock_hosts), WATCHER: watcher_rights(), OPERATOR: operator_rights()}[login]


def acl_text(rights: Iterable[tuple[str, Rights]]) -> str:
    """Return the ACL file for logins and their rights."""
    lines = [
        "# Written by `ssmic broker init`, which writes it anew.",
        "# Before the first `user` stands what holds for clients without a login: nothing.",
    ]
    for login, right in rights:
        lines += ["", f"user {encode(login)}"]
        lines += [f"topic read {topic}" for topic in right.read]
        lines += [f"topic write {topic}" for topic in right.write]
    return "\n".join(lines) + "\n"


def _in_any_run(*below: str) -> tuple[str, ...]:
    return tuple(f"{ROOT}/+/{topic}" for topic in below)
