"""Mistakes in a timeline, in expectations, variables and zones: all at once, with line and nearest name."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.errors import ScenarioError
from scenarios.files import load_text
from scenarios.files.timeline import EVENT_ENTRIES
from scenarios.load import load
from tests.scenarios.timeline.two_roofs import TWO_ROOFS, scripted


def problems(timeline: str = "", more: str = "", text: str = TWO_ROOFS) -> list[str]:
    """Return the problems of the neighbourhood with a script."""
    with pytest.raises(ScenarioError) as caught:
        scripted(timeline, more, text)
    return [str(problem) for problem in caught.value.problems]


LINE = TWO_ROOFS.count("\n") + 2
"""Of the first event."""


@pytest.mark.parametrize(
    ("event", "key", "what"),
    [
        ("{at: '2026-06-20T12:00:00+02:00', do: note, text: x}", "at", "in the past"),
        ("{at: '25:00', do: note, text: x}", "at", "not a clock time"),
        ("{at: -2h, do: note, text: x}", "at", "'-2h' is in the past: before the run starts"),
        ("{at: +soon, do: note, text: x}", "at", "not a time after the start"),
        ("{at: '12:00', do: clud, factor: 0.1, duration: 1h}", "do", "did you mean 'cloud'?"),
        ("{at: '12:00', do: cloud, factr: 0.1, factor: 1, duration: 1h}", "factr", "did you mean 'factor'?"),
        ("{at: '12:00', do: cloud, factor: 1.5, duration: 1h}", "factor", "at most 1 is expected, not 1.5"),
        ("{at: '12:00', do: cloud, factor: 0.1, duration: soon}", "duration", "a duration is expected"),
        ("{at: '12:00', do: cloud, producers: [pv-c], factor: 0.1, duration: 1h}", "producers[0]", "did you mean 'pv-"),
        ("{at: '12:00', do: offline, house: c}", "house", "there is no house 'c'"),
        ("{at: '12:00', do: withdraw_job, job: wash-x}", "job", "did you mean 'wash-"),
        (
            "{at: '12:00', do: add_job, house: a, device: washer, latest_start: '11:00'}",
            "latest_start",
            "before the event",
        ),
        (
            "{when: {job: wash-a}, do: add_job, house: a, device: washer, latest_start: '11:00'}",
            "latest_start",
            "how long after the event",
        ),
        ("{at: '12:00', do: leave, house: a, device: washr}", "device", "did you mean 'washer'?"),
        ("{at: '12:00', do: algorithm, algorithm: exakt}", "algorithm", "did you mean 'exact'?"),
        ("{when: {job: wash-z}, do: note, text: x}", "when.job", "there is no job"),
        ("{at: '12:00', do: tariff}", "", "changes no price; one of import_eur_per_kwh"),
        ("{at: '12:00', do: algorithm, algorithm: TNC, penalty: 0}", "penalty", "a number above 0 is expected, not 0"),
        ("{do: note, text: x}", "", "one of 'at' and 'when'"),
        ("{at: '12:00', do: link, house: a, loss: 1, duration: 1h}", "loss", "at most 0.9"),
        (
            "{at: '12:00', do: note, text: x, repeat: {every: 1h, until: '10:00'}}",
            "repeat.until",
            "before the event itself",
        ),
    ],
)
def test_a_mistake_in_an_event_is_reported_with_its_line(event: str, key: str, what: str) -> None:
    """The message has file, line, key, and the nearest existing name."""
    (found,) = problems(event)

    place = f"two.yaml:{LINE}: timeline[0]{'.' + key if key else ''}: "
    assert found.startswith(place)
    assert what in found


@pytest.mark.parametrize("wrong", ["", ": [x]"])
def test_no_missing_or_broken_key_of_an_event_hides_another_problem(wrong: str) -> None:
    """Whatever is required, of each kind of event."""
    for kind, entry in EVENT_ENTRIES.items():
        for key in (key for key, field in entry.model_fields.items() if field.is_required() and key != "do"):
            broken = f", {key}{wrong}" if wrong else ""
            found = problems(f"{{at: '12:00', do: offline, house: c}}\n{{at: '12:00', do: {kind}{broken}}}")
            assert any("there is no house 'c'" in one for one in found), (kind, key)
            assert any(f"timeline[1].{key}" in one for one in found), (kind, key)


def test_all_mistakes_are_reported_at_once() -> None:
    """They are in the timeline, the expectations and the rest."""
    found = problems(
        "{at: '12:00', do: clud}\n{at: '2020-01-01T00:00:00Z', do: note, text: x}\n",
        "expect:\n  - self_suficiency > 1\n  - jobs >\n"
        "  - {that: 'job(\"wash-q\").moves == 0', at: 1999-01-01T00:00:00Z}\n",
    )

    assert [text.split(": ")[1] for text in found] == [
        "timeline[0].do", "timeline[1].at", "expect[0]", "expect[1]", "expect[2].at", "expect[2].that",
    ]  # fmt: skip
    assert "did you mean 'self_sufficiency'?" in found[2]


def test_one_mistake_neither_hides_nor_invents_others() -> None:
    """A problem of an event's key, of a job that it names, or of a variable is reported once."""
    found = problems(
        "{at: '12:00', do: cloud, factor: 0.1, duration: soon, producers: [pv-c]}\n"
        "{when: {job: wash-q, turn: strts}, do: note, text: '${who}'}\n"
        "{when: {job: wash-a, turn: ends}, do: note, text: x}",
        "vars: {whom: x}\nexpect:\n  - messages.Cancl == 0\n  - 'job(\"wash-a\").moves == 0'\n"
        "  - grid_wh > 'much'\n  - 'job(\"wash-b\").start == \"9:00\"'\n",
        text=TWO_ROOFS.replace(
            'registered: "06:00", earliest_start: "10:00"', 'registered: soon, earliest_start: "10:00"'
        ),
    )

    assert [(text.split(": ")[1], text.split(": ")[2][:24]) for text in found] == [
        ("jobs[0].registered", "'soon' is not a time; ex"),
        ("timeline[0].duration", "a duration is expected, "),
        ("timeline[0].producers[0]", "there is no producer 'pv"),
        ("timeline[1].text", "there is no variable 'wh"),
        ("timeline[1].when.turn", "'agreed', 'starts', 'end"),
        ("timeline[1].when.job", "there is no job 'wash-q'"),
        ("expect[0]", "there are no messages 'C"),
        ("expect[2]", "> needs numbers, but 'mu"),
        ("expect[3]", "'9:00' is a text and job"),
    ]


def test_an_event_after_the_end_of_the_run_is_noted(tmp_path: Path) -> None:
    """It is not a mistake: a shorter run of the same file omits it."""
    (tmp_path / "two.yaml").write_text(f"{TWO_ROOFS}timeline:\n  - {{at: 2d 12:00, do: note, text: x}}\n")
    (note,) = load(tmp_path / "two.yaml").notes
    assert "timeline[0].at: 2026-06-22T12:00:00+02:00 is after the run ends" in note


def test_a_zone_that_does_not_exist_is_an_error() -> None:
    """The error suggests the nearest one, and hides no other mistake."""
    found, other = problems(more="zone: Europe/Berln\nexpect: [jobz == 1]\n")

    assert "there is no figure 'jobz'" in other
    assert "zone: there is no time zone 'Europe/Berln'; did you mean 'Europe/Berlin'?" in found


SPRING = TWO_ROOFS.replace("2026-06-21T00:00:00+02:00", "2026-03-29T00:00:00\nzone: Europe/Berlin")
AUTUMN = TWO_ROOFS.replace("2026-06-21T00:00:00+02:00", "2026-10-25T00:00:00\nzone: Europe/Berlin")


def test_a_time_that_the_clock_skips_is_an_error() -> None:
    """This covers a timeline's clock time and ISO time, and a job."""
    found = problems(
        "{at: '02:30', do: note, text: x}\n{at: 2026-03-29T02:10:00, do: note, text: x}",
        text=SPRING.replace(
            'registered: "06:00", earliest_start: "10:00"', 'registered: "02:15", earliest_start: "10:00"'
        ),
    )

    assert [text.split(": ")[1] for text in found] == ["jobs[0].registered", "timeline[0].at", "timeline[1].at"]
    assert all("does not exist on 29 March 2026 in Europe/Berlin" in text for text in found)


def test_a_time_that_occurs_twice_has_to_say_which() -> None:
    """An ISO time needs its offset."""
    (found,) = problems("{at: 2026-10-25T02:30:00, do: note, text: x}", text=AUTUMN)

    assert "write 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00" in found


def test_local_days_have_23_and_25_hours() -> None:
    """Clock times keep their value."""
    spring, autumn = scripted(text=SPRING), scripted(text=AUTUMN)

    assert spring.end_s(1) - spring.start_s == 23 * 3600
    assert autumn.end_s(1) - autumn.start_s == 25 * 3600
    assert [of.zone.hours(of.jobs[0].earliest_start_s) for of in (spring, autumn)] == ["10:00", "10:00"]


def test_included_files_and_variables(tmp_path: Path) -> None:
    """Problems in an included file name it; a variable keeps its type; `--set` replaces it."""
    (tmp_path / "shared.yaml").write_text("timeline:\n  - {at: '12:00', do: note, text: '${word}'}\n")
    text = TWO_ROOFS + "vars: {word: noon, days: 2}\ninclude: shared.yaml\n"
    text = text.replace("days: 1", "days: ${days}")

    plain = load_text(text, "two.yaml", tmp_path)
    chosen = load_text(text, "two.yaml", tmp_path, chosen={"word": "midday", "days": "3", "seed": "7"})

    assert [plain.days, plain.timeline[0].action.model_dump()["text"]] == [2, "noon"]
    assert [chosen.days, chosen.seed, chosen.timeline[0].action.model_dump()["text"]] == [3, 7, "midday"]

    (tmp_path / "shared.yaml").write_text("timeline:\n  - {at: '12:00', do: nte, text: x}\n")
    with pytest.raises(ScenarioError) as caught:
        load_text(text, "two.yaml", tmp_path, chosen={"wrd": "x"})
    found = "\n".join(map(str, caught.value.problems))
    assert f"{tmp_path / 'shared.yaml'}:2: timeline[0].do: there is no event 'nte'" in found
    assert "--set wrd: two.yaml has no variable or key 'wrd'; did you mean 'word'?" in found


def test_included_files_stay_inside_the_folder(tmp_path: Path) -> None:
    """Like those of `file:`, also if an included file includes them; `--allow-outside` permits others."""
    folder = tmp_path / "street"
    folder.mkdir()
    (tmp_path / "outside.yaml").write_text("days: 3\n")
    (folder / "part.yaml").write_text("include: ../outside.yaml\n")
    text = TWO_ROOFS.replace("days: 1\n", "") + "include: part.yaml\n"

    with pytest.raises(ScenarioError, match="lies outside the scenario's folder"):
        load_text(text, "two.yaml", folder)

    assert load_text(text, "two.yaml", folder, allow_outside=True).days == 3


def test_included_files_and_variables_are_bounded(tmp_path: Path) -> None:
    """Files that include two others each, and variables that multiply, end with one problem each."""
    for depth in range(40):
        (tmp_path / f"{depth}.yaml").write_text(f"include: [{depth + 1}.yaml, {depth + 1}.yaml]\n")
    (tmp_path / "40.yaml").write_text("days: 1\n")
    with pytest.raises(ScenarioError) as caught:
        load_text(TWO_ROOFS + "include: 0.yaml\n", "two.yaml", tmp_path)
    assert [problem.what for problem in caught.value.problems] == ["more than 50 files are included"]

    big = f"vars: {{a: '{'x' * 1_000_000}'}}\ndescription: '{'${a}' * 200}'\n"
    with pytest.raises(ScenarioError) as caught:
        load_text(TWO_ROOFS + big, "two.yaml", tmp_path)
    assert "the variables make the file too large" in str(caught.value)
