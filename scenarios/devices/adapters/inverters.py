"""Inverters behind OpenDTU or AhoyDTU: production only."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from agents import Availability, DeviceCommand, DeviceEvent, Reported
from broker.transport import MAX_PAYLOAD_BYTES
from scenarios.devices.adapter import MessageError, OutgoingMessage
from scenarios.devices.adapters.values import MeterValue, SwitchingMessage, Topic, json_of, number_of, text_of
from scenarios.gateways import Gateway

_ONLINE, _OFFLINE = frozenset({"1", "online"}), frozenset({"0", "offline"})


class OpenDtuOptions(BaseModel):
    """Keys of an inverter behind OpenDTU in the scenario file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: Topic = "solar"
    """First levels of its topics."""
    serial: Topic
    """Serial number of the inverter, the level that follows."""

    @property
    def address(self) -> tuple[object, ...]:
        """See `TasmotaOptions.address`."""
        return self.base, self.serial

    @property
    def meter(self) -> tuple[MeterValue, ...]:
        """See `TasmotaOptions.meter`; its total energy comes from the same meter as that of the day."""
        return tuple(
            MeterValue(f"{self.base}/{self.serial}/0/{value}") for value in ("power", "yieldday", "yieldtotal")
        )

    @property
    def switching_messages(self) -> tuple[SwitchingMessage, ...]:
        """See `TasmotaOptions.switching_messages`: an inverter is not commanded."""
        return ()


class AhoyDtuOptions(BaseModel):
    """Keys of an inverter behind AhoyDTU in the scenario file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: Topic = "inverter"
    """First levels of its topics."""
    name: Topic
    """Name of the inverter, the level that follows."""

    @property
    def address(self) -> tuple[object, ...]:
        """See `TasmotaOptions.address`."""
        return self.base, self.name

    @property
    def meter(self) -> tuple[MeterValue, ...]:
        """See `OpenDtuOptions.meter`; it may publish all values as one object."""
        all_values, names = f"{self.base}/{self.name}/ch0", ("P_AC", "YieldDay", "YieldTotal")
        alone = tuple(MeterValue(f"{all_values}/{name}") for name in names)
        return *alone, *(MeterValue(all_values, (name,)) for name in names)

    @property
    def switching_messages(self) -> tuple[SwitchingMessage, ...]:
        """See `OpenDtuOptions.switching_messages`."""
        return ()


class Inverter:
    """See `Adapter`: power, an energy counter that restarts each day, and whether inverter and bridge are online."""

    is_switched = False
    largest_bytes = MAX_PAYLOAD_BYTES
    longest_timer_s: int | None = None

    def __init__(
        self,
        power: str,
        counter: str,
        *availability: str,
        online: frozenset[str] = _ONLINE,
        offline: frozenset[str] = _OFFLINE,
        together: str = "",
    ) -> None:
        """Create an adapter.

        Args:
            power: Topic of the power, W.
            counter: Topic of the day's energy, Wh.
            availability: Topics of the inverter and of its bridge: it is online while none of them says otherwise.
            online: What these say then.
            offline: What they say otherwise.
            together: Topic of a JSON object with power and counter, under the last levels of their topics; empty: none.
        """
        self._power, self._counter = power, counter
        self._availability = availability
        self._online, self._offline = online, offline
        self._together = together
        self._is_there: dict[str, bool] = {}
        self._was_online: bool | None = None

    @classmethod
    def open_dtu(cls, _gateway: Gateway, options: OpenDtuOptions) -> Inverter:
        """Return the adapter of an inverter behind OpenDTU."""
        own = f"{options.base}/{options.serial}"
        topics = (f"{own}/0/power", f"{own}/0/yieldday", f"{own}/status/reachable", f"{options.base}/dtu/status")
        return cls(*topics)

    @classmethod
    def ahoy_dtu(cls, _gateway: Gateway, options: AhoyDtuOptions) -> Inverter:
        """Return the adapter of an inverter behind AhoyDTU, whose last will is on another topic than its `status`."""
        own, bridge = f"{options.base}/{options.name}", (f"{options.base}/status", f"{options.base}/mqtt")
        topics = (f"{own}/ch0/P_AC", f"{own}/ch0/YieldDay", f"{own}/available", *bridge)
        online, offline = _ONLINE | {"2", "3", "4", "connected"}, _OFFLINE | {"not connected"}
        return cls(*topics, online=online, offline=offline, together=f"{own}/ch0")

    def filters(self) -> Sequence[str]:
        """See `Adapter.filters`."""
        topics = [self._power, self._counter, *self._availability]
        return [*topics, self._together] if self._together else topics

    def concerns(self, topic: str, payload: bytes) -> bool:
        """See `Adapter.concerns`."""
        del payload
        return topic in self.filters()

    def writes(self) -> Sequence[str]:
        """See `Adapter.writes`."""
        return []

    def on_connect(self) -> Sequence[OutgoingMessage]:
        """See `Adapter.on_connect`: inverters report by themselves."""
        return []

    def new_questions(self) -> Sequence[OutgoingMessage]:
        """See `Adapter.new_questions`; it can be asked from the beginning."""
        return []

    def take(self, topic: str, payload: bytes, *, retained: bool) -> Sequence[DeviceEvent]:
        """See `Adapter.take`; of the retained messages, only those on availability are used.

        The broker may have kept a counter for days: what it has counted since then is not of this run.
        """
        text = text_of(payload)
        if not text or (retained and topic not in self._availability):
            return []
        if topic in self._availability:
            if text.lower() not in self._online | self._offline:
                raise MessageError(
                    f"availability {text[:40]!r}", f"one of: {', '.join(sorted(self._online | self._offline))}"
                )
            self._is_there[topic] = text.lower() in self._online
            is_online = all(self._is_there.values())
            if is_online == self._was_online:
                return []
            self._was_online = is_online
            return [Availability(online=is_online)]
        if topic == self._together:
            said = json_of(payload)
            power, counter = (said.get(key.rpartition("/")[2]) for key in (self._power, self._counter))
            report = Reported(
                power_w=number_of(power, "W", "power"), counter_wh=number_of(counter, "Wh", "the day's energy")
            )
            return [] if report == Reported() else [report]
        if topic == self._power:
            return [Reported(power_w=number_of(text, "W", "power"))]
        return [Reported(counter_wh=number_of(text, "Wh", "the day's energy"))]

    def command(self, command: DeviceCommand) -> Sequence[OutgoingMessage]:
        """See `Adapter.command`: an inverter is not commanded."""
        del command
        return []
