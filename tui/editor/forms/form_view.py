"""Widgets of the selected part's form: title, fields, buttons."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, Input, Select, Static

from scenarios.files import KeyPath, YamlValue
from tui.editor.forms.form_model import shown
from tui.editor.forms.form_parts import Field, Layout, PartForm
from tui.editor.forms.time_fields import RunStart, join, offset_name, seconds, shifted, split
from tui.editor.tree_changes import number_or_text
from tui.editor.tree_model import Ref, Tree, text
from tui.formatting import fit
from tui.widgets import FieldHelp, TextChoice, update_if_changed


class PickButton(Static, can_focus=True):
    """Shows the picked value; enter, space or a click opens the picker."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,space,down", "press", "Choose", show=True)]
    DEFAULT_CSS = """
    PickButton { width: 1fr; height: 1; background: $panel; padding: 0 1; pointer: pointer; }
    PickButton:hover { background: $boost; }
    PickButton:focus { background: $primary 28%; }
    PickButton.empty { color: $text-muted; }
    """

    class Pressed(Message):
        """The picker was requested."""

    def show(self, value: str, hint: str) -> None:
        """Show the chosen value."""
        self.set_class(not value, "empty")
        if self._said != (value or hint):
            self._said = value or hint
            self.refresh()

    _said = ""

    def render(self) -> Content:
        """Render the value, with an arrow at the right."""
        width = max(1, self.content_size.width - 2)
        return Content(f"{fit(self._said, width)} ▾")

    def action_press(self) -> None:
        """Request the picker; the form knows what can be picked."""
        self.post_message(self.Pressed())

    def on_click(self) -> None:
        """Do as Enter does."""
        self.action_press()


class TimePart(Input):
    """Input of a date or time of day; up and down change it by a day or a quarter of an hour."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "shift(1)", "Later", show=True),
        Binding("down", "shift(-1)", "Earlier", show=True),
    ]

    def __init__(self, step_s: int, placeholder: str, classes: str) -> None:
        super().__init__(compact=True, placeholder=placeholder, classes=classes)
        self.step_s = step_s

    class Shifted(Message):
        """The time was moved by a key."""

        def __init__(self, by_s: int) -> None:
            super().__init__()
            self.by_s = by_s

    def action_shift(self, direction: int) -> None:
        """Move the time."""
        self.post_message(self.Shifted(direction * self.step_s))


class FieldRow(Vertical):
    """A field. `show` sets it silently; user edits post `Edited` or `Asked`."""

    DEFAULT_CSS = """
    FieldRow { height: auto; }
    FieldRow:focus-within { height: auto; }  /* Textual follows the focus only where such a rule is */
    FieldRow > .heading { color: $primary; text-style: bold; margin-top: 1; padding: 0 1; }
    FieldRow > Horizontal { height: 1; }
    FieldRow .label { width: 16; color: $text-muted; padding: 0 1; }
    FieldRow:focus-within .label { color: $primary; }
    FieldRow Input.-textual-compact { width: 1fr; background: $panel; padding: 0 1; }
    FieldRow Input:focus { background: $primary 28%; }
    FieldRow .date.-textual-compact { width: 13; margin-right: 1; }
    FieldRow .clock.-textual-compact { width: 11; }
    FieldRow .offset { width: 1fr; padding: 0 0 0 1; color: $text-muted; }
    FieldRow Select { width: 1fr; }
    FieldRow Select.-textual-compact > SelectCurrent { background: $panel; padding: 0 1; }
    FieldRow Select:focus > SelectCurrent { background: $primary 28%; }
    FieldRow > .problem { color: $text-error; height: auto; padding: 0 1 0 16; display: none; }
    FieldRow.wrong > .problem { display: block; }
    FieldRow.wrong .label { color: $text-error; }
    """

    class Edited(Message):
        """The user changed the value."""

        def __init__(self, row: FieldRow, value: YamlValue) -> None:
            super().__init__()
            self.path = row.field.path
            self.value = value
            self._row = row
            self._texts = row.texts

        def accept(self) -> None:
            """Note that the neighbourhood has the change: from now on the field may show another value."""
            if self._row.field.path == self.path:
                self._row.known_texts = self._texts

    class Asked(Message):
        """The user wants to pick a value."""

        def __init__(self, path: KeyPath) -> None:
            super().__init__()
            self.path = path

    class Left(Message):
        """The field lost the focus: later typing is a separate undo step."""

    def __init__(self, field: Field) -> None:
        super().__init__()
        self.field = field
        self.known_texts: tuple[str, ...] = ()
        """The inputs' texts as the neighbourhood has them. Other texts were typed since, and are on their way to it."""

    @property
    def texts(self) -> tuple[str, ...]:
        """The inputs' texts."""
        return tuple(line.value for line in self.query(Input))

    def compose(self) -> ComposeResult:
        """Yield heading, label, value and problem."""
        field = self.field
        if field.heading:
            yield Static(field.heading, classes="heading")
        with Horizontal():
            yield Static(field.label, classes="label", markup=False)
            yield from self._editor()
        yield Static("", classes="problem", markup=False)

    def _editor(self) -> ComposeResult:
        field = self.field
        if field.kind == "pick":
            yield PickButton(markup=False)
        elif field.kind == "choice":
            options = self._offered = self._options(field)
            value = text(field.value) if text(field.value) in options else Select.NULL
            yield TextChoice[str](
                [(option or field.hint, option) for option in options],
                compact=True,
                value=value,
                allow_blank=True,
                prompt="choose",
            )
        elif field.kind == "time":
            yield TimePart(86_400, "YYYY-MM-DD", "date")
            yield TimePart(900, "HH:MM", "clock")
            yield Static("", classes="offset")
        else:
            yield Input(compact=True, placeholder=field.hint)

    @staticmethod
    def _options(field: Field) -> tuple[str, ...]:
        value = text(field.value)
        return (*field.options, value) if value and value not in field.options else field.options

    @property
    def target(self) -> Widget:
        """The widget that takes the focus."""
        return self.query("Input, PickButton, Select").first(Widget)

    def show(self, tree: Tree, field: Field) -> None:
        """Show a value, unless it is being typed; the field may belong to a different part than before."""
        is_another = field.path != self.field.path
        self.field = field
        if not is_another and self.has_focus_within and self.texts != self.known_texts:
            return  # what was typed last is newer than `tree`
        if is_another:
            self._in_form_of = None
        with self.prevent(Input.Changed, Select.Changed):
            if field.kind == "pick":
                self.query_one(PickButton).show(shown(tree, field), field.hint)
            elif field.kind == "choice":
                select = cast("Select[str]", self.query_one(Select))
                value = text(field.value)
                options = self._options(field)
                if options != self._offered:
                    self._offered = options
                    select.set_options([(option or field.hint, option) for option in options])
                select.value = value if value in options else Select.NULL
            elif field.kind == "time":
                self._show_time(field.value, RunStart.of_tree(tree))
            else:
                line = self.query_one(Input)
                line.placeholder = field.hint
                if is_another:
                    line.value = text(field.value)
                    line.cursor_position = len(line.value)
                else:
                    self._set(line, text(field.value))
        self.known_texts = self.texts

    def _show_time(self, value: YamlValue, run_start: RunStart) -> None:
        self._run_start = run_start
        date, clock = self.query(TimePart)
        update_if_changed(self.query_one(".offset", Static), offset_name(value, run_start))
        if join(date.value, clock.value, run_start, self._in_form_of) != value or not (date.value or clock.value):
            if seconds(value, run_start) is not None:
                self._in_form_of = value
            new_date, new_clock = split(value, run_start)
            self._set(date, new_date)
            self._set(clock, new_clock)

    @staticmethod
    def _set(field: Input, value: str) -> None:
        if field.value != value and not _same_number(field, value):
            field.value = value

    def complain(self, problems: list[str]) -> None:
        """Show problems of the value; empty: none."""
        self.set_class(bool(problems), "wrong")
        said = "\n".join(f"✗ {problem}" for problem in dict.fromkeys(problems))
        update_if_changed(self.query_one(".problem", Static), said)
        self.call_after_refresh(self.bring_problem_in_sight)

    def bring_problem_in_sight(self) -> None:
        """Scroll the form to the problem of the field that is being edited, if it has one."""
        if self.has_class("wrong") and self.has_focus_within:
            self.query_one(".problem").scroll_visible(animate=False)

    def on_resize(self) -> None:
        """Keep the problem in sight when its text takes more lines."""
        self.call_after_refresh(self.bring_problem_in_sight)

    _offered: tuple[str, ...] = ()
    """Of a choice."""
    _run_start = RunStart.of(None)
    _in_form_of: Any = None
    """The last valid time value, whose format the next one follows."""

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        field = self.field
        if field.kind == "time":
            date, clock = self.query(TimePart)
            value: Any = join(date.value, clock.value, self._run_start, self._in_form_of)
        elif field.kind == "number":
            value = number_or_text(event.input.value)
        else:
            # The current value; after a change of the displayed part, that part's.
            value = event.input.value
        self.post_message(self.Edited(self, value))

    @on(TimePart.Shifted)
    def _shifted(self, event: TimePart.Shifted) -> None:
        event.stop()
        value = shifted(self.field.value, event.by_s, self._run_start)
        if value is not None:
            self._show_time(value, self._run_start)
            self.post_message(self.Edited(self, value))

    @on(Select.Changed)
    def _chosen(self, event: Select.Changed) -> None:
        event.stop()
        if event.value is not Select.NULL and event.value != self.field.value:
            self.post_message(self.Edited(self, event.value))

    @on(PickButton.Pressed)
    def _asked(self, event: PickButton.Pressed) -> None:
        event.stop()
        self.post_message(self.Asked(self.field.path))

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.screen.focus_next()

    def on_descendant_blur(self, _event: events.DescendantBlur) -> None:
        """Say that the field is left; when it is entered again, all of it is selected."""
        for line in self.query(Input):
            line.select_on_focus = True
        self.post_message(self.Left())


def _same_number(field: Input, value: str) -> bool:
    """Whether typed text equals the file's value numerically: `0.10` for 0.1."""
    typed = number_or_text(field.value)
    return not isinstance(typed, str) and text(typed) == value and field.has_focus


class ButtonRow(Horizontal):
    """Buttons side by side; below each other where there is no room."""

    DEFAULT_CSS = """
    ButtonRow { height: auto; margin: 1 0 0 1; }
    ButtonRow.stacked { layout: vertical; }
    ButtonRow Button { margin-right: 1; min-width: 8; }
    """

    def on_resize(self) -> None:
        """Arrange the buttons."""
        needed = sum(button.outer_size.width + button.styles.margin.width for button in self.query(Button))
        self.set_class(needed > self.size.width, "stacked")


class FormBody(Vertical):
    """Fields and buttons of one layout, reused for all forms with it."""

    DEFAULT_CSS = """
    FormBody { height: auto; }
    """

    def __init__(self, form: PartForm) -> None:
        self.rows = [FieldRow(field) for field in form.fields]
        super().__init__(*self.rows)
        self._buttons = form.buttons

    def compose(self) -> ComposeResult:
        """The buttons, where there are any."""
        if self._buttons:
            with ButtonRow():
                for label, action in self._buttons:
                    yield Button(label, action=action, compact=True)


class FormView(VerticalScroll, can_focus=False):
    """Shows a form. Each layout is built once and cached, because mounting widgets is slow."""

    DEFAULT_CSS = """
    FormView { padding: 0 1 0 0; scrollbar-size-vertical: 1; }
    FormView > .title { text-style: bold; color: $primary; padding: 0 1; }
    FormView > .note { color: $text-muted; padding: 0 1; margin-bottom: 1; }
    FormView > .own { color: $text-error; padding: 0 1; display: none; height: auto; margin-bottom: 1; }
    FormView.wrong > .own { display: block; }
    """

    def __init__(self) -> None:
        super().__init__(id="form")
        self._form: PartForm | None = None
        self._body: FormBody | None = None
        self._bodies: dict[Layout, FormBody] = {}
        self._wanted: Callable[[], tuple[Tree, PartForm]] | None = None
        self._problems: Mapping[KeyPath, Sequence[str]] = {}
        self._building = asyncio.Lock()

    def compose(self) -> ComposeResult:
        """Yield title, note and the part's own problems."""
        yield Static("", classes="title", markup=False)
        yield Static("", classes="note", markup=False)
        yield Static("", classes="own", markup=False)

    def on_resize(self) -> None:
        """Keep the problem in sight when the list of problems takes lines of the form."""
        for row in self.rows:
            row.call_after_refresh(row.bring_problem_in_sight)

    @property
    def rows(self) -> list[FieldRow]:
        """The visible fields."""
        return [] if self._body is None else self._body.rows

    def shows(self, ref: Ref) -> bool:
        """Whether the form of a part is completely displayed."""
        return not self._building.locked() and self._form is not None and self._form.ref == ref

    async def show(self, latest: Callable[[], tuple[Tree, PartForm]]) -> None:
        """Show a form.

        Args:
            latest: Returns the neighbourhood and the form. Called when the form is shown, which may be later: what is
                typed until then must not be replaced by older values.
        """
        self._wanted = latest
        async with self._building:
            if self._wanted is None:
                return
            latest, self._wanted = self._wanted, None
            tree, form = latest()
            while form.layout not in self._bodies:
                await self._build(form)
                tree, form = latest()
            with self.app.batch_update():
                self._show(tree, form, self._bodies[form.layout])

    async def _build(self, form: PartForm) -> None:
        body = self._bodies[form.layout] = FormBody(form)
        body.display = False
        async with self.batch():
            await self.mount(body)

    def _show(self, tree: Tree, form: PartForm, body: FormBody) -> None:
        before, self._form = self._form, form
        has_focus = self.has_focus_within
        focused = self._focused_path()
        now = self.screen.focused
        typed_at = now.cursor_position if isinstance(now, Input) else None
        is_other = body is not self._body
        if is_other:
            if self._body is not None:
                self._body.display = False
            self._body = body
            body.display = True
        update_if_changed(self.query_one(".title", Static), form.title)
        update_if_changed(self.query_one(".note", Static), form.note)
        for row, field in zip(self.rows, form.fields, strict=True):
            if row.is_mounted:  # otherwise the application is shutting down
                row.show(tree, field)
        if before is not None and before.ref != form.ref:
            self.scroll_home(animate=False)
            if has_focus and (focused is None or not self.focus_field(focused)):
                self._leave()
        elif is_other and focused is not None:
            self._go_on_in(focused, typed_at)
        self._show_problems()
        self._explain()

    def _go_on_in(self, path: KeyPath, cursor: int | None) -> None:
        """Focus the field that was being typed in when the form's fields changed, at the same position."""
        form = self._form
        field = None if form is None else field_for(form.fields, path)
        line = next((row.target for row in self.rows if field is not None and row.field.path == field.path), None)
        if isinstance(line, Input):
            line.select_on_focus = False  # otherwise the next letter would replace all that was typed; see `FieldRow`
            is_same = field is not None and field.path == path
            line.cursor_position = cursor if is_same and cursor is not None else len(line.value)
        if line is not None:
            line.focus()

    def _leave(self) -> None:
        """Focus the widget before the form, because the focused field now belongs to another part."""
        before = None
        for widget in self.screen.focus_chain:
            if self in widget.ancestors:
                break
            before = widget
        self.screen.set_focus(before)

    def on_descendant_focus(self) -> None:
        """Show the focused field's help."""
        self._explain()

    def on_descendant_blur(self) -> None:
        """Clear the help if no field has the focus."""
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
        update_if_changed(self.query_one(".own", Static), "\n".join(f"✗ {said}" for said in own))

    def focus_field(self, path: KeyPath | None) -> bool:
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
    """Return the field closest to a key path, which displays its problems."""
    best: tuple[int, Field] | None = None
    for field in fields:
        for place in (field.path, *field.covers):
            if path[: len(place)] == place and (best is None or len(place) > best[0]):
                best = len(place), field
    return None if best is None else best[1]
