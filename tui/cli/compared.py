"""Simulations compared, as tables on the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from scenarios.results.comparison.comparison import Comparison
from scenarios.results.comparison.tables import blocks, tables_of


def show_comparison(console: Console, comparison: Comparison) -> None:
    """Print the means with their intervals, the differences on the same seeds, and what limits the comparison."""
    for table in tables_of(comparison):
        for part in blocks(table, console.width):
            console.print(part.title, soft_wrap=True)
            shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
            shown.add_column("", no_wrap=True)
            for column in part.columns:
                shown.add_column(column, justify="right", no_wrap=True)
            for row in part.rows:
                shown.add_row(*row)
            console.print(shown)
        console.print()
    console.print("In parentheses: the number of runs. Intervals are by Student's t.", soft_wrap=True)
    for warning in comparison.warnings:
        console.print(f"Note: {warning}", soft_wrap=True)
