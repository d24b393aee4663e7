"""Topic filters: looking a topic up finds what asking each filter in turn would find."""

from __future__ import annotations

import gc

from hypothesis import given, strategies as st

from broker.transport.filters import Subscriptions, check_filter, matches

LEVELS = st.sampled_from(["a", "b", "", "$s"])
TOPICS = st.lists(LEVELS, min_size=1, max_size=4).map("/".join).filter(bool)
FILTERS = (
    st.tuples(st.lists(LEVELS | st.just("+"), max_size=4), st.sampled_from([[], ["#"]]))
    .map(lambda parts: "/".join(parts[0] + parts[1]))
    .filter(bool)
)


@given(st.lists(st.tuples(st.integers(0, 3), FILTERS), max_size=8), TOPICS, st.integers(0, 3))
def test_a_lookup_finds_the_clients_whose_filters_cover_the_topic(
    subscriptions: list[tuple[int, str]], topic: str, leaving: int
) -> None:
    """Each client is found once, also after another one has left."""
    subscribed: Subscriptions[int] = Subscriptions()
    for client, topic_filter in subscriptions:
        check_filter(topic_filter)
        subscribed.add(topic_filter, client)
    covered = {client for client, topic_filter in subscriptions if matches(topic_filter, topic)}
    assert sorted(subscribed.find(topic)) == sorted(covered)
    subscribed.remove(leaving)
    assert sorted(subscribed.find(topic)) == sorted(covered - {leaving})


@given(FILTERS, TOPICS)
def test_a_filter_covers_what_the_standard_says(topic_filter: str, topic: str) -> None:
    """Checked against the definition, level by level."""
    levels, wanted = topic.split("/"), topic_filter.split("/")
    if topic.startswith("$") and wanted[0] in {"+", "#"}:
        covers = False
    elif wanted[-1] == "#":  # covers the parent level too
        covers = all(w in {"+", level} for w, level in zip(wanted[:-1], levels, strict=False))
        covers = covers and len(levels) >= len(wanted) - 1
    else:
        covers = len(levels) == len(wanted) and all(w in {"+", level} for w, level in zip(wanted, levels, strict=True))
    assert matches(topic_filter, topic) == covers


def test_what_covers_what() -> None:
    """The cases that MQTT's standard spells out."""
    assert matches("sport/#", "sport")
    assert matches("sport/+", "sport/")
    assert not matches("sport/+", "sport")
    assert matches("+/+", "/finance")
    assert matches("/+", "/finance")
    assert not matches("+", "/finance")
    assert not matches("#", "$SYS/uptime")
    assert not matches("+/uptime", "$SYS/uptime")
    assert matches("$SYS/#", "$SYS/uptime")


def test_a_lookup_leaves_nothing_to_the_garbage_collector() -> None:
    """A run publishes to a topic of its own for each contract."""
    subscribed: Subscriptions[int] = Subscriptions()
    subscribed.add("run/+/#", 1)
    subscribed.add("run/ledger/+", 2)
    gc.collect()
    gc.disable()
    try:
        assert subscribed.find("run/ledger/job-1") == (2, 1)
        assert not gc.collect()
    finally:
        gc.enable()
