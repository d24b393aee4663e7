"""Producers' scores between simulations of a scenario: one small JSON file, replaced as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from broker.errors import SsmicError

SUFFIX = ".scores.json"
MAX_BYTES = 10_000_000
"""More is no scores file: 100,000 producers fit."""


class ScoresFileError(SsmicError):
    """A scores file cannot be read, written, or is none of this scenario; the message names the file and says why."""


class _Content(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    version: Literal[1] = 1
    scenario: str
    scores: dict[Annotated[str, Field(min_length=1)], int]
    """By producer id."""


def default_scores_file(results_file: Path, scenario: str) -> Path:
    """Return where the scores of a scenario are kept when nobody says where: beside its results."""
    return results_file.parent / f"{scenario}{SUFFIX}"


def load_scores(path: Path, scenario: str) -> dict[str, int]:
    """Return the scores that a file keeps, by producer id; none if there is no such file yet.

    Raises:
        ScoresFileError: It is no scores file, or one of another scenario.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ScoresFileError(f"{path}: cannot be read: {error.strerror or error}") from error
    hint = "--reset-scores starts afresh"
    if len(data) > MAX_BYTES:
        raise ScoresFileError(f"{path}: is no scores file: larger than {MAX_BYTES} bytes")
    try:
        content = _Content.model_validate_json(data)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in problem["loc"])
        what = f"{place}: {problem['msg']}" if place else problem["msg"]
        raise ScoresFileError(f"{path}: is no scores file: {what}; {hint}") from None
    if content.scenario != scenario:
        raise ScoresFileError(f"{path}: has scores of scenario {content.scenario!r}, not of {scenario!r}; {hint}")
    return content.scores


def save_scores(path: Path, scenario: str, scores: Mapping[str, int]) -> None:
    """Write scores; whoever reads meanwhile, and whoever looks after a crash, finds the old file or the new one.

    Raises:
        ScoresFileError: It cannot be written.
    """
    text = _Content(scenario=scenario, scores=dict(sorted(scores.items()))).model_dump_json(indent=2) + "\n"
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ScoresFileError(f"{path}: cannot be written: {error.strerror or error}") from error
