"""Topics: every id survives encoding, and no topic is mistaken for another."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given, strategies as st

from broker.protocol import topics
from broker.protocol.topics import Address
from broker.transport.filters import check_topic, matches
from tests.identifiers import valid_ids

IDS = valid_ids() | st.sampled_from(["/", "+", "#", "$SYS", "a/b", "%", "%2F", ".", "..", "[1]:[2]", "Müller", "☀"])

ONE: dict[str, Callable[[str, str], str]] = {
    "hosts": topics.host,
    "grant": topics.grant,
    "done": topics.done,
    "ledger": topics.ledger,
}
FILTERS: dict[str, Callable[[str], str]] = {
    "hosts": topics.hosts,
    "done": topics.dones,
}


@given(IDS)
def test_an_id_survives_its_topic_level(identifier: str) -> None:
    """Decoding undoes encoding, and the level is one level that any broker takes."""
    level = topics.encode(identifier)
    assert topics.decode(level) == identifier
    check_topic(level)
    assert "/" not in level
    assert not level.startswith("$")


@given(IDS, IDS)
def test_different_ids_have_different_levels(one: str, other: str) -> None:
    """No two agents share an inbox."""
    assert (topics.encode(one) == topics.encode(other)) == (one == other)


@given(st.sampled_from(sorted(ONE)), IDS, IDS)
def test_topics_with_one_id(kind: str, run: str, identifier: str) -> None:
    """A topic parses back to its parts, and its filter covers it."""
    topic = ONE[kind](run, identifier)
    assert topics.parse(topic) == Address(run, kind, (identifier,))  # type: ignore[arg-type]  # `kind` is one of the kinds
    assert matches(topics.everything(run), topic)
    if kind in FILTERS:
        assert matches(FILTERS[kind](run), topic)


@given(IDS, IDS, IDS)
def test_topics_with_several_ids(run: str, host: str, sender: str) -> None:
    """The order of ids is kept, and a host's filter covers only its own topics."""
    inbox = topics.inbox(run, host, sender)
    assert topics.parse(inbox) == Address(run, "inbox", (host, sender))
    assert matches(topics.inboxes(run, host), inbox)
    assert matches(topics.inboxes(run, sender), inbox) == (host == sender)
    resend = topics.resend(run, host, sender)
    assert topics.parse(resend) == Address(run, "resend", (host, sender))
    assert matches(topics.resends(run, host), resend)


@given(IDS)
def test_topics_without_an_id(run: str) -> None:
    """There is one of each in a run."""
    assert topics.parse(topics.roster(run)) == Address(run, "roster")
    assert topics.parse(topics.time(run)) == Address(run, "time")
    assert topics.parse(topics.control(run)) == Address(run, "control")
    assert topics.parse(topics.grants(run)) == Address(run, "grants")


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "ssmic",
        "ssmic/run",
        "ssmic//time",
        "ssmic/run/time/",
        "ssmic/run/time/more",
        "ssmic/run/hosts",
        "ssmic/run/hosts/",
        "ssmic/run/hosts/a/b",
        "ssmic/run/inbox/a//b",
        "ssmic/run/inbox/a",
        "ssmic/run/inbox/a/b/c",
        "ssmic/run/local",
        "ssmic/run/grants/a",
        "ssmic/run/nothing",
        "other/run/time",
        "/ssmic/run/time",
        "ssmic/run/hosts/%FF",
        "ssmic/run/hosts/%2f",
        "ssmic/run/hosts/%61",
        "ssmic/run/hosts/%",
        "ssmic/run/hosts/a b",
        "ssmic/%FF/time",
    ],
)
def test_foreign_topics_are_not_parsed(topic: str) -> None:
    """Foreign, incomplete, with empty levels, or an id in another spelling than ours."""
    assert topics.parse(topic) is None


@given(st.text(max_size=60))
def test_any_topic_can_be_parsed(topic: str) -> None:
    """Topics published by strangers raise no exception."""
    topics.parse(topic)


@pytest.mark.parametrize("identifier", ["", "\ud800", "a\udfffb", "a\nb", "\0", "a\u200b", " a"])
def test_invalid_ids_are_refused(identifier: str) -> None:
    """They are refused when a topic is built, not lost in transit."""
    with pytest.raises(ValueError, match=r"empty|surrogate|line break|control|invisible|blank"):
        topics.host("run", identifier)
    with pytest.raises(ValueError, match=r"empty|surrogate|line break|control|invisible|blank"):
        topics.time(identifier)


def test_ids_that_look_the_same_have_one_topic() -> None:
    """An umlaut is written as one character or as two; topics contain only one spelling."""
    assert topics.host("run", "M\u00fcller") == topics.host("run", "Mu\u0308ller")
    assert topics.parse("ssmic/run/hosts/Mu%CC%88ller") is None


def test_long_topics_do_not_stay_in_memory() -> None:
    """A member may publish to inboxes with any name: 65,000 bytes each, as many as it likes."""
    tracemalloc.start()
    try:
        for number in range(300):
            topics.parse(topics.inbox("r", "x", "m").replace("/x/", f"/{number:x>60000}/"))
        assert tracemalloc.get_traced_memory()[0] < 2_000_000
    finally:
        tracemalloc.stop()
