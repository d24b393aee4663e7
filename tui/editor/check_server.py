"""The process that validates large neighbourhoods: `python -m tui.editor.check_server`."""

from __future__ import annotations

from tui.child_process import serve_requests
from tui.editor.checker import found_in

if __name__ == "__main__":
    serve_requests(found_in)
