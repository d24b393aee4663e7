"""The process that validates large neighbourhoods: `python -m tui.editor.check_server`.

A separate module, because the application could not unpickle classes of a module that runs as `__main__`.
"""

from __future__ import annotations

from tui.child_process import serve_requests
from tui.editor.checker import found_in

if __name__ == "__main__":
    serve_requests(found_in)
