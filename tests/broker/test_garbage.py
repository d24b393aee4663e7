"""How often Python looks for garbage."""

from __future__ import annotations

import gc

from broker import collecting_seldom


def test_a_run_looks_for_garbage_seldom_and_only_among_what_it_has_created() -> None:
    """Afterwards, all is as before."""
    usual, frozen = gc.get_threshold(), gc.get_freeze_count()
    looks: list[str] = []

    def note(phase: str, _info: dict[str, int]) -> None:
        looks.append(phase)

    with collecting_seldom():
        assert gc.get_freeze_count() > frozen
        gc.callbacks.append(note)
        kept = [[number] for number in range(8 * usual[0])]
        gc.callbacks.remove(note)
    assert len(kept) == 8 * usual[0]
    assert not looks
    assert (gc.get_threshold(), gc.get_freeze_count()) == (usual, frozen)
