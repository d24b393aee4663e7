"""Producers' scores between simulations of a scenario: one small JSON file, replaced as a whole or not at all.

Scores are an input of a run, so the file also remembers which scores a run began with: the same run, repeated, begins
with them again and reaches the same contracts, regardless of what was learned in between.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from agents.ranking import NegotiationSettings
from agents.scheduling import AlgorithmSettings
from agents.sharing import SupplySettings
from broker import FILE_MODE, SsmicError, atomic_write, file_name, make_private_folder, writing_obstacle
from scenarios.scenario import Scenario, fingerprint

SUFFIX = ".scores.json"
MAX_BYTES = 100_000_000
"""More is not a scores file: 100 producers after 10,000 simulations fit several times."""
LOCK_WALL_S = 30.0
"""How long to wait for the lock, wall-clock seconds; others hold it while they read and write the file."""
_POLL_WALL_S = 0.05
"""How long to wait between two attempts to take the lock, wall-clock seconds."""

_ScoreById = dict[Annotated[str, Field(min_length=1)], int]


class ScoresFileError(SsmicError):
    """A file is not a scores file, or belongs to another scenario; the message names the file and the reason."""


class ScoresWriteError(ScoresFileError):
    """A scores file cannot be written."""


class _Start(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    scores: _ScoreById
    """The initial scores of the runs."""
    runs: tuple[str, ...]
    """Which, as `run_key` names them."""


class _Content(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    version: Literal[1] = 1
    scenario: str
    scores: _ScoreById
    """What a run begins with that was not done before."""
    starts: tuple[_Start, ...] = ()


def run_key(
    scenario: Scenario,
    seed: int,
    algorithm: AlgorithmSettings,
    days: int | None,
    *,
    patient: bool,
    negotiating: NegotiationSettings | None = None,
    supply: SupplySettings | None = None,
) -> str:
    """Return the key of a run: a short hash of everything that its contracts depend on, apart from scores.

    That is `scenario`, `seed`, `algorithm`, `days`, `patient`, `negotiating` and `supply`.

    They do not depend on whether producers are left out that would decline.
    """
    plain = NegotiationSettings()
    chosen = replace(plain if negotiating is None else negotiating, negotiation=plain.negotiation)
    asking = () if chosen == plain else (astuple(chosen),)
    shared: tuple[object, ...] = (supply.prefer,) if supply is not None and supply.is_shared else ()
    if supply is not None and supply.corrects_forecasts:
        shared += (supply.forecast,)
    days = scenario.days if days is None else days
    return fingerprint(scenario, seed, astuple(algorithm), days, patient, *asking, *shared)


@dataclass(frozen=True, slots=True)
class ScoresFile:
    """The file that keeps a scenario's scores; it need not exist."""

    path: Path
    scenario: str
    """Name of the scenario that the scores are of."""

    @classmethod
    def beside(cls, results_file: Path, scenario: str, named: Path | None = None) -> ScoresFile:
        """Return the scores file `named`, or else that of `scenario` next to `results_file`."""
        return cls(named or results_file.parent / f"{file_name(scenario)}{SUFFIX}", scenario)

    def scores(self) -> dict[str, int]:
        """Return the scores with which a new run begins, by producer id; empty if there is no file yet.

        Raises:
            ScoresFileError: it is not a scores file, or one of another scenario.
        """
        return self._read().scores

    def check_writable(self) -> None:
        """Check that the file can be written.

        Raises:
            ScoresWriteError: It cannot.
        """
        if obstacle := writing_obstacle(self.path):
            raise ScoresWriteError(f"{self.path}: cannot be written: {obstacle}")

    async def begin(self, runs: Sequence[str | None], *, afresh: bool = False) -> list[dict[str, int]]:
        """Return the scores with which each run begins, by producer id, and remember them; see `beginning`."""
        async with self.beginning(runs, afresh=afresh) as scores:
            return scores

    @asynccontextmanager
    async def beginning(
        self, runs: Sequence[str | None], *, afresh: bool = False
    ) -> AsyncIterator[list[dict[str, int]]]:
        """Return the scores with which each run begins, by producer id; remember them once everything else is ready.

        If the context raises an error, because the runs cannot begin, the file is as it was.

        Args:
            runs: Their keys; None for a run that is not to be repeated: it always begins with the latest scores.
            afresh: Discard the content of the file first.

        Raises:
            ScoresFileError: it is not a scores file, or one of another scenario, or cannot be written.
        """
        self.check_writable()
        empty = _Content(scenario=self.scenario, scores={})
        scores, before = _starts(empty if afresh else self._read())
        yield [before.get(run, scores) if run is not None else scores for run in runs]
        async with self._locked():
            content = empty if afresh else self._read()
            _, known = _starts(content)
            new = tuple(dict.fromkeys(run for run in runs if run is not None and run not in known))
            if new or afresh:
                self._write(_with_starts(content, scores, new))

    async def learn(self, begun_with: Mapping[str, int], ended_with: Mapping[str, int]) -> None:
        """Keep the outcome of a run; one that only repeated an earlier run, or was overtaken by another, adds nothing.

        Raises:
            ScoresFileError: as `begin`.
        """
        async with self._locked():
            content = self._read()
            if content.scores == begun_with:
                self._write(content.model_copy(update={"scores": dict(ended_with)}))

    @asynccontextmanager
    async def _locked(self) -> AsyncIterator[None]:
        """Lock the file between reading and writing: simulations of one scenario may run concurrently.

        While another process holds the lock, the event loop goes on: agents, connections and signals are served.
        """
        give_up_wall_s = time.monotonic() + LOCK_WALL_S
        with self._lock_errors():
            make_private_folder(self.path.parent)
            lock = FileLock(self.path.with_name(f".{self.path.name}.lock"), mode=FILE_MODE)
            while True:
                try:
                    lock.acquire(timeout=0)
                    break
                except Timeout:
                    if time.monotonic() >= give_up_wall_s:
                        raise
                await asyncio.sleep(_POLL_WALL_S)
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _lock_errors(self) -> Iterator[None]:
        try:
            yield
        except Timeout as timeout:
            raise ScoresWriteError(
                f"{self.path}: another process has held its lock for {LOCK_WALL_S:g} s, and may hang "
                f"({timeout.lock_file}); end that process, or use another scores file"
            ) from None
        except FileExistsError:
            raise ScoresWriteError(f"{self.path.parent}: is a file, and results need a folder") from None
        except OSError as error:
            raise self._unwritable(error) from error

    def _read(self) -> _Content:
        path = self.path
        try:
            if path.exists() and not path.is_file() and not path.is_dir():  # opening a pipe would wait for its writer
                raise ScoresFileError(f"{path}: is a pipe, a device or a socket; a file is expected")
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError):
            return _Content(scenario=self.scenario, scores={})
        except OSError as error:
            raise ScoresFileError(f"{path}: cannot be read: {error.strerror or error}") from error
        hint = "--reset-scores starts afresh"
        if len(data) > MAX_BYTES:
            raise ScoresFileError(f"{path}: is not a scores file: larger than {MAX_BYTES} bytes; {hint}")
        try:
            content = _Content.model_validate_json(data)
        except ValidationError as error:
            what = _problem_in_words(error.errors(include_url=False)[0], is_empty=not data.strip())
            raise ScoresFileError(f"{path}: is not a scores file: {what}; {hint}") from None
        if content.scenario != self.scenario:
            raise ScoresFileError(
                f"{path}: has scores of scenario {content.scenario!r}, not of {self.scenario!r}; {hint}"
            )
        return content

    def _write(self, content: _Content) -> None:
        """Replace the file atomically: concurrent readers, and readers after a crash, find the old or the new file."""
        ordered = content.model_copy(update={"scores": dict(sorted(content.scores.items()))})
        try:
            with atomic_write(self.path, mode=FILE_MODE) as draft:
                draft.write_text(ordered.model_dump_json(indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> ScoresWriteError:
        return ScoresWriteError(f"{self.path}: cannot be written: {error.strerror or error}")


_EXPECTED = {
    "missing": "the key is missing",
    "extra_forbidden": "unknown key",
    "string_type": "a text in quotes is expected",
    "string_too_short": "the id of a producer is empty",
    "model_type": "an object in braces is expected",
    "dict_type": "an object in braces is expected, scores by producer id",
    "tuple_type": "a list in brackets is expected",
    "literal_error": "this ssmic reads version 1 only",
}
"""What is expected in place of a wrong value, by pydantic's type of error."""
_PLACE_IN_JSON = re.compile(r"(?P<what>.*) at line (?P<line>\d+) column (?P<column>\d+)")


def _problem_in_words(problem: ErrorDetails, *, is_empty: bool) -> str:
    """Return what is wrong with the content of a scores file, and where."""
    if is_empty:
        return "it is empty"
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]).lstrip(".")
    kind = problem["type"]
    if kind == "json_invalid":
        found = _PLACE_IN_JSON.fullmatch(str(problem.get("ctx", {}).get("error", "")))
        if found is None:
            return "it is not JSON"
        if found["what"].startswith("EOF"):
            return f"line {found['line']}: the text ends in the middle, so a part of the file is lost"
        return f"line {found['line']}, column {found['column']}: this is not JSON"
    what = "a whole number is expected" if kind.startswith("int_") else _EXPECTED.get(kind, problem["msg"])
    return f"{place}: {what}" if place else what


def _starts(content: _Content) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
    """Return the scores with which a new run begins, and by run those with which earlier ones began."""
    return content.scores, {run: start.scores for start in content.starts for run in start.runs}


def _with_starts(content: _Content, scores: dict[str, int], runs: tuple[str, ...]) -> _Content:
    """Return what a file says once these runs have begun with `scores`."""
    starts = content.starts
    if not runs:
        return content
    if starts and starts[-1].scores == scores:
        last = starts[-1].model_copy(update={"runs": starts[-1].runs + runs})
        return content.model_copy(update={"starts": (*starts[:-1], last)})
    return content.model_copy(update={"starts": (*starts, _Start(scores=scores, runs=runs))})
