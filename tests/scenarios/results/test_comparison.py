"""Comparisons of simulations: the statistics by hand, what is excluded, and the files that are written."""

from __future__ import annotations

import csv
import shutil
import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from agents.model import GRID
from scenarios.results.comparison.compared_simulation import ComparedSimulation
from scenarios.results.comparison.comparison import SimulationComparison, compare_simulations, comparison_json
from scenarios.results.comparison.figure import TextShape, draw, png, svg
from scenarios.results.comparison.files import write_comparison
from scenarios.results.comparison.tables import tables_of
from scenarios.results.connection import OutputFormatError, ResultsError, ResultsExistError, SameSimulationError
from scenarios.results.files import SimulationSpec, create_results
from scenarios.results.run_end import RecordedEnd
from scenarios.results.writer import RunWriter
from scenarios.scenario import Scenario
from tests.scenarios.neighbourhoods import START_S, agreed, contract, forecast, job, load, neighbourhood, sun

T_2 = 4.302652729911275
"""Student's t for 97.5 % and two degrees of freedom, from a table."""
WH = 1000.0
"""What each job draws, all of it covered where the panel serves it."""

Write = Callable[..., Path]


@pytest.fixture
def street() -> Scenario:
    """Three jobs of 1 kWh, and a panel that can serve all of them one after another."""
    jobs = [job(name, "a", load((0, 0), (3600, WH)), (0, 86_400)) for name in ("one", "two", "three")]
    return neighbourhood({"a": {"pv": forecast(sun((0, 0), (36_000, 20_000)))}}, jobs)


@pytest.fixture
def write(tmp_path: Path, street: Scenario) -> Write:
    """Write a simulation in which the panel serves a number of jobs in each seed's run."""

    def written(
        algorithm: str,
        served: Mapping[int, int],
        *,
        scenario: Scenario = street,
        unfinished: Mapping[int, str] = {},
        settings: Mapping[str, Any] | None = None,
        planned: tuple[int, ...] = (),
    ) -> Path:
        seeds = planned or tuple(served)
        path = create_results(SimulationSpec(scenario, algorithm, seeds, "memory", settings=settings), folder=tmp_path)
        for run, (seed, count) in enumerate(served.items(), start=1):
            name = f"{path.stem}-{seed}"
            with RunWriter(path, scenario, run=run, run_id=name, seed=seed, start_s=START_S) as writer:
                for i, of in enumerate(scenario.jobs):
                    writer.entry(agreed(contract(of, "pv" if i < count else GRID, i * 3600)))
                state: Any = unfinished.get(seed, "done")
                if state != "running":
                    writer.finish(RecordedEnd(state, START_S + 10_800, negotiations=3, wall_s=0.1))
                writer.commit()
        return path

    return written


def delivered(comparison: SimulationComparison, index: int) -> Any:
    """Return the spread of what panels delivered."""
    return comparison.statistics_of(index, "delivered_wh")


def test_means_and_differences_have_student_intervals(write: Write) -> None:
    """They are over seeds; differences pair runs of the same seed, in any order of the runs."""
    comparison = compare_simulations([write("insertion", {1: 3, 2: 2, 3: 1}), write("SLSQP", {3: 1, 1: 2, 2: 2})])
    one, other = delivered(comparison, 0), delivered(comparison, 1)
    assert (one.runs, one.mean) == (3, pytest.approx(2000))
    assert one.high_95 - one.mean == pytest.approx(T_2 * 1000 / 3**0.5)
    assert other.mean == pytest.approx(5000 / 3)
    difference = comparison.difference(0, 1)
    assert difference is not None
    assert difference.seeds == (1, 2, 3)
    change = difference.figures["delivered_wh"]
    assert change.mean == pytest.approx(-1000 / 3)  # of -1000, 0 and 0
    assert change.high_95 is not None
    assert change.mean is not None
    assert change.high_95 - change.mean == pytest.approx(T_2 * (1000 / 3**0.5) / 3**0.5)
    assert comparison.warnings == ()


def test_three_are_compared_in_every_pair(write: Write) -> None:
    """The tables show differences from the first; the JSON has all of them."""
    paths = [write(name, {1: n, 2: 1}) for n, name in enumerate(("insertion", "SLSQP", "exact"), start=1)]
    content = comparison_json(compare_simulations(paths))
    assert [one["label"] for one in content["simulations"]] == ["insertion", "SLSQP", "exact"]
    assert [(of["reference"], of["simulation"], of["seeds"]) for of in content["differences"]] == [
        ("insertion", "SLSQP", [1, 2]),
        ("insertion", "exact", [1, 2]),
        ("SLSQP", "exact", [1, 2]),
    ]
    assert content["differences"][1]["statistics"]["delivered_wh"]["mean"] == pytest.approx(1000)
    assert content["figures"]["delivered_wh"] == {"label": "Delivered", "unit": "wh"}


@pytest.mark.parametrize("state", ["interrupted", "failed", "running"])
def test_unfinished_runs_do_not_count_and_are_named(write: Write, state: str) -> None:
    """They enter neither means nor differences; planned runs that never began are listed too."""
    paths = [
        write("insertion", {1: 3, 2: 3, 3: 3}),
        write("SLSQP", {1: 2, 2: 0, 3: 2}, unfinished={2: state}, planned=(1, 2, 3, 4)),
    ]
    comparison = compare_simulations(paths)
    assert (delivered(comparison, 1).runs, delivered(comparison, 1).mean) == (2, pytest.approx(2000))
    difference = comparison.difference(0, 1)
    assert difference is not None
    assert difference.seeds == (1, 3)
    (excluded,) = [warning for warning in comparison.warnings if "excluded" in warning]
    assert excluded == f"SLSQP: 2 of 4 runs count; excluded: 1 unfinished (seed 2 {state}), 1 that did not begin."
    assert comparison_json(comparison)["simulations"][1]["excluded"] == [{"seed": 2, "state": state}]


def test_a_simulation_without_a_finished_run_is_named(write: Write) -> None:
    """It cannot be compared."""
    stopped = write("SLSQP", {1: 1}, unfinished={1: "interrupted"})
    with pytest.raises(ResultsError, match=rf"{stopped.name}: has no finished run \(interrupted\)"):
        compare_simulations([write("insertion", {1: 1}), stopped])


def test_a_simulation_is_not_compared_with_itself(write: Write, tmp_path: Path) -> None:
    """This includes another path to it, and a copy."""
    path = write("insertion", {1: 1})
    link, copy = tmp_path / "link.sqlite", tmp_path / "copy.sqlite"
    link.symlink_to(path)
    shutil.copy(path, copy)
    for other in (path, link, copy):
        with pytest.raises(SameSimulationError):
            compare_simulations([path, other])


def test_without_common_seeds_there_are_no_paired_differences(write: Write) -> None:
    """A warning says so; if some seeds are common, only those are paired."""
    comparison = compare_simulations([write("insertion", {1: 3, 2: 3}), write("SLSQP", {3: 2, 4: 2})])
    assert comparison.differences == ()
    assert "no seed in common" in " ".join(comparison.warnings)
    assert len(tables_of(comparison)) == 1
    some = compare_simulations([write("insertion", {1: 3, 2: 3}), write("SLSQP", {2: 2, 3: 2})])
    assert [of.seeds for of in some.differences] == [(2,)]
    assert "have 1 seed in common" in " ".join(some.warnings)


def test_different_scenarios_are_reported(write: Write, street: Scenario) -> None:
    """They differ by name, or the file was edited in between; seed and algorithm do not matter."""
    one = write("insertion", {1: 3, 2: 3})
    other = write("insertion", {1: 3, 2: 3}, scenario=replace(street, name="village"))
    comparison = compare_simulations([one, other])
    assert comparison.differences == ()
    assert not comparison.is_same_scenario
    assert "The scenarios differ (sample, village)" in comparison.warnings[0]
    assert [side.label for side in comparison.simulations] == ["insertion (sample)", "insertion (village)"]
    edited = write("SLSQP", {1: 3}, scenario=replace(street, jobs=street.jobs[:2]))
    assert '"sample" was changed' in " ".join(compare_simulations([one, edited]).warnings)
    same = write("SLSQP", {1: 2}, scenario=replace(street, seed=9, algorithm="SLSQP", description="the same"))
    assert compare_simulations([one, same]).is_same_scenario


def test_settings_that_make_runs_incomparable_are_named(write: Write) -> None:
    """The span of time, patience, and the scores at the beginning."""
    paths = [
        write("insertion", {1: 3}, settings={"days": 1, "patient": True}),
        write("SLSQP", {1: 3}, settings={"days": 2, "patient": True, "scores": {"1": {"pv": 4}}}),
    ]
    warnings = " ".join(compare_simulations(paths).warnings)
    assert "The runs differ in days (insertion: 1, SLSQP: 2)." in warnings
    assert "began with different producer scores" in warnings


def test_preferences_and_use_of_forecasts_are_named(write: Write) -> None:
    """Results that do not say how forecasts were used are older than corrections; whole jobs use neither setting."""
    shared = {"supply": "shared", "prefer": ["covered", "cheapest"]}
    issued = write("insertion", {1: 3}, settings=shared)
    corrected = write("SLSQP", {1: 3}, settings={"supply": "shared", "prefer": ["cheapest"], "forecast": "corrected"})
    whole = write("TNC", {1: 3}, settings={"supply": "whole"})
    warnings = " ".join(compare_simulations([issued, corrected]).warnings)
    assert "The runs differ in how forecasts are used (insertion: issued, SLSQP: corrected)." in warnings
    assert "differ in what consumers prefer (insertion: covered before cheapest, SLSQP: cheapest)." in warnings
    for shared_run in (issued, corrected):
        assert "differ in" not in " ".join(compare_simulations([shared_run, whole]).warnings)


def test_simulations_of_one_algorithm_have_labels_that_differ(write: Write) -> None:
    """They are numbered if even the second is the same."""
    comparison = compare_simulations([write("insertion", {1: 3}), write("insertion", {1: 2})])
    labels = {one.label for one in comparison.simulations}
    assert len(labels) == 2
    assert all(label.startswith("insertion (") for label in labels)


def test_labels_say_in_what_simulations_of_one_algorithm_differ(write: Write, street: Scenario) -> None:
    """The supply rule and the negotiation also if the algorithms differ."""
    shared = {"supply": "shared", "prefer": ["covered"], "forecast": "issued"}
    ranked = {"negotiation": "ranked", "ask_at_once": 1, "ranking": "scores"}
    village = replace(street, name="village")

    def labels(*paths: Path) -> list[tuple[str, str]]:
        return [(one.label, one.short_label) for one in compare_simulations(paths).simulations]

    def insertion(settings: dict[str, Any], scenario: Scenario = street) -> Path:
        return write("insertion", {1: 3}, settings=settings, scenario=scenario)

    assert labels(insertion({}), insertion(shared)) == [
        ("insertion (supply whole)", "supply whole"),
        ("insertion (supply shared)", "supply shared"),
    ]
    assert labels(insertion({}), write("SLSQP", {1: 2}, settings=shared)) == [
        ("insertion (supply whole)", "insertion, supply whole"),
        ("SLSQP (supply shared)", "SLSQP, supply shared"),
    ]
    assert labels(insertion(ranked), insertion({})) == [
        ("insertion (negotiation ranked)", "negotiation ranked"),
        ("insertion (negotiation short-list)", "negotiation short-list"),
    ]
    assert labels(insertion({"promise": "late", "penalty": 100.0}), insertion({"penalty": 5.0})) == [
        ("insertion (promise late, penalty 100)", "promise late, penalty 100"),
        ("insertion (promise early, penalty 5)", "promise early, penalty 5"),
    ]
    assert [short for _, short in labels(insertion({}), insertion({}, village))] == ["sample", "village"]
    of_both = labels(insertion({}), insertion({}, village), insertion({"promise": "late"}))
    assert [short for _, short in of_both] == [
        "sample, promise early",
        "village, promise early",
        "sample, promise late",
    ]


def test_the_extension_decides_the_format(write: Write, tmp_path: Path) -> None:
    """All formats contain the same figures."""
    comparison = compare_simulations([write("fifty_fifty", {1: 3, 2: 2, 3: 1}), write("SLSQP", {1: 2, 2: 2, 3: 1})])
    paths = [tmp_path / "new" / f"out{ending}" for ending in (".csv", ".md", ".tex", ".svg", ".png")]
    write_comparison(comparison, paths)
    table, markdown, latex, svg, png = paths

    with table.open(encoding="utf-8") as file:
        rows = {(row["figure"], row["simulation"]): row for row in csv.DictReader(file)}
    row = rows["delivered_wh", "SLSQP"]
    assert float(row["mean"]) == pytest.approx(5000 / 3)
    assert (row["runs"], row["reference"]) == ("3", "fifty_fifty")
    assert float(row["difference"]) == pytest.approx(-1000 / 3)
    assert float(row["high_95"]) > float(row["mean"]) > float(row["low_95"])
    assert rows["delivered_wh", "fifty_fifty"]["difference"] == ""

    assert "| Delivered (kWh) | 2.00 ± 2.48 | 1.67 ± 1.43 |" in markdown.read_text(encoding="utf-8")
    assert "fifty\\_fifty (3)" in markdown.read_text(encoding="utf-8")
    tex = latex.read_text(encoding="utf-8")
    assert r"Delivered (kWh) & 2.00 $\pm$ 2.48 & 1.67 $\pm$ 1.43 \\" in tex
    assert r"Delivered (kWh) & $-$0.33 $\pm$ 1.43 \\" in tex
    assert r"fifty\_fifty" in tex
    assert tex.count(r"\begin{tabular}") == tex.count(r"\end{tabular}") == 2

    root = ET.fromstring(svg.read_text(encoding="utf-8"))  # noqa: S314 - written by us
    said = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"fifty_fifty", "SLSQP", "Self-sufficiency, %"} <= set(said)
    assert png.read_bytes().startswith(b"\x89PNG\r\n")

    again = [path.read_bytes() for path in paths]
    write_comparison(comparison, paths, overwrite=True)
    assert [path.read_bytes() for path in paths] == again


def test_nothing_is_written_where_one_file_cannot_be(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown ending, a file that is there, a library that is missing: one error each, and no file."""
    comparison = compare_simulations([write("insertion", {1: 3}), write("SLSQP", {1: 2})])
    there, fine = tmp_path / "there.md", tmp_path / "fine.csv"
    there.write_text("mine", encoding="utf-8")
    with pytest.raises(OutputFormatError, match=r"out.pdf: expected one of these extensions: .csv, .tex, .md"):
        write_comparison(comparison, [fine, tmp_path / "out.pdf"])
    with pytest.raises(OutputFormatError, match="is named twice"):
        write_comparison(comparison, [fine, fine])
    with pytest.raises(ResultsExistError, match=r"there.md: exists already; use --force to overwrite it"):
        write_comparison(comparison, [fine, there])
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(OutputFormatError, match=r"pip install 'ssmic\[figures\]'"):
        write_comparison(comparison, [fine, tmp_path / "out.png"])
    assert not fine.exists()
    assert there.read_text(encoding="utf-8") == "mine"
    write_comparison(comparison, [fine, tmp_path / "out.svg"])
    assert fine.exists()


def test_texts_of_users_are_escaped(write: Write, street: Scenario, tmp_path: Path) -> None:
    """This holds for every format."""
    nasty = replace(street, name="a|b & 50 % <script>_x$")
    comparison = compare_simulations(
        [write("insertion", {1: 3}, scenario=nasty), write("SLSQP", {1: 2}, scenario=nasty)]
    )
    paths = [tmp_path / f"out{ending}" for ending in (".md", ".svg", ".png")]
    write_comparison(comparison, paths)
    assert "<script>" not in paths[0].read_text(encoding="utf-8").replace("\\<script\\>", "")
    root = ET.fromstring(paths[1].read_text(encoding="utf-8"))  # noqa: S314 - written by us
    assert root[0].text == nasty.name


def test_a_figure_shows_letters_that_join_and_escapes_what_cannot_be_seen(write: Write) -> None:
    """Values of a sweep are labels: an emoji of several characters, a word of a script that joins letters."""
    comparison = compare_simulations([write("insertion", {1: 3}), write("SLSQP", {1: 2})])
    one, other = comparison.simulations
    simulations = (replace(one, label="👨\u200d👩 \u200b!"), replace(other, label="ক\u09cd\u200dষ\u00a0x"))

    root = ET.fromstring(svg(replace(comparison, simulations=simulations)))  # noqa: S314 - written by us

    said = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "👨\u200d👩 \\u200b!" in said
    assert "ক\u09cd\u200dষ\u00a0x" in said


@pytest.mark.long
@pytest.mark.parametrize(
    ("label", "count"),
    [("insertion", 2), ("algorithm=insertion, jobs[adler-car].latest_start=17:00", 30), ("tolerance=0.001, " * 20, 3)],
)
def test_no_text_of_a_figure_is_cut_or_too_small_to_read(write: Write, label: str, count: int) -> None:
    """Labels that are too long for a row are in a key above the rows, which then have numbers."""
    pytest.importorskip("matplotlib", reason="matplotlib is an extra: pip install 'ssmic[figures]'")
    from matplotlib.textpath import TextPath  # noqa: PLC0415 - an extra

    comparison = compare_simulations([write("insertion", {1: 3, 2: 2}), write("SLSQP", {1: 2, 2: 1})])
    one, other = comparison.simulations
    simulations = (replace(one, label=label), *(replace(other, label=f"{label}, penalty={i}") for i in range(1, count)))
    drawing = draw(many(comparison, simulations))

    for text in (part for part in drawing.parts if isinstance(part, TextShape)):
        width = TextPath((0, 0), text.text, size=text.size).get_extents().width
        left = text.x - {"start": 0, "middle": width / 2, "end": width}[text.anchor]
        assert 0 <= left < left + width <= drawing.width, text
        assert 0 < text.y < drawing.height
        assert text.size >= 8.5, text


def many(comparison: SimulationComparison, simulations: tuple[ComparedSimulation, ...]) -> SimulationComparison:
    """Return a comparison of more simulations, each of which is one of the two that there are."""
    (difference,) = comparison.differences
    pairs = tuple(replace(difference, other=i) for i in range(1, len(simulations)))
    return replace(comparison, simulations=simulations, differences=pairs)


@pytest.mark.long
def test_a_figure_of_very_many_simulations_is_drawn(write: Write) -> None:
    """A PNG has at most 2^16 pixels in each direction, so its pixels become larger."""
    pytest.importorskip("matplotlib", reason="matplotlib is an extra: pip install 'ssmic[figures]'")
    comparison = compare_simulations([write("insertion", {1: 3}), write("SLSQP", {1: 2})])
    one, other = comparison.simulations
    simulations = (one, *(replace(other, label=f"penalty={i}") for i in range(1, 400)))
    image = png(many(comparison, simulations))
    width, height = struct.unpack(">II", image[16:24])
    assert 500 < width < height < 2**16


def test_runs_that_ended_at_different_times_are_told_apart_if_that_changes_figures(tmp_path: Path) -> None:
    """Each ends with its last job; the panel produces until the tenth hour, so that later ends change nothing."""
    wash = job("one", "a", load((0, 0), (3600, WH)), (0, 86_400))
    scenario = neighbourhood({"a": {"pv": forecast(sun((0, 0), (36_000, 20_000)))}}, [wash])

    def ended(name: str, job_hours: int, hours: int | None = None) -> Path:
        path = create_results(SimulationSpec(scenario, name, (1,), "memory"), out=tmp_path / name)
        with RunWriter(path, scenario, run=1, run_id=name, seed=1, start_s=START_S) as writer:
            writer.entry(agreed(contract(wash, GRID, job_hours * 3600 - 3600)))
            writer.finish(RecordedEnd("done", START_S + (hours or job_hours) * 3600))
        return path

    paths = {hours: ended(name, hours) for hours, name in ((3, "TNC"), (5, "SLSQP"), (11, "exact"), (12, "insertion"))}

    def warned(*hours: int) -> bool:
        comparison = compare_simulations([paths[one] for one in hours])
        return any("ended at different times (seed 1)" in warning for warning in comparison.warnings)

    assert warned(3, 5)
    assert not warned(11, 12)

    # The job of one run goes on beyond the end of both, and counts in full.
    running_on = compare_simulations([ended("running on", 5, hours=4), ended("L-BFGS-B", 3, hours=4)])
    assert any("ended at different times (seed 1)" in warning for warning in running_on.warnings)
