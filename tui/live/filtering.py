"""Which messages are shown."""

from __future__ import annotations

from dataclasses import dataclass, field

from scenarios.monitor.message_log import Line, shown_agent
from scenarios.scenario import Zone


@dataclass(frozen=True, slots=True)
class Filter:
    """All of it has to hold; what is empty holds for every message."""

    house: str = ""
    producers_of_house: frozenset[str] = frozenset()
    producer: str = ""
    kind: str = ""
    job: str = ""
    """A part of the job's id, in any case."""
    text: str = ""
    """A part of sender, recipient, job, kind or what is said, in any case."""
    zone: Zone = field(default_factory=Zone)
    """How times in what is said are shown."""

    @property
    def is_open(self) -> bool:
        """Whether every message is shown."""
        return not (self.house or self.producer or self.kind or self.job or self.text)

    def __call__(self, line: Line) -> bool:
        """Return whether a message is shown."""
        if self.kind and line.kind != self.kind:
            return False
        if self.producer and not line.involves(self.producer):
            return False
        if self.house and not line.involves_house(self.house, self.producers_of_house):
            return False
        if self.job and self.job.casefold() not in line.job_id.casefold():
            return False
        if not self.text:
            return True
        wanted = self.text.casefold()
        names = (line.sender, line.to, shown_agent(line.sender), shown_agent(line.to))
        return any(wanted in part.casefold() for part in (line.said(self.zone), *names, line.job_id, line.kind))
