"""The command `ssmic`, also as `python -m tui`."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress

from tui.cli.interrupt import SIGNALS, end_at_once, end_by, exit_code, signalled, signals_heard


def main() -> None:
    """Run the command line; ends the process."""
    try:
        with signals_heard():
            _run()
    finally:
        # All is done: an exception would find nobody to take it while the interpreter clears up.
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, end_by)


def _run() -> None:
    try:
        if sys.argv[1:2] == ["host"]:
            # structlog imports rich where it is installed: 6 MB of a household's 60, for tracebacks nobody sees there.
            sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
        from tui.cli.app import app  # noqa: PLC0415 - a signal is heard while it is imported, too

        app(prog_name="ssmic")
    except KeyboardInterrupt:
        sys.stderr.write("ssmic: interrupted\n")
        sys.exit(exit_code())
    finally:
        if signalled():
            # Whatever the command made of it: it was told to end, and says so. Threads that compute are left behind.
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    stream.flush()
            end_at_once()


if __name__ == "__main__":
    main()
