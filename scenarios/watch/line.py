"""A message between agents in short, as a watcher keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote


@dataclass(frozen=True, slots=True)
class Line:
    """A message in short."""

    number: int
    """Counts what was seen, from 0."""
    time_s: int
    round: int
    sender: str
    seq: int
    to: str
    kind: str
    job_id: str
    """Empty where the message is about no job."""
    text: str
    """What it says, in a few words."""

    def involves(self, agent: str) -> bool:
        """Return whether an agent sent or got it."""
        return agent in (self.sender, self.to)

    def involves_house(self, house: str, producers: frozenset[str]) -> bool:
        """Return whether an agent of a house sent or got it; `producers` are the house's."""
        return any(agent in producers or house_of_consumer(agent) == house for agent in (self.sender, self.to))


def house_of_consumer(agent: str) -> str | None:
    """Return the house in a consumer's agent id; None for any other agent."""
    house, separator, _ = agent.partition("/")
    return unquote(house) if separator else None
