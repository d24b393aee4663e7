"""Text for people in the little of Markdown that it needs, by one widget: Textual's own takes one for each block."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from rich.console import Group, RenderableType
from rich.style import Style
from rich.table import Table
from rich.text import Text
from textual.widgets import Static

_INLINE = re.compile(r"\*\*(?P<strong>.+?)\*\*|\*(?P<em>.+?)\*|`(?P<code>.+?)`", re.DOTALL)
_BULLET = "- "


class Prose(Static):
    """Paragraphs, lists of one level; in them `code`, *stress* and **strong** words."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"prose--code", "prose--bullet"}
    DEFAULT_CSS = """
    Prose { height: auto; padding: 0 1; background: $surface; }
    Prose > .prose--code { background: $warning 10%; color: $text-warning 95%; }
    Prose:light > .prose--code { background: $error 5%; color: $text-error 95%; }
    Prose > .prose--bullet { color: $text-primary; }
    Prose:light > .prose--bullet { color: $text-secondary; }
    """

    def __init__(self, source: str) -> None:
        """Make it.

        Args:
            source: What it says, Markdown.
        """
        super().__init__()
        self.source = source.strip()

    def render(self) -> RenderableType:
        """Put the blocks below each other."""
        code = self.get_component_rich_style("prose--code")
        bullet = self.get_component_rich_style("prose--bullet")
        parts: list[RenderableType] = []
        for block in blocks(self.source):
            if isinstance(block, str):
                parts.append(_words(block, code))
            else:
                items = Table.grid(expand=True)
                items.add_column(width=2, style=bullet)
                items.add_column(ratio=1)
                for item in block:
                    items.add_row("•", _words(item, code))
                parts.append(items)
            parts.append("")
        return Group(*parts)


def blocks(source: str) -> Iterator[str | list[str]]:
    """Return the paragraphs, and the items of each list, their lines joined."""
    for block in re.split(r"\n\s*\n", source):
        if block.startswith(_BULLET):
            yield [" ".join(item.split()) for item in f"\n{block}".split(f"\n{_BULLET}")[1:]]
        else:
            yield " ".join(block.split())


def _words(source: str, code: Style) -> Text:
    styles = {"strong": Style(bold=True), "em": Style(italic=True), "code": code}
    said, end = Text(), 0
    for found in _INLINE.finditer(source):
        kind = found.lastgroup or ""
        said.append(source[end : found.start()]).append(found[kind], styles[kind])
        end = found.end()
    return said.append(source[end:])
