"""Prevents orphan processes: child processes end with this process, even if it is killed."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Sequence


def ending_with_this_process(command: Sequence[str]) -> list[str]:
    """Return a command whose process gets SIGTERM when the thread that starts it ends, as by a SIGKILL to this process.

    Where that is not possible, or the program is missing, the command is returned as it is. What the process has
    started itself gets no signal.

    Args:
        command: The program and its arguments.
    """
    # (`preexec_fn` would be unsafe, since there are threads.)
    guard = shutil.which("setpriv") if sys.platform == "linux" else None
    if guard is None or shutil.which(command[0]) is None:
        return list(command)
    return [guard, "--pdeathsig", "TERM", "--", *command]


def end_with_parent(grace_wall_s: float = 0.0) -> None:
    """Let this process, a child by `multiprocessing`, end when its parent has ended: a killed parent cannot ask it to.

    Args:
        grace_wall_s: How long it may still take to end in order, wall-clock seconds.
    """
    import multiprocessing  # noqa: PLC0415 - takes 10 ms, and only child processes need it

    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def end() -> None:
        parent.join()
        time.sleep(grace_wall_s)
        os._exit(1)

    threading.Thread(target=end, name="ssmic-parent", daemon=True).start()
