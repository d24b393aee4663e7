"""The energy community is set up in the editor, and real devices show how they are reached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.widgets import OptionList, Select

from scenarios.files.scenario_from_text import load_text
from tests.tui.driving import click, focus
from tui.editor.dialogs import ChooseSeveral
from tui.editor.forms.form_view import PickButton

Editing = Any
WIDE = (140, 45)


async def _choose(person: Any, label: str, value: str) -> None:
    person.row(label).query_one(Select).value = value
    await person.settle()


@pytest.mark.long
async def test_a_community_is_set_up_undone_and_taken_away(editing: Editing, file: Path, ours: str) -> None:
    """The file has the form's values, and the rest of the file is unchanged."""
    file.write_text(ours + _TARIFF, encoding="utf-8")
    async with editing(file, size=WIDE) as person:
        await person.show("community")
        assert person.labels == ["allocation key"]
        await _choose(person, "allocation key", "static")
        await person.until(lambda: "rate" in person.labels)
        assert person.labels == [
            *("allocation key", "interval (s)", "1", "2", "from the grid", "from members"),
            *("supplier", "community", "rate", "paid on"),
        ]
        await _choose(person, "interval (s)", "1800")
        await person.type_in("1", "0.4")
        await person.type_in("from the grid", "0.09")
        await person.type_in("supplier", "120")
        await person.type_in("rate", "19")
        await click(person.pilot, person.row("paid on").query_one(PickButton))
        dialog = await person.dialog(ChooseSeveral)
        dialog.query_one(OptionList).highlighted = 3
        await person.press("space", "enter")
        await person.until(lambda: "vat_on" in person.text)
        await person.settle()
        assert person.work.problems == ()
        assert person.text.startswith(ours[: ours.index("houses:")])
        community = load_text(person.text, "ours", None).community
        assert community is not None
        assert (community.key, community.interval_s, community.coefficients) == ("static", 1800, {"1": 0.4})
        assert (community.grid_fee_eur_per_kwh, community.supplier_fee_eur_per_year) == (0.09, 120)
        assert (community.vat_percent, community.vat_on) == (19, ("import", "grid_fee", "fixed_fee", "local"))
        # Shares of houses go with the key that they belong to; undo brings them back.
        await _choose(person, "allocation key", "negotiated")
        assert "coefficients" not in person.text
        assert person.work.problems == ()
        await person.press("ctrl+z")
        assert "coefficients" in person.text
        await _choose(person, "allocation key", "none")
        await person.until(lambda: person.labels == ["allocation key"])
        assert person.text == ours + _TARIFF


async def test_every_entry_of_a_choice_can_be_chosen(editing: Editing, file: Path) -> None:
    """The prompt was one of them: choosing it showed that nothing was chosen, but the file kept its key."""
    async with editing(file, size=WIDE) as person:
        await person.show("community")
        select = person.row("allocation key").query_one(Select)
        await focus(person.pilot, select)
        await person.press("enter", "home", "down", "enter")
        await person.until(lambda: person.work.tree["community"] == {"key": "static"})
        await person.press("enter", "home", "enter")
        await person.until(lambda: "community" not in person.work.tree)
        assert select.value == "none"


@pytest.mark.long
async def test_a_share_follows_the_house_and_shows_problems_at_its_field(
    editing: Editing, file: Path, ours: str
) -> None:
    """A house with a new id keeps its share; shares above the whole production are an error."""
    community = "community: {key: static, coefficients: {'1': 0.7, '2': 0.5}}\n"
    file.write_text(ours + _TARIFF + community, encoding="utf-8")
    async with editing(file, size=WIDE) as person:
        await person.until(lambda: person.work.problems)
        await person.show("community")
        await person.until(lambda: "at most 1 is expected for all houses together" in person.problems_at("1"))
        await person.show("houses", 1)
        await person.type_in("id", "brandt")
        await person.until(lambda: person.work.tree["community"]["coefficients"] == {"1": 0.7, "brandt": 0.5})
        await person.show("community")
        await person.type_in("brandt", "0.3")
        await person.until(lambda: person.work.problems == ())


@pytest.mark.long
async def test_a_real_device_shows_its_gateway(editing: Editing, file: Path, ours: str) -> None:
    """Adapter and id can be changed; a line says where its further keys are."""
    washer = "{id: washer, type: consumer, name: Washer, load_profile: dish"
    gateway = "gateway: {adapter: tasmota, id: plug-1, topic: tasmota_1, tries: 5}"
    file.write_text(ours.replace(washer, f"{washer}, {gateway}"), encoding="utf-8")
    async with editing(file, size=WIDE) as person:
        await person.show("houses", 0, "devices", 0)
        assert "adapter" not in person.labels
        await person.show("houses", 1, "devices", 0)
        assert "Further keys (topic, tries) are changed in the file." in person.row("adapter").field.help
        assert person.row("adapter").field.value == "tasmota"
        await person.type_in("id in topics", "plug-2")
        assert "id: plug-2, topic: tasmota_1, tries: 5" in person.text
        await _choose(person, "adapter", "shelly")
        assert person.work.tree["houses"][1]["devices"][0]["gateway"]["adapter"] == "shelly"
        await person.type_in("id in topics", "")
        await person.until(lambda: "id" not in person.work.tree["houses"][1]["devices"][0]["gateway"])


_TARIFF = (
    "tariff:\n  import_eur_per_kwh: 0.35\n  feed_in_eur_per_kwh: 0.08\n"
    "  neighbour_eur_per_kwh: 0.2\n  grid_kg_co2_per_kwh: 0.4\n"
)
