"""Edit actions: add, change, remove, find, undo. Each is a key, a button or a palette entry of the screen."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from textual.screen import ModalScreen

from scenarios import APPLIANCES, free_id
from scenarios.files import MEASURED_SUFFIXES, KeyPath, Remedy, YamlValue
from scenarios.importers import read_jobs
from tui.editor import picker, tree_changes, tree_model
from tui.editor.dialogs import ChooseSeveral, Notes
from tui.editor.edit_history import Change, Insert, Put, Remove
from tui.editor.forms import TAXED, RunStart, change_for, in_form_of, seconds, taxed_now
from tui.editor.picker import DEFAULT_SKY, EMPTY, FILE, NONE, REMOVE, Picker, PickerItem
from tui.editor.scripts import remove_entry
from tui.editor.series import SeriesDialog, entry_of, is_plain
from tui.editor.session import EditedNeighbourhood, EditSession, file_reference
from tui.editor.tree_changes import add_input_jobs
from tui.editor.tree_model import Ref, Tree, at, text
from tui.shell import AdviceError, AskText, PickPath

SERIES_SUFFIXES = (*MEASURED_SUFFIXES, ".txt", ".dat")
SERIES_OF_SECONDS = "of a meter or portal (CSV, gzip, Parquet), or seconds and cumulative Wh in each line"
SERIES_OF_UNIX = "of a meter or portal (CSV, gzip, Parquet), or UNIX seconds and cumulative Wh in each line"


AnswerT = TypeVar("AnswerT")


class NothingChosenError(AdviceError):
    """An action needs a selection that is not there."""


class User(Protocol):
    """The user, who answers dialogs and reads notices."""

    async def ask(self, dialog: ModalScreen[AnswerT]) -> AnswerT:
        """Show a dialog; return its answer."""
        ...

    def tell(
        self,
        text: str,
        *,
        severity: Literal["information", "warning", "error"] = "information",
        timeout_wall_s: float | None = None,
    ) -> None:
        """Show a notice.

        Args:
            text: Its text.
            severity: Its colour.
            timeout_wall_s: How long it stays; None: as long as any notice.
        """
        ...

    def complain(self, error: BaseException, title: str = "") -> None:
        """Show an error as a notice."""
        ...


class FieldActions:
    """Actions in the fields of a form: a value is typed or picked from a list."""

    def __init__(self, session: EditSession, user: User) -> None:
        """Make the actions.

        Args:
            session: The edit session that they change.
            user: The user, for questions and notices.
        """
        self._session = session
        self._user = user

    def set_field(self, path: KeyPath, value: YamlValue) -> None:
        """Set a field to what was typed or chosen in it."""
        if path[-1:] == ("type",):
            forecast = DEFAULT_SKY.prediction
            self._session.apply(lambda tree: tree_changes.set_type(tree, path[:-1], str(value), [forecast(tree)]))
            return
        self._session.apply(lambda tree: tree_changes.set_field(tree, path, value), merge_key=path)

    def leave_field(self) -> None:
        """End the typing in a field, so that further typing is a separate undo step."""
        if self._session.work is not None:
            self._session.work.history.settle()

    async def pick_value(self, path: KeyPath) -> None:
        """Let the user pick the value of a field from a list."""
        if path[:1] == tree_model.COMMUNITY:
            await self._pick_taxed(path)
        elif path[-1] == "load_profile":
            await self._pick_profile(path)
        elif path[-1] == "device":
            await self._pick_device(path[:-1])
        elif path[-1] == "*name":
            await self._rename_profile(path[:-1])
        elif path[0] == "load_profiles":
            await self._pick_energy_of_profile(path)
        elif path[-1] == "predictions":
            await self.add_forecast(path[:-1])
        else:
            await self._pick_production(path)

    async def _pick_taxed(self, path: KeyPath) -> None:
        chosen = taxed_now(self.open_work().tree)
        picked = await self._user.ask(ChooseSeveral("Value added tax on", TAXED, chosen))
        if picked is not None:
            self._session.apply(lambda tree: tree_changes.set_field(tree, path, list(picked)))

    async def pick(self, title: str, items: list[PickerItem], current: str | None = None) -> str | None:
        """Let the user pick an item from a list that shows a chart of each.

        Args:
            title: Title of the dialog.
            items: The choices.
            current: Id of the item that the cursor begins on; None: the first.

        Returns:
            The id of the item; None if the user went back.
        """
        work = self.open_work()
        picture = picker.picture_of(work.tree, work.folder, allow_outside=work.allow_outside)
        return await self._user.ask(Picker(title, items, picture=picture, current=current))

    async def _pick_series_file(self, title: str, details: str) -> Path | None:
        work = self.open_work()
        dialog = PickPath(title, work.folder, suffixes=SERIES_SUFFIXES, details=details)
        return await self._user.ask(dialog)

    async def _pick_profile(self, path: KeyPath) -> None:
        tree = self.open_work().tree
        now = text(at(tree, path))
        items = [*picker.profile_items(tree), picker.file_item(SERIES_OF_SECONDS)]
        if path[0] == "jobs" or now:
            items.append(
                PickerItem(NONE, "None", "use the device's" if path[0] == "jobs" else "each job names its own", "Other")
            )
        picked = await self.pick("Load profile", items, picker.item_of_profile(tree, now) if now else None)
        if picked == NONE:
            self._session.apply(lambda tree: tree_changes.set_field(tree, path, None))
        elif picked == FILE:
            chosen = await self.profile_from_file()
            if chosen is not None:
                name, entry = chosen
                self._session.apply(lambda tree: tree_changes.choose_profile(tree, path, name, entry))
        elif picked is not None and (wanted := picker.profile_named(picked)) is not None:
            self._session.apply(lambda tree: tree_changes.choose_profile(tree, path, wanted))

    async def profile_from_file(self) -> tuple[str, dict[str, Any]] | None:
        """Ask for a file; return the name and the YAML entry of a load profile that reads it, or None."""
        file = await self._pick_series_file("Load profile from a file", f"A series {SERIES_OF_SECONDS}.")
        entry = None if file is None else await self.entry_of_file(file, is_run=True)
        if file is None or entry is None:
            return None
        work = self.open_work()
        profiles = tree_model.profiles(work.tree)
        name = file.stem
        if profiles.get(name) != entry:
            name = free_id(profiles, name)
        return name, entry

    async def _pick_device(self, ref: Ref) -> None:
        tree = self.open_work().tree
        now = tree_model.device_ref(tree, *tree_model.key_of_job(at(tree, ref)))
        current = f"{now[1]}.{now[3]}" if now else None
        picked = await self.pick("Which device runs the job?", picker.consumer_items(tree), current)
        if picked is not None:
            house_id, device_id = tree_model.ids_of(tree, device_ref(picked))
            self._session.apply(lambda tree: tree_changes.move_job(tree, ref, house_id, device_id))

    async def _rename_profile(self, ref: Ref) -> None:
        taken = tree_model.profiles(self.open_work().tree)

        def problem(name: str) -> str | None:
            if not name.strip():
                return "Enter a name."
            return "This name is already taken." if name != ref[-1] and name in taken else None

        name = await self._user.ask(AskText("Name of the load profile", "", str(ref[-1]), problem))
        if name is not None:
            self._session.apply(lambda tree: tree_changes.rename_profile(tree, ref, name.strip()))

    async def _pick_energy_of_profile(self, ref: Ref) -> None:
        tree = self.open_work().tree
        items = [*picker.profile_items(tree, own=False), picker.file_item(SERIES_OF_SECONDS)]
        picked = await self.pick(f"Energy of {ref[-1]}", items)
        if picked == FILE:
            chosen = await self.profile_from_file()
            if chosen is not None:
                entry = chosen[1]
                self._session.apply(lambda _: Change(f"energy of {ref[-1]}", (Put(ref, entry),)))
        elif picked is not None and (name := picker.appliance_named(picked)) is not None:
            entry = tree_changes.profile_entry(APPLIANCES[name])
            self._session.apply(lambda _: Change(f"energy of {ref[-1]}", (Put(ref, entry),)))

    async def _pick_production(self, path: KeyPath) -> None:
        tree = self.open_work().tree
        is_actual = path[-1] == "actual"
        items = [*picker.sky_items(), picker.file_item(SERIES_OF_UNIX)]
        if is_actual:
            items.append(PickerItem(REMOVE, "Same as forecast", "no measured production", "Other"))
        elif len(at(tree, path[:-1]) or []) > 1:
            items.append(PickerItem(REMOVE, "Remove this forecast", "", "Other"))
        title = "Actual production" if is_actual else "Forecast"
        picked = await self.pick(title, items)
        if picked == REMOVE:
            self._session.apply(
                lambda _: Change(f"remove {'production' if is_actual else 'forecast'}", (Remove(path),))
            )
            return
        entry = await self.production_of(picked, tree)
        if entry is not None:
            entry.pop("issued", None)
            issued = {} if is_actual else {"issued": at(tree, (*path, "issued")) or "00:00"}
            self._session.apply(lambda _: Change(title.lower(), (Put(path, {**issued, **entry}),)))

    async def production_of(self, picked: str | None, tree: Tree) -> dict[str, Any] | None:
        """Return the YAML entry of a production that was picked; None if the user went back.

        Args:
            picked: Id of an item, as returned by `pick`.
            tree: The plain data of the open neighbourhood.
        """
        if picked is None:
            return None
        if picked != FILE:
            return picker.sky_named(picked, tree)
        file = await self._pick_series_file("Production from a file", f"A series {SERIES_OF_UNIX}.")
        return None if file is None else await self.entry_of_file(file)

    async def entry_of_file(self, file: Path, *, is_run: bool = False) -> dict[str, Any] | None:
        """Return the YAML entry that reads a series from a file; None if the user went back.

        Properties that a file of measurements does not state are assumed, shown, and can be changed.

        Args:
            file: The file.
            is_run: Whether it is one run of a device.
        """
        work = self.open_work()
        reference = file_reference(file, work)
        if await asyncio.to_thread(is_plain, file, is_run=is_run):
            return {"file": reference}
        measured = await self._user.ask(SeriesDialog(file, text(work.tree.get("zone")), is_run=is_run))
        return None if measured is None else entry_of(reference, measured)

    async def add_forecast(self, ref: Ref) -> None:
        """Let the user pick a forecast, and add it to a producer."""
        tree = self.open_work().tree
        items = [*picker.sky_items(), picker.file_item(SERIES_OF_UNIX)]
        entry = await self.production_of(await self.pick("Add a forecast", items), tree)
        if entry is not None:
            self.add_prediction(ref, entry)

    def add_prediction(self, ref: Ref, entry: dict[str, Any]) -> None:
        """Add a forecast to a producer, issued six hours after its last one.

        Args:
            ref: The producer.
            entry: The YAML entry of the forecast, without the time of issue.
        """
        tree = self.open_work().tree
        run_start = RunStart.of_tree(tree)
        old = [prediction.get("issued") for _, prediction in tree_model.items(at(tree, (*ref, "predictions")))]
        known = [time_s for issued in old if (time_s := seconds(issued, run_start)) is not None]
        issued = in_form_of(max(known) + 6 * 3600, run_start, old[-1]) if known else "00:00"
        path = (*ref, "predictions")
        self._session.apply(lambda _: Change("add forecast", (Insert(path, len(old), ({**entry, "issued": issued},)),)))

    def open_work(self) -> EditedNeighbourhood:
        """Return what is open.

        Raises:
            NothingChosenError: No neighbourhood is open.
        """
        work = self._session.work
        if work is None:
            raise NothingChosenError("No neighbourhood is open.")
        return work


def device_ref(picked: str) -> Ref:
    """Return the device whose item in `picker.consumer_items` has this id."""
    house, device = re.findall(r"\d+", picked)
    return ("houses", int(house), "devices", int(device))


class EditActions:
    """Add, remove, duplicate and find houses, devices, jobs and load profiles; undo and redo."""

    def __init__(self, session: EditSession, user: User) -> None:
        """Make the actions.

        Args:
            session: The edit session that they change.
            user: The user, for questions and notices.
        """
        self._session = session
        self._user = user
        self._problem_index = -1
        self.fields = FieldActions(session, user)
        """The actions of the form's fields."""

    # Adding.

    def add_house(self) -> None:
        """Add a house, and let the user fill in its fields."""
        self._session.apply(tree_changes.add_house, fill_in=True)

    async def pick_house(self, title: str) -> Ref | None:
        """Return the selected house, or else let the user pick one; None if the user went back.

        Args:
            title: The question.

        Raises:
            NothingChosenError: There is no house.
        """
        house = self._house_ref()
        if house is not None:
            return house
        houses = picker.house_items(self.fields.open_work().tree)
        if not houses:
            raise NothingChosenError("Add a house first.")
        picked = await self.fields.pick(title, houses)
        return None if picked is None else ("houses", int(picked))

    async def add_device(self) -> None:
        """Let the user pick a device, and the house too where none is selected, and add it."""
        tree = self.fields.open_work().tree
        house = await self.pick_house("Which house gets the device?")
        if house is None:
            return
        items = [
            *picker.profile_items(tree, own=False),
            PickerItem(EMPTY, "Other consumer", "empty: choose its load profile in the form", "Other consumers"),
            *picker.sky_items(),
            PickerItem(FILE, "PV panels with a forecast from a file ...", SERIES_OF_UNIX, opens_file_dialog=True),
        ]
        picked = await self.fields.pick(f"Add a device to {tree_model.title_of(tree, house)}", items)
        if picked is None:
            return
        name = picker.appliance_named(picked)
        if picked == EMPTY or name is not None:
            appliance = APPLIANCES[name] if name else None
            self._session.apply(lambda tree: tree_changes.add_consumer(tree, house, appliance), fill_in=True)
            return
        entry = await self.fields.production_of(picked, tree)
        if entry is not None:
            prediction = {"issued": "00:00", **entry}
            self._session.apply(lambda tree: tree_changes.add_producer(tree, house, [prediction]), fill_in=True)

    async def add_job(self) -> None:
        """Add a job for the selected device, or for one that the user picks."""
        tree = self.fields.open_work().tree
        device = self._consumer_ref()
        if device is None:
            items = picker.consumer_items(tree)
            if not items:
                raise NothingChosenError("Add a consumer to a house first.")
            picked = await self.fields.pick("Which device runs the job?", items)
            device = None if picked is None else device_ref(picked)
        if device is not None:
            ids = tree_model.ids_of(tree, device)
            self._session.apply(lambda tree: tree_changes.add_job(tree, *ids), fill_in=True)

    async def add_forecast(self) -> None:
        """Let the user pick a forecast, and add it to the selected producer."""
        ref = self._session.ref
        if tree_model.kind_of(ref) == "device":
            await self.fields.add_forecast(ref)

    async def add_profile(self) -> None:
        """Let the user pick a load profile, and add it."""
        tree = self.fields.open_work().tree
        known = tree_model.profiles(tree)
        items = [item for item in picker.profile_items(tree) if picker.profile_named(item.id) not in known]
        picked = await self.fields.pick("Add a load profile", [*items, picker.file_item(SERIES_OF_SECONDS)])
        if picked == FILE:
            chosen = await self.fields.profile_from_file()
        else:
            appliance = picker.appliance_named(picked or "")
            chosen = (appliance, tree_changes.profile_entry(APPLIANCES[appliance])) if appliance else None
        if chosen is not None:
            name, entry = chosen
            self._session.apply(
                lambda tree: Change(
                    f"add load profile {name}",
                    tuple(tree_changes.profile_steps(tree, name, entry)),
                    ("load_profiles", name),
                )
            )

    async def add_jobs_xml(self) -> None:
        """Ask for a file of PySSMic's jobs in XML, and add those whose devices there are."""
        work = self.fields.open_work()
        details = "PySSMic's jobs in XML. Each job goes to the device with its house id and device id."
        file = await self._user.ask(PickPath("Import jobs from XML", work.folder, suffixes=(".xml",), details=details))
        if file is None:
            return
        found = await asyncio.to_thread(read_jobs, file)
        added = add_input_jobs(work.tree, found, file.name)
        if added.change is not None:
            self._session.apply(lambda tree: add_input_jobs(tree, found, file.name).change)
        lead = f"Added {added.count} of {len(found)} jobs."
        if added.notes:
            await self._user.ask(Notes("Jobs from XML", lead, added.notes))
        else:
            self._user.tell(lead)

    # Changing.

    def remove(self, ref: Ref | None) -> None:
        """Remove a house, device, job, load profile, event or expectation; undo brings it back.

        Args:
            ref: The part; None or another kind of part: nothing happens.
        """
        kind = "" if ref is None else tree_model.kind_of(ref)
        builders = {
            "house": tree_changes.remove_house,
            "device": tree_changes.remove_device,
            "job": tree_changes.remove_job,
            "profile": tree_changes.remove_profile,
            "event": remove_entry,
            "expectation": remove_entry,
        }
        build = builders.get(kind)
        if build is None or ref is None:
            return
        change = build(self.fields.open_work().tree, ref)
        if tree_model.kind_of(self._session.ref) == "jobs":
            change = replace(change, select=tree_model.JOBS)
        self._session.apply(lambda _: change)
        self._user.tell(f"Removed {change.label.removeprefix('remove ')}. Ctrl+Z to undo.")

    def duplicate(self) -> None:
        """Add a copy of the selected house, device, job, event or expectation."""
        self._session.apply(lambda tree: tree_changes.duplicate(tree, self._session.ref))

    def undo(self) -> None:
        """Take the last change back."""
        change = self._session.undo()
        if change is not None:
            self._user.tell(f"Undid: {change.label}", timeout_wall_s=2)

    def redo(self) -> None:
        """Make the change again that was taken back last."""
        change = self._session.redo()
        if change is not None:
            self._user.tell(f"Redid: {change.label}", timeout_wall_s=2)

    async def bring_together(self, remedy: Remedy) -> None:
        """Move parts in time that cannot meet; files may have to be read, which is done in a thread."""
        work = self._session.work
        if work is None:
            return
        tree, change = None, None
        while tree is not work.tree:  # again if the user changed it meanwhile: the parts may be elsewhere in it now
            tree = work.tree
            change = await asyncio.to_thread(change_for, remedy, tree, work.folder, allow_outside=work.allow_outside)
            if work is not self._session.work:
                return
        if change is not None:
            self._session.apply(lambda _: change)

    # Getting around.

    def next_problem(self) -> None:
        """Go to the field of the next problem; after the last comes the first."""
        problems = self.fields.open_work().problems
        if not problems:
            self._user.tell("No problems.")
            return
        self._problem_index = (self._problem_index + 1) % len(problems)
        self._session.go_to_problem(problems[self._problem_index])

    async def find(self) -> None:
        """Let the user find a part by its text, and select it."""
        work = self.fields.open_work()
        with self._session.operating("listing all parts ..."):
            items, refs = await asyncio.to_thread(picker.part_items, work.tree)
        picked = await self._user.ask(Picker("Find a house, device, job, load profile, event or expectation", items))
        if picked is not None and self._session.work is work:
            self._session.select(refs[int(picked)])

    # Selection.

    def _house_ref(self) -> Ref | None:
        tree = self.fields.open_work().tree
        ref = self._session.ref
        if tree_model.kind_of(ref) == "job":
            ref = tree_model.parent_of(tree, ref)
        if tree_model.kind_of(ref) in {"house", "device"}:
            return ref[:2]
        all_houses = list(tree_model.houses(tree))
        return ("houses", all_houses[0][0]) if len(all_houses) == 1 else None

    def _consumer_ref(self) -> Ref | None:
        tree = self.fields.open_work().tree
        ref = (
            tree_model.parent_of(tree, self._session.ref)
            if tree_model.kind_of(self._session.ref) == "job"
            else self._session.ref
        )
        is_consumer = tree_model.kind_of(ref) == "device" and at(tree, (*ref, "type")) != "producer"
        return ref if is_consumer else None
