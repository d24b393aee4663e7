"""Errors of the domain."""

from __future__ import annotations

from broker import SsmicError


class SettingsError(SsmicError):
    """Invalid settings of a run's agents, such as an unknown algorithm; the message says what is allowed."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
