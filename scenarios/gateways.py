"""Real devices as a scenario declares them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SSMIC = "ssmic"
"""Name of the adapter of devices that use our own topics."""
S2 = "s2"
"""Name of the adapter of S2 resource managers, on our own topics."""


class WaitingEntry(BaseModel):
    """How a plug detects that its appliance waits for its programme, and the deadline of the job."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    above_w: float = Field(ge=0, allow_inf_nan=False, description="It draws more than this ...")
    below_w: float = Field(gt=0, allow_inf_nan=False, description="... and less than this ...")
    for_s: int = Field(60, ge=0, description="... for this many seconds: then it is waiting to start its programme")
    within_s: int = Field(ge=1, description="Its programme must end within this many seconds")
    load_profile: str = Field("", description="Name of its load profile; default: the device's")


class Gateway(BaseModel):
    """A real device and its interface."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    """Its id in topics, unique in the run; empty: a place for a guest."""
    house: str
    device: str
    """Its id in the scenario."""
    type: Literal["consumer", "producer"]
    agent: str
    name: str = ""
    adapter: str = SSMIC
    options: dict[str, Any] = {}
    """Of the adapter."""
    load_profile: str = ""
    answer_s: int = 60
    tries: int = 3
    idle_w: float = 5.0
    learn: bool = True
    waiting: WaitingEntry | None = None
