"""A solar inverter that joins a run: announces itself, forecasts the day, and reports what it produces (aiomqtt)."""

import asyncio
import json
import math
import os

import aiomqtt

HOST, PORT = os.environ.get("MQTT_HOST", "127.0.0.1"), int(os.environ.get("MQTT_PORT", "1883"))
RUN, DEVICE = os.environ.get("SSMIC_RUN", "street"), os.environ.get("DEVICE", "roof")
HOUSE, REPORTS = os.environ.get("HOUSE", "adler"), int(os.environ.get("REPORTS", "0"))
TOPIC = f"ssmic/{RUN}/devices/{DEVICE}"
DAY_S, STEP_S, PEAK_W = 86_400, 900, 4000.0


def sun_w(time_s: int) -> float:
    """Return what the roof gives at a time, W: a half sine from 6 to 18 o'clock UTC."""
    hour = time_s % DAY_S / 3600
    return max(0.0, PEAK_W * math.sin(math.pi * (hour - 6) / 12)) if 6 <= hour <= 18 else 0.0


async def main() -> None:
    """Follow the run's time: a forecast when it begins, a report whenever a minute has passed."""
    gone = aiomqtt.Will(f"{TOPIC}/availability", "offline", qos=1, retain=True)
    async with aiomqtt.Client(HOST, PORT, will=gone) as client:
        await client.subscribe([(f"ssmic/{RUN}/time", 0), (f"{TOPIC}/error", 1)])
        await client.publish(f"{TOPIC}/availability", "online", qos=1, retain=True)
        announcement = {"type": "producer", "house": HOUSE, "name": "Roof, south"}
        await client.publish(f"{TOPIC}/announce", json.dumps(announcement), qos=1, retain=True)
        last_s, energy_wh, reports = None, 0.0, 0
        async for message in client.messages:
            content = json.loads(message.payload or b"{}")
            if message.topic.matches(f"{TOPIC}/error"):
                print(message.topic, content, flush=True)
            if not message.topic.matches(f"ssmic/{RUN}/time") or not content:
                continue
            now_s = content.get("reached") or content["time"]
            if content["state"] == "ended" or (REPORTS and reports >= REPORTS):
                break
            if last_s is None:
                steps = [sun_w(now_s + i * STEP_S) for i in range(2 * DAY_S // STEP_S)]
                forecast = {"points": [[now_s + i * STEP_S, sum(steps[:i]) * STEP_S / 3600] for i in range(len(steps))]}
                await client.publish(f"{TOPIC}/forecast", json.dumps(forecast), qos=1)
                last_s = now_s
            if now_s - last_s >= 60:
                energy_wh += sun_w(now_s) * (now_s - last_s) / 3600
                last_s, reports = now_s, reports + 1
                report = {"power_w": round(sun_w(now_s), 1), "energy_wh": round(energy_wh, 3), "time": now_s}
                await client.publish(f"{TOPIC}/report", json.dumps(report), qos=1)
        await client.publish(f"{TOPIC}/availability", "offline", qos=1, retain=True)


asyncio.run(main())
