"""Events from a real device and instructions to it, as its gateway agent handles them.

The adapter of the device (`scenarios.devices`) translates between these events and what goes over its wire. All times
are virtual UNIX seconds, all power is in W and all energy in Wh.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agents.energy import LoadProfile, Production
from agents.model import DeviceType

JobState = Literal["NOT_SCHEDULED", "SCHEDULED", "EXECUTING", "INTERRUPTED", "FINISHED", "ABORTED"]
"""States of a job, as in S2 (EN 50491-12-2, power profile based control)."""

ExecutionOutcome = Literal[
    "",
    "on_time",
    "late",
    "no_answer",
    "started_by_hand",
    "stopped_by_hand",
    "power_lost",
    "vanished",
    "refused",
    "withdrawn",
    "run_ended",
]
"""The outcome of a job on its device; see `docs/devices.md`."""


class _Frozen(BaseModel):
    """Base of events from a device and of what is said to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Announced(_Frozen):
    """The device announces its type, name and load profiles."""

    what: Literal["announced"] = "announced"
    type: DeviceType
    name: str = ""
    profiles: dict[str, LoadProfile] = {}
    """Load profiles that its requests may name."""


class Left(_Frozen):
    """The device withdrew its announcement."""

    what: Literal["left"] = "left"


class Availability(_Frozen):
    """The device is connected, or its last will says that it is not."""

    what: Literal["availability"] = "availability"
    online: bool


class JobAsked(_Frozen):
    """Someone asks for a job of the device."""

    what: Literal["job_asked"] = "job_asked"
    id: str = ""
    """Empty: the agent numbers it."""
    load: LoadProfile | None = None
    profile: str = ""
    """Name of a stored profile, where `load` is None; empty: the device's own."""
    earliest_start_s: int | None = None
    """None: now."""
    latest_start_s: int | None = None
    ready_by_s: int | None = None
    """Instead of `latest_start_s`."""
    reference: str = ""
    """The device's names of the parts of the job; its command contains them."""


class JobTakenBack(_Frozen):
    """Someone withdraws a job of the device."""

    what: Literal["job_taken_back"] = "job_taken_back"
    id: str


class Reported(_Frozen):
    """The device reports its state; None: the device did not report this value."""

    what: Literal["reported"] = "reported"
    job: str | None = None
    state: Literal["EXECUTING", "INTERRUPTED", "FINISHED", "ABORTED"] | None = None
    is_on: bool | None = None
    """Whether the switch in front of it is closed."""
    power_w: float | None = None
    """Power drawn by a consumer, or produced by a producer, W."""
    counter_wh: float | None = None
    """Its energy counter, which rises except when it is reset."""
    restarted: bool = False
    """Whether the device has just started."""


class Forecasted(_Frozen):
    """A producer device reports its expected production."""

    what: Literal["forecasted"] = "forecasted"
    production: Production


class CommandRefused(_Frozen):
    """The device answered a command with an error."""

    what: Literal["command_refused"] = "command_refused"
    problem: str


class Occupied(_Frozen):
    """Another run commands the device, so this one must not; the process that is connected to it says so."""

    what: Literal["occupied"] = "occupied"
    run: str
    """The id of that run."""


class Vacated(_Frozen):
    """No other run commands the device now."""

    what: Literal["vacated"] = "vacated"


class Rejected(_Frozen):
    """A message of the device was not understood."""

    what: Literal["rejected"] = "rejected"
    topic: str
    """Last level of a topic of ours, or the device's own topic."""
    problem: str
    expected: str
    payload: str = ""
    """Its beginning."""


DeviceEvent = Annotated[
    Announced
    | Left
    | Availability
    | JobAsked
    | JobTakenBack
    | Reported
    | Forecasted
    | CommandRefused
    | Occupied
    | Vacated
    | Rejected,
    Field(discriminator="what"),
]


class DeviceCommand(_Frozen):
    """What a gateway tells its device to do now. Unlike the contract, this can fail."""

    command: Literal["start", "stop", "renew"]
    """`stop` is never given while a programme runs; `renew` sets the device's own timer again while it runs."""
    device: str
    """Its gateway id."""
    job: str = ""
    """The job's id, as the device knows it."""
    reference: str = ""
    """The reference of the job, as requested."""
    time_s: int
    attempt: int = 1
    run_s: int | None = None
    """How long the device may run without further commands, seconds; None: no limit."""


class DeviceNotice(_Frozen):
    """A message to a device and its watchers, published on one of ssmic's own topics."""

    part: Literal["job", "state", "error"]
    """Last level of the topic."""
    device: str
    content: dict[str, Any]
    """The payload, without the version."""
    message_id: str = ""
    """`error`: of the message with which something is wrong; see `agents.messages.DeviceSaid`."""
