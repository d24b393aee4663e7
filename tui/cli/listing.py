"""Results in a folder, as a table or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.table import Table

from scenarios.results.listing import Listed


def listed_table(listed: Sequence[Listed]) -> Table:
    """Return one line for each results file."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("file", overflow="fold")
    table.add_column("runs", justify="right", no_wrap=True)
    table.add_column("self-suff.", justify="right", no_wrap=True)
    table.add_column("broker", overflow="fold")
    for one in listed:
        if one.problem:
            table.add_row(one.path.name, "", "", one.problem)
        else:
            share = "-" if one.self_sufficiency is None else f"{100 * one.self_sufficiency:.1f} %"
            table.add_row(one.path.name, _runs(one), share, one.broker)
    return table


def listed_json(listed: Listed) -> dict[str, Any]:
    """Return a results file at a glance, fit for JSON."""
    about = {"file": str(listed.path), "size_bytes": listed.size_bytes}
    if listed.problem:
        return {**about, "problem": listed.problem}
    return {
        **about,
        "created": listed.created_utc,
        "scenario": listed.scenario,
        "algorithm": listed.algorithm,
        "broker": listed.broker,
        "planned_runs": listed.planned_runs,
        "states": dict(listed.states),
        "self_sufficiency": listed.self_sufficiency,
    }


def _runs(listed: Listed) -> str:
    if listed.done_runs == listed.planned_runs:
        return str(listed.planned_runs)
    return f"{listed.done_runs} of {listed.planned_runs}"
