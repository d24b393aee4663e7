"""The elements of a form: fields, buttons. `form_model` determines the form of each part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from scenarios.files import KeyPath
from tui.editor.tree_model import Ref


@dataclass(frozen=True, slots=True)
class Field:
    """A line of a form."""

    kind: Literal["text", "number", "time", "choice", "pick"]
    label: str
    path: KeyPath
    """Key path of the value."""
    value: Any
    hint: str = ""
    """Placeholder."""
    options: tuple[str, ...] = ()
    """The options of a choice field."""
    covers: tuple[KeyPath, ...] = ()
    """Further key paths whose problems the field displays."""
    heading: str = ""
    """Heading above the field."""
    help: str = ""
    """One line shown while focused: meaning, unit, default, PySSMic's name."""


Button = tuple[str, str]
"""Label, action of the screen."""
Layout = tuple[object, ...]
"""Identifies forms with the same fields and buttons."""


@dataclass(frozen=True, slots=True)
class PartForm:
    """The form of one part."""

    ref: Ref
    title: str
    fields: tuple[Field, ...]
    buttons: tuple[Button, ...] = ()
    note: str = ""
    """Under the title."""

    @property
    def layout(self) -> Layout:
        """Equal for forms that differ in values only."""
        return tuple((f.kind, f.label, f.options, f.heading) for f in self.fields), self.buttons
