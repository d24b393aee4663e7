"""What a person does to a neighbourhood that is open: each action is a key, a button or a palette entry."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from textual import on

from broker.errors import SsmicError
from scenarios.appliances import APPLIANCES
from scenarios.files.findings import KeyPath
from scenarios.importers.neighbourhood_xml import read_jobs
from tui.editor import building, choices, outline
from tui.editor.changes import Change, Insert, Put, Remove
from tui.editor.choices import EMPTY, FILE, NONE, REMOVE
from tui.editor.desk import Desk
from tui.editor.fields import FieldRow
from tui.editor.jobs import JobsTable
from tui.editor.jobs_xml import add_input_jobs
from tui.editor.moments import Origin, in_form_of, seconds
from tui.editor.notes import Notes
from tui.editor.outline import Ref, Tree, at, text
from tui.editor.picker import Item, Picker
from tui.editor.sky import DEFAULT_SKY
from tui.editor.work import Work, file_reference
from tui.shell.dialogs import AskText, PickPath

SERIES_SUFFIXES = (".csv", ".txt", ".dat")


class NothingChosenError(SsmicError):
    """An action needs something that is not chosen."""


class Editing(Desk):
    """Houses, devices, jobs, load profiles: add, change, remove, undo."""

    # Fields.

    @on(FieldRow.Edited)
    def _edited(self, event: FieldRow.Edited) -> None:
        path, value = event.row.field.path, event.value
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
        path = event.row.field.path
        if path[-1] == "load_profile":
            self.begin(self._pick_profile, path)
        elif path[-1] == "device":
            self.begin(self._pick_device, path[:-1])
        elif path[-1] == "*name":
            self._rename_profile(path[:-1])
        elif path[0] == "load_profiles":
            self.begin(self._pick_energy_of_profile, path)
        elif path[-1] == "predictions":
            self.begin(self._add_forecast, path[:-1])
        else:
            self.begin(self._pick_production, path)

    async def _pick(self, title: str, items: list[Item], current: str | None = None) -> str | None:
        work = self._open_work()
        picture = choices.picture_of(work.tree, work.folder)
        return await self.app.push_screen_wait(Picker(title, items, picture=picture, current=current))

    async def _pick_series_file(self, title: str, details: str) -> Path | None:
        work = self._open_work()
        dialog = PickPath(title, work.folder, suffixes=SERIES_SUFFIXES, details=details)
        return await self.app.push_screen_wait(dialog)

    async def _pick_profile(self, path: KeyPath) -> None:
        tree = self._open_work().tree
        now = text(at(tree, path))
        items = [*choices.profile_items(tree), choices.file_item("'seconds Wh' a line, cumulative")]
        if path[0] == "jobs" or now:
            items.append(Item(NONE, "None", "the device's" if path[0] == "jobs" else "each job names its own", "Other"))
        picked = await self._pick("Load profile", items, choices.item_of_profile(tree, now) if now else None)
        if picked == NONE:
            self.apply(lambda tree: building.set_field(tree, path, None))
        elif picked == FILE:
            chosen = await self._profile_from_file()
            if chosen is not None:
                name, entry = chosen
                self.apply(lambda tree: building.choose_profile(tree, path, name, entry))
        elif picked is not None and (wanted := choices.profile_named(picked)) is not None:
            self.apply(lambda tree: building.choose_profile(tree, path, wanted))

    async def _profile_from_file(self) -> tuple[str, dict[str, Any]] | None:
        file = await self._pick_series_file("Load profile from a file", "Lines of seconds and cumulative Wh, from 0 s.")
        if file is None:
            return None
        work = self._open_work()
        entry = {"file": file_reference(file, work)}
        profiles = outline.profiles(work.tree)
        name = file.stem
        if profiles.get(name) != entry:
            name = building.free_id(profiles, name)
        return name, entry

    async def _pick_device(self, ref: Ref) -> None:
        tree = self._open_work().tree
        now = outline.device_ref(tree, *outline.key_of_job(at(tree, ref)))
        current = f"{now[1]}.{now[3]}" if now else None
        picked = await self._pick("Which device runs the job?", choices.consumer_items(tree), current)
        if picked is not None:
            house_id, device_id = outline.ids_of(tree, _device_ref(picked))
            self.apply(lambda tree: building.move_job(tree, ref, house_id, device_id))

    def _rename_profile(self, ref: Ref) -> None:
        taken = outline.profiles(self._open_work().tree)

        def problem(name: str) -> str | None:
            if not name.strip():
                return "A name is needed."
            return "There is one of this name already." if name != ref[-1] and name in taken else None

        def chosen(name: str | None) -> None:
            if name is not None:
                self.apply(lambda tree: building.rename_profile(tree, ref, name.strip()))

        self.app.push_screen(AskText("Name of the load profile", "", str(ref[-1]), problem), chosen)

    async def _pick_energy_of_profile(self, ref: Ref) -> None:
        tree = self._open_work().tree
        items = [*choices.profile_items(tree, own=False), choices.file_item("'seconds Wh' a line, cumulative")]
        picked = await self._pick(f"Energy of {ref[-1]}", items)
        if picked == FILE:
            chosen = await self._profile_from_file()
            if chosen is not None:
                entry = chosen[1]
                self.apply(lambda _: Change(f"energy of {ref[-1]}", (Put(ref, entry),)))
        elif picked is not None and (name := choices.appliance_named(picked)) is not None:
            entry = building.profile_entry(APPLIANCES[name])
            self.apply(lambda _: Change(f"energy of {ref[-1]}", (Put(ref, entry),)))

    async def _pick_production(self, path: KeyPath) -> None:
        tree = self._open_work().tree
        is_actual = path[-1] == "actual"
        items = [*choices.sky_items(), choices.file_item("'UNIX-seconds Wh' a line, cumulative")]
        if is_actual:
            items.append(Item(REMOVE, "As forecast", "nothing else is known", "Other"))
        elif len(at(tree, path[:-1]) or []) > 1:
            items.append(Item(REMOVE, "Remove this forecast", "", "Other"))
        title = "What the panels really give" if is_actual else "Forecast"
        picked = await self._pick(title, items)
        if picked == REMOVE:
            self.apply(lambda _: Change(f"remove {'production' if is_actual else 'forecast'}", (Remove(path),)))
            return
        entry = await self._production_of(picked, tree)
        if entry is not None:
            entry.pop("issued", None)
            issued = {} if is_actual else {"issued": at(tree, (*path, "issued")) or "00:00"}
            self.apply(lambda _: Change(title.lower(), (Put(path, {**issued, **entry}),)))

    async def _production_of(self, picked: str | None, tree: Tree) -> dict[str, Any] | None:
        if picked is None:
            return None
        if picked != FILE:
            return choices.sky_named(picked, tree)
        details = "Lines of UNIX seconds and cumulative Wh."
        file = await self._pick_series_file("Production from a file", details)
        return None if file is None else {"file": file_reference(file, self._open_work())}

    # Adding.

    def action_add_house(self) -> None:
        """Add a house."""
        self.apply(building.add_house, focus=True)

    async def _add_device(self) -> None:
        tree = self._open_work().tree
        house = self._house_ref()
        if house is None:
            raise NothingChosenError("A device stands in a house: choose the house in the tree, or add one (h).")
        items = [
            *choices.profile_items(tree, own=False),
            Item(EMPTY, "A consumer of another kind", "to be filled in", "Other consumers"),
            *choices.sky_items(),
            Item(FILE, "Panels with a forecast from a file ...", "'UNIX-seconds Wh' a line", "Other"),
        ]
        picked = await self._pick(f"Add a device to {outline.title_of(tree, house)}", items)
        if picked is None:
            return
        name = choices.appliance_named(picked)
        if picked == EMPTY or name is not None:
            appliance = APPLIANCES[name] if name else None
            self.apply(lambda tree: building.add_consumer(tree, house, appliance), focus=True)
            return
        entry = await self._production_of(picked, tree)
        if entry is not None:
            prediction = {"issued": "00:00", **entry}
            self.apply(lambda tree: building.add_producer(tree, house, [prediction]), focus=True)

    def action_add_device(self) -> None:
        """Pick a device to add."""
        self.begin(self._add_device)

    async def _add_job(self) -> None:
        tree = self._open_work().tree
        device = self._consumer_ref()
        if device is None:
            items = choices.consumer_items(tree)
            if not items:
                raise NothingChosenError("A job runs on a consumer: add one to a house first (a).")
            picked = await self._pick("Which device runs the job?", items)
            device = None if picked is None else _device_ref(picked)
        if device is not None:
            ids = outline.ids_of(tree, device)
            self.apply(lambda tree: building.add_job(tree, *ids), focus=True)

    def action_add_job(self) -> None:
        """Add a job to the device that is chosen, or to one that is picked."""
        self.begin(self._add_job)

    def action_add_forecast(self) -> None:
        """Add a forecast to the producer that is chosen."""
        if outline.kind_of(self.ref) == "device":
            self.begin(self._add_forecast, self.ref)

    async def _add_forecast(self, ref: Ref) -> None:
        tree = self._open_work().tree
        items = [*choices.sky_items(), choices.file_item("'UNIX-seconds Wh' a line, cumulative")]
        entry = await self._production_of(await self._pick("Another forecast", items), tree)
        if entry is None:
            return
        origin = Origin.of(tree.get("start"))
        old = [prediction.get("issued") for _, prediction in outline.items(at(tree, (*ref, "predictions")))]
        known = [time_s for issued in old if (time_s := seconds(issued, origin)) is not None]
        issued = in_form_of(max(known) + 6 * 3600, origin, old[-1]) if known else "00:00"
        path = (*ref, "predictions")
        self.apply(lambda _: Change("add forecast", (Insert(path, len(old), ({**entry, "issued": issued},)),)))

    def action_add_profile(self) -> None:
        """Bring a load profile into the file."""
        self.begin(self._add_profile)

    async def _add_profile(self) -> None:
        tree = self._open_work().tree
        known = outline.profiles(tree)
        items = [item for item in choices.profile_items(tree) if choices.profile_named(item.id) not in known]
        picked = await self._pick("Add a load profile", [*items, choices.file_item("'seconds Wh' a line, cumulative")])
        if picked == FILE:
            chosen = await self._profile_from_file()
        else:
            appliance = choices.appliance_named(picked or "")
            chosen = (appliance, building.profile_entry(APPLIANCES[appliance])) if appliance else None
        if chosen is not None:
            name, entry = chosen
            self.apply(
                lambda tree: Change(
                    f"add load profile {name}",
                    tuple(building.profile_steps(tree, name, entry)),
                    ("load_profiles", name),
                )
            )

    async def _add_jobs_xml(self) -> None:
        work = self._open_work()
        details = "PySSMic's jobs XML; its devices are found by the ids of house and device."
        file = await self.app.push_screen_wait(
            PickPath("Add jobs from XML", work.folder, suffixes=(".xml",), details=details)
        )
        if file is None:
            return
        found = await asyncio.to_thread(read_jobs, file)
        added = add_input_jobs(work.tree, found, file.name)
        if added.change is not None:
            self.apply(lambda tree: add_input_jobs(tree, found, file.name).change)
        lead = f"{added.count} of {len(found)} jobs were added."
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
        ref = self.query_one(JobsTable).chosen if outline.kind_of(self.ref) == "jobs" else self.ref
        kind = "" if ref is None else outline.kind_of(ref)
        builders = {
            "house": building.remove_house,
            "device": building.remove_device,
            "job": building.remove_job,
            "profile": building.remove_profile,
        }
        build = builders.get(kind)
        if build is None or ref is None:
            return
        label = build(self._open_work().tree, ref).label
        stay = outline.kind_of(self.ref) == "jobs"

        def removal(tree: Tree) -> Change:
            change = build(tree, ref)
            return Change(change.label, change.steps, outline.JOBS) if stay else change

        self.apply(removal)
        self.notify(f"{label[0].upper()}{label[1:]}: done. Ctrl+Z brings it back.")

    def action_duplicate(self) -> None:
        """Add another one like what is chosen."""
        self.apply(lambda tree: building.duplicate(tree, self.ref))

    def action_undo(self) -> None:
        """Take the last change back."""
        history = self._open_work().history
        change = history.undoable
        if change is not None:
            self.show(history.undo() or self.ref)
            self.notify(f"Undone: {change.label}", timeout=2)

    def action_redo(self) -> None:
        """Make the change again that was taken back last."""
        history = self._open_work().history
        change = history.redoable
        if change is not None:
            self.show(history.redo() or self.ref)
            self.notify(f"Done again: {change.label}", timeout=2)

    # Getting around.

    def action_next_problem(self) -> None:
        """Go to the next problem's field."""
        work = self._open_work()
        if not work.problems:
            self.notify("Nothing is wrong.")
            return
        self._problem = (self._problem + 1) % len(work.problems)
        self.go_to_problem(work.problems[self._problem])

    _problem = -1

    def action_find(self) -> None:
        """Find a part by a text."""
        items, refs = choices.part_items(self._open_work().tree)

        def chosen(picked: str | None) -> None:
            if picked is not None:
                self.go_to(refs[int(picked)])

        self.app.push_screen(Picker("Find", items), chosen)

    def action_to_tree(self) -> None:
        """Go back to the tree."""
        self.query_one("#tree").focus()

    # What is chosen.

    def _open_work(self) -> Work:
        if self.work is None:
            raise NothingChosenError("No neighbourhood is open.")
        return self.work

    def _house_ref(self) -> Ref | None:
        tree = self._open_work().tree
        ref = self.ref
        if outline.kind_of(ref) == "job":
            ref = outline.parent_of(tree, ref)
        if outline.kind_of(ref) in {"house", "device"}:
            return ref[:2]
        all_houses = list(outline.houses(tree))
        return ("houses", all_houses[0][0]) if len(all_houses) == 1 else None

    def _consumer_ref(self) -> Ref | None:
        tree = self._open_work().tree
        ref = outline.parent_of(tree, self.ref) if outline.kind_of(self.ref) == "job" else self.ref
        is_consumer = outline.kind_of(ref) == "device" and at(tree, (*ref, "type")) != "producer"
        return ref if is_consumer else None


def _device_ref(picked: str) -> Ref:
    house, device = re.findall(r"\d+", picked)
    return ("houses", int(house), "devices", int(device))
