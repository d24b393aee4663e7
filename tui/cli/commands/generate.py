"""`ssmic generate`: a realistic neighbourhood of any size, from a seed."""

from __future__ import annotations

import sys
from datetime import date as Date, tzinfo  # noqa: N812 - an option is called `date`
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from broker import plural, shown
from tui.cli.options import refuse_without

if TYPE_CHECKING:
    from scenarios.generate import GeneratedNeighbourhood, Site

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_EXAMPLES = """
\b
Examples:
  ssmic generate --houses 20 > twenty.yaml
  ssmic generate --houses 1000 --days 7 --date 2026-12-01 --seed 7 --out winter.yaml
  ssmic generate --houses 50 --place 59.9,10.8 --zone Europe/Oslo --cars 0.8 --flexibility 2 > oslo.yaml
"""
_FIRST_DAY = Date(2026, 6, 22)


def _day(text: str) -> Date:
    try:
        return Date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"a day is expected, such as {_FIRST_DAY}, not {shown(text)}") from None


@app.command(epilog=_EXAMPLES)
def generate(
    ctx: typer.Context,
    houses: Annotated[int, typer.Option(min=1, help="Number of houses, at most 10,000.")],
    days: Annotated[int, typer.Option(min=1, help="Number of days.")] = 1,
    place: Annotated[str, typer.Option(metavar="LAT,LON", help="Degrees; north and east are positive.")] = "50.1,8.7",
    date: Annotated[
        Date | None,
        typer.Option(parser=_day, metavar="YYYY-MM-DD", help="The first day. [default: 2026-06-22]"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same file.")] = 1,
    weather: Annotated[
        Literal["mixed", "clear", "fair", "changeable"],
        typer.Option(help="Clouds: the same kind on all days, or mixed, which changes from day to day."),
    ] = "mixed",
    roofs: Annotated[float, typer.Option(min=0, max=1, help="Share of houses with panels.")] = 0.4,
    cars: Annotated[float, typer.Option(min=0, max=1, help="Share of houses with an electric car.")] = 0.25,
    heat_pumps: Annotated[float, typer.Option(min=0, max=1, help="Share of houses with a heat pump.")] = 0.2,
    flexibility: Annotated[
        float,
        typer.Option(
            min=0,
            max=10,
            help="How long jobs can wait, as a multiple of the usual time; 0: they start within five minutes.",
        ),
    ] = 1.0,
    zone: Annotated[
        str | None,
        typer.Option(
            metavar="ZONE",
            help="Time zone: Europe/Oslo, +02:00. [default: German time in and around Germany, "
            "else the full-hour offset nearest to solar time]",
        ),
    ] = None,
    holiday: Annotated[
        list[Date] | None,
        typer.Option(
            parser=_day,
            metavar="YYYY-MM-DD",
            help="One more holiday. Repeatable. [default: those of the country]",
        ),
    ] = None,
    country: Annotated[
        str,
        typer.Option(
            metavar="CODE",
            help="Country, or one of its states, whose weekends and holidays apply: NO, AU-NSW. All but DE need pip "
            "install 'ssmic[holidays]'.",
        ),
    ] = "DE",
    name: Annotated[str | None, typer.Option(help="Name of the scenario. [default: from houses and seed]")] = None,
    sun: Annotated[
        Literal["built-in", "pvlib"],
        typer.Option(
            help="Model of the clear sky; pvlib needs pip install 'ssmic[pv]'. Both agree within 5 % of a day's energy."
        ),
    ] = "built-in",
    series: Annotated[
        Literal["auto", "inline", "csv", "parquet"],
        typer.Option(
            help="Where to write base loads, production and forecasts: in the YAML, or in tables beside it. auto: in "
            "tables if roofs times days exceed 60, or houses times days 2,000, and the output is a file."
        ),
    ] = "auto",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write this file; missing folders are created. [default: standard output]"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="With --out: overwrite an existing file.")] = False,
) -> None:
    """Generate a neighbourhood: houses, appliances, cars, roofs, weather, forecasts.

    Households own and use appliances as statistics report for their size (docs/generate.md names the sources). All
    roofs see the same clouds, and forecasts are issued four times a day.
    """
    from scenarios.generate import (
        GeneratorSpec,
        clear_irradiance,
        generate as make,
        generated_yaml,
        pvlib_irradiance,
        table_files,
        write_series,
    )
    from scenarios.results import refuse_existing
    from tui.cli.output import notes

    refuse_without(ctx, "force", "--out FILE", is_there=out is not None)
    site = _site(place)
    if sun == "pvlib":
        _require_pvlib()
    if out is not None:
        refuse_existing(out, overwrite=force)
    try:
        spec = GeneratorSpec(
            houses=houses,
            days=days,
            site=site,
            first_day=date or _FIRST_DAY,
            zone=_zone(zone, site),
            seed=seed,
            weather=weather,
            roofs=roofs,
            cars=cars,
            heat_pumps=heat_pumps,
            flexibility=flexibility,
            country=country,
            days_off=frozenset(holiday or ()),
            name=_name(name),
            sun=pvlib_irradiance if sun == "pvlib" else clear_irradiance,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    made = make(spec)
    target = out or _output_file()
    kind = _series_kind(made, target) if series == "auto" else series
    if kind == "inline":
        _write(generated_yaml(made), out)
        return
    if target is None:
        raise typer.BadParameter("tables are written beside a file: add --out FILE", param_hint="--series")
    if out is not None:
        for table in table_files(made, target.parent, target.stem, kind):
            refuse_existing(table, overwrite=force)
    with write_series(made, target.parent, target.stem, kind) as tables:
        _write(generated_yaml(made, target.stem, kind), out)
    others = f" and {plural(len(tables) - 1, 'other table')}" if len(tables) > 1 else ""
    notes().print(f"Series: {tables[0]}{others}", soft_wrap=True)


def _write(text: str, out: Path | None) -> None:
    """Write a neighbourhood's file; None: to standard output.

    Raises:
        OSError: Standard output cannot be written.
        ScenarioWriteError: The file cannot be written.
    """
    from scenarios.files import write_text
    from tui.cli.output import notes

    if out is None:
        sys.stdout.write(text)
        sys.stdout.flush()  # a full disk is known before the tables take their places
        return
    write_text(text, out)
    notes().print(f"Written: {out}", soft_wrap=True)


def _series_kind(made: GeneratedNeighbourhood, target: Path | None) -> Literal["inline", "csv"]:
    """Return where the series of a neighbourhood are best written: in tables, if it is large and written to a file."""
    from scenarios.generate import needs_tables

    return "csv" if target is not None and needs_tables(made) else "inline"


def _site(text: str) -> Site:
    from scenarios.generate import Site

    try:
        return Site.parse(text)
    except ValueError:
        what = f"{text!r}: two numbers are expected, for example 50.1,8.7"
        raise typer.BadParameter(what, param_hint="--place") from None


def _zone(name: str | None, site: Site) -> tzinfo:
    from scenarios import ScenarioError
    from scenarios.files import zone_of
    from scenarios.generate import usual_zone

    if name is None:
        return usual_zone(site)
    try:
        return zone_of(name, "--zone")
    except ScenarioError as error:
        raise typer.BadParameter(error.problems[0].what, param_hint="--zone") from None


def _name(name: str | None) -> str:
    import re

    if name is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", name):
        raise typer.BadParameter(f"{name!r}: letters, digits, - and _ are allowed", param_hint="--name")
    return name or ""


def _require_pvlib() -> None:
    try:
        import pvlib  # noqa: F401 - whether it is installed
    except ImportError:
        what = "needs pvlib, which is not installed: pip install 'ssmic[pv]'"
        raise typer.BadParameter(what, param_hint="--sun") from None


def _output_file() -> Path | None:
    """Return the file that the shell redirects standard output to; None if there is none, or it is unknown."""
    try:
        path = Path(f"/proc/self/fd/{sys.stdout.fileno()}").readlink()
    except (OSError, ValueError):
        return None
    return path if path.is_file() else None
