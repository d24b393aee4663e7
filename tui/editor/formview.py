"""The form of the part that is chosen: title, fields, buttons."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, Static

from scenarios.files.problems import KeyPath
from tui.editor.fields import FieldRow
from tui.editor.form import Field, Form, Layout
from tui.editor.outline import Ref, Tree
from tui.editor.say import say
from tui.shell.fieldhelp import FieldHelp


class FormBody(Vertical):
    """The fields and buttons of all forms of one layout."""

    DEFAULT_CSS = """
    FormBody { height: auto; }
    FormBody > .buttons { height: auto; margin: 1 0 0 1; }
    FormBody .buttons Button { margin-right: 1; min-width: 8; }
    """

    def __init__(self, form: Form) -> None:
        self.rows = [FieldRow(field) for field in form.fields]
        super().__init__(*self.rows)
        self._buttons = form.buttons

    def compose(self) -> ComposeResult:
        """The buttons, where there are any."""
        if self._buttons:
            with Horizontal(classes="buttons"):
                for label, action in self._buttons:
                    yield Button(label, action=action, compact=True)


class FormView(VerticalScroll, can_focus=False):
    """Shows a form. Each layout is built once and kept: building takes long, changing what fields show does not."""

    DEFAULT_CSS = """
    FormView { padding: 0 1 0 0; scrollbar-size-vertical: 1; }
    FormView > .title { text-style: bold; color: $primary; padding: 0 1; }
    FormView > .note { color: $text-muted; padding: 0 1; margin-bottom: 1; }
    FormView > .own { color: $text-error; padding: 0 1; display: none; height: auto; margin-bottom: 1; }
    FormView.wrong > .own { display: block; }
    """

    def __init__(self) -> None:
        super().__init__(id="form")
        self._form: Form | None = None
        self._body: FormBody | None = None
        self._bodies: dict[Layout, FormBody] = {}
        self._wanted: tuple[Tree, Form] | None = None
        self._problems: Mapping[KeyPath, Sequence[str]] = {}
        self._building = asyncio.Lock()

    def compose(self) -> ComposeResult:
        """Title, note, what is wrong with the part itself."""
        yield Static("", classes="title", markup=False)
        yield Static("", classes="note", markup=False)
        yield Static("", classes="own", markup=False)

    @property
    def rows(self) -> list[FieldRow]:
        """The fields as they are shown."""
        return [] if self._body is None else self._body.rows

    def shows(self, ref: Ref) -> bool:
        """Whether it is the form of a part that is shown, to the last field."""
        return not self._building.locked() and self._form is not None and self._form.ref == ref

    async def show(self, tree: Tree, form: Form) -> None:
        """Show a form."""
        self._wanted = tree, form
        async with self._building:
            if self._wanted is None:
                return
            tree, form = self._wanted
            self._wanted = None
            body = await self._body_of(form)
            with self.app.batch_update():
                self._show(tree, form, body)

    async def _body_of(self, form: Form) -> FormBody:
        body = self._bodies.get(form.layout)
        if body is None:
            body = self._bodies[form.layout] = FormBody(form)
            body.display = False
            async with self.batch():
                await self.mount(body)
        return body

    def _show(self, tree: Tree, form: Form, body: FormBody) -> None:
        before, self._form = self._form, form
        has_focus = self.has_focus_within
        focused = self._focused_path()
        is_other = body is not self._body
        if is_other:
            if self._body is not None:
                self._body.display = False
            self._body = body
            body.display = True
        say(self.query_one(".title", Static), form.title)
        say(self.query_one(".note", Static), form.note)
        for row, field in zip(self.rows, form.fields, strict=True):
            if row.is_mounted:  # else the application is about to end
                row.show(tree, field)
        if before is not None and before.ref != form.ref:
            self.scroll_home(animate=False)
            if has_focus and (focused is None or not self.focus_field(focused)):
                self._leave()
        elif is_other and focused is not None:
            self.focus_field(focused)
        self._show_problems()
        self._explain()

    def _leave(self) -> None:
        """Let what comes before the form have the focus: what had it belongs to another part now."""
        before = None
        for widget in self.screen.focus_chain:
            if self in widget.ancestors:
                break
            before = widget
        self.screen.set_focus(before)

    def on_descendant_focus(self) -> None:
        """Say what the field is that has the focus."""
        self._explain()

    def on_descendant_blur(self) -> None:
        """Say nothing where none has."""
        self._explain()

    def _explain(self) -> None:
        path = self._focused_path()
        found = [row.field.help for row in self.rows if path is not None and row.field.path == path]
        for line in self.screen.query(FieldHelp):
            line.say(found[0] if found else "")

    def complain(self, problems: Mapping[KeyPath, Sequence[str]]) -> None:
        """Show problems at their fields, by key path."""
        self._problems = problems
        if not self._building.locked():
            self._show_problems()

    def _show_problems(self) -> None:
        form = self._form
        if form is None:
            return
        found: dict[KeyPath, list[str]] = {field.path: [] for field in form.fields}
        own: list[str] = []
        for path, said in self._problems.items():
            field = field_for(form.fields, path)
            if field is not None:
                found[field.path] += said
            elif path[: len(form.ref)] == form.ref and (form.ref or len(path) <= 1):
                own += said
        for row in self.rows:
            if row.is_mounted:
                row.complain(found[row.field.path])
        self.set_class(bool(own), "wrong")
        say(self.query_one(".own", Static), "\n".join(f"✗ {said}" for said in own))

    def focus_field(self, path: KeyPath | None = None) -> bool:
        """Focus the field in which a value is edited; None: the first one."""
        form = self._form
        if form is None or not form.fields:
            return False
        field = form.fields[0] if path is None else field_for(form.fields, path)
        for row in self.rows:
            if field is not None and row.field.path == field.path:
                row.target.focus()
                return True
        return False

    def _focused_path(self) -> KeyPath | None:
        focused = self.screen.focused
        row = next((row for row in self.rows if focused is not None and row in focused.ancestors), None)
        return None if row is None else row.field.path


def field_for(fields: Sequence[Field], path: KeyPath) -> Field | None:
    """Return the field at which a problem with the value at a path is shown: the one that is nearest."""
    best: tuple[int, Field] | None = None
    for field in fields:
        for place in (field.path, *field.covers):
            if path[: len(place)] == place and (best is None or len(place) > best[0]):
                best = len(place), field
    return None if best is None else best[1]
