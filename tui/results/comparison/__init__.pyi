from .comparison_view import (
    COMPARISON_TABS as COMPARISON_TABS,
    ComparisonPane as ComparisonPane,
    OtherChooser as OtherChooser,
)

__all__ = [
    "COMPARISON_TABS",
    "ComparisonPane",
    "OtherChooser",
]
