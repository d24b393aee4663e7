"""The tree of houses, devices, jobs, load profiles, events and expectations; parts with problems are marked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from tui.editor import tree_model
from tui.editor.script_model import event_in_words, expectation_in_words, when_in_words
from tui.editor.time_fields import Origin, in_words
from tui.editor.tree_model import EVENTS, EXPECTATIONS, JOBS, PROFILES, WHOLE, Ref, text

CONSUMER, PRODUCER, JOB, HOUSE, EVENT, EXPECTATION = "▽", "▲", "•", "⌂", "╎", "="


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the tree, as data."""

    ref: Ref
    sign: str
    label: str
    children: tuple[Node, ...] = ()


def nodes_of(tree: tree_model.Tree) -> Node:
    """Return what is to be in the tree."""
    by_device = tree_model.jobs_by_device(tree)
    origin = Origin.of(tree.get("start"))
    all_jobs = dict(tree_model.jobs(tree))

    def job_node(index: int) -> Node:
        job = all_jobs[index]
        window = f"{in_words(job.get('earliest_start'), origin)} - {in_words(job.get('latest_start'), origin)}"
        return Node(("jobs", index), JOB, window)

    def device_node(ref: Ref, house_id: str, device: dict[str, object]) -> Node:
        children = by_device.get((house_id, text(device.get("id"))), [])
        sign = PRODUCER if device.get("type") == "producer" else CONSUMER
        return Node(ref, sign, tree_model.device_title(device), tuple(job_node(index) for index in children))

    def house_node(i: int, house: dict[str, object]) -> Node:
        id_ = text(house.get("id"))
        found = (device_node(("houses", i, "devices", j), id_, device) for j, device in tree_model.devices(house))
        return Node(("houses", i), HOUSE, tree_model.house_title(house), tuple(found))

    events = list(tree_model.items(tree.get("timeline")))
    expected = tree.get("expect")
    expectations = [
        (i, entry)
        for i, entry in enumerate(expected if isinstance(expected, list) else ())
        if isinstance(entry, dict | str)
    ]
    profiles = tree_model.profiles(tree)
    return Node(
        WHOLE,
        "",
        tree_model.title_of(tree, WHOLE),
        (
            *(house_node(i, house) for i, house in tree_model.houses(tree)),
            Node(JOBS, "", f"All jobs ({len(all_jobs)})"),
            Node(
                PROFILES,
                "",
                f"Load profiles ({len(profiles)})",
                tuple(Node(("load_profiles", name), "", name) for name in profiles),
            ),
            Node(
                EVENTS,
                "",
                f"Events ({len(events)})",
                tuple(
                    Node(("timeline", i), EVENT, f"{when_in_words(event)} {event_in_words(event)}")
                    for i, event in events
                ),
            ),
            Node(
                EXPECTATIONS,
                "",
                f"Expectations ({len(expectations)})",
                tuple(Node(("expect", i), EXPECTATION, expectation_in_words(entry)) for i, entry in expectations),
            ),
        ),
    )


class NeighbourhoodTree(Tree[Ref]):
    """Tree that follows the data, keeping the cursor and expanded nodes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "enter_form", "Edit", show=True, tooltip="Go to the fields"),
        Binding("right", "open_node", "Open", show=False),
        Binding("left", "close_node", "Close", show=False),
        Binding("space", "toggle_node", "Open or close", show=False),
        Binding("home", "first", "First", show=False),
        Binding("end", "last", "Last", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"sign--consumer", "sign--producer", "sign--wrong", "sign--quiet"}
    DEFAULT_CSS = """
    NeighbourhoodTree { background: $background; padding: 0 0 0 1; scrollbar-size-vertical: 1; overflow-x: hidden; }
    NeighbourhoodTree > .tree--guides, NeighbourhoodTree > .tree--guides-hover { color: $border; }
    NeighbourhoodTree > .tree--guides-selected, NeighbourhoodTree:focus > .tree--guides-selected { color: $border; }
    NeighbourhoodTree > .tree--cursor { background: $panel; color: $text; }
    NeighbourhoodTree:focus { background-tint: $background 0%; }
    NeighbourhoodTree:focus > .tree--cursor { background: $primary 28%; color: $text; text-style: bold; }
    NeighbourhoodTree .sign--consumer { color: $secondary; }
    NeighbourhoodTree .sign--producer { color: $forecast; }
    NeighbourhoodTree .sign--wrong { color: $error; text-style: bold; }
    NeighbourhoodTree .sign--quiet { color: $foreground 60%; }
    """

    class EnterForm(Message):
        """The user wants to edit the node under the cursor."""

    def __init__(self) -> None:
        super().__init__("", data=WHOLE, id="tree")
        self.auto_expand = False
        self.guide_depth = 2
        self._by_ref: dict[Ref, TreeNode[Ref]] = {WHOLE: self.root}
        self._shown_shape: object = None
        self._said: dict[Ref, tuple[str, str]] = {}
        self._marked: frozenset[Ref] = frozenset()

    def follow(self, tree: tree_model.Tree, select: Ref | None = None) -> None:
        """Show new data; move the cursor to `select`, or keep it if None."""
        wanted = nodes_of(tree)
        shape = _shape(wanted)
        self._said = {}
        _collect(wanted, self._said)
        if shape != self._shown_shape:
            self._rebuild(wanted, select)
            self._shown_shape = shape
        else:
            self._relabel()
            if select is not None:
                self.go_to(select)

    def forget(self) -> None:
        """Collapse to the houses at the next data."""
        self._shown_shape = None
        self.root.remove_children()
        self._by_ref = {WHOLE: self.root}

    def mark(self, wrong: Collection[Ref]) -> None:
        """Mark parts with problems, and their parents."""
        found = frozenset(wrong)
        if found != self._marked:
            self._marked = found
            self._relabel()

    def _rebuild(self, wanted: Node, select: Ref | None) -> None:
        is_new = self._shown_shape is None
        opened = {ref for ref, node in self._by_ref.items() if node.is_expanded}
        at = select if select is not None else self.cursor_ref
        with self.prevent(Tree.NodeHighlighted):
            self.root.remove_children()
            self._by_ref = {WHOLE: self.root}
            for child in wanted.children:
                self._add(self.root, child, opened)
            self.root.expand()
            if is_new and len(wanted.children) <= 14:
                for child in wanted.children:
                    if child.ref[:1] == ("houses",):
                        self._by_ref[child.ref].expand()
            self._relabel()
        self.go_to(at if at in self._by_ref else WHOLE)

    def _add(self, parent: TreeNode[Ref], wanted: Node, opened: Collection[Ref]) -> None:
        node = parent.add("", wanted.ref, allow_expand=bool(wanted.children), expand=wanted.ref in opened)
        self._by_ref[wanted.ref] = node
        for child in wanted.children:
            self._add(node, child, opened)

    def _relabel(self) -> None:
        for ref, node in self._by_ref.items():
            sign, label = self._said.get(ref, ("", ""))
            said = f"{sign} {label}" if sign else label
            if ref in self._marked:
                said += " ✗"
            if str(node.label) != said:
                node.set_label(Text(said, no_wrap=True))

    def render_label(self, node: TreeNode[Ref], base_style: Style, style: Style) -> Text:
        """Write a node: sign, title, mark."""
        label = super().render_label(node, base_style, style)
        looks = {CONSUMER: "sign--consumer", PRODUCER: "sign--producer"}
        looks |= dict.fromkeys((JOB, HOUSE, EVENT, EXPECTATION), "sign--quiet")
        ref = node.data
        sign = self._said.get(ref, ("", ""))[0] if ref is not None else ""
        prefix = len(label.plain) - len(str(node.label))
        if sign in looks:
            label.stylize(self.get_component_rich_style(looks[sign], partial=True), prefix, prefix + len(sign))
        if ref in self._marked:
            label.stylize(self.get_component_rich_style("sign--wrong", partial=True), len(label.plain) - 1)
        return label

    # The cursor.

    @property
    def cursor_ref(self) -> Ref:
        """The item under the cursor."""
        node = self.cursor_node
        return WHOLE if node is None or node.data is None else node.data

    def go_to(self, ref: Ref) -> None:
        """Move the cursor to a part, expanding its parents."""
        node = self._by_ref.get(ref)
        if node is None:
            return
        above = node.parent
        while above is not None:
            above.expand()
            above = above.parent
        self.call_after_refresh(self._move_to, ref)

    def _move_to(self, ref: Ref) -> None:
        node = self._by_ref.get(ref)
        if node is not None and node is not self.cursor_node:
            self.move_cursor(node)

    def action_enter_form(self) -> None:
        """Request the form's focus."""
        self.post_message(self.EnterForm())

    def action_open_node(self) -> None:
        """Expand the node, or go to its first child."""
        node = self.cursor_node
        if node is not None and node.children:
            if node.is_expanded:
                self.move_cursor(node.children[0])
            else:
                node.expand()

    def action_close_node(self) -> None:
        """Collapse the node, or go to its parent."""
        node = self.cursor_node
        if node is None:
            return
        if node.is_expanded and node.children and node is not self.root:
            node.collapse()
        elif node.parent is not None:
            self.move_cursor(node.parent)

    def action_first(self) -> None:
        """Go to the top."""
        self.move_cursor_to_line(0)

    def action_last(self) -> None:
        """Go to the bottom."""
        self.move_cursor_to_line(self.last_line)


def _shape(node: Node) -> object:
    return node.ref, tuple(_shape(child) for child in node.children)


def _collect(node: Node, labels: dict[Ref, tuple[str, str]]) -> None:
    labels[node.ref] = node.sign, node.label
    for child in node.children:
        _collect(child, labels)
