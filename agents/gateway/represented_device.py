"""A real device as the agent that represents it knows it: its meter, its availability, and what is shown of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

import structlog

from agents.device_events import Announced, DeviceEvent, DeviceNotice, Left, Rejected
from agents.gateway.gateway_settings import GatewaySettings
from agents.gateway.meter import Meter
from agents.messages import AnyMessage, DeviceSaid
from agents.model import MANAGER
from broker.hosts import Agent

log = structlog.get_logger(__name__)

MAX_ERROR_CHARACTERS = 500
"""Longest problem, and longest expectation, in a device's `error`: brokers refuse messages without a bound."""


class DeviceAgent(Agent[AnyMessage], ABC):
    """Represents one real device, or a guest that may join; beside `Consumer` or `Producer`."""

    no_signs_of_life: ClassVar[tuple[type, ...]] = (Rejected,)
    """Events that do not show that the device is present."""

    def _stand_for(self, gateway: GatewaySettings) -> None:
        self._gateway = gateway
        self._device = gateway.id
        self._name = gateway.name
        self._meter = self._new_meter()
        self._is_available: bool | None = None
        self._has_left = False
        """Whether it has taken its announcement back."""
        self._last_heard_s: int | None = None
        self._errors = 0
        self._message_id = ""
        """Id of the message being processed, or its topic; see `DeviceSaid.message_id`."""
        self._shown: dict[str, Any] = {}

    def _new_meter(self) -> Meter:
        return Meter(passes_over=self._gateway.rules >= 3, knows_repeats=self._gateway.rules >= 8)

    def _take_from_device(self, message: DeviceSaid) -> None:
        """Take what the device says; it comes from this agent itself."""
        self.send(MANAGER, message)
        if not self._gateway.id and message.device != self._device:
            self._stand_for_guest(message.device)
        if not isinstance(message.said, self.no_signs_of_life):
            self._last_heard_s = self.now_s
        self._message_id = message.message_id
        if isinstance(message.said, Announced) and self._has_left and self._gateway.rules >= 3:
            self._is_available = None
        if isinstance(message.said, Announced | Left):
            self._has_left = isinstance(message.said, Left)
        if self._has_left and self._gateway.rules >= 5:
            self._meter.pause(self.now_s)
        self._hear(message.said)
        self._message_id = ""
        self._show()

    def _stand_for_guest(self, device: str) -> None:
        """Represent a guest that has joined, and forget the one before."""
        self._device, self._name, self._is_available = device, "", None
        if self._gateway.rules >= 5:
            self._meter, self._last_heard_s, self._errors = self._new_meter(), None, 0

    @abstractmethod
    def _hear(self, said: DeviceEvent) -> None:
        """Take what the device said."""

    @abstractmethod
    def _show(self) -> None:
        """Publish the device's state if something changed."""

    @property
    def _topic_of_report(self) -> str:
        """The topic of the report being processed: ours, or one of the maker's."""
        return (self._gateway.has_own_topics and self._message_id) or "report"

    def _complain(self, topic: str, problem: str, expected: str, payload: str = "") -> None:
        """Publish and log that a message of the device was refused."""
        what = {"problem": _shortened(problem), "expected": _shortened(expected)}
        log.warning("device message refused", device=self._device, topic=topic, **what)
        self._answer_error(topic, problem, expected, payload)

    def _answer_error(self, topic: str, problem: str, expected: str, payload: str = "") -> None:
        """Publish a problem on the device's topic `error`."""
        self._errors += 1
        what = {"problem": _shortened(problem), "expected": _shortened(expected)}
        content = {"topic": topic, **what, "payload": payload, "time": self.now_s}
        notice = DeviceNotice(part="error", device=self._device, content=content, message_id=self._message_id)
        self.instruct(notice)

    def _show_state(
        self,
        device_type: Literal["consumer", "producer"],
        *,
        state: str | None = None,
        job: str | None = None,
        next_start_s: int | None = None,
        supplier: str | None = None,
        commands: int = 0,
        answers: int = 0,
    ) -> None:
        """Publish the device's state if something changed.

        Args:
            device_type: The type of the device.
            state: State of the job that runs, or of the next one.
            job: The device's id of that job.
            next_start_s: When it starts, UNIX seconds.
            supplier: Who supplies it.
            commands: Number of commands to the device.
            answers: Number of those that it answered.
        """
        content: dict[str, Any] = {
            "device": self._device,
            "house": self._gateway.house,
            "type": device_type,
            "agent": self.id,
            "name": self._name,
            "adapter": self._gateway.adapter,
            "available": self._is_available,
            "state": state,
            "job": job,
            "next_start": next_start_s,
            "supplier": supplier,
            "power_w": self._meter.power_w,
            "energy_wh": round(self._meter.energy_wh, 3),
            "last_heard": self._last_heard_s,
            "commands_sent": commands,
            "commands_answered": answers,
            "errors": self._errors,
        }
        if self._device and content != self._shown:
            self._shown = content
            self.instruct(DeviceNotice(part="state", device=self._device, content={**content, "time": self.now_s}))


def _shortened(text: str) -> str:
    """Return a text for an `error` with its end left out if it is long, as a list of all profiles is."""
    return text if len(text) <= MAX_ERROR_CHARACTERS else f"{text[: MAX_ERROR_CHARACTERS - 3]}..."
