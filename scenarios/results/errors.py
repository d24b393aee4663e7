"""What can be wrong with results."""

from __future__ import annotations

from broker.errors import SsmicError


class ResultsError(SsmicError):
    """A results file cannot be made, written or read; the message names the file and says why."""


class ResultsExistError(ResultsError):
    """Something is there already, and is not written over unasked."""


class ResultsWriteError(ResultsError):
    """Something cannot be written, which is no fault of what is read."""


class SameSimulationError(ResultsError):
    """A simulation would be compared with itself."""


class FigureFormatError(ResultsError):
    """A comparison cannot be written in the form that was asked for."""
