"""The gateway agent of a real producer device: accepts its forecasts, and records its actual production."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from typing_extensions import override

from agents.device_events import (
    Announced,
    Availability,
    DeviceEvent,
    Forecasted,
    JobAsked,
    JobTakenBack,
    Left,
    Rejected,
    Reported,
)
from agents.energy import CumulativeSeries, Prediction, Production
from agents.gateway.gateway_settings import GatewaySettings
from agents.gateway.measured_outlook import MeasuredOutlook
from agents.gateway.meter import at_most
from agents.gateway.represented_device import RepresentedDevice
from agents.messages import AnyMessage, DeviceSaid, ProductionMeasured
from agents.model import MANAGER
from agents.producer import MakeProducerSupply, Producer
from broker.hosts import Received

log = structlog.get_logger(__name__)

RECORD_EVERY_S = 3600
"""Interval at which its production is recorded, virtual seconds; also at the end."""
_LEAST_STEP_S = 60


class GatewayProducer(Producer):
    """Represents one real producer device, or a guest that may join."""

    def __init__(
        self,
        agent_id: str,
        predictions: Sequence[Prediction],
        supply: MakeProducerSupply,
        *,
        gateway: GatewaySettings,
        is_there: bool = True,
        own_use: CumulativeSeries | None = None,
    ) -> None:
        """Create the agent.

        Args:
            agent_id: The device's id in the scenario.
            predictions: Its predictions in the scenario; forecasts of the device replace them.
            supply: As for every producer.
            gateway: The device.
            is_there: As for every producer.
            own_use: As for every producer.
        """
        super().__init__(agent_id, predictions, supply, is_there=is_there, own_use=own_use)
        self._gateway = gateway
        self._device = RepresentedDevice(self, gateway, "producer")
        self._outlook = MeasuredOutlook()
        self._lowers_forecast = gateway.learns and gateway.rules >= 2
        self._points: list[tuple[int, float]] = []

    @override
    async def run(self) -> None:
        self.spawn(self._end(), "device")
        if self._device.id:
            self._device.show()
        await super().run()

    def take_other(self, received: Received[AnyMessage]) -> None:
        """See `Producer.take_other`; what the device says comes from this agent itself."""
        message = received.message
        if not isinstance(message, DeviceSaid) or received.sender != self.id:
            super().take_other(received)
            return
        self.send(MANAGER, message)
        if self._device.is_another_guest(message):
            self._take_guest(message.device)
        with self._device.listening_to(message):
            self._hear(message.said)
        self._device.show()

    def _take_guest(self, device: str) -> None:
        """Represent a guest that has joined; what was measured of the one before is recorded."""
        if self._gateway.rules >= 5:
            self._record()
            self._points, self._outlook = [], MeasuredOutlook()
        self._device.become_guest(device)

    def _hear(self, said: DeviceEvent) -> None:
        match said:
            case Announced(type="producer", name=name):
                self._device.name = name or self._device.name
            case Announced() | JobAsked() | JobTakenBack():
                topic = {"announced": "announce", "job_asked": "request"}.get(said.what, "withdraw")
                expected = "type 'producer'" if isinstance(said, Announced) else "jobs only of consumers"
                self._device.complain(topic, "the device is a producer", expected)
            case Left():
                self._device.is_available = False
                if self._gateway.rules >= 5 and self._points:
                    self._add_point()
                self._expect_nothing()
            case Availability(online=online):
                self._device.is_available = online
                if not online and self._gateway.rules >= 8:
                    self._stop_metering()
            case Forecasted(production=production):
                self.adopt(Prediction(issued_s=self.now_s, production=production))
            case Reported():
                self._take_report(said)
            case Rejected(topic=topic, problem=problem, expected=expected, payload=payload):
                self._device.complain(topic, problem, expected, payload)

    def _stop_metering(self) -> None:
        """Measure nothing until the next reading: the roof is offline, as an inverter is at night."""
        meter = self._device.meter
        if not meter.counts_power:
            meter.pause(self.now_s)
        elif meter.power_w is not None:
            meter.pause(self.now_s)
            self._add_point()
            self._record()
            self._points = []
            self._outlook.stop_metering()

    def _expect_nothing(self) -> None:
        """Promise nothing more of a device that has left; when it comes back, it says what it expects."""
        nothing = Production(times_s=(self.now_s, self.now_s + 1), cumulative_wh=(0.0, 0.0))
        self.adopt(Prediction(issued_s=self.now_s, production=nothing))

    def _take_report(self, report: Reported) -> None:
        self._device.is_available = True if self._device.is_available is None else self._device.is_available
        meter = self._device.meter
        problem = meter.take(self.now_s, report.power_w, report.counter_wh)
        if problem:
            self._device.complain_of_reading(problem)
        if meter.has_taken:
            self._add_point()
            self._correct(None if report.power_w is None else meter.power_w)

    def adopt(self, prediction: Prediction) -> None:
        """See `Producer.adopt`; while the meter shows less than was forecast, less can be promised."""
        if self._lowers_forecast:
            promisable = self._outlook.take_forecast(self.now_s, prediction.production)
            prediction = prediction.model_copy(update={"production": promisable})
        super().adopt(prediction)

    def _correct(self, power_w: float | None) -> None:
        """Promise no more than what was just metered allows, or as much as before again."""
        if not self._lowers_forecast or self._awaits_next_reading:
            return
        promisable = self._outlook.take_reading(self.now_s, power_w, self._device.meter.energy_wh)
        if promisable is not None:
            share = self._outlook.share
            log.info("forecast corrected by the meter", device=self._device.id, produced_share_of_forecast=share)
            super().adopt(Prediction(issued_s=self.now_s, production=promisable))

    @property
    def _awaits_next_reading(self) -> bool:
        """Whether nothing follows from the last reading before the next one."""
        return self._gateway.rules >= 8 and self._device.meter.is_doubtful

    def _add_point(self) -> None:
        if self._gateway.rules >= 8:
            self._points = at_most(self._points, self._device.meter.energy_wh)
        point = (self.now_s, max(self._device.meter.energy_wh, self._points[-1][1] if self._points else 0.0))
        if len(self._points) > 1 and self.now_s - self._points[-2][0] < _LEAST_STEP_S:
            self._points[-1] = point
        elif not self._points or self._points[-1][0] < self.now_s:
            self._points.append(point)
        is_long = len(self._points) > 1 and self.now_s - self._points[0][0] >= RECORD_EVERY_S
        if is_long and not self._awaits_next_reading:
            self._record()

    def _record(self) -> None:
        if len(self._points) > 1:
            times_s, cumulative_wh = zip(*self._points, strict=True)
            production = Production(times_s=times_s, cumulative_wh=cumulative_wh)
            self.send(MANAGER, ProductionMeasured(producer=self.id, production=production))
            self._points = self._points[-1:]

    async def _end(self) -> None:
        await self.closing()
        self._record()
        self._device.show()
