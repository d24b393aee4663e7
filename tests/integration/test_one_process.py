"""Messages within a process are not encoded as JSON, and those within a host do not wait for the broker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given, settings, strategies as st

from agents.manager.ledger import LedgerEntry
from broker.protocol import Batch, Envelope, Envelopes, envelopes_of, topics
from broker.transport.base import Content, Delivery
from broker.transport.memory import MemoryBroker
from scenarios.load import load_scenario
from scenarios.results import RecordedEnd
from scenarios.scenario import Scenario
from scenarios.simulation.outcome import RunOutcome
from scenarios.simulation.run import run_scenario
from scenarios.simulation.settings import RunSettings

STREET = load_scenario("street")


class WireBroker(MemoryBroker):
    """A broker in memory that carries bytes only, as MQTT does: each payload is read and validated by its receivers."""

    def deliver(self, topic: str, payload: bytes | Content, *, retain: bool) -> None:
        """Deliver what would leave the process."""
        for piece in (payload,) if isinstance(payload, bytes) else payload.payloads():
            super().deliver(topic, piece, retain=retain)


class Heard:
    """Records the messages of a run (`scenarios.simulation.recording.Recorder`)."""

    messages = 0
    negotiations = 0
    last_message_s = 0
    seen: Mapping[str, int] = {}
    realised: Sequence[tuple[str, dict[str, Any]]] = ()

    def __init__(self) -> None:
        self.said: set[tuple[Any, ...]] = set()

    def message(
        self, time_s: int, round_: int, sender: str, seq: int, to: str, kind: str, body: dict[str, Any]
    ) -> None:
        """Record a message."""
        self.said.add((time_s, round_, sender, seq, to, kind, json.dumps(body, sort_keys=True)))

    def entry(self, entry: LedgerEntry) -> None:
        """Contracts are compared by the ledger."""

    def commit(self) -> bool:
        """There is no file."""
        return True

    def finish(self, end: RecordedEnd) -> None:
        """The outcome is compared by itself."""


def run(
    scenario: Scenario, broker: MemoryBroker, seed: int, hosts: int | None
) -> tuple[RunOutcome, set[tuple[Any, ...]]]:
    """Run once; return the outcome and the recorded messages."""
    heard = Heard()
    run_settings = RunSettings(seed=seed, run_id="r", hosts=hosts)
    return asyncio.run(run_scenario(scenario, run_settings, broker, recorder=heard)), heard.said


@settings(max_examples=3)
@given(
    st.sampled_from(["street", "scarce", "late-joiner", "wrong-forecast"]),
    st.integers(0, 10**6),
    st.sampled_from([1, 2, None]),
)
def test_messages_in_memory_are_those_that_would_have_been_sent_as_json(
    name: str, seed: int, hosts: int | None
) -> None:
    """The same ledger and the same recorded messages, value for value, whether they leave the process or not."""
    scenario = load_scenario(name)
    in_memory, said = run(scenario, MemoryBroker(), seed, hosts)
    as_json, sent = run(scenario, WireBroker(), seed, hosts)
    assert in_memory.ledger_sha256 == as_json.ledger_sha256
    assert in_memory.rounds == as_json.rounds
    assert len(said) == in_memory.messages
    assert said == sent


def heard_by_a_watcher(hosts: int | None) -> tuple[RunOutcome, list[Delivery]]:
    """Run the street in memory; return everything that a watcher of the run receives."""

    async def main() -> tuple[RunOutcome, list[Delivery]]:
        broker = MemoryBroker()
        heard: list[Delivery] = []
        async with broker.connect("watcher") as bus:
            await bus.subscribe(topics.everything("r"))
            outcome = await run_scenario(STREET, RunSettings(seed=1, run_id="r", hosts=hosts), broker)
            while not bus.receive_queue.is_empty:
                event = await anext(bus.messages())
                if isinstance(event, Delivery):
                    heard.append(event)
        return outcome, heard

    return asyncio.run(main())


def test_a_watcher_sees_the_messages_between_agents_of_one_host() -> None:
    """It receives all of them as valid payloads, in fewer batches than there are rounds, and none over an inbox."""
    outcome, heard = heard_by_a_watcher(1)
    kinds = [topics.parse(delivery.topic).kind for delivery in heard]  # type: ignore[union-attr]  # all topics are known
    batches = [
        envelopes_of(Batch.model_validate_json(delivery.payload))
        for kind, delivery in zip(kinds, heard, strict=True)
        if kind == "local"
    ]
    assert sum(map(len, batches)) == outcome.messages
    assert len(batches) < outcome.rounds / 2
    assert "inbox" not in kinds
    assert kinds.count("grant") + kinds.count("grants") == kinds.count("done") < outcome.rounds / 2


def test_hosts_send_each_other_one_batch_a_round_and_get_common_grants_once() -> None:
    """However many of their agents talk to each other."""
    outcome, heard = heard_by_a_watcher(2)
    pairs: list[tuple[str, int]] = []
    messages = grants = dones = 0
    for delivery in heard:
        kind = topics.parse(delivery.topic).kind  # type: ignore[union-attr]  # all topics are known
        if kind == "inbox":
            envelopes = envelopes_of(Batch.model_validate_json(delivery.payload))
            pairs.append((delivery.topic, envelopes[0].step))
            assert {envelope.step for envelope in envelopes} == {envelopes[0].step}
        if kind in {"inbox", "local"}:
            messages += len(envelopes_of(Batch.model_validate_json(delivery.payload)))
        grants += kind in {"grant", "grants"}
        dones += kind == "done"
    assert messages == outcome.messages
    assert len(pairs) == len(set(pairs))
    assert grants < dones


def test_a_batch_that_is_too_large_is_sent_in_several() -> None:
    """Each is within the limit, and together they contain all messages in order."""
    texts = ["x" * 200_000, "y" * 200_000, "z" * 200_000, "w"]
    envelopes = [
        Envelope(session="s", step=1, time=0, round=0, sender="a", seq=n, to="b", body={"kind": "Ping", "text": text})
        for n, text in enumerate(texts)
    ]
    payloads = Envelopes(envelopes).payloads()
    found = [envelope for payload in payloads for envelope in envelopes_of(Batch.model_validate_json(payload))]
    assert len(payloads) > 1
    assert max(map(len, payloads)) <= 512 * 1024
    assert found == envelopes
