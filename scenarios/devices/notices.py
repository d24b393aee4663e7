"""The payloads on our own topics for devices and their watchers, as a gateway writes them, and those of S2.

`ssmic asyncapi` describes them by these models; the tests compare what is published.

`DeviceState` and `DeviceJob` are `state` and `job` as displays read them. A household with real devices, or
with room for guests, may publish anything on these topics (`broker.security.acl`), so displays rely only on what is
checked here. What is written has neither bounds nor defaults, because `ssmic asyncapi` prints it, and what is read has
both. `tests/scenarios/devices/test_notices.py` checks that keys and types are the same.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from agents import ExecutionOutcome, JobState
from broker import MAX_CHARACTERS
from broker.protocol import MAX_AGENT_CHARACTERS, MAX_TIME_S
from scenarios.devices.payloads import Payload

_MAX_COUNT = 2**53 - 1
_MAX_POWER_W = 1e9
_MAX_ENERGY_WH = 1e15

_Name = Annotated[str, Field(max_length=MAX_CHARACTERS)]
_Time = Annotated[int, Field(ge=0, le=MAX_TIME_S)]
"""UNIX seconds of virtual time."""
_Count = Annotated[int, Field(ge=0, le=_MAX_COUNT)]


class S2Metadata(Payload):
    """Metadata of a message of S2."""

    dt: AwareDatetime | None = None
    """When it was sent, virtual time."""
    house: str | None = Field(None, max_length=200)
    """With the announcement of a device that is not in the scenario: the house that it belongs to."""


class S2Envelope(Payload):
    """A message of S2, in the JSON of s2-python, with the virtual time."""

    message: dict[str, Any]
    metadata: S2Metadata = S2Metadata()


class Notice(BaseModel):
    """Common parts of what a gateway publishes."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    v: Literal[1]
    """Version of the payload."""
    time: int
    """When it was published, virtual time, UNIX seconds."""


class SupplierNotice(BaseModel):
    """A supplier of a job."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    producer: str
    """Its id; `grid`: grid power."""
    house: str
    """Its house; empty: it is the grid, or, in a deployment, belongs to another household's process."""
    share: float
    """Its part of the job's energy, 0 to 1."""
    energy_wh: float | None = None
    """With shared supply: its energy, Wh."""


class JobPayload(Notice):
    """The payload of `job`: the job of a device that changed last."""

    id: str
    """As the device knows it."""
    state: JobState
    suppliers: list[SupplierNotice]
    start: int | None
    """UNIX seconds; null: there is no supplier yet."""
    start_iso: str | None
    end: int | None
    """As planned, UNIX seconds."""
    energy_wh: float
    """As planned, Wh."""
    price_eur: float | None
    measured_wh: float | None
    outcome: ExecutionOutcome
    reason: str


class SetPayload(Notice):
    """The payload of `set`: a command."""

    command: Literal["start"]
    id: str
    """The job's, as the device knows it."""


class ErrorPayload(Notice):
    """The payload of `error`: the problem with a message."""

    topic: str
    """Last level of the message's topic, or the device's own topic."""
    problem: str
    expected: str
    payload: str
    """The beginning of the message."""
    message: dict[str, Any] | None = None
    """The `ReceptionStatus` for a message of S2."""
    metadata: S2Metadata | None = None
    """With `message`."""


class StatePayload(Notice):
    """The payload of `state`: the device as its gateway sees it."""

    device: str
    house: str
    type: Literal["consumer", "producer"]
    agent: str
    name: str
    adapter: str
    available: bool | None
    """null: it has not sent a message yet."""
    state: JobState | None
    """Of the job that runs, or of the next one."""
    job: str | None
    """The id of that job."""
    next_start: int | None
    """UNIX seconds."""
    supplier: str | None
    power_w: float | None
    energy_wh: float
    """Metered in this run, without jumps at counter resets, Wh."""
    last_heard: int | None
    """UNIX seconds."""
    commands_sent: int
    commands_answered: int
    errors: int


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
