"""QoS 0 messages pass paho by: their packets are the same as paho's, and both readers share one stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import paho.mqtt.client as paho
import pytest
from hypothesis import given, settings, strategies as st
from paho.mqtt.enums import CallbackAPIVersion

from broker.servers.mosquitto import find_mosquitto, managed_mosquitto
from broker.transport import MqttBroker
from broker.transport.base import Delivery, Reconnected
from broker.transport.endpoint import BrokerUrl
from broker.transport.filters import check_topic
from broker.transport.socket_buffers import decode_publish, encode_publish
from tests.patience import PATIENCE_WALL_S


def is_topic(text: str) -> bool:
    """Return whether a text can be published to."""
    with suppress(ValueError):
        check_topic(text)
        return True
    return False


TOPICS = st.text(min_size=1, max_size=40).filter(is_topic)
PAYLOADS = st.one_of(st.binary(max_size=300), st.sampled_from([bytes(n) for n in (16_370, 16_384, 2_097_200)]))


def as_paho_writes_it(topic: str, payload: bytes, *, retain: bool) -> bytes:
    """Return the packet that paho would send."""
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311)
    client.on_socket_register_write = lambda *_: None
    client._sock = object()  # type: ignore[assignment]  # only has to be there
    client._send_publish(0, topic.encode(), payload, 0, retain)
    client._sock = None
    return bytes(client._out_packet[0]["packet"])


@settings(max_examples=40)
@given(topic=TOPICS, payload=PAYLOADS, retain=st.booleans(), following=st.binary(max_size=5))
def test_packets_are_what_paho_writes_and_are_read_back(
    *, topic: str, payload: bytes, retain: bool, following: bytes
) -> None:
    """This holds for any bytes behind a packet in the stream; an incomplete packet is not read."""
    packet = encode_publish(topic, payload, retain=retain)
    assert packet == as_paho_writes_it(topic, payload, retain=retain)
    assert decode_publish(b"\xd0\x00" + packet + following, 2) == (topic, payload, retain, 2 + len(packet))
    for cut in {1, 2, 3, len(packet) // 2, len(packet) - 1}:
        assert decode_publish(packet[:cut], 0) is None


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(b"\x32\x07\x00\x01a\x00\x01hi", id="QoS 1"),
        pytest.param(b"\x34\x07\x00\x01a\x00\x01hi", id="QoS 2"),
        pytest.param(b"\xd0\x00", id="answer to a ping"),
        pytest.param(b"\x30\x03\x00\x00a", id="no topic"),
        pytest.param(b"\x30\x03\x00\x02a", id="topic longer than the packet"),
        pytest.param(b"\x30\x01\x00", id="too short for a topic"),
        pytest.param(b"\x30\x03\x00\x01\xff", id="topic is not UTF-8"),
        pytest.param(b"\x30\xff\xff\xff\xff\x01\x00\x01a", id="length of five bytes"),
    ],
)
def test_everything_else_is_left_to_paho(packet: bytes) -> None:
    """It answers, or ends the connection."""
    assert decode_publish(packet, 0) is None


@asynccontextmanager
async def dribbling_link(broker_port: int) -> AsyncIterator[BrokerUrl]:
    """Pass a client's connection on to a broker, and its answers in pieces of a few bytes."""
    served: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())  # type: ignore[arg-type]  # runs in a task
        broker_reader, broker_writer = await asyncio.open_connection("127.0.0.1", broker_port)

        async def up() -> None:
            while piece := await reader.read(10_000):
                broker_writer.write(piece)

        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(up())
                size = 0
                while piece := await broker_reader.read(size % 11 + 1):
                    size += 1
                    writer.write(piece)
                    await asyncio.sleep(0)  # so that the client reads pieces, not all at once
        finally:
            broker_writer.transport.abort()
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield BrokerUrl("127.0.0.1", server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in served:
            task.cancel()
        await asyncio.wait(served)


@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
async def test_messages_of_both_qos_arrive_in_order_over_a_link_that_cuts_packets_anywhere() -> None:
    """One stream, read partly by us and partly by paho, and written so."""
    sent = [(number % 3 == 1, b"%d" % number + bytes(number)) for number in range(90)]
    async with (
        managed_mosquitto() as running,
        dribbling_link(running.url.port) as url,
        MqttBroker(url).connect("host") as host,
        asyncio.timeout(PATIENCE_WALL_S),
    ):
        await host.subscribe("a", qos=1)
        for is_confirmed, payload in sent:
            await host.publish("a", payload, qos=int(is_confirmed))
        found: list[Delivery | Reconnected] = [await anext(host.messages()) for _ in sent]
    assert found == [Delivery("a", payload, retain=False) for _, payload in sent]
