"""The command line."""

from tui.cli.app import app
from tui.log_level import LogLevelName

__all__ = [
    "LogLevelName",
    "app",
]
