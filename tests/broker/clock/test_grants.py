"""How the grants of a step are published."""

from __future__ import annotations

from broker.clock.grants import MOST_HOSTS_OF_A_COMMON_GRANT, grants_of
from broker.clock.next_round import ScheduledRound, first_round
from broker.protocol import Grant


def of_step(hosts: list[str], *, members: int, dropped: tuple[str, ...] = ()) -> dict[str, Grant]:
    """Return, by topic, the grants of a step to these hosts, each of which waits for a message from all others."""
    step = ScheduledRound(
        time_s=60,
        round=1,
        step=5,
        phase="run",
        counts={host: {other: 1 for other in (*hosts, *dropped) if other != host} for host in hosts},
        timers_s={},
        ran={},
        acted_until_s=60,
    )
    return dict(grants_of("r", step, hosts, members=members, dropped=dropped, is_alone=False))


def test_one_message_grants_a_step_to_many_hosts() -> None:
    """At most half of the members read it in vain."""
    grants = of_step(["b", "a"], members=4)
    assert list(grants) == ["ssmic/r/grants"]
    assert list(grants["ssmic/r/grants"].expected) == ["a", "b"]


def test_few_of_many_hosts_are_granted_a_step_each_with_its_own_message() -> None:
    """All messages but the last say that another one follows."""
    grants = of_step(["b", "a", "c"], members=7)
    assert [grant.is_last for grant in grants.values()] == [False, False, True]
    assert [list(grant.expected) for grant in grants.values()] == [["a"], ["b"], ["c"]]


def test_in_a_large_run_no_host_reads_through_the_parts_of_all_others() -> None:
    """Above a limit, each host gets a message of its own even if all take part."""
    hosts = [f"h{n:03}" for n in range(MOST_HOSTS_OF_A_COMMON_GRANT + 1)]
    assert len(of_step(hosts, members=len(hosts))) == len(hosts)
    assert len(of_step(hosts[1:], members=len(hosts) - 1)) == 1


def test_messages_of_a_host_that_the_run_continues_without_are_not_waited_for() -> None:
    """The counts of messages from other hosts stay."""
    (grant,) = of_step(["a", "b"], members=2, dropped=("gone",)).values()
    assert grant.expected == {"a": {"b": 1}, "b": {"a": 1}}


def test_the_first_step_waits_for_no_message() -> None:
    """All hosts are granted it, and none has sent anything."""
    ((_, grant),) = grants_of("r", first_round(0, ("a", "b")), ["a", "b"], members=2, dropped=(), is_alone=False)
    assert grant.expected == {"a": {}, "b": {}}
    assert grant.step == 0
