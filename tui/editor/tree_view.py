"""The tree of houses, devices, jobs, load profiles, events and expectations; parts with problems are marked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from scenarios.files import YamlValue
from tui.editor import tree_model
from tui.editor.forms import RunStart, in_words, key_of
from tui.editor.scripts import event_in_words, expectation_in_words, when_in_words
from tui.editor.tree_model import COMMUNITY, EVENTS, EXPECTATIONS, JOBS, PROFILES, WHOLE, Ref

_MARK = " ✗"
"""At the end of the label of a part with problems, also where the label is cut."""
CONSUMER, PRODUCER, JOB, HOUSE, EVENT, EXPECTATION = "▽", "▲", "•", "⌂", "╎", "="


class Outline:
    """The content of the tree. Parts are computed on demand, because most of a large file is never opened."""

    def __init__(self, tree: tree_model.Tree) -> None:
        """Make the outline of the data."""
        self._tree = tree
        self._run_start = RunStart.of_tree(tree)

    @cached_property
    def _by_device(self) -> dict[tuple[str, str], list[int]]:
        return tree_model.jobs_by_device(self._tree)

    def part(self, ref: Ref) -> YamlValue:
        """Return the data of a part, the same object for as long as nothing in it changes; of a heading, its name."""
        return ref if len(ref) < 2 else tree_model.at(self._tree, ref)

    def has_label_of(self, ref: Ref, before: Outline, ref_before: Ref) -> bool:
        """Return whether a part is certain to have the sign and the label that it had in an earlier outline.

        Args:
            ref: The part, whose data is the same object as before.
            before: The earlier outline.
            ref_before: The part in the earlier outline.
        """
        is_heading = len(ref) < 2  # a heading counts what is below it
        is_renamed = ref[:1] == PROFILES and ref != ref_before
        return self._run_start == before._run_start and not is_heading and not is_renamed

    def children(self, ref: Ref) -> tuple[Ref, ...]:  # noqa: PLR0911 - one case for each kind
        """Return the parts below a part."""
        tree = self._tree
        match tree_model.kind_of(ref):
            case "neighbourhood":
                houses = (("houses", i) for i, _ in tree_model.houses(tree))
                return (*houses, JOBS, PROFILES, EVENTS, EXPECTATIONS, COMMUNITY)
            case "house":
                return tuple((*ref, "devices", j) for j, _ in tree_model.devices(tree_model.at(tree, ref)))
            case "device":
                return tuple(("jobs", index) for index in self._by_device.get(tree_model.ids_of(tree, ref), ()))
            case "profiles":
                return tuple(("load_profiles", name) for name in tree_model.profiles(tree))
            case "events":
                return tuple(("timeline", i) for i, _ in tree_model.items(tree.get("timeline")))
            case "expectations":
                return tuple(("expect", i) for i in self._expectations())
            case _:
                return ()

    def _expectations(self) -> list[int]:
        expected = self._tree.get("expect")
        return [
            i for i, one in enumerate(expected if isinstance(expected, list) else ()) if isinstance(one, dict | str)
        ]

    def said(self, ref: Ref) -> tuple[str, str]:  # noqa: C901, PLR0911 - one case for each kind
        """Return the sign of a part (empty: none), and its label."""
        tree, part = self._tree, tree_model.at(self._tree, ref)
        match tree_model.kind_of(ref):
            case "house":
                return HOUSE, tree_model.house_title(part)
            case "device":
                return PRODUCER if part.get("type") == "producer" else CONSUMER, tree_model.device_title(part)
            case "job":
                first, last = (in_words(part.get(key), self._run_start) for key in ("earliest_start", "latest_start"))
                return JOB, f"{first} - {last}"
            case "event":
                return EVENT, f"{when_in_words(part)} {event_in_words(part)}"
            case "expectation":
                return EXPECTATION, expectation_in_words(part)
            case "jobs":
                return "", f"All jobs ({sum(1 for _ in tree_model.jobs(tree)):,})"
            case "profiles":
                return "", f"Load profiles ({len(tree_model.profiles(tree))})"
            case "events":
                return "", f"Events ({sum(1 for _ in tree_model.items(tree.get('timeline')))})"
            case "expectations":
                return "", f"Expectations ({len(self._expectations())})"
            case "profile":
                return "", str(ref[-1])
            case "community":
                return "", f"Community ({key_of(tree)})"
            case _:
                return "", tree_model.title_of(tree, ref)

    def parents(self, ref: Ref) -> list[Ref]:
        """Return the parts that a part is below, the outermost first."""
        found: list[Ref] = []
        while ref != WHOLE:
            ref = tree_model.parent_of(self._tree, ref)
            found.insert(0, ref)
        return found


class NeighbourhoodTree(Tree[Ref]):
    """Tree that follows the data, keeping the cursor and expanded nodes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "enter_form", "Edit", show=True, tooltip="Go to the fields"),
        Binding("right", "open_node", "Expand", show=False, tooltip="Open the branch, or go into it"),
        Binding("left", "close_node", "Collapse", show=False, tooltip="Close the branch, or go out of it"),
        Binding("space", "toggle_node", "Expand or collapse", show=False, tooltip="Open or close the branch"),
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
        self._outline: Outline | None = None
        self._by_ref: dict[Ref, TreeNode[Ref]] = {WHOLE: self.root}
        """The nodes that are there: the children of a node are added when it is first opened."""
        self._filled: set[TreeNode[Ref]] = set()
        """The nodes whose children are there."""
        self._signs: dict[TreeNode[Ref], str] = {}
        self._wrong: frozenset[Ref] = frozenset()
        """The parts with problems, as of the last check; some may have no node yet."""
        self._marked: set[TreeNode[Ref]] = set()
        """The nodes with a mark, which stays with the node if parts before it are added or removed."""

    def follow(self, tree: tree_model.Tree, select: Ref | None = None) -> None:
        """Show new data; move the cursor to `select`, or keep it if None."""
        before, self._outline = self._outline, Outline(tree)
        at = self.cursor_ref if select is None else select
        if before is None:
            self._rebuild(self._outline)
        else:
            with self.prevent(Tree.NodeHighlighted):
                self._by_ref = {WHOLE: self.root}
                self._label(self._outline, self.root)
                self._update_below(self.root, WHOLE, before, self._outline)
                _ = self.last_line  # arranges the lines: the cursor follows its node, and that is no choice of the user
        if before is None or select is not None or self._by_ref.get(at) is not self.cursor_node:
            self.go_to(at)

    def forget(self) -> None:
        """Collapse to the houses at the next data."""
        self._outline = None
        self._clear()

    def mark(self, wrong: Collection[Ref]) -> None:
        """Mark parts with problems, and their parents."""
        self._wrong = frozenset(wrong)
        for ref, node in self._by_ref.items():
            if (ref in self._wrong) != (node in self._marked):
                self._marked ^= {node}
                if self._outline is not None:
                    self._label(self._outline, node)

    def _clear(self) -> None:
        self.root.remove_children()
        self._by_ref = {WHOLE: self.root}
        self._filled, self._signs = set(), {}
        self._marked &= {self.root}

    def _rebuild(self, outline: Outline) -> None:
        with self.prevent(Tree.NodeHighlighted):
            self._clear()
            parts = outline.children(WHOLE)
            opened = {ref for ref in parts if ref[:1] == ("houses",)} if len(parts) <= 15 else set()
            self._label(outline, self.root)
            self._fill(outline, self.root, opened)
            self.root.expand()

    def _fill(self, outline: Outline, node: TreeNode[Ref], opened: Collection[Ref] = ()) -> None:
        """Add the children of a node, and below them those of the ones that are to be open."""
        if node in self._filled:
            return
        self._filled.add(node)
        for ref in outline.children(_ref_of(node)):
            child = self._add(outline, node, ref, len(node.children), is_open=ref in opened)
            if child.is_expanded:
                self._fill(outline, child, opened)

    def _add(
        self, outline: Outline, parent: TreeNode[Ref], ref: Ref, index: int, *, is_open: bool = False
    ) -> TreeNode[Ref]:
        """Add the node of a part before the child with an index."""
        has_children = bool(outline.children(ref))
        is_wrong = ref in self._wrong
        sign, label = outline.said(ref)
        said = _label_text(sign, label, is_wrong=is_wrong)
        node = parent.add(said, ref, before=index, allow_expand=has_children, expand=is_open and has_children)
        self._by_ref[ref], self._signs[node] = node, sign
        if is_wrong:
            self._marked.add(node)
        return node

    def _drop(self, node: TreeNode[Ref]) -> None:
        """Remove a node, and what is known about it and the nodes below it."""
        below = [node]
        while below:
            one = below.pop()
            below += one.children
            self._filled.discard(one)
            self._marked.discard(one)
            self._signs.pop(one, None)
        node.remove()

    def _update_below(self, node: TreeNode[Ref], ref: Ref, before: Outline, outline: Outline) -> None:
        """Change the nodes below the node of a part from those of an earlier outline to those of a new one.

        The nodes of unchanged parts stay as they are, wherever they are now. Of changed parts in a row, the first keep
        their nodes, so that a house whose name is typed stays open.
        """
        nodes, refs = list(node.children), outline.children(ref)
        parts_before, parts = [before.part(_ref_of(one)) for one in nodes], [outline.part(one) for one in refs]
        head, tail = _ends_in_common(parts_before, parts)
        changed = min(len(nodes), len(refs)) - head - tail
        for gone in nodes[head + changed : len(nodes) - tail]:
            self._drop(gone)
        first = range(head + changed)
        last = zip(range(len(nodes) - tail, len(nodes)), range(len(refs) - tail, len(refs)), strict=True)
        for i, j in (*zip(first, first, strict=True), *last):
            self._update(nodes[i], refs[j], before, outline, is_same=parts_before[i] is parts[j])
        for index in range(head + changed, len(refs) - tail):
            self._add(outline, node, refs[index], index)

    def _update(self, node: TreeNode[Ref], ref: Ref, before: Outline, outline: Outline, *, is_same: bool) -> None:
        """Change a node, and those below it, from a part of an earlier outline to one of a new outline.

        Args:
            node: The node.
            ref: The part that it stands for now.
            before: The earlier outline.
            outline: The new outline.
            is_same: Whether the data of the part is the same object in both.
        """
        has_label = is_same and outline.has_label_of(ref, before, _ref_of(node))
        node.data = ref
        self._by_ref[ref] = node
        if not has_label:
            self._label(outline, node)
        if node in self._filled:
            self._update_below(node, ref, before, outline)
        elif has_label and tree_model.kind_of(ref) == "house":
            return  # its devices are the same too; those of a device are jobs elsewhere in the file
        has_children = bool(outline.children(ref))
        if node.allow_expand != has_children:
            node.allow_expand = has_children
            if not has_children:
                node.collapse()
            node.refresh()

    @on(Tree.NodeExpanded)
    def _fill_opened(self, event: Tree.NodeExpanded[Ref]) -> None:
        ref = event.node.data
        if self._outline is not None and ref is not None and self._by_ref.get(ref) is event.node:
            self._fill(self._outline, event.node)

    def _label(self, outline: Outline, node: TreeNode[Ref]) -> None:
        self._signs[node], label = outline.said(_ref_of(node))
        said = _label_text(self._signs[node], label, is_wrong=node in self._marked)
        if str(node.label) != said.plain:
            node.set_label(said)

    def get_label_width(self, node: TreeNode[Ref]) -> int:
        """Return a width that makes nothing scroll sideways: labels are cut. Asked of all nodes whenever one is new."""
        del node
        return 1

    def render_label(self, node: TreeNode[Ref], base_style: Style, style: Style) -> Text:
        """Render the label of `node` in `style` over `base_style`: sign, title, mark."""
        label = super().render_label(node, base_style, style)
        looks = {CONSUMER: "sign--consumer", PRODUCER: "sign--producer"}
        looks |= dict.fromkeys((JOB, HOUSE, EVENT, EXPECTATION), "sign--quiet")
        sign = self._signs.get(node, "")
        prefix = len(label.plain) - len(str(node.label))
        if sign in looks:
            label.stylize(self.get_component_rich_style(looks[sign], partial=True), prefix, prefix + len(sign))
        mark = Text()
        if node in self._marked:
            label.stylize(self.get_component_rich_style("sign--wrong", partial=True), len(label.plain) - 1)
            mark = label[-len(_MARK) :]
            label.right_crop(len(_MARK))
        if (room := self._room_for(node) - mark.cell_len) > 0:
            label.truncate(room, overflow="ellipsis")
        return label.append_text(mark)

    def _room_for(self, node: TreeNode[Ref]) -> int:
        """Return the cells that a label may have; 0 or less before the tree has a width."""
        depth = 0
        while node.parent is not None:
            node = node.parent
            depth += 1
        return self.scrollable_content_region.width - depth * self.guide_depth

    # The cursor.

    @property
    def cursor_ref(self) -> Ref:
        """The item under the cursor."""
        return WHOLE if self.cursor_node is None else _ref_of(self.cursor_node)

    def go_to(self, ref: Ref) -> None:
        """Move the cursor to a part, expanding its parents."""
        if self._outline is None:
            return
        for above in self._outline.parents(ref):
            if above in self._by_ref:
                self._fill(self._outline, self._by_ref[above])
                self._by_ref[above].expand()
        self.call_after_refresh(self._move_to, ref if ref in self._by_ref else WHOLE)

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
        if node is not None and node.allow_expand:
            if node.is_expanded and node.children:
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


def _ref_of(node: TreeNode[Ref]) -> Ref:
    return WHOLE if node.data is None else node.data


def _label_text(sign: str, label: str, *, is_wrong: bool) -> Text:
    said = f"{sign} {label}" if sign else label
    return Text(f"{said}{_MARK}" if is_wrong else said, no_wrap=True)


def _ends_in_common(before: Sequence[object], after: Sequence[object]) -> tuple[int, int]:
    """Return how many objects two sequences share at their beginning, and how many of the rest at their end."""
    shorter, head, tail = min(len(before), len(after)), 0, 0
    while head < shorter and before[head] is after[head]:
        head += 1
    while tail < shorter - head and before[-1 - tail] is after[-1 - tail]:
        tail += 1
    return head, tail
