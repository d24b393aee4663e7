"""Adds places to a scenario for real devices that join during its run."""

from __future__ import annotations

import re
from dataclasses import replace

from agents import Device, House, Prediction, Production
from scenarios.errors import Problem, ScenarioError
from scenarios.gateways import Gateway, mistakable_houses, mistakable_problem
from scenarios.scenario import ProducerSeries, Scenario

GUEST = "guest"
"""Template of a place for a guest."""


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
