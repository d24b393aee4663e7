"""The payloads of a real device's topics `state` and `job`, as read by what displays them.

A gateway writes them as defined in `scenarios.devices.notices`. But a household with real devices, or with room for
guests, may publish anything on these topics (`broker.security.acl`), so displays rely only on what is checked here. The
models of the notices have neither bounds nor defaults, because `ssmic asyncapi` prints them; these models have both.
`tests/scenarios/test_device_state.py` holds that keys and types are the same.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from agents import JobState
from broker import MAX_CHARACTERS
from broker.protocol import MAX_AGENT_CHARACTERS, MAX_TIME_S

_MAX_COUNT = 2**53 - 1
_MAX_POWER_W = 1e9
_MAX_ENERGY_WH = 1e15

_Name = Annotated[str, Field(max_length=MAX_CHARACTERS)]
_Time = Annotated[int, Field(ge=0, le=MAX_TIME_S)]
"""UNIX seconds of virtual time."""
_Count = Annotated[int, Field(ge=0, le=_MAX_COUNT)]


class DeviceState(BaseModel):
    """The payload of `state`, see `docs/devices.md`; keys that nothing shows are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    device: _Name = ""
    """Its id in topics."""
    agent: Annotated[str, Field(max_length=MAX_AGENT_CHARACTERS)] = ""
    """Id of the agent that represents it."""
    house: _Name = ""
    type: Literal["consumer", "producer"] | None = None
    name: _Name = ""
    adapter: _Name = ""
    available: bool | None = None
    """None: it has not sent a message yet."""
    state: JobState | None = None
    """State of its job; None: it has none."""
    job: _Name | None = None
    next_start: _Time | None = None
    """When its job starts; None: it has none."""
    supplier: Annotated[str, Field(max_length=100_000)] | None = None
    """All of them, if several supply the job."""
    power_w: Annotated[float, Field(ge=0, le=_MAX_POWER_W)] | None = None
    energy_wh: Annotated[float, Field(ge=0, le=_MAX_ENERGY_WH)] | None = None
    """Metered in this run."""
    last_heard: _Time | None = None
    """When it last sent a message; None: it has not sent one yet."""
    commands_sent: _Count = 0
    commands_answered: _Count = 0
    errors: _Count = 0
    """How many problems of its messages it was informed of."""


class DeviceJob(BaseModel):
    """The payload of `job`, see `docs/devices.md`; keys that nothing shows are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: _Name
    state: JobState | None = None
