"""A resource manager that uses S2 (EN 50491-12-2) on our topics, with messages of the s2-python library."""

from __future__ import annotations

import codecs
import copy
import json
import sys
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from s2python.common import (
    InstructionStatusUpdate,
    PowerForecast,
    PowerForecastElement,
    PowerForecastValue,
    PowerMeasurement,
    PowerValue,
    ResourceManagerDetails,
    RevokeObject,
    Role,
)
from s2python.generated.gen_s2 import (
    Commodity,
    CommodityQuantity,
    ControlType,
    InstructionStatus,
    PPBCPowerSequenceStatus,
    RevokableObjects,
    RoleType,
)
from s2python.ppbc import (
    PPBCPowerProfileDefinition,
    PPBCPowerProfileStatus,
    PPBCPowerSequence,
    PPBCPowerSequenceContainer,
    PPBCPowerSequenceContainerStatus,
    PPBCPowerSequenceElement,
    PPBCScheduleInstruction,
)

from agents.device_events import CommandRefused, DeviceCommand, Forecasted, JobAsked, JobTakenBack, Reported
from broker.servers.mosquitto import find_mosquitto
from scenarios.devices.adapter import MessageError, MissingLibraryError
from scenarios.devices.adapters import language_for
from scenarios.devices.s2 import S2Language
from scenarios.devices.scan import FoundDevice, found_in
from scenarios.gateways import Gateway
from scenarios.simulation.replay import read_recording
from scenarios.simulation.simulation import open_simulation
from tests.scenarios.devices.session import RUN, STREET, Device, session
from tests.scenarios.devices.test_gateway import WASHER, job_state
from tests.scenarios.devices.test_hostile import NONSENSE, VALUES

NOW_S = 1_782_021_600
ROOF = f"ssmic/{RUN}/devices/roof"
L1 = CommodityQuantity.ELECTRIC_POWER_L1
EVERY_PHASE = CommodityQuantity.ELECTRIC_POWER_3_PHASE_SYMMETRIC
S2_STREET = STREET.replace("gateway: {answer_s: 3600}", "gateway: {adapter: s2, answer_s: 3600}").replace(
    "jobs:\n", "  - id: celik\n    devices: [{id: roof, type: producer, gateway: {adapter: s2}}]\njobs:\n"
)


def at(time_s: float) -> datetime:
    """Return a time as S2 has it."""
    return datetime.fromtimestamp(time_s, UTC)


def wrapped(message: Any, time_s: float = NOW_S) -> dict[str, Any]:
    """Return a message of the library in its wrapper."""
    return {"message": json.loads(message.to_json()), "metadata": {"dt": at(time_s).isoformat()}}


def details(role: RoleType, control: ControlType) -> ResourceManagerDetails:
    """Return what a resource manager says of itself."""
    return ResourceManagerDetails(
        message_id=uuid.uuid4(),
        resource_id=uuid.uuid4(),
        name="Miele",
        roles=[Role(role=role, commodity=Commodity.ELECTRICITY)],
        instruction_processing_delay=0,
        available_control_types=[control],
        provides_forecast=True,
        provides_power_measurement_types=[L1],
    )


def element(duration_s: float, power_w: float, quantity: CommodityQuantity = L1) -> PPBCPowerSequenceElement:
    """Return an element of a power sequence."""
    value = PowerForecastValue(value_expected=power_w, commodity_quantity=quantity)
    return PPBCPowerSequenceElement(duration=round(duration_s * 1000), power_values=[value])


def sequence(*elements: PPBCPowerSequenceElement, abnormal: bool = False) -> PPBCPowerSequence:
    """Return a power sequence."""
    return PPBCPowerSequence(
        id=uuid.uuid4(), elements=list(elements), is_interruptible=False, abnormal_condition_only=abnormal
    )


def definition(start_s: float, end_s: float, *containers: list[PPBCPowerSequence]) -> PPBCPowerProfileDefinition:
    """Return a power profile, each container by its alternatives."""
    return PPBCPowerProfileDefinition(
        message_id=uuid.uuid4(),
        id=uuid.uuid4(),
        start_time=at(start_s),
        end_time=at(end_s),
        power_sequences_containers=[
            PPBCPowerSequenceContainer(id=uuid.uuid4(), power_sequences=sequences) for sequences in containers
        ],
    )


def status(profile: PPBCPowerProfileDefinition, *states: str) -> PPBCPowerProfileStatus:
    """Return the states of a profile's containers."""
    containers = zip(profile.power_sequences_containers, states, strict=True)
    return PPBCPowerProfileStatus(
        message_id=uuid.uuid4(),
        sequence_container_status=[
            PPBCPowerSequenceContainerStatus(
                power_profile_id=profile.id,
                sequence_container_id=container.id,
                selected_sequence_id=container.power_sequences[0].id,
                progress=None,
                status=PPBCPowerSequenceStatus(state),
            )
            for container, state in containers
        ],
    )


def measured(power_w: float, time_s: float = NOW_S, quantity: CommodityQuantity = L1) -> PowerMeasurement:
    """Return a measurement; consumption is positive."""
    return PowerMeasurement(
        message_id=uuid.uuid4(),
        measurement_timestamp=at(time_s),
        values=[PowerValue(commodity_quantity=quantity, value=power_w)],
    )


def forecast(start_s: float, *powers_w: float) -> PowerForecast:
    """Return a forecast by the hour; production is negative."""
    return PowerForecast(
        message_id=uuid.uuid4(),
        start_time=at(start_s),
        elements=[
            PowerForecastElement(
                duration=3_600_000,
                power_values=[PowerForecastValue(value_expected=power_w, commodity_quantity=EVERY_PHASE)],
            )
            for power_w in powers_w
        ],
    )


def resource_manager(kind: Any = "consumer") -> S2Language:
    """Return the reader of a device's messages."""
    return S2Language(Gateway(id="d", house="adler", device="d", type=kind, agent="adler/d", adapter="s2"))


def understood(part: str, message: Any, kind: str = "consumer") -> Any:
    """Return the only event in a message."""
    (event,) = resource_manager(kind).events_of(part, json.dumps(wrapped(message)).encode(), NOW_S)
    return event


HOUR = timedelta(hours=1).total_seconds()
ONE = [sequence(element(60, 1))]


@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
async def test_a_washer_and_a_roof_speak_s2_from_announcement_to_finished(tmp_path: Path) -> None:
    """Definition, instruction for each container, status, measurement and forecast; the session replays."""
    async with session(tmp_path, S2_STREET, pace=60.0) as run, run.device(f"{WASHER}/#", f"{ROOF}/#") as device:
        now_s = int(device.on("state")[0]["time"]) if device.on("state") else NOW_S

        def say(topic: str, message: Any, *, retain: bool = False) -> None:
            device.say(topic, wrapped(message, now_s), retain=retain)

        producer = details(RoleType.ENERGY_PRODUCER, ControlType.NOT_CONTROLABLE)
        say(f"{ROOF}/announce", producer, retain=True)
        say(f"{ROOF}/forecast", forecast(now_s, *[-3000.0] * 24))
        consumer = details(RoleType.ENERGY_CONSUMER, ControlType.POWER_PROFILE_BASED_CONTROL)
        say(f"{WASHER}/announce", consumer, retain=True)
        wash, spin = [sequence(element(600, 2000))], [sequence(element(300, 500))]
        profile = definition(now_s, now_s + 20 * 3600, wash, spin)
        say(f"{WASHER}/request", profile)
        # Commands overtake what else waits to be published, so the job's state may come after them.
        await device.until(lambda: len(device.on("set")) >= 2 and job_state(device) == "SCHEDULED")
        first, second = (PPBCScheduleInstruction.from_dict(one["message"]) for one in device.on("set")[:2])
        job = device.on("job")[-1]
        assert job["id"] == str(profile.id)
        assert job["energy_wh"] == pytest.approx(2000 / 6 + 500 / 12, abs=0.001)
        assert datetime.fromisoformat(device.on("set")[0]["metadata"]["dt"]) == at(job["start"])
        assert (first.execution_time, second.execution_time) == (at(job["start"]), at(job["start"] + 600))
        for instruction, container in zip((first, second), profile.power_sequences_containers, strict=True):
            assert instruction.power_profile_id == profile.id
            assert instruction.sequence_container_id == container.id
            assert instruction.power_sequence_id == container.power_sequences[0].id
        now_s = int(job["start"])
        say(f"{WASHER}/report", status(profile, "EXECUTING", "SCHEDULED"))
        say(f"{WASHER}/report", measured(1990, now_s))
        say(f"{ROOF}/report", measured(-2800, now_s))
        await device.until(lambda: is_seen(device, "washer", 1990.0) and is_seen(device, "roof", 2800.0))
        say(f"{WASHER}/report", status(profile, "FINISHED", "EXECUTING"))
        say(f"{WASHER}/report", status(profile, "FINISHED", "FINISHED"))
        await device.until(lambda: job_state(device) == "FINISHED")
        states = [one["state"] for one in device.on("job")]
        assert list(dict.fromkeys(states)) == ["NOT_SCHEDULED", "SCHEDULED", "EXECUTING", "FINISHED"]
        assert device.on("job")[-1]["outcome"] == "on_time"
        say(f"{WASHER}/report", measured(-5, now_s))
        error = (await device.until(lambda: device.on("error")))[0]
        assert (error["topic"], "positive" in error["expected"]) == ("report", True)
        outcome = await run.stop()
    entry = next(entry for entry in outcome.ledger if entry.contract.job_id == f"adler/washer/{profile.id}")
    assert [event.what for event in entry.history] == ["agreed", "started", "finished"]
    recording = read_recording(run.results)
    async with open_simulation(recording.plan(out=None)) as simulation:
        again = (await simulation.run())[0]
    assert again.ledger_sha256 == outcome.ledger_sha256


def is_seen(device: Device, name: str, power_w: float) -> bool:
    """Return whether the gateway of a device has its power."""
    return any(state["device"] == name and state["power_w"] == power_w for state in device.on("state"))


def test_a_power_profile_becomes_a_job() -> None:
    """Its window, and of each container the alternative that needs least energy, one after another."""
    short, long = sequence(element(60, 100), element(0.4, 100)), sequence(element(3600, 100))
    never = sequence(element(1, 0), abnormal=True)
    profile = definition(NOW_S + 60, NOW_S + 7200, [sequence(element(90, 50.0, EVERY_PHASE))], [long, short, never])
    asked = understood("request", profile)
    assert isinstance(asked, JobAsked)
    assert (asked.id, asked.earliest_start_s, asked.ready_by_s) == (str(profile.id), NOW_S + 60, NOW_S + 7200)
    assert asked.load is not None
    assert asked.load.times_s == (0, 90, 150)
    assert asked.load.energy_wh == pytest.approx(90 * 50 / 3600 + 60.4 * 100 / 3600)


@pytest.mark.parametrize(("window_s", "times_s"), [(7_200, (0, 3600, 5400)), (5_399, (0, 1200, 3000))])
def test_a_profile_takes_its_shortest_sequences_if_those_with_least_energy_take_too_long(
    window_s: int, times_s: tuple[int, ...]
) -> None:
    """A heat pump may heat slowly or fast; the job was refused although it could have been done fast."""
    slow, fast, wasteful = (sequence(element(*of)) for of in ((3_600, 900), (1_200, 2_900), (1_200, 3_000)))
    hold = sequence(element(1_800, 500))
    asked = understood("request", definition(NOW_S - 60, NOW_S + window_s, [slow, wasteful, fast], [hold]))
    assert isinstance(asked, JobAsked)
    assert asked.load is not None
    assert asked.load.times_s == times_s
    chosen = json.loads(asked.reference)[0][1]
    assert chosen == str(slow.id if window_s == 7_200 else fast.id)


def test_a_profile_with_two_containers_of_the_same_id_is_refused() -> None:
    """The instruction for the second one would be taken for the first one's, repeated."""
    profile = wrapped(definition(NOW_S, NOW_S + 7_200, [sequence(element(60, 100))]))
    profile["message"]["power_sequences_containers"] *= 2
    with pytest.raises(MessageError, match=r"container .* twice"):
        resource_manager().events_of("request", json.dumps(profile).encode(), NOW_S)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (("NOT_SCHEDULED", "NOT_SCHEDULED"), None),
        (("SCHEDULED", "SCHEDULED"), None),
        (("EXECUTING", "SCHEDULED"), "EXECUTING"),
        (("FINISHED", "SCHEDULED"), "EXECUTING"),
        (("FINISHED", "INTERRUPTED"), "INTERRUPTED"),
        (("FINISHED", "ABORTED"), "ABORTED"),
        (("FINISHED", "FINISHED"), "FINISHED"),
    ],
)
def test_the_states_of_a_profiles_containers_are_the_state_of_its_job(
    states: tuple[str, str], expected: str | None
) -> None:
    """A profile is finished when all its sequences are."""
    profile = definition(NOW_S, NOW_S + 7200, [sequence(element(60, 1))], [sequence(element(60, 1))])
    assert understood("report", status(profile, *states)) == Reported(job=str(profile.id), state=expected)


def test_a_byte_order_mark_before_a_message_is_no_part_of_it() -> None:
    """As in our own form; the library's parser refuses one."""
    profile = definition(NOW_S, NOW_S + 7200, [sequence(element(60, 1))])
    payload = codecs.BOM_UTF8 + json.dumps(wrapped(status(profile, "EXECUTING"))).encode()
    (event,) = resource_manager().events_of("report", payload, NOW_S)
    assert event == Reported(job=str(profile.id), state="EXECUTING")


def test_the_progress_of_a_sequence_is_a_duration_as_in_the_standard() -> None:
    """In s2-python 0.11 it is a UUID; other resource managers send milliseconds."""
    profile = definition(NOW_S, NOW_S + 7200, [sequence(element(60, 1))])
    content = wrapped(status(profile, "EXECUTING"))
    content["message"]["sequence_container_status"][0]["progress"] = 12_000
    (event,) = resource_manager().events_of("report", json.dumps(content).encode(), NOW_S)
    assert event == Reported(job=str(profile.id), state="EXECUTING")
    content["message"]["sequence_container_status"][0]["progress"] = -1
    with pytest.raises(MessageError, match="progress"):
        resource_manager().events_of("report", json.dumps(content).encode(), NOW_S)


def test_consumption_is_positive_and_production_negative_in_s2() -> None:
    """Only a producer's production is used; its consumption at night is ignored."""
    assert understood("report", measured(1990)) == Reported(power_w=1990)
    assert understood("report", measured(-2800), "producer") == Reported(power_w=2800)
    assert understood("report", measured(3), "producer") == Reported(power_w=0)
    expected = understood("forecast", forecast(NOW_S, -3000, 2, -1000), "producer")
    assert isinstance(expected, Forecasted)
    assert expected.production.cumulative_wh == (0, 3000, 3000, 4000)


def test_an_instruction_that_is_rejected_is_a_refused_command() -> None:
    """Other states of an instruction change nothing."""

    def update(state: InstructionStatus) -> InstructionStatusUpdate:
        return InstructionStatusUpdate(
            message_id=uuid.uuid4(), instruction_id=uuid.uuid4(), status_type=state, timestamp=at(NOW_S)
        )

    assert isinstance(understood("report", update(InstructionStatus.REJECTED)), CommandRefused)
    assert understood("report", update(InstructionStatus.ACCEPTED)) == Reported()


def test_instructions_are_the_same_whenever_a_command_is_repeated() -> None:
    """Their ids stay the same, and message ids differ; a job in our own form has no instruction."""
    asked = understood("request", definition(NOW_S, NOW_S + HOUR, ONE, ONE))
    assert isinstance(asked, JobAsked)
    start = DeviceCommand(command="start", device="d", job=asked.id, reference=asked.reference, time_s=NOW_S)
    again = start.model_copy(update={"attempt": 2, "time_s": NOW_S + 60})
    said = [
        [PPBCScheduleInstruction.from_dict(json.loads(payload)["message"]) for payload in one]
        for one in (resource_manager().commands(start), resource_manager().commands(again))
    ]
    assert [one.id for one in said[0]] == [one.id for one in said[1]]
    assert len({one.message_id for one in (*said[0], *said[1])}) == 4
    assert [one.execution_time for one in said[1]] == [at(NOW_S + 60), at(NOW_S + 120)]
    assert resource_manager().commands(start) == resource_manager().commands(start)
    assert not resource_manager().commands(start.model_copy(update={"reference": ""}))


def test_a_profile_is_withdrawn() -> None:
    """The device revokes its definition."""
    profile_id = uuid.uuid4()
    kind = RevokableObjects.PPBC_PowerProfileDefinition
    revoked = RevokeObject(message_id=uuid.uuid4(), object_type=kind, object_id=profile_id)
    assert understood("withdraw", revoked) == JobTakenBack(id=str(profile_id))


def test_a_scan_finds_resource_managers_by_their_announcement() -> None:
    """They are printed as in the scenario file."""
    roles = {"d": RoleType.ENERGY_CONSUMER, "p": RoleType.ENERGY_PRODUCER}
    heard = {
        f"ssmic/r/devices/{name}/announce": json.dumps(wrapped(details(role, ControlType.NOT_CONTROLABLE))).encode()
        for name, role in roles.items()
    }
    assert found_in(heard) == (FoundDevice("s2", "consumer", "d", "Miele"), FoundDevice("s2", "producer", "p", "Miele"))
    assert found_in(heard)[0].entry("d")["gateway"] == {"adapter": "s2"}


def test_without_the_library_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is an extra."""
    monkeypatch.setitem(sys.modules, "scenarios.devices.s2", None)
    with pytest.raises(MissingLibraryError, match=r"device 'd' speaks S2.*pip install 'ssmic\[s2\]'"):
        language_for(Gateway(id="d", house="adler", device="d", type="consumer", agent="adler/d", adapter="s2"))


@pytest.mark.parametrize(
    ("part", "message", "expected"),
    [
        ("report", forecast(NOW_S, -1), "PPBC.PowerProfileStatus"),
        ("availability", measured(1), "online or offline"),
        ("report", measured(-5), "positive"),
        ("report", measured(1, 0), f"about {NOW_S}"),
        ("report", measured(1, quantity=CommodityQuantity.HEAT_TEMPERATURE), "ELECTRIC.POWER"),
        ("request", definition(NOW_S, NOW_S + 40 * 86_400, ONE), "at most 31 days"),
        ("request", definition(NOW_S, NOW_S + HOUR, [sequence(element(9 * 86_400, 1))]), "604800 s"),
        ("request", definition(NOW_S, NOW_S + HOUR, [sequence(element(0.1, 1))]), "a second"),
        ("request", definition(NOW_S, NOW_S + HOUR, [sequence(element(60, -1))]), "0 W or more"),
        ("request", definition(NOW_S, NOW_S + HOUR, [sequence(element(60, 1e300))]), "1e+07"),
        ("request", definition(NOW_S, NOW_S + HOUR, [sequence(element(60, 1), abnormal=True)]), "normal"),
        ("forecast", forecast(0, -1), "at most 31 days"),
        ("announce", details(RoleType.ENERGY_PRODUCER, ControlType.NOT_CONTROLABLE), "ENERGY_CONSUMER"),
        ("announce", details(RoleType.ENERGY_CONSUMER, ControlType.NOT_CONTROLABLE), "POWER_PROFILE_BASED_CONTROL"),
    ],
)
def test_a_message_that_no_device_can_mean_is_refused(part: str, message: Any, expected: str) -> None:
    """A wrong topic, a wrong sign, a clock in 1970, a programme of nine days: the refusal says what was expected."""
    with pytest.raises(MessageError) as refused:
        understood(part, message)
    assert expected in str(refused.value)


def test_a_name_that_no_screen_shows_as_it_is_is_refused() -> None:
    """As in ssmic's own form; the name is published on `state`, and shown by others than ssmic."""
    announced = wrapped(details(RoleType.ENERGY_CONSUMER, ControlType.POWER_PROFILE_BASED_CONTROL))
    announced["message"]["name"] = "Mi\u202eele"
    with pytest.raises(MessageError) as refused:
        resource_manager().events_of("announce", json.dumps(announced).encode(), NOW_S)
    assert "U+202E" in str(refused.value)
    assert "a name of visible characters" in str(refused.value)


def _places(content: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where in a message there are values, however deep."""
    parts = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, part in parts:
        yield (*place, key)
        yield from _places(part, (*place, key))


def _changed(content: Any, place: tuple[Any, ...], value: Any) -> Any:
    """Return a message with another value in one place."""
    whole = copy.deepcopy(content)
    part = whole
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    return whole


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("announce", details(RoleType.ENERGY_CONSUMER, ControlType.POWER_PROFILE_BASED_CONTROL)),
        ("request", definition(NOW_S, NOW_S + HOUR, ONE, [sequence(element(60, 1), element(5, 2))])),
        ("report", status(definition(NOW_S, NOW_S + HOUR, ONE, ONE), "FINISHED", "EXECUTING")),
        ("report", measured(1)),
        ("forecast", forecast(NOW_S, -1, -2)),
    ],
    ids=lambda value: value if isinstance(value, str) else value.message_type,
)
def test_a_wrong_value_anywhere_in_a_message_is_understood_or_refused(part: str, message: Any) -> None:
    """Also deep inside of it: an answer that names a Python exception helps no device."""
    whole, reader = wrapped(message), resource_manager()
    values = [*VALUES, "\u2028", "9999-12-31T23:59:59-23:59", 5e-324, -0.0, 2**63]
    for place in _places(whole):
        for value in values:
            payload = json.dumps(_changed(whole, place, value)).encode()
            with suppress(MessageError):
                reader.events_of(part, payload, NOW_S)


def test_nonsense_in_a_message_is_refused() -> None:
    """Any wrong value is rejected with its place, and no other exception is raised."""
    reader = resource_manager()
    examples = [
        ("request", wrapped(definition(NOW_S, NOW_S + HOUR, ONE))),
        ("report", wrapped(measured(1))),
        ("forecast", wrapped(forecast(NOW_S, -1))),
    ]
    for part, whole in examples:
        assert reader.speaks(json.dumps(whole).encode())
        wrong = [{**whole, "message": {**whole["message"], key: v}} for key in whole["message"] for v in VALUES]
        wrong += [{**whole, "metadata": {"dt": v}} for v in VALUES[1:]]
        payloads = [*NONSENSE, json.dumps(whole["message"]).encode(), *(json.dumps(one).encode() for one in wrong)]
        for payload in payloads:
            with pytest.raises(MessageError):
                reader.events_of(part, payload, NOW_S)
