"""Shelly devices of generation 2 and later: RPC, notifications and status topics under the device's prefix."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agents import Availability, CommandRefused, DeviceCommand, DeviceEvent, Reported
from broker.transport import MAX_PAYLOAD_BYTES
from scenarios.devices.adapter import MessageError, OutgoingMessage
from scenarios.devices.adapters.message_checks import MessageOrder, MessageSender, unix_s_of
from scenarios.devices.adapters.values import MeterValue, SwitchingMessage, Topic, either, json_of, number_of, text_of
from scenarios.gateways import Gateway

MAX_TIMER_S = 14 * 86_400
"""Longest time for which its timer is set: milliseconds that 31 bits hold."""


class ShellyOptions(BaseModel):
    """Keys of a Shelly in the scenario file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prefix: Topic
    """Its topic prefix; by default of the device, its id."""
    channel: int = Field(0, ge=0, le=15)
    """Number of the switch, from 0."""

    @property
    def address(self) -> tuple[object, ...]:
        """See `TasmotaOptions.address`."""
        return self.prefix, self.channel

    @property
    def meter(self) -> tuple[MeterValue, ...]:
        """See `TasmotaOptions.meter`."""
        component = f"switch:{self.channel}"
        status = MeterValue(f"{self.prefix}/status/{component}")
        return status, MeterValue(f"{self.prefix}/events/rpc", ("params", component))

    @property
    def switching_messages(self) -> tuple[SwitchingMessage, ...]:
        """See `TasmotaOptions.switching_messages`; a call names the switch in its parameters."""
        call = rf'"params".*"id"\s*:\s*{self.channel}\b'
        command = SwitchingMessage(f"{self.prefix}/command/switch:{self.channel}")
        return command, SwitchingMessage(f"{self.prefix}/rpc", call)


class Shelly:
    """See `Adapter`."""

    is_switched = True
    largest_bytes = MAX_PAYLOAD_BYTES
    longest_timer_s: int | None = MAX_TIMER_S

    def __init__(self, gateway: Gateway, options: ShellyOptions) -> None:
        """Create the adapter of a device."""
        self.is_switched = gateway.type == "consumer"
        self._prefix = options.prefix
        self._channel = options.channel
        self._component = f"switch:{options.channel}"
        # It answers on a topic of that name; devices of other runs may have the same id.
        whose = hashlib.sha256(options.prefix.encode()).hexdigest()[:6]
        self._source = f"ssmic-{gateway.id}-{whose}".replace("/", "-").replace("+", "-").replace("#", "-")
        self._produces = gateway.type == "producer"
        self._returns = False
        """Whether it has counted energy that flows back through it."""
        self._must_be_asked = False
        """Whether it has come online since it was last asked for its state."""
        self._sender = MessageSender("src")
        self._notified = {name: MessageOrder() for name in ("output", "apower", "aenergy", "ret_aenergy")}
        self._calls = 0
        self._asked: dict[int, bool | None] = {}
        """By call, what the switch is once it is answered; None: it was asked for its status."""

    def filters(self) -> Sequence[str]:
        """See `Adapter.filters`."""
        own = ("online", "events/rpc", f"status/{self._component}")
        return [*(f"{self._prefix}/{name}" for name in own), f"{self._source}/rpc"]

    def concerns(self, topic: str, payload: bytes) -> bool:
        """See `Adapter.concerns`."""
        self._must_be_asked |= topic == f"{self._prefix}/online" and text_of(payload).casefold() == "true"
        return topic in self.filters()

    def writes(self) -> Sequence[str]:
        """See `Adapter.writes`."""
        return [f"{self._prefix}/rpc", f"{self._prefix}/command"]

    def on_connect(self) -> Sequence[OutgoingMessage]:
        """See `Adapter.on_connect`."""
        self._must_be_asked = False
        return [
            self._call("Switch.GetStatus", {"id": self._channel}, None),
            OutgoingMessage(f"{self._prefix}/command", b"status_update"),
        ]

    def _call(self, method: str, params: dict[str, Any], is_on: bool | None) -> OutgoingMessage:  # noqa: FBT001 - a state
        self._calls += 1
        self._asked[self._calls] = is_on
        call = {"id": self._calls, "src": self._source, "method": method, "params": params}
        return OutgoingMessage(f"{self._prefix}/rpc", json.dumps(call).encode())

    def new_questions(self) -> Sequence[OutgoingMessage]:
        """See `Adapter.new_questions`; it reports changes only, and what changed while it was away is not known."""
        return self.on_connect() if self._must_be_asked else []

    def take(self, topic: str, payload: bytes, *, retained: bool) -> Sequence[DeviceEvent]:
        """See `Adapter.take`."""
        if topic == f"{self._prefix}/online":
            return [Availability(online=either(text_of(payload), "true", "false", "availability"))] if payload else []
        if retained:
            return []
        said = json_of(payload)
        if topic == f"{self._source}/rpc":
            return self._answered(said)
        if topic == f"{self._prefix}/events/rpc":
            params = said.get("params")
            status = params.get(self._component) if isinstance(params, dict) else None
            if not isinstance(params, dict) or not isinstance(status, dict):
                return []
            self._sender.check(said.get("src"))
            return self._status(self._newest(status, unix_s_of(params.get("ts"))))
        return self._status(said)

    def _newest(self, status: dict[str, Any], at_s: float | None) -> dict[str, Any]:
        """Return those values of a notification of which none has been notified that is newer.

        Raises:
            MessageError: There are none: the notification arrives late.
        """
        newest, late = dict(status), None
        for name, order in self._notified.items():
            if name in status:
                try:
                    order.check(at_s)
                except MessageError as error:
                    late = error
                    del newest[name]
        if late is not None and not newest.keys() & self._notified.keys():
            raise late
        return newest

    def _answered(self, said: dict[str, Any]) -> Sequence[DeviceEvent]:
        number = said.get("id")
        if not isinstance(number, int) or number not in self._asked:
            return []
        self._sender.check(said.get("src"))
        is_on = self._asked.pop(number)
        error = said.get("error")
        if isinstance(error, dict):
            problem = f"{error.get('code')}: {error.get('message')}"
            if is_on is None:
                raise MessageError(problem, "the status of the switch")
            return [CommandRefused(problem=problem)]
        if is_on is not None:
            return [Reported(is_on=is_on)]
        result = said.get("result")
        return self._status(result) if isinstance(result, dict) else []

    def _status(self, status: dict[str, Any]) -> Sequence[DeviceEvent]:
        output, power_w = status.get("output"), number_of(status.get("apower"), "W", "apower")
        drawn_wh, returned_wh = _total_wh(status, "aenergy"), _total_wh(status, "ret_aenergy")
        # A meter that counts both ways says of a roof what it returns, as negative power; at night the inverter draws.
        self._returns |= self._produces and ((returned_wh or 0.0) > 0 or (power_w or 0.0) < 0)
        if power_w is not None:
            power_w = max(0.0, -power_w) if self._returns else abs(power_w)
        report = Reported(
            is_on=None if output is None else either(output, "true", "false", "output"),
            power_w=power_w,
            counter_wh=returned_wh if self._returns else drawn_wh,
        )
        return [] if report == Reported() else [report]

    def command(self, command: DeviceCommand) -> Sequence[OutgoingMessage]:
        """See `Adapter.command`; `toggle_after` ends a run if no command does."""
        is_on = command.command != "stop"
        params: dict[str, Any] = {"id": self._channel, "on": is_on}
        if is_on and command.run_s:
            params["toggle_after"] = min(command.run_s, MAX_TIMER_S)
        return [self._call("Switch.Set", params, is_on)]


def _total_wh(status: dict[str, Any], name: str) -> float | None:
    """Return the counter of this name, Wh; None: it is not there."""
    energy = status.get(name)
    if energy is None:
        return None
    if not isinstance(energy, dict):
        raise MessageError(f"{name} {str(energy)[:40]!r}", "an object with total, Wh")
    return number_of(energy.get("total"), "Wh", f"{name}.total")
