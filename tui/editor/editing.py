"""What a person does to a neighbourhood that is open: each action is a key, a button or a palette entry."""

from __future__ import annotations

import asyncio

from scenarios.appliances import APPLIANCES
from scenarios.importers.pyssmic_xml import read_jobs
from tui.editor import building, choices, outline
from tui.editor.changes import Change
from tui.editor.choices import EMPTY, FILE
from tui.editor.jobs import JobsTable
from tui.editor.jobs_xml import add_input_jobs
from tui.editor.notes import Notes
from tui.editor.outline import Ref, Tree, at
from tui.editor.picker import Item, Picker
from tui.editor.picking import SERIES_OF_SECONDS, SERIES_OF_UNIX, NothingChosenError, Picking, device_ref
from tui.shell.dialogs import PickPath


class Editing(Picking):
    """Houses, devices, jobs, load profiles: add, remove, find, undo."""

    # Adding.

    def action_add_house(self) -> None:
        """Add a house."""
        self.apply(building.add_house, focus=True)

    async def _add_device(self) -> None:
        tree = self.open_work().tree
        house = self._house_ref()
        if house is None:
            houses = choices.house_items(tree)
            if not houses:
                raise NothingChosenError("Add a house first.")
            picked = await self.pick("Which house gets the device?", houses)
            if picked is None:
                return
            house = ("houses", int(picked))
        items = [
            *choices.profile_items(tree, own=False),
            Item(EMPTY, "Other consumer", "empty: choose its load profile in the form", "Other consumers"),
            *choices.sky_items(),
            Item(FILE, "PV panels with a forecast from a file ...", SERIES_OF_UNIX, is_way=True),
        ]
        picked = await self.pick(f"Add a device to {outline.title_of(tree, house)}", items)
        if picked is None:
            return
        name = choices.appliance_named(picked)
        if picked == EMPTY or name is not None:
            appliance = APPLIANCES[name] if name else None
            self.apply(lambda tree: building.add_consumer(tree, house, appliance), focus=True)
            return
        entry = await self.production_of(picked, tree)
        if entry is not None:
            prediction = {"issued": "00:00", **entry}
            self.apply(lambda tree: building.add_producer(tree, house, [prediction]), focus=True)

    def action_add_device(self) -> None:
        """Pick a device to add."""
        self.begin(self._add_device)

    async def _add_job(self) -> None:
        tree = self.open_work().tree
        device = self._consumer_ref()
        if device is None:
            items = choices.consumer_items(tree)
            if not items:
                raise NothingChosenError("Add a consumer to a house first.")
            picked = await self.pick("Which device runs the job?", items)
            device = None if picked is None else device_ref(picked)
        if device is not None:
            ids = outline.ids_of(tree, device)
            self.apply(lambda tree: building.add_job(tree, *ids), focus=True)

    def action_add_job(self) -> None:
        """Add a job to the device that is chosen, or to one that is picked."""
        self.begin(self._add_job)

    def action_add_forecast(self) -> None:
        """Add a forecast to the producer that is chosen."""
        if outline.kind_of(self.ref) == "device":
            self.begin(self.add_forecast, self.ref)

    def action_add_profile(self) -> None:
        """Bring a load profile into the file."""
        self.begin(self._add_profile)

    async def _add_profile(self) -> None:
        tree = self.open_work().tree
        known = outline.profiles(tree)
        items = [item for item in choices.profile_items(tree) if choices.profile_named(item.id) not in known]
        picked = await self.pick("Add a load profile", [*items, choices.file_item(SERIES_OF_SECONDS)])
        if picked == FILE:
            chosen = await self.profile_from_file()
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
        label = build(self.open_work().tree, ref).label
        stay = outline.kind_of(self.ref) == "jobs"

        def removal(tree: Tree) -> Change:
            change = build(tree, ref)
            return Change(change.label, change.steps, outline.JOBS) if stay else change

        self.apply(removal)
        self.notify(f"Removed {label.removeprefix('remove ')}. Ctrl+Z to undo.")

    def action_duplicate(self) -> None:
        """Add another one like what is chosen."""
        self.apply(lambda tree: building.duplicate(tree, self.ref))

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
        items, refs = choices.part_items(self.open_work().tree)

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
        if outline.kind_of(ref) == "job":
            ref = outline.parent_of(tree, ref)
        if outline.kind_of(ref) in {"house", "device"}:
            return ref[:2]
        all_houses = list(outline.houses(tree))
        return ("houses", all_houses[0][0]) if len(all_houses) == 1 else None

    def _consumer_ref(self) -> Ref | None:
        tree = self.open_work().tree
        ref = outline.parent_of(tree, self.ref) if outline.kind_of(self.ref) == "job" else self.ref
        is_consumer = outline.kind_of(ref) == "device" and at(tree, (*ref, "type")) != "producer"
        return ref if is_consumer else None
