"""Edit actions of events and expectations: add one, and pick the values of their fields."""

from __future__ import annotations

from collections.abc import Callable

from agents.scheduling import ALGORITHMS
from scenarios.files import KeyPath
from tui.editor import picker, tree_model
from tui.editor.actions import SERIES_OF_UNIX, FieldActions, NothingChosenError, User, device_ref
from tui.editor.dialogs import ChooseSeveral
from tui.editor.edit_history import Change, Put
from tui.editor.picker import NONE, PickerItem
from tui.editor.scripts import script_changes, script_model as script
from tui.editor.session import EditSession
from tui.editor.tree_model import Ref, Tree, at, text


class ScriptActions:
    """Actions on events and expectations, requested by keys, buttons and fields."""

    def __init__(self, session: EditSession, user: User, fields: FieldActions) -> None:
        """Make the actions.

        Args:
            session: The edit session that they change.
            user: The user, for questions and notices.
            fields: The actions of other fields, for what events have in common with them.
        """
        self._session = session
        self._user = user
        self._fields = fields

    async def add_event(self) -> None:
        """Let the user pick what happens, and add it; it is about the selected part if it can be."""
        self._fields.open_work()
        items = [PickerItem(kind, title, script.about(kind)) for kind, title in script.KINDS.items()]
        picked = await self._user.ask(picker.Picker("What happens?", items))
        if picked is not None:
            about = self._session.ref
            self._session.apply(lambda tree: script_changes.add_event(tree, picked, about), fill_in=True)

    async def add_expectation(self) -> None:
        """Let the user pick what a condition is about, and add an expectation."""
        self._fields.open_work()
        items = [PickerItem(kind, *said) for kind, said in script.CONDITION_KINDS.items()]
        picked = await self._user.ask(picker.Picker("What must hold?", items))
        if picked is not None:
            self._session.apply(lambda tree: script_changes.add_expectation(tree, picked), fill_in=True)

    async def pick_value(self, path: KeyPath) -> None:
        """Let the user pick the value of a field from a list."""
        tree = self._fields.open_work().tree
        key = str(path[-1])
        if key == "*series":
            await self._pick_series(path[:2])
        elif key == "device":
            await self._pick_device(path[:2])
        elif key in script.LISTS:
            await self._pick_several(path)
        else:
            title, items = _choices(tree, path)
            now = value_in(tree, path)
            picked = await self._user.ask(picker.Picker(title, items, current=now))
            if picked is not None:
                value = None if picked == NONE else picked
                self._session.apply(lambda tree: script_changes.set_script_value(tree, path, value))

    async def _pick_several(self, path: KeyPath) -> None:
        tree = self._fields.open_work().tree
        key = str(path[-1])
        known = script.producer_ids(tree) if key == "producers" else script.house_ids(tree)
        now = at(tree, path)
        chosen = [text(one) for one in now] if isinstance(now, list) else []
        details = (
            "In the order in which you tick them; none: all."
            if key == "producers" and at(tree, (*path[:2], "do")) == "cloud"
            else "None: all."
        )
        picked = await self._user.ask(ChooseSeveral(f"Which {key}?", known, chosen, details))
        if picked is not None:
            value = list(picked) or None
            self._session.apply(lambda tree: script_changes.set_script_value(tree, path, value))

    async def _pick_device(self, ref: Ref) -> None:
        tree = self._fields.open_work().tree
        is_job = at(tree, (*ref, "do")) == "add_job"
        items = picker.consumer_items(tree) if is_job else picker.device_items(tree)
        if not items:
            raise NothingChosenError("Add a device to a house first.")
        entry = at(tree, ref)
        now = tree_model.device_ref(tree, *tree_model.key_of_job(entry))
        picked = await self._user.ask(
            picker.Picker("Which device?", items, current=f"{now[1]}.{now[3]}" if now else None)
        )
        if picked is not None:
            house, device = tree_model.ids_of(tree, device_ref(picked))
            steps = Put((*ref, "house"), house), Put((*ref, "device"), device)
            self._session.apply(lambda _: Change("change device", steps))

    async def _pick_series(self, ref: Ref) -> None:
        tree = self._fields.open_work().tree
        factor = PickerItem(NONE, "A factor", "times its present forecast", "Other")
        items = [*picker.sky_items(), picker.file_item(SERIES_OF_UNIX), factor]
        picked = await self._fields.pick("New forecast", items)
        entry = None if picked == NONE else await self._fields.production_of(picked, tree)
        if picked == NONE or entry is not None:
            self._session.apply(lambda tree: script_changes.set_series(ref, entry, tree))


def value_in(tree: Tree, path: KeyPath) -> str | None:
    """Return the present value of a field that is picked, as the id of an item."""
    if path[:1] == tree_model.EXPECTATIONS:
        parts = script.parts_of(script.condition_of(at(tree, path[:2])))
        if parts is None:
            return None
        return parts.of if path[-1] == "*of" else parts.field or parts.word
    return text(at(tree, path)) or None


def _choices(tree: Tree, path: KeyPath) -> tuple[str, list[PickerItem]]:
    """Return the title and the items of a list to pick from."""
    key = str(path[-1])
    if path[:1] == tree_model.EXPECTATIONS:
        parts = script.parts_of(script.condition_of(at(tree, path[:2])))
        if parts is None:
            return "Figure", []
        if key == "*figure":
            return "Which figure?", [PickerItem(name, name) for name in script.figures_for(parts)]
        key = parts.word
    known: dict[str, Callable[[Tree], list[str]]] = {
        "producer": script.producer_ids,
        "house": script.house_ids,
        "job": script.job_ids,
        "load_profile": lambda tree: list(tree_model.profiles(tree)),
        "algorithm": lambda _: list(ALGORITHMS),
    }
    items = [PickerItem(name, name) for name in known[key](tree)]
    if key == "load_profile":
        items.append(PickerItem(NONE, "The device's", "", "Other"))
    return f"Which {key.replace('_', ' ')}?", items
