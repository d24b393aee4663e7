"""`ssmic devices`: real devices at a broker."""

from __future__ import annotations

import typer

app = typer.Typer(rich_markup_mode=None)


def refuse_what_devices_cannot(bus: str, runs: int, pace: str) -> None:
    """Refuse settings of a run that real devices cannot follow.

    Args:
        bus: `memory` or `mqtt`.
        runs: How many runs there are.
        pace: As on the command line.

    Raises:
        typer.BadParameter: One of them is such.
    """
    if bus == "memory":
        raise typer.BadParameter("real devices meet a run on MQTT; use --bus mqtt", param_hint="--bus")
    if runs > 1:
        raise typer.BadParameter("real devices take part in one run at a time", param_hint="--runs")
    if pace == "max":
        raise typer.BadParameter("real devices need a pace, such as 1x or 60x", param_hint="--pace")
