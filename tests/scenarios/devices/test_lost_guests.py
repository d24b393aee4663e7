"""Devices that announce themselves to no household of a deployment: what the clock's process answers."""

from __future__ import annotations

import json
import sys

import pytest

from broker.transport.base import Delivery
from scenarios.devices.device_places import AnsweredStrangers, DevicePlaces, DeviceRefusal, named_house
from scenarios.devices.lost_guests import LostGuests
from scenarios.devices.payloads import MAX_TEXT_SHOWN
from scenarios.files.scenario_from_text import load_text
from tests.scenarios.devices.session import RUN, STREET

KETTLE = f"ssmic/{RUN}/devices/kettle"


def answer(payload: object, topic: str = f"{KETTLE}/announce", guests: LostGuests | None = None) -> str | None:
    """Return the problem that the clock's process answers an announcement with; None: nothing."""
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    found = (guests or LostGuests(load_text(STREET, "test", None))).take(RUN, Delivery(topic, raw, retain=False))
    return None if found is None else found[1].problem


@pytest.mark.parametrize(
    ("announced", "problem"),
    [
        ({"type": "consumer", "house": "adlr"}, "there is no house 'adlr'; did you mean 'adler'?"),
        ({"type": "consumer", "house": "x"}, "there is no house 'x'"),
        ({"type": "consumer", "house": "brandt"}, "house 'brandt' takes no guests"),
        ({"type": "consumer"}, "the announcement names no house"),
        ({"type": "toaster", "house": "x"}, "type: 'consumer' or 'producer' is expected"),
        (b"{", "not JSON (EOF while parsing an object at line 1 column 1)"),
        (b"[1]", "an object is expected"),
    ],
)
def test_what_no_household_takes_for_its_own_is_answered(announced: object, problem: str) -> None:
    """The device got no answer at all."""
    found = answer(announced)
    assert found is not None
    assert problem in found


def test_a_device_that_no_house_can_take_is_answered() -> None:
    """Where no house takes guests, a device whose id was misspelt got no answer."""
    guests = LostGuests(load_text(STREET.replace("    guests: 1\n", ""), "test", None))
    announced = {"type": "consumer", "house": "adler"}
    found = answer(announced, f"ssmic/{RUN}/devices/wascher/announce", guests)
    assert found == "the device is not in the scenario, and no house takes guests; did you mean 'washer'?"
    assert answer(announced, f"ssmic/{RUN}/devices/washer/announce", guests) is None


@pytest.mark.parametrize(
    ("house", "problem"),
    [
        ("adlr", "there is no house 'adlr'; did you mean 'adler'?"),
        ("brandt", "house 'brandt' takes no guests"),
        ("", "the announcement names no house"),
    ],
)
def test_the_house_of_a_resource_manager_is_answered_without_the_library_of_s2(
    house: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock's process, which needs no S2, said that it does not speak it, and nothing of the house."""
    monkeypatch.setitem(sys.modules, "scenarios.devices.s2", None)  # as without s2-python
    announced = {"message": {"message_type": "ResourceManagerDetails"}, "metadata": {"house": house}}
    assert answer(announced) == problem
    places = DevicePlaces(has_all_devices=True)
    for gateway in load_text(STREET, "test", None).gateways.values():
        places.add(gateway)
    refusal = places.welcome("heat-pump", "announce", json.dumps(announced).encode())
    assert isinstance(refusal, DeviceRefusal)
    assert refusal.problem.startswith("device 'heat-pump' speaks S2, and ")
    assert refusal.expected.endswith("ssmic[s2] is not installed here; a house that is one of: adler")


def test_of_the_problems_of_strangers_no_more_is_remembered_than_is_shown() -> None:
    """A thousand of them could fill the memory with the names of houses, each of 60 kB."""
    strangers = AnsweredStrangers()
    name = "x" * MAX_TEXT_SHOWN
    assert strangers.is_news("kettle", f"there is no house {name}1")
    assert not strangers.is_news("kettle", f"there is no house {name}2")
    assert strangers.is_news("kettle", "there is no house 2")


@pytest.mark.parametrize(
    "announced",
    [
        {"type": "consumer", "house": "adler"},
        {"type": "toaster", "house": "adler"},
        {"metadata": {"house": "adler"}},
        b"",
    ],
)
def test_what_its_own_household_answers_is_not_answered_twice(announced: object) -> None:
    """Neither a leaving guest, nor one whose household welcomes or corrects it."""
    assert answer(announced) is None
    if announced:
        assert named_house(announced if isinstance(announced, bytes) else json.dumps(announced).encode()) == "adler"


def test_a_device_of_the_scenario_is_no_guest() -> None:
    """Its gateway says what is wrong with its announcement."""
    assert answer({"type": "toaster"}, f"ssmic/{RUN}/devices/washer/announce") is None


def test_each_mistake_is_answered_once() -> None:
    """A device repeats its announcement when it connects again."""
    guests = LostGuests(load_text(STREET, "test", None))
    wrong = {"type": "consumer", "house": "adlr"}
    assert answer(wrong, guests=guests) is not None
    assert answer(wrong, guests=guests) is None
    assert answer({"type": "consumer", "house": "adle"}, guests=guests) is not None


def test_an_id_that_is_not_encoded_is_answered_on_its_own_topic() -> None:
    """As in a run in one process."""
    guests = LostGuests(load_text(STREET, "test", None))
    found = guests.take(RUN, Delivery(f"ssmic/{RUN}/devices/my car/announce", b"{}", retain=True))
    assert found is not None
    assert found[0] == f"ssmic/{RUN}/devices/my car/error"


def test_a_household_among_several_answers_only_what_is_meant_for_it() -> None:
    """Each of them answered an announcement that no one could read."""
    places = DevicePlaces(has_all_devices=False)
    for gateway in load_text(STREET, "test", None).gateways.values():
        places.add(gateway)
    assert places.welcome("kettle", "announce", b'{"type": "toaster"}') is None
    assert places.welcome("kettle", "announce", b'{"type": "toaster", "house": "x"}') is None
    refusal = places.welcome("kettle", "announce", b'{"type": "toaster", "house": "adler"}')
    assert isinstance(refusal, DeviceRefusal)
    assert refusal.problem == "type: 'consumer' or 'producer' is expected"
