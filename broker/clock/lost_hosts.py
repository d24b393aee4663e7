"""The hosts that the run continues without: when a host counts as lost, and what becomes of the run then.

If the run ends, its error names the hosts, and the topics on which nothing came: a broker drops what its access rules
forbid, and tells neither the writer nor the reader.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Literal

from broker.clock.barrier import RoundBarrier
from broker.clock.membership import Admission, Membership
from broker.clock.quarantine import Quarantine
from broker.clock.settings import ClockSettings
from broker.errors import AgentFailedError, HostsGoneError, HostsMissingError
from broker.plain_text import first_few
from broker.protocol import MOST_NAMED, Failure, shortened, topics

MOST_LIMITS = 10
"""After this many time limits, the clock gives up on a host that gives signs of life but does not answer."""
Owed = Literal["announcement", "answer", "messages"]
"""What hosts owe the clock: their announcement, the answer to a grant, or the messages that their answer reports."""


class LostHosts:
    """Removes hosts that are silent, fail or break the protocol from the run, or ends the run because of them."""

    def __init__(
        self,
        settings: ClockSettings,
        members: Membership,
        barrier: RoundBarrier,
        admission: Admission,
        quarantine: Quarantine,
    ) -> None:
        """Create it.

        Args:
            settings: Whether hosts that are lost are waited for or dropped, and which are indispensable.
            members: The hosts of the run.
            barrier: Knows from which of them an answer is missing.
            admission: Publishes who takes part.
            quarantine: Judges the hosts that break the protocol.
        """
        self._settings = settings
        self._members = members
        self._barrier = barrier
        self._admission = admission
        self._quarantine = quarantine
        self._before_the_step: list[str] = []
        """Agents of hosts that were removed from the run before its next step."""

    def pop_before_the_step(self) -> list[str]:
        """Return the agents of hosts that were removed before the step that begins, and forget them."""
        lost, self._before_the_step = self._before_the_step, []
        return lost

    def _drop(self, host: str, *why: str, is_quarantined: bool = False) -> tuple[str, ...]:
        self._barrier.forget(host)
        agents = self._members.drop(host, *why, is_quarantined=is_quarantined)
        self._admission.changed()
        return agents

    def quarantine_offenders(self) -> list[str]:
        """Quarantine the hosts that break the protocol; return their agents.

        Raises:
            HostsMissingError: The run is to fail at once when a host is lost.
        """
        if not self._quarantine.violations.has_suspects:
            return []
        offenders = self._quarantine.offenders()
        if offenders and self._settings.on_loss == "fail":
            raise HostsMissingError("; ".join(f"host {host!r} is lost: {why}" for host, why in offenders.items()))
        return [agent for host, why in offenders.items() for agent in self._drop(host, why, is_quarantined=True)]

    def quarantine_before_the_step(self) -> None:
        """Quarantine the hosts that break the protocol before the run, or a restarted clock, begins its step."""
        # Other hosts are informed after the step: some may have run it already, before this clock was restarted.
        self._before_the_step += self.quarantine_offenders()

    def drop_missing(self, missing: tuple[str, ...]) -> None:
        """Drop hosts that never joined the run.

        Raises:
            HostsMissingError: The run must not start without them.
        """
        settings = self._settings
        if settings.on_loss != "drop" or settings.indispensable.intersection(missing):
            raise missing_error(
                settings.run,
                missing,
                settings.timeouts.limit_wall_s,
                "announcement",
                own=settings.indispensable,
                refused={host: list(whys.values())[-1] for host, whys in self._members.refused.items()},
            )
        self._before_the_step += [agent for host in missing for agent in self._drop(host)]

    def drop_timed_out(self) -> list[str]:
        """If hosts were silent for too long, fail or drop them; return the agents of dropped hosts.

        Raises:
            HostsMissingError: The run must not continue without them.
        """
        awaited, silence = self._barrier.awaited, self._barrier.silence
        if self._settings.on_loss == "fail" and (gone := awaited & self._members.gone):
            raise HostsGoneError(f"hosts are gone: {', '.join(repr(host) for host in sorted(gone))}")
        limit_wall_s = self._settings.timeouts.limit_wall_s
        timed_out = silence.timed_out(awaited, limit_wall_s)
        if busy := silence.timed_out(awaited, limit_wall_s, MOST_LIMITS * limit_wall_s) - timed_out:
            timed_out |= busy & self._quarantine.removable
        if timed_out and (self._settings.on_loss != "drop" or timed_out & self._settings.indispensable):
            raise self._missing_error(timed_out, "answer")
        return [agent for host in sorted(timed_out) for agent in self._drop(host)]

    def drop_those_without_messages(self, step: int) -> list[str]:
        """Drop the hosts whose messages of a step have not arrived; return their agents.

        Raises:
            HostsMissingError: The run must not continue without them.
        """
        senders = set(self._barrier.missing_senders())
        if senders and (self._settings.on_loss != "drop" or senders & self._settings.indispensable):
            raise self._missing_error(senders, "messages")
        why = f"messages that it reported in step {step} never arrived"
        return [agent for host in sorted(senders) for agent in self._drop(host, why)]

    def _missing_error(self, hosts: set[str], owed: Owed) -> HostsMissingError:
        settings = self._settings
        limit_wall_s = settings.timeouts.limit_wall_s
        gone = self._members.gone
        return missing_error(settings.run, hosts, limit_wall_s, owed, own=settings.indispensable, gone=gone)

    def drop_failed(self) -> list[str]:
        """Continue without the hosts whose agents failed, if lost hosts are dropped; return their agents.

        Raises:
            AgentFailedError: Lost hosts are not dropped, or a host of this process failed.
        """
        lost: list[str] = []
        failures: dict[str, Failure] = {}
        for host, done in self._barrier.dones.items():
            if done.failure is not None:
                failures[host] = done.failure
        for host, failure in sorted(failures.items()):
            if self._settings.on_loss != "drop" or not self._quarantine.is_removable(host):
                raise AgentFailedError(failure.agent, host, failure.traceback)
            why = f"its agent {failure.agent!r} failed: {shortened(failure.traceback.rstrip().rpartition(chr(10))[2])}"
            lost += self._drop(host, why, is_quarantined=True)
        return lost


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
            "these topics, or its limits drop messages (Mosquitto: message_size_limit, max_queued_messages)"
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
