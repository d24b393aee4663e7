from .price_build import (
    build_community as build_community,
    build_tariff as build_tariff,
)
from .price_dump import (
    community_entry as community_entry,
    tariff_entry as tariff_entry,
)
from .price_model import (
    PRICE_FORMS as PRICE_FORMS,
    CommunityEntry as CommunityEntry,
    PriceEntry as PriceEntry,
)

__all__ = [
    "PRICE_FORMS",
    "CommunityEntry",
    "PriceEntry",
    "build_community",
    "build_tariff",
    "community_entry",
    "tariff_entry",
]
