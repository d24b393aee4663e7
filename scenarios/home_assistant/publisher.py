"""Publishes a run for Home Assistant while it is in progress, and removes everything at its end.

It does not influence the run: it reads the run's state twice a second, and has its own connection. A failure here is
logged, and the run continues.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar
from urllib.parse import unquote

import structlog
from pydantic import BaseModel

from broker import ProtocolError, SsmicError
from broker.protocol import RejectedMessages, decode
from broker.protocol.topics import encode, parse
from broker.transport import Broker, Bus, Delivery, Will, leave_gracefully
from scenarios.devices import DeviceJob, DeviceState
from scenarios.home_assistant.entities import (
    PREFIX,
    HomeAssistantDevice,
    RunSnapshot,
    base_topic,
    devices_of,
    real_consumer,
    states_at,
    status_topic,
)
from scenarios.scenario import Scenario

_log = structlog.get_logger(__name__)
_Said = TypeVar("_Said", bound=BaseModel)

EVERY_WALL_S = 0.5
_BIRTH = f"{PREFIX}/status"
_DEFAULT_READY_BY = "in 8 h"
_TO_COME = frozenset({"NOT_SCHEDULED", "SCHEDULED"})
"""States of jobs that have not begun."""
_MOST_JOBS_TO_COME = 100
"""Number of jobs remembered for each device; the oldest are forgotten."""
_MOST_DEVICES = 10_000
"""Number of devices whose jobs are remembered; a household could invent any number of them."""


@asynccontextmanager
async def shown_in_home_assistant(
    broker: Broker, scenario: Scenario, run: str, snapshot: Callable[[], RunSnapshot], *, keep: bool = False
) -> AsyncIterator[None]:
    """Show a run in Home Assistant for the duration of the context.

    Args:
        broker: The run's broker, which Home Assistant is connected to.
        scenario: The neighbourhood.
        run: Id of the run.
        snapshot: Returns the state of the run.
        keep: Whether what was published stays at the broker.
    """
    publisher = _Publisher(scenario, run, snapshot, keep=keep)
    task = asyncio.create_task(publisher.run(broker), name="home assistant")
    try:
        yield
    finally:
        publisher.ending.set()
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            await leave_gracefully(_until_ended(task))  # it takes back what it has published
            raise
        finally:
            task.cancel()


async def _until_ended(task: asyncio.Task[None]) -> None:
    await asyncio.wait([task])


class _Publisher:
    def __init__(self, scenario: Scenario, run: str, snapshot: Callable[[], RunSnapshot], *, keep: bool) -> None:
        self.ending = asyncio.Event()
        self._scenario, self._run, self._snapshot, self._keep = scenario, run, snapshot, keep
        self._shown: dict[str, HomeAssistantDevice] = {}
        self._on_request = {
            agent: encode(gateway.id)
            for agent, gateway in scenario.gateways.items()
            if gateway.id and gateway.type == "consumer"
        }
        """Gateway id in topics by agent, for the consumers that are real devices; guests are added when they join."""
        self._declared = {gateway.id for gateway in scenario.gateways.values() if gateway.id}
        self._guests: dict[str, str] = {}
        """Names of the guests that have joined, by agent."""
        self._ready_by: dict[str, str] = {}
        self._jobs: dict[str, str | None] = {}
        """The next job of each such agent, if it has not begun, as its gateway says."""
        self._to_come: dict[str, dict[str, None]] = {}
        """Jobs that have not begun, by gateway id in topics, the newest last."""
        self._real: dict[str, DeviceState] = {}
        """What the gateway of each such agent said last."""
        self._said: dict[str, bytes] = {}
        self._requests = 0
        self._rejected = RejectedMessages("home-assistant")

    async def run(self, broker: Broker) -> None:
        """Publish until `ending` is set."""
        will = Will(status_topic(self._run), b"offline")
        try:
            async with broker.connect(f"ssmic-ha-{secrets.token_hex(4)}", will) as bus:
                hearing = asyncio.create_task(self._hear(bus), name="home assistant commands")
                try:
                    commands = f"{base_topic(self._run)}/+/+/set"
                    await bus.subscribe(_BIRTH, commands, self._of_devices("state"), self._of_devices("job"), qos=1)
                    await bus.publish(status_topic(self._run), b"online", qos=1, retain=True)
                    await self._discover(bus)
                    while not self.ending.is_set():
                        await self._publish_states(bus)
                        with suppress(TimeoutError):
                            async with asyncio.timeout(EVERY_WALL_S):
                                await self.ending.wait()
                    await self._publish_states(bus)
                finally:
                    hearing.cancel()
                    self._rejected.log_suppressed()
                    await leave_gracefully(self._take_back(bus))
        except SsmicError as error:
            _log.warning("Home Assistant is not kept up to date", run=self._run, reason=str(error))
        except Exception:  # noqa: BLE001 - see the module
            _log.exception("Home Assistant is not kept up to date", run=self._run)

    def _of_devices(self, part: str) -> str:
        return f"ssmic/{encode(self._run)}/devices/+/{part}"

    async def _discover(self, bus: Bus, agent: str | None = None) -> None:
        """Publish the discovery of an agent; None: of all."""
        for shown in devices_of(self._scenario, self._run, self._on_request, self._guests):
            if agent not in {None, shown.key}:
                continue
            self._shown[shown.key] = shown
            content = json.dumps(shown.config, ensure_ascii=False, separators=(",", ":"))
            await bus.publish(shown.config_topic, content.encode(), qos=1, retain=True)

    async def _publish_states(self, bus: Bus) -> None:
        states = await asyncio.to_thread(states_at, self._scenario, self._snapshot())
        for key, computed in states.items():
            state = computed
            if key in self._on_request:
                said = real_consumer(self._scenario, self._real[key]) if key in self._real else {}
                state = {**computed, **said, "ready_by": self._ready_by.get(key, _DEFAULT_READY_BY)}
            content = json.dumps(state, ensure_ascii=False, separators=(",", ":")).encode()
            shown = self._shown.get(key)
            if shown is not None and self._said.get(key) != content:
                self._said[key] = content
                await bus.publish(shown.state_topic, content, qos=1, retain=True)

    async def _hear(self, bus: Bus) -> None:
        async for event in bus.messages():
            if not isinstance(event, Delivery):
                await bus.publish(status_topic(self._run), b"online", qos=1, retain=True)
                await self._show_again(bus)
                continue
            try:
                await self._take(bus, event)
            except ProtocolError as error:
                self._rejected.reject(event.topic, error)
            except SsmicError:
                raise
            except Exception:  # noqa: BLE001 - one message keeps no other from being shown
                _log.exception("message dropped", topic=event.topic)

    async def _take(self, bus: Bus, event: Delivery) -> None:
        if event.topic == _BIRTH:
            if event.payload == b"online":
                await self._show_again(bus)
        elif event.topic.endswith("/set"):
            if not event.retain:
                await self._command(bus, event)
        elif event.topic.endswith("/job"):
            self._take_job(event)
        else:
            await self._device(bus, event)

    async def _show_again(self, bus: Bus) -> None:
        """Publish everything again: Home Assistant, or the broker, has restarted."""
        self._said.clear()
        await self._discover(bus)

    async def _device(self, bus: Bus, event: Delivery) -> None:
        """Learn what real devices do, and which of them have joined."""
        said = _read(DeviceState, event)
        if said is None:
            return
        agent, device = said.agent, event.topic.split("/")[-2]
        if not self._is_of(agent, unquote(device)):
            return
        is_new = self._welcome(agent, said)
        if said.type == "consumer":
            self._real[agent] = said
            self._jobs[agent] = said.job if said.state in _TO_COME else None
            is_new |= self._on_request.get(agent) != device
            self._on_request[agent] = device
        if is_new:
            self._said.pop(agent, None)
            await self._discover(bus, agent)

    def _is_of(self, agent: str, device: str) -> bool:
        """Return whether an agent represents a device: its own, or any that is not declared if it is for guests."""
        gateway = self._scenario.gateways.get(agent)
        if gateway is None:
            return False
        return gateway.id == device if gateway.id else device not in self._declared

    def _welcome(self, agent: str, said: DeviceState) -> bool:
        """Take who has a place for a guest; return whether that is another one than before."""
        name = said.name or said.device or agent
        if self._scenario.gateways[agent].id or self._guests.get(agent) == name:
            return False
        self._on_request.pop(agent, None)
        self._guests[agent] = name
        return True

    def _take_job(self, event: Delivery) -> None:
        """Learn which jobs of a real device could be withdrawn."""
        said, device = _read(DeviceJob, event), event.topic.split("/")[-2]
        if said is None:
            return
        if said.state not in _TO_COME:
            self._to_come.get(device, {}).pop(said.id, None)
        elif device in self._to_come or len(self._to_come) < _MOST_DEVICES:
            to_come = self._to_come.setdefault(device, {})
            to_come[said.id] = None
            if len(to_come) > _MOST_JOBS_TO_COME:
                del to_come[next(iter(to_come))]

    async def _command(self, bus: Bus, event: Delivery) -> None:
        agent, command = (unquote(level) for level in event.topic.split("/")[-3:-1])
        gateway = self._on_request.get(agent)
        if gateway is None:
            raise ProtocolError("a command to a device that is not a real one")
        topic = f"ssmic/{encode(self._run)}/devices/{gateway}"
        match command:
            case "ready_by":
                self._ready_by[agent] = event.payload.decode(errors="replace").strip()[:40] or _DEFAULT_READY_BY
                self._said.pop(agent, None)
            case "start":
                self._requests += 1
                job_id = f"ha-{self._snapshot().now_s}-{self._requests}"
                request = {"id": job_id, "ready_by": self._ready_by.get(agent, _DEFAULT_READY_BY)}
                await bus.publish(f"{topic}/request", json.dumps(request).encode(), qos=1)
            case "withdraw":
                # While a job runs, the one that was requested last.
                job = self._jobs.get(agent) or next(reversed(self._to_come.get(gateway, {})), None)
                if job is None:
                    raise ProtocolError("there is no job to withdraw")
                await bus.publish(f"{topic}/withdraw", json.dumps({"id": job}).encode(), qos=1)

    async def _take_back(self, bus: Bus) -> None:
        if not self._keep:
            for shown in self._shown.values():
                for topic in (shown.config_topic, shown.state_topic):
                    await bus.publish(topic, b"", qos=1, retain=True)
            await bus.publish(status_topic(self._run), b"", qos=1, retain=True)
        else:
            await bus.publish(status_topic(self._run), b"offline", qos=1, retain=True)
        await bus.flush()


def _read(model: type[_Said], event: Delivery) -> _Said | None:
    """Return what the gateway of a device says; None if that is nothing.

    Raises:
        ProtocolError: It is not understood: at a broker without logins, anyone can write it.
    """
    return None if event.is_empty or parse(event.topic) is None else decode(model, event.payload)
