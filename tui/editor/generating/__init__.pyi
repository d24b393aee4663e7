from .generate_dialog import (
    GenerateDialog as GenerateDialog,
)

__all__ = [
    "GenerateDialog",
]
