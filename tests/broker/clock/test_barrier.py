"""How long the clock waits for the answers to a step, what ends the wait, and what an answer may say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from broker.clock.barrier import RoundBarrier, check_answer
from broker.clock.next_round import first_round
from broker.errors import ContradictionError, MalformedError
from broker.protocol import MAX_PASSED_ROUNDS, Done, Envelope

pytestmark = pytest.mark.looptime
PAUSE_S = 0.5


def answer(host: str, *, busy: bool = False) -> Done:
    """Return a host's answer to step 7."""
    return Done(session=host, step=7, time=0, round=0, sent={}, next=None, busy=busy)


def begun(*hosts: str) -> RoundBarrier:
    """Return a barrier that waits for these hosts in step 7."""
    barrier = RoundBarrier()
    barrier.begin(7, hosts)
    return barrier


def later(delay_s: float, action: Callable[[], object]) -> None:
    """Do something at a loop time from now."""
    asyncio.get_running_loop().call_later(delay_s, action)


async def waited(barrier: RoundBarrier) -> tuple[bool, float]:
    """Wait once; return whether there was a sign of life, and how long it took, loop seconds."""
    loop = asyncio.get_running_loop()
    since_s = loop.time()
    has_sign = await barrier.wait_for_answers(PAUSE_S)
    return has_sign, round(loop.time() - since_s, 3)


async def test_the_wait_ends_with_the_last_answer() -> None:
    """The first two of three end nothing."""
    barrier = begun("a", "b", "c")
    for delay_s, host in ((0.1, "a"), (0.2, "b"), (0.3, "c")):
        later(delay_s, lambda host=host: barrier.record_answer(host, answer(host)))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    assert await waited(barrier) == (True, 0.3)
    assert not barrier.awaited


async def test_an_answer_that_comes_after_its_hosts_departure_is_no_offence() -> None:
    """They go over different topics, and with different QoS: the clock held the answer for a second, different one."""
    barrier = begun("a", "b")
    barrier.record_departure("a")
    assert barrier.awaited == {"b"}
    late = Done(session="a", step=7, time=3_600, round=2, sent={}, next=None)
    assert not barrier.record_answer("a", late)


async def test_silent_hosts_are_asked_again_a_pause_after_the_last_sign_of_life() -> None:
    """A grant was lost: its host is asked again as soon as without the answers of others, which came before."""
    barrier = begun("a", "b")
    later(0.2, lambda: barrier.record_answer("a", answer("a")))
    assert await waited(barrier) == (True, 0.5)
    assert await waited(barrier) == (False, 0.2)
    assert barrier.awaited == {"b"}
    assert await waited(barrier) == (False, 0.5)


async def test_a_host_that_says_it_is_busy_is_not_asked_again() -> None:
    """However long it works; the clock looks at its limits once a pause."""
    barrier = begun("a")
    for number in range(1, 10):
        later(0.4 * number, lambda: barrier.record_answer("a", answer("a", busy=True)))
    later(3.7, lambda: barrier.record_answer("a", answer("a")))
    found = []
    while barrier.awaited:
        found.append(await waited(barrier))
    assert all(has_sign and wait_s <= PAUSE_S for has_sign, wait_s in found)
    assert sum(wait_s for _, wait_s in found) == pytest.approx(3.7)


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(lambda barrier: barrier.record_return("a"), id="a host was restarted"),
        pytest.param(lambda barrier: barrier.forget("a"), id="a host was dropped"),
        pytest.param(lambda barrier: barrier.alert(), id="a host broke the protocol"),
    ],
)
async def test_the_wait_ends_when_a_host_requires_action(event: Callable[[RoundBarrier], None]) -> None:
    """It ends immediately, although others have not answered."""
    barrier = begun("a", "b")
    later(0.1, lambda: event(barrier))
    assert await waited(barrier) == (True, 0.1)
    assert await waited(barrier) == (False, 0.5)


async def test_steps_that_are_answered_in_time_set_one_timer() -> None:
    """There is no timer for each of the thousands of steps a second."""
    loop = asyncio.get_running_loop()
    set_timers = []
    call_at = loop.call_at

    def counted(when: float, *rest: Any, **more: Any) -> asyncio.TimerHandle:
        set_timers.append(when)
        return call_at(when, *rest, **more)

    loop.call_at = counted  # type: ignore[assignment,method-assign]  # counts the calls of this loop
    barrier = RoundBarrier()
    for _ in range(100):
        barrier.begin(7, ("a",))
        loop.call_soon(barrier.record_answer, "a", answer("a"))
        assert await barrier.wait_for_answers(PAUSE_S)
    assert len(set_timers) == 1


# What an answer may say.

STEP = replace(first_round(60, ("a", "b")), step=7, phase="run")
"""A round at second 60."""


def envelope(seq: int, to: str = "a1") -> Envelope:
    """Return a message that an agent of host `a` sends in step 7."""
    return Envelope(session="a", step=7, time=60, round=0, sender="a1", seq=seq, to=to, body={"kind": "Ping"})


@pytest.mark.parametrize(
    ("said", "is_allowed"),
    [
        ({"next": 60}, False),
        ({"next": 61}, True),
        ({"next": 1_000}, True),
        ({"next": 1_001}, False),
        ({"resume": 7}, False),
        ({"resume": 8}, True),
        ({"resume": 7 + MAX_PASSED_ROUNDS}, True),
        ({"resume": 8 + MAX_PASSED_ROUNDS}, False),
    ],
)
def test_timers_and_skipped_rounds_lie_ahead_and_within_the_run(said: dict[str, int], *, is_allowed: bool) -> None:
    """A timer of the present second, or a round that has run, would keep time from advancing."""
    done = Done.model_validate({**answer("a").model_dump(), "time": 60, **said})
    with nullcontext() if is_allowed else pytest.raises(MalformedError, match="expected between"):
        check_answer(done, "a", STEP, {"a": ("a1",), "b": ("b1",)}, latest_s=1_000)


def test_input_from_outside_may_be_due_in_the_second_of_the_start() -> None:
    """The first round of the phase `run` delivers it."""
    done = Done.model_validate({**answer("a").model_dump(), "time": 60, "next": 60})
    check_answer(done, "a", replace(STEP, phase="start"), {"a": ("a1",)}, latest_s=1_000)


@pytest.mark.parametrize("to_host", ["a", "b"])
async def test_a_message_beyond_what_its_hosts_answer_reports_is_a_contradiction(to_host: str) -> None:
    """Its receiver may have taken it already: the clock cannot let both stand."""
    barrier = begun("a", "b")
    reported: dict[str, Any] = {"local": 1} if to_host == "a" else {"sent": {"b": 1}}
    barrier.record_answer("a", answer("a").model_copy(update=reported))
    assert barrier.add_message("a", to_host, envelope(0), 10)
    with pytest.raises(ContradictionError, match="more messages were sent in step 7 than the answer reports"):
        barrier.add_message("a", to_host, envelope(1), 10)


@pytest.mark.parametrize("to_host", ["a", "b"])
async def test_the_messages_of_a_host_that_is_dropped_in_a_step_are_not_recorded(to_host: str) -> None:
    """Its answer does not count, so no host waits for them or delivers them."""
    for is_dropped in (False, True):
        barrier = begun("a", "b")
        assert barrier.add_message("a", to_host, envelope(0), 10)
        reported: dict[str, Any] = {"local": 1} if to_host == "a" else {"sent": {"b": 1}}
        barrier.record_answer("a", answer("a").model_copy(update=reported))
        if is_dropped:
            barrier.forget("a")
        assert [len(messages) for messages in barrier.pop_messages(60, 0)] == [0 if is_dropped else 1]
