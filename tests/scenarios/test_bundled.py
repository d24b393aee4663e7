"""The bundled files: what the generator writes, and sound neighbourhoods."""

from __future__ import annotations

import pytest

from scenarios.generate.bundle import FOLDER, TEXTS


def test_every_file_has_a_generator_and_the_other_way_round() -> None:
    """No file that nobody can write anew."""
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(TEXTS)


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_the_file_is_what_the_generator_writes(name: str) -> None:
    """To the byte, on every machine."""
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")

    assert text == TEXTS[name](), "run `python -m scenarios.generate`"
