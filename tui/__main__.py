"""The command `ssmic`, also as `python -m tui`."""

from __future__ import annotations

import sys

from tui.cli.app import app


def main() -> None:
    """Run the command line; ends the process."""
    if sys.argv[1:2] == ["host"]:
        # structlog imports rich where it is installed: 6 MB of a household's 60, for tracebacks that nobody sees there.
        sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
    app(prog_name="ssmic")


if __name__ == "__main__":
    main()
