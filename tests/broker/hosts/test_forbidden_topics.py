"""A broker whose access rules forbid one topic drops its messages silently: clock and host name the topic."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from broker.clock.clock import Clock
from broker.clock.pacing import Moment
from broker.clock.settings import ClockSettings
from broker.errors import BrokerRefusedError, ClockMissingError, HostsMissingError
from broker.hosts.clock_watch import ClockLiveness, ClockWatch
from broker.hosts.host import Host
from broker.protocol import Envelope, TimeReport
from broker.protocol.retry_timeouts import Timeouts
from broker.transport.base import Delivery, Reconnected
from broker.transport.filters import matches
from broker.transport.memory import MemoryBroker, MemoryBus
from tests.broker.clock.test_clock import MESSAGES, Asker, Echo
from tests.broker.hosts.test_sessions import quickly

RUN = "r"
LIMIT_WALL_S = 60.0
TIMEOUTS = Timeouts(resend_wall_s=0.5, resend_most_wall_s=5, limit_wall_s=LIMIT_WALL_S)


class ForbiddingBroker(MemoryBroker):
    """Passes on no message on a topic, to nobody or to all but one reader."""

    def __init__(self, topic_filter: str, reader: str = "") -> None:
        super().__init__()
        self._forbidden = topic_filter
        self._reader = f"{RUN}-{reader}"
        """How client ids of the login begin that may not read; others may."""

    def _put(self, bus: MemoryBus, item: Delivery | Reconnected) -> None:
        is_forbidden = isinstance(item, Delivery) and matches(self._forbidden, item.topic)
        if not (is_forbidden and bus.client_id.startswith(self._reader)):
            super()._put(bus, item)


class ObserverOfNothing:
    """Makes the clock wait for all messages, as a recorded run does."""

    def step_ran(self, moment: Moment, sent: tuple[Envelope, ...]) -> None:
        """Keep nothing."""


def outcome(broker: MemoryBroker) -> tuple[str, set[str]]:
    """Run two hosts until the clock gives up; return its error, and the topics that the hosts name."""

    async def main() -> str:
        error = ""
        hosts = {"here": ("echo",), "there": ("asker",)}
        indispensable = frozenset({"here"})
        settings = ClockSettings(RUN, hosts, 0, end_s=1000, timeouts=TIMEOUTS, indispensable=indispensable)
        here = Host("here", RUN, [Echo("echo")], MESSAGES, seed=1, timeouts=TIMEOUTS)
        asker = Asker("asker", [7, 500], [])
        there = Host("there", RUN, [asker], MESSAGES, seed=1, timeouts=TIMEOUTS, clock_limit_wall_s=LIMIT_WALL_S)
        lives = [asyncio.create_task(host.run(broker)) for host in (here, there)]
        try:
            await Clock(settings, observer=ObserverOfNothing(), messages=MESSAGES).run(broker)
        except* HostsMissingError as group:
            error = str(group.exceptions[0])
        finally:
            for life in lives:
                life.cancel()
                with suppress(asyncio.CancelledError, BaseExceptionGroup):
                    await life
        return error

    with capture_logs() as logs:
        error = quickly(main())
    named = {str(entry["topic"]) for entry in logs if entry["log_level"] == "warning" and "topic" in entry}
    return error, {topic.removeprefix("ssmic/r/") for topic in named}


NOT_REPORTED = "'there' (they should have come on ssmic/r/inbox/+/there or ssmic/r/local/there)"
NOT_ANSWERED = "'there' (asked on ssmic/r/grant/there, and nothing came on ssmic/r/done/there)"
OR_LIMITS = (
    "so the broker's access rules probably do not let its login use these topics, or its limits drop messages "
    "(Mosquitto: message_size_limit, max_queued_messages)"
)
NONE_ANSWERED = "(asked on ssmic/r/grants or ssmic/r/grant/+, and nothing came on ssmic/r/done/+)"


@pytest.mark.parametrize(
    ("forbidden", "reader", "told", "named"),
    [
        ("hosts/there", "", "'there' (no announcement on ssmic/r/hosts/there)", "hosts/there"),
        ("roster", "there", NOT_ANSWERED, "roster"),
        ("grant/there", "", NOT_ANSWERED, "grant/there"),
        ("done/there", "", NOT_ANSWERED, "done/there"),
        ("inbox/there/+", "there", NOT_ANSWERED, "inbox/there/here"),
        ("inbox/+/there", "", NOT_REPORTED, "inbox/+/there"),
        ("done/here", "", f"'here' belongs to this process, {OR_LIMITS}", "done/here"),
        ("done/+", "", NONE_ANSWERED, "done/here done/there"),
    ],
)
def test_clock_and_host_name_the_topic_that_the_broker_does_not_pass_on(
    forbidden: str, reader: str, told: str, named: str
) -> None:
    """Within the time limit of the clock."""
    error, topics = outcome(ForbiddingBroker(f"ssmic/r/{forbidden}", reader))
    assert told in error
    assert topics == set(named.split())


class RefusingBroker(MemoryBroker):
    """Refuses subscriptions to a topic, as brokers do that tell a client what they forbid."""

    def subscribe(self, bus: MemoryBus, topic_filter: str) -> None:
        """Subscribe, or refuse."""
        if topic_filter == "ssmic/r/time":
            raise BrokerRefusedError("mqtt://adler@broker refuses a subscription to 'ssmic/r/time'")
        super().subscribe(bus, topic_filter)


def test_a_host_that_may_not_listen_to_the_clock_does_not_wait_for_ever() -> None:
    """It could not notice that the clock has disappeared."""

    async def main() -> None:
        host = Host("a", RUN, [Echo("echo")], MESSAGES, seed=1, timeouts=TIMEOUTS, clock_limit_wall_s=LIMIT_WALL_S)
        async with asyncio.timeout(10 * LIMIT_WALL_S):
            with pytest.raises(ExceptionGroup) as caught:
                await host.run(RefusingBroker())
        assert caught.group_contains(BrokerRefusedError, match="refuses a subscription to 'ssmic/r/time'")

    quickly(main())


class OftenAway(MemoryBus):
    """A connection that is down for 20 s of every 40 s."""

    @property
    def is_connected(self) -> bool:
        """Whether it is up."""
        return asyncio.get_running_loop().time() % 40 < 20


def test_a_host_whose_connection_breaks_often_gives_up_on_a_clock_that_is_gone() -> None:
    """Time in which it could not hear the clock does not count, but the rest adds up."""

    async def main() -> None:
        broker = MemoryBroker()
        watch = ClockWatch(
            RUN, "a", ClockLiveness(), LIMIT_WALL_S, awaited_topic=lambda _step: None, why_missing=lambda: ""
        )
        async with asyncio.timeout(10 * LIMIT_WALL_S):
            with pytest.raises(ClockMissingError):
                await watch.keep_watching(broker, OftenAway(broker, "a", None, 100))

    quickly(main())


def test_a_host_that_was_at_work_when_the_clock_waited_for_it_is_not_deaf() -> None:
    """What a report says is over when the host is idle again."""

    async def main() -> None:
        broker, liveness = MemoryBroker(), ClockLiveness()
        awaited: list[str | None] = [None, None, "ssmic/r/done/a", None, "ssmic/r/done/a"]
        watch = ClockWatch(
            RUN, "a", liveness, LIMIT_WALL_S, awaited_topic=lambda _step: awaited.pop(0), why_missing=lambda: ""
        )
        report = TimeReport(time=0, round=0, step=3, pace="1x", lag_wall_s=0.0, state="running", waiting_for=("a",))
        async with broker.connect("clock") as bus:
            watching = asyncio.create_task(watch.keep_watching(broker, bus))
            while awaited:
                await bus.publish("ssmic/r/time", report.encoded(), retain=True)
                await asyncio.sleep(1)
            watching.cancel()
            await asyncio.wait([watching])

    with capture_logs() as logs:
        quickly(main())
    assert not [entry for entry in logs if entry["log_level"] == "warning"]


def test_nothing_is_said_if_everything_gets_through() -> None:
    """Hosts that are idle for long are not deaf."""
    assert outcome(MemoryBroker()) == ("", set())
