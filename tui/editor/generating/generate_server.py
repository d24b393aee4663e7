"""The process that generates for the application: `python -m tui.editor.generating.generate_server`."""

from __future__ import annotations

from tui.child_process import serve_requests
from tui.editor.generating.generator import made_here

if __name__ == "__main__":
    serve_requests(made_here)
