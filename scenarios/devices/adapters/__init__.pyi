from .registry import (
    ADAPTERS as ADAPTERS,
    adapter_for as adapter_for,
    adapter_problems as adapter_problems,
)

__all__ = [
    "ADAPTERS",
    "adapter_for",
    "adapter_problems",
]
