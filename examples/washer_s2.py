"""A washing machine that joins a run as a resource manager of S2: Python (pip install aiomqtt s2-python)."""

import asyncio
import json
import os
import uuid
from datetime import UTC, datetime, timedelta

import aiomqtt
from s2python.common import PowerForecastValue, PowerMeasurement, PowerValue, ResourceManagerDetails, Role
from s2python.generated.gen_s2 import Commodity, CommodityQuantity, ControlType, PPBCPowerSequenceStatus, RoleType
from s2python.message import S2Message
from s2python.ppbc import (
    PPBCPowerProfileDefinition,
    PPBCPowerProfileStatus,
    PPBCPowerSequence,
    PPBCPowerSequenceContainer,
    PPBCPowerSequenceContainerStatus,
    PPBCPowerSequenceElement,
    PPBCScheduleInstruction,
)

HOST, PORT = os.environ.get("MQTT_HOST", "127.0.0.1"), int(os.environ.get("MQTT_PORT", "1883"))
RUN, DEVICE = os.environ.get("SSMIC_RUN", "street"), os.environ.get("DEVICE", "washer")
PACE = float(os.environ.get("PACE", "1"))
TOPIC, TIME = f"ssmic/{RUN}/devices/{DEVICE}", f"ssmic/{RUN}/time"
STEP_S, POWER_W = 600, [100, 2000, 150]
L1 = CommodityQuantity.ELECTRIC_POWER_L1


async def say(client: aiomqtt.Client, part: str, message: S2Message, now: datetime, *, retain: bool = False) -> None:
    """Publish a message of S2 in its wrapper, with the virtual time."""
    wrapped = {"message": json.loads(message.to_json()), "metadata": {"dt": now.isoformat()}}
    await client.publish(f"{TOPIC}/{part}", json.dumps(wrapped), qos=1, retain=retain)


def details() -> ResourceManagerDetails:
    """Return what the machine is."""
    return ResourceManagerDetails(
        message_id=uuid.uuid4(),
        resource_id=uuid.uuid5(uuid.NAMESPACE_DNS, DEVICE),
        name="Washing machine",
        roles=[Role(role=RoleType.ENERGY_CONSUMER, commodity=Commodity.ELECTRICITY)],
        instruction_processing_delay=0,
        available_control_types=[ControlType.POWER_PROFILE_BASED_CONTROL],
        provides_forecast=False,
        provides_power_measurement_types=[L1],
    )


def programme(now: datetime) -> PPBCPowerProfileDefinition:
    """Return a programme that is to be over in eight hours."""
    elements = [
        PPBCPowerSequenceElement(
            duration=STEP_S * 1000, power_values=[PowerForecastValue(value_expected=power_w, commodity_quantity=L1)]
        )
        for power_w in POWER_W
    ]
    sequence = PPBCPowerSequence(
        id=uuid.uuid4(), elements=elements, is_interruptible=False, abnormal_condition_only=False
    )
    return PPBCPowerProfileDefinition(
        message_id=uuid.uuid4(),
        id=uuid.uuid4(),
        start_time=now,
        end_time=now + timedelta(hours=8),
        power_sequences_containers=[PPBCPowerSequenceContainer(id=uuid.uuid4(), power_sequences=[sequence])],
    )


async def wash(client: aiomqtt.Client, instruction: PPBCScheduleInstruction) -> None:
    """Run the programme, and report its state and what it draws."""

    async def report(state: PPBCPowerSequenceStatus, power_w: float, now: datetime) -> None:
        measured = PowerMeasurement(
            message_id=uuid.uuid4(),
            measurement_timestamp=now,
            values=[PowerValue(commodity_quantity=L1, value=power_w)],
        )
        container = PPBCPowerSequenceContainerStatus(
            power_profile_id=instruction.power_profile_id,
            sequence_container_id=instruction.sequence_container_id,
            selected_sequence_id=instruction.power_sequence_id,
            progress=None,
            status=state,
        )
        status = PPBCPowerProfileStatus(message_id=uuid.uuid4(), sequence_container_status=[container])
        await say(client, "report", measured, now)
        await say(client, "report", status, now)

    for step, power_w in enumerate(POWER_W):
        now = instruction.execution_time + timedelta(seconds=step * STEP_S)
        await report(PPBCPowerSequenceStatus.EXECUTING, power_w, now)
        await asyncio.sleep(STEP_S / PACE)
    await report(PPBCPowerSequenceStatus.FINISHED, 0, now)


async def main() -> None:
    """Announce the machine, request a job, and run it on command."""
    gone = aiomqtt.Will(f"{TOPIC}/availability", "offline", qos=1, retain=True)
    async with aiomqtt.Client(HOST, PORT, will=gone) as client:
        await client.subscribe([(f"{TOPIC}/set", 1), (f"{TOPIC}/job", 1), (f"{TOPIC}/error", 1), (TIME, 0)])
        await client.publish(f"{TOPIC}/availability", "online", qos=1, retain=True)
        asked = started = False
        async for message in client.messages:
            content = json.loads(message.payload or b"{}")
            if message.topic.matches(TIME):
                if content.get("state") == "running" and not asked:  # before that, a request is lost
                    asked, now = True, datetime.fromtimestamp(content.get("reached") or content["time"], UTC)
                    await say(client, "announce", details(), now, retain=True)
                    await say(client, "request", programme(now), now)
                continue
            print(message.topic, content, flush=True)
            if message.topic.matches(f"{TOPIC}/set") and not started:
                started = True
                await wash(client, PPBCScheduleInstruction.from_dict(content["message"]))
            elif content.get("state") in ("FINISHED", "ABORTED"):
                break
        await client.publish(f"{TOPIC}/availability", "offline", qos=1, retain=True)


asyncio.run(main())
