"""Tables of figures: at any width every figure and every name is complete, and no line is too wide."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from rich.console import Console

from tests.ended import Ssmic
from tui.cli.figure_tables import MIN_NAME_WIDTH, Row, show_figures
from tui.cli.outcome_tables import show_outcome

FIGURES = st.integers(-(10**9), 10**9).map(lambda cents: f"{cents / 100:,.2f}")


@given(
    rows=st.integers(1, 9).flatmap(
        lambda columns: st.lists(
            st.tuples(
                st.text("abc-123", min_size=1, max_size=30), st.lists(FIGURES, min_size=columns, max_size=columns)
            ),
            min_size=1,
            max_size=5,
        )
    ),
    width=st.integers(60, 200),
    has_total=st.booleans(),
    data=st.data(),
)
def test_no_figure_is_cut_at_any_width(*, rows: list[Row], width: int, has_total: bool, data: st.DataObject) -> None:
    """Each figure stands in a line of its own row, in one of the tables."""
    columns = len(rows[0][1])
    titles = [f"title {i}" for i in range(columns)]
    group = data.draw(st.none() | st.integers(0, columns - 1))
    console = Console(file=io.StringIO(), width=width)
    houses, total = rows[:-1] or rows, rows[-1] if has_total else None
    show_figures(console, "A title", "house", titles, houses, total, second_group=group)

    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert all(len(line) <= width for line in lines)
    assert "…" not in "".join(lines)
    printed = {word for line in lines for word in line.split()}
    for name, figures in houses if total is None else (*houses, total):
        assert set(figures) <= printed
        assert len(name) > MIN_NAME_WIDTH or name in printed


def test_bills_of_weeks_keep_their_houses_and_amounts(ssmic: Ssmic, small: Path) -> None:
    """Figures of four digits and a fraction are wider together than 80 columns, in a table of nine."""
    text = small.read_text(encoding="utf-8").replace("[3600, 500]", "[3600, 5000000]").replace("6000]", "90000000]")
    neighbour = 'houses:\n  - id: "2"\n    base_load: {constant_w: 400000}\n'
    tariff = "tariff: {import_eur_per_kwh: 0.4, feed_in_eur_per_kwh: 0.1, neighbour_eur_per_kwh: 0.2}\n"
    small.write_text(text.replace("houses:\n", neighbour) + tariff.replace("}", ", grid_kg_co2_per_kwh: 0.5}"))
    file = ssmic("run", small, "--bus", "memory", "--json").json["results_file"]
    bills = ssmic("results", "bills", file, "--json").json

    for shown in (ssmic("results", "bills", file).out, ssmic("results", "show", file, "--run", "1").out):
        assert all(len(line) <= 80 for line in shown.splitlines())
        assert "…" not in shown
        for bill in bills["bills"]:
            assert re.search(rf"^{bill['house']} .*{bill['with_eur']:,.2f}".replace(",", ",?"), shown, re.MULTILINE)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_figures_of_several_runs_are_never_cut(width: int) -> None:
    """Compared with both optima, a large neighbourhood's figures need every cell of 80 columns."""
    kpis = {
        "consumed_wh": 335_940.0,
        "local_wh": 301_740.0,
        "grid_wh": 34_200.0,
        "self_consumption": 0.27,
        "self_sufficiency": 0.898,
        "consumption_peak_to_average": 3.89,
    }
    names = ("runs", "mean", "standard_deviation", "low_95", "high_95", "minimum", "maximum")
    statistics = {figure: dict.fromkeys(names, value) for figure, value in kpis.items()}
    run: dict[str, Any] = {
        "kpis": kpis,
        "complete": True,
        "state": "done",
        "covered_share": 1.0,
        "wall_s": 69.77,
        "negotiations": 361,
        "messages": 6397,
        "without": [],
        "quarantined": {},
        "dropped": {},
        "optimum": {"share": 0.995},
        "shared_optimum": {"share": 0.902},
    }
    runs = [{**run, "seed": seed, "ledger_sha256": str(seed)} for seed in (1, 2)]
    simulation = {"scenario": "village", "algorithm": "SLSQP", "supply": "whole", "runs": runs}
    console = Console(file=io.StringIO(), width=width)
    show_outcome(console, {**simulation, "statistics": statistics})

    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "…" not in shown
    assert "335.94" in shown
    assert ("69.77" in shown) == (width >= 80)
