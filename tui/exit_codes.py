"""Maps errors to messages and exit codes; only agents that failed get a traceback."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import typer

from broker import SsmicError, printable
from tui.safe_output import echo, without_long_words
from tui.signals import exit_code, is_interruption

FAILED = 1
USAGE = 2
INVALID = 3
BROKER = 4
"""The broker is unreachable, or was lost: to try again may help."""
UNMET = 5
"""An expectation of the scenario does not hold."""
REFUSED = 6
"""The broker refuses this client, or cannot be trusted: to try again does not help."""
TRY_AGAIN = 75
"""`ssmic clock` and `ssmic host`: a failure that passes (EX_TEMPFAIL of sysexits.h); a supervisor starts them again."""
INTERRUPTED = 130
"""Stopped before its end; for signals see `tui.signals.exit_code`."""

_OUTPUT_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""Error numbers of an output that accepts no more data."""


@contextmanager
def supervised() -> Iterator[None]:
    """Turn the errors of a process of a deployment into one message on standard error and a supervisor's exit code."""
    try:
        yield
    except SsmicError as error:
        print_error(error)
        raise typer.Exit(code_for_supervisor(error)) from None


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn exceptions in the context into one message on standard error and an exit code."""
    try:
        yield
    except KeyboardInterrupt:
        complain("interrupted")
        raise typer.Exit(exit_code()) from None
    except SsmicError as error:
        print_error(error)
        raise typer.Exit(code_for(error)) from None
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); avoid a second error when Python flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(FAILED) from None
    except Exception as error:
        if hasattr(error, "exit_code"):
            if isinstance(message := getattr(error, "message", None), str):
                error.message = without_long_words(printable(message))  # type: ignore[attr-defined]  # click's errors have one
            raise  # Typer's own errors, which it shows itself
        if is_interruption(error):
            complain("interrupted")
            raise typer.Exit(exit_code()) from None
        if isinstance(error, OSError) and error.errno in _OUTPUT_ERRORS and error.filename is None:
            # Our own files report this themselves. As above, avoid a second error at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            complain(f"standard output cannot be written: {error.strerror}")
            raise typer.Exit(FAILED) from None
        if isinstance(error, OSError) and isinstance(error.filename, str | bytes | os.PathLike) and error.strerror:
            # A path that cannot even be looked up: in a folder that only others may enter, or with too long a name.
            complain(f"{os.fsdecode(error.filename)}: {error.strerror}")
            raise typer.Exit(FAILED) from None
        # A defect. The log has the traceback; `--log-level debug` shows it here.
        logging.getLogger("tui").debug("internal error", exc_info=True)
        complain(f"internal error: {type(error).__name__}: {error} (--log-level debug shows where)")
        raise typer.Exit(FAILED) from None


def code_for(error: SsmicError) -> int:
    """Return the exit code for an error."""
    from agents import SettingsError
    from broker import BrokerLostError, BrokerRefusedError, BrokerUnreachableError, BrokerUrlError
    from broker.clock import PaceError
    from scenarios import ScenarioError, ScenarioWriteError
    from scenarios.deployment import UnknownHouseError
    from scenarios.lab import BrokerNotOursError, ControllerError, ExpectationError, LabKindError
    from scenarios.metrics import IntervalError
    from scenarios.results import (
        OutputFormatError,
        ResultsError,
        ResultsExistError,
        ResultsWriteError,
        SameSimulationError,
    )
    from scenarios.simulation import RecordingError, RecordingWriteError, ScoresFileError, ScoresWriteError

    match error:
        case ScoresWriteError():
            return FAILED
        case (
            UnknownHouseError()
            | SettingsError()
            | PaceError()
            | BrokerNotOursError()
            | ControllerError()
            | ExpectationError()
            | LabKindError()
            | BrokerUrlError()
            | IntervalError()
            | ResultsExistError()
            | SameSimulationError()
            | OutputFormatError()
        ):
            return USAGE
        case ScenarioWriteError() | ResultsWriteError() | RecordingWriteError():
            return FAILED
        case ScenarioError() | ScoresFileError() | ResultsError() | RecordingError():
            return INVALID
        case BrokerUnreachableError() | BrokerLostError():
            return REFUSED if isinstance(error, BrokerRefusedError) else BROKER
    return FAILED


def code_for_supervisor(error: SsmicError) -> int:
    """Return the exit code of a process of a deployment: of failures that pass, `TRY_AGAIN`."""
    from broker import (
        ClockBehindError,
        ClockMissingError,
        HostsGoneError,
        HostsMissingError,
        JournalWriteError,
        RunSuspendedError,
    )
    from scenarios.results import (
        ResultsExistError,
        ResultsLockedError,
        ResultsUnreadableError,
        ResultsWriteError,
    )
    from scenarios.simulation import ScoresWriteError

    match error:
        case HostsGoneError() | ResultsExistError():
            return code_for(error)
        case (
            HostsMissingError()
            | ClockMissingError()
            | ClockBehindError()
            | RunSuspendedError()
            | JournalWriteError()
            | ResultsLockedError()
            | ResultsUnreadableError()
            | ResultsWriteError()
            | ScoresWriteError()
        ):
            return TRY_AGAIN
    return code_for(error)


def print_error(error: SsmicError) -> None:
    """Print an error on standard error; several problems of a scenario on a line each, with their count."""
    from scenarios import ScenarioError

    if isinstance(error, ScenarioError) and len(error.problems) > 1:
        echo(without_long_words(str(error)), err=True)
        complain(f"{error.count} problems")
    else:
        complain(str(error))


def print_notes(notes: Iterable[str]) -> None:
    """Print notes on standard error."""
    for note in notes:
        complain(f"note: {note}")


def complain(message: str) -> None:
    """Print an error message on standard error."""
    echo(f"ssmic: {without_long_words(message)}", err=True)
