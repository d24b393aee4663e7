"""Import of neighbourhood XML: an incomplete neighbourhood becomes a scenario, with notes on assumptions."""

# ruff: noqa: E501 - a message stands in one line, as users see it

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.appliances import APPLIANCES
from scenarios.errors import ScenarioError
from scenarios.files.dump import to_yaml
from scenarios.files.scenario_from_text import load_text
from scenarios.importers.detect import import_source

NEIGHBOURHOOD = """\
<neighborhood id="13" name="neighborhood">
 <house id="30">
  <user id="1">
   <device><id>121</id><name>dish1</name><template>89</template><type>consumer</type></device>
   <device><id>122</id><name>solarPanel1</name><template>1</template><type>producer</type></device>
  </user>
 </house>
 <house id="4">
  <user id="1">
   <device><id>5</id><name>Clothes</name><template>73</template><type>consumer</type></device>
  </user>
 </house>
</neighborhood>
"""
JOBS = """\
<neighborhood id="13">
 <house id="30"><user id="1">
  <device><id>121</id><est>1460268000</est><lst>1460296800</lst><creation_time>1460250000</creation_time><profile>89</profile></device>
  <device><id>121</id><est>1460275200</est><lst>1460300400</lst><creation_time>1460253600</creation_time><profile>90</profile></device>
 </user></house>
</neighborhood>
"""


@pytest.fixture
def xml(tmp_path: Path) -> Path:
    """A neighbourhood with its jobs."""
    (tmp_path / "esn.xml").write_text(NEIGHBOURHOOD, encoding="utf-8")
    (tmp_path / "jobs.xml").write_text(JOBS, encoding="utf-8")
    return tmp_path


def problems_of(folder: Path, *, jobs: bool = True) -> list[str]:
    """Return the messages, without the folder."""
    with pytest.raises(ScenarioError) as caught:
        import_source(folder / "esn.xml", jobs=folder / "jobs.xml" if jobs else None)
    return str(caught.value).replace(f"{folder}/", "").splitlines()


def test_houses_and_devices_come_as_they_are(xml: Path) -> None:
    """Houses in the order of their numbers, users left out."""
    imported = import_source(xml / "esn.xml")

    assert [(house.id, [(d.id, d.name, d.template, d.type) for d in house.devices]) for house in imported.scenario.houses] == [
        ("4", [("5", "Clothes", "73", "consumer")]),
        ("30", [("121", "dish1", "89", "consumer"), ("122", "solarPanel1", "1", "producer")]),
    ]  # fmt: skip
    assert imported.scenario.jobs == ()
    assert imported.scenario.name == "esn"


def test_assumptions_are_noted(xml: Path) -> None:
    """Each is noted once, with its device."""
    assert import_source(xml / "esn.xml").notes == (
        "it contains no times; the run starts at 2026-06-21T00:00:00Z",
        "device 121 (dish1) of house 30: no load profile '89'; the bundled 'dishwasher-eco' takes its place",
        (
            "producer 122 (solarPanel1) of house 30: no prediction; it is assumed to be that of a clear sky over a roof of 5 kWp facing "
            "south, in Konstanz"
        ),
        "device 5 (Clothes) of house 4: no load profile '73'; the bundled 'dryer-heat-pump' takes its place",
    )


def test_load_profiles_next_to_the_xml_are_used(xml: Path, tmp_path: Path) -> None:
    """They are in `loads/` next to it, or in a named folder, which takes precedence."""
    (xml / "loads").mkdir()
    (xml / "loads/89.csv").write_text("0 0\n60 7\n", encoding="utf-8")
    (xml / "loads/90.csv").write_text("0 0\n60 8\n", encoding="utf-8")
    (tmp_path / "more").mkdir()
    (tmp_path / "more/90.csv").write_text("0 0\n60 9\n", encoding="utf-8")

    jobs = import_source(xml / "esn.xml", jobs=xml / "jobs.xml", loads=[tmp_path / "more"]).scenario.jobs

    assert [(job.job_id, job.profile, job.energy_wh) for job in jobs] == [("30/121", "89", 7), ("30/121#2", "90", 9)]


def test_jobs_come_from_a_separate_file(xml: Path) -> None:
    """The run starts with the first job, and production covers the time of all of them."""
    scenario = import_source(xml / "esn.xml", jobs=xml / "jobs.xml").scenario

    assert scenario.start_s == 1460250000
    assert [(job.house, job.device, job.registered_s, job.earliest_start_s, job.latest_start_s) for job in scenario.jobs] == [
        ("30", "121", 1460250000, 1460268000, 1460296800),
        ("30", "121", 1460253600, 1460275200, 1460300400),
    ]  # fmt: skip
    assert scenario.jobs[0].load_profile == APPLIANCES["dishwasher-eco"].load_profile
    sun = scenario.producers["122"].predictions[0]
    assert sun.issued_s == scenario.start_s
    noon, midnight = 1460246400 + 11 * 3600, 1460246400
    assert sun.production.energy_per_bin_wh([noon, noon + 3600])[0] > 3000
    assert sun.production.energy_per_bin_wh([midnight, midnight + 3600])[0] == 0
    assert sun.production.start_s <= scenario.start_s
    assert sun.production.end_s >= 1460300400 + 24 * 3600


def test_what_is_imported_is_written_and_loaded_unchanged(xml: Path) -> None:
    """A self-contained file."""
    imported = import_source(xml / "esn.xml", jobs=xml / "jobs.xml")

    assert load_text(to_yaml(imported.file), "x.yaml", None) == imported.scenario
    assert load_text(to_yaml(imported.scenario), "x.yaml", None) == imported.scenario


def test_ids_that_users_or_houses_share_are_distinguished(xml: Path) -> None:
    """Device 1 of user 1, device 1 of user 2; producers with one id in two houses."""
    device = "<device><id>1</id><name>{}</name><type>{}</type></device>"
    dish, roof = device.format("dish", "consumer"), device.format("roof", "producer")
    text = (
        f'<neighborhood><house id="a"><user id="1">{dish}</user><user id="2">{dish}</user></house>'
        f'<house id="b">{roof}</house><house id="c">{roof}</house></neighborhood>'
    )
    (xml / "esn.xml").write_text(text, encoding="utf-8")

    imported = import_source(xml / "esn.xml")

    assert [[device.id for device in house.devices] for house in imported.scenario.houses] == [
        ["1.1", "2.1"], ["b.1"], ["c.1"],
    ]  # fmt: skip
    assert "device 1 of house b: the id is not unique; renamed to b.1" in imported.notes


def test_pyssmics_own_neighbourhood_imports(pyssmic_inputs: Path) -> None:
    """It imports with and without its jobs, with load profiles from a folder if available."""
    folder = pyssmic_inputs / "xml"

    alone = import_source(folder / "neighborhood.xml")
    complete = import_source(
        folder / "neighborhood.xml", jobs=folder / "jobs.xml", loads=[pyssmic_inputs / "test/loads"]
    )

    assert (len(alone.scenario.houses), len(alone.scenario.jobs)) == (3, 0)
    assert [(job.job_id, job.profile) for job in complete.scenario.jobs] == [
        ("30/121", "dishwasher-eco"), ("31/125", "96"), ("30/123", "92"),
    ]  # fmt: skip
    for imported in (alone, complete):
        assert load_text(to_yaml(imported.file), "x.yaml", None) == imported.scenario


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "esn.xml: is empty"),
        (b"\x00\x01\x89PNG", "esn.xml:1: invalid XML: not well-formed (invalid token), column 1"),
        (b"<neighborhood>\n<house>\n</hose>", "esn.xml:3: invalid XML: mismatched tag, column 3"),
        (b"<neighborhood>\n", "esn.xml:2: invalid XML: no element found, column 1"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "esn.xml: invalid XML: unknown encoding: klingon"),
        (b"<html/>", "esn.xml: a root element <neighborhood> is expected, not <html>"),
        (b"<neighborhood/>", "esn.xml: contains no house with a device"),
        (b"<neighborhood>&auml;</neighborhood>", "esn.xml:1: invalid XML: undefined entity, column 15"),
        (b"<neighborhood>" + b"<a>" * 200, "esn.xml:1: nested more than 100 deep"),
    ],
)
def test_other_xml_is_refused(xml: Path, content: bytes, message: str) -> None:
    """The line is named if it is known."""
    (xml / "esn.xml").write_bytes(content)

    assert problems_of(xml, jobs=False) == [message]


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE b [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE b SYSTEM "http://127.0.0.1:1/evil.dtd">',
        '<!DOCTYPE b [<!ENTITY % a SYSTEM "file:///etc/passwd"> %a;]>',
    ],
    ids=["bomb", "file", "address", "parameter"],
)
def test_bombs_and_other_files_are_refused(xml: Path, declaration: str) -> None:
    """Document types and entities are refused, also in the jobs."""
    message = "declares a document type (<!DOCTYPE ...>), which can hide an XML bomb or read other files; it is refused"
    (xml / "jobs.xml").write_text(declaration + "<neighborhood>&a;</neighborhood>", encoding="utf-8")
    (xml / "esn.xml").write_text(declaration + "<neighborhood>&b;</neighborhood>", encoding="utf-8")

    assert problems_of(xml) == [f"esn.xml: {message}", f"jobs.xml: {message}"]


@pytest.mark.parametrize(
    ("old", "new", "problems"),
    [
        ("<id>122</id>", "", ["esn.xml:5: <device>: 'id' is missing"]),
        ("<id>122</id>", "<id> </id>", ["esn.xml:5: <device>: 'id' is empty"]),
        (' id="4"', "", ["esn.xml:8: <house>: 'id' is missing"]),
        ("producer", "producr", ["esn.xml:5: <device>: 'consumer' or 'producer' is expected, not 'producr'; did you mean 'producer'?"]),
        ("<id>122</id>", "<id>121</id>", ["esn.xml:5: house '30' already has a device '121'"]),
        ("<id>121</id>", "<id>12</id>", ["jobs.xml:3: house '30' has no device '121'; did you mean '12'?", "jobs.xml:4: house '30' has no device '121'; did you mean '12'?"]),
        ("<type>consumer</type></device>\n   <device><id>122", "<type>producer</type></device>\n   <device><id>122", ["jobs.xml:3: device '121' is a producer; a job runs on a consumer", "jobs.xml:4: device '121' is a producer; a job runs on a consumer"]),
        ('id="30"', 'id="manager"', ["jobs.xml:3: there is no house '30'; known: 4, manager", "jobs.xml:4: there is no house '30'; known: 4, manager"]),
    ],
)  # fmt: skip
def test_problems_of_a_neighbourhood(xml: Path, old: str, new: str, problems: list[str]) -> None:
    """They are reported with their line, together with problems of the jobs."""
    assert old in NEIGHBOURHOOD
    (xml / "esn.xml").write_text(NEIGHBOURHOOD.replace(old, new), encoding="utf-8")

    assert problems_of(xml) == problems


@pytest.mark.parametrize(
    ("old", "new", "problems"),
    [
        ("<est>1460268000</est>", "", ["jobs.xml:3: <device>: 'est' is missing"]),
        ("1460268000", "noon", ["jobs.xml:3: <device>: 'est': UNIX seconds are expected, not 'noon'"]),
        ("1460268000", "1460296801", ["jobs.xml:3: the latest start 1460296800 (2016-04-10T14:00:00Z) is before the earliest start 1460296801 (2016-04-10T14:00:01Z)"]),
        ("1460250000", "1460296801", ["jobs.xml:3: the latest start 1460296800 (2016-04-10T14:00:00Z) is before the job is registered 1460296801 (2016-04-10T14:00:01Z)"]),
    ],
)  # fmt: skip
def test_problems_of_the_jobs(xml: Path, old: str, new: str, problems: list[str]) -> None:
    """They are reported with their line."""
    (xml / "jobs.xml").write_text(JOBS.replace(old, new), encoding="utf-8")

    assert problems_of(xml) == problems


def test_a_mistake_hides_no_other(xml: Path) -> None:
    """This covers both files and adjacent load profiles; no message complains about consequences of a mistake."""
    (xml / "loads").mkdir()
    (xml / "loads/73.csv").write_text("0 0\n60 x\n50 7\n", encoding="utf-8")
    esn = NEIGHBOURHOOD.replace("<id>121</id>", "").replace("producer", "producr").replace(' id="4"', "")
    jobs = JOBS.replace("1460268000", "noon").replace("1460250000", "1460296801").replace("1460275200", "1460300401")
    (xml / "esn.xml").write_text(esn, encoding="utf-8")
    (xml / "jobs.xml").write_text(jobs, encoding="utf-8")

    assert problems_of(xml) == [
        "esn.xml:4: <device>: 'id' is missing",
        "esn.xml:5: <device>: 'consumer' or 'producer' is expected, not 'producr'; did you mean 'producer'?",
        "esn.xml:8: <house>: 'id' is missing",
        "jobs.xml:3: <device>: 'est': UNIX seconds are expected, not 'noon'",
        "jobs.xml:3: the latest start 1460296800 (2016-04-10T14:00:00Z) is before the job is registered 1460296801 (2016-04-10T14:00:01Z)",
        "jobs.xml:4: the latest start 1460300400 (2016-04-10T15:00:00Z) is before the earliest start 1460300401 (2016-04-10T15:00:01Z)",
        "loads/73.csv:2: a number is expected, not 'x'",
        "loads/73.csv:3: the time 50 is not after 60; times must increase",
    ]


def test_a_broken_load_profile_is_reported(xml: Path) -> None:
    """It is not replaced by another one."""
    (xml / "loads").mkdir()
    (xml / "loads/89.csv").write_text("0 0\n60 7\n120 6\n", encoding="utf-8")

    assert problems_of(xml) == ["loads/89.csv:3: 6 Wh is less than 7 Wh before; cumulative energy must not decrease"]


def test_other_sources_are_refused(xml: Path) -> None:
    """The error states what is expected; YAML needs no import, and a folder has its own jobs."""
    (xml / "street.yaml").write_text("version: 1", encoding="utf-8")

    with pytest.raises(
        ScenarioError, match=r"is no input of PySSMic or GreenCharge: .* a YAML scenario needs no import"
    ):
        import_source(xml / "street.yaml")
    with pytest.raises(ScenarioError, match="there is no such file or folder"):
        import_source(xml / "nothing")
    with pytest.raises(ScenarioError, match="an input folder holds its own jobs"):
        import_source(xml, jobs=xml / "jobs.xml")
    with pytest.raises(ScenarioError, match=r"more: there is no such folder"):
        import_source(xml / "esn.xml", loads=[xml / "more"])


def test_invalid_values_are_reported_with_the_line_of_the_input(xml: Path) -> None:
    """They are a job in the jobs file, and a house and a producer in the neighbourhood."""
    esn = NEIGHBOURHOOD.replace('house id="4"', 'house id="grid"').replace("<id>122</id>", "<id>manager</id>")
    (xml / "esn.xml").write_text(esn, encoding="utf-8")
    (xml / "jobs.xml").write_text(JOBS.replace("1460300400", "14602932000"), encoding="utf-8")

    assert problems_of(xml) == [
        "esn.xml:5: id: 'manager' is reserved; give the producer another id",
        "esn.xml:8: id: 'grid' is reserved; give the house another id",
        "jobs.xml:4: lst: 2432-09-30T10:00:00Z is more than 3660 days after the run starts (2016-04-10T01:00:00Z)",
    ]


def test_omissions_are_noted(xml: Path) -> None:
    """These are a house without devices, and unused elements."""
    more = '<house id="99"><user id="1"></user></house>\n <garden size="3"/>\n</neighborhood>'
    esn = NEIGHBOURHOOD.replace("</neighborhood>", more).replace(
        "<name>dish1</name>", "<name>dish1</name><size>4</size>"
    )
    (xml / "esn.xml").write_text(esn, encoding="utf-8")

    notes = [note.replace(f"{xml}/", "") for note in import_source(xml / "esn.xml").notes]

    assert "unknown elements were left out: <size> (esn.xml:4), <garden> (esn.xml:14)" in notes
    assert "house 99 has no device and was left out (esn.xml:13)" in notes


def test_jobs_given_as_a_neighbourhood_are_recognised(xml: Path) -> None:
    """The error states the remedy, also for a neighbourhood given as jobs."""
    with pytest.raises(ScenarioError) as caught:
        import_source(xml / "jobs.xml")
    assert str(caught.value).replace(f"{xml}/", "") == (
        "jobs.xml: is a file of jobs: its devices have times but no type. Give it beside the neighbourhood that it "
        "belongs to: `ssmic import NEIGHBOURHOOD --jobs jobs.xml TARGET.yaml`, or in the field 'jobs' of Import"
    )
    with pytest.raises(ScenarioError, match=r"esn\.xml: is a neighbourhood, not its jobs: its devices have a type"):
        import_source(xml / "esn.xml", jobs=xml / "esn.xml")
