"""A real device as the agent that represents it knows it: its meter, its availability, and what is shown of it.

A meter gives energy from a counter that may be reset, or from power readings only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import structlog

from agents.device_events import Announced, DeviceEvent, DeviceNotice, Left, Rejected
from agents.gateway.gateway_settings import GatewaySettings
from agents.messages import AnyMessage, DeviceSaid
from agents.model import MANAGER
from broker.hosts import Agent

log = structlog.get_logger(__name__)

MAX_POWER_W = 100_000.0
"""No household device draws or supplies more than this; a meter that reports more is wrong."""
MAX_ERROR_CHARACTERS = 500
"""Longest problem, and longest expectation, in a device's `error`: brokers refuse messages without a bound."""
MAX_COUNTER_WH = 1e12
"""No household's meter has ever counted more than this."""
RESET_BELOW = 0.9
"""A counter that falls below this share of its last value was reset; one that falls less runs backwards."""
_HOUR_S = 3600


@dataclass(slots=True)
class Meter:
    """Integrates meter readings: power, which applies until the next reading, or a counter as soon as there is one."""

    energy_wh: float = 0.0
    """Metered so far, without jumps at resets, Wh."""
    power_w: float | None = None
    """The last reading, W."""
    counter_wh: float | None = None
    """The last reading, Wh."""
    at_s: int | None = None
    """Virtual time of the last reading, UNIX seconds."""
    resets: int = 0
    passes_over: bool = True
    """Whether a single reading that no meter can have counted, or one of 0, is passed over once the next one shows it;
    False: the counter is counted on from there."""
    _suspect_wh: float | None = None
    """The last reading, if no meter can have counted it: of another meter, if the next one goes on from it."""
    _before_reset: tuple[float, float] | None = None
    """Before the last reading, if that was a reset: the counter and `energy_wh`."""

    def take(self, now_s: int, power_w: float | None, counter_wh: float | None) -> str:
        """Process a reading; return its problem, empty if it is valid. An invalid reading changes nothing.

        Args:
            now_s: Virtual time, UNIX seconds.
            power_w: Power, W; None: not read.
            counter_wh: Counter, Wh; None: not read.
        """
        problem = self._problem(now_s, power_w, counter_wh)
        if problem:
            return problem
        limit_wh = self._limit_wh(now_s)
        self.advance(now_s)
        if counter_wh is not None:
            self._count(counter_wh, limit_wh)
        if power_w is not None:
            self.power_w = power_w
        return ""

    def advance(self, now_s: int) -> None:
        """Count the power of the last reading until now, where there is no counter."""
        if self.at_s is not None and self.power_w is not None and self.counter_wh is None:
            self.energy_wh += self.power_w * (now_s - self.at_s) / _HOUR_S
        self.at_s = now_s

    def pause(self, now_s: int) -> None:
        """Count the power until now, and nothing more until the next reading: the device has left."""
        if self.counter_wh is None:
            self.advance(now_s)
        self.power_w = None

    def _count(self, counter_wh: float, limit_wh: float) -> None:
        """Add a valid reading of the counter, Wh, which may have counted at most `limit_wh` since the last one."""
        suspect_wh, self._suspect_wh = self._suspect_wh, None
        before_reset, self._before_reset = self._before_reset, None
        before_wh = self.counter_wh
        if before_reset is not None and self._follows(before_reset[0], counter_wh, limit_wh):
            before_wh, self.energy_wh = before_reset  # the reset was a wrong reading
        elif self._follows(suspect_wh, counter_wh, limit_wh) and not self._follows(before_wh, counter_wh, limit_wh):
            before_wh = suspect_wh  # another meter
        if before_wh is not None:
            if counter_wh < before_wh:
                self._before_reset = (before_wh, self.energy_wh) if self.passes_over else None
                self.resets += 1
                before_wh = 0.0
            self.energy_wh += counter_wh - before_wh
        self.counter_wh = counter_wh

    @staticmethod
    def _follows(before_wh: float | None, counter_wh: float, limit_wh: float) -> bool:
        """Return whether a counter can have risen from one reading to another."""
        return before_wh is not None and 0 <= counter_wh - before_wh <= limit_wh

    def _limit_wh(self, now_s: int) -> float:
        """Return how much a meter can have counted since the last reading, Wh; a counter may be behind by minutes."""
        return 0.0 if self.at_s is None else MAX_POWER_W * (now_s - self.at_s + 600) / _HOUR_S

    def _problem(self, now_s: int, power_w: float | None, counter_wh: float | None) -> str:
        if power_w is not None and not 0 <= power_w <= MAX_POWER_W:
            return f"power of {power_w:g} W; expected 0 to {MAX_POWER_W:g} W"
        if counter_wh is not None and not 0 <= counter_wh <= MAX_COUNTER_WH:
            return f"counter of {counter_wh:g} Wh; expected 0 to {MAX_COUNTER_WH:g} Wh"
        return self._problem_of_counter(now_s, self.counter_wh, counter_wh)

    def _problem_of_counter(self, now_s: int, before: float | None, counter_wh: float | None) -> str:
        if counter_wh is None or before is None or self.at_s is None:
            return ""
        limit_wh = self._limit_wh(now_s)
        known = (self._suspect_wh, self._before_reset[0] if self._before_reset is not None else None)
        if any(self._follows(earlier_wh, counter_wh, limit_wh) for earlier_wh in known):
            return ""
        if counter_wh < before and (RESET_BELOW * before <= counter_wh or counter_wh > limit_wh):
            if counter_wh < RESET_BELOW * before:
                self._suspect(counter_wh)
            return f"counter falls from {before:g} to {counter_wh:g} Wh; expected to rise, or to restart at 0"
        if counter_wh - before > limit_wh:
            self._suspect(counter_wh)
            return f"counter jumps from {before:g} to {counter_wh:g} Wh; expected at most {limit_wh:.0f} Wh more"
        return ""

    def _suspect(self, counter_wh: float) -> None:
        if self.passes_over:
            self._suspect_wh = counter_wh
        else:
            self.counter_wh = counter_wh


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
        """Id of the message being processed; empty: it has none."""
        self._shown: dict[str, Any] = {}

    def _new_meter(self) -> Meter:
        return Meter(passes_over=self._gateway.rules >= 3)

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
