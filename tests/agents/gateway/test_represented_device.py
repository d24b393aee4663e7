"""A real device as its agent knows it: what shows that it is there, and what is published about it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from agents.device_events import Announced, DeviceEvent, DeviceNotice, JobAsked, Left, Rejected, Reported
from agents.gateway.gateway_settings import GatewaySettings
from agents.gateway.represented_device import MAX_ERROR_CHARACTERS, QUIET_S, RepresentedDevice
from agents.messages import AnyMessage, DeviceSaid
from broker.hosts import Agent

GATEWAY = GatewaySettings(id="washer", house="adler", device="washer", name="Washer")
NOW_S = 1_782_021_600


@pytest.fixture
def agent() -> Agent[AnyMessage]:
    """Return the agent that represents a device."""
    agent = Agent[AnyMessage]("adler/washer")
    agent.now_s = NOW_S
    return agent


def said(event: DeviceEvent, device: str = "washer", message_id: str = "") -> DeviceSaid:
    """Return a message of a device."""
    return DeviceSaid(device=device, said=event, message_id=message_id)


def notices(agent: Agent[AnyMessage]) -> list[DeviceNotice]:
    """Return what has been published since the last call."""
    return [sent.content for sent in agent.take_instructions() if isinstance(sent.content, DeviceNotice)]


def test_only_signs_of_life_count_as_hearing_from_the_device(agent: Agent[AnyMessage]) -> None:
    """A refused message never is one, and a request may come from an application."""
    device = RepresentedDevice(agent, GATEWAY, "consumer", (JobAsked,))
    for event in (Rejected(topic="report", problem="bad", expected="good", payload=""), JobAsked(id="wash")):
        with device.listening_to(said(event)):
            pass
    assert device.last_heard_s is None
    with device.listening_to(said(Reported(power_w=3.0))):
        pass
    assert device.last_heard_s == NOW_S


def test_a_device_that_has_left_is_there_again_once_it_announces_itself(agent: Agent[AnyMessage]) -> None:
    """Until it says more, it is not known whether it is online."""
    device = RepresentedDevice(agent, GATEWAY, "consumer")
    for event, is_available in ((Left(), False), (Announced(type="consumer"), None)):
        with device.listening_to(said(event)):
            device.is_available = False if isinstance(event, Left) else device.is_available
        assert device.is_available is is_available


def test_an_error_names_the_message_that_it_answers(agent: Agent[AnyMessage]) -> None:
    """An error outside any message names none, and long texts are cut."""
    device = RepresentedDevice(agent, GATEWAY, "consumer")
    with device.listening_to(said(Reported(), message_id="m-1")):
        device.complain("report", "x" * (MAX_ERROR_CHARACTERS + 1), "less")
    device.complain("report", "late", "earlier")
    first, second = notices(agent)
    assert (first.message_id, second.message_id) == ("m-1", "")
    assert len(first.content["problem"]) == MAX_ERROR_CHARACTERS


def test_a_state_is_published_only_if_it_differs(agent: Agent[AnyMessage]) -> None:
    """Its time alone is no difference."""
    device = RepresentedDevice(agent, GATEWAY, "producer")
    device.show()
    agent.now_s += 60
    device.show()
    device.show(commands=1)
    states = [notice.content for notice in notices(agent)]
    assert [(state["time"], state["commands_sent"], state["type"]) for state in states] == [
        (NOW_S, 0, "producer"),
        (NOW_S + 60, 1, "producer"),
    ]


def test_a_free_place_shows_nothing_until_a_guest_joins(agent: Agent[AnyMessage]) -> None:
    """Each guest begins with a meter and a count of errors of its own."""
    device = RepresentedDevice(agent, replace(GATEWAY, id="", name=""), "consumer")
    device.show()
    assert not notices(agent)
    for guest in ("old", "new"):
        message = said(Reported(power_w=100.0), guest)
        assert device.is_another_guest(message)
        device.become_guest(guest)
        assert not device.is_another_guest(message)
        assert device.meter.power_w is None
        device.meter.take(NOW_S, 100.0, None)
        device.complain("report", "bad", "good")
        device.show()
    assert [(n.device, n.content["errors"]) for n in notices(agent) if n.part == "state"] == [("old", 1), ("new", 1)]


@pytest.mark.parametrize(("topic", "answers"), [("report", 6), ("availability", 6), ("tele/plug/SENSOR", 3)])
def test_a_problem_with_measurements_is_logged_once(agent: Agent[AnyMessage], topic: str, answers: int) -> None:
    """A counter in the wrong unit was logged at each report; a maker's device expects no answer to each either."""
    device = RepresentedDevice(agent, replace(GATEWAY, has_own_topics=answers < 6), "consumer")
    with capture_logs() as logs:
        for step in range(4):
            agent.now_s += 10
            device.complain(topic, f"counter falls from {step + 1e9} to {step} Wh", "to rise")
        device.complain(topic, "power of -1 W", "0 to 100000 W")
        agent.now_s += QUIET_S + 1
        device.complain(topic, "counter falls from 7 to 5.5 Wh", "to rise")
    assert [(log["problem"], log["topic"]) for log in logs] == [
        ("counter falls from 1000000000.0 to 0 Wh", topic),
        ("power of -1 W", topic),
        ("counter falls from 7 to 5.5 Wh", topic),
    ]
    device.show()
    *errors, state = notices(agent)
    assert (len(errors), state.content["errors"]) == (answers, 6)


def test_each_refused_request_is_logged(agent: Agent[AnyMessage]) -> None:
    """Somebody waits for each of these jobs."""
    device = RepresentedDevice(agent, GATEWAY, "consumer")
    with capture_logs() as logs:
        for _ in range(2):
            device.complain("request", "profile 'eco' is not known", "one of: short")
    assert len(logs) == len(notices(agent)) == 2


@pytest.mark.parametrize(("rules", "energy_wh"), [(9, 17_002.0), (10, 1.0)])
def test_readings_are_taken_by_the_rules_of_a_recording(agent: Agent[AnyMessage], rules: int, energy_wh: float) -> None:
    """By rules 9, each turn of a second device on the topic was a reset of the counter."""
    meter = RepresentedDevice(agent, replace(GATEWAY, rules=rules), "consumer").meter
    meter.planned_w = 400.0
    for number, counter_wh in enumerate([12_000.0, 5_000.0, 5_000.5, 12_000.5, 5_000.5, 12_001.0, 5_001.0]):
        meter.take(NOW_S + 10 * number, None, counter_wh)
    assert meter.energy_wh == pytest.approx(energy_wh, abs=0.001)
