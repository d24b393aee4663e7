"""Changes to the plain data and to the text say the same; every one can be taken back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from scenarios.appliances import APPLIANCES
from scenarios.errors import ScenarioError
from scenarios.files import yaml_nodes
from scenarios.files.document import Document
from scenarios.files.yaml_nodes import parse_yaml
from tui.editor import tree_changes, tree_model
from tui.editor.edit_history import MOST_VERSIONS, Change, History, Put
from tui.editor.picker import DEFAULT_SKY
from tui.editor.tree_model import Ref, Tree

_WORDS = st.sampled_from(["", "1", "2", "dish", "pv", "a b", "x: y", "no", "12:30"])


def _refs(tree: Tree, kind: str) -> list[Ref]:
    found: list[Ref] = [("houses", i) for i, _ in tree_model.houses(tree)]
    if kind == "device":
        return [(*ref, "devices", j) for ref in found for j, _ in tree_model.devices(tree_model.at(tree, ref))]
    if kind == "job":
        return [("jobs", i) for i, _ in tree_model.jobs(tree)]
    return found if kind == "house" else [("load_profiles", name) for name in tree_model.profiles(tree)]


def _any_change(data: st.DataObject, tree: Tree) -> Change | None:
    """Draw something that a person might do."""
    kind = data.draw(st.sampled_from(["house", "device", "job", "profile"]))
    refs = _refs(tree, kind)
    if not refs:
        return tree_changes.add_house(tree)
    ref = data.draw(st.sampled_from(refs))
    choices: dict[str, list[Callable[[], Change | None]]] = {
        "house": [
            lambda: tree_changes.add_house(tree),
            lambda: tree_changes.remove_house(tree, ref),
            lambda: tree_changes.add_consumer(tree, ref, APPLIANCES["kettle"]),
            lambda: tree_changes.add_producer(tree, ref, [DEFAULT_SKY.prediction(tree)]),
            lambda: tree_changes.set_field(tree, (*ref, "id"), data.draw(_WORDS)),
            lambda: tree_changes.set_field(
                tree, (*ref, "base_load", "constant_w"), data.draw(st.sampled_from(["", 0, 120]))
            ),
            lambda: tree_changes.duplicate(tree, ref),
        ],
        "device": [
            lambda: tree_changes.remove_device(tree, ref),
            lambda: tree_changes.set_type(tree, ref, "producer", [DEFAULT_SKY.prediction(tree)]),
            lambda: tree_changes.set_type(tree, ref, "consumer", []),
            lambda: tree_changes.set_field(tree, (*ref, "id"), data.draw(_WORDS)),
            lambda: tree_changes.set_field(tree, (*ref, "name"), data.draw(_WORDS)),
            lambda: tree_changes.choose_profile(tree, (*ref, "load_profile"), "oven"),
            lambda: tree_changes.add_job(tree, *tree_model.ids_of(tree, ref)),
        ],
        "job": [
            lambda: tree_changes.remove_job(tree, ref),
            lambda: tree_changes.duplicate(tree, ref),
            lambda: tree_changes.set_field(tree, (*ref, "id"), data.draw(_WORDS)),
            lambda: tree_changes.set_field(tree, (*ref, "latest_start"), data.draw(_WORDS)),
            lambda: tree_changes.move_job(tree, ref, "2", "washer"),
        ],
        "profile": [
            lambda: tree_changes.remove_profile(tree, ref),
            lambda: tree_changes.rename_profile(tree, ref, data.draw(_WORDS)),
        ],
    }
    return data.draw(st.sampled_from(choices[kind]))()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_text_and_data_say_the_same(ours: str, data: st.DataObject) -> None:
    """Any changes in any order keep them equal; undoing all of them restores the file to the byte."""
    history = History(Document(ours), saved=True)
    for _ in range(data.draw(st.integers(1, 6))):
        history.apply(lambda tree: _any_change(data, tree))
        text = history.current.document().text
        assert parse_yaml(text, "x") == history.tree
        assert "# Our street.\n" in text
    while history.undoable is not None:
        history.undo()
    assert history.current.document().text == ours
    assert not history.is_dirty


def test_letters_of_a_word_are_undone_as_one(ours: str) -> None:
    """Jobs follow the id of their house on the way; a word typed elsewhere is undone for itself."""
    history = History(Document(ours), saved=True)
    path = ("houses", 0, "id")
    for typed in ("1a", "1ad", "2", "adler"):
        history.apply(partial(tree_changes.set_field, path=path, value=typed), merge_key=path)
    assert [job["house"] for _, job in tree_model.jobs(history.tree)] == ["adler", "adler"]
    history.settle()
    history.apply(lambda tree: tree_changes.set_field(tree, path, "x"), merge_key=path)
    history.undo()
    assert tree_model.at(history.tree, path) == "adler"
    history.undo()
    assert history.current.document().text == ours
    history.redo()
    assert tree_model.at(history.tree, path) == "adler"


def test_undo_selects_what_was_selected_before_the_first_letter() -> None:
    """The letters of a word are one change."""
    history = History(Document("version: 1\nname: a\n"), saved=True)
    for shown, typed in ((("houses", 0), "ab"), (("houses", 1), "abc")):
        history.apply(partial(tree_changes.set_field, path=("name",), value=typed), shown, merge_key="name")
    assert history.tree["name"] == "abc"
    assert history.undo() == ("houses", 0)
    assert history.tree["name"] == "a"


def _named(history: History, *names: str, merge_key: object = None) -> None:
    """Change the name of the scenario, once for each of these."""
    for name in names:
        history.apply(partial(tree_changes.set_field, path=("name",), value=name), merge_key=merge_key)


def test_typing_after_undo_is_a_step_of_its_own() -> None:
    """It does not continue the word that was typed before."""
    history = History(Document("version: 1\nname: a\n"), saved=True)
    _named(history, "ab", merge_key="name")
    _named(history, "other")
    history.undo()
    _named(history, "abc", merge_key="name")
    history.undo()
    assert history.tree["name"] == "ab"


def test_the_oldest_versions_are_forgotten() -> None:
    """A session of a day has thousands."""
    history = History(Document("version: 1\nname: a\n"), saved=True)
    _named(history, *(f"n{i}" for i in range(MOST_VERSIONS + 5)))
    undone = 0
    while history.undoable is not None:
        history.undo()
        undone += 1
    assert undone == MOST_VERSIONS - 1
    assert history.current.document().value(("name",)) == "n5"


def test_a_later_version_is_dropped_without_leaving_the_one_that_is_shown() -> None:
    """The text of a version is made in the background, and may fail when it is no longer shown."""
    history = History(Document("version: 1\nname: a\n"), saved=True)
    _named(history, "b", "c")
    dropped = history.current
    history.undo()
    history.undo()
    assert not history.drop(dropped)
    assert history.tree["name"] == "a"
    history.redo()
    assert (history.tree["name"], history.redoable) == ("b", None)


def test_a_reverted_edit_does_not_count_as_a_change(ours: str) -> None:
    """A letter typed and deleted leaves the file as saved."""
    history = History(Document(ours), saved=True)
    for typed in ("oursx", "ours"):
        history.apply(partial(tree_changes.set_field, path=("name",), value=typed), merge_key="name")
    assert not history.is_dirty
    assert history.undoable is None


def test_a_change_that_the_text_cannot_take_is_forgotten() -> None:
    """A value that stands for one elsewhere (an alias), and all that came after it."""
    document = Document(
        "version: 1\nname: a\nstart: 0\nseed: 1\nhouses:\n  - &h {id: '1', devices: []}\n  - {id: '2', devices: []}\n"
        "x: *h\n"
    )
    history = History(document, saved=True)
    bad = history.apply(lambda _: Change("bad", (Put(("x", "id"), "3"),)))
    history.apply(lambda tree: tree_changes.set_field(tree, ("name",), "b"))
    assert bad is not None
    with pytest.raises(ScenarioError, match="alias"):
        bad.document()
    assert history.drop(bad)
    assert history.current.document().text == document.text


def test_ids_are_given_and_never_twice(ours: str) -> None:
    """Houses are numbered, devices are named after their kind, producers are unique in the neighbourhood."""
    history = History(Document(ours), saved=True)
    history.apply(tree_changes.add_house)
    assert tree_model.at(history.tree, ("houses", 2, "id")) == "3"
    for _ in range(2):
        history.apply(lambda tree: tree_changes.add_consumer(tree, ("houses", 2), APPLIANCES["oven"]))
        history.apply(lambda tree: tree_changes.add_producer(tree, ("houses", 2), [DEFAULT_SKY.prediction(tree)]))
    found = [device["id"] for _, device in tree_model.devices(tree_model.at(history.tree, ("houses", 2)))]
    assert found == ["oven", "pv-3", "oven-2", "pv-3-2"]
    assert history.current.document().problems("x", None) == []


def test_removing_a_house_takes_its_jobs_along(ours: str) -> None:
    """No reference to it remains."""
    history = History(Document(ours), saved=True)
    history.apply(lambda tree: tree_changes.remove_house(tree, ("houses", 0)))
    assert history.tree["jobs"] == []
    assert history.current.document().problems("x", None) == []


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count how often a text is parsed for its positions; each count is the length of the text."""
    done: list[int] = []
    take = yaml_nodes.events

    def counted(text: str) -> Any:
        done.append(len(text))
        return take(text)

    monkeypatch.setattr(yaml_nodes, "events", counted)
    return done


def test_a_change_of_many_parts_parses_the_text_a_few_times(ours: str, parsed: list[int]) -> None:
    """It was parsed once for each job: minutes for a house of a large neighbourhood, hours for a load profile."""
    job = '  - {house: "2", device: washer, registered: "06:00", earliest_start: "08:00", latest_start: "16:00"}\n'
    history = History(Document(ours.replace("# The end.", f"{job * 50}# The end.")), saved=True)
    for build in (
        partial(tree_changes.set_field, path=("houses", 1, "id"), value="new"),
        partial(tree_changes.rename_profile, ref=("load_profiles", "dish"), name="plate"),
        partial(tree_changes.remove_house, ref=("houses", 1)),
    ):
        version = history.apply(build)
        assert version is not None
        parsed.clear()
        text = version.document().text
        assert len(parsed) <= 4
        assert parse_yaml(text, "x") == history.tree


def test_a_number_replaces_a_base_load_and_an_empty_field_clears_a_constant_one() -> None:
    """A series is not lost by leaving its field empty."""
    path = ("houses", 0, "base_load", "constant_w")
    document = Document("houses:\n  - {id: a, base_load: {file: meter.csv}}\n")
    history = History(document, saved=True)

    assert tree_changes.set_field(parse_yaml(document.text, ""), path, "") is None
    history.apply(partial(tree_changes.set_field, path=path, value=150), merge_key=None)
    assert history.tree["houses"][0]["base_load"] == {"constant_w": 150}
    history.apply(partial(tree_changes.set_field, path=path, value=""), merge_key=None)
    assert "base_load" not in history.tree["houses"][0]
    history.undo()
    history.undo()
    assert history.tree["houses"][0]["base_load"] == {"file": "meter.csv"}
