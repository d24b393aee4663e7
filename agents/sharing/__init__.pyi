from .booking import (
    Book as Book,
)
from .composing import (
    Composition as Composition,
    Offers as Offers,
    compose as compose,
)
from .settings import (
    ABOUT_PREFERENCE as ABOUT_PREFERENCE,
    ABOUT_SUPPLY as ABOUT_SUPPLY,
    PREFERENCES as PREFERENCES,
    SUPPLY_RULES as SUPPLY_RULES,
    Preference as Preference,
    SupplyRule as SupplyRule,
    SupplySettings as SupplySettings,
)

__all__ = [
    "ABOUT_PREFERENCE",
    "ABOUT_SUPPLY",
    "PREFERENCES",
    "SUPPLY_RULES",
    "Book",
    "Composition",
    "Offers",
    "Preference",
    "SupplyRule",
    "SupplySettings",
    "compose",
]
