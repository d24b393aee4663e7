"""Output and files of each successful command."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.ended import Ssmic


def run_small(ssmic: Ssmic, small: Path, *options: str) -> Path:
    """Run the small scenario; return the results file."""
    ended = ssmic("run", small, "--bus", "memory", "--json", *options)
    assert ended.code == 0, ended.err
    return Path(ended.json["results_file"])


def test_help_names_every_command_and_gives_examples(ssmic: Ssmic) -> None:
    """The help of each command does so too."""
    ended = ssmic("--help")
    assert ended.code == 0
    assert "..." not in ended.out.partition("Commands:")[2]
    for name in ("run", "check", "import", "scenarios", "optimum", "results", "broker"):
        assert f"\n  {name} " in ended.out
        assert "xample" in ssmic(name, "--help").out or name == "results"
    for name in ("list", "show", "compare", "export", "report"):
        assert f"ssmic results {name} latest" in ssmic("results", name, "--help").out or name == "list"


@pytest.mark.parametrize("group", ["results", "broker", "devices", "scenarios"])
def test_no_summary_of_a_subcommand_is_cut(group: str, ssmic: Ssmic) -> None:
    """A sentence that ends in dots says less than a shorter one."""
    commands = ssmic(group, "--help").out.partition("Commands:")[2].partition("Example")[0]
    assert commands
    assert "..." not in commands


def test_only_the_programs_own_help_offers_to_install_completion(ssmic: Ssmic) -> None:
    """A command that offers it too installs it for a program of the same name, which does not exist."""
    assert "--install-completion" in ssmic("--help").out
    for name in ("clock", "host", "compose", "lab", "replay", "asyncapi", "devices"):
        assert "--install-completion" not in ssmic(name, "--help").out


def test_a_bare_command_without_a_terminal_prints_help(ssmic: Ssmic) -> None:
    """The terminal UI needs a terminal."""
    assert ssmic().out == ssmic("--help").out


def test_days_end_the_run_and_jobs_not_registered_by_then_are_reported(ssmic: Ssmic, small: Path) -> None:
    """They are not dropped."""
    (run,) = ssmic("run", small, "--bus", "memory", "--days", "1", "--json").json["runs"]
    assert run["end"] - run["start"] == 86_400
    assert run["not_registered"] == ["tomorrow"]
    assert {contract["job_id"]: contract["producer"] for contract in run["contracts"]} == {
        "noon": "pv-1",
        "night": "grid",
    }
    assert "Jobs not registered by the end" in ssmic("run", small, "--bus", "memory", "--days", "1").out


def test_impatience_buys_grid_power_at_once(ssmic: Ssmic, small: Path) -> None:
    """Impatient jobs start at their earliest remaining start, patient ones at their latest."""
    starts = {}
    for options in ((), ("--impatient",)):
        (run,) = ssmic("run", small, "--bus", "memory", "--days", "1", "--json", *options).json["runs"]
        starts[options] = {c["job_id"]: c["start"] - run["start"] for c in run["contracts"]}["night"]
    assert starts == {(): 21 * 3600, ("--impatient",): 20 * 3600}


def test_check_reports_no_problems(ssmic: Ssmic, small: Path) -> None:
    """It prints a summary."""
    ended = ssmic("check", small)
    assert ended.code == 0
    assert "1 house, 1 producer, 3 jobs" in ended.out
    checked = ssmic("check", small, "--json").json
    assert (checked["scenario"], checked["problems"]) == (str(small), [])
    assert [note.partition(" can run")[0] for note in checked["notes"]] == ["1 of 3 jobs (tomorrow)"]


def test_a_run_is_compared_with_the_optimum(ssmic: Ssmic, small: Path) -> None:
    """JSON, table and file contain it; production of the small scenario covers one job of three."""
    ended = ssmic("run", small, "--bus", "memory", "--days", "1", "--compare", "--json")
    (run,) = ended.json["runs"]
    assert run["optimum"].keys() >= {"best_wh", "bound_wh", "share"}
    assert run["optimum"]["best_wh"] == pytest.approx(500)
    assert run["optimum"]["bound_wh"] == pytest.approx(500)
    assert run["optimum"]["share"] == pytest.approx(1)
    assert [baseline["name"] for baseline in run["baselines"]] == ["earliest start", "random start", "PySSMic's rule"]
    shown = ssmic("results", "show", ended.json["results_file"])
    assert "reached by negotiation" in shown.out
    assert "by earliest start" in shown.out
    several = ssmic("run", small, "--bus", "memory", "--days", "1", "--compare", "--runs", "2", "--workers", "1")
    assert "of best" in several.out


def test_the_optimum_of_a_scenario_is_printed(ssmic: Ssmic, small: Path) -> None:
    """It has its plan, as a table and as JSON."""
    found = ssmic("optimum", small, "--time-limit", "5", "--json").json
    assert found["scenario"] == "small"
    assert found["best_wh"] == pytest.approx(500)
    assert found["proven"]
    assert [(job["job_id"], job["producer"]) for job in found["plan"]] == [("noon", "pv-1")]
    assert "Jobs supplied by panels" in ssmic("optimum", small, "--time-limit", "5").out
    assert ssmic("optimum", small, "--time-limit", "0").code == 2


def test_late_promises_with_shared_supply_are_wrong_usage(ssmic: Ssmic, small: Path) -> None:
    """Rather than without effect; a run of a sweep would fail for the same reason, so none begins."""
    late = small.with_name("late.yaml")
    late.write_text(small.read_text().replace("seed: 3", "seed: 3\npromise: late"))
    for command in (
        ("run", small, "--bus", "memory", "--supply", "shared", "--promise", "late"),
        ("sweep", late, "--vary", "supply=whole,shared"),
    ):
        refused = ssmic(*command)
        assert (refused.code, refused.out) == (2, "")
        assert "promise: 'early' is expected, not 'late', with supply 'shared'" in refused.err


def test_what_decides_nothing_with_shared_supply_is_noted(ssmic: Ssmic, small: Path) -> None:
    """An algorithm, from the file, the timeline or the command line, and how whole jobs find their producer."""
    timeline = 'supply: shared\nalgorithm: SLSQP\ntimeline: [{at: "09:00", do: algorithm, algorithm: exact}]'
    small.write_text(small.read_text().replace("seed: 3", f"seed: 3\n{timeline}"))
    why = "with supply 'shared' no producer schedules jobs: consumers choose start and shares themselves"
    expected = [f"algorithm SLSQP has no effect: {why}", f"events 'algorithm' of the timeline have no effect: {why}"]
    assert [note for note in ssmic("check", small, "--json").json["notes"] if "no effect" in note] == expected
    order = ("run", small, "--bus", "memory", "--days", "1", "--ranking", "price", "--algorithm", "TNC", "--json")
    said = (
        "--algorithm and --ranking have no effect with supply 'shared': "
        "consumers choose producers, start and shares themselves"
    )
    assert f"note: {said}" in ssmic(*order).err
    assert "no effect" not in ssmic(*order, "--supply", "whole").err


@pytest.mark.parametrize(("peak_w", "is_noted"), [(500, False), (501, True)])
def test_that_no_producer_can_supply_any_job_is_noted(
    ssmic: Ssmic, small: Path, *, peak_w: int, is_noted: bool
) -> None:
    """A first neighbourhood ran on grid power, beside panels that produced far more, without a word."""
    small.write_text(small.read_text().replace("[3600, 500]", f"[120, {peak_w / 30}], [3600, 500]"))
    note = (
        f"no producer can supply a job, so all run on grid power: each job draws {peak_w} W or more for a minute, and "
        "forecasts reach 500 W; with supply 'shared' several producers supply a job together"
    )
    assert (note in ssmic("check", small, "--json").json["notes"]) is is_noted
    order = ("run", small, "--bus", "memory", "--days", "1", "--json")
    assert (f"note: {note}" in ssmic(*order).err) is is_noted
    assert note not in ssmic(*order, "--supply", "shared").err


@pytest.mark.parametrize(
    "event",
    [
        "{at: '01:00', do: forecast, producer: pv-1, factor: 3}",
        "{at: '01:00', do: forecast_error, growth_per_h: 0.1, every: 3h}",
        "{at: '01:00', do: add_job, house: '1', device: charger, id: more, latest_start: 12h}",
    ],
)
def test_jobs_that_an_event_may_help_are_not_given_up(ssmic: Ssmic, small: Path, event: str) -> None:
    """A better forecast in the timeline, or a weaker job, was not looked at: the note said that all run on the grid."""
    text = small.read_text().replace(
        "[3600, 500]]}", "[120, 16.7], [3600, 500]]}\n  weak: {points: [[0, 0], [3600, 100]]}"
    )
    charger = "      - {id: charger, type: consumer, load_profile: weak}\n"
    text = text.replace("      - id: pv-1\n", f"{charger}      - id: pv-1\n")
    assert "no producer can supply" in str(notes_of(ssmic, small, text))
    assert "no producer can supply" not in str(notes_of(ssmic, small, f"{text}timeline:\n  - {event}\n"))


def notes_of(ssmic: Ssmic, file: Path, text: str) -> list[str]:
    """Return the notes of `ssmic check` on a scenario."""
    file.write_text(text)
    done = ssmic("check", file, "--json")
    assert done.code == 0, done.err
    notes: list[str] = done.json["notes"]
    return notes


def test_what_decides_nothing_with_whole_jobs_is_noted(ssmic: Ssmic, small: Path) -> None:
    """Preferences and use of forecasts, unless they are the default; not if the file has shared supply."""
    assert not any("no effect" in note for note in ssmic("check", small, "--json").json["notes"])
    keys = "forecast: issued\nprefer: [cheapest]"
    small.write_text(small.read_text().replace("seed: 3", f"seed: 3\n{keys}"))
    why = "with supply 'whole' consumers ask producers in their order, and forecasts are used as issued"
    expected = [f"prefer has no effect: {why}", f"forecast has no effect: {why}"]
    assert [note for note in ssmic("check", small, "--json").json["notes"] if "no effect" in note] == expected
    order = (
        "run",
        small,
        "--bus",
        "memory",
        "--days",
        "1",
        "--forecast",
        "corrected",
        "--prefer",
        "cheapest",
        "--json",
    )
    assert "note: --prefer and --forecast have no effect with supply 'whole': consumers ask" in ssmic(*order).err
    assert "no effect" not in ssmic(*order, "--supply", "shared").err
    small.write_text(small.read_text().replace("seed: 3", "seed: 3\nsupply: shared"))
    assert "no effect" not in ssmic("run", small, "--bus", "memory", "--days", "1", "--supply", "whole", "--json").err


def test_the_optimum_of_shared_supply_and_that_of_whole_jobs(ssmic: Ssmic, small: Path) -> None:
    """With both, sharing delivers no less; each alone has its figures at the top level."""
    both = ssmic("optimum", small, "--supply", "both", "--time-limit", "0.4", "--json").json
    assert (both["scenario"], both["supply"]) == ("small", "both")
    assert both["shared"]["bound_wh"] >= both["shared"]["best_wh"] >= both["whole"]["best_wh"] - 1e-6
    assert {job["producer"] for job in both["shared"]["plan"]} == {"shared"}
    assert {job["job_id"] for job in both["shared"]["plan"]} > {"noon"}
    shared = ssmic("optimum", small, "--supply", "shared", "--time-limit", "0.2", "--json").json
    assert shared["supply"] == "shared"
    assert shared["best_wh"] == pytest.approx(both["shared"]["best_wh"])
    assert "Upper bound for any run" in ssmic("optimum", small, "--supply", "shared", "--time-limit", "0.2").out
    assert ssmic("optimum", small, "--supply", "none").code == 2


def test_a_run_is_compared_with_the_shared_optimum(ssmic: Ssmic, small: Path) -> None:
    """On request it is in the table, in JSON and in the file."""
    order = ("run", small, "--bus", "memory", "--days", "1", "--compare-supply", "shared", "--time-limit", "0.2")
    ended = ssmic(*order, "--json")
    (run,) = ended.json["runs"]
    assert "optimum" not in run
    assert run["shared_optimum"]["best_wh"] >= run["kpis"]["pooled_covered_wh"] - 1e-6
    assert run["shared_optimum"]["share"] == run["kpis"]["delivered_wh"] / run["shared_optimum"]["best_wh"]
    shown = ssmic("results", "show", ended.json["results_file"]).out
    assert "Best plan known, shared supply" in shown
    of_shared = (
        "run",
        small,
        "--bus",
        "memory",
        "--days",
        "1",
        "--supply",
        "shared",
        "--compare",
        "--time-limit",
        "0.2",
    )
    (run,) = ssmic(*of_shared, "--json").json["runs"]
    assert "optimum" not in run
    assert 0 < run["shared_optimum"]["share"] <= 1


def test_an_import_runs_like_its_source(ssmic: Ssmic, pyssmic_inputs: Path, tmp_path: Path) -> None:
    """A PySSMic folder and the scenario made of it have one ledger; an existing file is not written over unasked."""
    source, target = pyssmic_inputs / "small_test", tmp_path / "imported.yaml"
    ended = ssmic("import", source, target)
    assert ended.code == 0
    assert "imported.yaml: " in ended.out
    text = target.read_text()
    again = ssmic("import", source, target)
    assert again.code == 2
    assert "exists already; use --force to overwrite it" in " ".join(again.err.split())
    assert ssmic("import", source, target, "--force").code == 0
    assert target.read_text() == text
    hashes = {
        ssmic("run", given, "--bus", "memory", "--json").json["runs"][0]["ledger_sha256"] for given in (source, target)
    }
    assert len(hashes) == 1


def test_unsupported_imports_are_reported(ssmic: Ssmic, small: Path, tmp_path: Path) -> None:
    """No file is written."""
    target = tmp_path / "target.yaml"
    ended = ssmic("import", small, target)
    assert ended.code == 3
    assert "needs no import" in ended.err
    assert ssmic("import", "nowhere", target).code == 3
    assert ssmic("import", small, "target.txt").code == 2
    assert not target.exists()


def test_bundled_scenarios_are_listed(ssmic: Ssmic) -> None:
    """The generated ones and the gallery."""
    names = [one["name"] for one in ssmic("scenarios", "--json").json["scenarios"]]
    assert {"scarce", "street", "village", "sunny", "cloud-front", "daylight-saving"} <= set(names)
    listed = ssmic("scenarios").out
    assert all(name in listed for name in names)


def test_results_are_listed_shown_and_exported(ssmic: Ssmic, small: Path) -> None:
    """The results file suffices, without the scenario."""
    file = run_small(ssmic, small, "--runs", "2", "--workers", "1")
    small.unlink()
    listed = ssmic("results", "list", "--json").json["results"]
    assert [(one["file"], one["states"]) for one in listed] == [(str(file), {"done": 2})]
    assert file.name in ssmic("results", "list").out.replace("\n", "")

    shown = ssmic("results", "show", file, "--json").json
    assert [run["seed"] for run in shown["runs"]] == [3, 4]
    assert [run["seed"] for run in ssmic("results", "show", file, "--run", "2", "--json").json["runs"]] == [4]
    assert "mean" in ssmic("results", "show", file).out
    one = ssmic("results", "show", file, "--run", "1").out
    assert "Energy consumed" in one
    assert "noon" in one
    assert ssmic("results", "show", file, "--house", "1", "--json").json["consumed_wh"] == 1500
    assert "House 1" in ssmic("results", "show", file, "--house", "1").out
    for wrong in (("--run", "3"), ("--house", "9")):
        ended = ssmic("results", "show", file, *wrong)
        assert ended.code == 3
        assert f"has no {wrong[0][2:]}" in ended.err

    assert ssmic("results", "export", file, "--format", "csv", "--to", "tables").code == 0
    with Path("tables/contracts.csv").open(encoding="utf-8") as table:
        assert len(list(csv.DictReader(table))) == 6
    assert json.loads(Path("tables/simulation.json").read_text())["runs"] == shown["runs"]
    assert ssmic("results", "report", file, "--to", "page.html").code == 0
    assert Path("page.html").read_text().startswith("<!doctype html>")
    assert ssmic("results", "report", file, "--to", "page.html").code == 2
    assert ssmic("results", "report", file, "--to", "page.html", "--force").code == 0
    assert ssmic("results", "export", file, "--to", "tables").code == 2
    assert ssmic("results", "export", file, "--to", "tables", "--force").code == 0


def test_no_results_yet_says_how_to_get_some(ssmic: Ssmic) -> None:
    """An empty list is not an error."""
    ended = ssmic("results", "list")
    assert ended.code == 0
    assert "ssmic run street" in ended.err
    assert ssmic("results", "list", "--json").json == {"folder": "results", "results": []}


def test_scores_outlive_a_simulation_and_a_repeated_run_is_the_same(ssmic: Ssmic, small: Path) -> None:
    """They are next to the results or in a named file; new runs continue from them, repeated ones do not."""

    def begun_with(file: Path) -> Any:
        return ssmic("results", "show", file, "--json").json["settings"].get("scores")

    first = run_small(ssmic, small)
    beside = first.parent / "small.scores.json"
    kept = json.loads(beside.read_text())["scores"]
    assert kept["pv-1"] != 10
    assert begun_with(first) is None
    assert begun_with(run_small(ssmic, small)) is None
    assert json.loads(beside.read_text())["scores"] == kept
    assert begun_with(run_small(ssmic, small, "--seed", "77")) == {"77": kept}
    later = json.loads(beside.read_text())["scores"]
    assert later != kept
    assert begun_with(run_small(ssmic, small, "--seed", "77")) == {"77": kept}
    assert begun_with(run_small(ssmic, small, "--seed", "77", "--reset-scores")) is None
    scores = Path("mine.json")
    for _ in range(2):
        run_small(ssmic, small, "--scores", str(scores))
    assert json.loads(scores.read_text())["scores"]["pv-1"] - 10 == 2 * (kept["pv-1"] - 10)
    run_small(ssmic, small, "--scores", str(scores), "--reset-scores")
    assert json.loads(scores.read_text())["scores"] == kept


def test_the_log_next_to_the_results_is_json_with_virtual_time(ssmic: Ssmic, small: Path) -> None:
    """It has one object per line, filtered by level."""
    file = run_small(ssmic, small)
    records = [json.loads(line) for line in file.with_suffix(".log.jsonl").read_text().splitlines()]
    by_event = {record["event"]: record for record in records}
    assert by_event["run begins"]["seed"] == 3
    assert by_event["run ended"]["now_s"] > by_event["run begins"]["now_s"]
    quiet = run_small(ssmic, small, "--log-level", "error")
    assert not quiet.with_suffix(".log.jsonl").exists()
    loud = ssmic("run", small, "--bus", "memory", "--json", "--log-level", "info")
    assert "run ended" in loud.err
    assert loud.json["runs"]


def test_runs_that_learned_of_the_same_share_one_optimum(ssmic: Ssmic, small: Path) -> None:
    """Though they ended at different moments; it is sought once, and all its seconds are spent on it."""
    lines = small.read_text(encoding="utf-8").splitlines(keepends=True)
    small.write_text("".join(line for line in lines if "night" not in line and "tomorrow" not in line))
    ended = ssmic(
        *("run", small, "--bus", "memory", "--algorithm", "fifty_fifty", "--runs", "6", "--workers", "1"),
        *("--compare", "--time-limit", "2", "--json"),
    )
    runs = ended.json["runs"]
    assert len({run["end"] for run in runs}) > 1
    optima = [{name: value for name, value in run["optimum"].items() if name != "share"} for run in runs]
    assert optima == [optima[0]] * 6
    assert {run["optimum"]["share"] for run in runs} == {
        run["kpis"]["delivered_wh"] / run["optimum"]["best_wh"] for run in runs
    }


def test_tables_fit_80_columns(ssmic: Ssmic) -> None:
    """No heading or figure is truncated in piped output; several runs have mean, deviation and interval."""
    results = Path(ssmic("run", "street", "--bus", "memory", "--json").json["results_file"])
    shown = ssmic("results", "show", results, "--run", "1").out
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert "panels" in shown
    assert "brandt  " in shown
    assert re.search(r"started later than the earliest start +\d", shown)
    several = ssmic(
        "run", "street", "--bus", "memory", "--runs", "2", "--workers", "1", "--algorithm", "fifty_fifty"
    ).out
    assert all(len(line) <= 80 for line in several.splitlines())
    assert "± 95 %" in several
    assert "of best" not in several


def test_an_import_without_jobs_says_how_to_add_them(ssmic: Ssmic, tmp_path: Path) -> None:
    """A neighbourhood of PySSMic keeps its jobs in a file of their own."""
    source = tmp_path / "neighborhood.xml"
    source.write_text(
        '<neighborhood><house id="1"><user id="2"><device><id>3</id><name>dish</name><template>1</template>'
        "<type>consumer</type></device></user></house></neighborhood>"
    )
    ended = ssmic("import", source, "n.yaml")
    assert ended.code == 0, ended.err
    assert "there are no jobs, so its run ends at once; --jobs FILE adds jobs from an XML" in ended.err
