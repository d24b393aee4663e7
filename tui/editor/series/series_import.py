"""Imports a series from a file of measurements: into the open neighbourhood, or into a new one."""

from __future__ import annotations

from pathlib import Path

from scenarios import Zone, free_id, zone_info
from scenarios.files import Document
from tui.editor import picker, tree_changes, tree_model
from tui.editor.actions import FieldActions, User
from tui.editor.edit_history import Change, History, Put
from tui.editor.picker import PickerItem
from tui.editor.preview_chart import PreviewArtist
from tui.editor.session import EditedNeighbourhood, EditSession
from tui.editor.tree_model import Tree, text

_RUN = "run"
_MOST_DAYS = 366


class SeriesImport:
    """Asks what a series is, and puts it there."""

    def __init__(self, session: EditSession, user: User, fields: FieldActions) -> None:
        """Make the action.

        Args:
            session: The edit session that is changed.
            user: The user, for questions and notices.
            fields: Reads files, and shows what was guessed of them.
        """
        self._session = session
        self._user = user
        self._fields = fields

    async def import_file(self, path: Path) -> None:
        """Import a series; where nothing is open, as the production of a new neighbourhood.

        Args:
            path: CSV, gzip or Parquet.
        """
        if self._session.work is None:
            await self._begin(path)
            return
        tree = self._fields.open_work().tree
        picked = await self._user.ask(picker.Picker(f"What is in {path.name}?", destinations(tree)))
        if picked is None:
            return
        entry = await self._fields.entry_of_file(path, is_run=picked == _RUN)
        if entry is None:
            return
        kind, _, place = picked.partition(":")
        if kind == _RUN:
            name = free_id(tree_model.profiles(tree), path.stem)
            steps = tuple(tree_changes.profile_steps(tree, name, entry))
            self._session.apply(lambda _: Change(f"load profile {name}", steps, ("load_profiles", name)))
            return
        numbers = [int(number) for number in place.split(".")]
        if kind == "base":
            house = ("houses", numbers[0])
            self._session.apply(lambda _: Change("base load", (Put((*house, "base_load"), entry),), house))
            return
        if kind == "panels":
            forecast = {"issued": "00:00", **entry}
            self._session.apply(lambda tree: tree_changes.add_producer(tree, ("houses", numbers[0]), [forecast]))
            return
        ref = ("houses", numbers[0], "devices", numbers[1])
        if kind == "actual":
            self._session.apply(lambda _: Change("actual production", (Put((*ref, "actual"), entry),), ref))
        else:
            self._session.select(ref)
            self._fields.add_prediction(ref, entry)

    async def _begin(self, path: Path) -> None:
        """Begin a neighbourhood with one house whose panels give what the file says, on the days of the file."""
        document = Document(tree_changes.NEW_TEXT.format(name="my-neighbourhood"))
        self._session.open(EditedNeighbourhood(History(document, saved=True), None, "New neighbourhood"))
        self._session.apply(tree_changes.add_house)
        entry = await self._fields.entry_of_file(path)
        if entry is None:
            self._session.open(None)
            return
        work = self._fields.open_work()
        production = PreviewArtist(work.tree, work.folder, allow_outside=work.allow_outside).production(entry)
        if production is not None:
            begin = begin_of(production.start_s, production.end_s, str(entry.get("zone", "")))
            puts = tuple(Put((key,), value) for key, value in begin.items())
            self._session.apply(lambda _: Change("days of the file", puts))
        forecast = {"issued": "00:00", **entry}
        self._session.apply(lambda tree: tree_changes.add_producer(tree, ("houses", 0), [forecast]))
        self._user.tell(f"{path.name} is the forecast of new panels; add devices and jobs. Not saved yet.")


def begin_of(start_s: int, end_s: int, zone_name: str) -> dict[str, str | int]:
    """Return the keys of a neighbourhood that covers a series: start (local midnight, ISO), days, and an IANA zone.

    With the zone, days are local ones: a month in which clocks change has as many as the calendar says.

    Args:
        start_s: Begin of the series, UNIX seconds.
        end_s: Its end.
        zone_name: The zone of its times; empty or an offset: midnight is that of UTC.
    """
    zone = Zone(key=zone_name) if zone_name and zone_info(zone_name) is not None else Zone()
    begin_s = zone.midnight_s(start_s)
    days = zone.full_days(begin_s, end_s - 1) + 1
    return {
        "start": zone.iso(begin_s),
        **({"zone": zone.key} if zone.key else {}),
        "days": max(1, min(_MOST_DAYS, days)),
    }


def destinations(tree: Tree) -> list[PickerItem]:
    """Return what a series may be in a neighbourhood."""
    items: list[PickerItem] = []
    for i, house in tree_model.houses(tree):
        for j, device in tree_model.devices(house):
            if device.get("type") == "producer":
                title = f"{tree_model.device_title(device)} ({text(device.get('id'))})"
                where = tree_model.house_title(house)
                items.append(PickerItem(f"actual:{i}.{j}", f"Actual production of {title}", where, "Panels"))
                items.append(PickerItem(f"forecast:{i}.{j}", f"Another forecast of {title}", where, "Panels"))
    items += [
        PickerItem(
            f"panels:{i}", f"New PV panels of {tree_model.house_title(house)}", "with this forecast", "New panels"
        )
        for i, house in tree_model.houses(tree)
    ]
    items += [
        PickerItem(
            f"base:{i}", f"Base load of {tree_model.house_title(house)}", "its consumption besides jobs", "Houses"
        )
        for i, house in tree_model.houses(tree)
    ]
    items.append(PickerItem(_RUN, "A load profile", "what one run of a device draws", "Devices"))
    return items


def is_series(path: Path) -> bool:
    """Return whether a file's name says that it may be a series."""
    return path.name.lower().endswith((".csv", ".tsv", ".gz", ".parquet", ".txt", ".dat")) and path.is_file()
