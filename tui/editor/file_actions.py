"""File actions: new, open, import, save, close, run. No change is lost without a question, or without a rescued copy.

Rescued changes are written to a file of their own when the user cannot be asked, and opened later.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

from broker import file_name
from scenarios import ScenarioError
from scenarios.files import Document, to_yaml
from scenarios.importers import import_source, needs_import
from scenarios.load import bundled_description, bundled_names
from tui.editor import tree_changes
from tui.editor.actions import FieldActions, User
from tui.editor.dialogs import IMPORTABLE, YAML, ImportDialog, Notes
from tui.editor.edit_history import Change, History, TreeVersion
from tui.editor.generating import GenerateDialog
from tui.editor.picker import Picker, PickerItem
from tui.editor.preview_chart import PreviewContent
from tui.editor.series import SeriesImport, is_series
from tui.editor.session import EditedNeighbourhood, EditSession, Stamp, stamp_of
from tui.editor.tree_model import WHOLE, Ref
from tui.shell import Answer, Confirm, OpenNeighbourhood, PickPath
from tui.start import is_rescued, new_rescued_file, original_of, rescue_folder, rescued_name

LOOK_WALL_S = 2.0
"""How often the file on the disk is looked at."""
_OTHER_STATE: Stamp = (0, 0, 0)
"""A state that no file is in."""


def bundled_document(name: str) -> Document:
    """Return a bundled scenario, to be copied."""
    with resources.as_file(resources.files("scenarios") / "bundled" / f"{name}.yaml") as path:
        return Document.open(path)


def _source_of(work: EditedNeighbourhood) -> str | None:
    """Return what a run of some work reads."""
    if work.path is None:
        return None if work.history.is_dirty else work.source
    return str(work.path)


class FileActions:
    """Reads and writes the neighbourhood of a session, and asks the user before a change is lost."""

    def __init__(self, session: EditSession, user: User, remember: Callable[[Path], None]) -> None:
        """Make the actions.

        Args:
            session: The edit session that is opened and saved.
            user: The user, for questions and notices.
            remember: Called with each file that was opened or saved.
        """
        self._session = session
        self._user = user
        self._remember = remember
        self._asked_about: Stamp | None = None
        """The state of the file that the user was asked about."""
        self._discarded: TreeVersion | None = None
        """The version that the user agreed to lose."""
        self._opening: object = None
        """Identifies what was asked for last: a file that takes longer to read than the next one is not opened."""

    def losses(self) -> Sequence[str]:
        """Return what would be lost if the application ended now, a sentence for each."""
        work = self._session.work
        if work is None or not work.history.is_dirty:
            return ()
        return (f"{work.title} has unsaved changes.",)

    def rescue(self) -> str | None:
        """Write unsaved changes to a file of rescued changes; return its path, None if there are none."""
        return None if self._session.work is None else rescue(self._session.work)

    async def _may_leave(self) -> bool:
        """Return whether what is open may be closed; asks where something would be lost."""
        self._discarded = None
        return await self._may_lose()

    async def _may_lose(self) -> bool:
        """Do so, but do not ask again about the version that the user has agreed to lose."""
        work = self._session.work
        if work is None or not work.history.is_dirty or work.history.current is self._discarded:
            return True
        answer = await self._user.ask(
            Confirm(
                f"Save the changes to {work.title}?",
                "This neighbourhood has never been saved." if work.path is None else str(work.path),
                (("save", "Save", "primary"), ("discard", "Discard", "error"), ("stay", "Back", "default")),
            )
        )
        if answer == "discard":
            self._discarded = work.history.current
        return await self.save() if answer == "save" else answer == "discard"

    def _begin_opening(self) -> object:
        """Return what identifies an opening; those that were begun before it end without effect."""
        self._opening = object()
        return self._opening

    async def _open(self, opening: object, work: EditedNeighbourhood, ref: Ref = WHOLE) -> bool:
        """Open what was read, and return whether it is open: the user may have gone on with what was open before.

        Reading takes a while; changes made meanwhile are asked about, unless something else is to be opened by then.
        """
        may_lose = opening is self._opening and await self._may_lose() and opening is self._opening
        if opening is self._opening:
            self._discarded = None
        if may_lose:
            self._session.open(work, ref)
        return may_lose

    # Beginning.

    async def new(self) -> None:
        """Begin a neighbourhood from scratch, with one house."""
        if await self._may_leave():
            self._begin_opening()
            document = Document(tree_changes.NEW_TEXT.format(name="my-neighbourhood"))
            self._session.open(EditedNeighbourhood(History(document, saved=True), None, "New neighbourhood"))
            self._session.apply(tree_changes.add_house)

    async def ask_and_open(self) -> None:
        """Let the user pick a file, and open it."""
        folder = self._session.work.folder if self._session.work is not None else Path.cwd()
        path = await self._user.ask(PickPath("Open a neighbourhood", folder, suffixes=IMPORTABLE))
        if path is not None:
            await self.open_source(str(path))

    async def generate(self) -> None:
        """Let the user generate a neighbourhood, and open it."""
        folder = self._session.work.folder if self._session.work is not None else Path.cwd()
        path = await self._user.ask(GenerateDialog(folder))
        if path is not None:
            await self.open_source(str(path))

    async def open_source(self, source: str) -> None:
        """Open a file, import an input of PySSMic or GreenCharge, or copy a bundled scenario."""
        if not await self._may_leave():
            return
        path, opening = Path(source), self._begin_opening()
        if await asyncio.to_thread(needs_import, path):
            await self._import(opening, path, None, ())
        elif source in bundled_names() and not await asyncio.to_thread(path.exists):
            await self._copy(opening, source)
        else:
            await self._read(opening, path)

    async def _read(self, opening: object, path: Path, ref: Ref = WHOLE) -> None:
        try:
            with self._session.operating(f"opening {path.name} ..."):
                work = await asyncio.to_thread(rescued_work if is_rescued(path) else EditedNeighbourhood.opened, path)
        except ScenarioError as error:
            lines = [str(problem) for problem in error.problems]
            if opening is self._opening:
                await self._user.ask(Notes("Cannot open the file", f"Problems in {path.name}:", lines, bad=True))
            return
        if not await self._open(opening, work, ref):
            return
        self._asked_about = None
        if work.rescued_from is not None:
            self._user.tell(f"Rescued changes from {path.name}: save to keep them.")
        if work.path is not None and work.stamp is not None:
            self._remember(work.path)

    async def ask_and_copy(self) -> None:
        """Let the user pick a bundled scenario, and open a copy of it."""
        said = {name: await asyncio.to_thread(bundled_description, name) for name in bundled_names()}
        items = [PickerItem(name, name, said[name]) for name in said]
        dialog = Picker("Copy a bundled neighbourhood", items, picture=lambda name: PreviewContent(said[name]))
        picked = await self._user.ask(dialog)
        if picked is not None and await self._may_leave():
            await self._copy(self._begin_opening(), picked)

    async def _copy(self, opening: object, name: str) -> None:
        document = await asyncio.to_thread(bundled_document, name)
        history = await asyncio.to_thread(History, document, saved=True)
        await self._open(opening, EditedNeighbourhood(history, None, f'"{name}" (copy)', source=name))

    async def ask_and_import(self) -> None:
        """Let the user pick inputs of PySSMic or GreenCharge, or a series of a meter, and import them."""
        folder = self._session.work.folder if self._session.work is not None else Path.cwd()
        source = await self._user.ask(ImportDialog(folder))
        if source is None:
            return
        if source.path.suffix.lower() in YAML:
            await self.open_source(str(source.path))
        elif await asyncio.to_thread(is_series, source.path):
            fields = FieldActions(self._session, self._user)
            await SeriesImport(self._session, self._user, fields).import_file(source.path)
        elif await self._may_leave():
            await self._import(self._begin_opening(), source.path, source.jobs, source.loads)

    async def _import(self, opening: object, path: Path, jobs: Path | None, loads: tuple[Path, ...]) -> None:
        try:
            with self._session.operating(f"importing {path.name} ..."):
                imported = await asyncio.to_thread(import_source, path, jobs=jobs, loads=loads)
                document = Document(await asyncio.to_thread(to_yaml, imported.file))
        except ScenarioError as error:
            lines = [str(problem) for problem in error.problems]
            if opening is self._opening:
                await self._user.ask(Notes("Cannot import", f"Problems in {path.name}:", lines, bad=True))
            return
        work = EditedNeighbourhood(History(document, saved=False), None, f'"{path.name}" (imported)')
        if not await self._open(opening, work):
            return
        if imported.notes:
            lead = "Missing values that were filled in, and what was left out:"
            await self._user.ask(Notes(f"Imported {path.name}", lead, imported.notes))
        else:
            self._user.tell(f"Imported {path.name}. Not saved yet.")

    # Saving.

    async def save(self) -> bool:
        """Save to the file, or ask for one if there is none; return whether it was written."""
        work = self._session.work
        if work is None:
            return False
        if work.path is None:
            return await self.save_as()
        if work.changed_on_disk:
            answer = await self._ask_about_disk(work, saving=True)
            if answer != "overwrite":
                return False
        return await self._write(work, work.path)

    async def save_as(self) -> bool:
        """Ask for a file and save to it; return whether it was written."""
        work = self._session.work
        if work is None:
            return False
        proposed = work.path or Path.cwd() / f"{file_name(work.file_stem)}.yaml"
        dialog = PickPath("Save as", proposed, suffixes=YAML, kind="new")
        path = await self._user.ask(dialog)
        if path is None:
            return False
        path = (path if path.suffix.lower() in YAML else path.with_name(f"{path.name}.yaml")).absolute()
        if path.exists() and path != work.path:
            answer = await self._user.ask(
                Confirm(
                    f"Overwrite {path.name}?",
                    f"{path} already exists. Its contents will be lost.",
                    (("back", "Back", "primary"), ("overwrite", "Overwrite", "error")),
                )
            )
            if answer != "overwrite":
                return False
        steps = work.moved_to(path.parent)
        if steps:
            self._session.apply(lambda _: Change("files named from another folder", tuple(steps)))
        is_written = await self._write(work, path)
        if steps and not is_written:
            work.history.undo()
            self._session.note_change()
        return is_written

    async def _write(self, work: EditedNeighbourhood, path: Path) -> bool:
        version = work.history.current
        try:
            with self._session.operating(f"saving {path.name} ..."):
                await asyncio.to_thread(work.save, version, path)
        except (ScenarioError, OSError) as error:
            self._user.complain(error, "Not saved")
            return False
        work.path, work.source = path, None
        work.history.saved(version)
        self._asked_about = None
        if work.rescued_from is not None:
            await asyncio.to_thread(work.rescued_from.unlink, missing_ok=True)
            work.rescued_from = None
        self._remember(path)
        self._session.note_change()
        self._user.tell(f"Saved to {path}")
        return True

    # Changes to the file by other programs.

    def notice_disk(self) -> bool:
        """Look whether another program wrote or deleted the file.

        Returns:
            Whether the user has to be asked about it, once for each state of the file.
        """
        work = self._session.work
        if work is None or work.path is None or not work.changed_on_disk:
            return False
        stamp = stamp_of(work.path)
        if stamp is None:
            work.stamp = None
            work.history.note_unsaved()
            self._user.tell(f"{work.title} was deleted from the disk; saving writes it again.", severity="warning")
            self._session.note_change()
            return False
        is_new = stamp != self._asked_about
        self._asked_about = stamp
        return is_new

    async def ask_about_disk(self) -> None:
        """Ask whether to keep the changes or to reload the file, which another program wrote."""
        if self._session.work is not None:
            await self._ask_about_disk(self._session.work)

    async def _ask_about_disk(self, work: EditedNeighbourhood, *, saving: bool = False) -> str | None:
        if work.path is None:
            return None
        mine = " Reloading discards your changes." if work.history.is_dirty else ""
        stay: Answer = ("back", "Back", "primary") if saving else ("keep", "Keep mine", "primary")
        answers: list[Answer] = [stay, ("reload", "Reload", "default")]
        if saving:
            answers.append(("overwrite", "Overwrite", "error"))
        details = "Saving overwrites a change made outside ssmic." if saving else "The file was changed outside ssmic."
        answer = await self._user.ask(Confirm(f"{work.title} has changed on disk", details + mine, answers))
        if answer == "reload":
            self._discarded = work.history.current
            await self._read(self._begin_opening(), work.path, self._session.ref)
        elif answer != "overwrite":
            work.history.note_unsaved()
            self._session.note_change()
        return answer

    # Leaving.

    async def close(self) -> None:
        """Close the open neighbourhood."""
        if await self._may_leave():
            self._begin_opening()
            self._session.open(None)

    def open_neighbourhood(self) -> OpenNeighbourhood | None:
        """Return what is open, for the other areas."""
        work = self._session.work
        if work is None:
            return None
        version = work.history.current
        is_saved = not work.history.is_dirty and not work.changed_on_disk and _source_of(work) is not None
        return OpenNeighbourhood(
            work,
            version,
            work.title,
            _source_of(work),
            is_saved,
            lambda: version.document().scenario(work.title, work.folder, allow_outside=work.allow_outside),
            self.source_for_run,
        )

    async def source_for_run(self) -> str | None:
        """Return what a run of what is open reads, saved if it has to be; None if the user went back."""
        work = self._session.work
        if work is None:
            return None
        if work.changed_on_disk:
            answer = await self._ask_about_disk(work, saving=True)
            if answer == "overwrite" and work.path is not None:
                await self._write(work, work.path)
            elif answer != "reload":
                return None
        elif work.history.is_dirty or _source_of(work) is None:
            await self._ask_to_save(work)
        now = self.open_neighbourhood()
        return now.source if now is not None and now.is_saved else None

    async def _ask_to_save(self, work: EditedNeighbourhood) -> bool:
        answer = await self._user.ask(
            Confirm(
                f"Save {work.title} first?",
                "A run reads the file, and the open neighbourhood has unsaved changes."
                if work.path is not None
                else "A run reads a file; this neighbourhood has never been saved.",
                (("save", "Save", "primary"), ("back", "Back", "default")),
            )
        )
        return answer == "save" and await self.save()


def rescued_work(path: Path) -> EditedNeighbourhood:
    """Open rescued changes as unsaved changes of the file that they belong to.

    If that file is newer, another program has changed it, and the application asks before it overwrites it.

    Raises:
        ScenarioError: The file cannot be read, or is not YAML.
    """
    document = Document.open(path)
    original = original_of(path)
    name = rescued_name(path)
    stamp = None if original is None else stamp_of(original)
    if stamp is not None and stamp[0] > path.stat().st_mtime_ns:
        stamp = _OTHER_STATE
    return EditedNeighbourhood(History(document, saved=False), original, name, stamp=stamp, rescued_from=path)


def rescue(work: EditedNeighbourhood) -> str | None:
    """Write the changes next to their file or, without a file, into the application's folder.

    Returns a sentence that tells the user where they are; None if there are no unsaved changes.
    A state whose text cannot be made is left out, and the one before it is kept.
    """
    history = work.history
    if not history.is_dirty:
        return None
    name = file_name(work.file_stem)
    for folder in _folders(work):
        try:
            path = new_rescued_file(folder, name)
            _written(history).save(path)
        except (ScenarioError, OSError):
            continue
        said = f"{work.title} had unsaved changes; saved to {path}"
        try:
            _date_before(work, path)
        except OSError:  # the changes are saved, but the editor will not ask before it overwrites the file with them
            said += f" (another program has changed {work.title})"
        return said
    return f"{work.title} had unsaved changes; they could not be saved: no writable folder."


def _date_before(work: EditedNeighbourhood, path: Path) -> None:
    """Date rescued changes just before their file if another program has changed it; see `rescued_work`."""
    stamp = stamp_of(work.path) if work.path is not None and work.changed_on_disk else None
    if stamp is not None:
        os.utime(path, ns=(stamp[0] - 1, stamp[0] - 1))


def _folders(work: EditedNeighbourhood) -> list[Path]:
    own = rescue_folder()
    return [own] if work.path is None else [work.path.parent, own]


def _written(history: History) -> Document:
    while True:
        try:
            return history.current.document()
        except ScenarioError:
            if history.undoable is None:
                raise
            history.undo()
