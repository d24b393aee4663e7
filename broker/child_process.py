"""Child processes that end with this process, even if it is killed."""

from __future__ import annotations

import shutil
import sys
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
