"""A stand-in for the gateway: it answers a device as docs/devices.md says, and holds the device to it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from broker.transport import Bus, Delivery

START_S = 1_782_021_600


@dataclass
class StandIn:
    """One run's gateway; contracts start at once."""

    bus: Bus
    run: str
    heard: list[tuple[str, Any, bool]] = field(default_factory=list)
    """What devices said: topic below the device, content, whether it was retained."""
    states: list[str] = field(default_factory=list)
    """States of the job, in order."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self) -> None:
        """Answer until cancelled."""
        async for event in self.bus.messages():
            if isinstance(event, Delivery) and event.payload:
                _, _, _, device, what = event.topic.split("/")
                if what in {"announce", "availability", "request", "withdraw", "report", "forecast"}:
                    text = event.payload.decode()
                    await self._take(device, what, json.loads(text) if text[0] == "{" else text, event.retain)

    async def _take(self, device: str, what: str, content: Any, retained: bool) -> None:  # noqa: FBT001
        self.heard.append((what, content, retained))
        if what == "request":
            await self._job(device, content["id"], "SCHEDULED")
            command = {"v": 1, "command": "start", "id": content["id"], "time": START_S}
            for _ in range(2):  # a device may get a command twice, and starts once
                await self._say(device, "set", command)
        elif what == "report" and content.get("state") in {"EXECUTING", "FINISHED"}:
            await self._job(device, content["id"], content["state"])
        self.changed.set()

    async def _job(self, device: str, job: str, state: str) -> None:
        if self.states[-1:] != [state]:
            self.states.append(state)
            content = {
                "v": 1,
                "id": job,
                "state": state,
                "suppliers": [],
                "start": START_S,
                "outcome": "",
                "time": START_S,
            }
            await self._say(device, "job", content, retain=True)

    async def _say(self, device: str, what: str, content: Any, *, retain: bool = False) -> None:
        topic = f"ssmic/{self.run}/devices/{device}/{what}"
        await self.bus.publish(topic, json.dumps(content).encode(), qos=1, retain=retain)
