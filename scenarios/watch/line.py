"""A message between agents in short, as a watcher keeps it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from scenarios.zone import Zone

_MARK = re.compile("\ue000([0-9]{1,11})\ue001")
"""A time inside a text, between characters that no keyboard writes. A stranger who sends such characters makes a time
appear, and nothing else."""


class _Marked(Zone):
    """Writes a time as a mark that `Line.said` turns into a clock's time."""

    def clock(self, time_s: float) -> str:
        super().clock(time_s)  # raises where it is no time
        return f"\ue000{int(time_s)}\ue001"


MARKED: Zone = _Marked()
"""The zone of texts that are kept, and shown later in a zone that may not be known yet."""


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
    """What it says, in a few words; times in it are marks, which `said` writes."""

    def said(self, zone: Zone) -> str:
        """Return what it says.

        Args:
            zone: How times are shown; one on another day than the message, or the time before it, has its day with it.
        """
        if "\ue000" not in self.text:
            return self.text
        day = zone.at(self.time_s).date()

        def written(mark: re.Match[str]) -> str:
            nonlocal day
            time_s, before = int(mark[1]), day
            day = zone.at(time_s).date()
            return zone.clock(time_s) if day == before else zone.moment(time_s)

        return _MARK.sub(written, self.text)

    def involves(self, agent: str) -> bool:
        """Return whether an agent sent or got it."""
        return agent in (self.sender, self.to)

    def involves_house(self, house: str, producers: frozenset[str]) -> bool:
        """Return whether an agent of a house sent or got it; `producers` are the house's."""
        return any(agent in producers or house_of_consumer(agent) == house for agent in (self.sender, self.to))


def shown_agent(agent: str) -> str:
    """Return an agent's id as people read it: a consumer's has its house and device percent-encoded."""
    house, separator, device = agent.partition("/")
    return f"{unquote(house)}/{unquote(device)}" if separator else agent


def house_of_consumer(agent: str) -> str | None:
    """Return the house in a consumer's agent id; None for any other agent."""
    house, separator, _ = agent.partition("/")
    return unquote(house) if separator else None
