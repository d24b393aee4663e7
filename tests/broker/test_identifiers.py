"""Ids are visible, can be typed, and are equal if they look equal; every broker accepts them."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from broker.identifiers import MAX_CHARACTERS, canonical, checked, identifier_problem
from broker.protocol import topics
from broker.transport.filters import MAX_TEXT_BYTES, check_client_id, check_topic
from broker.transport.memory import MemoryBroker
from tests.identifiers import valid_ids


@pytest.mark.parametrize(
    ("identifier", "reason"),
    [
        ("", "is empty"),
        ("a\nb", "a line break (U+000A, character 2)"),
        ("a\r", "a line break (U+000D, character 2)"),
        ("a\u2028b", "a line break (U+2028"),
        ("a\u2029b", "a paragraph break (U+2029"),
        ("a\0b", "a control character (U+0000"),
        ("\x1b[31m", "a control character (U+001B, character 1)"),
        ("a\x7f", "a control character (U+007F"),
        ("a\tb", "a control character (U+0009"),
        ("a\ud800", "half of a surrogate pair (U+D800"),
        ("a\u200bb", "an invisible character (U+200B"),
        ("a\ufeff", "an invisible character (U+FEFF"),
        ("a\u202eb", "an invisible character (U+202E"),
        ("a\u2066b", "an invisible character (U+2066"),
        ("a\u00adb", "an invisible character (U+00AD"),
        ("\u3164", "an invisible character (U+3164"),
        ("a\uffff", "an invisible character (U+FFFF"),
        ("a\u00a0b", "a blank other than a plain space (U+00A0"),
        (" a", "begins or ends with a blank"),
        ("a ", "begins or ends with a blank"),
        (" ", "begins or ends with a blank"),
        ("x" * 201, "has 201 characters; an id has at most 200"),
    ],
)
def test_an_invalid_id_is_refused_with_the_reason(identifier: str, reason: str) -> None:
    """The message names the character and its position."""
    problem = identifier_problem(identifier)
    assert problem is not None
    assert reason in problem
    with pytest.raises(ValueError, match=r"an id|is empty"):
        checked(identifier)


@pytest.mark.parametrize(
    "identifier",
    ["a", "57", "Haus 1", "M\u00fc#er", "a:b", "+", "#", "[57]:[222]:[3]", "a/b", "..", "\U0001f3e0", "\u6771"],
)
def test_ids_of_all_scripts_are_fine(identifier: str) -> None:
    """Spaces inside, signs that mean something to MQTT or to a file system, letters of any script."""
    assert checked(identifier) == identifier


def test_letters_with_marks_have_one_form() -> None:
    """Composed and decomposed umlauts look the same, so they are the same."""
    assert checked("Mu\u0308ller") == checked("M\u00fcller") == "M\u00fcller"


@given(valid_ids(MAX_CHARACTERS), valid_ids(MAX_CHARACTERS), valid_ids(MAX_CHARACTERS))
def test_every_id_fits_in_every_topic_and_client_id(run: str, house: str, device: str) -> None:
    """However long it becomes: an agent's id, as that of a producer is, is percent-encoded twice."""
    agent = f"{topics.encode(house)}/{topics.encode(device)}"
    check_topic(topics.forecast(run, house, agent))
    check_topic(topics.inbox(run, house, house))
    check_client_id(f"{run}-{house}")


def test_the_longest_ids_fit_in_a_topic() -> None:
    """Two hundred characters of four bytes each."""
    longest = "\U0001f3e0" * MAX_CHARACTERS
    agent = f"{topics.encode(longest)}/{topics.encode(longest)}"
    topic = topics.forecast(longest, longest, agent)
    check_topic(topic)
    assert len(topic) < MAX_TEXT_BYTES


@given(st.text())
def test_the_one_form_of_an_id_is_stable(text: str) -> None:
    """Taken twice it is the same."""
    assert canonical(canonical(text)) == canonical(text)


@pytest.mark.parametrize("client_id", ["", "run-a\nb-1", "a\0", "x" * 65_536])
async def test_the_memory_bus_takes_no_client_that_mqtt_would_refuse(client_id: str) -> None:
    """Ids for which a broker closes the connection fail in memory, too."""
    with pytest.raises(ValueError, match="client id"):
        async with MemoryBroker().connect(client_id):
            pass


@pytest.mark.parametrize("topic", ["a\nb", "a\0", "a/" + "x" * 65_534])
async def test_the_memory_bus_takes_no_topic_that_mqtt_would_refuse(topic: str) -> None:
    """Control characters, and what is longer than two bytes can say."""
    async with MemoryBroker().connect("client") as bus:
        with pytest.raises(ValueError, match="topic"):
            await bus.publish(topic, b"")
