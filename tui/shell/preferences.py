"""What the application remembers of its user from one time to the next. Never anything that changes a result."""

from __future__ import annotations

import contextlib
from pathlib import Path

import platformdirs
from pydantic import BaseModel, ConfigDict, ValidationError


class Preferences(BaseModel):
    """Remembered choices; a file that cannot be read counts as none."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    theme: str = "ssmic-dark"


def preferences_file() -> Path:
    """Return where they are kept."""
    return platformdirs.user_config_path("ssmic") / "tui.json"


def load_preferences() -> Preferences:
    """Return what was remembered, or the defaults."""
    try:
        return Preferences.model_validate_json(preferences_file().read_bytes())
    except (OSError, ValidationError):
        return Preferences()


def save_preferences(preferences: Preferences) -> None:
    """Remember; where the disk does not let us, forget."""
    path = preferences_file()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(preferences.model_dump_json(indent=1) + "\n", encoding="utf-8")
