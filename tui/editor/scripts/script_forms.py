"""The forms of events and expectations: one for each kind of event, and for each kind of condition."""

from __future__ import annotations

from typing import Any

from agents import known_strategies
from agents.scheduling import ALGORITHMS
from scenarios.files import KEYS_OF_TABLE
from tui.editor import tree_model
from tui.editor.forms import Button, Field, PartForm
from tui.editor.scripts import script_model as script
from tui.editor.tree_model import Ref, Tree, at, text

_AT_HINT = "12:00, 2d 12:00, +2h or an ISO time"
_AT_HELP = "Clock time of the first day; 2d 12:00: of the second day; +2h: after the start; or an ISO time."
_BUTTONS: tuple[Button, ...] = (("Duplicate", "screen.duplicate"), ("Remove", "screen.remove"))
_LABELS = {
    "growth_per_h": "growth per h",
    "import_eur_per_kwh": "from the grid",
    "feed_in_eur_per_kwh": "to the grid",
    "neighbour_eur_per_kwh": "neighbours",
    "grid_kg_co2_per_kwh": "emissions",
}
_HINTS = {
    "factor": "0 to 1: the share that is left",
    "import_eur_per_kwh": "EUR per kWh; empty: unchanged",
    "feed_in_eur_per_kwh": "EUR per kWh; empty: unchanged",
    "neighbour_eur_per_kwh": "EUR per kWh; empty: unchanged",
    "grid_kg_co2_per_kwh": "kg CO2 per kWh; empty: unchanged",
    "delay_ms": "real milliseconds",
}
_ALL = "all"


def events_form(tree: Tree, ref: Ref) -> PartForm:
    """Return the form of the timeline."""
    count = len(list(tree_model.items(tree.get("timeline"))))
    note = "What happens in the run: clouds, forecasts, houses offline, jobs added, other prices, notes."
    if not count:
        note += " None yet: add one with the button below."
    return PartForm(ref, "Events", (), (("Add event", "screen.add_event"),), note)


def expectations_form(tree: Tree, ref: Ref) -> PartForm:
    """Return the form of the expectations."""
    note = "Conditions on the outcome. A run reports which ones hold; ssmic run exits with 5 if one fails."
    if not tree.get("expect"):
        note += " None yet: add one with the button below."
    return PartForm(ref, "Expectations", (), (("Add expectation", "screen.add_expectation"),), note)


def event_form(tree: Tree, ref: Ref) -> PartForm:
    """Return the form of an event: the fields of its kind."""
    entry: dict[str, Any] = at(tree, ref)
    kind = text(entry.get("do"))
    fields = (
        Field(
            "choice",
            "kind",
            (*ref, "do"),
            kind,
            options=tuple(script.KINDS),
            help=script.about(kind) if kind in script.KINDS else "What happens.",
        ),
        *_time_fields(ref, entry),
        *(_field(ref, entry, kind, key) for key in script.keys_of(kind) if not _is_covered(kind, key)),
        *((_series_field(ref, entry),) if kind == "forecast" else ()),
        *(_repeat_fields(ref, entry) if not isinstance(entry.get("when"), dict) else ()),
    )
    title = f"{tree_model.title_of(tree, ref)}: {script.KINDS.get(kind, kind or 'of no kind')}"
    note = f"{script.when_in_words(entry)} · {script.event_in_words(entry)}"
    return PartForm(ref, title, fields, _BUTTONS, note)


def _is_covered(kind: str, key: str) -> bool:
    """Return whether a key is set with another one: the house of a device with the device."""
    return key == "house" and "device" in script.keys_of(kind)


def _time_fields(ref: Ref, entry: dict[str, Any]) -> tuple[Field, ...]:
    when = entry.get("when")
    mode = script.AT_A_TIME
    if isinstance(when, dict):
        turn = text(when.get("turn")) or "starts"
        mode = script.TURNS.get(turn, turn)
    choice = Field(
        "choice",
        "takes place",
        (*ref, "*when"),
        mode,
        options=(script.AT_A_TIME, *script.TURNS.values()),
        covers=((*ref, "when", "turn"),),
        help="At a given time, or the first time that something happens to a job.",
    )
    if not isinstance(when, dict):
        return choice, Field("text", "at", (*ref, "at"), entry.get("at"), _AT_HINT, help=_AT_HELP)
    return (
        choice,
        Field("pick", "job", (*ref, "when", "job"), when.get("job"), "choose a job", help="The job that it waits for."),
        Field(
            "number",
            "after",
            (*ref, "when", "after"),
            when.get("after"),
            "0s",
            help="Delay after that, such as 90s, 30m or 1h30m. Default: at once.",
        ),
    )


def _repeat_fields(ref: Ref, entry: dict[str, Any]) -> tuple[Field, ...]:
    repeat = entry.get("repeat")
    now = repeat if isinstance(repeat, dict) else {}
    path = (*ref, "repeat")
    return (
        Field(
            "number",
            "every",
            (*path, "every"),
            now.get("every"),
            "takes place once",
            covers=(path,),
            heading="Repeat (optional)",
            help="Interval, such as 15m, 6h or 1d. Whole days keep the clock time.",
        ),
        Field(
            "number",
            "times",
            (*path, "times"),
            now.get("times"),
            "to the end of the run",
            help="Total number of times, 1 to 10,000. Default: to the end of the run.",
        ),
        Field(
            "text",
            "until",
            (*path, "until"),
            now.get("until"),
            _AT_HINT,
            help=f"No repetition after this time. {_AT_HELP}",
        ),
    )


def _field(ref: Ref, entry: dict[str, Any], kind: str, key: str) -> Field:
    path, value, about = (*ref, key), entry.get(key), script.meaning(kind, key)
    label, default = _LABELS.get(key, key.replace("_", " ")), script.default_text(kind, key)
    if key in script.LISTS:
        return Field("pick", label, path, value, _ALL, help=about)
    if key == "device":
        what = "The device; this also sets its house."
        return Field("pick", label, path, value, "choose a device", covers=((*ref, "house"),), help=what)
    if key in {"producer", "house", "job", "load_profile"}:
        hint = "the device's" if key == "load_profile" else f"choose a {key}"
        return Field("pick", label, path, value, hint, help=about)
    if key in script.FLAGS:
        default = "yes" if key == "announced" else ""
        said = {True: "yes", False: "no", None: default}.get(value, text(value)) if not isinstance(value, list) else ""
        return Field("choice", label, path, said, options=("yes", "no"), help=about)
    if key in {"algorithm", "strategy"}:
        names = ALGORITHMS if key == "algorithm" else ("", *known_strategies())
        hint = "built-in strategy" if key == "strategy" else ""
        return Field("choice", label, path, value, hint, options=names, help=about)
    return Field(
        "text" if key in {"text", "id"} else "number", label, path, value, _HINTS.get(key, default), help=about
    )


def _series_field(ref: Ref, entry: dict[str, Any]) -> Field:
    return Field(
        "pick",
        "or series",
        (*ref, "*series"),
        {key: entry[key] for key in ("file", "power_w", "points", "step_s") if key in entry} or None,
        "none: the factor is used",
        covers=tuple((*ref, key) for key in ("file", *KEYS_OF_TABLE, "points", "power_w")),
        help="Instead of a factor: production from a file, or under a clear sky.",
    )


def expectation_form(tree: Tree, ref: Ref) -> PartForm:
    """Return the form of an expectation: what its condition compares, its time and its name."""
    entry = at(tree, ref)
    condition = script.condition_of(entry)
    is_mapping = isinstance(entry, dict)
    parts = script.parts_of(condition)
    fields = (
        *(() if parts is None else _part_fields(ref, parts)),
        Field(
            "text",
            "condition",
            (*ref, "that") if is_mapping else ref,
            condition,
            "self_sufficiency >= 60 %",
            covers=((*ref, "*value"), (*ref, "that")),
            heading="" if parts is None else "As text",
            help="Figures, job(), house(), producer(), numbers with units, and, or, not. docs/scripts.md has all.",
        ),
        Field(
            "text",
            "at",
            (*ref, "at"),
            entry.get("at") if is_mapping else None,
            "at the end of the run",
            heading="" if parts is None else "Time and name (optional)",
            help=f"When it must hold. {_AT_HELP} Default: at the end.",
        ),
        Field(
            "text",
            "name",
            (*ref, "name"),
            entry.get("name") if is_mapping else None,
            "the condition",
            help="Shown in reports instead of the condition. Optional.",
        ),
    )
    note = f"must hold at {text(entry['at'])}" if is_mapping and entry.get("at") else "must hold at the end of the run"
    return PartForm(ref, tree_model.title_of(tree, ref), fields, _BUTTONS, note)


def _part_fields(ref: Ref, parts: script.FigureComparison) -> tuple[Field, ...]:
    named = (
        Field(
            "pick",
            parts.word,
            (*ref, "*of"),
            parts.of,
            f"choose a {parts.word}",
            help=f"The {parts.word} that it is about.",
        ),
    )
    return (
        *(named if parts.of is not None and parts.word in {"job", "house", "producer", "algorithm"} else ()),
        Field(
            "pick",
            "figure",
            (*ref, "*figure"),
            parts.field or parts.word,
            help="What is compared. docs/results.md defines the figures.",
        ),
        Field(
            "choice", "is", (*ref, "*sign"), parts.sign, options=script.SIGNS, help="How it compares with the value."
        ),
        Field(
            "text",
            "value",
            (*ref, "*value"),
            parts.value,
            '60 %, 2 kWh, 12:30, "pv-adler"',
            help='A number with a unit (kWh, Wh, kW, W, %, h, min, EUR), a clock time, a "text", or another figure.',
        ),
    )


def script_text(tree: Tree, field: Field) -> str:
    """Return the text of a field whose value is picked from a list."""
    key = field.path[-1]
    value = field.value
    if key == "device":
        return tree_model.job_device_title(tree, at(tree, field.path[:-1]) or {})
    if key == "*series":
        return tree_model.described(value)
    if isinstance(value, list):
        return ", ".join(text(item) for item in value)
    return text(value)
