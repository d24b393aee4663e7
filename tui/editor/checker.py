"""Background validation of the open neighbourhood; large ones in a child process, as a thread would delay keys.

`python -m tui.editor.checker` is that process; it ends with its standard input, so it never outlives the
application.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

from scenarios import Problem, ScenarioError, job_notes, run_notes
from scenarios.files import Document, ScenarioNote
from tui.child_process import ChildServer, frame, let_keys_go_first, read_frame_here
from tui.editor.edit_history import TreeVersion

LARGE = 40_000
"""Characters of text from which the child process is used; smaller files are checked faster in place."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of `ssmic check` on a version."""

    version: TreeVersion
    problems: tuple[Problem, ...] = ()
    notes: tuple[ScenarioNote, ...] = ()
    """Notes on probable mistakes, if there are no problems."""
    failed: ScenarioError | None = None
    """Why the version has no YAML text; then the rest is unknown."""


class Checker:
    """Validates a version of the neighbourhood, as `ssmic check` does."""

    def __init__(self) -> None:
        self._server = ChildServer("tui.editor.checker")

    async def check(self, version: TreeVersion, where: str, folder: Path, *, allow_outside: bool = False) -> Checked:
        """Validate a version; calls are serialized.

        Args:
            version: The version to validate.
            where: Name of its file, for messages.
            folder: Base folder of relative file names.
            allow_outside: Whether files may lie outside it.
        """
        try:
            document = await asyncio.to_thread(version.document)
        except ScenarioError as error:
            return Checked(version, failed=error)
        found = None
        if len(document.text) >= LARGE:
            found = await self._asked(document, where, folder, allow_outside=allow_outside)
        if found is None:
            found = await asyncio.to_thread(found_in, document, where, folder, allow_outside=allow_outside)
        problems, notes = found
        return Checked(version, tuple(problems), notes)

    async def _asked(
        self, document: Document, where: str, folder: Path, *, allow_outside: bool
    ) -> tuple[list[Problem], tuple[ScenarioNote, ...]] | None:
        """Validate in the child process; None if it cannot be started."""
        try:
            found: tuple[list[Problem], tuple[ScenarioNote, ...]] | None = await self._server.ask(
                (document, where, folder, allow_outside)
            )
        except OSError:
            return None
        return found

    async def close(self) -> None:
        """End the process."""
        await self._server.close()


def found_in(
    document: Document, where: str, folder: Path, *, allow_outside: bool = False
) -> tuple[list[Problem], tuple[ScenarioNote, ...]]:
    """Return all problems of a document or, without problems, the notes of `ssmic check`.

    Args:
        document: The document to check.
        where: Name of its file, for messages.
        folder: Base folder of relative file names.
        allow_outside: Whether it may refer to files outside that folder.
    """
    try:
        scenario = document.scenario(where, folder, allow_outside=allow_outside)
    except ScenarioError as error:
        return list(error.problems), ()
    return [], (*run_notes(scenario), *map(ScenarioNote, job_notes(scenario)))


def main() -> None:
    """Serve validation requests until standard input ends."""
    let_keys_go_first()
    out = sys.stdout.buffer
    while (asked := read_frame_here(sys.stdin.buffer)) is not None:
        document, where, folder, allow_outside = asked
        out.write(frame(found_in(document, where, folder, allow_outside=allow_outside)))
        out.flush()


if __name__ == "__main__":
    main()
