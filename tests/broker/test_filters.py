"""Topic filters: the tree finds what asking each filter in turn would find."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broker.filters import FilterTree, check_filter, matches

LEVELS = st.sampled_from(["a", "b", "", "$s"])
TOPICS = st.lists(LEVELS, min_size=1, max_size=4).map("/".join).filter(bool)
FILTERS = (
    st.tuples(st.lists(LEVELS | st.just("+"), max_size=4), st.sampled_from([[], ["#"]]))
    .map(lambda parts: "/".join(parts[0] + parts[1]))
    .filter(bool)
)


@given(st.lists(st.tuples(st.integers(0, 3), FILTERS), max_size=8), TOPICS, st.integers(0, 3))
def test_the_tree_finds_whom_the_filters_cover(subscriptions: list[tuple[int, str]], topic: str, leaving: int) -> None:
    """Each client once, also after one has left."""
    tree: FilterTree[int] = FilterTree()
    for client, topic_filter in subscriptions:
        check_filter(topic_filter)
        tree.add(topic_filter, client)
    covered = {client for client, topic_filter in subscriptions if matches(topic_filter, topic)}
    assert sorted(tree.find(topic)) == sorted(covered)
    tree.remove(leaving)
    assert sorted(tree.find(topic)) == sorted(covered - {leaving})


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
