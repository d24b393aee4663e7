"""Faults of a lab: a list in a scenario file, or in a separate file.

```yaml
faults:
  - {device: adler/dishwasher, fault: dead, at: "09:00", until: "10:00"}
  - {device: "brandt/*", fault: late, delay_s: 30}
  - {device: celik/oven, fault: lies, power_w: 0}
  - {device: dahl/mower, fault: forgets, at: "12:00"}
  - {broker: restart, at: "13:00", down_s: 30}
```
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, ValidationError

from scenarios.errors import ScenarioError
from scenarios.files.file_reading import read_text
from scenarios.files.model import FaultEntry
from scenarios.files.problems import KeyPath, ProblemCollector, path_in_words
from scenarios.files.times import format_after_start, parse_time
from scenarios.files.validation import report_all
from scenarios.files.yaml_nodes import line_of, parse_yaml
from scenarios.mistyped_names import suggest
from scenarios.scenario import Fault, FaultKind, Scenario

DEFAULT_DOWN_S = 10

_OF_KIND: dict[FaultKind, frozenset[str]] = {
    "dead": frozenset({"until"}),
    "late": frozenset({"until", "delay_s"}),
    "lies": frozenset({"until", "factor", "power_w", "obeys"}),
    "forgets": frozenset(),
    "broker": frozenset({"down_s", "keeps_retained"}),
}
"""The keys of each kind of fault besides `device`, `fault`, `broker` and `at`."""

MomentReader = Callable[[int | str, KeyPath], int | None]
"""Returns a time in UNIX seconds; None after reporting a problem."""


class _FaultsFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    faults: list[FaultEntry]


def load_faults(path: Path, scenario: Scenario) -> tuple[Fault, ...]:
    """Return the faults of a file whose only key is `faults`.

    Args:
        path: The file.
        scenario: The scenario that the lab runs.

    Raises:
        ScenarioError: The file cannot be read or used; carries all problems.
    """
    where = str(path)
    tree = parse_yaml(read_text(path, where), where, keys="faults")

    def locate(at: KeyPath) -> str:
        place = f"{where}:{line_of(tree, at)}"
        return f"{place}: {path_in_words(at)}" if at else place

    collector = ProblemCollector(locate)
    try:
        file = _FaultsFile.model_validate(tree)
    except ValidationError as error:
        report_all(tree, error, collector, _FaultsFile)
        raise ScenarioError(collector.problems) from None

    zone = scenario.zone.tzinfo

    def moment(value: int | str, at: KeyPath) -> int | None:
        try:
            return parse_time(value, scenario.start_s, zone if isinstance(zone, ZoneInfo) else None)
        except ValueError as error:
            collector.at(at, str(error))
            return None

    known = {f"{house.id}/{device.id}" for house in scenario.houses for device in house.devices}
    known |= {f"{house.id}/meter" for house in scenario.houses}
    entries: list[tuple[KeyPath, FaultEntry]] = [(("faults", i), entry) for i, entry in enumerate(file.faults)]
    faults = build_faults(entries, moment, scenario.start_s, collector, known)
    collector.raise_if_any()
    return faults


def build_faults(
    entries: Sequence[tuple[KeyPath, FaultEntry]],
    moment: MomentReader,
    start_s: int | None,
    collector: ProblemCollector,
    known: Collection[str] | None,
) -> tuple[Fault, ...]:
    """Return the faults that entries describe, in the order of their times.

    Args:
        entries: The entries, each with its place in the file.
        moment: Reads a time.
        start_s: Start of the scenario, UNIX seconds.
        collector: Receives the problems.
        known: `house/device` of all devices, and `house/meter` of all houses; None: not known, because some could not
            be read.
    """
    found = [_fault(path, entry, moment, start_s or 0, collector, known) for path, entry in entries]
    return tuple(sorted((fault for fault in found if fault is not None), key=lambda fault: fault.at_s))


def _fault(
    path: KeyPath,
    entry: FaultEntry,
    moment: MomentReader,
    start_s: int,
    collector: ProblemCollector,
    known: Collection[str] | None,
) -> Fault | None:
    problems = len(collector.problems)
    kind = _kind(path, entry, collector)
    if kind is None:
        return None
    if known is not None and entry.device and not any(fnmatchcase(one, entry.device) for one in known):
        collector.at((*path, "device"), f"there is no device {entry.device!r}{suggest(entry.device, known)}")
    _check_keys(path, entry, kind, collector)
    at_s = start_s if entry.at is None else moment(entry.at, (*path, "at"))
    until_s = None if entry.until is None else moment(entry.until, (*path, "until"))
    if at_s is not None and until_s is not None and until_s <= at_s:
        collector.at((*path, "until"), "is not after the beginning of the fault")
    if len(collector.problems) > problems or at_s is None:
        return None
    return Fault(
        kind,
        at_s,
        until_s,
        device=entry.device or "",
        delay_s=entry.delay_s or 0,
        factor=1.0 if entry.factor is None else entry.factor,
        power_w=entry.power_w,
        obeys=entry.obeys is not False,
        down_s=entry.down_s or (DEFAULT_DOWN_S if kind == "broker" else 0),
        keeps_retained=bool(entry.keeps_retained),
    )


def _kind(path: KeyPath, entry: FaultEntry, collector: ProblemCollector) -> FaultKind | None:
    """Return the kind of a fault; None after reporting that it has none."""
    if entry.broker is not None:
        for key in ("device", "fault"):
            if getattr(entry, key) is not None:
                collector.at((*path, key), "does not go with 'broker': a fault concerns a device or the broker")
        return "broker"
    missing = " and ".join(repr(key) for key in ("device", "fault") if getattr(entry, key) is None)
    if missing:
        collector.at(path, f"needs {missing}, or 'broker: restart'")
    return entry.fault


def _check_keys(path: KeyPath, entry: FaultEntry, kind: FaultKind, collector: ProblemCollector) -> None:
    """Report keys that do not belong to a kind of fault, and those that it lacks."""
    for key in sorted(frozenset().union(*_OF_KIND.values()) - _OF_KIND[kind]):
        if getattr(entry, key) is not None:
            collector.at((*path, key), f"does not go with {'broker: restart' if kind == 'broker' else kind!r}")
    if kind == "late" and entry.delay_s is None:
        collector.at(path, "needs 'delay_s': after how many seconds the device obeys")
    if kind == "lies" and entry.factor is None and entry.power_w is None and entry.obeys is None:
        collector.at(path, "needs 'factor', 'power_w' or 'obeys': how the device lies")


def fault_entry(fault: Fault, start_s: int, zone: ZoneInfo | None) -> dict[str, Any]:
    """Return a fault as a file entry.

    Args:
        fault: The fault.
        start_s: Start of the scenario, UNIX seconds; times are written relative to it.
        zone: Its IANA time zone; None: it has none.
    """
    what = {"broker": "restart"} if fault.kind == "broker" else {"device": fault.device, "fault": fault.kind}
    entry: dict[str, Any] = {**what, "at": format_after_start(fault.at_s, start_s, zone)}
    if fault.until_s is not None:
        entry["until"] = format_after_start(fault.until_s, start_s, zone)
    values = {
        "delay_s": (fault.delay_s, 0),
        "factor": (fault.factor, 1.0),
        "power_w": (fault.power_w, None),
        "obeys": (fault.obeys, True),
        "down_s": (fault.down_s, 0),
        "keeps_retained": (fault.keeps_retained, False),
    }
    entry |= {key: value for key, (value, default) in values.items() if value != default}
    if fault.kind == "lies" and len(entry) == len(what) + 1 + (fault.until_s is not None):
        entry["factor"] = fault.factor
    return entry
