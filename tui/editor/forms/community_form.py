"""The form of the energy community: how bills are settled, and members' fees in addition to the tariff."""

from __future__ import annotations

from typing import Any, Final, get_args

from scenarios import whole_number_of
from scenarios.files import CommunityEntry, KeyPath, YamlValue
from tui.editor import tree_model
from tui.editor.edit_history import Change, Put, Remove, Step
from tui.editor.forms.form_parts import Field, PartForm
from tui.editor.tree_model import COMMUNITY, Tree, at, text

NONE: Final = "none"
"""Text of the key's field without a community."""
_DEFAULTS: Final[dict[str, Any]] = {name: field.default for name, field in CommunityEntry.model_fields.items()}
_KEYS: Final[tuple[str, ...]] = get_args(CommunityEntry.model_fields["key"].annotation)
_INTERVALS_S: Final[tuple[str, ...]] = tuple(map(str, get_args(CommunityEntry.model_fields["interval_s"].annotation)))
TAXED: Final = ("import", "grid_fee", "fixed_fee", "local")
"""Amounts that value added tax can apply to."""
_ABOUT_KEYS: Final = {
    NONE: "No community: bills are settled by contract, minute by minute.",
    "static": "Each house may use a fixed share of all production.",
    "proportional": "All production is shared in proportion to consumption.",
    "hierarchical": "Each house uses its own production first; the rest is shared by remaining demand.",
    "negotiated": "As delivered by contract; a house's own remaining production covers what it still lacks.",
}
_MOST_HOUSES = 40
"""Houses that have a field for their share; those of a larger neighbourhood are written in the file."""


def community_form(tree: Tree, _ref: tree_model.Ref) -> PartForm:
    """Return the form of the community."""
    community = tree.get("community")
    key = key_of(tree)
    choice = Field(
        "choice",
        "allocation key",
        (*COMMUNITY, "key"),
        key,
        options=(NONE, *_KEYS),
        covers=(COMMUNITY,),
        heading="Allocation",
        help=_ABOUT_KEYS.get(key, "How the production of all panels is allocated to houses."),
    )
    if not isinstance(community, dict):
        note = "Bills are settled by contract. Choose an allocation key to settle them as a community."
        return PartForm(COMMUNITY, "Community", (choice,), (), note)
    interval = Field(
        "choice",
        "interval (s)",
        (*COMMUNITY, "interval_s"),
        text(community.get("interval_s", _DEFAULTS["interval_s"])),
        options=_INTERVALS_S,
        help="Length of a settlement interval, seconds: consumption and production are netted within it.",
    )
    fields = (choice, interval, *_shares(tree, community), *_fees(community), *_tax(community))
    return PartForm(COMMUNITY, "Community", fields, (), "How bills are settled.")


def key_of(tree: Tree) -> str:
    """Return the allocation key; `none` where there is no community."""
    community = tree.get("community")
    return text(community.get("key", _DEFAULTS["key"])) if isinstance(community, dict) else NONE


def _shares(tree: Tree, community: dict[str, Any]) -> tuple[Field, ...]:
    if key_of(tree) != "static":
        return ()
    given = community.get("coefficients")
    houses = [text(house.get("id")) for _, house in tree_model.houses(tree)]
    if len(houses) > _MOST_HOUSES:
        return ()
    return tuple(
        Field(
            "number",
            house,
            (*COMMUNITY, "coefficients", house),
            given.get(house) if isinstance(given, dict) else None,
            "0" if given else "equal shares",
            covers=((*COMMUNITY, "coefficients"),) if not i else (),
            heading="" if i else "Shares of production",
            help="Share of all production that the house may use, 0 to 1; at most 1 for all houses together.",
        )
        for i, house in enumerate(houses)
        if house
    )


def _fees(community: dict[str, Any]) -> tuple[Field, ...]:
    fees = (
        ("grid_fee_eur_per_kwh", "from the grid", "EUR per kWh, such as 0.09", "Grid fee of a kWh from the grid, EUR."),
        (
            "local_grid_fee_eur_per_kwh",
            "from members",
            "not reduced",
            "Grid fee of a kWh from other houses, EUR. Default: that of energy from the grid.",
        ),
        (
            "supplier_fee_eur_per_year",
            "supplier",
            "EUR per year, such as 120",
            "Fixed fee of each house, EUR per year, with and without the community.",
        ),
        (
            "community_fee_eur_per_year",
            "community",
            "EUR per year, such as 24",
            "Fixed fee of each house for running the community, EUR per year.",
        ),
    )
    headings = {"grid_fee_eur_per_kwh": "Grid fees", "supplier_fee_eur_per_year": "Fixed fees"}
    return tuple(
        Field(
            "number",
            label,
            (*COMMUNITY, key),
            community.get(key),
            "varies in time; a number replaces it" if isinstance(community.get(key), dict) else hint,
            heading=headings.get(key, ""),
            help=about,
        )
        for key, label, hint, about in fees
    )


def _tax(community: dict[str, Any]) -> tuple[Field, ...]:
    rate = Field(
        "number",
        "rate",
        (*COMMUNITY, "vat_percent"),
        community.get("vat_percent"),
        "per cent, such as 19",
        heading="Value added tax",
        help="Value added tax, per cent. Default: 0.",
    )
    taxed = Field(
        "pick",
        "paid on",
        (*COMMUNITY, "vat_on"),
        community.get("vat_on"),
        as_list(_DEFAULTS["vat_on"]),
        help="What it is paid on: the import price, grid fees, fixed fees, and the price among members (local).",
    )
    return rate, taxed


def as_list(value: object) -> str:
    """Return what tax is paid on, in a line."""
    return ", ".join(map(text, value)) if isinstance(value, list) else ""


def taxed_now(tree: Tree) -> list[str]:
    """Return what tax is paid on, the default included."""
    value = at(tree, (*COMMUNITY, "vat_on"))
    return [text(one) for one in (value if isinstance(value, list) else _DEFAULTS["vat_on"])]


def set_community_value(tree: Tree, path: KeyPath, value: YamlValue) -> Change | None:
    """Set a field of the community.

    Args:
        tree: The neighbourhood as plain data.
        path: Key path of the value.
        value: The new value; None or an empty text clears the field.
    """
    community = tree.get("community")
    key, is_empty = str(path[1]), value in (None, "")
    label = f"change {key}".replace("_", " ")
    if key == "key":
        return _set_key(tree, value)
    if not isinstance(community, dict):
        return None if is_empty else Change(label, (Put(COMMUNITY, {key: value}),))
    if key == "coefficients":
        return _set_share(community, path, value)
    if key == "interval_s" and (number := whole_number_of(text(value))) is not None:
        value = number
    return Change(label, (Remove(path) if is_empty else Put(path, value),))


def _set_key(tree: Tree, key: str) -> Change | None:
    community = tree.get("community")
    if key == key_of(tree):
        return None
    if key == NONE:
        return Change("remove the community", (Remove(COMMUNITY),))
    if not isinstance(community, dict):
        return Change("add a community", (Put(COMMUNITY, {"key": key}),))
    # Shares of houses belong to one key only.
    of_others: tuple[Step, ...] = (Remove((*COMMUNITY, "coefficients")),) if key != "static" else ()
    return Change("change the allocation key", (*of_others, Put((*COMMUNITY, "key"), key)))


def _set_share(community: dict[str, Any], path: KeyPath, value: YamlValue) -> Change | None:
    label, house, given = "change a share", str(path[2]), community.get("coefficients")
    if value in (None, ""):
        if not isinstance(given, dict) or house not in given:
            return None
        return Change(label, (Remove(path if len(given) > 1 else path[:2]),))
    return Change(label, (Put(path, value) if isinstance(given, dict) else Put(path[:2], {house: value}),))


def rename_in_community(tree: Tree, old: str, new: str) -> list[Step]:
    """Return the edits in `tree` that move the share of the house `old` to its new id `new`."""
    given = at(tree, (*COMMUNITY, "coefficients"))
    if not isinstance(given, dict) or old not in given or new in given:
        return []
    shares = {new if house == old else house: share for house, share in given.items()}
    return [Put((*COMMUNITY, "coefficients"), shares)]
