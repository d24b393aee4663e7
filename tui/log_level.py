"""The log level option, shared by all commands.

A separate module, because `--help` does without structlog, which `tui.logs` imports.
"""

from __future__ import annotations

from typing import Annotated, Literal

import typer

LogLevelName = Literal["debug", "info", "warning", "error"]

LogLevel = Annotated[
    LogLevelName | None,
    typer.Option(
        help="Lowest level of what is logged, on standard error and in the log file beside the results. "
        "[default: warning on standard error, info in the file]",
        envvar="SSMIC_LOG_LEVEL",
        show_default=False,
    ),
]
