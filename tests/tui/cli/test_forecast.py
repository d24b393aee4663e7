"""`--forecast` and the scenario's `forecast:`."""

from __future__ import annotations

from pathlib import Path

from scenarios.files import save_scenario
from scenarios.load import load_scenario
from tests.ended import Ssmic


def test_the_option_takes_the_place_of_the_scenarios_key(ssmic: Ssmic, tmp_path: Path) -> None:
    """As issued by the key or by the option: the same ledger, another one than by default; results say which it was."""
    file = tmp_path / "wrong.yaml"
    save_scenario(load_scenario("wrong-forecast"), file)
    text = file.read_text(encoding="utf-8")
    corrected, issued = _ran(ssmic, file), _ran(ssmic, file, "--forecast", "issued")
    assert issued[0] != corrected[0]
    assert (issued[1], corrected[1]) == ("issued", "corrected")
    file.write_text(f"forecast: issued\n{text}", encoding="utf-8")
    assert load_scenario(file).forecast == "issued"
    again = tmp_path / "again.yaml"
    save_scenario(load_scenario(file), again)
    assert load_scenario(again).forecast == "issued"
    assert _ran(ssmic, file) == issued
    assert _ran(ssmic, file, "--forecast", "corrected") == corrected


def test_a_wrong_value_is_reported_with_its_line(ssmic: Ssmic, tmp_path: Path) -> None:
    """This covers the file and the command line."""
    file = tmp_path / "wrong.yaml"
    save_scenario(load_scenario("wrong-forecast"), file)
    file.write_text(f"forecast: guessed\n{file.read_text(encoding='utf-8')}", encoding="utf-8")
    ended = ssmic("check", file)
    assert ended.code == 3
    assert "wrong.yaml:1: forecast: 'issued' or 'corrected' is expected, not 'guessed'" in ended.out + ended.err
    assert ssmic("run", file, "--forecast", "never").code == 2


def _ran(ssmic: Ssmic, file: Path, *options: str) -> tuple[str, str | None]:
    ended = ssmic("run", file, "--bus", "memory", "--reset-scores", "--supply", "shared", *options, "--json").json
    return ended["runs"][0]["ledger_sha256"], ended["settings"].get("forecast")
