from .publisher import (
    shown_in_home_assistant as shown_in_home_assistant,
)
from .states import (
    RunSnapshot as RunSnapshot,
)

__all__ = [
    "RunSnapshot",
    "shown_in_home_assistant",
]
