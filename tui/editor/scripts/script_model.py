"""Events and expectations as the editor shows them: what can happen, words for it, and the form of each kind.

The keys of an event, their meanings and their defaults are those of the file format (`scenarios.files.EVENT_ENTRIES`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from agents import known_strategies
from agents.scheduling import ALGORITHMS
from scenarios.expectations import COUNTS, FIELDS, KPIS, TEXT, quoted, unquoted
from scenarios.files import EVENT_ENTRIES, JobIds, ProductionEntry, parse_moment
from tui.editor import tree_model
from tui.editor.forms import RunStart
from tui.editor.tree_model import Ref, Tree, at, text

KINDS: Final[Mapping[str, str]] = {
    "cloud": "Cloud front",
    "forecast": "New forecast",
    "forecast_error": "Uncertain forecasts",
    "join": "Device joins",
    "leave": "Device leaves",
    "add_job": "Job added",
    "withdraw_job": "Job withdrawn",
    "offline": "House offline",
    "link": "Bad link",
    "restart_broker": "Broker restart",
    "tariff": "Other tariff",
    "algorithm": "Other algorithm",
    "patience": "Patience",
    "strategy": "Other strategy",
    "note": "Note",
}
"""Titles of the kinds of event, by what an entry says under `do`."""
COMMON = frozenset({"do", "at", "when", "repeat"})
"""Keys that every event has."""
SPANS = frozenset({"duration", "ramp", "travel", "every", "after", "earliest_start", "latest_start"})
"""Keys whose value is a duration."""
FLAGS = frozenset({"announced", "patient"})
LISTS = frozenset({"producers", "houses"})
"""Keys whose value is a list of ids."""
AT_A_TIME = "at a time"
TURNS: Final[Mapping[str, str]] = {
    "agreed": "a job is agreed",
    "starts": "a job starts",
    "ends": "a job ends",
    "cancelled": "a job is cancelled",
}
SIGNS = (">=", "<=", "==", "!=", ">", "<")
_WHO = ("producers", "producer", "house", "houses", "device", "job", "algorithm", "strategy", "text")
_MOST_NAMED = 2


def keys_of(kind: str) -> tuple[str, ...]:
    """Return the keys of a kind of event, without the common ones and those of a series; none for an unknown kind."""
    entry = EVENT_ENTRIES.get(kind)
    if entry is None:
        return ()
    return tuple(key for key in entry.model_fields if key not in COMMON and key not in ProductionEntry.model_fields)


def is_required(kind: str, key: str) -> bool:
    """Return whether an event of a kind has to have a key."""
    entry = EVENT_ENTRIES.get(kind)
    return entry is not None and key in entry.model_fields and entry.model_fields[key].is_required()


def meaning(kind: str, key: str) -> str:
    """Return the meaning of a key, as a sentence."""
    found = (EVENT_ENTRIES[kind].model_fields[key].description or "").rstrip(".")
    return f"{found}; such as 90s, 30m or 1h30m." if key in SPANS and "(" not in found else f"{found}."


def default_text(kind: str, key: str) -> str:
    """Return a placeholder for an empty field: the default, if there is one."""
    field = EVENT_ENTRIES[kind].model_fields[key]
    if field.is_required():
        return "required"
    if field.default is None:
        return ""
    return span_text(field.default) if key in SPANS else f"{field.default:g}"


def span_text(seconds: int) -> str:
    """Return a duration as a file writes it: `1h30m`."""
    parts = ((seconds // 3600, "h"), (seconds % 3600 // 60, "m"), (seconds % 60, "s"))
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"


def about(kind: str) -> str:
    """Return a sentence on a kind of event."""
    return (EVENT_ENTRIES[kind].__doc__ or "").strip().splitlines()[0].replace("`", "")


# Words.


def when_in_words(entry: Mapping[str, Any]) -> str:
    """Return when an event takes place, as its file says it."""
    when = entry.get("when")
    if isinstance(when, Mapping):
        turn = text(when.get("turn")) or "starts"
        after = text(when.get("after"))
        said = f"when {text(when.get('job')) or '?'} {'is ' * (turn in ('agreed', 'cancelled'))}{turn}"
        return f"{said} + {after}" if after and after != "0" else said
    said = text(entry.get("at")) or "?"
    repeat = entry.get("repeat")
    return f"{said}, every {text(repeat.get('every')) or '?'}" if isinstance(repeat, Mapping) else said


def event_in_words(entry: Mapping[str, Any]) -> str:
    """Return what an event does, also where its entry is incomplete: `Cloud front: pv-adler`."""
    kind = text(entry.get("do"))
    title = KINDS.get(kind, kind or "event")
    if kind == "note" and entry.get("text"):
        return text(entry.get("text"))
    keys = ("device",) if kind in {"join", "leave", "add_job"} else _WHO
    who = next((_listed(entry[key]) for key in keys if entry.get(key)), "")
    return f"{title}: {who}" if who else title


def _listed(value: object) -> str:
    if not isinstance(value, list):
        return text(value)
    shown = ", ".join(text(item) for item in value[:_MOST_NAMED])
    return shown if len(value) <= _MOST_NAMED else f"{shown} and {len(value) - _MOST_NAMED} more"


def condition_of(entry: object) -> str:
    """Return the condition of an expectation: a text, or a mapping that holds it."""
    return text(entry.get("that")) if isinstance(entry, dict) else text(entry)


def expectation_in_words(entry: object) -> str:
    """Return an expectation in a line: its name, otherwise its condition, and its time if it has one."""
    if not isinstance(entry, dict):
        return text(entry)
    said = text(entry.get("name")) or condition_of(entry) or "?"
    return f"{text(entry.get('at'))} {said}" if entry.get("at") not in (None, "") else said


def moment_s(tree: Tree, value: object) -> int | None:
    """Return the time of an event or expectation, UNIX seconds; None if it cannot be read."""
    run_start = RunStart.of_tree(tree)
    if run_start.start_s is None or isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        return parse_moment(value, run_start.start_s, run_start.zone)
    except ValueError:
        return None


# The available choices.


def producer_ids(tree: Tree) -> list[str]:
    """Return the ids of all producers."""
    return [
        text(device.get("id"))
        for _, house in tree_model.houses(tree)
        for _, device in tree_model.devices(house)
        if device.get("type") == "producer"
    ]


def house_ids(tree: Tree) -> list[str]:
    """Return the ids of all houses."""
    return [text(house.get("id")) for _, house in tree_model.houses(tree)]


def job_ids(tree: Tree) -> list[str]:
    """Return the ids of all jobs, those that the timeline adds included."""
    taken = JobIds()
    found = [taken.take(_job_id(job)) for _, job in tree_model.jobs(tree)]
    added = (event for _, event in tree_model.items(tree.get("timeline")) if event.get("do") == "add_job")
    return found + [taken.take(_job_id(event)) for event in added]


def _job_id(entry: dict[str, Any]) -> str:
    return text(entry.get("id")) or "/".join(tree_model.key_of_job(entry))


# Beginnings.


def new_event(tree: Tree, kind: str, ref: Ref) -> dict[str, Any]:
    """Return a new event, complete if the neighbourhood has the parts that it refers to.

    Args:
        tree: The neighbourhood as plain data.
        kind: The kind of event.
        ref: The selected part, which it is about if it can be.
    """
    time = "12:00" if moment_s(tree, "12:00") is not None else "+1h"
    return {"at": time, "do": kind, **beginning(tree, kind, ref)}


def beginning(tree: Tree, kind: str, ref: Ref) -> dict[str, Any]:
    """Return values for the required keys of a `kind` of event; see `new_event` for `tree` and `ref`."""
    house, device, producer = _about(tree, ref, is_job=kind == "add_job")
    jobs = job_ids(tree)
    values: dict[str, dict[str, Any]] = {
        "cloud": {**({"producers": [producer]} if _is_producer(tree, ref) else {}), "factor": 0.5, "duration": "1h"},
        "forecast": {"producer": producer, "factor": 0.5},
        "join": {"house": house, "device": device},
        "leave": {"house": house, "device": device},
        "add_job": {"house": house, "device": device, "latest_start": "4h"},
        "withdraw_job": {"job": _job_of(tree, ref) or next(iter(jobs), "")},
        "offline": {"house": house, "duration": "2h"},
        "link": {"house": house, "loss": 0.2, "duration": "1h"},
        "tariff": {"import_eur_per_kwh": at(tree, ("tariff", "import_eur_per_kwh")) or 0.35},
        "algorithm": {"algorithm": next((name for name in ALGORITHMS if name != tree.get("algorithm")), "")},
        "patience": {"patient": False},
        "strategy": {"strategy": next(iter(known_strategies()), "")},
        "note": {"text": "Text of the note"},
    }
    return values.get(kind, {})


def _is_producer(tree: Tree, ref: Ref) -> bool:
    return len(ref) == 4 and at(tree, (*ref, "type")) == "producer"


def _job_of(tree: Tree, ref: Ref) -> str:
    if ref[:1] != ("jobs",) or len(ref) != 2:
        return ""
    index = [i for i, _ in tree_model.jobs(tree)].index(int(ref[1]))
    return job_ids(tree)[index]


def _about(tree: Tree, ref: Ref, *, is_job: bool) -> tuple[str, str, str]:
    """Return ids of a house, a device in it and a producer: the selected ones where there are, else the first."""
    part = tree_model.parent_of(tree, ref) if ref[:1] == ("jobs",) else ref
    devices = [
        (("houses", i), ("houses", i, "devices", j))
        for i, house in tree_model.houses(tree)
        for j, device in tree_model.devices(house)
        if not is_job or device.get("type") != "producer"
    ]
    near = sorted(devices, key=lambda refs: (refs[1] != part, refs[0] != part[:2]))
    house, device = tree_model.ids_of(tree, near[0][1]) if near else ("", "")
    if not is_job and len(part) >= 2 and part[0] == "houses":
        house = text(at(tree, (*part[:2], "id")))
    producers = producer_ids(tree)
    producer = text(at(tree, (*ref, "id"))) if _is_producer(tree, ref) else next(iter(producers), "")
    return house or next(iter(house_ids(tree)), ""), device, producer


# Conditions.

_LEFT = re.compile(
    r"\s*(?P<word>[A-Za-z_]\w*)\s*(?:\(\s*(?P<of>"
    rf"{TEXT})\s*\))?\s*(?:\.\s*(?P<field>\w+))?"
    r"\s*(?P<sign><=|>=|==|!=|<|>)\s*(?P<value>.*)",
    re.DOTALL,
)
_JOINED = re.compile(rf"{TEXT}|\b(and|or|not)\b|<|>|==|!=")


@dataclass(frozen=True, slots=True)
class FigureComparison:
    """A condition that compares one figure with a value."""

    word: str
    of: str | None
    """The name in parentheses."""
    field: str | None
    sign: str
    value: str

    def __str__(self) -> str:
        of = f"({quoted(self.of)})" if self.of is not None else ""
        field = f".{self.field}" if self.field else ""
        return f"{self.word}{of}{field} {self.sign} {self.value}".rstrip()


def parts_of(condition: str) -> FigureComparison | None:
    """Return the parts of a condition; None for one of another form, such as two comparisons joined by `and`."""
    found = _LEFT.fullmatch(condition)
    if found is None or any(joined.group(0)[0] not in "\"'" for joined in _JOINED.finditer(found["value"])):
        return None
    of = None if found["of"] is None else unquoted(found["of"])
    return FigureComparison(found["word"], of, found["field"], found["sign"], found["value"])


CONDITION_KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "figure": ("A figure of the run", "self-sufficiency, grid energy, jobs on the grid, ..."),
    "job": ("A job", "its producer, start, delay, energy, number of moves"),
    "house": ("A household", "its consumption, grid energy, jobs, bill, saving"),
    "producer": ("A producer", "its production, contracted and delivered energy, shortfall"),
    "contracts": ("Contracts", "how many are standing, cancelled, lost, amended, on the grid"),
    "messages": ("Messages", "how many were sent, of all kinds or of one"),
    "algorithm": ("Against another algorithm", "the same figure, on the same scenario and seed"),
    "optimum": ("Against the optimum", "energy compared with the clairvoyant plan"),
    "free": ("Any condition", "figures, numbers with units, and, or, not, + - * /"),
}
"""Title and description of each kind of condition that an expectation may begin as."""


def new_condition(tree: Tree, kind: str) -> str:
    """Return a condition to begin with."""
    job, house = next(iter(job_ids(tree)), ""), next(iter(house_ids(tree)), "")
    producer = next(iter(producer_ids(tree)), "")
    other = next((name for name in ALGORITHMS if name != tree.get("algorithm")), "")
    return {
        "figure": "self_sufficiency >= 60 %",
        "job": f"job({quoted(job)}).producer == {quoted(producer)}",
        "house": f"house({quoted(house)}).jobs_on_grid == 0",
        "producer": f"producer({quoted(producer)}).shortfall_wh == 0 Wh",
        "contracts": "contracts.cancelled == 0",
        "messages": "messages <= 1000",
        "algorithm": f'self_sufficiency >= algorithm("{other}").self_sufficiency',
        "optimum": "delivered_wh >= 0.9 * optimum.best_wh",
        "free": "jobs_on_grid == 0 and contracts.cancelled == 0",
    }[kind]


def figures_for(parts: FigureComparison) -> tuple[str, ...]:
    """Return what may stand where the figure of a condition stands."""
    if parts.word in FIELDS:
        return FIELDS[parts.word]
    return (*KPIS, *COUNTS)
