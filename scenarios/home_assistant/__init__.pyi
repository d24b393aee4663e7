from .publisher import (
    shown_in_home_assistant as shown_in_home_assistant,
)
from .states import (
    Standing as Standing,
)

__all__ = [
    "Standing",
    "shown_in_home_assistant",
]
