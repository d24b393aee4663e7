"""The link of a process to its real devices: one connection to the broker, and a port for each host with devices.

The run never waits for it. Messages from a device are kept until its host's next round; messages to a device leave
through a queue.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple, TypeGuard

import structlog

from agents import (
    DeviceCommand,
    DeviceEvent,
    DeviceNotice,
    DeviceSaid,
    Occupied,
    Vacated,
)
from broker import BrokerUnreachableError
from broker.hosts import Incoming, Instruction
from broker.protocol import topics
from broker.transport import Broker, Bus, Delivery, Subscriptions, leave_gracefully
from scenarios.devices.adapter import Adapter, Language, OutgoingMessage
from scenarios.devices.adapters import address_of, languages_of
from scenarios.devices.device_places import DevicePlaces, DeviceRefusal
from scenarios.devices.device_port import DevicePort
from scenarios.devices.message_limits import WaitingMessage
from scenarios.devices.payloads import PARTS
from scenarios.devices.switch_claims import ASK_EVERY_WALL_S, SILENT_WALL_S, ClaimOutcome, Claims, switch_id
from scenarios.devices.translator import DeviceTranslator
from scenarios.devices.unheard_values import SILENT_AFTER_WALL_S, UnheardValues
from scenarios.gateways import Gateway
from scenarios.zone import Zone

log = structlog.get_logger(__name__)

RETAINED_NOTICES = frozenset({"job", "state"})
PARTS_TO_DEVICES = RETAINED_NOTICES | {"error", "set"}
"""Last levels of the topics that a gateway writes."""
_CLAIMS_WALL_S = 5.0
"""How long the broker may take to pass on the claims of this process, wall-clock seconds."""
_NO_CLAIMS = "another run that commands the same devices will not be noticed"
_NEW_RULES = "access to ssmic/+/claims/+; `ssmic broker init` grants it"
_CLEARED_PARTS = (*PARTS, *sorted(RETAINED_NOTICES))
"""Topics on which nothing stays when the run has ended; a device may have retained even a request, by mistake."""
_COMMAND, _NOTICE, _LAST = range(3)
"""Order of sending: commands precede notices."""


class _Outgoing(NamedTuple):
    """A message to a device that waits to be published; a tuple, as many are compared, by their first two values."""

    rank: int
    number: int
    """Its position in the order of instructions."""
    topic: str
    payload: bytes
    qos: int
    retain: bool
    filters: tuple[str, ...] = ()
    """Instead of a message, topics to subscribe to."""


class DeviceLink:
    """The connection of a process to the devices of its gateway agents."""

    def __init__(
        self,
        run: str,
        broker: Broker,
        hosts: Mapping[str, Iterable[Gateway]],
        adapters: Mapping[str, Adapter],
        zone: Zone,
        *,
        keep: bool = False,
        has_all_devices: bool = True,
        may_return: bool = False,
        simulated: Collection[tuple[str, str]] = (),
        start_s: int = 0,
    ) -> None:
        """Create a link.

        Args:
            run: The run's id.
            broker: Where the devices are.
            hosts: By host of this process, the gateways of the agents that live there.
            adapters: By agent id, the adapter of each device that does not use our topics.
            zone: In which `HH:MM` counts.
            keep: Whether retained messages stay when the run has ended.
            has_all_devices: Whether no other process of the run has devices. Then a device unknown here has no place in
                the run, and receives an error.
            may_return: Whether this process, once interrupted, can be started again and continue the run. Then what is
                retained for its devices stays.
            simulated: House and id of each device of the scenario that is not real.
            start_s: Virtual time until the first round, UNIX seconds.
        """
        self._run = run
        self._may_return = may_return
        self._broker = broker
        self._keep = keep
        self._adapters = dict(adapters)
        languages: dict[str, Language] = {}
        self._ports: dict[str, DevicePort] = {}
        self._port_of: dict[str, DevicePort] = {}
        self._devices = DevicePlaces(has_all_devices=has_all_devices, simulated=simulated)
        for host, members in hosts.items():
            gateways = tuple(members)
            languages |= languages_of(gateways)
            port = self._ports[host] = DevicePort(self)
            for gateway in gateways:
                self._port_of[gateway.agent] = port
                self._devices.add(gateway)
        self._translator = DeviceTranslator(self._devices, self._adapters, languages, zone)
        self._readers = Subscriptions[str]()
        """By filter of a maker's topics, the ids of the devices whose adapters read them."""
        for device, gateway in self._devices.items():
            if (adapter := self._adapters.get(gateway.agent)) is not None:
                for topic_filter in adapter.filters():
                    self._readers.add(topic_filter, device)
        self._unheard = UnheardValues(run, self._devices.values())
        self._claims = Claims(run, secrets.token_hex(8), self._switches())
        self._occupied: dict[str, Gateway] = {}
        """By agent, devices of whose occupation it was informed."""
        self._claims_changed = asyncio.Event()
        self._has_begun = False
        """Whether a host of this process takes part in the run; it may be refused, as another process has its id."""
        self._is_listening = False
        """Whether messages of the devices that this run commands arrive."""
        self._retained: dict[str, bytes] = {}
        self._outgoing: asyncio.PriorityQueue[_Outgoing] = asyncio.PriorityQueue()
        self._count = 0
        self._now_s = start_s

    def port(self, host: str) -> DevicePort | None:
        """Return the port of a host; None: no device belongs to it."""
        return self._ports.get(host)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Stay connected to the devices for the duration of the context.

        Raises:
            BrokerUnreachableError, BrokerLostError: See `broker.transport`.
        """
        if not self._ports:
            yield
            return
        async with self._broker.connect(f"{self._run}-devices-{secrets.token_hex(8)}") as bus:
            largest = (adapter.largest_bytes for adapter in self._adapters.values())
            bus.largest_bytes = max(largest, default=bus.largest_bytes)
            try:
                async with asyncio.TaskGroup() as tasks:
                    await self._subscribe(bus)
                    working = [
                        tasks.create_task(self._read(bus), name="devices.read"),
                        tasks.create_task(self._ask_for_claims(), name="devices.claims"),
                        tasks.create_task(self._report_unheard(), name="devices.unheard"),
                    ]
                    writing = tasks.create_task(self._write(bus), name="devices.write")
                    try:
                        await self._settle_claims()
                        await self._hear_switches(bus)
                        yield
                        self._queue(_LAST)
                        await writing
                    finally:
                        for task in (*working, writing):
                            task.cancel()
                        if self._has_begun:
                            self._unheard.report(self._occupied_ids(), is_over=True)
            except BaseException as error:
                if not self._has_begun and isinstance(error, Exception):
                    raise  # what is at the broker may be that of another process with the run's id
                await leave_gracefully(self._tidy_up(bus, is_over=self._has_begun and not self._may_return))
                raise
            await self._tidy_up(bus, is_over=True)

    async def _report_unheard(self) -> None:
        await asyncio.sleep(SILENT_AFTER_WALL_S)
        self._unheard.report(self._occupied_ids(), is_over=False)

    def _occupied_ids(self) -> set[str]:
        return {gateway.id for gateway in self._occupied.values()}

    def _switches(self) -> dict[str, Gateway]:
        """Return the devices behind a switch that another run might command too, by the id of the switch."""
        switched = [gateway for gateway in self._devices.values() if gateway.agent in self._adapters]
        return {
            switch_id(address): gateway
            for gateway in switched
            if self._adapters[gateway.agent].is_switched and (address := address_of(gateway)) is not None
        }

    async def _subscribe(self, bus: Bus) -> None:
        await self._subscribe_to_ours(bus)
        claims = self._claims.filters
        try:
            if claims:
                await bus.subscribe(*claims, qos=1)
                self._follow(self._claims.connected(_wall_s()))
        except BrokerUnreachableError as error:
            log.warning(_NO_CLAIMS, reason=str(error), remedy=_NEW_RULES)
            self._follow(self._claims.give_up())

    async def _subscribe_to_ours(self, bus: Bus) -> None:
        """Subscribe to our own device topics, and to as many topics of unknown devices as the login may read.

        If it may read all of them, misspelt topics are included. So are our own messages, because MQTT 3.1.1 cannot
        leave them out.
        """
        choices: list[list[str]] = []
        if self._devices.has_all_devices or self._devices.takes_guests:
            choices += [[topics.devices(self._run)], [topics.devices(self._run, part) for part in PARTS]]
        if not self._devices.takes_guests:
            choices += [
                [topics.device_topics(self._run, device) for device in self._devices],
                [topics.device(self._run, device, part) for device in self._devices for part in PARTS],
            ]
        for filters in choices:
            try:
                await bus.subscribe(*filters, qos=1)
            except BrokerUnreachableError:
                if filters is choices[-1]:
                    raise
            else:
                return

    async def _hear_switches(self, bus: Bus) -> None:
        """Read the makers' topics of the devices that this run commands, and ask for their states."""
        heard = [agent for agent in self._adapters if self._claims.holds(agent)]
        filters = self._filters_of(heard)
        if filters:
            await bus.subscribe(*filters, qos=1)
        self._ask_devices(heard)
        self._is_listening = True

    def _filters_of(self, agents: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(topic for agent in agents for topic in self._adapters[agent].filters()))

    def _ask_devices(self, agents: Iterable[str]) -> None:
        for agent in agents:
            if self._claims.holds(agent):
                self._send(self._adapters[agent].on_connect())

    async def _tidy_up(self, bus: Bus, *, is_over: bool) -> None:
        """Remove what is retained at the broker.

        Args:
            bus: The connection.
            is_over: Whether the run has ended; if only this process has, what its devices have said stays.
        """
        for message in self._claims.release():
            await bus.publish(message.topic, message.payload, qos=1, retain=message.retain)
        if is_over and not self._keep:
            for device in self._devices:
                for part in _CLEARED_PARTS:
                    await bus.publish(topics.device(self._run, device, part), b"", qos=1, retain=True)
        await bus.flush()

    # Claims on switches that other runs might command too.

    async def _settle_claims(self) -> None:
        """Wait until it is known who commands each switch; at least, the broker must return our own claims."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLAIMS_WALL_S):
                await self._until_settled()
                return
        unverified = self._claims.unverified()
        for device, run in unverified.items():
            log.warning(
                "device is claimed by a run that does not answer", device=device, run=run, waiting_wall_s=SILENT_WALL_S
            )
        if not unverified:
            log.warning(_NO_CLAIMS, reason="the broker does not pass them on", remedy=_NEW_RULES)
        with suppress(TimeoutError):
            async with asyncio.timeout(SILENT_WALL_S if unverified else 0.0):
                await self._until_settled()
        self._follow(self._claims.give_up())

    async def _until_settled(self) -> None:
        while not self._claims.is_settled:
            self._claims_changed.clear()
            await self._claims_changed.wait()

    async def _ask_for_claims(self) -> None:
        while True:
            await asyncio.sleep(ASK_EVERY_WALL_S)
            if self._claims.is_waiting:
                self._follow(self._claims.look_again(_wall_s()))

    def _follow(self, outcome: ClaimOutcome) -> None:
        """Publish messages about claims, and inform the agents of the consequences."""
        for message in outcome.messages:
            self._queue(_COMMAND, message.topic, message.payload, retain=message.retain)
        for gateway, run in outcome.occupied:
            self._occupied[gateway.agent] = gateway
            self._port_of[gateway.agent].note(gateway, Occupied(run=run))
        for gateway in outcome.gained:
            if self._occupied.pop(gateway.agent, None) is not None:
                log.info("device is no longer commanded by another run", device=gateway.id)
                self._port_of[gateway.agent].note(gateway, Vacated())
        if outcome.gained and self._is_listening:
            gained = [gateway.agent for gateway in outcome.gained]
            self._queue(_COMMAND, filters=self._filters_of(gained))
            self._ask_devices(gained)
        self._claims_changed.set()

    # Messages from devices.

    async def _read(self, bus: Bus) -> None:
        async for event in bus.messages():
            if isinstance(event, Delivery):
                self._take(event)
                continue
            for topic, payload in self._retained.items():
                self._queue(_NOTICE, topic, payload, retain=True)
            self._follow(self._claims.connected(_wall_s()))
            self._ask_devices(self._adapters)

    def _take(self, delivery: Delivery) -> None:
        """Dispatch a message. No message should raise an exception, but if one does, the run continues for others."""
        try:
            self._sort(delivery)
        except Exception:
            log.exception("device message not understood", topic=delivery.topic)

    def _sort(self, delivery: Delivery) -> None:
        address = topics.parse(delivery.topic)
        if address is not None and address.kind == "claims":
            self._follow(self._claims.take(delivery, _wall_s()))
            return
        if address is not None and address.kind == "devices":
            device, part = address.ids
            if part not in PARTS:
                self._correct_part(device, part, delivery.payload)
                return
            gateway = self._devices.get(device) or self._welcome(device, part, delivery.payload)
            if gateway is not None:
                self._put(
                    WaitingMessage(gateway, device, part, delivery.payload, is_ours=True, retained=delivery.retain)
                )
            return
        readers = self._read_by(delivery.topic, delivery.payload)
        if address is None and delivery.payload and not readers:
            if (misspelt := topics.misspelt_device(self._run, delivery.topic)) is not None:
                self._correct_topic(misspelt, delivery.topic, delivery.payload)
            elif (too_deep := topics.too_deep(self._run, delivery.topic)) is not None:
                self._correct_part(*too_deep, delivery.payload)
        for gateway in readers:
            self._send(self._adapters[gateway.agent].new_questions())
            self._put(
                WaitingMessage(
                    gateway, gateway.id, delivery.topic, delivery.payload, is_ours=False, retained=delivery.retain
                )
            )

    def _read_by(self, topic: str, payload: bytes) -> list[Gateway]:
        """Return the devices whose adapters read a topic; bridges have topics that concern all of theirs."""
        return [
            gateway
            for gateway in map(self._devices.__getitem__, self._readers.find(topic))
            if self._adapters[gateway.agent].concerns(topic, payload) and self._claims.holds(gateway.agent)
        ]

    def _put(self, message: WaitingMessage) -> None:
        self._port_of[message.gateway.agent].put(message)

    def _welcome(self, device: str, part: str, payload: bytes) -> Gateway | None:
        """Give a device that is not in the scenario a place, or tell it why it gets none."""
        found = self._devices.welcome(device, part, payload)
        if isinstance(found, DeviceRefusal):
            self._refuse(device, part, payload, found)
            return None
        return found

    def _correct_part(self, device: str, part: str, payload: bytes) -> None:
        """Tell a device, known or not, that it writes to an unknown topic; its agent does not get the message."""
        if not payload or part in PARTS_TO_DEVICES:
            return
        refusal = self._devices.refuse_part(device, part, payload)
        if refusal is not None:
            self._refuse(device, part, payload, refusal)

    def _refuse(self, device: str, part: str, payload: bytes, refusal: DeviceRefusal) -> None:
        log.warning("device refused", device=device, topic=part, **refusal.in_words)
        content = refusal.as_error(part, payload, self._now_s)
        self._publish(DeviceNotice(part="error", device=device, content=content))

    def _correct_topic(self, misspelt: topics.MisspeltDevice, topic: str, payload: bytes) -> None:
        """Tell a device in whose topics its id is not percent-encoded how it is written there."""
        if misspelt.part in PARTS_TO_DEVICES:
            return
        refusal = self._devices.refuse_topic(misspelt.level, misspelt.problem, misspelt.expected)
        if refusal is not None:
            content = refusal.as_error(misspelt.part, payload, self._now_s)
            log.warning("device refused", topic=topic, **refusal.in_words)
            self._queue(_NOTICE, misspelt.error_topic, _json({"v": 1, **content}))

    def note_time(self, now_s: int) -> None:
        """See `Interpreter.note_time`."""
        self._now_s = now_s

    def translate(self, message: WaitingMessage, now_s: int) -> Sequence[DeviceEvent]:
        """Return what a message says, at the virtual time at which it is taken."""
        said = self._translator.events_of(message, now_s)
        self._unheard.note(message.device, said)
        return said

    def message_id(self, message: WaitingMessage) -> str:
        """Return what an answer to a message names it by; see `DeviceSaid.message_id`."""
        return self._translator.message_id(message)

    # Messages to devices.

    def restore(self, taken: Sequence[Incoming], instructions: Sequence[Instruction], now_s: int) -> None:
        """Restore the input from before a restart: see `Port.restore` for `taken`, `instructions` and `now_s`."""
        self._now_s = now_s
        left: set[str] = set()
        for incoming in taken:
            message = incoming.message
            if isinstance(message, DeviceSaid):
                self._devices.restore(incoming.agent, message, left)
        last = {one.agent: message.said for one in taken if _is_on_claims(message := one.message)}
        for agent, said in last.items():
            gateway = next((gateway for gateway in self._devices.values() if gateway.agent == agent), None)
            if isinstance(said, Occupied) and gateway is not None and self._claims.holds(agent):
                self._port_of[agent].note(gateway, Vacated())
        for instruction in instructions:
            if isinstance(instruction.content, DeviceNotice) and instruction.content.part in RETAINED_NOTICES:
                self._publish(instruction.content)

    def carry_out(self, instructions: Sequence[Instruction], now_s: int) -> None:
        """See `Port.carry_out`."""
        self._now_s, self._has_begun = now_s, True
        for instruction in instructions:
            match instruction.content:
                case DeviceNotice() as notice:
                    self._publish(self._translator.answered(instruction.agent, notice))
                case DeviceCommand() as command:
                    self._command(instruction.agent, command)

    def _command(self, agent: str, command: DeviceCommand) -> None:
        adapter = self._adapters.get(agent)
        log.debug("device commanded", device=command.device, command=command.command, job=command.job)
        if adapter is not None and self._claims.holds(agent):
            self._send(adapter.command(command))
        if adapter is None and command.command == "start":
            topic = topics.device(self._run, command.device, "set")
            for payload in self._translator.start_messages(agent, command):
                self._queue(_COMMAND, topic, payload)

    def _send(self, messages: Sequence[OutgoingMessage]) -> None:
        for message in messages:
            self._queue(_COMMAND, message.topic, message.payload, qos=message.qos)

    def _publish(self, notice: DeviceNotice) -> None:
        topic = topics.device(self._run, notice.device, notice.part)
        payload = _json({"v": 1, **notice.content})
        retain = notice.part in RETAINED_NOTICES
        if retain:
            self._retained[topic] = payload
        self._queue(_NOTICE, topic, payload, retain=retain)

    def _queue(
        self,
        rank: int,
        topic: str = "",
        payload: bytes = b"",
        *,
        qos: int = 1,
        retain: bool = False,
        filters: tuple[str, ...] = (),
    ) -> None:
        self._count += 1
        self._outgoing.put_nowait(_Outgoing(rank, self._count, topic, payload, qos, retain, filters))

    async def _write(self, bus: Bus) -> None:
        last_rank = _NOTICE
        while (message := await self._outgoing.get()).rank != _LAST:
            if last_rank == _COMMAND and message.rank == _NOTICE:
                await asyncio.sleep(0)  # the commands leave before notices, of which there are more, are encoded
            last_rank = message.rank
            if message.filters:
                await bus.subscribe(*message.filters, qos=message.qos)
            else:
                await bus.publish(message.topic, message.payload, qos=message.qos, retain=message.retain)


def _is_on_claims(message: object) -> TypeGuard[DeviceSaid]:
    return isinstance(message, DeviceSaid) and isinstance(message.said, Occupied | Vacated)


def _wall_s() -> float:
    return asyncio.get_running_loop().time()


def _json(content: object) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
