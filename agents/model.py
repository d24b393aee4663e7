"""Who lives in a neighbourhood and what they agree on: houses, devices, jobs, contracts."""

from __future__ import annotations

from typing import Literal, Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, model_validator

from agents.energy import LoadProfile

GRID = "grid"
"""The producer of last resort: it serves every job, from the job's earliest start that is left."""
MANAGER = "manager"
"""Id of the agent that knows the producers and keeps the ledger, and of the host that it lives on."""

TOGETHER = "its device has no other time for it"
"""The reason, in the ledger, of a contract whose job runs at the same time as another job of its device."""

DeviceType = Literal["consumer", "producer"]


class Device(BaseModel):
    """Something in a house that draws or gives energy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    """Unique in its house; a producer's is unique in the neighbourhood."""
    house: str
    type: DeviceType
    name: str = ""
    template: str = ""
    """What kind of appliance or panel it is, as the input calls it."""

    @property
    def agent(self) -> str:
        """Id of the agent that acts for it: a producer's own id; a consumer's with its house, percent-encoded."""
        return self.id if self.type == "producer" else consumer_agent(self.house, self.id)


def consumer_agent(house: str, device: str) -> str:
    """Return the id of the agent that acts for a consumer device."""
    return f"{quote(house, safe='')}/{quote(device, safe='')}"


class House(BaseModel):
    """A household: in a deployment, one host."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str = ""
    devices: tuple[Device, ...] = ()


class Job(BaseModel):
    """One run of a consumer device: what it draws and when it may start. Times in UNIX seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job_id: str
    """Unique in the neighbourhood."""
    source_id: str
    """The id that the input had; several jobs may share it."""
    house: str
    device: str
    profile: str
    """Name of the load profile."""
    load_profile: LoadProfile
    registered_s: int
    """When the neighbourhood learns of it; may be later than its earliest start."""
    earliest_start_s: int
    latest_start_s: int

    @model_validator(mode="after")
    def _window_is_in_order(self) -> Self:
        if self.latest_start_s < self.earliest_start_s:
            raise ValueError(f"latest start {self.latest_start_s} is before earliest start {self.earliest_start_s}")
        if self.latest_start_s < self.registered_s:
            raise ValueError(f"latest start {self.latest_start_s} is before it is registered at {self.registered_s}")
        return self

    @property
    def agent(self) -> str:
        """Id of the agent that acts for its device."""
        return consumer_agent(self.house, self.device)

    @property
    def energy_wh(self) -> float:
        """What it draws from start to end."""
        return self.load_profile.energy_wh

    @property
    def duration_s(self) -> int:
        """How long it runs."""
        return self.load_profile.duration_s

    @property
    def as_sent(self) -> Job:
        """The job as it is put into a message, see `CumulativeSeries.as_sent`."""
        sent = self.load_profile.as_sent
        return self if sent is self.load_profile else self.model_copy(update={"load_profile": sent})


class Contract(BaseModel):
    """Who supplies which job, from which start. Times in UNIX seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    contract_id: str
    """`<job_id>/<n>`, n counting the job's contracts from 1."""
    job_id: str
    producer: str
    """A producer's id, or `GRID`."""
    start_s: int
    agreed_s: int
    """When it was agreed first; amending it does not change this."""
    energy_wh: float
