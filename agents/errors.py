"""What can be wrong with what an agent is given."""

from __future__ import annotations

from broker import SsmicError


class SettingsError(SsmicError):
    """Settings of an algorithm that it cannot work with; the message says what is allowed."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
