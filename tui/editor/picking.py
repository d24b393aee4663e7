"""What fields ask for: load profiles, devices, forecasts, picked from lists or from files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from textual import on

from scenarios.appliances import APPLIANCES
from scenarios.files.problems import KeyPath
from tui.editor import building, choices, ids, outline
from tui.editor.changes import Change, Insert, Put, Remove
from tui.editor.choices import FILE, NONE, REMOVE
from tui.editor.desk import Desk
from tui.editor.fields import FieldRow
from tui.editor.moments import Origin, in_form_of, seconds
from tui.editor.outline import Ref, Tree, at, text
from tui.editor.picker import Item, Picker
from tui.editor.sky import DEFAULT_SKY
from tui.editor.work import Work, file_reference
from tui.shell.dialogs import AskText, PickPath
from tui.shell.guard import AdviceError

SERIES_SUFFIXES = (".csv", ".txt", ".dat")
SERIES_OF_SECONDS = 'one "seconds Wh" pair per line, cumulative'
SERIES_OF_UNIX = 'one "UNIX-seconds Wh" pair per line, cumulative'


class NothingChosenError(AdviceError):
    """An action needs something that is not chosen."""


class Picking(Desk):
    """What happens in the fields of a form."""

    # Fields.

    @on(FieldRow.Edited)
    def _edited(self, event: FieldRow.Edited) -> None:
        path, value = event.path, event.value
        if path[-1:] == ("type",):
            self.apply(lambda tree: building.set_type(tree, path[:-1], str(value), [DEFAULT_SKY.prediction(tree)]))
            return
        self.apply(lambda tree: building.set_field(tree, path, value), merge_key=path)

    @on(FieldRow.Left)
    def _left(self) -> None:
        if self.work is not None:
            self.work.history.settle()

    @on(FieldRow.Asked)
    def _asked(self, event: FieldRow.Asked) -> None:
        path = event.path
        if path[-1] == "load_profile":
            self.begin(self._pick_profile, path)
        elif path[-1] == "device":
            self.begin(self._pick_device, path[:-1])
        elif path[-1] == "*name":
            self._rename_profile(path[:-1])
        elif path[0] == "load_profiles":
            self.begin(self._pick_energy_of_profile, path)
        elif path[-1] == "predictions":
            self.begin(self.add_forecast, path[:-1])
        else:
            self.begin(self._pick_production, path)

    async def pick(self, title: str, items: list[Item], current: str | None = None) -> str | None:
        """Let one of some items be picked, with its picture."""
        work = self.open_work()
        picture = choices.picture_of(work.tree, work.folder)
        return await self.app.push_screen_wait(Picker(title, items, picture=picture, current=current))

    async def _pick_series_file(self, title: str, details: str) -> Path | None:
        work = self.open_work()
        dialog = PickPath(title, work.folder, suffixes=SERIES_SUFFIXES, details=details)
        return await self.app.push_screen_wait(dialog)

    async def _pick_profile(self, path: KeyPath) -> None:
        tree = self.open_work().tree
        now = text(at(tree, path))
        items = [*choices.profile_items(tree), choices.file_item(SERIES_OF_SECONDS)]
        if path[0] == "jobs" or now:
            items.append(
                Item(NONE, "None", "use the device's" if path[0] == "jobs" else "each job names its own", "Other")
            )
        picked = await self.pick("Load profile", items, choices.item_of_profile(tree, now) if now else None)
        if picked == NONE:
            self.apply(lambda tree: building.set_field(tree, path, None))
        elif picked == FILE:
            chosen = await self.profile_from_file()
            if chosen is not None:
                name, entry = chosen
                self.apply(lambda tree: building.choose_profile(tree, path, name, entry))
        elif picked is not None and (wanted := choices.profile_named(picked)) is not None:
            self.apply(lambda tree: building.choose_profile(tree, path, wanted))

    async def profile_from_file(self) -> tuple[str, dict[str, Any]] | None:
        """Ask for a file; return name and entry of a load profile."""
        file = await self._pick_series_file(
            "Load profile from a file", f"{SERIES_OF_SECONDS[0].upper()}{SERIES_OF_SECONDS[1:]}, starting at 0 s."
        )
        if file is None:
            return None
        work = self.open_work()
        entry = {"file": file_reference(file, work)}
        profiles = outline.profiles(work.tree)
        name = file.stem
        if profiles.get(name) != entry:
            name = ids.free_id(profiles, name)
        return name, entry

    async def _pick_device(self, ref: Ref) -> None:
        tree = self.open_work().tree
        now = outline.device_ref(tree, *outline.key_of_job(at(tree, ref)))
        current = f"{now[1]}.{now[3]}" if now else None
        picked = await self.pick("Which device runs the job?", choices.consumer_items(tree), current)
        if picked is not None:
            house_id, device_id = outline.ids_of(tree, device_ref(picked))
            self.apply(lambda tree: building.move_job(tree, ref, house_id, device_id))

    def _rename_profile(self, ref: Ref) -> None:
        taken = outline.profiles(self.open_work().tree)

        def problem(name: str) -> str | None:
            if not name.strip():
                return "Enter a name."
            return "This name is already taken." if name != ref[-1] and name in taken else None

        def chosen(name: str | None) -> None:
            if name is not None:
                self.apply(lambda tree: building.rename_profile(tree, ref, name.strip()))

        self.app.push_screen(AskText("Name of the load profile", "", str(ref[-1]), problem), chosen)

    async def _pick_energy_of_profile(self, ref: Ref) -> None:
        tree = self.open_work().tree
        items = [*choices.profile_items(tree, own=False), choices.file_item(SERIES_OF_SECONDS)]
        picked = await self.pick(f"Energy of {ref[-1]}", items)
        if picked == FILE:
            chosen = await self.profile_from_file()
            if chosen is not None:
                entry = chosen[1]
                self.apply(lambda _: Change(f"energy of {ref[-1]}", (Put(ref, entry),)))
        elif picked is not None and (name := choices.appliance_named(picked)) is not None:
            entry = building.profile_entry(APPLIANCES[name])
            self.apply(lambda _: Change(f"energy of {ref[-1]}", (Put(ref, entry),)))

    async def _pick_production(self, path: KeyPath) -> None:
        tree = self.open_work().tree
        is_actual = path[-1] == "actual"
        items = [*choices.sky_items(), choices.file_item(SERIES_OF_UNIX)]
        if is_actual:
            items.append(Item(REMOVE, "Same as forecast", "no measured production", "Other"))
        elif len(at(tree, path[:-1]) or []) > 1:
            items.append(Item(REMOVE, "Remove this forecast", "", "Other"))
        title = "Actual production" if is_actual else "Forecast"
        picked = await self.pick(title, items)
        if picked == REMOVE:
            self.apply(lambda _: Change(f"remove {'production' if is_actual else 'forecast'}", (Remove(path),)))
            return
        entry = await self.production_of(picked, tree)
        if entry is not None:
            entry.pop("issued", None)
            issued = {} if is_actual else {"issued": at(tree, (*path, "issued")) or "00:00"}
            self.apply(lambda _: Change(title.lower(), (Put(path, {**issued, **entry}),)))

    async def production_of(self, picked: str | None, tree: Tree) -> dict[str, Any] | None:
        """Return what was picked for a producer, as it stands in a file; None: nothing."""
        if picked is None:
            return None
        if picked != FILE:
            return choices.sky_named(picked, tree)
        details = f"{SERIES_OF_UNIX[0].upper()}{SERIES_OF_UNIX[1:]}."
        file = await self._pick_series_file("Production from a file", details)
        return None if file is None else {"file": file_reference(file, self.open_work())}

    async def add_forecast(self, ref: Ref) -> None:
        """Add a forecast to a producer."""
        tree = self.open_work().tree
        items = [*choices.sky_items(), choices.file_item(SERIES_OF_UNIX)]
        entry = await self.production_of(await self.pick("Add a forecast", items), tree)
        if entry is None:
            return
        origin = Origin.of(tree.get("start"))
        old = [prediction.get("issued") for _, prediction in outline.items(at(tree, (*ref, "predictions")))]
        known = [time_s for issued in old if (time_s := seconds(issued, origin)) is not None]
        issued = in_form_of(max(known) + 6 * 3600, origin, old[-1]) if known else "00:00"
        path = (*ref, "predictions")
        self.apply(lambda _: Change("add forecast", (Insert(path, len(old), ({**entry, "issued": issued},)),)))

    def open_work(self) -> Work:
        """Return what is open."""
        if self.work is None:
            raise NothingChosenError("No neighbourhood is open.")
        return self.work


def device_ref(picked: str) -> Ref:
    """Return the device that an item of `consumer_items` stands for."""
    house, device = re.findall(r"\d+", picked)
    return ("houses", int(house), "devices", int(device))
