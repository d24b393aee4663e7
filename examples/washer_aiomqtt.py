"""A washing machine that joins a run: Python with aiomqtt (pip install aiomqtt)."""

import asyncio
import json
import os

import aiomqtt

HOST, PORT = os.environ.get("MQTT_HOST", "127.0.0.1"), int(os.environ.get("MQTT_PORT", "1883"))
RUN, DEVICE = os.environ.get("SSMIC_RUN", "street"), os.environ.get("DEVICE", "washer")
HOUSE, PACE = os.environ.get("HOUSE", "adler"), float(os.environ.get("PACE", "1"))
TOPIC, TIME = f"ssmic/{RUN}/devices/{DEVICE}", f"ssmic/{RUN}/time"
STEP_S, POWER_W = 600, [100, 2000, 150]


async def wash(client: aiomqtt.Client, job: str) -> None:
    """Run the programme, and report what it draws."""
    for power_w in POWER_W:
        report = {"id": job, "state": "EXECUTING", "power_w": power_w}
        await client.publish(f"{TOPIC}/report", json.dumps(report), qos=1)
        await asyncio.sleep(STEP_S / PACE)
    await client.publish(f"{TOPIC}/report", json.dumps({"id": job, "state": "FINISHED", "power_w": 0}), qos=1)


async def main() -> None:
    """Announce the machine, request a job once the run is under way, and run it on command."""
    gone = aiomqtt.Will(f"{TOPIC}/availability", "offline", qos=1, retain=True)
    announcement = {"type": "consumer", "house": HOUSE, "profiles": {"eco40": {"step_s": STEP_S, "power_w": POWER_W}}}
    async with aiomqtt.Client(HOST, PORT, will=gone) as client:
        await client.subscribe([(f"{TOPIC}/set", 1), (f"{TOPIC}/job", 1), (f"{TOPIC}/error", 1), (TIME, 0)])
        await client.publish(f"{TOPIC}/availability", "online", qos=1, retain=True)
        await client.publish(f"{TOPIC}/announce", json.dumps(announcement), qos=1, retain=True)
        request = {"id": "wash-1", "profile": "eco40", "ready_by": "18:00"}
        asked = started = False
        async for message in client.messages:
            content = json.loads(message.payload or b"{}")
            if message.topic.matches(TIME):
                if content.get("state") == "running" and not asked:  # before that, a request is lost
                    asked = True
                    await client.publish(f"{TOPIC}/request", json.dumps(request), qos=1)
                continue
            print(message.topic, content, flush=True)
            if message.topic.matches(f"{TOPIC}/set") and content["command"] == "start" and not started:
                started = True
                await wash(client, content["id"])
            elif content.get("state") in ("FINISHED", "ABORTED"):
                break
        await client.publish(f"{TOPIC}/availability", "offline", qos=1, retain=True)


asyncio.run(main())
