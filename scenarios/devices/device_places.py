"""A scenario's places for real devices, and who has which: its devices, and guests that join, leave or are refused."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog

from agents import Announced, Device, DeviceSaid, House, Left, Prediction, Production
from scenarios.devices.adapter import Guest, MessageError, UnknownLanguageError
from scenarios.devices.adapters import guest_of
from scenarios.devices.message_limits import MAX_STRANGERS
from scenarios.devices.payloads import MAX_TEXT_SHOWN, PARTS, plain_text, shown_payload
from scenarios.errors import Problem, ScenarioError
from scenarios.gateways import Gateway, mistakable_houses, mistakable_problem
from scenarios.mistyped_names import suggest
from scenarios.scenario import ProducerSeries, Scenario

MAX_ANSWERS_TO_STRANGER = 20
"""How many different errors an unknown device gets."""
log = structlog.get_logger(__name__)

GUEST = "guest"
"""Template of a place for a guest."""


@dataclass(frozen=True, slots=True)
class DeviceRefusal:
    """Why a device gets no place, or why nobody reads what it wrote, and what is expected instead."""

    problem: str
    expected: str
    """What would be accepted, as the answer to the device says it."""

    @property
    def in_words(self) -> dict[str, str]:
        """The problem and the expectation as they are shown and logged, by name."""
        return {"problem": plain_text(self.problem), "expected": plain_text(self.expected)}

    def as_error(self, part: str, payload: bytes, now_s: int) -> dict[str, Any]:
        """Return the content of the `error` that is published to the device.

        Args:
            part: Last level of the topic of its message.
            payload: The message.
            now_s: Virtual time, UNIX seconds.
        """
        return {"topic": part, **self.in_words, "payload": shown_payload(payload), "time": now_s}


class AnsweredStrangers:
    """Problems that were already reported to unknown devices, or on unknown topics.

    Each is reported once, because devices repeat their messages.
    """

    def __init__(self) -> None:
        self._answered: dict[str, set[str]] = {}
        """By device, or by the level of a topic that should be its id."""

    def is_news(self, device: str, problem: str) -> bool:
        """Return whether a problem is to be answered to an unknown device, and note that it is answered."""
        if device not in self._answered and len(self._answered) >= MAX_STRANGERS:
            return False
        answered, shown = self._answered.setdefault(device, set()), problem[:MAX_TEXT_SHOWN]
        if shown in answered or len(answered) >= MAX_ANSWERS_TO_STRANGER:
            return False
        answered.add(shown)
        return True

    def forget(self) -> None:
        """Forget all answers, so that each problem is answered again."""
        self._answered.clear()


class DevicePlaces(Mapping[str, Gateway]):
    """The gateways of the devices that take part, by device; and the places that guests can take."""

    def __init__(self, *, has_all_devices: bool, simulated: Collection[tuple[str, str]] = ()) -> None:
        """Create it without places.

        Args:
            has_all_devices: Whether no other process of the run has devices. Then a device unknown here has no place in
                the run. Otherwise `lost_guests` answers what belongs to no process.
            simulated: House and id of each device of the scenario that is neither real nor a guest.
        """
        self._has_all_devices = has_all_devices
        self._simulated = simulated
        self._holders: dict[str, Gateway] = {}
        self._free: dict[tuple[str, str], list[Gateway]] = defaultdict(list)
        """By house and type of device, the places that no guest has."""
        self._houses: set[str] = set()
        self._strangers = AnsweredStrangers()

    def __getitem__(self, device: str) -> Gateway:
        return self._holders[device]

    def __iter__(self) -> Iterator[str]:
        return iter(self._holders)

    def __len__(self) -> int:
        return len(self._holders)

    def add(self, gateway: Gateway) -> None:
        """Add the place of a device of the scenario, or one for a guest."""
        self._houses.add(gateway.house)
        if gateway.id:
            self._holders[gateway.id] = gateway
        else:
            self._free[gateway.house, gateway.type].append(gateway)

    @property
    def takes_guests(self) -> bool:
        """Whether this process has places for guests, free or not."""
        return bool(self._free)

    @property
    def has_all_devices(self) -> bool:
        """Whether no other process of the run has devices, so that this one also answers unknown devices and topics."""
        return self._has_all_devices

    def welcome(self, device: str, part: str, payload: bytes) -> Gateway | DeviceRefusal | None:
        """Give a device that is not in the scenario a place, if it announces itself and its house has one.

        Args:
            device: The device.
            part: Last level of the topic of its message.
            payload: The message.

        Returns:
            Its place; or what to tell it; None: nothing, as it is not ours, or has been told before.
        """
        if part == "announce" and payload:
            if not self._has_all_devices and not self._takes_guests_of(named_house(payload)):
                return None  # another process welcomes it, or answers it
            answer = self._place_for(device, payload)
        elif part in {"announce", "availability"} or not self._has_all_devices:
            return None  # it has left, or is a leftover of one that has, or belongs to another process
        else:
            hint = suggest(device, self._holders, otherwise="")
            answer = DeviceRefusal("the device has not announced itself", f"its announcement first{hint}")
        is_news = isinstance(answer, Gateway) or self._strangers.is_news(device, answer.problem)
        return answer if is_news else None

    def _place_for(self, device: str, payload: bytes) -> Gateway | DeviceRefusal:
        """Give a device a free place in the house that its announcement names, or say why it gets none."""
        try:
            said = announced_guest(device, payload)
        except MessageError as error:
            problem, expected = error.problem, error.expected
            if isinstance(error, UnknownLanguageError) and not self._takes_guests_of(house := named_house(payload)):
                problem += f", and house {house!r} takes no guests" if house else ", and names no house"
                expected += f"; a house that is {self._open_houses()}"
            return DeviceRefusal(problem, expected)
        free = self._free.get((said.house, said.type), [])
        if free and (said.house, device) not in self._simulated:
            gateway = self._holders[device] = free.pop(0)
            log.info("device joined", device=device, house=gateway.house, agent=gateway.agent)
            return gateway
        return self._no_place(device, said)

    def _no_place(self, device: str, said: Guest) -> DeviceRefusal:
        """Return why a device that announced itself gets no place."""
        if (said.house, device) in self._simulated:
            problem = f"device {device!r} of house {said.house!r} is simulated"
            return DeviceRefusal(
                problem, "`gateway: {}` in the device's entry in the scenario; or another id, for a guest"
            )
        if not self.takes_guests:
            return no_guests(device, self._holders)
        if not said.house:
            return DeviceRefusal("the announcement names no house", f"{said.house_key}, {self._open_houses()}")
        if said.house in self._houses:
            problem = f"house {said.house!r} has no room for another {said.type}"
            return DeviceRefusal(problem, "a free place: let a guest of the house leave, or raise `guests` or --guests")
        return DeviceRefusal(f"house {said.house!r} takes no guests", self._open_houses())

    def refuse_topic(self, level: str, problem: str, expected: str) -> DeviceRefusal | None:
        """Return what to tell a device whose topics are not as they should be; None: nothing, as in `welcome`.

        Args:
            level: The level of its topics that should be its id.
            problem: What is wrong with it.
            expected: How it is written.
        """
        is_news = self._has_all_devices and self._strangers.is_news(level, problem)
        return DeviceRefusal(problem, expected) if is_news else None

    def refuse_part(self, device: str, part: str, payload: bytes) -> DeviceRefusal | None:
        """Return what to tell a device that writes to an unknown topic; None: nothing, as in `welcome`.

        Args:
            device: The device, in the scenario or not.
            part: Last level of the topic.
            payload: The message.
        """
        problem = f"there is no topic {part!r}{suggest(part, PARTS, otherwise='')}"
        is_ours = self._has_all_devices or device in self._holders or self._takes_guests_of(named_house(payload))
        is_news = is_ours and self._strangers.is_news(device, problem)
        return DeviceRefusal(problem, f"one of: {', '.join(PARTS)}") if is_news else None

    def _open_houses(self) -> str:
        """Return which houses have room for a guest."""
        return "one of: " + ", ".join(sorted({house for (house, _), places in self._free.items() if places}))

    def _takes_guests_of(self, house: str) -> bool:
        """Return whether this process has places for guests of a house, free or not."""
        return any(of_house == house for of_house, _ in self._free)

    def let_go(self, device: str) -> None:
        """Free the place of a guest that has left; strangers may ask for it again."""
        self._free_place(device)
        self._strangers.forget()

    def _free_place(self, device: str) -> None:
        gateway = self._holders.pop(device)
        self._free[gateway.house, gateway.type].append(gateway)

    def give_back(self, gateway: Gateway, device: str, *, is_announced: bool) -> None:
        """Give its place back to a guest that has left and announces itself again in the same second.

        Args:
            gateway: The place.
            device: The guest.
            is_announced: Whether it announces itself.

        Raises:
            MessageError: It says something else, or another guest has the place.
        """
        free = self._free[gateway.house, gateway.type]
        if not is_announced or gateway not in free or device in self._holders:
            raise MessageError("the device has left", "its announcement first")
        free.remove(gateway)
        self._holders[device] = gateway

    def restore(self, agent: str, message: DeviceSaid, left: set[str]) -> None:
        """Restore who has a place for a guest, from a message taken before a restart.

        Args:
            agent: The agent of the place, if it is one.
            message: The message.
            left: The guests that left in the same second; they are added here.
        """
        device, holder = message.device, self.get(message.device)
        if isinstance(message.said, Left) and holder is not None and (holder.agent, holder.id) == (agent, ""):
            self._free_place(device)
            left.add(device)
        elif holder is None and (device not in left or isinstance(message.said, Announced)):
            free = [place for places in self._free.values() for place in places if place.agent == agent]
            for place in free:
                self._free[place.house, place.type].remove(place)
                self._holders[device] = place


def no_guests(device: str, declared: Iterable[str]) -> DeviceRefusal:
    """Return what to tell a device that is not in the scenario, where no house takes guests.

    Args:
        device: The device.
        declared: The real devices of the scenario.
    """
    problem = f"the device is not in the scenario, and no house takes guests{suggest(device, declared)}"
    return DeviceRefusal(problem, "an id of the scenario; or `guests` of a house, or --guests")


def announced_guest(device: str, payload: bytes) -> Guest:
    """Return what the announcement of a device says that is not in the scenario; see `guest_of`."""
    try:
        return guest_of(device, payload)
    except MessageError:
        raise
    except Exception as error:
        log.exception("device message not understood", device=device, topic="announce")
        raise MessageError(
            f"cannot be read ({type(error).__name__})", "an announcement as in docs/devices.md"
        ) from None


def named_house(payload: bytes) -> str:
    """Return the house that an announcement names, even if something else in it is wrong; empty: it names none."""
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError):
        return ""
    metadata = said.get("metadata") if isinstance(said, dict) else None
    named = [part.get("house") for part in (said, metadata) if isinstance(part, dict)]
    return next((house for house in named if isinstance(house, str)), "")


def nothing_yet(start_s: int) -> Prediction:
    """Return the forecast of a real producer that has not sent one yet."""
    return Prediction(issued_s=start_s, production=Production(times_s=(start_s, start_s + 1), cumulative_wh=(0.0, 0.0)))


def guest_devices(house: str, first: int, guests: int) -> list[Device]:
    """Return places for guests in a house: as many consumers and as many producers.

    Args:
        house: The house's id.
        first: Number of the first place.
        guests: How many of each.
    """
    places = []
    for number in range(first, first + guests):
        places.append(Device(id=f"guest-{number}", house=house, type="consumer", template=GUEST))
        places.append(Device(id=f"{house}/guest-{number}/out", house=house, type="producer", template=GUEST))
    return places


def is_guest_producer(producer: str) -> bool:
    """Return whether a producer's id is that of a place for a guest (`guest_devices`)."""
    return re.fullmatch(r".+/guest-\d+/out", producer) is not None


def guest_gateway(device: Device) -> Gateway:
    """Return the gateway of a place for a guest."""
    return Gateway(id="", house=device.house, device=device.id, type=device.type, agent=device.agent)


def with_guests(scenario: Scenario, guests: int) -> Scenario:
    """Return a scenario in which every house has room for at least this many guests of each type.

    Raises:
        ScenarioError: Guests of two houses could request jobs of the same id.
    """
    houses: list[House] = []
    gateways = dict(scenario.gateways)
    producers = dict(scenario.producers)
    for house in scenario.houses:
        there = sum(g.house == house.id and not g.id and g.type == "consumer" for g in scenario.gateways.values())
        places = guest_devices(house.id, there + 1, max(0, guests - there))
        houses.append(house.model_copy(update={"devices": (*house.devices, *places)}) if places else house)
        for place in places:
            gateways[place.agent] = guest_gateway(place)
            if place.type == "producer":
                producers[place.id] = ProducerSeries((nothing_yet(scenario.start_s),))
    if len(gateways) == len(scenario.gateways):
        return scenario
    if mistaken := mistakable_houses((house.id for house in houses), gateways.values()):
        raise ScenarioError([Problem(longer, mistakable_problem(shorter, longer)) for shorter, longer in mistaken])
    return replace(scenario, houses=tuple(houses), gateways=gateways, producers=producers)
