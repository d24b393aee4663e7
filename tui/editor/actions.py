"""What a person does to a neighbourhood that is open: each action is a key, a button or a palette entry."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from textual import on

from scenarios import APPLIANCES
from scenarios.files import KeyPath
from scenarios.importers import read_jobs
from tui.editor import commands, picker, tree_model
from tui.editor.commands import add_input_jobs
from tui.editor.dialogs import Notes
from tui.editor.edits import Change, Insert, Put, Remove
from tui.editor.form_view import FieldRow
from tui.editor.jobs_table import JobsTable
from tui.editor.picker import DEFAULT_SKY, EMPTY, FILE, NONE, REMOVE, Item, Picker
from tui.editor.session import Work, file_reference
from tui.editor.time_fields import Origin, in_form_of, seconds
from tui.editor.tree_model import Ref, Tree, at, text
from tui.editor.workspace import Desk
from tui.shell import AdviceError, AskText, PickPath

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
            self.apply(lambda tree: commands.set_type(tree, path[:-1], str(value), [DEFAULT_SKY.prediction(tree)]))
            return
        self.apply(lambda tree: commands.set_field(tree, path, value), merge_key=path)

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
        picture = picker.picture_of(work.tree, work.folder)
        return await self.app.push_screen_wait(Picker(title, items, picture=picture, current=current))

    async def _pick_series_file(self, title: str, details: str) -> Path | None:
        work = self.open_work()
        dialog = PickPath(title, work.folder, suffixes=SERIES_SUFFIXES, details=details)
        return await self.app.push_screen_wait(dialog)

    async def _pick_profile(self, path: KeyPath) -> None:
        tree = self.open_work().tree
        now = text(at(tree, path))
        items = [*picker.profile_items(tree), picker.file_item(SERIES_OF_SECONDS)]
        if path[0] == "jobs" or now:
            items.append(
                Item(NONE, "None", "use the device's" if path[0] == "jobs" else "each job names its own", "Other")
            )
        picked = await self.pick("Load profile", items, picker.item_of_profile(tree, now) if now else None)
        if picked == NONE:
            self.apply(lambda tree: commands.set_field(tree, path, None))
        elif picked == FILE:
            chosen = await self.profile_from_file()
            if chosen is not None:
                name, entry = chosen
                self.apply(lambda tree: commands.choose_profile(tree, path, name, entry))
        elif picked is not None and (wanted := picker.profile_named(picked)) is not None:
            self.apply(lambda tree: commands.choose_profile(tree, path, wanted))

    async def profile_from_file(self) -> tuple[str, dict[str, Any]] | None:
        """Ask for a file; return name and entry of a load profile."""
        file = await self._pick_series_file(
            "Load profile from a file", f"{SERIES_OF_SECONDS[0].upper()}{SERIES_OF_SECONDS[1:]}, starting at 0 s."
        )
        if file is None:
            return None
        work = self.open_work()
        entry = {"file": file_reference(file, work)}
        profiles = tree_model.profiles(work.tree)
        name = file.stem
        if profiles.get(name) != entry:
            name = commands.free_id(profiles, name)
        return name, entry

    async def _pick_device(self, ref: Ref) -> None:
        tree = self.open_work().tree
        now = tree_model.device_ref(tree, *tree_model.key_of_job(at(tree, ref)))
        current = f"{now[1]}.{now[3]}" if now else None
        picked = await self.pick("Which device runs the job?", picker.consumer_items(tree), current)
        if picked is not None:
            house_id, device_id = tree_model.ids_of(tree, device_ref(picked))
            self.apply(lambda tree: commands.move_job(tree, ref, house_id, device_id))

    def _rename_profile(self, ref: Ref) -> None:
        taken = tree_model.profiles(self.open_work().tree)

        def problem(name: str) -> str | None:
            if not name.strip():
                return "Enter a name."
            return "This name is already taken." if name != ref[-1] and name in taken else None

        def chosen(name: str | None) -> None:
            if name is not None:
                self.apply(lambda tree: commands.rename_profile(tree, ref, name.strip()))

        self.app.push_screen(AskText("Name of the load profile", "", str(ref[-1]), problem), chosen)

    async def _pick_energy_of_profile(self, ref: Ref) -> None:
        tree = self.open_work().tree
        items = [*picker.profile_items(tree, own=False), picker.file_item(SERIES_OF_SECONDS)]
        picked = await self.pick(f"Energy of {ref[-1]}", items)
        if picked == FILE:
            chosen = await self.profile_from_file()
            if chosen is not None:
                entry = chosen[1]
                self.apply(lambda _: Change(f"energy of {ref[-1]}", (Put(ref, entry),)))
        elif picked is not None and (name := picker.appliance_named(picked)) is not None:
            entry = commands.profile_entry(APPLIANCES[name])
            self.apply(lambda _: Change(f"energy of {ref[-1]}", (Put(ref, entry),)))

    async def _pick_production(self, path: KeyPath) -> None:
        tree = self.open_work().tree
        is_actual = path[-1] == "actual"
        items = [*picker.sky_items(), picker.file_item(SERIES_OF_UNIX)]
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
            return picker.sky_named(picked, tree)
        details = f"{SERIES_OF_UNIX[0].upper()}{SERIES_OF_UNIX[1:]}."
        file = await self._pick_series_file("Production from a file", details)
        return None if file is None else {"file": file_reference(file, self.open_work())}

    async def add_forecast(self, ref: Ref) -> None:
        """Add a forecast to a producer."""
        tree = self.open_work().tree
        items = [*picker.sky_items(), picker.file_item(SERIES_OF_UNIX)]
        entry = await self.production_of(await self.pick("Add a forecast", items), tree)
        if entry is None:
            return
        origin = Origin.of(tree.get("start"))
        old = [prediction.get("issued") for _, prediction in tree_model.items(at(tree, (*ref, "predictions")))]
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


class Editing(Picking):
    """Houses, devices, jobs, load profiles: add, remove, find, undo."""

    # Adding.

    def action_add_house(self) -> None:
        """Add a house."""
        self.apply(commands.add_house, focus=True)

    async def _add_device(self) -> None:
        tree = self.open_work().tree
        house = self._house_ref()
        if house is None:
            houses = picker.house_items(tree)
            if not houses:
                raise NothingChosenError("Add a house first.")
            picked = await self.pick("Which house gets the device?", houses)
            if picked is None:
                return
            house = ("houses", int(picked))
        items = [
            *picker.profile_items(tree, own=False),
            Item(EMPTY, "Other consumer", "empty: choose its load profile in the form", "Other consumers"),
            *picker.sky_items(),
            Item(FILE, "PV panels with a forecast from a file ...", SERIES_OF_UNIX, is_way=True),
        ]
        picked = await self.pick(f"Add a device to {tree_model.title_of(tree, house)}", items)
        if picked is None:
            return
        name = picker.appliance_named(picked)
        if picked == EMPTY or name is not None:
            appliance = APPLIANCES[name] if name else None
            self.apply(lambda tree: commands.add_consumer(tree, house, appliance), focus=True)
            return
        entry = await self.production_of(picked, tree)
        if entry is not None:
            prediction = {"issued": "00:00", **entry}
            self.apply(lambda tree: commands.add_producer(tree, house, [prediction]), focus=True)

    def action_add_device(self) -> None:
        """Pick a device to add."""
        self.begin(self._add_device)

    async def _add_job(self) -> None:
        tree = self.open_work().tree
        device = self._consumer_ref()
        if device is None:
            items = picker.consumer_items(tree)
            if not items:
                raise NothingChosenError("Add a consumer to a house first.")
            picked = await self.pick("Which device runs the job?", items)
            device = None if picked is None else device_ref(picked)
        if device is not None:
            ids = tree_model.ids_of(tree, device)
            self.apply(lambda tree: commands.add_job(tree, *ids), focus=True)

    def action_add_job(self) -> None:
        """Add a job to the device that is chosen, or to one that is picked."""
        self.begin(self._add_job)

    def action_add_forecast(self) -> None:
        """Add a forecast to the producer that is chosen."""
        if tree_model.kind_of(self.ref) == "device":
            self.begin(self.add_forecast, self.ref)

    def action_add_profile(self) -> None:
        """Bring a load profile into the file."""
        self.begin(self._add_profile)

    async def _add_profile(self) -> None:
        tree = self.open_work().tree
        known = tree_model.profiles(tree)
        items = [item for item in picker.profile_items(tree) if picker.profile_named(item.id) not in known]
        picked = await self.pick("Add a load profile", [*items, picker.file_item(SERIES_OF_SECONDS)])
        if picked == FILE:
            chosen = await self.profile_from_file()
        else:
            appliance = picker.appliance_named(picked or "")
            chosen = (appliance, commands.profile_entry(APPLIANCES[appliance])) if appliance else None
        if chosen is not None:
            name, entry = chosen
            self.apply(
                lambda tree: Change(
                    f"add load profile {name}",
                    tuple(commands.profile_steps(tree, name, entry)),
                    ("load_profiles", name),
                )
            )

    async def _add_jobs_xml(self) -> None:
        work = self.open_work()
        details = "PySSMic's jobs in XML. Each job goes to the device with its house id and device id."
        file = await self.app.push_screen_wait(
            PickPath("Import jobs from XML", work.folder, suffixes=(".xml",), details=details)
        )
        if file is None:
            return
        found = await asyncio.to_thread(read_jobs, file)
        added = add_input_jobs(work.tree, found, file.name)
        if added.change is not None:
            self.apply(lambda tree: add_input_jobs(tree, found, file.name).change)
        lead = f"Added {added.count} of {len(found)} jobs."
        if added.notes:
            await self.app.push_screen_wait(Notes("Jobs from XML", lead, added.notes))
        else:
            self.notify(lead)

    def action_add_jobs_xml(self) -> None:
        """Add jobs from XML."""
        self.begin(self._add_jobs_xml)

    # Removing, going back and forth.

    def action_remove(self) -> None:
        """Remove what is chosen; undo brings it back."""
        ref = self.query_one(JobsTable).chosen if tree_model.kind_of(self.ref) == "jobs" else self.ref
        kind = "" if ref is None else tree_model.kind_of(ref)
        builders = {
            "house": commands.remove_house,
            "device": commands.remove_device,
            "job": commands.remove_job,
            "profile": commands.remove_profile,
        }
        build = builders.get(kind)
        if build is None or ref is None:
            return
        label = build(self.open_work().tree, ref).label
        stay = tree_model.kind_of(self.ref) == "jobs"

        def removal(tree: Tree) -> Change:
            change = build(tree, ref)
            return Change(change.label, change.steps, tree_model.JOBS) if stay else change

        self.apply(removal)
        self.notify(f"Removed {label.removeprefix('remove ')}. Ctrl+Z to undo.")

    def action_duplicate(self) -> None:
        """Add another one like what is chosen."""
        self.apply(lambda tree: commands.duplicate(tree, self.ref))

    def action_undo(self) -> None:
        """Take the last change back."""
        history = self.open_work().history
        change = history.undoable
        if change is not None:
            self.show(history.undo() or self.ref)
            self.notify(f"Undid: {change.label}", timeout=2)

    def action_redo(self) -> None:
        """Make the change again that was taken back last."""
        history = self.open_work().history
        change = history.redoable
        if change is not None:
            self.show(history.redo() or self.ref)
            self.notify(f"Redid: {change.label}", timeout=2)

    # Getting around.

    def action_next_problem(self) -> None:
        """Go to the next problem's field."""
        work = self.open_work()
        if not work.problems:
            self.notify("No problems.")
            return
        self._problem = (self._problem + 1) % len(work.problems)
        self.go_to_problem(work.problems[self._problem])

    _problem = -1

    def action_find(self) -> None:
        """Find a part by a text."""
        items, refs = picker.part_items(self.open_work().tree)

        def chosen(picked: str | None) -> None:
            if picked is not None:
                self.go_to(refs[int(picked)])

        self.app.push_screen(Picker("Find a house, device, job or load profile", items), chosen)

    def action_to_tree(self) -> None:
        """Go back to the tree."""
        self.query_one("#tree").focus()

    # What is chosen.

    def _house_ref(self) -> Ref | None:
        tree = self.open_work().tree
        ref = self.ref
        if tree_model.kind_of(ref) == "job":
            ref = tree_model.parent_of(tree, ref)
        if tree_model.kind_of(ref) in {"house", "device"}:
            return ref[:2]
        all_houses = list(tree_model.houses(tree))
        return ("houses", all_houses[0][0]) if len(all_houses) == 1 else None

    def _consumer_ref(self) -> Ref | None:
        tree = self.open_work().tree
        ref = tree_model.parent_of(tree, self.ref) if tree_model.kind_of(self.ref) == "job" else self.ref
        is_consumer = tree_model.kind_of(ref) == "device" and at(tree, (*ref, "type")) != "producer"
        return ref if is_consumer else None
