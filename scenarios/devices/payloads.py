"""The payloads of our own device topics and their content.

Problems of a payload are reported in words for the person who builds the device. See `docs/devices.md`.
"""

from __future__ import annotations

import codecs
import json
import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from agents import (
    Announced,
    Availability,
    DeviceEvent,
    Forecasted,
    JobAsked,
    JobTakenBack,
    Left,
    LoadProfile,
    Production,
    Reported,
)
from broker import MAX_CHARACTERS, character_problem, printable_line, shown
from scenarios.devices.adapter import MessageError
from scenarios.devices.device_times import (
    DAY_S,
    MAX_AHEAD_S,
    check_ahead,
    check_clock,
    check_is_time,
    check_not_time_of_day,
    days_between,
    time_under,
)
from scenarios.zone import Zone

PARTS = ("announce", "availability", "request", "withdraw", "report", "forecast")
"""Last levels of the topics that a device writes."""
MAY_BE_RETAINED = frozenset({"announce", "availability", "forecast"})
_LOAD_FORMS = "power_w with step_s, points, or energy_wh with duration_s"
MAX_TEXT_SHOWN = 500
"""Characters of a problem, or of an expectation, that an error shows; a list of 10,000 houses would be too long."""
SHOWN_BYTES = 200
"""Bytes of a faulty payload that an error shows."""
MAX_BYTES = 64 * 1024
MAX_STEPS = 10_000
MAX_POINTS = 15_000
"""Of all profiles of an announcement: more would not fit into the message that records it (`MAX_PAYLOAD_BYTES`)."""
MAX_DURATION_S = 7 * 86_400
MAX_FORECAST_S = 366 * 86_400
"""A forecast ends at most so far ahead: producers calculate with every minute of it."""
MAX_POWER_W = 1e7
MOST_PROBLEMS = 5
"""How many are named; of the others, only the number is given."""
_EXPECTED = {
    "extra_forbidden": "unknown key",
    "missing": "is missing",
    "finite_number": "a finite number is expected",
    "float_type": "a number is expected",
    "float_parsing": "a number is expected",
    "int_type": "a whole number is expected",
    "int_parsing": "a whole number is expected",
    "int_from_float": "a whole number is expected",
    "string_type": "a text is expected",
    "list_type": "a list is expected",
    "dict_type": "an object is expected",
    "tuple_type": "a pair is expected",
    "model_type": "an object is expected",
    "model_attributes_type": "an object is expected",
}
_LIMITS = {
    "greater_than_equal": "at least {ge} is expected",
    "less_than_equal": "at most {le} is expected",
    "string_too_long": "at most {max_length} characters are expected",
    "string_too_short": "at least {min_length} {characters} expected",
    "too_long": "at most {max_length} entries are expected",
    "too_short": "at least {min_length} {entries} expected",
    "literal_error": "{expected} is expected",
}


def _no_flag(value: object) -> object:
    """Refuse true and false, which would count as 1 and 0, and NaN. Shell scripts send numbers in quotes; they pass."""
    if isinstance(value, bool):
        raise PydanticCustomError("no_number", "a number is expected")
    if isinstance(value, float) and not math.isfinite(value):
        raise PydanticCustomError("no_finite_number", "a finite number is expected")
    return value


Number = BeforeValidator(_no_flag)
Text = Annotated[str, Field(max_length=MAX_CHARACTERS)]
Power = Annotated[float, Number, Field(ge=0, le=MAX_POWER_W, allow_inf_nan=False)]
Energy = Annotated[float, Number, Field(ge=0, le=1e12, allow_inf_nan=False)]
Timestamp = Annotated[Annotated[float, Number, Field(ge=0, allow_inf_nan=False)] | Text, BeforeValidator(check_is_time)]
StepS = Annotated[int, Number, Field(ge=1, le=86_400)]
ModelT = TypeVar("ModelT", bound=BaseModel)
SeriesT = TypeVar("SeriesT", LoadProfile, Production)


def bounded(series: SeriesT) -> SeriesT:
    """Return a load or a production whose power is nowhere above what `power_w` may be.

    Raises:
        ValueError: It is.
    """
    steps = zip(pairwise(series.times_s), pairwise(series.cumulative_wh), strict=True)
    most_w = max(3600 * (after_wh - before_wh) / (to_s - from_s) for (from_s, to_s), (before_wh, after_wh) in steps)
    if most_w > MAX_POWER_W:
        raise ValueError(f"the energy amounts to a power of {most_w:g} W; at most {MAX_POWER_W:,.0f} W is expected")
    return series


class Payload(BaseModel):
    """A JSON object; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Load(Payload):
    """A load in one of its forms."""

    step_s: StepS | None = None
    """Length of each value of `power_w`, seconds."""
    power_w: Annotated[list[Power], Field(min_length=1, max_length=MAX_STEPS)] | None = None
    """Mean power of each step, W."""
    points: Annotated[list[tuple[int, Energy]], Field(min_length=2, max_length=MAX_STEPS)] | None = None
    """Seconds since the start, and cumulative energy until then, Wh."""
    energy_wh: Energy | None = None
    """With `duration_s`: drawn at constant power."""
    duration_s: Annotated[int, Number, Field(ge=1, le=MAX_DURATION_S)] | None = None

    def as_profile(self) -> LoadProfile | None:
        """Return the load profile; None if it has none of the forms.

        Raises:
            ValueError: It has none in full, or more than one.
        """
        forms = [
            self.power_w is not None or self.step_s is not None,
            self.points is not None,
            self.energy_wh is not None or self.duration_s is not None,
        ]
        if sum(forms) > 1:
            raise ValueError("the load is given in more than one form")
        if self.points is not None:
            if self.points[-1][0] > MAX_DURATION_S:
                raise ValueError(f"the load lasts longer than {MAX_DURATION_S} s")
            times_s, cumulative_wh = zip(*self.points, strict=True)
            return bounded(LoadProfile(times_s=times_s, cumulative_wh=cumulative_wh))
        if self.power_w is not None and self.step_s is not None:
            if self.step_s * len(self.power_w) > MAX_DURATION_S:
                raise ValueError(f"the load lasts longer than {MAX_DURATION_S} s")
            return LoadProfile(**_stepped(0, self.step_s, self.power_w))
        if self.energy_wh is not None and self.duration_s is not None:
            return bounded(LoadProfile(times_s=(0, self.duration_s), cumulative_wh=(0.0, self.energy_wh)))
        if any(forms):
            raise ValueError("power_w needs step_s, and energy_wh needs duration_s")
        return None


class AnnouncePayload(Payload):
    """The payload of `announce`: what a device is."""

    type: Literal["consumer", "producer"]
    house: Text | None = None
    """Id of its house, which a guest has to name; None: that of the scenario."""
    name: Text = ""
    profiles: Annotated[dict[Annotated[Text, Field(min_length=1)], Load], Field(max_length=100)] = {}
    """Load profiles that its requests may name, by name."""


class RequestPayload(Load):
    """The payload of `request`: a job that a device requests."""

    id: Text | None = None
    profile: Text | None = None
    earliest_start: Timestamp | None = None
    latest_start: Timestamp | None = None
    ready_by: Timestamp | None = None


class WithdrawPayload(Payload):
    """The payload of `withdraw`: a job that a device withdraws."""

    id: Text


class ReportPayload(Payload):
    """The payload of `report`: a device's state and measurements."""

    id: Text | None = None
    """The job; None: the only one that is open."""
    state: Literal["EXECUTING", "INTERRUPTED", "FINISHED", "ABORTED"] | None = None
    power_w: Power | None = None
    energy_wh: Energy | None = None
    """Reading of a counter that only rises, Wh."""
    time: Annotated[float, Number, Field(allow_inf_nan=False)] | None = None
    """The device's clock, UNIX seconds: a report is refused if it is wrong; None: it has none."""


class ForecastPayload(Payload):
    """The payload of `forecast`: the expected production of a device."""

    start: Timestamp | None = None
    """Beginning of the first step of `power_w`; None: now."""
    step_s: StepS | None = None
    """Length of each step, seconds."""
    power_w: Annotated[list[Power], Field(min_length=1, max_length=MAX_STEPS)] | None = None
    """Mean power of each step, W."""
    points: Annotated[list[tuple[Timestamp, Energy]], Field(min_length=2, max_length=MAX_STEPS)] | None = None
    """Instead: times, and cumulative energy until then, Wh."""


def is_s2(payload: bytes) -> bool:
    """Return whether a payload is a message of S2, wrapped or not; others are in our own form."""
    if len(payload) > MAX_BYTES:
        return False
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and bool({"message", "message_type"} & said.keys())


def announcement(payload: bytes) -> AnnouncePayload:
    """Return a device's announcement; raise `MessageError` if it is invalid."""
    return _read(AnnouncePayload, payload)


def event_of(part: str, payload: bytes, now_s: int, zone: Zone) -> DeviceEvent:
    """Return what a message on one of our topics says.

    Args:
        part: Last level of the topic, one of `PARTS`.
        payload: Its content.
        now_s: Virtual time, UNIX seconds, from which times such as `in 2 h` count.
        zone: In which `HH:MM` counts.

    Raises:
        MessageError: It is not as it should be.
    """
    if len(payload) > MAX_BYTES:
        raise MessageError(f"{len(payload)} bytes", f"at most {MAX_BYTES}")
    try:
        match part:
            case "announce":
                return _announced(payload)
            case "availability":
                return _availability(payload)
            case "request":
                return _asked(_read(RequestPayload, payload), now_s, zone)
            case "withdraw":
                return JobTakenBack(id=_read(WithdrawPayload, payload).id)
            case "report":
                return _reported(_read(ReportPayload, payload), now_s)
            case "forecast":
                return _forecasted(_read(ForecastPayload, payload), now_s, zone)
    except ValidationError as error:
        raise MessageError(problems_of(error), "see docs/devices.md") from None
    raise MessageError(f"topic {part!r}", f"one of: {', '.join(PARTS)}")


def _read(model: type[ModelT], payload: bytes) -> ModelT:
    try:
        return model.model_validate_json(payload.removeprefix(codecs.BOM_UTF8))
    except ValidationError as error:
        is_in_profiles = all(len(one["loc"]) > 1 and one["loc"][0] == "profiles" for one in error.errors())
        keys = f"a JSON object with some of: {', '.join(model.model_fields)}"
        raise MessageError(problems_of(error), _LOAD_FORMS if is_in_profiles else keys) from None


def _announced(payload: bytes) -> DeviceEvent:
    if not payload:
        return Left()
    said = _read(AnnouncePayload, payload)
    check_name(said.name)
    profiles = {}
    for name, load in said.profiles.items():
        try:
            profile = load.as_profile()
        except ValueError as error:
            raise MessageError(f"profile {name!r}: {_plain(error)}", _LOAD_FORMS) from None
        if profile is None:
            raise MessageError(f"profile {name!r}: the load is missing", _LOAD_FORMS)
        profiles[name] = profile
    points = sum(len(profile.times_s) for profile in profiles.values())
    if points > MAX_POINTS:
        raise MessageError(f"the profiles have {points:,} points together", f"at most {MAX_POINTS:,}")
    return Announced(type=said.type, name=said.name, profiles=profiles)


def check_name(name: str) -> None:
    """Raise `MessageError` if the name that a device announces contains characters that cannot be seen."""
    if (problem := character_problem(name.strip())) is not None:
        raise MessageError(f"name {name!r} {problem}", "a name of visible characters")


def _availability(payload: bytes) -> DeviceEvent:
    text = payload.decode("utf-8-sig", errors="replace").strip().strip('"').lower()
    if text not in {"online", "offline"}:
        raise MessageError(f"availability {text[:40]!r}", "online or offline")
    return Availability(online=text == "online")


def _asked(said: RequestPayload, now_s: int, zone: Zone) -> DeviceEvent:
    if said.id is not None and (problem := character_problem(said.id)) is not None:
        raise MessageError(f"id {said.id!r} {problem}", "an id of visible characters")
    try:
        load = said.as_profile()
    except ValueError as error:
        raise MessageError(_plain(error), _LOAD_FORMS) from None
    if load is not None and said.profile is not None:
        raise MessageError("a profile and a load", "one of them")
    if said.latest_start is not None and said.ready_by is not None:
        raise MessageError("latest_start and ready_by", "one of them")
    times_s: dict[str, int | None] = {}
    for key in ("earliest_start", "latest_start", "ready_by"):
        value: float | str | None = getattr(said, key)
        if value is not None:
            check_not_time_of_day(value, key, now_s)
        times_s[key] = None if value is None else time_under(value, key, now_s, zone)
        check_ahead(key, times_s[key] or 0, now_s)
    return JobAsked(
        id=said.id or "",
        load=load,
        profile=said.profile or "",
        earliest_start_s=times_s["earliest_start"],
        latest_start_s=times_s["latest_start"],
        ready_by_s=times_s["ready_by"],
    )


def _reported(said: ReportPayload, now_s: int) -> DeviceEvent:
    if said.model_dump(exclude_none=True).keys() <= {"id", "time"}:
        raise MessageError("nothing is reported", "state, power_w or energy_wh")
    if said.time is not None:
        check_clock("time", said.time, now_s)
    return Reported(job=said.id, state=said.state, power_w=said.power_w, counter_wh=said.energy_wh)


def _forecasted(said: ForecastPayload, now_s: int, zone: Zone) -> DeviceEvent:
    expected = "start, step_s and power_w; or points"
    if said.points is not None and said.power_w is not None:
        raise MessageError("the forecast is given in two forms", expected)
    try:
        if said.points is not None:
            times_s = tuple(time_under(at, "points", now_s, zone) for at, _ in said.points)
            production = Production(times_s=times_s, cumulative_wh=tuple(wh for _, wh in said.points))
            return Forecasted(production=plausible(bounded(production), now_s))
        if said.power_w is not None and said.start is not None and said.step_s is not None:
            start_s = time_under(said.start, "start", now_s, zone)
            production = Production(**_stepped(start_s, said.step_s, said.power_w))
            return Forecasted(production=plausible(production, now_s))
    except ValueError as error:
        raise MessageError(_plain(error), expected) from None
    raise MessageError("no forecast in one of its forms", expected)


def plausible(production: Production, now_s: int) -> Production:
    """Return a forecast that is about the present.

    Raises:
        MessageError: It is over, or is of another time: of a clock in 1970, or of an old run.
    """
    if abs(production.start_s - now_s) > MAX_AHEAD_S:
        problem = f"the forecast begins {days_between(production.start_s, now_s)} days away from now"
        raise MessageError(problem, f"at most {MAX_AHEAD_S // DAY_S} days; now is {now_s}")
    if production.end_s <= now_s:
        raise MessageError(f"the forecast ends at {production.end_s}", f"after now, which is {now_s}")
    if production.end_s - now_s > MAX_FORECAST_S:
        problem = f"the forecast ends {days_between(production.end_s, now_s)} days from now"
        raise MessageError(problem, f"at most {MAX_FORECAST_S // DAY_S} days")
    return production


def _stepped(start_s: int, step_s: int, power_w: list[float]) -> dict[str, Any]:
    energies_wh = [0.0]
    for power in power_w:
        energies_wh.append(energies_wh[-1] + power * step_s / 3600)
    return {
        "times_s": tuple(start_s + step_s * i for i in range(len(power_w) + 1)),
        "cumulative_wh": tuple(energies_wh),
    }


def _plain(error: ValueError) -> str:
    return problems_of(error) if isinstance(error, ValidationError) else str(error)


def problems_of(error: ValidationError) -> str:
    """Return all problems of a payload in one line, each with its key."""
    found: dict[str, str] = {}
    details = error.errors(include_url=False, include_input=False)
    for one in details:
        place = _place(one["loc"])
        found.setdefault(place, problem_in_words(one))
    named = [f"{place}: {what}" if place else what for place, what in found.items()]
    more = [f"and {len(named) - MOST_PROBLEMS} more"] if len(named) > MOST_PROBLEMS else []
    return "; ".join([*named[:MOST_PROBLEMS], *more])


def _place(path: tuple[str | int, ...]) -> str:
    """Return a key path, such as `power_w[3]`."""
    place = ""
    for part in path:
        if isinstance(part, int):
            place += f"[{part}]"
        elif not _is_of_a_union(part):
            place += ("." if place else "") + (part if part.isidentifier() and len(part) <= 40 else shown(part))
    return place


def _is_of_a_union(part: str) -> bool:
    """Return whether a part of a place names a form of a value, such as `constrained-float`, and no key."""
    return part.startswith(("constrained-", "function-", "[key]"))


def problem_in_words(one: ErrorDetails) -> str:
    """Return one problem in words, without its key."""
    context: Mapping[str, Any] = one.get("ctx", {})
    if one["type"] == "json_invalid":
        problem = context.get("error", "")
        return "the message is empty" if problem.endswith("at line 1 column 0") else f"not JSON ({problem})"
    if one["type"] in _LIMITS:
        numbers = {key: f"{value:,.12g}" if isinstance(value, float) else value for key, value in context.items()}
        is_one = context.get("min_length") == 1
        words = ("character is", "entry is") if is_one else ("characters are", "entries are")
        return _LIMITS[one["type"]].format(**numbers, characters=words[0], entries=words[1])
    return _EXPECTED.get(one["type"], one["msg"].removeprefix("Value error, "))


def plain_text(text: str) -> str:
    """Return a text that may contain a device's own words as one that can be recorded and shown."""
    return printable_line(text[:MAX_TEXT_SHOWN])[:MAX_TEXT_SHOWN]


def shown_payload(payload: bytes) -> str:
    """Return the beginning of a message as an error shows it."""
    text = payload[:SHOWN_BYTES].decode(errors="replace")
    return text + ("..." if len(payload) > SHOWN_BYTES else "")
