"""The error of a clock that gives up on hosts: which ones, and on which topics it has waited for them.

A broker drops what its access rules forbid, and tells neither the writer nor the reader. So the error names the topics
on which nothing came.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Literal

from broker.errors import HostsMissingError
from broker.plain_text import first_few
from broker.protocol import MOST_NAMED, topics

Owed = Literal["announcement", "answer", "messages"]
"""What hosts owe the clock: their announcement, the answer to a grant, or the messages that their answer reports."""


def missing_error(
    run: str,
    hosts: Iterable[str],
    limit_wall_s: float,
    owed: Owed,
    *,
    own: Collection[str],
    gone: Collection[str] = (),
    refused: Mapping[str, str] | None = None,
) -> HostsMissingError:
    """Return the error that names hosts that were silent for too long.

    Args:
        run: The run's id.
        hosts: The hosts.
        limit_wall_s: For how long the clock has waited, wall-clock seconds.
        owed: What has not come.
        own: The hosts of the clock's own process.
        gone: Those that have left, or whose connection has broken.
        refused: Those that did announce themselves, and why the clock refused them.
    """
    missing, reasons = sorted(hosts), refused or {}
    what = "messages that they reported" if owed == "messages" else "answer"
    text = f"no {what} from hosts within {limit_wall_s:g} s: {first_few(missing, MOST_NAMED, repr)}"
    if silent := [host for host in missing if host not in reasons]:
        where = "disconnected" if set(silent) <= set(gone) else _where(run, silent, owed)
        text += f" ({where})"
    if len(silent) < len(missing):
        unwanted = (host for host in missing if host in reasons)
        text += f"; refused: {first_few(unwanted, show=lambda host: f'{host!r} ({reasons[host]})')}"
    if here := sorted(set(missing).intersection(own)):
        text += (
            f"; {here[0]!r} belongs to this process, so the broker's access rules probably do not let its login use "
            "these topics"
        )
    return HostsMissingError(text)


def _where(run: str, hosts: list[str], owed: Owed) -> str:
    """Return on which topics nothing came; of several hosts, as filters."""
    one = hosts[0] if len(hosts) == 1 else None
    match owed:
        case "announcement":
            return f"no announcement on {topics.hosts(run) if one is None else topics.host(run, one)}"
        case "answer":
            if one is None:
                asked = f"{topics.grants(run)} or {topics.grants_to_one(run)}"
                return f"asked on {asked}, and nothing came on {topics.dones(run)}"
            return f"asked on {topics.grant(run, one)}, and nothing came on {topics.done(run, one)}"
        case "messages":
            if one is None:
                return f"they should have come on {topics.all_inboxes(run)} or {topics.all_local(run)}"
            return f"they should have come on {topics.inboxes_from(run, one)} or {topics.local(run, one)}"
