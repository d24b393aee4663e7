"""How fast virtual time may go against the wall clock. It delays rounds; it never decides anything."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass

from broker.errors import SsmicError


class PaceError(SsmicError):
    """A pace that nobody can keep."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Virtual seconds a wall second; None: as fast as it goes."""

    factor: float | None = None

    @classmethod
    def parse(cls, text: str) -> Pace:
        """Return the pace that `text` names: `max`, `1x`, `60x`, `0.5x`.

        Raises:
            PaceError: it names none.
        """
        if text == "max":
            return cls()
        try:
            factor = float(text.removesuffix("x"))
        except ValueError:
            factor = math.nan
        if not text.endswith("x") or not math.isfinite(factor) or factor <= 0:
            raise PaceError(f"pace {text!r}: expected 'max' or a factor above 0 such as '1x' or '60x'")
        return cls(factor)

    def __str__(self) -> str:
        return "max" if self.factor is None else f"{self.factor:g}x"


class Pacer:
    """Says when a moment of virtual time is due."""

    def __init__(self, pace: Pace, now_s: int) -> None:
        self.pace = pace
        self._anchor_s = now_s
        self._anchor_wall_s = asyncio.get_running_loop().time()

    def change(self, pace: Pace, now_s: int) -> None:
        """Go on at another pace from here."""
        self.pace = pace
        self._anchor_s = now_s
        self._anchor_wall_s = asyncio.get_running_loop().time()

    def due_in_wall_s(self, time_s: int) -> float:
        """Return how long it is until `time_s` is due; negative: so long overdue, which is the lag."""
        if self.pace.factor is None:
            return 0.0
        due_wall_s = self._anchor_wall_s + (time_s - self._anchor_s) / self.pace.factor
        return due_wall_s - asyncio.get_running_loop().time()
