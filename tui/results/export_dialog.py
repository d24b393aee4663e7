"""Export dialogs: tables for other programs, the HTML report, a comparison's table and figure."""

from __future__ import annotations

import re
import webbrowser
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Select, Static

from broker import plural
from scenarios.results import FORMATS, Format, ResultsError, ResultsExistError, ResultsReader, export_results
from scenarios.results.comparison import ENDINGS, SimulationComparison, check_files, write_comparison
from scenarios.results.report import write_report
from tui.results.file_access import FilePane
from tui.shell import Answer, AskText, Confirm, Dialog, Footer, PickPath
from tui.widgets import PathInput, looked_up, typed_path

_DETAILS = (
    "Several files are separated by commas. The extension decides the format: a table (.csv, .tex, .md) or a figure "
    "(.svg, .png)."
)
_ANSWERS: tuple[Answer, Answer] = (("keep", "Keep", "primary"), ("overwrite", "Overwrite", "error"))


def proposed_files(comparison: SimulationComparison) -> tuple[Path, ...]:
    """Return unused paths of a table and a figure next to the first results, named after the scenario."""
    first = comparison.simulations[0]
    folder, here = first.path.parent, Path.cwd()
    if folder.is_absolute() and folder.is_relative_to(here):
        folder = folder.relative_to(here)
    name = re.sub(r"[^\w.-]+", "-", first.info.scenario, flags=re.ASCII).strip(".-") or "comparison"
    for n in count(1):
        stem = name if n == 1 else f"{name}-{n}"
        files = tuple(folder / f"{stem}{ending}" for ending in (".tex", ".svg"))
        if not any(file.exists() for file in files):
            return files
    raise AssertionError  # pragma: no cover - count() does not end


def files_in(text: str) -> tuple[Path, ...]:
    """Parse a comma-separated list of files."""
    return tuple(typed_path(part.strip()) for part in text.split(",") if part.strip())


def _problem(text: str) -> str | None:
    paths = files_in(text)
    if not paths:
        return f"Name a file; extensions: {', '.join(ENDINGS)}."
    try:
        check_files(paths, overwrite=True)
    except ResultsError as error:
        return str(error)
    return None


def save_comparison(place: FilePane, comparison: SimulationComparison) -> None:
    """Ask for files and write the comparison there; asks before overwriting.

    Args:
        place: A widget that can run work in threads.
        comparison: The comparison to save.
    """

    def chosen(text: str | None) -> None:
        if text is not None:
            _write(place, comparison, files_in(text), overwrite=False)

    value = ", ".join(map(str, proposed_files(comparison)))
    place.app.push_screen(AskText("Save table and figure", _DETAILS, value, _problem), chosen)


def _write(place: FilePane, comparison: SimulationComparison, paths: Sequence[Path], *, overwrite: bool) -> None:
    def wrote(_: None) -> None:
        place.notify("\n".join(map(str, paths)), title="Saved", markup=False, timeout=8)

    def failed(error: BaseException) -> None:
        if isinstance(error, ResultsExistError):
            details = f"{str(error).removesuffix('; use --force to overwrite it')}. Its contents will be lost."
            place.app.push_screen(Confirm("Overwrite existing files?", details, _ANSWERS), answered)
        else:
            place.complain(error, "Not saved")

    def answered(answer: str | None) -> None:
        if answer == "overwrite":
            _write(place, comparison, paths, overwrite=True)

    place.write("The comparison", partial(write_comparison, comparison, paths, overwrite=overwrite), wrote, failed)


TEXT_BROWSERS = frozenset({"lynx", "w3m", "links", "elinks", "www-browser"})
"""Browsers that would take over our terminal."""

_FORMATS: dict[Format, str] = {
    "csv": "CSV (any spreadsheet)",
    "json": "JSON (scripts)",
    "parquet": "Parquet (data frames; needs pyarrow)",
}


_KEEP: tuple[Answer, Answer] = (("keep", "Keep", "primary"), ("overwrite", "Overwrite", "error"))


@dataclass(frozen=True, slots=True)
class Export:
    """The chosen format and folder."""

    format: Format
    folder: Path


class ExportDialog(Dialog[Export | None]):
    """Asks for format and folder; escape returns None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "accept", "Export"),
        Binding("ctrl+o", "browse", "Browse", tooltip="Choose the folder from a tree"),
    ]
    DEFAULT_CSS = """
    ExportDialog > Vertical { width: 74; max-width: 95%; padding: 1 2 0 2; }
    ExportDialog .details { color: $text-muted; margin-bottom: 1; height: auto; }
    ExportDialog .problem { color: $text-error; height: auto; min-height: 1; }
    ExportDialog .row { height: 1; margin-bottom: 1; }
    ExportDialog .row Static { width: 9; }
    ExportDialog .row Select, ExportDialog .row Input { width: 1fr; }
    ExportDialog .row Input { background: $panel; }
    ExportDialog .buttons { height: auto; align-horizontal: right; margin: 1 0; }
    ExportDialog Button { margin-left: 2; }
    """

    def __init__(self, results: Path) -> None:
        """Ask.

        Args:
            results: The results file; the proposed folder is next to it.
        """
        super().__init__()
        self._results = results
        self._proposed = self._proposal("csv")

    def compose(self) -> ComposeResult:
        """Compose the format, the folder and its problem."""
        with Vertical() as box:
            box.border_title = "Export"
            yield Static(
                "One file per table: runs, figures, contracts and their history, messages, minutes of each house and "
                "panel; and simulation.json with all figures.",
                classes="details",
            )
            with Horizontal(classes="row"):
                yield Static("Format")
                yield Select(
                    [(text, id_) for id_, text in _FORMATS.items()], value="csv", allow_blank=False, compact=True
                )
            with Horizontal(classes="row"):
                yield Static("Folder")
                field = PathInput(self._proposed, folder=Path(), suffixes=("/",), compact=True)  # folders only
                field.select_on_focus = True
                yield field
            yield Static("", classes="problem", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Export", variant="primary", action="screen.accept", compact=True)
                yield Button("Browse", action="screen.browse", compact=True)
                yield Button("Back", action="screen.dismiss", compact=True)
        yield Footer()

    def on_mount(self) -> None:
        """Begin with the folder."""
        self.query_one(Input).focus()

    def _proposal(self, format_: str) -> str:
        return str(self._results.parent / f"{self._results.stem}-{format_}")

    @property
    def _format(self) -> Format:
        chosen = self.query_one(Select).value
        return next(format_ for format_ in FORMATS if format_ == chosen)

    @on(Select.Changed)
    def _format_changed(self) -> None:
        field = self.query_one(Input)
        if field.value == self._proposed:
            self._proposed = self._proposal(self._format)
            field.value = self._proposed

    def action_browse(self) -> None:
        """Choose the folder from a tree."""

        def chosen(path: Path | None) -> None:
            if path is not None:
                self.query_one(Input).value = str(path)

        folder = typed_path(self.query_one(Input).value.strip() or ".")
        start = next((parent for parent in (folder, *folder.parents) if looked_up(parent).is_folder), Path())
        self.app.push_screen(PickPath("Export to", start, kind="folder"), chosen)

    @on(Input.Submitted)
    def action_accept(self) -> None:
        """Return the choice, if valid."""
        text = self.query_one(Input).value.strip()
        folder = typed_path(text)
        problem = "Enter a folder; it is created if missing." if not text else None
        found = looked_up(folder)
        if text and found.is_file:
            problem = f"{folder} is a file: a folder is needed."
        problem = problem or found.problem or None
        self.query_one(".problem", Static).update(problem or "")
        if problem is None:
            self.dismiss(Export(self._format, folder))


class Writing:
    """Runs exports and reports for a widget that can run work in threads."""

    def __init__(self, place: FilePane) -> None:
        self._place = place

    # Export.

    def export(self, results: Path) -> None:
        """Ask for format and folder, then export."""

        def chosen(export: Export | None) -> None:
            if export is not None:
                self._export(results, export, overwrite=False)

        self._place.app.push_screen(ExportDialog(results), chosen)

    def _export(self, results: Path, export: Export, *, overwrite: bool) -> None:
        def work() -> tuple[Path, ...]:
            with ResultsReader(results) as reader:
                return export_results(reader, export.format, export.folder, overwrite=overwrite)

        def wrote(paths: tuple[Path, ...]) -> None:
            self._place.notify(
                f"{plural(len(paths), 'file')} in {export.folder}", title="Exported", markup=False, timeout=8
            )

        again = partial(self._export, results, export, overwrite=True)
        self._place.write("The export", work, wrote, lambda error: self._ask(error, _KEEP, {"overwrite": again}))

    # Report.

    def report(self, results: Path, interval_s: int) -> None:
        """Ask for a place, write the report there and open it."""

        def chosen(page: Path | None) -> None:
            if page is not None:
                self._report(results, page, interval_s, overwrite=False)

        details = "One HTML page with charts and tables; opens in any browser, needs no network."
        proposed = results.with_suffix(".html")
        dialog = PickPath("Write the report to", proposed, kind="new", suffixes=(".html",), details=details)
        self._place.app.push_screen(dialog, chosen)

    def _report(self, results: Path, page: Path, interval_s: int, *, overwrite: bool) -> None:
        def work() -> bool:
            with ResultsReader(results) as reader:
                write_report(reader, page, interval_s=interval_s, overwrite=overwrite)
            return self._open(page)

        def look() -> None:
            self._place.read("open", partial(self._open, page), partial(self._report_written, page))

        again = partial(self._report, results, page, interval_s, overwrite=True)
        do: dict[str, Callable[[], None]] = {"overwrite": again, "open": look}
        answers: tuple[Answer, ...] = (_KEEP[0], ("open", "Open it", "default"), _KEEP[1])
        self._place.write(
            "The report", work, partial(self._report_written, page), lambda error: self._ask(error, answers, do)
        )

    def _report_written(self, page: Path, is_opened: bool) -> None:  # noqa: FBT001 - what a thread returned
        app = self._place.app
        if app.is_web:
            app.deliver_text(page, open_method="browser", mime_type="text/html")
            is_opened = True
        message = f"{page}" if is_opened else f"{page}\nNo browser found; open the file in one."
        self._place.notify(message, title="The report", markup=False, timeout=12)

    def _open(self, page: Path) -> bool:
        return False if self._place.app.is_web else open_in_browser(page)

    # Existing files.

    def _ask(self, error: BaseException, answers: tuple[Answer, ...], do: dict[str, Callable[[], None]]) -> None:
        """Ask before overwriting; show any other error."""
        if not isinstance(error, ResultsExistError):
            self._place.complain(error, "Not written")
            return

        def answered(answer: str | None) -> None:
            if answer in do:
                do[answer]()

        self._place.app.push_screen(Confirm("Overwrite existing files?", f"{error}.", answers), answered)


def open_in_browser(page: Path) -> bool:
    """Open a page in the desktop's browser; return whether one was found."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    if Path(str(getattr(browser, "name", ""))).name in TEXT_BROWSERS:
        return False
    return bool(browser.open(page.absolute().as_uri()))
