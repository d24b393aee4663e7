"""The report is one page that opens offline, shows what the results say, and takes no id for markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

import ssmic
from scenarios.files import load_text
from scenarios.prices import Community
from scenarios.results.connection import ResultsError
from scenarios.results.export import export_results
from scenarios.results.files import SimulationSpec, create_results
from scenarios.results.reader import ResultsReader
from scenarios.results.report.contents import ReportLimits
from scenarios.results.report.page import build_page, report_contents, write_report
from scenarios.results.rows import DroppedHost
from scenarios.results.run_end import RecordedEnd
from scenarios.results.writer import RunWriter
from scenarios.zone import Zone
from tests.patience import PATIENCE_WALL_S
from tests.scenarios.files.series.test_coverage_notes import TEXT
from tests.scenarios.neighbourhoods import (
    START_S,
    agreed,
    contract,
    forecast,
    job,
    load,
    neighbourhood,
    sun,
)
from tests.scenarios.results.conftest import NASTY
from tests.scenarios.timeline.two_roofs import TWO_ROOFS, scripted

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SVG_NAMESPACE = "http://www.w3.org/2000/svg"


class Page(HTMLParser):
    """A page as a browser takes it apart."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = dict(attrs).get("id") or tag

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - as the parser calls it
        self._open = ""

    def handle_data(self, data: str) -> None:
        self.texts[self._open] = self.texts.get(self._open, "") + data

    @property
    def contents(self) -> dict[str, Any]:
        """What the page holds."""
        return dict(json.loads(self.texts["contents"]))


@pytest.fixture
def report(results_file: Path, tmp_path: Path) -> Path:
    """The report of the two runs."""
    path = tmp_path / "report.html"
    with ResultsReader(results_file) as results:
        size_bytes = write_report(results, path)
    assert path.stat().st_size == size_bytes
    return path


def test_the_page_loads_nothing(report: Path) -> None:
    """It has no URL but SVG's namespace, no element that loads anything, and a policy that forbids it."""
    text = report.read_text(encoding="utf-8")
    page = Page(text)

    assert set(re.findall(r"https?://[^\s\"'`]+", text)) == {SVG_NAMESPACE}
    assert not re.search(r"@import|url\((?!#)|fetch\(|XMLHttpRequest|import\(", text)
    loading = {"link", "img", "iframe", "object", "embed", "audio", "video", "source", "base"}
    assert not loading & {tag for tag, _ in page.tags}
    assert not [attrs for _, attrs in page.tags if {"src", "href"} & attrs.keys() and attrs.get("href") != "#main"]
    policy = next(attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(page.texts["script"].encode()).digest()).decode()
    assert policy is not None
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy


def test_ids_are_never_markup(results_file: Path) -> None:
    """A job, a house and a scenario named like a script stay text, to the letter."""
    with ResultsReader(results_file) as results:
        contents = report_contents(results)
    contents |= {"scenario": NASTY, "description": NASTY, "file": "@@SCRIPT@@"}
    page = Page(build_page(contents))

    assert [tag for tag, _ in page.tags].count("script") == 2
    assert NASTY in page.texts["h1"]
    assert page.contents["scenario"] == NASTY
    assert page.contents["file"] == "@@SCRIPT@@"
    assert NASTY in {of[0] for of in page.contents["jobs"]}


def test_what_the_page_adds_up_is_what_the_figures_say(report: Path) -> None:
    """Power over intervals, rows of households, and producers, against the figures of each run."""
    contents = Page(report.read_text(encoding="utf-8")).contents
    hours = contents["interval"] / 3600

    produced_wh = sum(sum(power) for _, _, power in contents["producers"]) * hours
    for run in contents["runs"]:
        figures = run["kpis"]
        local_wh = sum(sum(of[9]) for of in run["contracts"]) * hours
        grid_wh = sum(sum(of[10]) for of in run["contracts"]) * hours
        assert local_wh == pytest.approx(figures["delivered_wh"], abs=10)
        assert grid_wh == pytest.approx(figures["grid_wh"], abs=10)
        assert produced_wh >= figures["produced_wh"] - 10
        consumed, own, near, grid = (sum(row[i] for row in run["houses"]) for i in range(4))
        assert consumed == pytest.approx(figures["consumed_wh"], abs=1)
        assert own + near == pytest.approx(figures["delivered_wh"], abs=1)
        assert grid == pytest.approx(figures["grid_wh"], abs=1)
        assert all(of[8] >= 0 and of[8] + len(of[9]) <= contents["intervals"] for of in run["contracts"])
        assert sum(row[5] for row in run["houses"]) == pytest.approx(figures["bill_eur"], abs=0.001)
    assert contents["spread"]["grid_wh"]["runs"] == 2


def test_jobs_of_less_than_a_watt_hour_are_covered_as_the_results_say(tmp_path: Path) -> None:
    """PySSMic's background loads are so small: of 0.26 Wh, panels give 0.06 in the last of four quarters."""
    tiny = job("back", "a", load((0, 0), (3600, 0.26)))
    scenario = neighbourhood({"a": {"pv": forecast(sun((0, 0), (2700, 0), (3600, 0.06)))}}, [tiny])
    path = create_results(SimulationSpec(scenario, "insertion", (1,), "memory"), out=tmp_path / "r.sqlite")
    with RunWriter(path, scenario, run=1, run_id="r1", seed=1, start_s=START_S) as writer:
        writer.entry(agreed(contract(tiny, "pv", 0)))
        writer.finish(RecordedEnd("done", START_S + 3600))
    with ResultsReader(path) as results:
        write_report(results, tmp_path / "report.html")
        share = results.kpis(1).self_sufficiency
    contents = Page((tmp_path / "report.html").read_text(encoding="utf-8")).contents
    ((*_, energy_wh),), (run,) = contents["jobs"], contents["runs"]
    ((consumed_wh, own_wh, *_),), delivered_wh = run["houses"], run["contracts"][0][5]
    assert delivered_wh / energy_wh == pytest.approx(share) == pytest.approx(6 / 26)
    assert own_wh / consumed_wh == pytest.approx(share)


def test_the_timeline_contains_messages_and_their_outcome(report: Path) -> None:
    """It is in the order of time, with the reason of a cancellation."""
    contents = Page(report.read_text(encoding="utf-8")).contents
    texts, run = contents["texts"], contents["runs"][0]

    assert [texts[kind] for _, _, _, _, kind, _, _ in run["said"]] == ["Request", "Accept", "ContractAgreed"]
    assert texts[run["said"][-1][-1]] == "with pv"
    what = [(at, texts[what], texts[reason]) for at, _, what, _, _, reason in run["history"]]
    assert what == sorted(what, key=lambda event: event[0])
    assert (1800, "cancelled", "less sun") in what
    assert (60, "amended", "") in what


def test_details_of_many_runs_are_left_out_before_the_page_grows_too_large(results_file: Path) -> None:
    """Whole runs, the last ones first; their figures stay."""
    with ResultsReader(results_file) as results:
        first, second = report_contents(results, limits=ReportLimits(contracts=4, messages=2))["runs"]

    assert len(first["contracts"]) == 3
    assert len(first["said"]) == 2
    assert first["more_was_said"]
    assert second["contracts"] is second["history"] is second["said"] is None
    assert second["kpis"]["jobs"] == 3


def test_a_report_is_not_overwritten_without_force(report: Path, results_file: Path, tmp_path: Path) -> None:
    """Neither is any other file of that name; a missing folder is created."""
    report.write_text("mine")
    with ResultsReader(results_file) as results:
        with pytest.raises(ResultsError, match=r"report\.html: exists already"):
            write_report(results, report)
        assert report.read_text() == "mine"
        write_report(results, report, overwrite=True)
        write_report(results, tmp_path / "new" / "folder" / "report.html")
        with pytest.raises(ResultsError, match="cannot be written"):
            write_report(results, report / "report.html")
        for overwrite in (False, True):
            with pytest.raises(ResultsError, match=r"folder: cannot be written: it is a folder, a file is expected"):
                write_report(results, tmp_path / "new" / "folder", overwrite=overwrite)
        with pytest.raises(ResultsError, match=r"report\.html: is a file; a folder is expected"):
            export_results(results, "csv", report)
        assert [path.name for path in (tmp_path / "new").iterdir()] == ["folder"]
    assert report.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_simulation_without_runs_has_nothing_to_report(tmp_path: Path, simulation: SimulationSpec) -> None:
    """No page is written."""
    path = create_results(simulation, out=tmp_path / "r.sqlite")
    with ResultsReader(path) as results, pytest.raises(ResultsError, match="has no run yet"):
        write_report(results, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_shared_supply_is_told_from_whole_jobs(results_file: Path, simulation: SimulationSpec, tmp_path: Path) -> None:
    """Two simulations of a scenario, one under each rule, had the same name."""
    path = create_results(replace(simulation, settings={"supply": "shared"}), out=tmp_path / "shared.sqlite")
    with RunWriter(path, simulation.scenario, run=1, run_id="r1", seed=1, start_s=START_S) as writer:
        writer.finish(RecordedEnd("done", START_S + 10800, negotiations=0, wall_s=0.5))
    page = tmp_path / "report.html"
    with ResultsReader(results_file) as whole, ResultsReader(path) as shared:
        write_report([whole, shared], page)
    contents = Page(page.read_text(encoding="utf-8")).contents
    assert [one["algorithm"] for one in contents["simulations"]] == ["insertion", "insertion, shared supply"]


def in_browser(path: Path, address: str = "") -> str:
    """Return the page's markup once a real browser has run its script; its errors fail the test."""
    assert CHROMIUM is not None
    command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    command += [f"--user-data-dir={path.parent / 'browser'}", "--enable-logging=stderr", "--virtual-time-budget=3000"]
    command += ["--dump-dom", f"{path.as_uri()}{address}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_WALL_S, check=True)
    assert not [line for line in done.stderr.splitlines() if "CONSOLE" in line or "Uncaught" in line]
    return done.stdout


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_a_browser_draws_all_sections_of_two_runs(report: Path) -> None:
    """The mean of both, all contracts, the deviation table; the nasty id as text."""
    page = Page(drawn := in_browser(report))

    assert "all 2: their mean" in drawn
    assert "6 of 6 contracts" in drawn
    assert "To houses, kWh" in drawn, "what a producer delivered under contracts is less than this, with base loads"
    assert "Standard deviation" in drawn
    assert "consumed = delivered + base load from panels + grid" in drawn, "base loads were left out"
    energy = drawn.partition('aria-labelledby="h-energy"')[2].partition("<section")[0]
    assert "SD 0" in energy, "how far runs differ goes by its name: ± is a confidence interval on this page"
    assert "±" not in energy
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert [tag for tag, attrs in page.tags if tag == "rect" and attrs.get("class") == "f-grid"]
    assert "The run ended before" in drawn
    assert "Run 2 ended before 1 job registered: late" in drawn


def test_prices_are_those_that_held_during_the_run(tmp_path: Path) -> None:
    """Prices of an event are among them; those of other days, or of a part that another part hides, are not."""
    prices = "{points: [['2026-06-20 00:00', 0.9], ['2026-06-21 00:00', 0.3], ['2026-06-22 00:00', 0.8]]}"
    times = (
        "{time_of_use: [{begin: '06:00', end: '20:00', eur_per_kwh: 0.08}, {eur_per_kwh: -2.0e-4}, {eur_per_kwh: -1}]}"
    )
    text = TWO_ROOFS.replace("import_eur_per_kwh: 0.4", f"import_eur_per_kwh: {prices}")
    text = text.replace("feed_in_eur_per_kwh: 0.1", f"feed_in_eur_per_kwh: {times}").replace("+02:00", "\nzone: UTC")
    event = "{at: '12:00', do: tariff, neighbour_eur_per_kwh: 0.25}"
    ssmic.run(scripted(event, text=text), out=tmp_path / "r.sqlite", bus="memory")
    held = {"import": "30.0", "neighbour": "20.0 to 25.0", "feed_in": "0.0 to 8.0"}

    with ResultsReader(tmp_path / "r.sqlite") as results:
        assert report_contents(results)["tariff"] == held
        assert (results.about or {})["tariff"] == held


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_a_community_that_costs_more_is_not_said_to_save(tmp_path: Path, simulation: SimulationSpec) -> None:
    """Its fee is 36.50 EUR for a day and a house, and nobody saves most."""
    scenario = replace(simulation.scenario, community=Community(community_fee_eur_per_year=36.5 * 365))
    path = create_results(replace(simulation, scenario=scenario, seeds=(1,)), out=tmp_path / "r.sqlite")
    with RunWriter(path, scenario, run=1, run_id="r1", seed=1, start_s=START_S) as writer:
        writer.finish(RecordedEnd("done", START_S + 86_400))
    with ResultsReader(path) as results:
        write_report(results, tmp_path / "report.html")
    told = in_browser(tmp_path / "report.html").partition("All bills together")[2].partition("</p>")[0]
    assert f"It costs {36.5 * len(scenario.houses):.2f}\u202f€ more." in told
    assert "saves" not in told


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_the_address_chooses_run_household_and_job(report: Path) -> None:
    """It selects one run and one household, with its negotiation unfolded."""
    drawn = in_browser(report, "#run=1&house=b&job=dry")

    assert "of 3 contracts" in drawn
    assert "contract cancelled" in drawn
    assert "less sun" in drawn
    assert "House a" not in re.sub(r"(?s)<select.*?</select>|<script.*?</script>", "", drawn)


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_contracts_are_filtered_and_sorted_by_hand(report: Path, tmp_path: Path) -> None:
    """Words, supplier and changes narrow contracts and timeline alike; a heading sorts, again the other way round."""
    hand = """
      const note = {}, first = () => document.querySelector("#contracts tbody th").textContent;
      const count = () => document.querySelector("#contracts .count").textContent;
      const [words, changed] = document.querySelectorAll("#contracts input");
      const energy = () => [...document.querySelectorAll("#contracts .sort")]
        .find(head => head.textContent.startsWith("Energy")).click();
      energy(); note.most = first(); energy(); note.least = first();
      words.value = "B machine"; words.dispatchEvent(new Event("input")); note.words = count();
      note.timeline = document.querySelectorAll("#timeline tbody tr").length;
      const supplier = document.querySelector("#contracts select");
      supplier.value = "-"; supplier.dispatchEvent(new Event("change")); note.grid = count();
      changed.click(); note.changed = count();
      document.getElementById("reset").click(); note.reset = count();
      document.getElementById("theme").click(); document.getElementById("theme").click();
      note.theme = document.documentElement.dataset.theme;
      [...document.querySelectorAll("#houses .link")].find(link => link.textContent === "House b").click();
      note.house = location.hash;
      const output = document.createElement("output");
      Object.assign(output, { id: "note", textContent: JSON.stringify(note) });
      document.body.append(output);
    """
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", report.read_text(encoding="utf-8"))
    handled = tmp_path / "handled.html"
    handled.write_text(text.replace("</body>", f"<script>{{{hand}}}</script></body>"), encoding="utf-8")

    note = json.loads(Page(in_browser(handled)).texts["note"])

    assert note == {
        "most": "dry",
        "least": NASTY,
        "words": "4 of 6 contracts",
        "timeline": 2,
        "grid": "1 of 6 contracts",
        "changed": "1 of 6 contracts",
        "reset": "6 of 6 contracts",
        "theme": "dark",
        "house": "#house=b",
    }


def by_hand(page: Path, script: str, width: int | None = None) -> Any:
    """Return what a script left in `note` that ran in the page as a person would use it.

    Args:
        page: The report.
        script: It may call `tell` again if `note` is complete only later.
        width: Width of the page in pixels, also below the minimum of a browser's window, because it is displayed in a
            frame.
    """
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text(encoding="utf-8"))
    handled, frame = page.with_name("handled.html"), page.with_name("frame.html")
    listening = """const output = document.createElement("output"); output.id = "note"; document.body.append(output);
        onmessage = message => { output.textContent = message.data; };"""
    telling = 'const note = {}, tell = () => parent.postMessage(JSON.stringify(note), "*");'
    if width is None:
        telling = f"{listening} const note = {{}}, tell = () => onmessage({{ data: JSON.stringify(note) }});"
    handled.write_text(text.replace("</body>", f"<script>{{{telling}{script};tell();}}</script></body>"), "utf-8")
    if width is None:
        return json.loads(Page(in_browser(handled)).texts["note"])
    frame.write_text(
        f"""<body><iframe src="handled.html" style="width: {width}px; height: 900px; border: 0"></iframe>
        <script>{listening}</script></body>""",
        "utf-8",
    )
    return json.loads(Page(in_browser(frame)).texts["note"])


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_charts_are_saved_as_svg_and_png_that_need_nothing_else(report: Path) -> None:
    """Each chart has both buttons; a saved SVG contains its title, colours and legend."""
    note = by_hand(
        report,
        """
        Object.assign(note, { names: [], drawn: [], png: [] });
        window.Blob = function ([content], { type }) {
          if (type === "image/png") note.png.push([...content.slice(0, 4)]);
          else note.drawn.push(content);
        };
        URL.createObjectURL = () => "#";
        HTMLAnchorElement.prototype.click = function () { note.names.push(this.download); tell(); };
        note.buttons = [...document.querySelectorAll("[data-save]")].map(button => button.dataset.save);
        for (const button of document.querySelectorAll("[data-save]")) button.click();
        """,
    )
    charts = {name.rpartition(" ")[0] for name in note["buttons"]}
    assert {"power", "households", "producers", "negotiations"} <= charts
    assert len(charts) == 6, "and the two bars of energy"
    assert note["png"] == [[0x89, *b"PNG"]] * 6
    assert len(note["drawn"]) == 6
    assert sorted(name.rpartition(".")[2] for name in note["names"]) == ["png"] * 6 + ["svg"] * 6
    for drawn in note["drawn"]:
        root = ET.fromstring(drawn)  # noqa: S314 - our own picture
        assert root.tag == f"{{{SVG_NAMESPACE}}}svg"
        assert float(root.attrib["width"]) > 200
        assert "class=" not in drawn
        assert "rgb(" in drawn


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.parametrize("width", [400, 700, 1400])
def test_nothing_is_cut_at_any_width(report: Path, width: int) -> None:
    """Neither the page nor a table needs horizontal scrolling, in narrow and wide windows."""
    note = by_hand(
        report,
        """
        note.page = [document.documentElement.scrollWidth, innerWidth];
        note.tables = [...document.querySelectorAll(".scroll")].map(one => [one.scrollWidth, one.clientWidth]);
        const words = [...document.querySelectorAll("#day svg text")];
        note.words = Math.min(...words.map(one => one.getBoundingClientRect().height));
        """,
        width=width,
    )
    assert note["page"][0] <= note["page"][1] == width
    assert all(needs <= has for needs, has in note["tables"])
    assert note["words"] >= 11, "the chart's words can be read"


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_a_report_of_several_simulations_compares_them_and_shows_each(results_file: Path, tmp_path: Path) -> None:
    """Mean and interval side by side; below, the chosen one; the address keeps which."""
    other = tmp_path / "other.sqlite"
    other.write_bytes(results_file.read_bytes())
    page = tmp_path / "report.html"
    with ResultsReader(results_file) as first, ResultsReader(other) as second:
        write_report([first, second], page)
    contents = Page(page.read_text(encoding="utf-8")).contents
    assert [one["file"] for one in contents["simulations"]] == [results_file.name, "other.sqlite"]

    note = by_hand(
        page,
        """
        note.heads = [...document.querySelectorAll("#several th.num")].map(head => head.textContent.slice(0, 1));
        note.file = document.querySelector("#made code").textContent;
        const choice = document.getElementById("simulation");
        choice.value = "1"; choice.dispatchEvent(new Event("change"));
        note.other = document.querySelector("#made code").textContent;
        note.address = location.hash;
        """,
    )
    assert note == {
        "heads": ["A", "B"],
        "file": results_file.name,
        "other": "other.sqlite",
        "address": "#simulation=B",
    }
    assert "other.sqlite" in re.sub(r"(?s)<script.*?</script>", "", in_browser(page, "#simulation=B"))


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_times_are_shown_at_the_scenarios_offset_and_in_utc_on_demand(tmp_path: Path) -> None:
    """The page states the zone; its ticks are at round hours of it."""
    zone, start_s = Zone(20_700), START_S
    jobs = [job("wash", "a", load((0, 0), (600, 100)), (36_000, 36_000))]
    scenario = neighbourhood({"a": {"pv": forecast(sun((0, 0), (80_000, 9000)))}}, jobs)
    scenario = replace(scenario, utc_offset_s=zone.offset_s)
    path = create_results(SimulationSpec(scenario, "insertion", (1,), "memory"), out=tmp_path / "r.sqlite")
    with RunWriter(path, scenario, run=1, run_id="r1", seed=1, start_s=start_s) as writer:
        writer.entry(agreed(contract(jobs[0], "pv", 36_000)))
        writer.finish(RecordedEnd("done", start_s + 86_400))
    there, utc = (f"{at.hours(start_s + 36_000)}" for at in (zone, Zone()))
    page = tmp_path / "report.html"
    look = f"""
      const starts = () => document.querySelector("#contracts tbody").textContent;
      note.facts = document.getElementById("facts").textContent;
      note.starts = starts().includes("{there}");
      const ticks = [...document.querySelectorAll("#day .axis text")].map(one => one.textContent);
      note.ticks = ticks.filter(tick => /^[0-9][0-9]:/.test(tick));
      document.getElementById("times").click();
      note.utc = starts().includes("{utc}") && !starts().includes("{there}");
      note.said = document.getElementById("times").textContent;
    """
    with ResultsReader(path) as results:
        write_report(results, page)
        note = by_hand(page, look)
        write_report(results, page, utc=True, overwrite=True)
        in_utc = by_hand(page, 'note.said = document.getElementById("times").textContent;')
    assert "UTC+05:45" in note["facts"]
    assert note["starts"]
    assert note["ticks"]
    assert all(tick.endswith(":00") for tick in note["ticks"])
    assert note["utc"]
    assert note["said"] == in_utc["said"] == "Times: UTC"


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_days_begin_at_midnight_where_clocks_change(tmp_path: Path) -> None:
    """Each is named by its date, as in the terminal application."""
    text = TEXT.replace("2026-06-21T00:00:00+02:00", "2026-10-24T00:00\nzone: Europe/Berlin\ndays: 4")
    scenario = load_text(text.replace("2026-06-21T06", "2026-10-24T06"), "clocks.yaml", None)
    path = create_results(SimulationSpec(scenario, "insertion", (1,), "memory"), out=tmp_path / "r.sqlite")
    with RunWriter(path, scenario, run=1, run_id="r1", seed=1, start_s=scenario.start_s) as writer:
        writer.finish(RecordedEnd("done", scenario.end_s(4)))
    with ResultsReader(path) as results:
        write_report(results, tmp_path / "report.html")
    look = """
      const said = [];
      for (let day = 0; day < 4; day++) {
        const ticks = [...document.querySelectorAll("#day .axis text")].map(one => one.textContent);
        const first = ticks.find(tick => /^[0-9][0-9]:/.test(tick));
        said.push([document.querySelector("#day .days").textContent, first]);
        document.getElementById("day-after").click();
      }
      note.said = said;
    """
    dates, ticks = zip(*by_hand(tmp_path / "report.html", look)["said"], strict=True)
    assert [re.findall(r" of 4: (\d+ Oct) 2026 ", each) for each in dates] == [[f"{day} Oct"] for day in range(24, 28)]
    assert ticks == ("00:00",) * 4


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_fifty_runs_and_runs_that_broke_off_are_drawn(tmp_path: Path) -> None:
    """Some have no contract, failed or are in progress; a neighbourhood has no tariff and no production."""
    jobs = [job(f"j{i}", "a", load((0, 0), (600, 100))) for i in range(5)]
    scenario = neighbourhood({"a": {"pv": forecast(sun((0, 0), (60, 0)))}, "b": {}}, jobs)
    path = create_results(SimulationSpec(scenario, "insertion", tuple(range(50)), "memory"), out=tmp_path / "r.sqlite")
    for run in range(1, 51):
        with RunWriter(path, scenario, run=run, run_id=f"r{run}", seed=run, start_s=START_S) as writer:
            for of in jobs if run > 1 else ():
                writer.entry(agreed(contract(of, "pv", 60 * run)))
            writer.commit()
            if run == 2:
                writer.finish(RecordedEnd("failed", START_S + 900, error=f"agent failed: {NASTY}"))
            elif run == 4:
                out = (DroppedHost("b", "it lied", is_quarantined=True),)
                writer.finish(
                    RecordedEnd("done", START_S + 87_000, without=out, disputes=(f"job 'j1': {NASTY}", "job 'j2'"))
                )
            elif run != 3:
                writer.finish(RecordedEnd("done", START_S + 87_000))
    with ResultsReader(path) as results:
        write_report(results, tmp_path / "report.html")

    drawn = in_browser(tmp_path / "report.html")

    assert "all 50: mean of the 48 complete" in drawn
    assert "Run 2 failed: agent failed" in drawn
    assert "Run 3 had not ended when this page was made" in drawn
    assert "and are excluded from means" in drawn
    assert "Run 4 ended without b, which was quarantined: it lied." in drawn
    assert "Run 4 has 2 disputes; the ledger stands: job 'j1': " in drawn
    assert "245 of 245 contracts" in drawn
