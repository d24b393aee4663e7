"""The houses of a large neighbourhood are divided into streets."""

from __future__ import annotations

from tui.street_groups import streets_of


def test_a_street_is_what_stands_before_the_house_number() -> None:
    """Names come before ids, and houses that share nothing are together by their first letter."""
    houses = [
        ("h1", "Ahornweg 1"),
        ("h2", "Ahornweg 2 a"),
        ("h3", "Buchenallee 3, 2 persons"),
        ("h4", "Buchenallee 4"),
        ("h5", "Mill"),
        ("h6", "Manor"),
    ]
    assert list(streets_of(houses).values()) == ["Ahornweg"] * 2 + ["Buchenallee"] * 2 + ["M..."] * 2
    assert streets_of([("elm-1", ""), ("elm-2", ""), ("oak-1", "")]) == {
        "elm-1": "elm",
        "elm-2": "elm",
        "oak-1": "O...",
    }


def test_a_long_street_is_divided_into_blocks_in_the_order_of_the_scenario() -> None:
    """Generated neighbourhoods have one street; none of its blocks is too long to look through."""
    houses = [(f"house-{i:05}", f"House {i}, 2 persons") for i in range(1, 10_001)]
    streets = streets_of(houses)
    assert len(set(streets.values())) == 100
    assert streets["house-00101"] == streets["house-00200"] == "house 101-200"
