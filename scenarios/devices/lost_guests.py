"""Answers devices that announce themselves to no household of a deployment, because they misspell its name.

Each household's process knows its own houses only, so none of them can tell a misspelt house from that of another
process. The clock's process knows the whole scenario. It answers what no household does, and takes no part in anything
else that devices say: what it says changes no contract.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog

from broker import SsmicError
from broker.protocol import topics
from broker.transport import Broker, Delivery
from scenarios.devices.adapter import S2_HOUSE_KEY, MessageError, UnknownLanguageError
from scenarios.devices.device_places import AnsweredStrangers, DeviceRefusal, announced_guest, named_house, no_guests
from scenarios.mistyped_names import suggest
from scenarios.scenario import Scenario

log = structlog.get_logger(__name__)


@asynccontextmanager
async def answering_lost_guests(
    broker: Broker, scenario: Scenario, run: str, now_s: Callable[[], int]
) -> AsyncIterator[None]:
    """Answer announcements that no household takes for its own, for the duration of the context.

    Args:
        broker: Where the devices are.
        scenario: The neighbourhood.
        run: The run's id.
        now_s: Returns the virtual time, UNIX seconds.
    """
    answering = asyncio.create_task(_answer(LostGuests(scenario), broker, run, now_s), name="lost guests")
    try:
        yield
    finally:
        answering.cancel()
        await asyncio.wait([answering])


async def _answer(guests: LostGuests, broker: Broker, run: str, now_s: Callable[[], int]) -> None:
    try:
        async with broker.connect(f"{run}-lost-guests-{secrets.token_hex(8)}") as bus:
            await bus.subscribe(topics.devices(run, "announce"), qos=1)
            async for event in bus.messages():
                if not isinstance(event, Delivery):
                    continue
                found = guests.take(run, event)
                if found is not None:
                    topic, refusal = found
                    content = refusal.as_error("announce", event.payload, now_s())
                    log.warning("device refused", topic=event.topic, **refusal.in_words)
                    payload = json.dumps({"v": 1, **content}, ensure_ascii=False, separators=(",", ":"))
                    await bus.publish(topic, payload.encode(), qos=1)
    except SsmicError as error:
        log.warning("guests that name no house of the run are not answered", run=run, reason=str(error))


class LostGuests:
    """Finds the announcements that no household's process takes for its own."""

    def __init__(self, scenario: Scenario) -> None:
        """Take the houses of a scenario, and its devices, which are no guests."""
        self._houses = {house.id for house in scenario.houses}
        self._declared = {gateway.id for gateway in scenario.gateways.values() if gateway.id}
        self._open_houses = sorted({gateway.house for gateway in scenario.gateways.values() if not gateway.id})
        """The houses that take guests; each answers what is announced to it."""
        self._strangers = AnsweredStrangers()

    def take(self, run: str, delivery: Delivery) -> tuple[str, DeviceRefusal] | None:
        """Return the topic of the answer to an announcement, and the answer; None: there is none, or it was given."""
        address = topics.parse(delivery.topic)
        if not delivery.payload:
            return None
        if address is None:
            misspelt = topics.misspelt_device(run, delivery.topic)
            if misspelt is None or not self._strangers.is_news(misspelt.level, misspelt.problem):
                return None
            return misspelt.error_topic, DeviceRefusal(misspelt.problem, misspelt.expected)
        device, _ = address.ids
        refusal = None if device in self._declared else self.refusal(device, delivery.payload)
        if refusal is None or not self._strangers.is_news(device, refusal.problem):
            return None
        return topics.device(run, device, "error"), refusal

    def refusal(self, device: str, payload: bytes) -> DeviceRefusal | None:
        """Return why no household takes an announcement for its own; None: one does."""
        house = named_house(payload)
        if house in self._open_houses:
            return None
        key = S2_HOUSE_KEY
        try:
            said = announced_guest(device, payload)
            house, key = said.house, said.house_key
        except UnknownLanguageError:
            pass  # this process need not know it; the one of the right household does
        except MessageError as error:
            return DeviceRefusal(error.problem, error.expected)
        if not self._open_houses:
            return no_guests(device, self._declared)
        listed = f"one of: {', '.join(self._open_houses)}"
        if not house:
            return DeviceRefusal("the announcement names no house", f"{key}, {listed}")
        if house in self._houses:
            return DeviceRefusal(f"house {house!r} takes no guests", listed)
        hint = suggest(house, self._open_houses, otherwise="")
        return DeviceRefusal(f"there is no house {house!r}{hint}", listed)
