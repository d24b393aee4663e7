"""How long a test waits for what has to come."""

from __future__ import annotations

PATIENCE_WALL_S = 300.0
"""Far longer than anything takes on a busy machine: a bound on a hang, and no measure of speed."""
