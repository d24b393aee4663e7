"""A real device as the agent that represents it knows it: its meter, its availability, and what is shown of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import structlog

from agents.device_events import Announced, DeviceNotice, Left, Rejected
from agents.gateway.device_rules import MeterRules
from agents.gateway.gateway_settings import GatewaySettings
from agents.gateway.meter import Meter
from agents.messages import AnyMessage, DeviceSaid
from broker.hosts import Agent

log = structlog.get_logger(__name__)

MAX_ERROR_CHARACTERS = 500
"""Longest problem, and longest expectation, in a device's `error`: brokers refuse messages without a bound."""
QUIET_S = 3600
"""A problem with measurements is logged again when it has not occurred for so long, seconds."""
_MOST_PROBLEMS = 100
"""How many different problems with measurements are remembered."""
_REPEATED = frozenset({"report", "availability"})
"""Topics of ours on which a device says the same again and again."""
_EACH = frozenset({"announce", "request", "withdraw", "forecast", "claims"})
"""Topics of ours on which each message is a matter of its own."""
_NUMBERS = re.compile(r"[-+]?\d[\d.,]*(e[-+]?\d+)?|'[^']*'")
"""What differs from one report to the next although the problem is the same."""


class RepresentedDevice:
    """One real device, or the guest that has a free place at present."""

    __slots__ = (
        "_agent",
        "_errors",
        "_gateway",
        "_has_left",
        "_message_id",
        "_no_signs_of_life",
        "_problems",
        "_shown",
        "_type",
        "id",
        "is_available",
        "last_heard_s",
        "meter",
        "name",
        "shows_switch",
    )

    def __init__(
        self,
        agent: Agent[AnyMessage],
        gateway: GatewaySettings,
        device_type: Literal["consumer", "producer"],
        no_signs_of_life: tuple[type, ...] = (),
    ) -> None:
        """Begin with what the scenario says of the device.

        Args:
            agent: The agent that represents it, which sends the messages.
            gateway: The device.
            device_type: The type of the device.
            no_signs_of_life: Events that do not show that the device is present; `Rejected` never does.
        """
        self._agent = agent
        self._gateway = gateway
        self._type = device_type
        self._no_signs_of_life = (Rejected, *no_signs_of_life)
        self.id = gateway.id
        """Its id in topics; empty: no guest has joined yet."""
        self.name = gateway.name
        self.meter = self._new_meter()
        self.is_available: bool | None = None
        """Whether it is online; None: not known."""
        self.shows_switch = False
        """Whether it has reported the state of a switch."""
        self.last_heard_s: int | None = None
        """When it showed last that it is present, UNIX seconds."""
        self._has_left = False
        """Whether it has taken its announcement back."""
        self._errors = 0
        self._problems: dict[str, int] = {}
        """By problem with measurements, when it occurred last, UNIX seconds."""
        self._message_id = ""
        """Id of the message being processed, or its topic; see `DeviceSaid.message_id`."""
        self._shown: dict[str, Any] = {}

    def _new_meter(self) -> Meter:
        return Meter(MeterRules.of(self._gateway.rules))

    @property
    def qualified_id(self) -> str:
        """House and gateway id, `house/device`, by which its own jobs are named; see `JobCourses.named`."""
        return f"{self._gateway.house}/{self.id}"

    # What it says.

    def is_another_guest(self, message: DeviceSaid) -> bool:
        """Return whether a message comes from another guest than the one that is represented."""
        return not self._gateway.id and message.device != self.id

    def become_guest(self, device: str) -> None:
        """Represent a guest that has joined, and forget the one before.

        Args:
            device: The guest's id in topics.
        """
        self.id, self.name, self.is_available, self.shows_switch = device, "", None, False
        if self._gateway.rules >= 5:
            self.meter, self.last_heard_s, self._errors = self._new_meter(), None, 0
            self._problems.clear()

    @contextmanager
    def listening_to(self, message: DeviceSaid) -> Iterator[None]:
        """Note what a message says of the device's presence; complaints in the context answer this message."""
        if not isinstance(message.said, self._no_signs_of_life):
            self.last_heard_s = self._agent.now_s
        self._message_id = message.message_id
        if isinstance(message.said, Announced) and self._has_left and self._gateway.rules >= 3:
            self.is_available = None
        if isinstance(message.said, Announced | Left):
            self._has_left = isinstance(message.said, Left)
        if self._has_left and self._gateway.rules >= 5:
            self.meter.pause(self._agent.now_s)
        yield
        self._message_id = ""

    # What is shown of it.

    @property
    def topic_of_report(self) -> str:
        """The topic of the report being processed: ours, or one of the maker's."""
        return (self._gateway.has_own_topics and self._message_id) or "report"

    def complain(self, topic: str, problem: str, expected: str, payload: str = "") -> None:
        """Publish and log that a message of the device was refused.

        Plugs report every few seconds, and what is wrong with one report is wrong with the next. So a problem with
        measurements is logged once, and again when it has not occurred for `QUIET_S`. On a maker's topic, where no
        device expects an answer, it is published as often.
        """
        if topic in _EACH or self._is_news(topic, problem):
            what = {"problem": _shortened(problem), "expected": _shortened(expected)}
            log.warning("device message refused", device=self.id, topic=topic, **what)
        elif topic not in _REPEATED:
            self._errors += 1
            return
        self.answer_error(topic, problem, expected, payload)

    def complain_of_reading(self, problem: str) -> None:
        """Publish and log what is wrong with a reading of the meter, in the words of `Meter.take`."""
        what, _, expected = problem.partition("; expected ")
        self.complain(self.topic_of_report, what, expected)

    def _is_news(self, topic: str, problem: str) -> bool:
        """Return whether a problem with measurements has not occurred lately, and note that it has now."""
        kind, now_s = f"{topic} {_NUMBERS.sub('#', problem)}", self._agent.now_s
        last_s = self._problems.pop(kind, None)
        self._problems[kind] = now_s
        if len(self._problems) > _MOST_PROBLEMS:
            del self._problems[next(iter(self._problems))]
        return last_s is None or now_s - last_s > QUIET_S

    def answer_error(self, topic: str, problem: str, expected: str, payload: str = "") -> None:
        """Publish a problem on the device's topic `error`."""
        self._errors += 1
        what = {"problem": _shortened(problem), "expected": _shortened(expected)}
        content = {"topic": topic, **what, "payload": payload, "time": self._agent.now_s}
        notice = DeviceNotice(part="error", device=self.id, content=content, message_id=self._message_id)
        self._agent.instruct(notice)

    def show(
        self,
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
            state: State of the job that runs, or of the next one.
            job: The device's id of that job.
            next_start_s: When it starts, UNIX seconds.
            supplier: Who supplies it.
            commands: Number of commands to the device.
            answers: Number of those that it answered.
        """
        content: dict[str, Any] = {
            "device": self.id,
            "house": self._gateway.house,
            "type": self._type,
            "agent": self._agent.id,
            "name": self.name,
            "adapter": self._gateway.adapter,
            "available": self.is_available,
            "state": state,
            "job": job,
            "next_start": next_start_s,
            "supplier": supplier,
            "power_w": None if self.meter.is_offline else self.meter.power_w,
            "energy_wh": round(self.meter.energy_wh, 3),
            "last_heard": self.last_heard_s,
            "commands_sent": commands,
            "commands_answered": answers,
            "errors": self._errors,
        }
        if self.id and content != self._shown:
            self._shown = content
            self._agent.instruct(
                DeviceNotice(part="state", device=self.id, content={**content, "time": self._agent.now_s})
            )


def _shortened(text: str) -> str:
    """Return a text for an `error` with its end left out if it is long, as a list of all profiles is."""
    return text if len(text) <= MAX_ERROR_CHARACTERS else f"{text[: MAX_ERROR_CHARACTERS - 3]}..."
