from .entities import (
    RunSnapshot as RunSnapshot,
)
from .publisher import (
    shown_in_home_assistant as shown_in_home_assistant,
)

__all__ = [
    "RunSnapshot",
    "shown_in_home_assistant",
]
