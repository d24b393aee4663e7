"""`--promise` and the scenario's `promise:`."""

from __future__ import annotations

from pathlib import Path

from agents.whole_supply.provisional_promises import FIRM_BEFORE_S
from scenarios.files import save_scenario
from scenarios.load import load_scenario
from scenarios.scenario import Scenario
from tests.ended import Ssmic
from tests.scenarios.neighbourhoods import START_S, forecast, job, load, neighbourhood, sun

HOUR_S = 3600


def test_the_option_takes_the_place_of_the_scenarios_key(ssmic: Ssmic, tmp_path: Path) -> None:
    """Late by the key or by the option: the same ledger, another one than early; the results say which it was."""
    file = tmp_path / "two.yaml"
    save_scenario(_crowded(), file)
    text = file.read_text(encoding="utf-8")
    early, late = _ran(ssmic, file), _ran(ssmic, file, "--promise", "late")
    assert early[0] != late[0]
    assert (early[1], late[1]) == (None, "late")
    file.write_text(f"promise: late\n{text}", encoding="utf-8")
    assert load_scenario(file).promise == "late"
    assert _ran(ssmic, file) == late
    assert _ran(ssmic, file, "--promise", "early")[0] == early[0]


def test_a_wrong_promise_is_reported_with_its_line(ssmic: Ssmic, tmp_path: Path) -> None:
    """This covers the file and the command line."""
    file = tmp_path / "two.yaml"
    save_scenario(_crowded(), file)
    file.write_text(f"promise: lately\n{file.read_text(encoding='utf-8')}", encoding="utf-8")
    ended = ssmic("check", file)
    assert ended.code == 3
    assert "two.yaml:1: promise: 'early' or 'late' is expected, not 'lately'" in ended.out + ended.err
    assert ssmic("run", file, "--promise", "never").code == 2


def _crowded() -> Scenario:
    """Return two jobs for the same hour of one panel; the larger one is known later."""
    noon = (12 * HOUR_S, 12 * HOUR_S)
    small = job("small", "1", load((0, 0.0), (HOUR_S, 400.0)), noon)
    large = job("large", "2", load((0, 0.0), (HOUR_S, 900.0)), noon)
    return neighbourhood(
        {"1": {"pv": forecast(sun((0, 0.0), (24 * HOUR_S, 24_000.0)))}, "2": {}},
        [
            small.model_copy(update={"profile": "small"}),
            large.model_copy(update={"profile": "large", "registered_s": START_S + HOUR_S}),
        ],
    )


def _ran(ssmic: Ssmic, file: Path, *options: str) -> tuple[str, str | None]:
    ended = ssmic("run", file, "--bus", "memory", "--reset-scores", *options, "--json").json
    return ended["runs"][0]["ledger_sha256"], ended["settings"].get("promise")


def test_the_help_names_the_minute_before_the_start_at_which_a_late_promise_is_firm(ssmic: Ssmic) -> None:
    """It said five minutes for some time after that had become one."""
    assert FIRM_BEFORE_S == 60
    assert "late, one minute before the job starts" in " ".join(ssmic("run", "--help").out.split())
