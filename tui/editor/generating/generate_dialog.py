"""Dialog that generates a neighbourhood: a form, a preview of the first days, a file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Label, Select, Static

from broker import plural, writing_obstacle
from scenarios import DAY_S
from tui.editor.dialogs import YAML
from tui.editor.generating.generator import (
    ALL_FIELDS,
    FIELDS,
    STEP_S,
    GenerateFailure,
    GenerateField,
    GenerateRequest,
    GenerateResult,
    Generator,
    proposed_name,
    spec_of,
)
from tui.formatting import kwh
from tui.safe_output import without_long_words
from tui.shell import Answer, Application, Confirm, Dialog, Footer
from tui.widgets import (
    DEMAND,
    PRODUCTION,
    Chart,
    FieldHelp,
    PathInput,
    TimeAxis,
    drawn,
    typed_path,
    update_if_changed,
)

_PAUSE_WALL_S = 0.3
"""The preview is made once nothing was changed for so long."""
_DAYS_DRAWN = 7
_FILE_HELP = (
    "Where it is saved, with its tables beside it; missing folders are created. It opens in the editor afterwards."
)


class GenerateDialog(Dialog[Path | None]):
    """Returns the file that was written; None on escape, which ends what is being generated."""

    TITLE = "Generate a neighbourhood"
    HELP = """
A realistic neighbourhood from a seed, as `ssmic generate` makes it: households with appliances, cars, heat pumps and
roofs, clouds that neighbours share, four forecasts a day. `docs/generate.md` names models and sources.

The preview follows the fields: production, and all jobs at their earliest start. It is made in a process of its own;
*Cancel* ends it. `Ctrl+S` saves the file, with tables of series beside a large one, and opens it in the editor.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "accept", "Save and open", priority=True),
        Binding("up", "app.focus_previous", "Up", show=False),
        Binding("down", "app.focus_next", "Down", show=False),
    ]
    DEFAULT_CSS = """
    GenerateDialog > Vertical { width: 110; max-width: 100%; height: 95%; max-height: 36; }
    GenerateDialog.-short > Vertical { height: 100%; }
    GenerateDialog .line { height: 1; min-width: 74; }
    GenerateDialog.-tall .line { margin-bottom: 1; }
    GenerateDialog .field { width: 1fr; height: 1; margin-right: 1; }
    GenerateDialog #of-days, GenerateDialog #of-seed { width: 14; }
    GenerateDialog #of-houses, GenerateDialog #of-country { width: 17; }
    GenerateDialog .field Label { width: auto; padding-right: 1; color: $text-muted; }
    GenerateDialog .field:focus-within Label { color: $primary; }
    GenerateDialog .field.wrong Label { color: $text-error; }
    GenerateDialog .field Input.-textual-compact { width: 1fr; background: $panel; padding: 0 1; }
    GenerateDialog .field Select { width: 1fr; }
    GenerateDialog .field Select.-textual-compact > SelectCurrent { background: $panel; padding: 0 1; }
    GenerateDialog .problem { color: $text-error; height: auto; max-height: 3; padding: 0 1; display: none; }
    GenerateDialog .problem.some { display: block; }
    GenerateDialog FieldHelp { height: 1; }
    GenerateDialog #made { height: 2; padding: 0 1; }
    GenerateDialog Chart { background: $surface; height: 1fr; min-height: 5; }
    GenerateDialog .buttons { height: 1; align-horizontal: right; }
    GenerateDialog Button { margin-left: 2; }
    """

    def __init__(self, folder: Path) -> None:
        """Ask.

        Args:
            folder: The proposed folder of the file.
        """
        super().__init__()
        self._folder = folder
        self._generator = Generator()
        self._proposed = ""
        """The proposed name of the file."""
        self.made: GenerateResult | None = None
        """The content of the preview; None while it is being generated."""
        self._help = {field.id: field.help for field in ALL_FIELDS} | {"file": _FILE_HELP}

    def compose(self) -> ComposeResult:
        """Compose the fields, problems, the preview and buttons."""
        with Vertical() as box:
            box.border_title = "Generate a neighbourhood"
            for row in FIELDS[:-1]:
                with Horizontal(classes="line"):
                    for field in row:
                        yield from self._field(field)
            with Horizontal(classes="line"):
                yield from self._field(FIELDS[-1][0])
                with Horizontal(classes="field", id="of-file"):
                    yield Label("File")
                    yield PathInput(
                        self._proposed, id="generate-file", compact=True, folder=self._folder, suffixes=YAML
                    )
            yield Static("", classes="problem", markup=False)
            yield FieldHelp()
            yield Static("", id="made", markup=False)
            yield Chart(empty="The preview appears here")
            with Horizontal(classes="buttons"):
                yield Button("Save and open", variant="primary", action="screen.accept", compact=True)
                yield Button("Cancel", action="screen.cancel", compact=True, id="cancel")
                yield Button("Back", action="screen.dismiss", compact=True)
        yield Footer()

    def _field(self, field: GenerateField) -> ComposeResult:
        with Horizontal(classes="field", id=f"of-{field.id}"):
            yield Label(field.label)
            id_ = f"generate-{field.id}"
            if field.options:
                yield Select(
                    [(option, option) for option in field.options],
                    value=field.default,
                    allow_blank=False,
                    compact=True,
                    id=id_,
                )
            else:
                yield Input(field.default, placeholder="default" if not field.default else "", compact=True, id=id_)

    def on_mount(self) -> None:
        """Begin with the number of houses, and make the first preview."""
        self.query_one("#generate-houses").focus()
        self._changed()

    async def on_unmount(self) -> None:
        """End the process."""
        await self._generator.close()

    @property
    def values(self) -> dict[str, str]:
        """The values of the fields, by id."""
        found = {}
        for field in ALL_FIELDS:
            widget = self.query_one(f"#generate-{field.id}")
            found[field.id] = str(widget.value) if isinstance(widget, Input | Select) else ""
        return found

    def on_descendant_focus(self, _event: events.DescendantFocus) -> None:
        """Explain the focused field."""
        focused = self.focused
        id_ = "" if focused is None or focused.id is None else focused.id.removeprefix("generate-")
        self.query_one(FieldHelp).say(self._help.get(id_, ""))

    @on(Input.Changed)
    @on(Select.Changed)
    def _edited(self, event: Input.Changed | Select.Changed) -> None:
        if event.control.id != "generate-file":
            self._changed()

    def _changed(self) -> None:
        """Make another preview, unless a field has a problem; what was being made ends."""
        values = self.values
        spec, problems = spec_of(values)
        file = self.query_one("#generate-file", Input)
        if spec is not None and file.value == self._proposed:
            self._proposed = file.value = proposed_name(spec)
        self._complain(problems)
        if problems:
            self.workers.cancel_group(self, "make")
            self._say("")
        else:
            self._make(partial(self._preview, values))

    def _make(self, task: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.run_in_background(task, group="make", is_exclusive=True, on_error=self._not_made)

    def _not_made(self) -> None:
        self._show(GenerateFailure("Not generated, because of an unexpected error."))

    def _complain(self, problems: dict[str, str]) -> None:
        labels = {field.id: field.label for field in ALL_FIELDS} | {"file": "File"}
        for id_ in labels:
            self.query_one(f"#of-{id_}").set_class(id_ in problems, "wrong")
        said = self.query_one(".problem", Static)
        said.set_class(bool(problems), "some")
        text = "\n".join(f"✗ {labels[id_]}: {what}" for id_, what in problems.items())
        update_if_changed(said, without_long_words(text))

    def _say(self, text: str, *, is_busy: bool = False) -> None:
        update_if_changed(self.query_one("#made", Static), text)
        self.query_one("#cancel", Button).disabled = not is_busy

    async def _preview(self, values: dict[str, str]) -> None:
        self.made = None
        self._say("generating ...", is_busy=True)
        await asyncio.sleep(_PAUSE_WALL_S)
        self._show(await self._generator.make(GenerateRequest(values)))

    def _show(self, made: GenerateResult | GenerateFailure) -> None:
        chart = self.query_one(Chart)
        if isinstance(made, GenerateFailure):
            self._say(f"✗ {made.problem}")
            chart.show((), TimeAxis(0, 1))
            return
        self.made = made
        self._say(said_of(made))
        days = min(_DAYS_DRAWN, round(made.hours / 24))
        share = days * DAY_S / (made.hours * 3600)
        chart.show(
            (
                drawn(PRODUCTION, made.produced_w[: round(len(made.produced_w) * share)], "produced"),
                drawn(
                    DEMAND,
                    made.demand_w[: days * DAY_S // STEP_S],
                    "jobs at their earliest start",
                    short_name="jobs, earliest",
                ),
            ),
            TimeAxis(made.start_s, made.start_s + days * DAY_S, made.zone),
        )

    def action_cancel(self) -> None:
        """Cancel the generation."""
        self.workers.cancel_group(self, "make")
        self._say("Cancelled. Change a field to preview again.")

    @on(Input.Submitted)
    def action_accept(self) -> None:
        """Write the file, and return it."""
        self.in_order(self._accept)

    def _accept(self) -> None:
        values = self.values
        problems = spec_of(values)[1]
        typed = self.query_one("#generate-file", Input).value.strip()
        path = typed_path(typed)
        path = (path if path.suffix.lower() in YAML else path.with_name(f"{path.name}.yaml")) if typed else path
        path = path if path.is_absolute() else self._folder / path
        if not typed:
            problems["file"] = "a name is expected"
        elif obstacle := writing_obstacle(path):
            problems["file"] = f"cannot be written: {obstacle}"
        self._complain(problems)
        if not problems:
            self._make(partial(self._write, values, path))

    async def _write(self, values: dict[str, str], path: Path) -> None:
        if await asyncio.to_thread(path.exists):
            answers: tuple[Answer, ...] = (("back", "Back", "primary"), ("overwrite", "Overwrite", "error"))
            details = f"{path} already exists. Its contents will be lost."
            if await self.app.push_screen_wait(Confirm(f"Overwrite {path.name}?", details, answers)) != "overwrite":
                if self.made is None:
                    self._changed()  # the preview that the writing took the place of
                return
        self._say(f"writing {path.name} ...", is_busy=True)
        before_quit = cast("Application", self.app).before_quit

        def losses() -> tuple[str]:
            return (f"{path.name} is being written. Quitting leaves it unfinished.",)

        before_quit.append(losses)
        try:
            made = await self._generator.make(GenerateRequest(values, path))
        finally:
            before_quit.remove(losses)
        if isinstance(made, GenerateFailure):
            self._show(made)
        else:
            self.dismiss(path)


def said_of(made: GenerateResult) -> str:
    """Describe the generated neighbourhood in two lines."""
    counts = (
        plural(made.houses, "house"),
        plural(made.roofs, "roof"),
        plural(made.cars, "car"),
        plural(made.heat_pumps, "heat pump"),
        plural(made.devices, "device"),
    )
    days = round(made.hours / 24)
    energy = f"{kwh(made.produced_wh)} produced, {plural(made.jobs, 'job')} for {kwh(made.demand_wh)}"
    drawn_days = f"; the first {_DAYS_DRAWN} of {days} days are drawn" if days > _DAYS_DRAWN else ""
    return f"{', '.join(counts)}\n{energy}{drawn_days}"
