"""Repeats a recorded session without its real devices, or without the script that acted on it, with the same ledger."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents import DEVICE_RULES, MAX_WH, CumulativeSeries, DeviceEvent, DeviceSaid, Forecasted, JobAsked, SettingsError
from agents.ranking import NegotiationSettings
from agents.scheduling import AlgorithmSettings
from agents.sharing import SupplySettings
from broker import FILE_MODE, SsmicError, atomic_write, character_problem, make_private_folder, shown
from broker.protocol import MAX_TIME_S, first_problem
from scenarios.devices import RecordedDeviceMessage, adapters_of
from scenarios.devices.adapters import adapter_names
from scenarios.events import RunEvent, TimelineEvent
from scenarios.results import ResultsReader, RunInfo
from scenarios.scenario import MAX_DAYS, SCENARIO, Scenario, contradiction, scenario_of
from scenarios.simulation.plan import Plan
from scenarios.simulation.run import CUT_OFF, Replay
from scenarios.zone import DAY_S

VERSION = 1
_MAGIC = "ssmic_recording"
_SQLITE = b"SQLite format 3\0"
MOST_BYTES = 2**30
"""Largest recording that is read as a whole; a year of minutes has 100 MB."""


_MALFORMED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What reading a file that was changed by hand may raise."""


class _Head(BaseModel):
    """The parts of the first line that nothing else checks."""

    model_config = ConfigDict(strict=True, extra="ignore")

    seed: Annotated[int, Field(ge=-(2**53), le=2**53)]
    patient: bool
    days: Annotated[int, Field(ge=1)] | None
    scores: dict[str, Annotated[int, Field(ge=-(2**53), le=2**53)]]
    stop_after_s: Annotated[int, Field(ge=0, le=MAX_TIME_S)] | None
    ledger_sha256: str | None


class RecordingWriteError(SsmicError):
    """A recording cannot be written; the message names the file and the reason."""


class RecordingError(SsmicError):
    """A file is not a record of a session; the message names it and the problem."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A session with real devices: what was run, and what devices said, second by second."""

    scenario: Scenario
    seed: int
    algorithm: AlgorithmSettings
    patient: bool
    """Whether jobs that no producer could serve waited for an opening."""
    days: int | None
    """Duration in days; None: as the scenario says."""
    scores: dict[str, int]
    """The producers' scores at the beginning, by producer id."""
    stop_after_s: int | None
    """The last second of a session that was stopped, UNIX seconds; None: it ran to its end."""
    ledger_sha256: str | None
    """Its outcome; None: its end is not recorded."""
    device_messages: tuple[RecordedDeviceMessage, ...]
    """In the order in which agents received them."""
    negotiating: NegotiationSettings = field(default_factory=NegotiationSettings)
    """How jobs found a supplier."""
    supply: SupplySettings | None = None
    """How jobs were supplied, where the scenario says otherwise; None: as it says."""
    device_rules: int | None = None
    """The rules by which gateway agents answered devices; None: it was made by a version that did not say so."""

    def readings(self) -> tuple[Recording, ...]:
        """Return the recording by each version of the rules that may have made it, or by the one that it states."""
        if self.device_rules is not None:
            return (self,)
        if self.ledger_sha256 is None:
            return (replace(self, device_rules=DEVICE_RULES),)  # nothing would show which one is right
        return tuple(replace(self, device_rules=rules) for rules in range(1, DEVICE_RULES + 1))

    def plan(self, **more: Any) -> Plan:  # noqa: ANN401 - whatever a plan has
        """Return the plan that repeats the session, with further settings that do not change its result."""
        return Plan(
            scenario=self.scenario,
            seeds=(self.seed,),
            algorithm=self.algorithm,
            days=self.days,
            patient=self.patient,
            negotiating=self.negotiating,
            supply=self.supply,
            device_rules=DEVICE_RULES if self.device_rules is None else self.device_rules,
            start_scores=self.scores,
            replay=Replay(self.device_messages, self.stop_after_s),
            **more,
        )

    def lines(self) -> Iterator[str]:
        """Yield the lines of its file: what was run, then one line for each thing that a device said."""
        head = {
            _MAGIC: VERSION,
            "seed": self.seed,
            "algorithm": asdict(self.algorithm),
            "patient": self.patient,
            "days": self.days,
            "scores": self.scores,
            "stop_after_s": self.stop_after_s,
            "ledger_sha256": self.ledger_sha256,
            **({} if self.negotiating == NegotiationSettings() else {"negotiating": asdict(self.negotiating)}),
            **({} if self.supply is None else {"supply": asdict(self.supply)}),
            **({} if self.device_rules is None else {"device_rules": self.device_rules}),
            "scenario": json.loads(SCENARIO.dump_json(self.scenario)),
        }
        yield _line(head)
        for recorded in self.device_messages:
            said = recorded.message.said.model_dump(mode="json")
            whose = {"time_s": recorded.time_s, "agent": recorded.agent, "device": recorded.message.device}
            id_ = {"message_id": recorded.message.message_id} if recorded.message.message_id else {}
            yield _line({**whose, "said": said, **id_})

    def save(self, path: Path) -> None:
        """Write it to a file that only its owner can read, as a whole or not at all.

        Raises:
            RecordingWriteError: The file cannot be written.
        """
        try:
            make_private_folder(path.parent)
            with atomic_write(path, mode=FILE_MODE) as draft:
                draft.write_text("".join(self.lines()), encoding="utf-8", newline="\n")
        except OSError as error:
            raise RecordingWriteError(f"{path}: cannot be written: {error.strerror or error}") from None


def read_recording(path: Path, run: int = 1) -> Recording:
    """Return the session in a results file, or in a file that `Recording.save` wrote.

    Args:
        path: The file.
        run: Number of the run, in a results file.

    Raises:
        RecordingError: The file contains no session, or this version cannot repeat it.
        ResultsError: See `ResultsReader`.
    """
    if path.exists() and not path.is_file():
        raise RecordingError(f"{path}: is not a file; expected a results file, or what --record wrote")
    try:
        with path.open("rb") as file:
            begin = file.read(len(_SQLITE))
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read: {error.strerror or error}") from None
    if begin == _SQLITE:
        return _from_results(path, run)
    if not begin.startswith(b"{"):  # a large file of another kind is not read to its end
        raise RecordingError(f"{path}: is not a recorded session; expected a results file, or what --record wrote")
    if path.stat().st_size > MOST_BYTES:
        raise RecordingError(
            f"{path}: is larger than {MOST_BYTES // 2**20:,} MB; no recorded session is expected to be"
        )
    return _from_lines(path)


def is_saved_recording(path: Path) -> bool:
    """Return whether a file begins like one that `Recording.save` wrote; False if it cannot be read."""
    if not path.is_file():  # opening a pipe would wait for its writer
        return False
    try:
        with path.open("rb") as file:
            return file.read(1) == b"{"
    except OSError:
        return False


def _from_results(path: Path, run: int) -> Recording:
    try:
        return _recorded(path, run)
    except SsmicError:
        raise
    except _MALFORMED as error:
        raise RecordingError(f"{path}: is damaged: its settings cannot be used: {first_problem(error)}") from None


def _recorded(path: Path, run: int) -> Recording:
    with ResultsReader(path) as results:
        info, settings = results.run(run), results.info.settings
        messages = [
            RecordedDeviceMessage(message.time_s, message.sender, DeviceSaid.model_validate(message.body))
            for message in results.messages(run, kind="DeviceSaid")
        ]
        if (wrong := _unknown_adapter(results.scenario)) is not None:
            raise RecordingError(f"{path}: is damaged: its scenario: {wrong}")
        adapters_of(results.scenario.gateways.values())  # their options are valid
        for number, recorded in enumerate(messages, start=1):
            if (problem := _impossible(recorded, results.scenario)) is not None:
                raise RecordingError(f"{path}: is damaged: message {number} of its devices: {problem}")
        chosen = _those_in(settings, AlgorithmSettings)
        return Recording(
            scenario=_with_script(results.scenario, results.run_events(run)),
            seed=info.seed,
            algorithm=AlgorithmSettings(**{**chosen, "name": results.info.algorithm}),
            patient=bool(settings.get("patient", True)),
            days=settings.get("days"),
            scores=dict(settings.get("scores", {}).get(str(info.seed), {})),
            stop_after_s=_stopped_s(info),
            ledger_sha256=None if info.error == CUT_OFF else info.ledger_sha256,
            negotiating=NegotiationSettings(**_those_in(settings, NegotiationSettings)),
            supply=_supply_beside(results.scenario, settings),
            device_rules=_rules(path, settings),
            device_messages=tuple(messages),
        )


def _with_script(scenario: Scenario, run_events: Iterable[RunEvent]) -> Scenario:
    """Return the scenario with the actions of a script, if one acted on the run, as events of its timeline."""
    acted = [TimelineEvent(at_s=each.at_s, action=each.action) for each in run_events if each.is_scripted]
    return replace(scenario, timeline=(*scenario.timeline, *acted)) if acted else scenario


def _stopped_s(info: RunInfo) -> int | None:
    return None if info.is_complete else info.end_s


def _from_lines(path: Path) -> Recording:
    try:
        # `splitlines` would also divide lines at U+2028 and its like, which JSON leaves as they are.
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        head = _content(path, 1, lines[0])
        if not isinstance(head, dict) or head.get(_MAGIC) != VERSION:
            raise RecordingError(f"{path}: is not a recorded session; expected a results file, or what --record wrote")
    except (OSError, UnicodeDecodeError, ValueError, IndexError, RecursionError):
        raise RecordingError(
            f"{path}: is not a recorded session; expected a results file, or what --record wrote"
        ) from None
    try:
        scenario = scenario_of(json.dumps(head["scenario"], ensure_ascii=False, separators=(",", ":")))
        if (wrong := contradiction(scenario) or _unknown_adapter(scenario)) is not None:
            raise RecordingError(f"{path}: line 1: the scenario: {wrong}")
        adapters_of(scenario.gateways.values())  # their options are valid
        return Recording(
            scenario=scenario,
            **dict(_Head.model_validate(head)),
            algorithm=AlgorithmSettings(**head["algorithm"]),
            negotiating=NegotiationSettings(**head.get("negotiating", {})),
            supply=_supply(head["supply"]) if "supply" in head else None,
            device_rules=_rules(path, head),
            device_messages=tuple(
                _device_message(path, number, line, scenario) for number, line in enumerate(lines[1:], start=2)
            ),
        )
    except ValidationError as error:
        raise RecordingError(f"{path}: line 1: {first_problem(error)}") from None
    except SettingsError as error:
        raise RecordingError(f"{path}: line 1: {error}") from None
    except _MALFORMED as error:
        raise RecordingError(f"{path}: line 1: {type(error).__name__}: {error}") from None


def _content(path: Path, number: int, line: str) -> Any:  # noqa: ANN401 - JSON of any shape
    """Return what a line contains, as JSON.

    Raises:
        RecordingError: JSON can describe half a surrogate pair, but no results file can hold it.
        ValueError, RecursionError: It is not JSON.
    """
    content = json.loads(line)
    if re.search(r"\\u[dD]", line):
        try:
            json.dumps(content, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise RecordingError(f"{path}: line {number}: contains half a surrogate pair; expected Unicode") from None
    return content


def _rules(path: Path, settings: dict[str, Any]) -> int | None:
    """Return the rules by which a recording was made; None: it does not say.

    Raises:
        RecordingError: This version does not know them.
    """
    rules = settings.get("device_rules")
    if rules is not None and (not isinstance(rules, int) or not 1 <= rules <= DEVICE_RULES):
        known = f"this version of ssmic knows rules 1 to {DEVICE_RULES}"
        raise RecordingError(f"{path}: was made by device rules {rules}; {known}, so use the version that made it")
    return rules


def _those_in(settings: dict[str, Any], kind: type[AlgorithmSettings | NegotiationSettings]) -> dict[str, Any]:
    """Return those settings of a results file that a class has."""
    return {key: settings[key] for key in asdict(kind()) if key in settings}


def _supply_beside(scenario: Scenario, settings: dict[str, Any]) -> SupplySettings | None:
    """Return how jobs were supplied by the settings of a results file; None: as the scenario says."""
    said = SupplySettings(scenario.supply, scenario.prefer, scenario.forecast)
    prefer = settings.get("prefer", scenario.prefer)
    forecast = settings.get("forecast", "issued" if settings.get("supply") else scenario.forecast)
    supply = _supply({"rule": settings.get("supply", "whole"), "prefer": prefer, "forecast": forecast})
    return None if supply == said else supply


def _supply(described: dict[str, Any]) -> SupplySettings:
    # What was recorded before forecasts could be corrected does not say how they were used.
    return SupplySettings(described["rule"], tuple(described["prefer"]), described.get("forecast", "issued"))


def _device_message(path: Path, number: int, line: str, scenario: Scenario) -> RecordedDeviceMessage:
    try:
        said = _content(path, number, line)
        id_ = said.get("message_id", "")
        message = DeviceSaid.model_validate({"device": said["device"], "said": said["said"], "message_id": id_})
        recorded = RecordedDeviceMessage(int(said["time_s"]), str(said["agent"]), message)
    except ValidationError as error:
        raise RecordingError(f"{path}: line {number}: {first_problem(error)}") from None
    except _MALFORMED:
        what = "expected an object with time_s, agent, device and said"
        raise RecordingError(f"{path}: line {number}: {what}") from None
    if (problem := _impossible(recorded, scenario)) is not None:
        raise RecordingError(f"{path}: line {number}: {problem}")
    return recorded


def _unknown_adapter(scenario: Scenario) -> str | None:
    """Return which real device has an adapter that does not exist; None: none has."""
    for agent, gateway in scenario.gateways.items():
        known = adapter_names(gateway.type)
        if gateway.adapter not in known:
            return f"adapter {shown(gateway.adapter)} of {shown(agent)}; one of {', '.join(known)} is expected"
    return None


def _impossible(recorded: RecordedDeviceMessage, scenario: Scenario) -> str | None:
    """Return why no device can have said something; None: one can.

    What devices say is checked when it arrives (`scenarios.devices`), but a record may have been changed since.
    """
    if recorded.time_s > MAX_TIME_S:
        return f"time_s {recorded.time_s}: expected at most {MAX_TIME_S}"
    if recorded.time_s <= scenario.start_s:
        return f"time_s {recorded.time_s}: devices send messages only after the run's start, {scenario.start_s}"
    if recorded.agent not in scenario.gateways:
        known = ", ".join(sorted(scenario.gateways)) or "none"
        return f"agent {recorded.agent!r} is not a real device; expected one of: {known}"
    return _beyond_limits(recorded.message.said, recorded.time_s)


def _beyond_limits(said: DeviceEvent, now_s: int) -> str | None:
    """Return which value of what a device said no agent can calculate with; None: none."""
    last_s = now_s + MAX_DAYS * DAY_S
    times_s: dict[str, int | None] = {}
    series: CumulativeSeries | None = None
    match said:
        case JobAsked(load=series):
            if (problem := character_problem(said.id)) is not None:
                return f"id {said.id!r} {problem}"
            times_s = {key: getattr(said, key) for key in ("earliest_start_s", "latest_start_s", "ready_by_s")}
            times_s["the end of the load"] = None if series is None else now_s + series.end_s
        case Forecasted(production=series):
            times_s = {"the begin of the forecast": series.start_s, "its end": series.end_s}
    for what, time_s in times_s.items():
        if time_s is not None and not 0 <= time_s <= last_s:
            return f"{what}, {time_s}: expected 0 to {last_s}"
    if series is not None and max(series.energy_wh, abs(series.cumulative_wh[0])) > MAX_WH:
        return f"an energy of {series.energy_wh:g} Wh: expected at most {MAX_WH:g} Wh"
    return None


def _line(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n"
