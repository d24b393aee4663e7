"""A washing machine that joins a run: Python with paho-mqtt and threads (pip install paho-mqtt)."""

import json
import os
import queue
import threading
import time

import paho.mqtt.client as mqtt

HOST, PORT = os.environ.get("MQTT_HOST", "127.0.0.1"), int(os.environ.get("MQTT_PORT", "1883"))
RUN, DEVICE = os.environ.get("SSMIC_RUN", "street"), os.environ.get("DEVICE", "washer")
HOUSE, PACE = os.environ.get("HOUSE", "adler"), float(os.environ.get("PACE", "1"))
TOPIC, TIME = f"ssmic/{RUN}/devices/{DEVICE}", f"ssmic/{RUN}/time"
jobs: queue.Queue[str] = queue.Queue()
asked, ended = threading.Event(), threading.Event()


def say(what: str, content: object, *, retain: bool = False) -> None:
    """Publish on one of the machine's topics."""
    text = content if isinstance(content, str) else json.dumps(content)
    client.publish(f"{TOPIC}/{what}", text, qos=1, retain=retain)


def machine() -> None:
    """Run the programme once, in a separate thread, and report its power."""
    job = jobs.get()
    for power_w in (100, 2000, 150):
        say("report", {"id": job, "state": "EXECUTING", "power_w": power_w})
        time.sleep(600 / PACE)
    say("report", {"id": job, "state": "FINISHED", "power_w": 0})


def on_connect(_client: mqtt.Client, _data: object, _flags: object, _reason: object, _properties: object) -> None:
    """Announce the machine, at every connection."""
    client.subscribe([(f"{TOPIC}/set", 1), (f"{TOPIC}/job", 1), (f"{TOPIC}/error", 1), (TIME, 0)])
    say("availability", "online", retain=True)
    say("announce", {"type": "consumer", "house": HOUSE, "name": "Washing machine"}, retain=True)


def on_message(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
    """Ask for a job once the run is under way, take a command, or note that the job is over."""
    content = json.loads(message.payload or b"{}")
    if message.topic == TIME:
        if content.get("state") == "running" and not asked.is_set():  # before that, a request is lost
            asked.set()
            say("request", {"id": "wash-1", "step_s": 600, "power_w": [100, 2000, 150], "ready_by": "18:00"})
        return
    print(message.topic, content, flush=True)
    if message.topic == f"{TOPIC}/set" and content["command"] == "start":
        jobs.put(content["id"])
    elif content.get("state") in ("FINISHED", "ABORTED"):
        ended.set()


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
client.will_set(f"{TOPIC}/availability", "offline", qos=1, retain=True)
client.on_connect, client.on_message = on_connect, on_message
client.connect(HOST, PORT)
client.loop_start()
threading.Thread(target=machine, daemon=True).start()
ended.wait()
client.publish(f"{TOPIC}/availability", "offline", qos=1, retain=True).wait_for_publish()
client.loop_stop()
client.disconnect()
