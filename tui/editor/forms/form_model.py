"""The form of each part of a neighbourhood: its fields and their values. Widgets are in `form_view`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agents.scheduling import ABOUT_ALGORITHM, INSERTION, known_algorithms
from broker import plural
from scenarios.devices.adapters import adapter_names
from tui.editor import tree_model
from tui.editor.forms import community_form
from tui.editor.forms.form_parts import Field, PartForm
from tui.editor.scripts import event_form, events_form, expectation_form, expectations_form, script_text
from tui.editor.tree_model import Ref, Tree, at, text


def form_of(tree: Tree, ref: Ref) -> PartForm:
    """Return the form of a part."""
    forms: dict[tree_model.Kind, Callable[[Tree, Ref], PartForm]] = {
        "neighbourhood": _neighbourhood,
        "house": _house,
        "device": _producer if at(tree, (*ref, "type")) == "producer" else _consumer,
        "jobs": lambda _, ref: PartForm(ref, "Jobs", ()),
        "job": _job,
        "profiles": _profiles,
        "profile": _profile,
        "events": events_form,
        "event": event_form,
        "expectations": expectations_form,
        "expectation": expectation_form,
        "community": community_form.community_form,
    }
    return forms[tree_model.kind_of(ref)](tree, ref)


_TARIFF = (
    ("import_eur_per_kwh", "from the grid", "EUR per kWh, such as 0.35", "Price of a kWh bought from the grid, EUR."),
    ("feed_in_eur_per_kwh", "to the grid", "EUR per kWh, such as 0.08", "Price of a kWh sold to the grid, EUR."),
    (
        "neighbour_eur_per_kwh",
        "neighbours",
        "EUR per kWh, such as 0.2",
        "Price of a kWh between houses, EUR; usually between the two prices above.",
    ),
    (
        "grid_kg_co2_per_kwh",
        "emissions",
        "kg CO2 per kWh, such as 0.38",
        "Emissions of a kWh from the grid, kg of CO2.",
    ),
)
_NAME_HELP = "Display name in tables and charts. Default: the id."
_ISSUED_HELP = (
    "When the forecast becomes known to the panel's agent; until then the agent plans with the previous forecast."
)
_FORECAST_HELP = "Expected production over time: a file of UNIX seconds and cumulative Wh, or a clear sky."


def _neighbourhood(tree: Tree, _ref: Ref) -> PartForm:
    algorithm = tree.get("algorithm", INSERTION)
    fields = (
        Field(
            "text",
            "name",
            ("name",),
            tree.get("name"),
            "letters, digits, - and _",
            covers=(("version",),),
            help="Names results and scores files: letters, digits, - and _.",
        ),
        Field(
            "text",
            "description",
            ("description",),
            tree.get("description"),
            "for people",
            help="Description, one or two sentences; optional.",
        ),
        Field(
            "text",
            "start",
            ("start",),
            tree.get("start"),
            "2026-06-21T00:00:00+02:00",
            help="Date, time and UTC offset at which the run starts; times in the file may count from it.",
        ),
        Field(
            "number",
            "days",
            ("days",),
            tree.get("days"),
            "until the last job has run",
            help="Days to simulate, a whole number. Default: until the last job has run.",
        ),
        Field(
            "number",
            "seed",
            ("seed",),
            tree.get("seed"),
            "a whole number",
            help="A whole number, 0 or more. The same seed gives the same run.",
        ),
        Field(
            "choice",
            "algorithm",
            ("algorithm",),
            algorithm,
            options=known_algorithms(),
            help=f"{text(algorithm)} {ABOUT_ALGORITHM[text(algorithm)]}."
            if text(algorithm) in ABOUT_ALGORITHM
            else "How producers schedule jobs.",
        ),
        *(
            Field(
                "number",
                label,
                ("tariff", key),
                at(tree, ("tariff", key)),
                "varies in time; a number replaces it" if isinstance(at(tree, ("tariff", key)), dict) else hint,
                heading="" if i else "Tariff (optional)",
                help=about,
            )
            for i, (key, label, hint, about) in enumerate(_TARIFF)
        ),
    )
    houses = len(list(tree_model.houses(tree)))
    devices = sum(len(list(tree_model.devices(house))) for _, house in tree_model.houses(tree))
    note = ", ".join(
        (plural(houses, "house"), plural(devices, "device"), plural(len(list(tree_model.jobs(tree))), "job"))
    )
    buttons = (
        ("Add house", "screen.add_house"),
        ("Add event", "screen.add_event"),
        ("Add expectation", "screen.add_expectation"),
    )
    return PartForm(tree_model.WHOLE, "Neighbourhood", fields, buttons, note)


def _house(tree: Tree, ref: Ref) -> PartForm:
    house = at(tree, ref)
    fields = (
        Field(
            "text",
            "id",
            (*ref, "id"),
            house.get("id"),
            "unique in the neighbourhood",
            help="Unique in the neighbourhood. Jobs refer to the house by this id, and change with it.",
        ),
        Field("text", "name", (*ref, "name"), house.get("name"), "for people", help=_NAME_HELP),
        _base_load(house, ref),
    )
    found = [device for _, device in tree_model.devices(house)]
    producers = sum(device.get("type") == "producer" for device in found)
    id_ = text(house.get("id"))
    jobs = sum(text(job.get("house")) == id_ for _, job in tree_model.jobs(tree))
    parts = plural(len(found) - producers, "consumer"), plural(producers, "producer"), plural(jobs, "job")
    note = ", ".join(parts)
    if not found:
        note = "No devices yet: add one with the button below."
    buttons = (("Add device", "screen.add_device"), ("Duplicate", "screen.duplicate"), ("Remove", "screen.remove"))
    return PartForm(ref, _house_heading(house), fields, buttons, note)


def _base_load(house: dict[str, Any], ref: Ref) -> Field:
    load = house.get("base_load")
    is_series = isinstance(load, dict) and "constant_w" not in load
    file = load.get("file") if isinstance(load, dict) else None
    return Field(
        "number",
        "base load",
        (*ref, "base_load", "constant_w"),
        load.get("constant_w") if isinstance(load, dict) else None,
        f"a series{f' in {file}' if file else ''}; a number replaces it" if is_series else "W, such as 150",
        covers=((*ref, "base_load"),),
        help="Constant consumption besides jobs, W, or a series: Import (i). The own roof supplies it first.",
    )


def _house_heading(house: dict[str, Any]) -> str:
    name, id_ = text(house.get("name")), text(house.get("id"))
    return f'House "{name}" (id {id_ or "missing"})' if name else f"House (id {id_ or 'missing'})"


def _device_fields(ref: Ref, device: dict[str, Any], unique: str) -> tuple[Field, ...]:
    return (
        Field(
            "text",
            "id",
            (*ref, "id"),
            device.get("id"),
            unique,
            help=f"{unique[0].upper()}{unique[1:]}. Jobs refer to the device by this id, and change with it.",
        ),
        Field("text", "name", (*ref, "name"), device.get("name"), "for people", help=_NAME_HELP),
        Field(
            "choice",
            "type",
            (*ref, "type"),
            device.get("type"),
            options=("consumer", "producer"),
            help="A consumer runs jobs; a producer (PV panels) supplies them.",
        ),
        Field(
            "text",
            "template",
            (*ref, "template"),
            device.get("template"),
            "kind of appliance, such as dishwasher",
            help="Kind of appliance (PySSMic: template), such as dishwasher; informational only.",
        ),
    )


def _consumer(tree: Tree, ref: Ref) -> PartForm:
    device = at(tree, ref)
    profile = device.get("load_profile")
    fields = (
        *_device_fields(ref, device, "unique in its house"),
        Field(
            "pick",
            "load profile",
            (*ref, "load_profile"),
            profile,
            "choose: from a file, in this file, bundled",
            covers=(("load_profiles", text(profile)),) if profile else (),
            help="What one run draws: energy over time. A job may name another (PySSMic: the load's CSV file).",
        ),
    )
    count = len(tree_model.jobs_by_device(tree).get(tree_model.ids_of(tree, ref), []))
    fields += _gateway(ref, device)
    note = plural(count, "job") if count else "No jobs yet: add one with the button below."
    buttons = (("Add job", "screen.add_job"), ("Duplicate", "screen.duplicate"), ("Remove", "screen.remove"))
    return PartForm(ref, tree_model.device_title(device), fields, buttons, f"Consumer. {note}")


def _producer(tree: Tree, ref: Ref) -> PartForm:
    device = at(tree, ref)
    fields = list(_device_fields(ref, device, "unique in the neighbourhood"))
    predictions = list(tree_model.items(device.get("predictions")))
    for number, (index, prediction) in enumerate(predictions, start=1):
        path = (*ref, "predictions", index)
        heading = "Forecasts" if number == 1 else ""
        label = "issued" if len(predictions) == 1 else f"{number} issued"
        issued = prediction.get("issued")
        fields.append(Field("time", label, (*path, "issued"), issued, heading=heading, help=_ISSUED_HELP))
        fields.append(Field("pick", "energy", path, prediction, "choose a file or a clear sky", help=_FORECAST_HELP))
    if not predictions:
        fields.append(
            Field(
                "pick",
                "forecast",
                (*ref, "predictions"),
                None,
                "choose a file or a clear sky",
                heading="Forecasts",
                help=_FORECAST_HELP,
            )
        )
    actual = Field(
        "pick",
        "actual",
        (*ref, "actual"),
        device.get("actual"),
        "same as forecast",
        heading="Actual production",
        help="Measured production over time, which settles the run. Default: same as the last forecast.",
    )
    buttons = (
        ("Add forecast", "screen.add_forecast"),
        ("Duplicate", "screen.duplicate"),
        ("Remove", "screen.remove"),
    )
    whole = (*fields, actual, *_gateway(ref, device))
    return PartForm(ref, tree_model.device_title(device), whole, buttons, "Producer")


def _gateway(ref: Ref, device: dict[str, Any]) -> tuple[Field, ...]:
    """Return the fields of a real device; none where the device is simulated only."""
    gateway = device.get("gateway")
    if not isinstance(gateway, dict):
        return ()
    path, adapters = (*ref, "gateway"), adapter_names(text(device.get("type")))
    others = [key for key in gateway if key not in {"adapter", "id"}]
    rest = f" Further keys ({', '.join(others)}) are changed in the file." if others else ""
    return (
        Field(
            "choice",
            "adapter",
            (*path, "adapter"),
            gateway.get("adapter", adapters[0]),
            options=adapters,
            covers=(path,),
            heading="Real device (gateway)",
            help=f"MQTT topics that the device uses: ssmic's own, or its maker's.{rest}",
        ),
        Field(
            "text",
            "id in topics",
            (*path, "id"),
            gateway.get("id"),
            f"the device's: {text(device.get('id'))}",
            help=f"Its id in topics, unique in the run. Default: the device's id.{rest}",
        ),
    )


def _job(tree: Tree, ref: Ref) -> PartForm:
    job = at(tree, ref)
    fields = (
        Field(
            "pick",
            "device",
            (*ref, "device"),
            job.get("device"),
            covers=((*ref, "house"),),
            help="The consumer that runs the job.",
        ),
        Field(
            "time",
            "registered",
            (*ref, "registered"),
            job.get("registered"),
            help="When the job becomes known and negotiation starts (PySSMic: creation_time).",
        ),
        Field(
            "time",
            "earliest start",
            (*ref, "earliest_start"),
            job.get("earliest_start"),
            help="The job must not start before this time (PySSMic: est).",
        ),
        Field(
            "time",
            "latest start",
            (*ref, "latest_start"),
            job.get("latest_start"),
            help="The job must start by this time; without solar power it runs from the grid (PySSMic: lst).",
        ),
        Field(
            "pick",
            "load profile",
            (*ref, "load_profile"),
            job.get("load_profile"),
            "the device's",
            help="What this run draws. Default: the device's load profile (PySSMic: profile).",
        ),
        Field(
            "text",
            "id",
            (*ref, "id"),
            job.get("id"),
            "/".join(tree_model.key_of_job(job)),
            help="Names the job in results. Default: house/device, numbered if there are several.",
        ),
    )
    note = "Registered: when the job becomes known."
    buttons = (("Duplicate", "screen.duplicate"), ("Remove", "screen.remove"))
    return PartForm(ref, tree_model.title_of(tree, ref), fields, buttons, note)


def _profiles(_tree: Tree, ref: Ref) -> PartForm:
    note = "Energy that one run of a device draws. Devices and jobs refer to them by name."
    return PartForm(ref, "Load profiles", (), (("Add profile", "screen.add_profile"),), note)


def _profile(tree: Tree, ref: Ref) -> PartForm:
    name = str(ref[-1])
    users = sum(
        text(device.get("load_profile")) == name
        for _, house in tree_model.houses(tree)
        for _, device in tree_model.devices(house)
    )
    fields = (
        Field("pick", "name", (*ref, "*name"), name, help="Devices and jobs name it, and follow when it is renamed."),
        Field(
            "pick",
            "energy",
            ref,
            at(tree, ref),
            "choose a file or an appliance",
            help='A file with one "seconds Wh" pair per line, cumulative, or a bundled appliance.',
        ),
    )
    note = f"Used by {plural(users, 'device')}" if users else "No device uses it"
    return PartForm(ref, f"Load profile {name}", fields, (("Remove", "screen.remove"),), note)


def shown(tree: Tree, field: Field) -> str:
    """Return the text of a field whose value is picked from a list."""
    if field.path[:1] in {("timeline",), ("expect",)}:
        return script_text(tree, field)
    if field.path[:1] == tree_model.COMMUNITY:
        return community_form.as_list(field.value)
    if field.path[-1:] == ("device",):
        return tree_model.job_device_title(tree, at(tree, field.path[:-1]) or {})
    return tree_model.described(field.value)
