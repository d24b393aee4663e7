"""S2 (EN 50491-12-2) on the topics of a device: power profile based control, in the JSON of s2-python.

The MQTT binding is specific to ssmic (`docs/devices.md`). A message is wrapped with the virtual time, as in
FlexMeasures: `{"message": {...}, "metadata": {"dt": "2026-06-21T06:00:00Z"}}`. As in S2, consumption is positive and
production negative.
"""

from __future__ import annotations

import codecs
import json
import math
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ValidationError
from s2python.common import (
    InstructionStatusUpdate,
    PowerForecast,
    PowerForecastValue,
    PowerMeasurement,
    PowerValue,
    ReceptionStatus,
    ResourceManagerDetails,
    RevokeObject,
)
from s2python.generated.gen_s2 import (
    Commodity,
    CommodityQuantity,
    ControlType,
    InstructionStatus,
    PPBCPowerSequenceStatus,
    ReceptionStatusValues,
    RevokableObjects,
    RoleType,
)
from s2python.ppbc import (
    PPBCPowerProfileDefinition,
    PPBCPowerProfileStatus,
    PPBCPowerSequence,
    PPBCPowerSequenceContainer,
    PPBCScheduleInstruction,
)
from s2python.s2_validation_error import S2ValidationError

from agents import (
    Announced,
    CommandRefused,
    DeviceCommand,
    DeviceEvent,
    Forecasted,
    JobAsked,
    JobState,
    JobTakenBack,
    LoadProfile,
    Production,
    Reported,
)
from broker.protocol import first_problem
from scenarios.devices.adapter import Guest, MessageError
from scenarios.devices.device_times import check_ahead, check_clock
from scenarios.devices.notices import S2Envelope
from scenarios.devices.payloads import (
    MAX_BYTES,
    MAX_DURATION_S,
    MAX_FORECAST_S,
    MAX_POWER_W,
    check_name,
    is_s2,
    plausible,
)
from scenarios.gateways import Gateway

_WRAPPER = 'an S2 message as {"message": {...}, "metadata": {"dt": "..."}}'
_TAKEN: Mapping[str, tuple[type[BaseModel], ...]] = {
    "announce": (ResourceManagerDetails,),
    "request": (PPBCPowerProfileDefinition,),
    "withdraw": (RevokeObject,),
    "report": (PPBCPowerProfileStatus, PowerMeasurement, InstructionStatusUpdate),
    "forecast": (PowerForecast,),
}
"""Messages that are taken, by the last level of the topic."""
_AS_IN_S2 = "as in S2 1.0"
_SYMMETRIC = CommodityQuantity.ELECTRIC_POWER_3_PHASE_SYMMETRIC
_PHASES = frozenset(
    {
        CommodityQuantity.ELECTRIC_POWER_L1,
        CommodityQuantity.ELECTRIC_POWER_L2,
        CommodityQuantity.ELECTRIC_POWER_L3,
    }
)
_ROLES: Mapping[Literal["consumer", "producer"], RoleType] = {
    "consumer": RoleType.ENERGY_CONSUMER,
    "producer": RoleType.ENERGY_PRODUCER,
}
_IDS = uuid.UUID("1f6d7c1e-8a52-5d0b-9f0a-4f2d1f3f6a52")
"""Namespace of the ids in our own messages, which are the same whenever a run is repeated."""


class S2Language:
    """The language of a resource manager (`Language`)."""

    def __init__(self, gateway: Gateway) -> None:
        """Create the language of a device."""
        self._type = gateway.type
        self._house = gateway.house
        self._device = gateway.id

    def speaks(self, payload: bytes) -> bool:
        """See `Language.speaks`: a person may still request a job of the device in our own form."""
        return is_s2(payload)

    def message_id(self, payload: bytes) -> str:
        """See `Language.message_id`."""
        try:
            return str(uuid.UUID(_envelope(payload).message["message_id"]))
        except (MessageError, KeyError, ValueError, AttributeError, TypeError):
            return ""

    def answer(self, message_id: str, error: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `Language.answer`: a ReceptionStatus, wrapped as every message."""
        is_malformed = str(error["expected"]).endswith(_AS_IN_S2)
        status = ReceptionStatus(
            subject_message_id=uuid.UUID(message_id),
            status=ReceptionStatusValues.INVALID_MESSAGE if is_malformed else ReceptionStatusValues.INVALID_CONTENT,
            diagnostic_label=f"{error['problem']}; expected: {error['expected']}",
        )
        return {"message": json.loads(status.to_json()), "metadata": {"dt": _iso(int(error["time"]))}}

    def events_of(self, part: str, payload: bytes, now_s: int) -> Sequence[DeviceEvent]:
        """See `Language.events_of`."""
        envelope = _envelope(payload)
        if envelope.metadata.dt is not None:
            check_clock("dt", envelope.metadata.dt.timestamp(), now_s)
        if envelope.metadata.house not in {None, self._house}:
            expected = f"{self._house!r}, to which the device belongs"
            raise MessageError(f"metadata.house {envelope.metadata.house!r}", expected)
        events: Sequence[DeviceEvent] = [Reported()]
        match _message(part, envelope.message):
            case ResourceManagerDetails() as details:
                events = [self._announced(details)]
            case PPBCPowerProfileDefinition() as definition:
                events = [_asked(definition, now_s)]
            case RevokeObject() as revoked:
                events = [_taken_back(revoked)]
            case PPBCPowerProfileStatus() as status:
                events = _states(status)
            case PowerMeasurement() as measurement:
                check_clock("measurement_timestamp", measurement.measurement_timestamp.timestamp(), now_s)
                events = [Reported(power_w=self._measured_w(measurement))]
            case InstructionStatusUpdate(status_type=InstructionStatus.REJECTED, instruction_id=instruction):
                events = [CommandRefused(problem=f"instruction {instruction} was rejected")]
            case PowerForecast() as forecast:
                events = [_forecasted(forecast, now_s)]
        return events

    def _announced(self, details: ResourceManagerDetails) -> DeviceEvent:
        roles = {role.role for role in details.roles if role.commodity == Commodity.ELECTRICITY}
        wanted = _ROLES[self._type]
        if wanted not in roles:
            raise MessageError(f"roles {_names(roles)}", f"{wanted.value} of {Commodity.ELECTRICITY.value}")
        controls = details.available_control_types
        if self._type == "consumer" and ControlType.POWER_PROFILE_BASED_CONTROL not in controls:
            expected = ControlType.POWER_PROFILE_BASED_CONTROL.value
            raise MessageError(f"available_control_types {_names(controls)}", expected)
        name = (details.name or "")[:200]
        check_name(name)
        return Announced(type=self._type, name=name)

    def _measured_w(self, measurement: PowerMeasurement) -> float:
        power_w = _electric_w(measurement.values, "values")
        if self._type == "producer":
            return max(0.0, -power_w)
        if power_w < 0:
            raise MessageError(f"power of {power_w:g} W", "0 W or more: in S2 consumption is positive")
        return power_w

    def commands(self, command: DeviceCommand) -> Sequence[bytes]:
        """See `Language.commands`: an instruction for each container of the power profile."""
        if not command.reference:
            return []
        payloads = []
        for container, sequence, after_ms in json.loads(command.reference):
            name = f"{self._device}/{command.job}/{container}"
            instruction = PPBCScheduleInstruction(
                message_id=uuid.uuid5(_IDS, f"{name}/{command.attempt}/{command.time_s}"),
                id=uuid.uuid5(_IDS, name),
                power_profile_id=uuid.UUID(command.job),
                sequence_container_id=uuid.UUID(container),
                power_sequence_id=uuid.UUID(sequence),
                execution_time=_at(command.time_s + after_ms / 1000),
                abnormal_condition=False,
            )
            metadata = f'{{"dt":"{_iso(command.time_s)}"}}'
            payloads.append(f'{{"message":{instruction.to_json()},"metadata":{metadata}}}'.encode())
        return payloads


def guest(payload: bytes) -> Guest:
    """Return what the announcement of a resource manager says that is not in the scenario.

    Raises:
        MessageError: It is not as it should be, or of both a consumer and a producer.
    """
    envelope = _envelope(payload)
    details = _message("announce", envelope.message)
    assert isinstance(details, ResourceManagerDetails)  # noqa: S101 - nothing else is an announcement
    roles = {role.role for role in details.roles if role.commodity == Commodity.ELECTRICITY}
    kinds = [kind for kind, role in _ROLES.items() if role in roles]
    if len(kinds) != 1:
        raise MessageError(
            f"roles {_names(roles)}", f"one of {_names(_ROLES.values())}, of {Commodity.ELECTRICITY.value}"
        )
    return Guest(envelope.metadata.house or "", kinds[0], "s2")


def _at(time_s: float) -> datetime:
    return datetime.fromtimestamp(time_s, UTC)


def _iso(time_s: int) -> str:
    return _at(time_s).strftime("%Y-%m-%dT%H:%M:%SZ")


def _names(values: Iterable[Any]) -> str:
    return ", ".join(sorted(value.value for value in values)) or "none"


def _envelope(payload: bytes) -> S2Envelope:
    if len(payload) > MAX_BYTES:
        raise MessageError(f"{len(payload)} bytes", f"at most {MAX_BYTES}")
    try:
        return S2Envelope.model_validate_json(payload.removeprefix(codecs.BOM_UTF8))
    except ValidationError as error:
        raise MessageError(first_problem(error), _WRAPPER) from None


def _message(part: str, content: dict[str, Any]) -> BaseModel:
    """Return a message of S2, as the library validates it.

    Raises:
        MessageError: The message is invalid, or does not belong on this topic.
    """
    if part not in _TAKEN:
        raise MessageError("an S2 message", "online or offline")
    by_type = {kind.model_fields["message_type"].default: kind for kind in _TAKEN[part]}
    said = content.get("message_type")
    kind = by_type.get(said) if isinstance(said, str) else None
    if kind is None:
        raise MessageError(f"message_type {str(said)[:60]!r}", f"one of: {', '.join(by_type)}")
    try:
        return kind.model_validate(_without_progress(content) if kind is PPBCPowerProfileStatus else content)
    except ValidationError as error:
        raise MessageError(first_problem(error), f"{said} {_AS_IN_S2}") from None
    except S2ValidationError as error:
        raise MessageError(str(error.msg), f"{said} {_AS_IN_S2}") from None


def _without_progress(content: dict[str, Any]) -> dict[str, Any]:
    """Return a status without the durations since its sequences' starts, which s2-python 0.11 takes for UUIDs.

    Raises:
        MessageError: One is not a duration.
    """
    containers = content.get("sequence_container_status")
    if not isinstance(containers, list):
        return content
    kept = []
    for container in containers:
        progress = container.get("progress") if isinstance(container, dict) else None
        if isinstance(progress, int) and not isinstance(progress, bool):
            if progress < 0:
                raise MessageError(f"progress {progress}", "a duration in ms")
            container = {key: value for key, value in container.items() if key != "progress"}  # noqa: PLW2901 - the same container, without a key
        kept.append(container)
    return {**content, "sequence_container_status": kept}


def _electric_w(values: Sequence[PowerValue] | Sequence[PowerForecastValue], where: str) -> float:
    """Return the electric power in a list of values, W: the three phases added up, or their sum.

    Raises:
        MessageError: There is none, or more than one.
    """
    found: dict[CommodityQuantity, float] = {}
    for value in values:
        quantity = CommodityQuantity(value.commodity_quantity)
        if quantity in found:
            raise MessageError(f"{where}: {quantity.value} twice", "each commodity_quantity once")
        found[quantity] = value.value_expected if isinstance(value, PowerForecastValue) else value.value
    electric = {quantity: watts for quantity, watts in found.items() if quantity in {*_PHASES, _SYMMETRIC}}
    if not electric or (_SYMMETRIC in electric and len(electric) > 1):
        expected = f"{_SYMMETRIC.value}, or some of {_names(_PHASES)}"
        raise MessageError(f"{where}: {_names(found)}", expected)
    power_w = sum(electric.values())
    if not math.isfinite(power_w) or abs(power_w) > MAX_POWER_W:
        raise MessageError(f"{where}: {power_w:g} W", f"at most {MAX_POWER_W:g} W")
    return power_w


def _cumulative(
    start_s: int, steps: Iterable[tuple[int, float]], most_s: int, where: str
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return times and energies of steps in ms and W, at whole seconds.

    Raises:
        MessageError: They last too long, or less than a second.
    """
    at_ms, energy_wh = 0, 0.0
    times_s, energies_wh = [start_s], [0.0]
    for duration_ms, power_w in steps:
        at_ms += duration_ms
        if at_ms > most_s * 1000:
            raise MessageError(f"{where} last too long", f"at most {most_s} s")
        energy_wh += power_w * duration_ms / 3_600_000
        time_s = start_s + (at_ms + 500) // 1000
        if time_s > times_s[-1]:
            times_s.append(time_s)
            energies_wh.append(energy_wh)
        elif len(times_s) > 1:
            energies_wh[-1] = energy_wh
    if len(times_s) < 2:
        raise MessageError(f"{where} last {at_ms} ms", "at least a second")
    return tuple(times_s), tuple(energies_wh)


def _asked(definition: PPBCPowerProfileDefinition, now_s: int) -> JobAsked:
    start_s, end_s = int(definition.start_time.timestamp()), int(definition.end_time.timestamp())
    check_ahead("start_time", start_s, now_s)
    check_ahead("end_time", end_s, now_s)
    containers = [str(container.id) for container in definition.power_sequences_containers]
    if len(set(containers)) < len(containers):
        twice = next(container for container in containers if containers.count(container) > 1)
        raise MessageError(f"container {twice} twice", "each container once")
    steps: list[tuple[int, float]] = []
    parts: list[tuple[str, str, int]] = []
    for container, sequence in _chosen(definition, end_s - max(start_s, now_s)):
        parts.append((str(container.id), str(sequence.id), sum(duration_ms for duration_ms, _ in steps)))
        steps += _steps(sequence)
    times_s, energies_wh = _cumulative(0, steps, MAX_DURATION_S, "the sequences")
    return JobAsked(
        id=str(definition.id),
        load=LoadProfile(times_s=times_s, cumulative_wh=energies_wh),
        earliest_start_s=max(0, start_s),
        ready_by_s=max(0, end_s),
        reference=json.dumps(parts, separators=(",", ":")),
    )


def _chosen(
    definition: PPBCPowerProfileDefinition, window_s: int
) -> list[tuple[PPBCPowerSequenceContainer, PPBCPowerSequence]]:
    """Return each container with its sequence that needs least energy, or with the shortest one if time is too short.

    Args:
        definition: The power profile.
        window_s: How long it may take, seconds.
    """
    least, shortest = [], []
    for container in definition.power_sequences_containers:
        normal = [sequence for sequence in container.power_sequences if not sequence.abnormal_condition_only]
        if not normal:
            raise MessageError(
                f"container {container.id} is for abnormal conditions only", "a sequence for normal ones"
            )
        least.append((container, min(normal, key=_energy_w_ms)))
        shortest.append((container, min(normal, key=lambda sequence: (_duration_ms(sequence), _energy_w_ms(sequence)))))
    fits = sum(_duration_ms(sequence) for _, sequence in least) <= 1000 * window_s
    return least if fits else shortest


def _duration_ms(sequence: PPBCPowerSequence) -> int:
    return sum(duration_ms for duration_ms, _ in _steps(sequence))


def _energy_w_ms(sequence: PPBCPowerSequence) -> float:
    return sum(duration_ms * power_w for duration_ms, power_w in _steps(sequence))


def _steps(sequence: PPBCPowerSequence) -> list[tuple[int, float]]:
    """Return durations in ms and powers in W."""
    steps = []
    for element in sequence.elements:
        power_w = _electric_w(element.power_values, "power_values")
        if power_w < 0:
            raise MessageError(f"power_values: {power_w:g} W", "0 W or more: in S2 consumption is positive")
        duration_ms = int(element.duration.root)
        if duration_ms > MAX_DURATION_S * 1000:
            raise MessageError("an element lasts too long", f"at most {MAX_DURATION_S} s")
        steps.append((duration_ms, power_w))
    return steps


def _taken_back(revoked: RevokeObject) -> JobTakenBack:
    wanted = RevokableObjects.PPBC_PowerProfileDefinition
    if revoked.object_type != wanted:
        raise MessageError(f"object_type {revoked.object_type.value}", wanted.value)
    return JobTakenBack(id=str(uuid.UUID(str(_plain_id(revoked.object_id)))))


def _plain_id(value: Any) -> Any:  # noqa: ANN401 - the library has ids of two kinds
    return getattr(value, "root", value)


def _states(status: PPBCPowerProfileStatus) -> list[DeviceEvent]:
    """Return the state of each power profile, from those of its containers."""
    by_profile: dict[str, list[PPBCPowerSequenceStatus]] = {}
    for container in status.sequence_container_status:
        by_profile.setdefault(str(container.power_profile_id), []).append(container.status)
    return [Reported(job=profile, state=_state(states)) for profile, states in by_profile.items()]


def _state(states: Sequence[PPBCPowerSequenceStatus]) -> JobState | None:
    """Return the state of a profile; None while it has not started. One between two sequences is executing."""
    known = PPBCPowerSequenceStatus
    if known.ABORTED in states:
        return "ABORTED"
    if known.INTERRUPTED in states:
        return "INTERRUPTED"
    if all(state == known.FINISHED for state in states):
        return "FINISHED"
    return "EXECUTING" if {known.EXECUTING, known.FINISHED} & set(states) else None


def _forecasted(forecast: PowerForecast, now_s: int) -> Forecasted:
    steps = [
        (int(element.duration.root), max(0.0, -_electric_w(element.power_values, "power_values")))
        for element in forecast.elements
    ]
    start_s = int(forecast.start_time.timestamp())
    times_s, energies_wh = _cumulative(start_s, steps, 2 * MAX_FORECAST_S, "the elements")
    return Forecasted(production=plausible(Production(times_s=times_s, cumulative_wh=energies_wh), now_s))
