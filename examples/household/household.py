"""The household `adler` of lane.yaml: a member of a run that needs nothing of ssmic (pip install paho-mqtt).

It has one consumer with one job, and follows docs/protocol.md. It has no journal: if it is restarted during a run, the
clock refuses it.
"""

import hashlib
import json
import os
import queue
import secrets
import sys
from collections import defaultdict
from collections.abc import Generator
from typing import Any
from urllib.parse import quote

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

HOST, PORT = os.environ.get("MQTT_HOST", "127.0.0.1"), int(os.environ.get("MQTT_PORT", "1883"))
RUN, HOUSE, DEVICE, MANAGER = os.environ.get("SSMIC_RUN", "lane"), "adler", "washer", "manager"
TOPIC = f"ssmic/{quote(RUN, safe='')}"
AGENT = JOB_ID = f"{HOUSE}/{DEVICE}"
START_S = 1782021600
REGISTERED_S = START_S + 1800
WINDOW_S = (START_S + 3600, START_S + 12 * 3600)
ENERGY_WH = 375.0
JOB = {
    "job_id": JOB_ID,
    "source_id": JOB_ID,
    "house": HOUSE,
    "device": DEVICE,
    "profile": "eco40",
    "load_profile": {"times_s": [0, 600, 1200, 1800], "cumulative_wh": [0.0, 100 / 6, 350.0, ENERGY_WH]},
    "registered_s": REGISTERED_S,
    "earliest_start_s": WINDOW_S[0],
    "latest_start_s": WINDOW_S[1],
}
JSON = dict[str, Any]
Rounds = Generator[None, None, Any]
"""A part of the agent's work; it ends a round by `yield`, and continues in the next one that the clock grants."""


def setup() -> str:
    """Return the settings that the clock compares with its own."""

    def hash_of(text: str) -> str:
        return "#" + hashlib.sha256(text.encode()).hexdigest()[:12]

    devices = hash_of(json.dumps([[HOUSE, DEVICE, "consumer"]]))
    jobs = hash_of(json.dumps([JOB], separators=(",", ":"), ensure_ascii=False))
    settings = f"algorithm:insertion/100/60/0.01/20 patient:yes seed:1 start:{START_S}"
    return f"{settings} devices:{devices} forecasts:{hash_of('{}')} jobs:{jobs}"


class Consumer:
    """The agent: it finds a supplier for its job, and reports the contract to the manager."""

    def __init__(self) -> None:
        """Begin without a contract."""
        self.now_s = self.step = self.seq = self.contracts = 0
        self.is_closing = False
        self.next_s: int | None = None
        """When its timer fires."""
        self.resume: int | None = None
        """The step to which it skips rounds."""
        self.asking: dict[int, str] = {}
        """The recipients of requests without an answer, by `seq`."""
        self.answers: dict[int, JSON | None] = {}
        self.events: list[tuple[str, JSON]] = []
        """Other messages: sender and body."""
        self.outbox: list[JSON] = []
        self.contract: JSON | None = None
        self.asked: list[str] = []
        self.untrusted: set[str] = set()
        """Producers that are not asked again."""

    def send(self, to: str, kind: str, **fields: object) -> int:
        """Send a message at the end of the round; return its `seq`."""
        self.outbox.append({"sender": AGENT, "seq": self.seq, "to": to, "re": None, "body": {"kind": kind, **fields}})
        self.seq += 1
        return self.seq - 1

    def ask(self, *requests: tuple[str, JSON]) -> Rounds:
        """Send requests, and return the answers in the same order; None for one that lapsed."""
        numbers = [self.send(to, **body) for to, body in requests]
        self.asking |= {number: to for number, (to, _) in zip(numbers, requests, strict=True)}
        while any(number in self.asking for number in numbers):
            yield
        return [self.answers.pop(number) for number in numbers]

    def skip(self, rounds: int) -> Rounds:
        """Let rounds of the present second pass."""
        self.resume = self.step + rounds
        while self.step < self.resume:
            yield
        self.resume = None

    def wait(self, until_s: int | None) -> Rounds:
        """Wait for a message, a second, or the end of the run."""
        self.next_s = until_s
        while not self.events and (until_s is None or (self.now_s < until_s and not self.is_closing)):
            yield
        self.next_s = None

    def run(self) -> Rounds:
        """Find a supplier from the registration on, and another one whenever the contract ends before the start."""
        self.next_s = REGISTERED_S
        while self.now_s < REGISTERED_S:
            yield
        self.next_s = None
        while True:
            self.events.clear()
            yield from self.find_supplier()
            while self.contract is not None:
                if not self.events:
                    yield from self.wait(None)
                self.take_change(*self.events.pop(0))

    def find_supplier(self) -> Rounds:
        """Ask the producers on the manager's list, wait for openings, and take grid power at the latest start."""
        self.asked, part = sorted(self.untrusted), "first"
        while part and self.contract is None:
            [listed] = yield from self.ask((MANAGER, self.question(part)))
            part = "last" if listed and (listed["producers"] or any(listed["left_out"])) else ""
            while listed and self.contract is None:
                listed = yield from self.ask_listed(**listed)
        while self.contract is None:
            yield from self.wait(WINDOW_S[1])
            if not self.events:
                self.agree("grid", WINDOW_S[1])
                return
            sender, body = self.events.pop(0)
            offering = body["producers"] if body["kind"] == "Producers" else [sender] * (body["kind"] == "Opening")
            for producer in offering:
                if self.contract is None:
                    yield from self.request(producer)

    def starts(self) -> tuple[int, int]:
        """Return the first and the last start that are still possible."""
        return max(self.now_s, WINDOW_S[0]), WINDOW_S[1]

    def question(self, part: str) -> JSON:
        """Return a request for producers."""
        first_s, last_s = self.starts()
        job = JOB if part == "last" and self.untrusted.issuperset(self.asked) else None
        body = {"kind": "ProducersFor", "job_id": JOB_ID, "asked": list(self.asked), "part": part, "job": job}
        return body | {"first_start_s": first_s, "last_start_s": last_s}

    def ask_listed(self, producers: list[str], left_out: list[int], **_more: str) -> Rounds:
        """Ask the producers of one portion of the list; return the next portion."""
        portion = None
        for place, producer in enumerate(producers):
            yield from self.skip(2 * left_out[place])
            is_before_next = place == len(producers) - 1 and len(left_out) == len(producers)
            portion = yield from self.request(producer, asks_for_next=is_before_next)
            if self.contract is not None:
                return None
        yield from self.skip(2 * sum(left_out[len(producers) :]))
        return portion

    def request(self, producer: str, *, asks_for_next: bool = False) -> Rounds:
        """Ask a producer, and agree if it accepts; return the next portion of the list if that was asked for, too."""
        self.asked += [] if producer in self.asked else [producer]
        body = {"kind": "Request", "job": JOB, "patient": True, "starts": [self.starts()], "held": False}
        next_portion = [(MANAGER, self.question("next"))] if asks_for_next else []
        answer, *portions = yield from self.ask((producer, body), *next_portion)
        if answer is not None and answer["kind"] == "Accept":
            self.agree(producer, answer["start_s"])
        elif answer is None or answer["kind"] != "Decline":
            self.send(producer, "Withdraw", job_id=JOB_ID)
        return portions[0] if portions else None

    def agree(self, producer: str, start_s: int) -> None:
        """Withdraw the request from the producers that have declined it, and sign the contract."""
        for other in self.asked:
            if other != producer:
                self.send(other, "Withdraw", job_id=JOB_ID)
        self.contracts += 1
        contract = {"contract_id": f"{JOB_ID}/{self.contracts}", "job_id": JOB_ID, "producer": producer}
        self.contract = contract | {"start_s": start_s, "agreed_s": self.now_s, "energy_wh": ENERGY_WH}
        self.send(MANAGER, "ContractAgreed", contract=dict(self.contract), reason="")

    def take_change(self, sender: str, body: JSON) -> None:
        """Follow what the supplier or the manager says about the contract, until the job has started."""
        contract, kind = self.contract, body["kind"]
        if contract is None or contract["start_s"] <= self.now_s:
            return
        name, producer = {"contract_id": contract["contract_id"]}, contract["producer"]
        if sender == producer and kind == "Amend":
            contract["start_s"] = body["start_s"]
            self.send(MANAGER, "ContractAmended", **name, start_s=body["start_s"], reason="")
        elif sender == producer and kind == "Cancel":
            if contract["agreed_s"] == self.now_s:
                self.untrusted.add(producer)
            self.send(MANAGER, "ContractCancelled", **name, reason=body["reason"])
            self.contract = None
        elif sender == MANAGER and kind == "ContractVoid" and body["contract_id"] == contract["contract_id"]:
            self.contracts = body["contracts"]
            self.untrusted.add(producer)
            self.send(producer, "Withdraw", job_id=JOB_ID)
            self.contract = None


class Host:
    """The household's process: it runs the agent in the rounds that the clock grants."""

    def __init__(self) -> None:
        """Connect to the broker."""
        self.session, self.agent = secrets.token_hex(8), Consumer()
        self.work = self.agent.run()
        self.members: JSON = {}
        """From the roster: session and agents of each host."""
        self.grant: JSON = {}
        """The round that the clock has granted and this host has not run; empty: none."""
        self.inbox: dict[int, dict[str, dict[tuple[str, int], JSON]]] = defaultdict(lambda: defaultdict(dict))
        """Messages by step, sending host, and (sender, seq)."""
        self.sent: dict[int, dict[str, JSON]] = {}
        """Batches of the latest two steps, by receiving host."""
        self.done: JSON = {"step": -1}
        """The latest answer to the clock."""
        self.has_ended = False
        self.arriving: queue.Queue[mqtt.MQTTMessage] = queue.Queue()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self.client.will_set(f"{TOPIC}/hosts/{HOUSE}", json.dumps(self.announcement("gone")), qos=1, retain=True)
        self.client.on_connect = lambda *_: self.join()
        self.client.on_message = lambda _client, _data, message: self.arriving.put(message)
        self.client.connect(HOST, PORT)
        self.client.loop_start()

    def announcement(self, state: str) -> JSON:
        """Return what the host says of itself."""
        who = {"v": 6, "host": HOUSE, "session": self.session, "agents": [AGENT]}
        return who | {"setup": setup(), "ran": self.done["step"], "state": state}

    def publish(self, topic: str, content: JSON, *, retain: bool = False) -> None:
        """Publish JSON; only what is retained has QoS 1."""
        self.client.publish(f"{TOPIC}/{topic}", json.dumps(content), qos=int(retain), retain=retain)

    def join(self) -> None:
        """Subscribe and announce the host, at every connection."""
        filters = ("grants", f"grant/{HOUSE}", f"inbox/{HOUSE}/+", f"resend/{HOUSE}/+")
        self.client.subscribe([(f"{TOPIC}/roster", 1), *((f"{TOPIC}/{each}", 0) for each in filters)])
        self.publish(f"hosts/{HOUSE}", self.announcement("there"), retain=True)

    def run(self) -> None:
        """Take part until the end of the run."""
        patience_s = 0.5
        while not self.has_ended:
            try:
                self.take(self.arriving.get(timeout=patience_s))
                patience_s = 0.5
            except queue.Empty:
                patience_s = min(5, 2 * patience_s)
                for host in self.missing():
                    self.publish(f"resend/{quote(host, safe='')}/{HOUSE}", {"v": 6, "step": self.grant["step"] - 1})
            if self.grant and not self.missing():
                self.run_round(self.grant)
        self.client.publish(f"{TOPIC}/hosts/{HOUSE}", b"", qos=1, retain=True).wait_for_publish(5)
        self.client.disconnect()
        self.client.loop_stop()

    def take(self, arrived: mqtt.MQTTMessage) -> None:
        """Handle a message of the clock or of another host."""
        kind, *levels = arrived.topic.removeprefix(f"{TOPIC}/").split("/")
        content = json.loads(arrived.payload or b"{}")
        if kind == "roster" and content:
            self.read_roster(content, is_old=arrived.retain)
        elif kind in ("grant", "grants") and HOUSE in content["expected"]:
            if content["step"] > self.done["step"]:
                self.grant = content
            elif content["step"] == self.done["step"]:
                self.publish(f"done/{HOUSE}", self.done)
        elif kind == "inbox":
            self.read_batch(levels[-1], content)
        elif kind == "resend":
            for host, batch in self.sent.get(content["step"], {}).items():
                if levels[-1] in (quote(host, safe=""), "clock"):
                    self.publish(f"inbox/{quote(host, safe='')}/{HOUSE}", batch)

    def read_roster(self, roster: JSON, *, is_old: bool) -> None:
        """Note who takes part; leave if this host may not, and announce it if it is not listed."""
        self.members = roster["hosts"]
        refusal = roster["refused"].get(self.session, {}).get(HOUSE)
        refusal = refusal or roster.get("quarantined", {}).get(HOUSE) or (not is_old and roster["failed"])
        if refusal:
            sys.exit(refusal)
        if not roster["ended"] and self.members.get(HOUSE, {}).get("session") != self.session:
            self.publish(f"hosts/{HOUSE}", self.announcement("there"), retain=True)

    def read_batch(self, level: str, batch: JSON) -> None:
        """Keep the messages of another host, by the last level of the topic, if they are of its present session."""
        host = next((host for host in self.members if quote(host, safe="") == level), None)
        if host is not None and batch["session"] == self.members[host]["session"]:
            for each in batch["rounds"]:
                messages = {(message["sender"], message["seq"]): message for message in each["messages"]}
                self.inbox[each["step"]][host] |= messages

    def missing(self) -> list[str]:
        """Return the hosts whose messages for the granted round have not all arrived."""
        if not self.grant:
            return []
        expected, arrived = self.grant["expected"][HOUSE], self.inbox[self.grant["step"] - 1]
        return [host for host, count in expected.items() if len(arrived[host]) < count]

    def run_round(self, grant: JSON) -> None:
        """Deliver the messages, let the agent act, send what it says, and answer the clock."""
        agent, step = self.agent, grant["step"]
        agent.now_s, agent.step, agent.is_closing = grant["time"], step, grant["phase"] == "closing"
        by_host = self.inbox.pop(step - 1, {})
        for (sender, _), message in sorted(pair for messages in by_host.values() for pair in messages.items()):
            if message["re"] is not None and agent.asking.get(message["re"]) == sender:
                del agent.asking[message["re"]]
                agent.answers[message["re"]] = message["body"]
            else:
                agent.events.append((sender, message["body"]))
        for lost in grant["lost"]:
            agent.events.append((lost, {"kind": "Cancel", "reason": "its household is lost"}))
        for number, asked in list(agent.asking.items()):
            if grant.get("lapse") or asked in grant["lost"]:
                del agent.asking[number]
                agent.answers[number] = None
        next(self.work)
        moment = {key: grant[key] for key in ("step", "time", "round")}
        batches: dict[str, list[JSON]] = defaultdict(list)
        for message in agent.outbox:
            host = next(host for host, member in self.members.items() if message["to"] in member["agents"])
            batches[host].append(message)
        agent.outbox = []
        us = {"v": 6, "session": self.session}
        self.sent = {step: {}, **dict(list(self.sent.items())[:1])}
        for host, messages in batches.items():
            self.sent[step][host] = us | {"rounds": [moment | {"messages": messages}]}
            self.publish(f"inbox/{quote(host, safe='')}/{HOUSE}", self.sent[step][host])
        sent = {host: len(messages) for host, messages in batches.items()}
        self.done = us | moment | {"sent": sent, "next": agent.next_s}
        self.done |= ({"asking": True} if agent.asking else {}) | ({"resume": agent.resume} if agent.resume else {})
        self.publish(f"done/{HOUSE}", self.done)
        self.grant, self.has_ended = {}, grant["phase"] == "end"


if __name__ == "__main__":
    Host().run()
