"""The events of a scenario's timeline: actions and their times, and how a chart marks them. Times in UNIX seconds.

Independent of the file format that events come from, and of how they are carried out (`scenarios.timeline`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from agents import LoadProfile, Production
from agents.scheduling import AlgorithmSettings
from broker import first_few
from broker.protocol import MAX_TIME_S

HOUR_S = 3600
MARK_STEP_S: Final = 300
"""A day's chart has 288 steps: closer events with the same words are one mark."""
_Moment = Annotated[int, Field(ge=0, le=MAX_TIME_S)]
_Factor = Annotated[float, Field(ge=0, le=10)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CloudFront(_Frozen):
    """A cloud front passes over some producers and reduces their actual production."""

    do: Literal["cloud"] = "cloud"
    producers: tuple[str, ...]
    """In the order in which the front reaches them."""
    factor: _Factor
    """Share of the production that remains under the front."""
    ramp_s: int
    """How long the production takes to fall to that, and to rise again, within the duration."""
    duration_s: int
    """How long the front is over one producer."""
    travel_s: int
    """How much later it reaches the next producer."""
    announced: bool
    """Whether each producer's forecast says so from the moment on at which the front reaches it."""


class GiveForecast(_Frozen):
    """A producer gets a new forecast."""

    do: Literal["forecast"] = "forecast"
    producer: str
    """Its id."""
    production: Production | None = None
    """The forecast; None: it follows from `factor`, and is known when the event takes place."""
    factor: _Factor | None = None
    """From now on, the new forecast is the present one times this factor. If the producer has no actual production,
    what it produces is multiplied too."""
    is_derived: bool = False
    """It follows from another event, and does not change the actual production."""
    replaces_later: bool = False
    """Forecasts of the scenario that are issued later are void."""


class ForecastError(_Frozen):
    """From now on producers get forecasts with random errors that grow with the horizon."""

    do: Literal["forecast_error"] = "forecast_error"
    producers: tuple[str, ...]
    """Their ids."""
    growth_per_h: float
    """Standard deviation of the relative error an hour ahead; it grows in proportion to the horizon."""
    most: float
    """Its limit."""
    every_s: int
    """How often a forecast is issued."""
    duration_s: int | None
    """How long it lasts; None: until the run ends."""
    seed: int
    """Seed of the errors, so that they are the same in each run."""


class JoinDevice(_Frozen):
    """A device joins; until then it was absent."""

    do: Literal["join"] = "join"
    house: str
    """Id of its house."""
    device: str
    """Its id."""


class LeaveDevice(_Frozen):
    """A device leaves: a producer produces nothing, a consumer's jobs do not run."""

    do: Literal["leave"] = "leave"
    house: str
    """Id of its house."""
    device: str
    """Its id."""


class AddJobs(_Frozen):
    """A household wants one more job; times relative to the event."""

    do: Literal["add_job"] = "add_job"
    job_id: str
    source_id: str
    """The id that the file gives it, or that of its house and device."""
    house: str
    device: str
    profile: str
    """Name of its load profile."""
    load_profile: LoadProfile
    """Its draw; times are seconds since its start."""
    earliest_after_s: int
    """Earliest start, seconds after the event."""
    latest_after_s: int
    """Latest start, seconds after the event."""


class WithdrawJob(_Frozen):
    """A household no longer wants a job; one that has started runs to its end."""

    do: Literal["withdraw_job"] = "withdraw_job"
    job: str
    """The job's id."""


class GoOffline(_Frozen):
    """A household cannot be reached. Its panels and appliances work, but it agrees on nothing."""

    do: Literal["offline"] = "offline"
    house: str
    duration_s: int | None
    """None: it does not return."""


class ReturnOnline(_Frozen):
    """A household that was offline can be reached again."""

    do: Literal["online"] = "online"
    house: str


class DisturbLink(_Frozen):
    """The link between a household and the broker loses or delays messages. It changes no contract."""

    do: Literal["link"] = "link"
    house: str
    loss: float
    """Share of the messages that are lost and have to be sent again."""
    delay_wall_s: float
    """How long each is under way at most, seconds of the wall clock."""
    duration_s: int
    """How long, seconds of virtual time."""


class RestartBroker(_Frozen):
    """The broker is restarted. It changes no contract."""

    do: Literal["restart_broker"] = "restart_broker"


class ChangeTariff(_Frozen):
    """Other prices or emissions hold from now on; None: as before."""

    do: Literal["tariff"] = "tariff"
    import_eur_per_kwh: float | None = None
    """Bought from the grid."""
    feed_in_eur_per_kwh: float | None = None
    """Sold to the grid."""
    neighbour_eur_per_kwh: float | None = None
    """Paid by one house to another."""
    grid_kg_co2_per_kwh: float | None = None
    """Emissions of energy from the grid."""


class SwitchAlgorithm(_Frozen):
    """Producers decide by another algorithm from now on."""

    do: Literal["algorithm"] = "algorithm"
    producers: tuple[str, ...]
    """Their ids."""
    algorithm: AlgorithmSettings


class SwitchPatience(_Frozen):
    """Jobs of some households wait from now on where no producer can supply them, or take grid power at once."""

    do: Literal["patience"] = "patience"
    houses: tuple[str, ...]
    """Their ids."""
    patient: bool
    """Whether their jobs wait."""


class SwitchStrategy(_Frozen):
    """Consumers of some households decide by another strategy from now on."""

    do: Literal["strategy"] = "strategy"
    houses: tuple[str, ...]
    """Their ids."""
    strategy: str
    """Name of the plug-in; empty: our own strategy."""


class Note(_Frozen):
    """Adds a note to the log, the results and the charts."""

    do: Literal["note"] = "note"
    text: str


Action = Annotated[
    CloudFront
    | GiveForecast
    | ForecastError
    | JoinDevice
    | LeaveDevice
    | AddJobs
    | WithdrawJob
    | GoOffline
    | ReturnOnline
    | DisturbLink
    | RestartBroker
    | ChangeTariff
    | SwitchAlgorithm
    | SwitchPatience
    | SwitchStrategy
    | Note,
    Field(discriminator="do"),
]
ACTION: TypeAdapter[Action] = TypeAdapter(Action)
"""Converts actions to and from JSON."""

Turn = Literal["agreed", "starts", "ends", "cancelled"]
"""What may happen to a job that an event waits for: its contract is agreed, it starts to run, ..."""


class TimelineEvent(_Frozen):
    """An action and its time: `at_s`, or when something happens to a job."""

    at_s: _Moment | None
    """UNIX seconds; None: it waits for a job."""
    job: str | None = None
    """The job that it waits for; it takes place once, the first time that this happens."""
    turn: Turn | None = None
    """What it waits for; None: it has a time."""
    after_s: int = 0
    """How long after that."""
    action: Action


class RunEvent(_Frozen):
    """An event, and when it takes place in a run."""

    n: int
    """Counts the run's events from 1."""
    at_s: _Moment
    """Virtual time, UNIX seconds."""
    action: Action
    is_scripted: bool = False
    """Whether a script caused it; the scenario's timeline does not contain it."""


def action_in_words(action: Action) -> str:  # noqa: C901, PLR0911, PLR0912 - one case for each kind of action
    """Return what an action does, short enough for a chart or a line of a table."""
    match action:
        case CloudFront():
            cut = f"{(1 - action.factor) * 100:.0f} % less sun" if action.factor <= 1 else "more sun"
            return f"clouds over {_listed(action.producers)}: {cut} for {_span(action.duration_s)}"
        case GiveForecast(producer=producer):
            return f"new forecast for {producer}"
        case ForecastError():
            return f"uncertain forecasts for {_listed(action.producers)}, {action.growth_per_h * 100:g} % an hour"
        case JoinDevice():
            return f"{action.device} joins"
        case LeaveDevice():
            return f"{action.device} leaves"
        case AddJobs():
            return f"job {action.job_id} added"
        case WithdrawJob():
            return f"job {action.job} withdrawn"
        case GoOffline():
            back = "" if action.duration_s is None else f" for {_span(action.duration_s)}"
            return f"{action.house} offline{back}"
        case ReturnOnline():
            return f"{action.house} back online"
        case DisturbLink():
            parts = [f"{action.loss * 100:g} % lost"] * (action.loss > 0)
            parts += [f"up to {action.delay_wall_s * 1000:g} ms late"] * (action.delay_wall_s > 0)
            return f"bad link of {action.house}: {', '.join(parts)} for {_span(action.duration_s)}"
        case RestartBroker():
            return "broker restarted"
        case ChangeTariff():
            return "other tariff"
        case SwitchAlgorithm():
            return f"{_listed(action.producers)} decide by {action.algorithm.name}"
        case SwitchPatience():
            return f"jobs of {_listed(action.houses)} {'wait' if action.patient else 'do not wait'}"
        case SwitchStrategy():
            return f"{_listed(action.houses)} decide by {action.strategy or 'the built-in strategy'}"
        case Note(text=text):
            return text


def _listed(names: tuple[str, ...]) -> str:
    return first_few(names, 2)


def _span(seconds: int) -> str:
    hours, rest = divmod(seconds, HOUR_S)
    minutes, rest_s = divmod(rest, 60)
    parts = [f"{hours} h"] * (hours > 0) + [f"{minutes} min"] * (minutes > 0) + [f"{rest_s} s"] * (rest_s > 0)
    return " ".join(parts) or "0 s"


@dataclass(frozen=True, slots=True, order=True)
class EventMark:
    """An event, or several with the same words that follow each other closely."""

    at_s: float
    """Time of the first, UNIX seconds."""
    text: str
    """What takes place."""
    count: int = 1
    """Number of events."""

    def __str__(self) -> str:
        """What takes place, and how often if more than once."""
        return self.text if self.count == 1 else f"{self.text} ({self.count:,} times)"


class EventMarks:
    """The marks of events that are added in order of time."""

    def __init__(self, events: Iterable[tuple[float, str]] = (), *, most: int | None = None) -> None:
        """Make the marks.

        Args:
            events: UNIX seconds, in words.
            most: Marks that are kept, the newest; None: all.
        """
        self._marks: dict[tuple[int, str], EventMark] = {}
        self._most = most
        for at_s, text in events:
            self.add(at_s, text)

    def add(self, at_s: float, text: str) -> None:
        """Add an event: its time in UNIX seconds, and what takes place."""
        key = int(at_s // MARK_STEP_S), text
        before = self._marks.get(key)
        self._marks[key] = EventMark(at_s, text) if before is None else replace(before, count=before.count + 1)
        if self._most is not None and len(self._marks) > self._most:
            del self._marks[next(iter(self._marks))]

    def like(self, mark: EventMark) -> EventMark | None:
        """Return the mark of the same words and step; None if there is none."""
        return self._marks.get((int(mark.at_s // MARK_STEP_S), mark.text))

    def __iter__(self) -> Iterator[EventMark]:
        """Iterate over the marks in the order of their first events."""
        return iter(self._marks.values())
