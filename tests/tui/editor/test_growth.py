"""What a key press costs in a large neighbourhood follows what it changes, not what there is: work is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input
from textual.widgets.tree import TreeNode

from tests.tui.editor.conftest import Person
from tui.editor import tree_changes, tree_model
from tui.editor.tree_view import NeighbourhoodTree, Outline

HOUSES = 120
MOST = 60
"""The lines on the screen are drawn, each a few times; more than that, and the houses have been counted."""
Editing = Callable[..., AbstractAsyncContextManager[Person]]


@pytest.fixture
def large(tmp_path: Path, ours: str) -> Path:
    """A neighbourhood of many houses, each with a device and a job."""
    head = ours[: ours.index("houses:")]
    houses = "".join(
        f"  - id: h{i}\n    name: House {i}\n    devices:\n      - {{id: dish, type: consumer, load_profile: dish}}\n"
        for i in range(HOUSES)
    )
    window = 'registered: "06:00", earliest_start: "08:00", latest_start: "16:00"'
    jobs = "".join(f"  - {{house: h{i}, device: dish, {window}}}\n" for i in range(HOUSES))
    path = tmp_path / "large.yaml"
    path.write_text(f"{head}houses:\n{houses}jobs:\n{jobs}", encoding="utf-8")
    return path


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count what is done for the nodes of the tree."""
    done: Counter[str] = Counter()

    def count(owner: type, name: str) -> None:
        original = getattr(owner, name)

        def counted(*args: Any, **options: Any) -> Any:
            done[name] += 1
            return original(*args, **options)

        monkeypatch.setattr(owner, name, counted)

    count(Outline, "said")
    count(Outline, "children")
    count(TreeNode, "add")
    count(NeighbourhoodTree, "render_label")
    return done


@pytest.mark.parametrize(
    ("before", "key"),
    [
        ((), "h"),
        ((), "delete"),
        pytest.param(("h",), "B", marks=pytest.mark.long),
        pytest.param(("delete",), "ctrl+z", marks=pytest.mark.long),
    ],
)
async def test_a_key_changes_the_nodes_of_what_it_changes(
    editing: Editing, large: Path, work: Counter[str], before: tuple[str, ...], key: str
) -> None:
    """Of 126 nodes at the top, few are looked at again, and few are drawn."""
    async with editing(large) as person:
        await person.show("houses", 1)
        await person.press(*before)
        await person.until(lambda: "h" not in before or isinstance(person.app.focused, Input))
        tree = person.work.tree
        work.clear()
        await person.press(key)
        assert person.work.tree is not tree
        assert max(work.values()) <= MOST, work


async def test_a_house_stays_open_and_marked_when_one_before_it_is_removed(editing: Editing, large: Path) -> None:
    """Its node moves up; no other takes its mark meanwhile."""
    async with editing(large) as person:
        profile = ("houses", 7, "devices", 0, "load_profile")
        person.screen.session.apply(lambda tree: tree_changes.set_field(tree, profile, "missing"))
        await person.show("houses", 7, "devices", 0)
        await person.show("houses", 2)
        await person.press("delete")
        house = person.tree.root.children[6]
        assert house.is_expanded
        assert house.data == ("houses", 6)
        assert str(house.label) == "⌂ House 7 (h7) ✗"
        assert [(child.data, str(child.label)) for child in house.children] == [
            (("houses", 6, "devices", 0), "▽ dish ✗")
        ]
        assert not any("✗" in str(node.label) for node in person.tree.root.children[7:])


@pytest.mark.long
async def test_undoing_a_removal_selects_the_house_that_comes_back(editing: Editing, large: Path) -> None:
    """The cursor's node moves down a line, which is not a choice of the user."""
    async with editing(large) as person:
        for _ in range(3):
            await person.show("houses", 3)
            await person.press("delete")
            await person.press("ctrl+z")
            assert person.screen.ref == person.tree.cursor_ref == ("houses", 3)


@pytest.mark.parametrize("key", ["d", *(pytest.param(key, marks=pytest.mark.long) for key in ("h", "delete"))])
async def test_a_key_looks_at_each_house_a_few_times(
    editing: Editing, large: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """Not at all houses for each house, which took a minute where there are thousands."""
    devices, looks = tree_model.devices, 0

    def counted(house: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
        nonlocal looks
        looks += 1
        return devices(house)

    async with editing(large) as person:
        await person.show("houses", 1)
        count = len(person.tree.root.children)
        monkeypatch.setattr(tree_model, "devices", counted)
        await person.press(key)
        assert len(person.tree.root.children) - count == (-1 if key == "delete" else 1)
        assert looks <= 10 * HOUSES
