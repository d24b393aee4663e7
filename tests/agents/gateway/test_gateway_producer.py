"""A real roof, event by event: what is recorded of its production, and what it promises meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from agents.device_events import Availability, DeviceEvent, Forecasted, Reported
from agents.energy import Prediction, Production
from agents.gateway.gateway_producer import GatewayProducer
from agents.gateway.gateway_settings import GatewaySettings
from agents.messages import DeviceSaid, ProductionMeasured
from agents.model import MANAGER
from agents.scheduling import Insertion
from agents.whole_supply import WholeProducerSupply
from broker.hosts.agent import Outgoing
from tests.agents.stage import Stage, on_stage, to

START_S = 1_782_021_600
HOUR_S = 3_600
FORECAST = Production(times_s=(START_S, START_S + 10 * HOUR_S), cumulative_wh=(0.0, 40_000.0))


class Roof:
    """A roof with a forecast of 4 kW, and what is recorded of its production."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.recorded: list[tuple[list[int], list[float]]] = []
        """Of each record, the times (seconds since the start) and the energy until then, Wh."""
        self.say(1, Forecasted(production=FORECAST))

    def say(self, at_s: int, *said: DeviceEvent) -> None:
        """Have the roof say something at a time, seconds after the start."""
        self._keep(self._stage.wait_until(START_S + at_s))
        self._keep(self._stage.say(*[("pv", DeviceSaid(device="pv", said=event)) for event in said]))

    def end(self) -> None:
        """Reach the run's end."""
        self._keep(self._stage.close())

    def _keep(self, sent: list[Outgoing]) -> None:
        for message in to(MANAGER, sent):
            if isinstance(message, ProductionMeasured):
                production = message.production
                times_s = [time_s - START_S for time_s in production.times_s]
                self.recorded.append((times_s, [round(wh, 3) for wh in production.cumulative_wh]))


@pytest.fixture
def roof() -> Iterator[Roof]:
    """Return a roof whose forecast is 4 kW for ten hours."""
    nothing = Prediction(
        issued_s=START_S, production=Production(times_s=(START_S, START_S + 1), cumulative_wh=(0.0, 0.0))
    )
    gateway = GatewaySettings(id="pv", house="adler", device="pv")
    supply = partial(WholeProducerSupply, scheduler=Insertion())
    with on_stage(GatewayProducer("pv", (nothing,), supply, gateway=gateway), START_S) as stage:
        yield Roof(stage)


@pytest.mark.parametrize("wrong_s", [1_200, 3_600], ids=["in the middle", "when it would be recorded"])
def test_nothing_remains_of_a_reading_that_was_passed_over_in_what_a_roof_gave(roof: Roof, wrong_s: int) -> None:
    """The counter of 3,000 Wh counted as 3,000 Wh since a reset, and they were settled although it was none."""
    for at_s in range(600, 7_201, 600):
        roof.say(at_s, Reported(counter_wh=3_000.0 if at_s == wrong_s else 50_000.0 + at_s / 10))
    roof.end()
    given_wh = [wh[-1] - wh[0] for _, wh in roof.recorded]
    assert sum(given_wh) == pytest.approx(660.0)
    assert max(given_wh) <= 420.0


def test_a_roof_without_a_counter_is_not_metered_while_it_is_offline(roof: Roof) -> None:
    """Its last power of the evening counted until the morning: 4 kW for eight hours."""
    roof.say(600, Reported(power_w=4_000.0))
    roof.say(1_500, Reported(power_w=4_000.0))
    roof.say(1_590, Availability(online=False))
    roof.say(30_000, Availability(online=False))
    roof.say(30_600, Availability(online=True), Reported(power_w=1_000.0))
    roof.say(31_500, Reported(power_w=1_000.0))
    roof.end()
    assert roof.recorded == [([600, 1_500, 1_590], [0.0, 1_000.0, 1_100.0]), ([30_600, 31_500], [1_100.0, 1_350.0])]


def test_a_counter_goes_on_while_its_roof_is_offline(roof: Roof) -> None:
    """It says afterwards what was produced meanwhile."""
    for at_s, counter_wh in ((600, 5_000.0), (1_500, 6_000.0), (3_000, 7_000.0)):
        roof.say(at_s, Reported(power_w=4_000.0, counter_wh=counter_wh))
        roof.say(at_s + 60, Availability(online=False))
    roof.end()
    assert roof.recorded == [([600, 1_500, 3_000], [0.0, 1_000.0, 2_000.0])]


def test_a_roof_with_a_counter_is_not_metered_by_its_last_power_while_it_is_offline(roof: Roof) -> None:
    """Its counter is late in the morning, so that power is counted; that of the evening ended in the evening."""
    roof.say(600, Reported(power_w=1_000.0, counter_wh=5_000.0))
    roof.say(900, Availability(online=False))
    for at_s in range(10 * HOUR_S, 10 * HOUR_S + 601, 60):
        roof.say(at_s, Reported(power_w=600.0))
    roof.end()
    measured_wh = sum(wh[-1] - wh[0] for _, wh in roof.recorded)
    assert measured_wh == pytest.approx(1_000 * 300 / HOUR_S + 600 * 600 / HOUR_S, abs=1)
