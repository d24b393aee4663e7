"""Background validation of the open neighbourhood; large ones in a child process, because a thread would delay keys.

The child also applies the changes to the YAML text, which takes as long as the validation.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from scenarios import Problem, ScenarioError, job_notes, run_notes
from scenarios.files import Document, ScenarioNote
from tui.child_process import ChildServer
from tui.editor.edit_history import Step, TreeVersion, written

LARGE = 40_000
"""Characters from which the child process is used; smaller files are checked faster in place."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of `ssmic check` on a version."""

    version: TreeVersion
    problems: tuple[Problem, ...] = ()
    notes: tuple[ScenarioNote, ...] = ()
    """Notes on probable mistakes, if there are no problems."""
    failed: ScenarioError | None = None
    """Why the version has no YAML text; then the rest is unknown."""


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What is to be validated: a document after some steps."""

    document: Document
    steps: tuple[Step, ...]
    where: str
    """Name of its file, for messages."""
    folder: Path
    """Base folder of relative file names."""
    allow_outside: bool = False
    """Whether it may refer to files outside that folder."""


@dataclass(frozen=True, slots=True)
class CheckReply:
    """What was found in the document of a request."""

    document: Document | None
    """The document after the steps; None: there are no steps, or they cannot be applied."""
    problems: tuple[Problem, ...] = ()
    notes: tuple[ScenarioNote, ...] = ()
    failed: bool = False
    """Whether the problems say why the steps cannot be applied."""


class Checker:
    """Validates a version of the neighbourhood, as `ssmic check` does."""

    def __init__(self) -> None:
        self._server = ChildServer(check_document)

    async def check(
        self, version: TreeVersion, where: str, folder: Path, *, allow_outside: bool = False
    ) -> CheckResult:
        """Validate a version; calls are serialized.

        Args:
            version: The version to validate.
            where: Name of its file, for messages.
            folder: Base folder of relative file names.
            allow_outside: Whether files may lie outside it.
        """
        document, steps = version.source()
        request = CheckRequest(document, steps, where, folder, allow_outside=allow_outside)
        found = await self._asked(request) if _is_large(request) else None
        if found is None:
            found = await asyncio.to_thread(check_document, request)
        if found.failed:
            return CheckResult(version, failed=ScenarioError(found.problems))
        if found.document is not None:
            version.keep(found.document)
        return CheckResult(version, found.problems, found.notes)

    async def _asked(self, request: CheckRequest) -> CheckReply | None:
        """Validate in the child process; None if it cannot be started."""
        try:
            found: CheckReply | None = await self._server.ask(request)
        except OSError:
            return None
        return found

    async def close(self) -> None:
        """End the process."""
        await self._server.close()


def _is_large(request: CheckRequest) -> bool:
    """Return whether a document is large, or becomes so: thousands of jobs may be inserted into a small one."""
    length = len(request.document.text)
    return length >= LARGE or length + sum(len(repr(step)) for step in request.steps) >= LARGE


def check_document(request: CheckRequest) -> CheckReply:
    """Return all problems of a document or, without problems, the notes of `ssmic check`."""
    document = request.document
    try:
        document = written(document, request.steps)
    except ScenarioError as error:
        return CheckReply(None, error.problems, failed=True)
    changed = document if request.steps else None
    try:
        scenario = document.scenario(request.where, request.folder, allow_outside=request.allow_outside)
    except ScenarioError as error:
        return CheckReply(changed, error.problems)
    return CheckReply(changed, notes=(*run_notes(scenario), *map(ScenarioNote, job_notes(scenario))))
