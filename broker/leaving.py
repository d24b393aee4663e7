"""How a party leaves a run before its end: with last words, as long as the broker takes them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

LEAVE_WALL_S = 2.0
"""How long last words may take: whoever interrupts a run does not wait for a broker that is away."""


async def say_and_leave(last_words: Coroutine[Any, Any, None]) -> bool:
    """Say last words; return whether the broker has them all.

    They are said in a task of their own: the one that leaves has been cancelled, as a rule.
    """
    saying = asyncio.create_task(last_words, name="leaving")
    try:
        await asyncio.wait({saying}, timeout=LEAVE_WALL_S)
    finally:
        saying.cancel()
    return saying.done() and not saying.cancelled() and saying.exception() is None
