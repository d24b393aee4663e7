"""The domain model: houses, devices, jobs and contracts."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from agents.energy import MAX_TIME_S, LoadProfile
from agents.shares import MAX_SHARES, Share, without_empty
from broker.protocol import MAX_AGENT_CHARACTERS

GRID = "grid"
"""The supplier of last resort: it accepts every job, at the job's earliest remaining start."""
SHARED = "shared"
"""The supplier of a job that several producers supply together; the contract's shares say who supplies what, and
when."""
MANAGER = "manager"
"""Id of the agent that registers producers and keeps the ledger, and of the host that it lives on."""
TIMELINE = "timeline"
"""Id of the agent that carries out a scenario's timeline; it lives on the manager's host."""

TOGETHER = "its device has no other time for it"
"""Reason, in the ledger, of a contract whose job runs at the same time as another job of its device."""

TimeS = Annotated[int, Field(ge=-MAX_TIME_S, le=MAX_TIME_S)]
"""A time, UNIX seconds."""
Id = Annotated[str, Field(min_length=1, max_length=400)]
"""Id of a job."""
ContractId = Annotated[str, Field(max_length=400)]
"""Id of a contract; empty in plans without contracts."""
AgentId = Annotated[str, Field(min_length=1, max_length=MAX_AGENT_CHARACTERS)]
"""Id of an agent; a consumer's is its house's and its device's id, percent-encoded."""
DeviceType = Literal["consumer", "producer"]
Starts = tuple[tuple[int, int], ...]
"""Allowed starts of a job: intervals of a first and a last second, both inclusive, ascending and disjoint."""


class Device(BaseModel):
    """A device in a house that consumes or produces energy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    """Unique within its house; a producer's is unique within the neighbourhood."""
    house: str
    type: DeviceType
    name: str = ""
    template: str = ""
    """Kind of appliance or panel, as the input calls it."""

    @property
    def agent(self) -> str:
        """Id of its agent: a producer's own id; a consumer's with its house, percent-encoded."""
        return self.id if self.type == "producer" else consumer_agent(self.house, self.id)


@lru_cache(maxsize=100_000)  # each message of a consumer needs it, and a run has few devices
def consumer_agent(house: str, device: str) -> str:
    """Return the id of the agent of a consumer device."""
    return f"{quote(house, safe='')}/{quote(device, safe='')}"


class House(BaseModel):
    """A household; in a deployment, one host."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str = ""
    devices: tuple[Device, ...] = ()


class Job(BaseModel):
    """One run of a consumer device: its load profile and its window of starts. Times in UNIX seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job_id: Id
    """Unique in the neighbourhood."""
    source_id: str
    """The id in the input, which several jobs may share."""
    house: str
    device: str
    profile: str
    """Name of its load profile."""
    load_profile: LoadProfile
    registered_s: TimeS
    """When the job becomes known to the neighbourhood; may be later than its earliest start."""
    earliest_start_s: TimeS
    latest_start_s: TimeS

    @model_validator(mode="after")
    def _window_is_in_order(self) -> Self:
        if self.latest_start_s < self.earliest_start_s:
            raise ValueError(f"latest start {self.latest_start_s} is before earliest start {self.earliest_start_s}")
        if self.latest_start_s < self.registered_s:
            raise ValueError(f"latest start {self.latest_start_s} is before it is registered at {self.registered_s}")
        return self

    @property
    def agent(self) -> str:
        """Id of its device's agent."""
        return consumer_agent(self.house, self.device)

    @property
    def energy_wh(self) -> float:
        """Total consumption of the job, Wh."""
        return self.load_profile.energy_wh

    @property
    def duration_s(self) -> int:
        """Duration of the load, seconds."""
        return self.load_profile.duration_s

    @property
    def as_sent(self) -> Job:
        """The job as it is sent in messages, see `CumulativeSeries.as_sent`."""
        sent = self.load_profile.as_sent
        return self if sent is self.load_profile else self.model_copy(update={"load_profile": sent})


LEAST_REST_WH = 0.1
"""A smaller difference is due to the rounding of shares to whole mWh per minute, and is not energy from the grid."""


class Contract(BaseModel):
    """An agreement on who supplies a job, from which start. Times in UNIX seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    contract_id: ContractId
    """`<job_id>/<n>`, where n counts the job's contracts from 1."""
    job_id: Id
    producer: AgentId
    """A producer's id, `GRID`, or `SHARED`."""
    start_s: TimeS
    agreed_s: TimeS
    """When it was first agreed; amendments do not change this."""
    energy_wh: Annotated[float, Field(allow_inf_nan=False)]
    shares: Annotated[tuple[Share, ...], Field(max_length=MAX_SHARES)] = ()
    """With `SHARED`: what each producer gives, in the order of their ids; the rest is grid power. Otherwise empty."""

    @model_validator(mode="after")
    def _shares_are_in_order(self) -> Self:
        producers = [share.producer for share in self.shares]
        if producers != sorted(set(producers)):
            raise ValueError("the shares are not in the order of their producers' ids, or a producer has two")
        if bool(self.shares) != (self.producer == SHARED):
            raise ValueError(f"a contract has shares if its producer is {SHARED!r}, and only then")
        return self

    @model_serializer(mode="wrap")
    def _without_empty_shares(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_empty(serialise(self), "shares")

    @property
    def producers(self) -> tuple[str, ...]:
        """Ids of the producers that supply it; empty if only the grid does."""
        if self.producer == SHARED:
            return tuple(share.producer for share in self.shares)
        return () if self.producer == GRID else (self.producer,)

    @property
    def suppliers(self) -> tuple[str, ...]:
        """Ids of all its suppliers: the producers, and finally `GRID` if the grid supplies a part."""
        if self.producer != SHARED:
            return (self.producer,)
        rest_wh = self.energy_wh - sum(share.energy_wh for share in self.shares)
        return (*self.producers, GRID) if rest_wh >= LEAST_REST_WH else self.producers


def covers(starts: Starts, start_s: int) -> bool:
    """Return whether a start is among the allowed ones."""
    return any(first_s <= start_s <= last_s for first_s, last_s in starts)
