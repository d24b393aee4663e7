"""The tree of houses, devices, jobs, load profiles, events and expectations; parts with problems are marked."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from tui.editor import tree_model
from tui.editor.forms import Origin, in_words, key_of
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
        self._by_device = tree_model.jobs_by_device(tree)
        self._origin = Origin.of(tree.get("start"), tree.get("zone"))

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
                first, last = (in_words(part.get(key), self._origin) for key in ("earliest_start", "latest_start"))
                return JOB, f"{first} - {last}"
            case "event":
                return EVENT, f"{when_in_words(part)} {event_in_words(part)}"
            case "expectation":
                return EXPECTATION, expectation_in_words(part)
            case "jobs":
                return "", f"All jobs ({sum(1 for _ in tree_model.jobs(tree))})"
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
        self._outline: Outline | None = None
        self._by_ref: dict[Ref, TreeNode[Ref]] = {WHOLE: self.root}
        """The nodes that are there: the children of a node are added when it is first opened."""
        self._filled: set[Ref] = set()
        """The parts whose children are there."""
        self._said: dict[Ref, tuple[str, str]] = {}
        self._marked: frozenset[Ref] = frozenset()

    def follow(self, tree: tree_model.Tree, select: Ref | None = None) -> None:
        """Show new data; move the cursor to `select`, or keep it if None."""
        is_new, self._outline = self._outline is None, Outline(tree)
        if is_new or not self._has_shape_of(self._outline):
            self._rebuild(self._outline, select, is_new=is_new)
        else:
            self._relabel()
            if select is not None:
                self.go_to(select)

    def forget(self) -> None:
        """Collapse to the houses at the next data."""
        self._outline = None
        self._clear()

    def mark(self, wrong: Collection[Ref]) -> None:
        """Mark parts with problems, and their parents."""
        found = frozenset(wrong)
        if found != self._marked:
            self._marked = found
            self._relabel()

    def _has_shape_of(self, outline: Outline) -> bool:
        """Return whether the nodes are those of an outline, as far as they have been added."""
        return all(
            tuple(child.data for child in node.children) == outline.children(ref)
            if ref in self._filled
            else node.allow_expand == bool(outline.children(ref))
            for ref, node in self._by_ref.items()
        )

    def _clear(self) -> None:
        self.root.remove_children()
        self._by_ref = {WHOLE: self.root}
        self._filled = set()
        self._said = {}

    def _rebuild(self, outline: Outline, select: Ref | None, *, is_new: bool) -> None:
        opened = {ref for ref, node in self._by_ref.items() if node.is_expanded}
        at = select if select is not None else self.cursor_ref
        with self.prevent(Tree.NodeHighlighted):
            self._clear()
            wanted = outline.children(WHOLE)
            if is_new and len(wanted) <= 15:
                opened.update(ref for ref in wanted if ref[:1] == ("houses",))
            self._fill(outline, WHOLE, opened)
            self.root.expand()
            self._relabel()
        self.go_to(at)

    def _fill(self, outline: Outline, ref: Ref, opened: Collection[Ref] = ()) -> None:
        """Add the children of a node, and below them those of the ones that are to be open."""
        if ref in self._filled:
            return
        self._filled.add(ref)
        node = self._by_ref[ref]
        for child in outline.children(ref):
            has_children = bool(outline.children(child))
            is_open = has_children and child in opened
            self._by_ref[child] = node.add(self._text(outline, child), child, allow_expand=has_children, expand=is_open)
            if is_open:
                self._fill(outline, child, opened)

    @on(Tree.NodeExpanded)
    def _fill_opened(self, event: Tree.NodeExpanded[Ref]) -> None:
        ref = event.node.data
        if self._outline is not None and ref is not None and self._by_ref.get(ref) is event.node:
            self._fill(self._outline, ref)

    def _text(self, outline: Outline, ref: Ref) -> Text:
        """Return what a node says, and remember it."""
        self._said[ref] = sign, label = outline.said(ref)
        said = f"{sign} {label}" if sign else label
        return Text(f"{said}{_MARK}" if ref in self._marked else said, no_wrap=True)

    def _relabel(self) -> None:
        if self._outline is None:
            return
        for ref, node in self._by_ref.items():
            said = self._text(self._outline, ref)
            if str(node.label) != said.plain:
                node.set_label(said)

    def render_label(self, node: TreeNode[Ref], base_style: Style, style: Style) -> Text:
        """Render the label of `node` in `style` over `base_style`: sign, title, mark."""
        label = super().render_label(node, base_style, style)
        looks = {CONSUMER: "sign--consumer", PRODUCER: "sign--producer"}
        looks |= dict.fromkeys((JOB, HOUSE, EVENT, EXPECTATION), "sign--quiet")
        ref = node.data
        sign = self._said.get(ref, ("", ""))[0] if ref is not None else ""
        prefix = len(label.plain) - len(str(node.label))
        if sign in looks:
            label.stylize(self.get_component_rich_style(looks[sign], partial=True), prefix, prefix + len(sign))
        mark = Text()
        if ref in self._marked:
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
        node = self.cursor_node
        return WHOLE if node is None or node.data is None else node.data

    def go_to(self, ref: Ref) -> None:
        """Move the cursor to a part, expanding its parents."""
        if self._outline is None:
            return
        for above in self._outline.parents(ref):
            if above in self._by_ref:
                self._fill(self._outline, above)
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
