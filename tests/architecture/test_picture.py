"""The picture of the layers in docs/architecture.md."""

from __future__ import annotations

from pathlib import Path

import grimp

from tests.architecture.picture import LAYERS, draw

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "architecture.svg"


def test_the_picture_shows_the_code_as_it_is() -> None:
    """After a change of packages or imports: `python -m tests.architecture.picture docs/architecture.svg`."""
    assert PICTURE.read_text(encoding="utf-8") == draw(grimp.build_graph(*LAYERS))
