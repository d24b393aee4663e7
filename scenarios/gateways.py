"""Real devices as a scenario declares them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SSMIC = "ssmic"
"""Name of the adapter of devices that use our own topics."""
S2 = "s2"
"""Name of the adapter of S2 resource managers, on our own topics."""


class WaitingEntry(BaseModel):
    """How a plug detects that its appliance waits for its programme, and the deadline of the job."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    above_w: float = Field(
        ge=0, allow_inf_nan=False, description="Lower limit of the power at which it waits to start its programme, W"
    )
    below_w: float = Field(gt=0, allow_inf_nan=False, description="Upper limit of that power, W")
    for_s: int = Field(60, ge=0, description="How long its power must stay between these limits, seconds")
    within_s: int = Field(ge=1, description="Deadline of its programme, seconds after it was found waiting")
    load_profile: str = Field("", description="Name of its load profile; default: the device's")


class Gateway(BaseModel):
    """A real device and its interface."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    """Its id in topics, unique in the run; empty: a place for a guest."""
    house: str
    """Id of its house."""
    device: str
    """Its id in the scenario."""
    type: Literal["consumer", "producer"]
    agent: str
    """Id of the agent that represents it."""
    name: str = ""
    """Its name for users; empty: it has none."""
    adapter: str = SSMIC
    """Name of the adapter that translates its topics."""
    options: dict[str, Any] = {}
    """Options of the adapter."""
    load_profile: str = ""
    """Name of the load profile of jobs that name none; empty: there is none."""
    answer_s: int = Field(60, ge=1, le=86_400)
    """How long it may take to answer a command, seconds of virtual time."""
    tries: int = 3
    """How many times a command is sent at most."""
    idle_w: float = 5.0
    """Its highest power when its programme is over."""
    learn: bool = True
    """Whether measurements replace the load profile of its next job, and lower a roof's forecast."""
    waiting: WaitingEntry | None = None
    """How its plug detects that it waits for its programme; None: it does not."""


def mistakable_houses(houses: Iterable[str], gateways: Iterable[Gateway]) -> list[tuple[str, str]]:
    """Return pairs of houses of which one could take the ids of the other's jobs: `a` and `a/b`.

    The ids of the jobs that a real consumer requests begin with its house and a slash, so those of a device `b` of `a`
    begin like those of any device of `a/b`.

    Args:
        houses: The ids of all houses.
        gateways: The real devices.

    Returns:
        The shorter id, then the longer one, sorted by the latter.
    """
    known = frozenset(houses)
    real = {gateway.house for gateway in gateways if gateway.type == "consumer"}
    pairs = []
    for house in sorted(known):
        ends = [i for i, character in enumerate(house) if character == "/"]
        pairs += [(house[:end], house) for end in ends if house[:end] in known and real & {house[:end], house}]
    return pairs


def mistakable_problem(shorter: str, longer: str) -> str:
    """Return the problem of such a pair in words."""
    return (
        f"{longer!r} begins with the id of house {shorter!r} and a slash, so the jobs of real devices and guests of "
        "the two could have the same ids; give one of the houses another id"
    )
