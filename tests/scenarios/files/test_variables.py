"""Variables that use variables, merge keys, aliases and files that include each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios import ScenarioError
from scenarios.files import load_text

TEXT = """\
version: 1
name: small
start: 2026-06-21T00:00:00+02:00
seed: 1
load_profiles:
  wash: {points: [[0, 0], [3600, 900]]}
houses:
  - {id: adler, devices: [{id: washer, type: consumer, load_profile: wash}]}
jobs:
  - &wash {house: adler, device: washer, id: a, registered: "06:00", earliest_start: "08:00", latest_start: "16:00"}
"""


def problems(text: str, folder: Path | None = None) -> list[str]:
    """Return the problems of a text."""
    with pytest.raises(ScenarioError) as refused:
        load_text(text, "x.yaml" if folder is None else str(folder / "x.yaml"), folder)
    return [str(problem) for problem in refused.value.problems]


def test_a_variable_may_use_other_variables() -> None:
    """Also within a list, and a value of `--set` reaches all that use it."""
    text = TEXT.replace("id: a,", 'id: "${name}",') + 'vars: {name: "wash-${n}", n: 3, days: ["${n}"]}\n'
    assert load_text(text, "x.yaml", None).jobs[0].job_id == "wash-3"
    assert load_text(text, "x.yaml", None, chosen={"n": "4"}).jobs[0].job_id == "wash-4"


def test_a_variable_that_leads_to_itself_or_to_nothing_is_an_error() -> None:
    """Each is reported with its line, once, also where nothing uses it."""
    found = problems(TEXT + 'vars:\n  a: "${b}"\n  b: ["${a}"]\n  c: "${d}"\n')
    assert found == [
        "x.yaml:13: vars.b: the variable refers to itself: a -> b -> a",
        "x.yaml:14: vars.c: there is no variable 'd'; known: a, b, c",
    ]


def test_a_merge_key_adds_what_a_mapping_does_not_say_itself() -> None:
    """The mapping's own keys take precedence, and `<<` with something else is an error."""
    jobs = load_text(TEXT + '  - {<<: *wash, id: b, latest_start: "09:00"}\n', "x.yaml", None).jobs
    assert [(job.job_id, (job.latest_start_s - job.earliest_start_s) // 3600) for job in jobs] == [("a", 8), ("b", 1)]
    assert problems(TEXT + "  - {<<: wash}\n") == [
        "x.yaml:11: << takes a mapping, or a list of mappings, such as *an-alias"
    ]


def test_a_chosen_value_changes_one_of_several_aliases() -> None:
    """The others keep what the file says."""
    jobs = load_text(TEXT + "  - *wash\n", "x.yaml", None, chosen={"jobs[1].latest_start": "09:00"}).jobs
    assert [(job.latest_start_s - job.earliest_start_s) // 3600 for job in jobs] == [8, 1]


def test_quotes_make_a_chosen_value_text() -> None:
    """As in YAML."""
    assert load_text(TEXT, "x.yaml", None, chosen={"name": '"3"'}).name == "3"


def test_files_that_include_each_other_are_named_once(tmp_path: Path) -> None:
    """Nothing else follows from it: houses are not there twice."""
    (tmp_path / "x.yaml").write_text("include: y.yaml\n" + TEXT)
    (tmp_path / "y.yaml").write_text("include: x.yaml\n")
    found = problems((tmp_path / "x.yaml").read_text(), tmp_path)
    assert found == [f"{tmp_path / 'y.yaml'}:1: include: 'x.yaml' includes itself"]
