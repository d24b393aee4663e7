"""What there is to pick from, and what each looks like."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from scenarios.appliances import APPLIANCES
from tui.editor import outline
from tui.editor.drawing import Artist, Picture, load_picture
from tui.editor.outline import Tree, text
from tui.editor.picker import Item
from tui.editor.sky import SKIES

FILE = "file:"
EMPTY = "empty:"
NONE = "none:"
REMOVE = "remove:"
_OWN, _BUNDLED, _SKY = "own:", "bundled:", "sky:"


def file_item(what: str) -> Item:
    """Return the way to a file."""
    return Item(FILE, "From a file ...", what, is_way=True)


def profile_items(tree: Tree, *, own: bool = True) -> list[Item]:
    """Return load profiles: those of the file, then the bundled appliances that are not among them."""
    here = list(outline.profiles(tree)) if own else []
    items = [Item(_OWN + name, name, group="In this file") for name in here]
    return items + [
        Item(_BUNDLED + a.name, a.title, f"{a.energy_wh / 1000:.2f} kWh, {a.description}", "Bundled appliances")
        for a in APPLIANCES.values()
        if a.name not in here
    ]


def sky_items() -> list[Item]:
    """Return the skies."""
    return [Item(_SKY + sky.id, sky.title, group="PV panels: forecasts for a clear sky") for sky in SKIES]


def house_items(tree: Tree) -> list[Item]:
    """Return the houses; ids are their indexes."""
    return [Item(str(i), outline.house_title(house), "house") for i, house in outline.houses(tree)]


def consumer_items(tree: Tree) -> list[Item]:
    """Return the devices that can run jobs, house by house."""
    return [
        Item(f"{i}.{j}", outline.device_title(device), f"{text(device.get('id'))}", outline.house_title(house))
        for i, house in outline.houses(tree)
        for j, device in outline.devices(house)
        if device.get("type") != "producer"
    ]


def part_items(tree: Tree) -> tuple[list[Item], list[outline.Ref]]:
    """Return houses, devices, jobs and load profiles, to find one among them; ids are indexes in the second list."""
    refs: list[outline.Ref] = []
    items: list[Item] = []

    def add(ref: outline.Ref, title: str, details: str) -> None:
        items.append(Item(str(len(refs)), title, details))
        refs.append(ref)

    for i, house in outline.houses(tree):
        add(("houses", i), f"⌂ {outline.house_title(house)}", "house")
        for j, device in outline.devices(house):
            details = f"{text(device.get('type'))} {text(device.get('id'))} of {outline.house_title(house)}"
            add(("houses", i, "devices", j), outline.device_title(device), details)
    for i, job in outline.jobs(tree):
        title = outline.job_device_title(tree, job)
        add(("jobs", i), title, f"job {text(job.get('id'))} {text(job.get('earliest_start'))}")
    for name in outline.profiles(tree):
        add(("load_profiles", name), name, "load profile")
    return items, refs


def picture_of(tree: Tree, folder: Path) -> Callable[[str], Picture | None]:
    """Return what draws any of these items."""
    artist = Artist(tree, folder)

    def draw(item: str) -> Picture | None:
        if item.startswith(_OWN):
            return artist.load_profile(item.removeprefix(_OWN))
        if item.startswith(_BUNDLED):
            appliance = APPLIANCES[item.removeprefix(_BUNDLED)]
            return load_picture(appliance.title, appliance.load_profile)
        sky = next((sky for sky in SKIES if _SKY + sky.id == item), None)
        return artist.producer({"predictions": [sky.prediction(tree)]}) if sky else None

    return draw


def appliance_named(item: str) -> str | None:
    """Return the bundled appliance that an item stands for."""
    return item.removeprefix(_BUNDLED) if item.startswith(_BUNDLED) else None


def profile_named(item: str) -> str | None:
    """Return the load profile that an item stands for: of the file, or bundled."""
    return item.removeprefix(_OWN) if item.startswith(_OWN) else appliance_named(item)


def sky_named(item: str, tree: Tree) -> dict[str, object] | None:
    """Return the forecast that an item stands for."""
    sky = next((sky for sky in SKIES if _SKY + sky.id == item), None)
    return sky.prediction(tree) if sky else None


def item_of_profile(tree: Tree, name: str) -> str:
    """Return the id of the item that stands for a load profile."""
    return (_OWN if name in outline.profiles(tree) else _BUNDLED) + name
