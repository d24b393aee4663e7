"""A real terminal, for tests."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.patience import PATIENCE_WALL_S


def environment() -> dict[str, str]:
    """Return the environment of a program that a test starts: the test's own, with the project on the path."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


class Terminal:
    """A real terminal, 80 by 24, in which a command runs."""

    def __init__(self, folder: Path) -> None:
        self._tmux = ("tmux", "-S", str(folder / "tmux"))
        self._folder = folder

    def open(self, command: str) -> None:
        """Run a command, and then say with which code it ended."""
        line = f"stty -g > before; {command}; echo ended with $?; stty -g > after; exec cat"
        self._do("new-session", "-d", "-x", "80", "-y", "24", "-c", str(self._folder), "sh", "-c", line)

    def press(self, *keys: str) -> None:
        """Press keys, by tmux's names."""
        self._do("send-keys", *keys)

    def picture(self) -> str:
        """Return what is on the screen."""
        return self._do("capture-pane", "-p")

    def wait_for(self, text: str) -> str:
        """Wait until a text is on the screen; return the whole."""
        deadline_wall_s = time.monotonic() + PATIENCE_WALL_S
        while text not in (picture := self.picture()):
            if time.monotonic() > deadline_wall_s:
                raise AssertionError(f"never on the screen: {text}\n{picture}")
            time.sleep(0.1)
        return picture

    def wait_for_file(self, path: Path) -> None:
        """Wait until a process has written a file."""
        deadline_wall_s = time.monotonic() + PATIENCE_WALL_S
        while not (path.exists() and path.read_text().endswith("\n")):
            if time.monotonic() > deadline_wall_s:
                raise AssertionError(f"never written: {path}\n{self.picture()}")
            time.sleep(0.1)

    def is_restored(self) -> bool:
        """Whether what is on the screen is a shell's again: no second screen, no mouse, no hidden cursor."""
        flags = "#{alternate_on} #{mouse_any_flag} #{cursor_flag}"
        return self._do("display-message", "-p", flags).split() == ["0", "0", "1"]

    def close(self) -> None:
        """End it."""
        subprocess.run([*self._tmux, "kill-server"], check=False, capture_output=True)

    def _do(self, *arguments: str) -> str:
        done = subprocess.run([*self._tmux, *arguments], check=True, capture_output=True, text=True, env=environment())
        return done.stdout
