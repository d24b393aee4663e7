"""A place for guests: each guest has a meter of its own."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from agents.device_events import Announced, DeviceEvent, DeviceNotice, Forecasted, Left, Reported
from agents.energy import Prediction, Production
from agents.gateway.gateway_consumer import GatewayConsumer
from agents.gateway.gateway_producer import GatewayProducer
from agents.gateway.gateway_settings import GatewaySettings
from agents.messages import DeviceSaid, ProductionMeasured
from agents.scheduling import Insertion
from agents.whole_supply import WholeProducerSupply
from broker.hosts.agent import Outgoing
from tests.agents.stage import Stage, on_stage

START_S = 1_782_021_600
HOUR_S = 3_600
PLACE = GatewaySettings(id="", house="adler", device="guest-1")
NOTHING = Prediction(issued_s=START_S, production=Production(times_s=(START_S, START_S + 1), cumulative_wh=(0.0, 0.0)))


class Place:
    """A place for a guest, and what was published about who has it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.state: dict[str, Any] = {}
        self.measured: list[Production] = []

    def say(self, device: str, *said: DeviceEvent, at_s: int) -> None:
        """Have a device say something at a time, seconds after the start."""
        self._keep(self.stage.wait_until(START_S + at_s))
        for event in said:
            self._keep(self.stage.say((self.stage.agent.id, DeviceSaid(device=device, said=event))))
        for instruction in self.stage.agent.take_instructions():
            if isinstance(instruction.content, DeviceNotice) and instruction.content.part == "state":
                self.state = instruction.content.content

    def end(self) -> None:
        """Reach the run's end."""
        self._keep(self.stage.close())

    def _keep(self, sent: list[Outgoing]) -> None:
        self.measured += [m.production for o in sent if isinstance(m := o.message, ProductionMeasured)]


def consumer() -> GatewayConsumer:
    """Return the agent of a place for a consumer."""
    return GatewayConsumer("adler/guest-1", (), patient=True, gateway=PLACE)


def producer() -> GatewayProducer:
    """Return the agent of a place for a producer."""
    return GatewayProducer(
        "adler/guest-1/out", (NOTHING,), partial(WholeProducerSupply, scheduler=Insertion()), gateway=PLACE
    )


@pytest.fixture(params=["consumer", "producer"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A place, of either type."""
    agent = consumer() if request.param == "consumer" else producer()
    with on_stage(agent, START_S) as stage:
        yield Place(stage)


def announced(place: Place) -> Announced:
    """Return the announcement of a guest for a place."""
    return Announced(type="consumer" if isinstance(place.stage.agent, GatewayConsumer) else "producer")


def test_a_guest_does_not_go_on_from_the_meter_of_the_one_before(place: Place) -> None:
    """Its first counter was refused as a fall of the other one, and its energy began with the other's."""
    place.say("old", announced(place), Reported(counter_wh=5_000.0, power_w=100.0), at_s=60)
    place.say("old", Reported(counter_wh=5_400.0, power_w=100.0), at_s=HOUR_S)
    place.say("old", Left(), at_s=2 * HOUR_S)
    assert (place.state["energy_wh"], place.state["power_w"]) == (400.0, None)
    place.say("new", announced(place), at_s=3 * HOUR_S)
    expected = {"device": "new", "energy_wh": 0.0, "power_w": None, "errors": 0, "commands_sent": 0}
    assert {key: place.state[key] for key in expected} == expected
    place.say("new", Reported(counter_wh=4_900.0), at_s=3 * HOUR_S + 60)
    place.say("new", Reported(counter_wh=4_950.0), at_s=4 * HOUR_S)
    assert (place.state["energy_wh"], place.state["errors"]) == (50.0, 0)


def test_a_device_that_has_left_is_not_metered_by_its_last_power(place: Place) -> None:
    """When it comes back, or another one comes, the hours in between do not count."""
    place.say("one", announced(place), Reported(power_w=2_000.0), at_s=0)
    place.say("one", Left(), at_s=HOUR_S)
    place.say("one", announced(place), Reported(power_w=1_000.0), at_s=9 * HOUR_S)
    assert place.state["energy_wh"] == 2_000.0
    place.say("one", Reported(power_w=0.0), at_s=10 * HOUR_S)
    assert place.state["energy_wh"] == 3_000.0


def test_what_each_roof_gave_is_recorded_for_its_own_time() -> None:
    """The difference between two meters is nobody's production."""
    with on_stage(producer(), START_S) as stage:
        place = Place(stage)
        for device, at_s, first_wh in (("old", 0, 9_000.0), ("new", 10 * HOUR_S, 70_000.0)):
            place.say(device, Announced(type="producer"), at_s=at_s)
            ahead = Production(times_s=(START_S + at_s, START_S + at_s + 10 * HOUR_S), cumulative_wh=(0.0, 10_000.0))
            place.say(device, Forecasted(production=ahead), Reported(counter_wh=first_wh), at_s=at_s + 60)
            place.say(device, Reported(counter_wh=first_wh + 300), at_s=at_s + 1_860)
            place.say(device, Left(), at_s=at_s + 2_000)
        place.end()
    assert [(p.start_s - START_S, p.energy_wh) for p in place.measured] == [(60, 300.0), (10 * HOUR_S + 60, 300.0)]
