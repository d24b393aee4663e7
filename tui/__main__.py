"""The command `ssmic`, also as `python -m tui`."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress

from tui.signals import end_at_once, end_now, exit_code, is_interruption, leave, signalled, stopping_on_signals

_LINEAR_ALGEBRA_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""Variables that NumPy and SciPy obey if they are set before the import. Plans do not need them (`agents` limits its
own linear algebra), but threads that are never used cost each household memory."""


def main() -> None:
    """Run the command line; ends the process."""
    for variable in _LINEAR_ALGEBRA_THREADS:
        os.environ.setdefault(variable, "1")
    _replace_closed_streams()
    _complete_output()
    with stopping_on_signals():
        try:
            _run()
        except SystemExit as ended:
            if ended.code is None or isinstance(ended.code, int):
                _end(ended.code or 0)
            raise


def _replace_closed_streams() -> None:
    """Open the null device in place of each standard stream that the caller has closed (`ssmic run street >&-`).

    Python has None for it, and the next file that is opened gets its descriptor: what a library writes to standard
    output would be in the results.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)  # gets the lowest free descriptor: this one
            os.set_inheritable(null, True)  # noqa: FBT003 - positional only
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w" if descriptor else "r", encoding="utf-8"))  # noqa: SIM115, PTH123 - for the whole process


def _complete_output() -> None:
    """Make standard output raise an error if a text does not fit on the disk.

    With PYTHONUNBUFFERED, Python writes a text once and ignores how much of it was written.
    """
    out = sys.stdout
    if isinstance(out, io.TextIOWrapper) and isinstance(out.buffer, io.RawIOBase):
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(out.buffer), encoding=out.encoding, errors=out.errors, line_buffering=True
        )


def _run() -> None:
    try:
        if sys.argv[1:2] == ["host"]:
            # structlog imports rich if it is installed: 6 MB of a household's 60, for tracebacks that no user sees
            # there.
            sys.modules.setdefault("rich", None)  # type: ignore[arg-type]  # None: not to be imported
        from tui.cli.app import app  # noqa: PLC0415 - a signal is heard while it is imported, too

        app(prog_name="ssmic")
    except SystemExit as ended:
        if _was_interrupted_by_typer(ended):
            end_now()
        raise  # the command has reported the reason
    except BaseException as error:
        if not is_interruption(error):
            raise
        end_now()
    finally:
        if signalled():
            # However the command reacted, report that it was interrupted. Computing threads are abandoned.
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    stream.flush()
            end_at_once()


def _was_interrupted_by_typer(ended: SystemExit) -> bool:
    """Return whether Typer turned a signal into an exit: without a message, while it parses and does not call yet."""
    return ended.__context__ is not None and isinstance(ended.__context__.__cause__, KeyboardInterrupt)


def _end(code: int) -> None:
    """End the process without interpreter shutdown, unless buffered output cannot be written.

    All work is done. For a tenth of a second, while the interpreter shuts down, no handler would take a signal.
    """
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except (OSError, ValueError):
        return
    leave(exit_code() if signalled() else code)


if __name__ == "__main__":
    main()
