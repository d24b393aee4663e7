from .registry import (
    ADAPTERS as ADAPTERS,
    adapter_for as adapter_for,
    adapter_names as adapter_names,
    adapter_problems as adapter_problems,
)

__all__ = [
    "ADAPTERS",
    "adapter_for",
    "adapter_names",
    "adapter_problems",
]
