"""Limits linear algebra to one thread while a plan or a bound is computed.

BLAS (OpenBLAS, MKL), which NumPy and SciPy compute with, splits a large sum among as many threads as the machine has
cores. The parts are rounded one by one, so the last digit of a sum, and with it a plan, would depend on the machine.
One thread is also faster here: the matrices of a decision are so small that splitting them takes ten times as long as
the arithmetic.

Most libraries have one limit for the whole process, and decisions run in several threads at once. So the limit is
counted: the first thread that enters sets it, the last one that leaves lifts it. OpenBLAS on OpenMP has a limit for
each thread, so each thread sets its own. Importing this package changes nothing.

Apple's Accelerate can be limited by an environment variable only, which the command `ssmic` sets for itself.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock

from threadpoolctl import LibController, OpenBLASController, ThreadpoolController


class _Limited:
    """Libraries that were limited to one thread, and what they had before."""

    def __init__(self) -> None:
        self._before: list[tuple[LibController, int]] = []

    def limit(self, libraries: Iterable[LibController]) -> None:
        """Limit those that are not limited yet."""
        several = [(library, count) for library in libraries if (count := library.get_num_threads() or 1) > 1]
        if several:
            self._before += several
            _set([(library, 1) for library, _ in several])

    def restore(self) -> None:
        """Let the libraries use as many threads as before."""
        if self._before:
            _set(reversed(self._before))
            self._before.clear()


def _set(counts: Iterable[tuple[LibController, int]]) -> None:
    # threadpoolctl obeys one thread at a time: that which set a limit last and did not say that it is done.
    OpenBLASController.clear_controlling_thread(force=True)
    for library, count in counts:
        library.set_num_threads(count)
    OpenBLASController.clear_controlling_thread(force=True)


class _ProcessLimit:
    """The limit of this process and how many blocks need it at the moment."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._blocks = 0
        self._limited = _Limited()
        self._modules = 0
        """Number of modules that were imported when this process last searched for its libraries."""
        self._process_wide: list[LibController] = []
        self._for_each_thread: list[LibController] = []

    def enter(self) -> _Limited:
        """Limit the process and this thread; return the limits that apply to this thread only."""
        own = _Limited()
        with self._lock:
            # A look through the libraries takes a millisecond. New ones come with imports only.
            is_changed = self._modules != len(sys.modules)
            if is_changed:
                self._look()
            if is_changed or not self._blocks:
                self._limited.limit(self._process_wide)
            own.limit(self._for_each_thread)
            self._blocks += 1
        return own

    def leave(self, own: _Limited) -> None:
        """Lift the limit of this thread, and that of the process if this is the last block."""
        with self._lock:
            self._blocks -= 1
            own.restore()
            if not self._blocks:
                self._limited.restore()

    def _look(self) -> None:
        self._modules = len(sys.modules)
        found = ThreadpoolController().select(user_api="blas")
        self._for_each_thread = found.select(internal_api="openblas").select(threading_layer="openmp").lib_controllers
        own = {library.filepath for library in self._for_each_thread}
        self._process_wide = [library for library in found.lib_controllers if library.filepath not in own]


_LIMIT = _ProcessLimit()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit linear algebra to one thread for the duration of a block, or of a function as its decorator.

    Blocks may be nested and may overlap in several threads; the limit is lifted when the last one ends. It holds for
    the libraries that are loaded when the block begins, so code that imports SciPy begins a block after the import.
    """
    own = _LIMIT.enter()
    try:
        yield
    finally:
        _LIMIT.leave(own)
