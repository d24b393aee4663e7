"""The command `ssmic`, also as `python -m tui`."""

from __future__ import annotations

from tui.cli.app import app


def main() -> None:
    """Run the command line; ends the process."""
    app(prog_name="ssmic")


if __name__ == "__main__":
    main()
