"""The process that generates neighbourhoods for the application: `python -m tui.editor.generating.generate_server`.

It ends with its standard input, so it never outlives the application.
"""

from __future__ import annotations

import sys

from tui.child_process import frame, let_keys_go_first, read_frame_here
from tui.editor.generating.generator import made_here


def main() -> None:
    """Serve requests until standard input ends."""
    let_keys_go_first()
    out = sys.stdout.buffer
    while (wanted := read_frame_here(sys.stdin.buffer)) is not None:
        out.write(frame(made_here(wanted)))
        out.flush()


if __name__ == "__main__":
    main()
