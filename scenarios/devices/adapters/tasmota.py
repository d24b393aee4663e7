"""Tasmota plugs: `cmnd`, `stat` and `tele` topics in the order of the user's FullTopic."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agents import Availability, DeviceCommand, DeviceEvent, Reported
from broker.transport import MAX_PAYLOAD_BYTES
from scenarios.devices.adapter import OutgoingMessage
from scenarios.devices.adapters.message_checks import MOST_LATE_S, MessageOrder, MessageSender, seconds_of
from scenarios.devices.adapters.values import MeterValue, SwitchingMessage, Topic, either, json_of, number_of, text_of
from scenarios.gateways import Gateway

MAX_PULSE_S = 64_800
"""Longest time after which a plug switches itself off; PulseTime adds 100 to it."""


_HOUR_S = 3600
_MOST_DELAY_S = 60
"""How long after the end of its period a report may come, seconds."""
_PREFIX, _TOPIC = "%prefix%", "%topic%"
_ANSWERS = ("StatusSNS", "StatusSTS")
"""Keys under which an answer to `Status` holds what `tele` messages say."""


class TasmotaOptions(BaseModel):
    """Keys of a Tasmota plug in the scenario file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topic: Topic
    """Its own part of the topics, `%topic%`."""
    full_topic: Topic = f"{_PREFIX}/{_TOPIC}/"
    """The order of the levels, as its FullTopic."""
    prefixes: tuple[Topic, Topic, Topic] = ("cmnd", "stat", "tele")
    """First levels of commands, of answers and of reports."""
    relay: int | None = Field(None, ge=1, le=32)
    """Number of the relay of a device with several; None: the only one."""
    tele_period_s: int = Field(10, ge=10, le=3600)
    """How often it reports, seconds, as its TelePeriod."""

    @model_validator(mode="after")
    def _keeps_apart(self) -> Self:
        """Refuse topics that are not the plug's, or on which a command would count as its answer."""
        unknown = re.findall(r"%\w+%", self.full_topic.replace(_PREFIX, "").replace(_TOPIC, ""))
        if unknown:
            raise ValueError(
                f"full_topic has {unknown[0]}; expected what the plug has in its place, or %prefix%, %topic%"
            )
        if len(set(self.prefixes)) < len(self.prefixes):
            raise ValueError("prefixes: all three are different; expected those of the plug, such as cmnd, stat, tele")
        return self

    @property
    def address(self) -> tuple[object, ...]:
        """The switch and meter that it represents: no other device of a run may represent the same."""
        return self.full_of(0), self.relay or 1

    @property
    def meter(self) -> tuple[MeterValue, ...]:
        """Where its meter is read: what `Status` answers as well as what it reports by itself."""
        at = {f"{self.full_of(2)}/SENSOR": "", **{f"{self.full_of(1)}/STATUS{n}": f"{_ANSWERS[0]}." for n in (8, 10)}}
        if self.relay is None:
            return tuple(MeterValue.at(topic, f"{prefix}ENERGY") for topic, prefix in at.items())
        names = [f"ENERGY.{name}[{self.relay - 1}]" for name in ("Power", "Total", "ExportActive")]
        return tuple(MeterValue.at(topic, f"{prefix}{name}") for topic, prefix in at.items() for name in names)

    @property
    def switching_messages(self) -> tuple[SwitchingMessage, ...]:
        """The messages that switch it: its firmware has several commands for the same relay."""
        names = ["power0", f"power{self.relay or 1}", *(["power"] if (self.relay or 1) == 1 else [])]
        alone = tuple(SwitchingMessage(f"{self.full_of(0)}/{name}") for name in names)
        in_a_row = rf"\b({'|'.join(names)})\b"
        return *alone, *(SwitchingMessage(f"{self.full_of(0)}/backlog{n}", in_a_row) for n in ("", 0, 1, 2, 3))

    def full_of(self, prefix: int) -> str:
        """Return the beginning of a topic: prefix 0 is for commands, 1 for answers, 2 for telemetry."""
        # As its firmware does: otherwise it would take what it reports for commands.
        is_bare = prefix == 0 and _PREFIX not in self.full_topic
        full = f"{self.full_topic}/{_PREFIX}" if is_bare else self.full_topic
        full = full.replace(_PREFIX, self.prefixes[prefix]).replace(_TOPIC, self.topic)
        return full.replace("//", "/").rstrip("/")


class Tasmota:
    """See `Adapter`."""

    is_switched = True
    largest_bytes = MAX_PAYLOAD_BYTES
    longest_timer_s: int | None = MAX_PULSE_S

    def __init__(self, gateway: Gateway, options: TasmotaOptions) -> None:
        """Create the adapter of a plug."""
        self.is_switched = gateway.type == "consumer"
        self._options = options
        self._power = "POWER" if options.relay is None else f"POWER{options.relay}"
        self._counter = MessageSender("TotalStartTime")
        # Its local time is set back by an hour when summer time ends, and its next message comes a period later.
        most_late_s = min(MOST_LATE_S, _HOUR_S - options.tele_period_s - _MOST_DELAY_S)
        self._measured, self._stated = MessageOrder(most_late_s), MessageOrder(most_late_s)
        self._uptime_s: float | None = None
        self._produces = gateway.type == "producer"
        self._returns = False
        """Whether it has metered energy that flows back through it."""
        self._availability = self._topic(2, "LWT")
        self._must_be_asked = False
        """Whether it has come online since it was last asked for its state."""

    def _topic(self, prefix: int, command: str) -> str:
        return f"{self._options.full_of(prefix)}/{command}"

    def filters(self) -> Sequence[str]:
        """See `Adapter.filters`."""
        stat = [self._topic(1, name) for name in ("RESULT", self._power, "STATUS8", "STATUS10", "STATUS11")]
        return [self._availability, self._topic(2, "STATE"), self._topic(2, "SENSOR"), *stat]

    def concerns(self, topic: str, payload: bytes) -> bool:
        """See `Adapter.concerns`."""
        self._must_be_asked |= topic == self._availability and text_of(payload).casefold() == "online"
        return topic in self.filters()

    def writes(self) -> Sequence[str]:
        """See `Adapter.writes`."""
        return [self._topic(0, "+")]

    def on_connect(self) -> Sequence[OutgoingMessage]:
        """See `Adapter.on_connect`."""
        self._must_be_asked = False
        return [
            OutgoingMessage(self._topic(0, "TelePeriod"), str(self._options.tele_period_s).encode()),
            OutgoingMessage(self._topic(0, "STATE"), b""),
            OutgoingMessage(self._topic(0, "STATUS"), b"10"),
        ]

    def new_questions(self) -> Sequence[OutgoingMessage]:
        """See `Adapter.new_questions`; one that was off when this run connected does not know how often to report."""
        return self.on_connect() if self._must_be_asked else []

    def take(self, topic: str, payload: bytes, *, retained: bool) -> Sequence[DeviceEvent]:
        """See `Adapter.take`; of the retained messages, only the last will is used."""
        if topic == self._availability:
            return (
                [Availability(online=either(text_of(payload), "Online", "Offline", "availability"))] if payload else []
            )
        if retained:
            return []
        if topic == self._topic(1, self._power) and not payload.lstrip().startswith(b"{"):
            return [Reported(is_on=either(text_of(payload), "ON", "OFF", self._power))] if payload else []
        said = json_of(payload)
        said = next((part for key in _ANSWERS if isinstance(part := said.get(key), dict)), said)
        energy = said.get("ENERGY")
        energy = energy if isinstance(energy, dict) else {}
        counts_since = energy.get("TotalStartTime")
        self._counter.check(counts_since, is_new=self._measured.is_later(seconds_of(counts_since)))
        (self._measured if energy else self._stated).check(seconds_of(said.get("Time")))
        uptime_s = said.get("UptimeSec")
        restarted = False
        if isinstance(uptime_s, int | float):
            restarted = self._uptime_s is not None and uptime_s < self._uptime_s
            self._uptime_s = uptime_s
        power_w, counter_wh = self._metered(energy)
        report = Reported(is_on=self._switch(said), power_w=power_w, counter_wh=counter_wh, restarted=restarted)
        return [] if report == Reported() else [report]

    def _metered(self, energy: dict[str, Any]) -> tuple[float | None, float | None]:
        """Return power in W and the counter in Wh."""
        power, total = energy.get("Power"), energy.get("Total")
        if self._options.relay is not None and isinstance(power, list) and not isinstance(total, list):
            total = None  # of all relays together, unless SetOption129 splits it
        power_w = number_of(self._of_relay(power), "W", "Power")
        returned_wh = number_of(self._of_relay(energy.get("ExportActive")), "kWh", "ExportActive")
        # A meter that counts both ways says of a roof what it returns, as negative power; at night the inverter draws.
        self._returns |= self._produces and ((returned_wh or 0.0) > 0 or (power_w or 0.0) < 0)
        if self._returns:
            return None if power_w is None else max(0.0, -power_w), returned_wh
        return None if power_w is None else abs(power_w), number_of(self._of_relay(total), "kWh", "Total")

    def _of_relay(self, value: Any) -> Any:  # noqa: ANN401 - whatever a device sent
        """Return the value of this relay where a meter has one for each; all of them are phases of the only relay."""
        relay = self._options.relay
        return value[relay - 1] if relay is not None and isinstance(value, list) and len(value) >= relay else value

    def _switch(self, said: dict[str, Any]) -> bool | None:
        value = said.get(self._power, said.get("POWER1") if self._options.relay is None else None)
        return None if value is None else either(value, "ON", "OFF", self._power)

    def command(self, command: DeviceCommand) -> Sequence[OutgoingMessage]:
        """See `Adapter.command`; the plug's own timer ends a run if no command does."""
        pulse = self._topic(0, f"PulseTime{self._options.relay or 1}")
        switch = self._topic(0, self._power)
        if command.command == "stop":
            return [OutgoingMessage(pulse, b"0"), OutgoingMessage(switch, b"OFF")]
        run_s = min(command.run_s or 0, MAX_PULSE_S)
        timer = OutgoingMessage(pulse, str(run_s + 100 if run_s else 0).encode())
        # It starts when it is set, so a plug that was switched off by hand meanwhile stays off.
        return [timer] if command.command == "renew" else [timer, OutgoingMessage(switch, b"ON")]
