"""The grants of a step: one that all its hosts read, or one for each host."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from broker.clock.next_round import ScheduledRound
from broker.protocol import VERSION, FollowedGrant, Grant, topics

MOST_HOSTS_OF_A_COMMON_GRANT = 100
"""If more hosts than this take part in a run, each gets a grant of its own, because otherwise each would have to read
through the parts of all others."""


def grants_of(
    run: str, step: ScheduledRound, hosts: Collection[str], *, members: int, dropped: Collection[str], is_alone: bool
) -> list[tuple[str, Grant]]:
    """Return the topics and grants to publish for a step, in this order.

    Args:
        run: The run's id.
        step: The step.
        hosts: The hosts that are granted the step.
        members: How many hosts take part in the run.
        dropped: The hosts that the run continues without: what they have sent does not count.
        is_alone: Whether there is one such host, and it may run further rounds without a grant.
    """
    order = sorted(hosts)
    if len(order) > 1 and len(order) * 2 >= members and members <= MOST_HOSTS_OF_A_COMMON_GRANT:
        return [(topics.grants(run), _grant_of(step, order, dropped, is_alone=is_alone))]
    return [
        (topics.grant(run, host), _grant_of(step, [host], dropped, is_alone=is_alone, is_last=host == order[-1]))
        for host in order
    ]


def _grant_of(
    step: ScheduledRound, hosts: Sequence[str], dropped: Collection[str], *, is_alone: bool, is_last: bool = True
) -> Grant:
    counts = step.counts
    if dropped:
        counts = {host: {sender: n for sender, n in counts[host].items() if sender not in dropped} for host in hosts}
    return (Grant if is_last else FollowedGrant).of_own(
        {
            "v": VERSION,
            "step": step.step,
            "time": step.time_s,
            "round": step.round,
            "expected": {host: counts[host] for host in hosts},
            "lost": step.lost,
            "phase": step.phase,
            "lapse": step.lapse,
            "alone": is_alone,
        }
    )
