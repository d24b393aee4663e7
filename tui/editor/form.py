"""What a form asks: which fields each part of a neighbourhood has, with their values. The widgets are in `fields`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from agents.scheduling.settings import ALGORITHMS, INSERTION
from scenarios.files.findings import KeyPath
from tui.cli.figures import plural
from tui.editor import outline
from tui.editor.outline import Ref, Tree, at, text


@dataclass(frozen=True, slots=True)
class Field:
    """A line of a form."""

    kind: Literal["text", "number", "time", "choice", "pick"]
    label: str
    path: KeyPath
    """Where its value stands."""
    value: Any
    hint: str = ""
    """What stands in it while it is empty."""
    options: tuple[str, ...] = ()
    """Of a choice."""
    covers: tuple[KeyPath, ...] = ()
    """Places whose problems are shown here too."""
    heading: str = ""
    """Stands above it."""


Button = tuple[str, str]
"""Label, action of the screen."""
Layout = tuple[object, ...]
"""What a form is made of."""


@dataclass(frozen=True, slots=True)
class Form:
    """All that is shown of a part."""

    ref: Ref
    title: str
    fields: tuple[Field, ...]
    buttons: tuple[Button, ...] = ()
    note: str = ""
    """Under the title."""

    @property
    def layout(self) -> Layout:
        """Equal for forms that look the same but for their values."""
        return tuple((f.kind, f.label, f.options, f.heading) for f in self.fields), self.buttons


def form_of(tree: Tree, ref: Ref) -> Form:
    """Return the form of a part."""
    forms: dict[outline.Kind, Callable[[Tree, Ref], Form]] = {
        "neighbourhood": _neighbourhood,
        "house": _house,
        "device": _producer if at(tree, (*ref, "type")) == "producer" else _consumer,
        "jobs": lambda _, ref: Form(ref, "Jobs", ()),
        "job": _job,
        "profiles": _profiles,
        "profile": _profile,
    }
    return forms[outline.kind_of(ref)](tree, ref)


_TARIFF = (
    ("import_eur_per_kwh", "from the grid", "EUR per kWh bought, such as 0.35"),
    ("feed_in_eur_per_kwh", "to the grid", "EUR per kWh sold, such as 0.08"),
    ("neighbour_eur_per_kwh", "neighbours", "EUR per kWh between houses, such as 0.2"),
    ("grid_kg_co2_per_kwh", "emissions", "kg CO2 per kWh of the grid, such as 0.38"),
)


def _neighbourhood(tree: Tree, _ref: Ref) -> Form:
    fields = (
        Field("text", "name", ("name",), tree.get("name"), "letters, digits, - and _", covers=(("version",),)),
        Field("text", "description", ("description",), tree.get("description"), "for people"),
        Field("text", "start", ("start",), tree.get("start"), "2026-06-21T00:00:00+02:00"),
        Field("number", "days", ("days",), tree.get("days"), "until the last job has run"),
        Field("number", "seed", ("seed",), tree.get("seed"), "a whole number: makes runs repeat"),
        Field("choice", "algorithm", ("algorithm",), tree.get("algorithm", INSERTION), options=ALGORITHMS),
        *(
            Field("number", label, ("tariff", key), at(tree, ("tariff", key)), hint, heading="" if i else "Tariff")
            for i, (key, label, hint) in enumerate(_TARIFF)
        ),
    )
    houses = len(list(outline.houses(tree)))
    devices = sum(len(list(outline.devices(house))) for _, house in outline.houses(tree))
    note = ", ".join((plural(houses, "house"), plural(devices, "device"), plural(len(list(outline.jobs(tree))), "job")))
    return Form(outline.WHOLE, "Neighbourhood", fields, (("Add house", "screen.add_house"),), note)


def _house(tree: Tree, ref: Ref) -> Form:
    house = at(tree, ref)
    fields = (
        Field("text", "id", (*ref, "id"), house.get("id"), "unique in the neighbourhood"),
        Field("text", "name", (*ref, "name"), house.get("name"), "for people"),
    )
    found = [device for _, device in outline.devices(house)]
    producers = sum(device.get("type") == "producer" for device in found)
    jobs = sum(text(job.get("house")) == text(house.get("id")) for _, job in outline.jobs(tree))
    parts = plural(len(found) - producers, "consumer"), plural(producers, "producer"), plural(jobs, "job")
    note = ", ".join(parts)
    if not found:
        note = "No devices yet: add one (a)."
    buttons = (("Add device", "screen.add_device"), ("Duplicate", "screen.duplicate"), ("Remove", "screen.remove"))
    return Form(ref, f"House {outline.house_title(house)}", fields, buttons, note)


def _device_fields(ref: Ref, device: dict[str, Any], unique: str) -> tuple[Field, ...]:
    return (
        Field("text", "id", (*ref, "id"), device.get("id"), unique),
        Field("text", "name", (*ref, "name"), device.get("name"), "for people"),
        Field("choice", "type", (*ref, "type"), device.get("type"), options=("consumer", "producer")),
        Field("text", "template", (*ref, "template"), device.get("template"), "what kind of appliance it is"),
    )


def _consumer(tree: Tree, ref: Ref) -> Form:
    device = at(tree, ref)
    profile = device.get("load_profile")
    fields = (
        *_device_fields(ref, device, "unique in its house"),
        Field(
            "pick",
            "load profile",
            (*ref, "load_profile"),
            profile,
            "choose one: bundled, of this file, from a file",
            covers=(("load_profiles", text(profile)),) if profile else (),
        ),
    )
    count = len(outline.jobs_by_device(tree).get(outline.ids_of(tree, ref), []))
    note = plural(count, "job") if count else "No jobs yet: add one (j)."
    buttons = (("Add job", "screen.add_job"), ("Duplicate", "screen.duplicate"), ("Remove", "screen.remove"))
    return Form(ref, outline.device_title(device), fields, buttons, f"Consumer. {note}")


def _producer(tree: Tree, ref: Ref) -> Form:
    device = at(tree, ref)
    fields = list(_device_fields(ref, device, "unique in the neighbourhood"))
    predictions = list(outline.items(device.get("predictions")))
    for number, (index, prediction) in enumerate(predictions, start=1):
        path = (*ref, "predictions", index)
        heading = "Forecasts" if number == 1 else ""
        label = "issued" if len(predictions) == 1 else f"{number} issued"
        fields.append(Field("time", label, (*path, "issued"), prediction.get("issued"), heading=heading))
        fields.append(Field("pick", "energy", path, prediction, "choose a file or a sky"))
    if not predictions:
        fields.append(
            Field("pick", "forecast", (*ref, "predictions"), None, "choose a file or a sky", heading="Forecasts")
        )
    actual = Field("pick", "really", (*ref, "actual"), device.get("actual"), "as forecast", heading="What it gives")
    buttons = (
        ("Add forecast", "screen.add_forecast"),
        ("Duplicate", "screen.duplicate"),
        ("Remove", "screen.remove"),
    )
    return Form(ref, outline.device_title(device), (*fields, actual), buttons, "Producer")


def _job(tree: Tree, ref: Ref) -> Form:
    job = at(tree, ref)
    fields = (
        Field("pick", "device", (*ref, "device"), job.get("device"), covers=((*ref, "house"),)),
        Field("time", "registered", (*ref, "registered"), job.get("registered")),
        Field("time", "earliest start", (*ref, "earliest_start"), job.get("earliest_start")),
        Field("time", "latest start", (*ref, "latest_start"), job.get("latest_start")),
        Field("pick", "load profile", (*ref, "load_profile"), job.get("load_profile"), "the device's"),
        Field("text", "id", (*ref, "id"), job.get("id"), "/".join(outline.key_of_job(job))),
    )
    note = "Registered: when the others learn of it."
    buttons = (("Duplicate", "screen.duplicate"), ("Remove", "screen.remove"))
    return Form(ref, outline.title_of(tree, ref), fields, buttons, note)


def _profiles(_tree: Tree, ref: Ref) -> Form:
    note = "What one run of a device draws. Devices and jobs name them; a device's field adds them too."
    return Form(ref, "Load profiles", (), (("Add profile", "screen.add_profile"),), note)


def _profile(tree: Tree, ref: Ref) -> Form:
    name = str(ref[-1])
    users = sum(
        text(device.get("load_profile")) == name
        for _, house in outline.houses(tree)
        for _, device in outline.devices(house)
    )
    fields = (
        Field("pick", "name", (*ref, "*name"), name),
        Field("pick", "energy", ref, at(tree, ref), "choose a file or an appliance"),
    )
    note = f"Used by {plural(users, 'device')}" if users else "No device uses it"
    return Form(ref, f"Load profile {name}", fields, (("Remove", "screen.remove"),), note)


def shown(tree: Tree, field: Field) -> str:
    """Return what stands in a field that is picked from a list."""
    if field.path[-1:] == ("device",):
        return outline.job_device_title(tree, at(tree, field.path[:-1]) or {})
    return described(field.value)


def described(entry: object) -> str:
    """Return where energy over time comes from, in a few words."""
    if not isinstance(entry, dict):
        return text(entry)
    if entry.get("file") is not None:
        return f"file {text(entry.get('file'))}"
    power_w, points, step_s = entry.get("power_w"), entry.get("points"), entry.get("step_s")
    if isinstance(power_w, list):
        every = f" of {step_s // 60} min" if isinstance(step_s, int) and step_s % 60 == 0 and step_s else ""
        return f"{len(power_w)} steps{every}"
    return f"{len(points)} points" if isinstance(points, list) else ""
