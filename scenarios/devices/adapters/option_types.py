"""Types of adapters' options that the scenario file is checked by."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from broker import MAX_CHARACTERS


def _is_topic(text: str) -> str:
    """Refuse what nobody can publish to: the client would raise, in the middle of the run."""
    if set(text) & set("+#\0"):
        raise ValueError(f"{text!r} is no topic; expected characters other than + and #")
    return text


Topic = Annotated[str, Field(min_length=1, max_length=MAX_CHARACTERS), AfterValidator(_is_topic)]
"""A topic, or a part of one, which has no wildcards."""
