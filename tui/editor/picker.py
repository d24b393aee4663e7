"""A searchable list with previews, and its items: profiles, clear-sky forecasts, houses, devices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from scenarios import APPLIANCES, DAY_S
from scenarios.files import format_after_start
from scenarios.generate import Roof
from scenarios.importers import START_S, STEP_S, clear_sky_steps_w
from tui.editor import tree_model
from tui.editor.forms import RunStart
from tui.editor.preview_chart import PreviewArtist, PreviewContent, load_picture
from tui.editor.scripts import event_in_words, expectation_in_words, when_in_words
from tui.editor.tree_model import Tree, text
from tui.formatting import kwh
from tui.shell import MOST_FOUND, Dialog, Footer
from tui.widgets import Chart, TimeAxis, ranked


@dataclass(frozen=True, slots=True)
class PickerItem:
    """An item of a picker."""

    id: str
    title: str
    details: str = ""
    """Shown after the title; searched too."""
    group: str = ""
    """Heading of the item's group."""
    opens_file_dialog: bool = False
    """Such an item is shown first, also when nothing matches."""


class Picker(Dialog[str | None]):
    """Returns the id of the picked item; None on escape."""

    HELP = """
Type to search: titles come first, then descriptions; synonyms count (solar finds PV panels, EV finds cars). The arrow
keys move through the list while you type, `Enter` chooses, `Esc` goes back.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Choose", priority=True),
        Binding("up", "move(-1)", "Up", show=False, priority=True),
        Binding("down", "move(1)", "Down", show=False, priority=True),
        Binding("pageup", "move(-8)", "Page up", show=False, priority=True),
        Binding("pagedown", "move(8)", "Page down", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    Picker > Vertical { width: 120; height: 90%; max-height: 34; }
    Picker Input.-textual-compact { background: $panel; padding: 0 1; margin-bottom: 1; }
    Picker OptionList {
        width: 1fr; height: 1fr; background: $surface; border: none; padding: 0; scrollbar-size-vertical: 1;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    Picker OptionList > .option-list--option-highlighted { background: $primary 28%; color: $text; }
    Picker Horizontal { height: 1fr; }
    Picker .side { width: 1fr; padding-left: 1; }
    Picker .said { height: auto; color: $text-muted; padding: 0 1; }
    Picker Chart { background: $surface; }
    Picker.-narrow Horizontal { layout: vertical; }
    Picker.-narrow .side { height: 8; padding: 0; }
    """

    def __init__(
        self,
        title: str,
        items: Sequence[PickerItem],
        *,
        picture: Callable[[str], PreviewContent | None] | None = None,
        current: str | None = None,
    ) -> None:
        """Ask.

        Args:
            title: The question.
            items: The items to pick from.
            picture: Returns the preview of an item by id; None if it has none.
            current: Id of the item initially under the cursor.
        """
        super().__init__()
        self.title = self._title = title
        self._items = tuple(items)
        self._picture = picture
        self._current = current
        self._shown: str | None = None
        """What the list has been searched for; None: it is empty yet."""

    def compose(self) -> ComposeResult:
        """Search above; list and picture below."""
        with Vertical() as box:
            box.border_title = Content(self._title)
            yield Input(compact=True, placeholder="type to search")
            with Horizontal():
                yield OptionList(compact=True)
                if self._picture is not None:
                    with Vertical(classes="side"):
                        yield Static("", classes="said", markup=False)
                        yield Chart(empty="")
        yield Footer()

    def on_mount(self) -> None:
        """Show all, the cursor on the current one."""
        self._show("")
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _search(self) -> None:
        self._show(self.query_one(Input).value)

    def _show(self, wanted: str) -> None:
        if wanted == self._shown:
            return
        self._shown = wanted
        items = sorted(self._items, key=lambda item: not item.opens_file_dialog)
        found = ranked(wanted, items, lambda item: (item.title, f"{item.details} {item.group}"))
        options: list[Option | None] = []
        if not found:
            options.append(Option("No match", disabled=True))
            found = [item for item in items if item.opens_file_dialog]
        group = ""
        listed_items = found[:MOST_FOUND]
        if not wanted.strip() and self._current not in {item.id for item in listed_items}:
            listed_items = [*(item for item in found if item.id == self._current), *listed_items]
        for item in listed_items:
            if item.group != group and not wanted.strip():  # search results are in order of relevance
                group = item.group
                options.append(Option(Content.from_markup("[b $primary]$group[/]", group=group), disabled=True))
            line = "$title  [dim]$details[/]" if item.details else "$title"
            said = Content.from_markup(line, title=item.title, details=item.details)
            options.append(Option(said, id=item.id))
        if len(found) > len(listed_items):
            options.append(Option(f"{len(found) - len(listed_items):,} more: type to search", disabled=True))
        listed = self.query_one(OptionList)
        listed.clear_options()
        listed.add_options(options)
        if found:
            first = next((item for item in found if not item.opens_file_dialog), found[0])
            is_current_there = not wanted.strip() and any(item.id == self._current for item in found)
            listed.highlighted = listed.get_option_index((is_current_there and self._current) or first.id)
            listed.scroll_to_highlight()

    @on(OptionList.OptionHighlighted)
    def _draw(self, event: OptionList.OptionHighlighted) -> None:
        if self._picture is None or event.option_id is None:
            return
        picture = self._picture(event.option_id)
        chart = self.query_one(Chart)
        if picture is None:
            self.query_one(".said", Static).update("")
            chart.show((), TimeAxis(0, 1))
        else:
            said = f"{picture.title}\n{picture.said}" if picture.said else picture.title
            self.query_one(".said", Static).update(said)
            chart.show(picture.series, picture.span, marks=picture.marks)

    def action_move(self, by: int) -> None:
        """Move the cursor; the search field keeps the focus."""
        self.in_order(partial(self._move, by))

    def action_choose(self) -> None:
        """Return the item under the cursor."""
        self.in_order(self._choose)

    def _move(self, by: int) -> None:
        self._search()
        listed = self.query_one(OptionList)
        for _ in range(abs(by)):
            if by > 0:
                listed.action_cursor_down()
            else:
                listed.action_cursor_up()

    def _choose(self) -> None:
        self._search()
        listed = self.query_one(OptionList)
        if listed.highlighted is not None:
            option = listed.get_option_at_index(listed.highlighted)
            if option.id is not None:
                self.dismiss(option.id)

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        if event.option_id is not None:
            self.dismiss(event.option_id)


FILE = "file:"
EMPTY = "empty:"
NONE = "none:"
REMOVE = "remove:"
_OWN, _BUNDLED, _SKY = "own:", "bundled:", "sky:"


def file_item(what: str) -> PickerItem:
    """Return the item that opens a file dialog."""
    return PickerItem(FILE, "From a file ...", what, opens_file_dialog=True)


def profile_items(tree: Tree, *, own: bool = True) -> list[PickerItem]:
    """Return load profiles: those of the file, then the remaining bundled appliances."""
    here = list(tree_model.profiles(tree)) if own else []
    items = [PickerItem(_OWN + name, name, group="In this file") for name in here]
    return items + [
        PickerItem(_BUNDLED + a.name, a.title, f"{kwh(a.energy_wh)}, {a.description}", "Bundled appliances")
        for a in APPLIANCES.values()
        if a.name not in here
    ]


def sky_items() -> list[PickerItem]:
    """Return the clear-sky forecasts."""
    return [PickerItem(_SKY + sky.id, sky.title, group="PV panels: forecasts for a clear sky") for sky in SKIES]


def house_items(tree: Tree) -> list[PickerItem]:
    """Return the houses; ids are their indexes."""
    return [PickerItem(str(i), tree_model.house_title(house), "house") for i, house in tree_model.houses(tree)]


def consumer_items(tree: Tree) -> list[PickerItem]:
    """Return the devices that can run jobs, house by house."""
    return [
        PickerItem(f"{i}.{j}", tree_model.device_title(device), text(device.get("id")), title)
        for i, house, title in _titled_houses(tree)
        for j, device in tree_model.devices(house)
        if device.get("type") != "producer"
    ]


def device_items(tree: Tree) -> list[PickerItem]:
    """Return all devices, house by house."""
    return [
        PickerItem(
            f"{i}.{j}",
            tree_model.device_title(device),
            f"{text(device.get('type'))} {text(device.get('id'))}",
            title,
        )
        for i, house, title in _titled_houses(tree)
        for j, device in tree_model.devices(house)
    ]


def _titled_houses(tree: Tree) -> Iterator[tuple[int, dict[str, Any], str]]:
    return ((i, house, tree_model.house_title(house)) for i, house in tree_model.houses(tree))


def part_items(tree: Tree) -> tuple[list[PickerItem], list[tree_model.Ref]]:
    """Return all parts, to find one among them; ids are indexes in the second list."""
    refs: list[tree_model.Ref] = []
    items: list[PickerItem] = []

    def add(ref: tree_model.Ref, title: str, details: str) -> None:
        items.append(PickerItem(str(len(refs)), title, details))
        refs.append(ref)

    for i, house, title in _titled_houses(tree):
        add(("houses", i), f"⌂ {title}", "house")
        for j, device in tree_model.devices(house):
            details = f"{text(device.get('type'))} {text(device.get('id'))} of {title}"
            add(("houses", i, "devices", j), tree_model.device_title(device), details)
    titles = tree_model.job_device_titles(tree)
    for i, job in tree_model.jobs(tree):
        title = titles.get(tree_model.key_of_job(job)) or tree_model.job_device_title(tree, job)
        add(("jobs", i), title, f"job {text(job.get('id'))} {text(job.get('earliest_start'))}")
    for name in tree_model.profiles(tree):
        add(("load_profiles", name), name, "load profile")
    for i, event in tree_model.items(tree.get("timeline")):
        add(("timeline", i), event_in_words(event), f"event {when_in_words(event)}")
    expectations = tree.get("expect")
    for i, entry in enumerate(expectations if isinstance(expectations, list) else ()):
        if isinstance(entry, dict | str):
            add(("expect", i), expectation_in_words(entry), "expectation")
    add(tree_model.COMMUNITY, "Community", "settlement: allocation key, fees, VAT")
    return items, refs


def picture_of(tree: Tree, folder: Path, *, allow_outside: bool) -> Callable[[str], PreviewContent | None]:
    """Return the function that previews choices for `tree`; files are in `folder`, or anywhere if `allow_outside`."""
    artist = PreviewArtist(tree, folder, allow_outside=allow_outside)

    def draw(item: str) -> PreviewContent | None:
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
    return (_OWN if name in tree_model.profiles(tree) else _BUNDLED) + name


_MOST_DAYS = 366


@dataclass(frozen=True, slots=True)
class ClearSky:
    """PV panels under a clear sky."""

    id: str
    title: str
    roof: Roof

    def prediction(self, tree: Tree) -> dict[str, Any]:
        """Return a forecast for the days of the run, issued at its start, as a YAML entry."""
        run_start = RunStart.of_tree(tree)
        start_s = START_S if run_start.start_s is None else run_start.start_s
        days = tree.get("days")
        count = min(days, _MOST_DAYS) if isinstance(days, int) and days > 0 else 1
        # One that rises in the run is known from its first minute on; nights between days are zeros.
        steps = count * DAY_S // STEP_S
        power_w = clear_sky_steps_w(self.roof, start_s, steps)
        first = next((i for i, power in enumerate(power_w) if power), 0)
        last = max((i for i, power in enumerate(power_w) if power), default=steps - 1)
        return {
            "issued": "00:00",
            "start": format_after_start(start_s + first * STEP_S, start_s, run_start.info),
            "step_s": STEP_S,
            "power_w": power_w[first : last + 1],
        }


SKIES = tuple(
    ClearSky(
        f"{peak}-{side}",
        f"PV panels, {peak} kWp, facing {side} (clear sky)",
        Roof(tilt_deg=30, azimuth_deg=deg, peak_kw=peak),
    )
    for peak in (3, 5, 8, 12)
    for side, deg in (("south", 180), ("east", 90), ("west", 270))
)
DEFAULT_SKY = SKIES[3]
"""5 kWp, facing south."""
