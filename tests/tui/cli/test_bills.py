"""`ssmic results bills`."""

from __future__ import annotations

from pathlib import Path

from tests.ended import Ssmic

COMMUNITY = """
tariff: {import_eur_per_kwh: 0.4, feed_in_eur_per_kwh: 0.1, neighbour_eur_per_kwh: 0.2, grid_kg_co2_per_kwh: 0.5}
community: {key: hierarchical, grid_fee_eur_per_kwh: 0.1, local_grid_fee_eur_per_kwh: 0.04, vat_percent: 20}
"""


def test_bills_are_printed_line_by_line_and_by_another_key(ssmic: Ssmic, small: Path) -> None:
    """The run is one of the command line; a scenario without a tariff has no bills."""
    with_community = small.with_name("community.yaml")
    with_community.write_text(small.read_text(encoding="utf-8") + COMMUNITY, encoding="utf-8")
    ended = ssmic("run", with_community, "--bus", "memory", "--json")
    (run,) = ended.json["runs"]
    file = ended.json["results_file"]

    table = ssmic("results", "bills", file).out
    own = ssmic("results", "bills", file, "--json").json
    other = ssmic("results", "bills", file, "--key", "static", "--json").json

    assert "hierarchical key, 15 min" in table
    assert "VAT" in table
    assert own["community"] == run["community"]
    assert own["total"]["with_eur"] == run["kpis"]["bill_eur"] == own["community"]["outside"]["total_eur"]
    assert other["community"]["key"] == other["bills"][0]["allocation_key"] == "static"
    assert sum(round(100 * bill["with_eur"]) for bill in other["bills"]) == round(
        100 * other["community"]["outside"]["total_eur"]
    )

    plain = ssmic("results", "bills", ssmic("run", small, "--bus", "memory", "--json").json["results_file"])
    assert plain.code != 0
    assert "its scenario 'small' has no tariff, so there are no bills" in plain.err


def test_a_member_gets_its_own_bill_and_nothing_of_others(ssmic: Ssmic, small: Path) -> None:
    """Neither in the table nor in the JSON; an unknown house is an error that names those there are."""
    neighbour = """houses:
  - id: "2"
    base_load: {constant_w: 100}
    devices:
      - {id: washer, type: consumer, load_profile: wash}
"""
    small.write_text(small.read_text(encoding="utf-8").replace("houses:\n", neighbour) + COMMUNITY, encoding="utf-8")
    file = ssmic("run", small, "--bus", "memory", "--json").json["results_file"]
    both = ssmic("results", "bills", file, "--json").json["bills"]

    table = ssmic("results", "bills", file, "--house", "2").out
    own = ssmic("results", "bills", file, "--house", "2", "--json").json
    unknown = ssmic("results", "bills", file, "--house", "3")

    assert [line.split()[0] for line in table.splitlines() if line.strip()[:1].isdigit()] == ["2", "2"]
    assert " all " not in table
    assert own["bills"] == [bill for bill in both if bill["house"] == "2"]
    assert "community" not in own
    assert unknown.code == 3
    assert "has no house '3'; there are 2, 1" in unknown.err


def test_each_house_gets_its_bill_as_a_file_without_those_of_others(ssmic: Ssmic, small: Path, tmp_path: Path) -> None:
    """Its columns and values are those of the exported table; existing files stay unless --force is given."""
    neighbour = """houses:
  - id: "2/b"
    base_load: {constant_w: 100}
    devices:
      - {id: washer, type: consumer, load_profile: wash}
"""
    small.write_text(small.read_text(encoding="utf-8").replace("houses:\n", neighbour) + COMMUNITY, encoding="utf-8")
    file = ssmic("run", small, "--bus", "memory", "--json").json["results_file"]
    folder = tmp_path / "bills"

    written = ssmic("results", "bills", file, "--to", folder)
    again = ssmic("results", "bills", file, "--to", folder)
    forced = ssmic("results", "bills", file, "--to", folder, "--force", "--key", "static", "--house", "1")
    ssmic("results", "export", file, "--to", tmp_path / "all")

    assert written.code == forced.code == 0, written.err + forced.err
    assert written.out.split() == [str(folder / "2%2Fb.csv"), str(folder / "1.csv")]
    assert again.code != 0
    assert "already contains 2%2Fb.csv, 1.csv; use --force to overwrite" in again.err
    header, *rows = (tmp_path / "all" / "bills.csv").read_text(encoding="utf-8").splitlines()
    assert (folder / "2%2Fb.csv").read_text(encoding="utf-8").splitlines() == [header, rows[0]]
    own_header, own = (folder / "1.csv").read_text(encoding="utf-8").splitlines()
    assert own_header == header
    assert own.startswith("1,1,static,")
    assert not rows[1].startswith("1,1,static,")


def test_an_amount_below_half_a_cent_has_no_sign(ssmic: Ssmic, small: Path) -> None:
    """The house earns a few thousandths of a EUR, which was written as -0.00."""
    tariff = "{import_eur_per_kwh: 0, feed_in_eur_per_kwh: 0.0001, neighbour_eur_per_kwh: 0, grid_kg_co2_per_kwh: 0}"
    small.write_text(f"{small.read_text(encoding='utf-8')}\ntariff: {tariff}\n", encoding="utf-8")
    ended = ssmic("run", small, "--bus", "memory", "--json")
    assert -0.005 < ended.json["runs"][0]["kpis"]["bill_eur"] < 0
    file = ended.json["results_file"]
    for command in (("bills", file), ("show", file), ("show", file, "--house", "1")):
        shown = ssmic("results", *command).out
        assert "0.00" in shown
        assert "-0.00" not in shown
