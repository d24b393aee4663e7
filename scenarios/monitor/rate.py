"""Recent rate of a count, per second."""

from __future__ import annotations

from collections import deque

WINDOW_WALL_S = 3.0


class Rate:
    """Rate of a count over the last seconds of the wall clock, which the caller reads."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()

    def mark(self, now_wall_s: float, total: int) -> float:
        """Record the current count and return the recent rate per second.

        Args:
            now_wall_s: Time on any monotonic clock, seconds.
            total: The count so far.
        """
        marks = self._marks
        marks.append((now_wall_s, total))
        while len(marks) > 2 and now_wall_s - marks[1][0] >= WINDOW_WALL_S:
            marks.popleft()
        first_wall_s, first_total = marks[0]
        span_wall_s = now_wall_s - first_wall_s
        return (total - first_total) / span_wall_s if span_wall_s > 0 else 0.0
