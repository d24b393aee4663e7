"""What the application remembers from one start to the next: the theme."""

from __future__ import annotations

import contextlib
from pathlib import Path

import platformdirs
from pydantic import BaseModel, ConfigDict, ValidationError

from broker import atomic_write
from tui.widgets import DEFAULT_THEME


class Preferences(BaseModel):
    """Saved preferences; an unreadable file counts as none."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    theme: str = DEFAULT_THEME


def preferences_file() -> Path:
    """Return where they are kept."""
    return platformdirs.user_config_path("ssmic") / "tui.json"


def load_preferences() -> Preferences:
    """Return the saved preferences, or the defaults."""
    try:
        return Preferences.model_validate_json(preferences_file().read_bytes())
    except (OSError, ValidationError):
        return Preferences()


def save_preferences(preferences: Preferences) -> None:
    """Save the preferences, ignoring write errors."""
    path = preferences_file()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as draft:
            draft.write_text(preferences.model_dump_json(indent=1) + "\n", encoding="utf-8")
