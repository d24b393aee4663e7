"""The process that validates large neighbourhoods: `python -m tui.editor.check_server`.

It ends with its standard input, so it never outlives the application.
"""

from __future__ import annotations

import sys

from tui.child_process import frame, let_keys_go_first, read_frame_here
from tui.editor.checker import found_in


def main() -> None:
    """Serve validation requests until standard input ends."""
    let_keys_go_first()
    out = sys.stdout.buffer
    while (asked := read_frame_here(sys.stdin.buffer)) is not None:
        out.write(frame(found_in(asked)))
        out.flush()


if __name__ == "__main__":
    main()
