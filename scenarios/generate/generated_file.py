"""Writes a generated neighbourhood: one YAML file and, for long series, tables next to it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np

from agents import FloatArray
from broker import atomic_write, missing_folders
from scenarios.errors import Problem, ScenarioWriteError
from scenarios.generate.bundled_roofs import TARIFF
from scenarios.generate.generator import BASE_LOAD_STEP_S, DrawnHouse, DrawnRoof, GeneratedNeighbourhood, GeneratorSpec
from scenarios.generate.habits import GERMANY
from scenarios.generate.solar import usual_zone
from scenarios.generate.weather import ACTUAL_STEP_MIN, FORECAST_STEP_MIN, pvlib_irradiance
from scenarios.zone import Zone

INLINE_ROOF_DAYS = 60
"""With more roofs times days, series are written into tables next to the file."""
INLINE_HOUSE_DAYS = 2_000
"""The same limit for houses times days, because each house has a base load."""


@dataclass(frozen=True, slots=True)
class SeriesTable:
    """A table of series that a file refers to: one column a roof, or a base load that several houses have."""

    name: str
    """Name of its file, without the extension."""
    step_s: int
    """Length of a step, seconds."""
    start_s: int
    """Beginning of the first step, UNIX seconds."""
    columns: Callable[[], Iterator[tuple[str, FloatArray]]]
    """Yields each column's name and its mean power in each step, W, shape (steps,)."""


def generated_yaml(made: GeneratedNeighbourhood, beside: str | None = None, suffix: str = "csv") -> str:
    """Return the neighbourhood as YAML.

    Args:
        made: The neighbourhood.
        beside: Prefix of the names of the tables with the series; None: the series are in the YAML.
        suffix: Kind of these tables.
    """
    return "\n".join(_lines(made, beside, suffix)) + "\n"


def series_tables(made: GeneratedNeighbourhood, beside: str) -> tuple[SeriesTable, ...]:
    """Return the tables to which the YAML with the same `beside` refers."""
    start_s = made.spec.start_s

    def columns(of: Callable[[DrawnRoof], FloatArray]) -> Callable[[], Iterator[tuple[str, FloatArray]]]:
        return lambda: ((f"pv-{house.id}", of(roof)) for house, roof in made.producers())

    def base_loads() -> Iterator[tuple[str, FloatArray]]:
        return ((_level(level_w), np.array(power_w)) for level_w, power_w in made.base_loads.items())

    def forecast(day: int, hour: int) -> Callable[[DrawnRoof], FloatArray]:
        return lambda roof: made.forecast_w(roof, day, hour)

    base_load = SeriesTable(f"{beside}.base-load", BASE_LOAD_STEP_S, start_s, base_loads)
    if not any(True for _ in made.producers()):
        return (base_load,)
    return (
        base_load,
        SeriesTable(f"{beside}.actual", 60 * ACTUAL_STEP_MIN, start_s, columns(made.actual_w)),
        *(
            SeriesTable(
                f"{beside}.{_issue_name(day, hour)}",
                60 * FORECAST_STEP_MIN,
                start_s + (day * 24 + hour) * 3600,
                columns(forecast(day, hour)),
            )
            for day, hour in made.issues()
        ),
    )


def _issue_name(day: int, hour: int) -> str:
    return f"forecast-{day * 24 + hour:03}h"


@contextmanager
def write_series(
    made: GeneratedNeighbourhood, folder: Path, beside: str, kind: Literal["csv", "parquet"]
) -> Iterator[tuple[Path, ...]]:
    """Write the tables of the neighbourhood `made` as drafts in `folder`, and yield their paths.

    Their names begin with `beside`; `kind` is the file format. The drafts take their places when the block, in which
    the file that refers to them is written, ends. If it fails, or a table cannot be written, `folder` stays as it was.

    Raises:
        ScenarioWriteError: A table cannot be written, or is Parquet and pyarrow is not installed.
    """
    written = []
    with ExitStack() as drafts:
        for table in series_tables(made, beside):
            path = _table_file(table, folder, kind)
            try:
                drafts.enter_context(missing_folders(path))
                _WRITERS[kind](drafts.enter_context(atomic_write(path)), *_content(table))
            except OSError as error:
                what = f"cannot be written: {error.strerror or error}"
                raise ScenarioWriteError([Problem(str(path), what)]) from error
            except ImportError:
                what = "Parquet needs pyarrow: pip install 'ssmic[parquet]'"
                raise ScenarioWriteError([Problem(str(path), what)]) from None
            written.append(path)
        yield tuple(written)


def table_files(
    made: GeneratedNeighbourhood, folder: Path, beside: str, kind: Literal["csv", "parquet"]
) -> tuple[Path, ...]:
    """Return the files that `write_series` writes with the same arguments."""
    return tuple(_table_file(table, folder, kind) for table in series_tables(made, beside))


def _table_file(table: SeriesTable, folder: Path, kind: str) -> Path:
    return folder / f"{table.name}.{kind}"


def _content(table: SeriesTable) -> tuple[list[str], Sequence[str], Sequence[FloatArray]]:
    """Return a table's times, and the names and values of its columns."""
    names, columns = zip(*table.columns(), strict=True)
    times = [
        datetime.fromtimestamp(table.start_s + i * table.step_s, UTC).strftime("%Y-%m-%dT%H:%MZ")
        for i in range(len(columns[0]))
    ]
    return times, names, columns


def _write_csv(path: Path, times: Sequence[str], names: Sequence[str], columns: Sequence[FloatArray]) -> None:
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(("time", *names))
    for at, values in zip(times, np.stack(columns, axis=1).astype(np.int64).tolist(), strict=True):
        rows.writerow((at, *values))
    path.write_text(out.getvalue(), encoding="utf-8", newline="")


def _write_parquet(path: Path, times: Sequence[str], names: Sequence[str], columns: Sequence[FloatArray]) -> None:
    import pyarrow as pa  # noqa: PLC0415 - an extra
    import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

    made = {"time": list(times), **{name: column.astype(np.int32) for name, column in zip(names, columns, strict=True)}}
    pq.write_table(pa.table(made), path, compression="zstd")


_WRITERS: dict[str, Callable[[Path, Sequence[str], Sequence[str], Sequence[FloatArray]], None]] = {
    "csv": _write_csv,
    "parquet": _write_parquet,
}


def _lines(made: GeneratedNeighbourhood, beside: str | None, suffix: str) -> Iterator[str]:
    spec = made.spec
    offset_s = int(datetime.fromtimestamp(spec.start_s, spec.zone).utcoffset().total_seconds())  # type: ignore[union-attr]  # it has a zone
    roofs = sum(1 for _ in made.producers())
    length = "1 day" if spec.days == 1 else f"{spec.days} days"
    name = spec.name or f"generated-{spec.houses}-houses-seed-{spec.seed}"
    yield f"# {spec.houses} houses, {roofs} roofs with panels, {length} from {spec.first_day}, generated by:"
    yield f"#   {command_of(made)}"
    yield "# Jobs are what households want to run, with the window for the start; base loads are the rest."
    yield "# Energy is in Wh, power in W."
    yield ""
    yield "version: 1"
    yield f"name: {name}"
    yield "description: >-"
    yield f"  {spec.houses} generated houses, {roofs} roofs with panels, {length} from {spec.first_day}."
    yield f'start: "{Zone(offset_s).iso(spec.start_s)}"'
    if isinstance(spec.zone, ZoneInfo):
        yield f"zone: {spec.zone.key}"
    yield f"days: {spec.days}"
    yield f"seed: {spec.seed}"
    yield "tariff:"
    yield f"  import_eur_per_kwh: {TARIFF.import_eur_per_kwh}"
    yield f"  feed_in_eur_per_kwh: {TARIFF.feed_in_eur_per_kwh}"
    yield f"  neighbour_eur_per_kwh: {TARIFF.neighbour_eur_per_kwh}"
    yield f"  grid_kg_co2_per_kwh: {TARIFF.grid_kg_co2_per_kwh}"
    yield "load_profiles:" if made.profiles else "load_profiles: {}"
    for profile, (step_s, power_w) in made.profiles.items():
        yield f"  {profile}: {{step_s: {step_s}, power_w: [{_numbers(power_w)}]}}"
    yield "houses:"
    for house in made.houses:
        yield from _house(made, house, beside, suffix)
    yield "jobs:" if any(house.jobs for house in made.houses) else "jobs: []"
    for house in made.houses:
        for job in house.jobs:
            times = (job.registered_s, job.earliest_s, job.latest_s)
            registered, earliest, latest = (_clock(spec, time_s) for time_s in times)
            yield (
                f"  - {{house: {job.house}, device: {job.device}, id: {job.id}, load_profile: {job.profile}, "
                f'registered: "{registered}", earliest_start: "{earliest}", latest_start: "{latest}"}}'
            )


def _house(made: GeneratedNeighbourhood, house: DrawnHouse, beside: str | None, suffix: str) -> Iterator[str]:
    yield f"  - id: {house.id}"
    yield f"    name: {house.name}"
    power_w = made.base_loads[house.base_load_w]
    if beside is None:
        steps = f'start: "00:00", step_s: {BASE_LOAD_STEP_S}, power_w: [{_numbers(power_w)}]'
        yield f"    base_load: {{{steps}}}"
    else:
        yield f"    base_load: {{{_column(f'{beside}.base-load.{suffix}', _level(house.base_load_w))}}}"
    yield "    devices:" if house.devices or house.roof is not None else "    devices: []"
    for device, name in house.devices.items():
        yield f'      - {{id: {device}, type: consumer, name: "{name}", template: {device}}}'
    roof = house.roof
    if roof is None:
        return
    producer = f"pv-{house.id}"
    yield f"      - id: {producer}"
    yield "        type: producer"
    yield f'        name: "{roof.peak_kw} kWp, tilt {roof.tilt_deg}, azimuth {roof.azimuth_deg}"'
    yield "        template: pv"
    yield "        predictions:"
    for day, hour in made.issues():
        at_s = (day * 24 + hour) * 3600
        if beside is None:
            values = made.forecast_w(roof, day, hour)
            series = (
                f'start: "{_clock(made.spec, at_s)}", step_s: {60 * FORECAST_STEP_MIN}, power_w: [{_numbers(values)}]'
            )
        else:
            series = _column(f"{beside}.{_issue_name(day, hour)}.{suffix}", producer)
        yield f'          - {{issued: "{_clock(made.spec, at_s)}", {series}}}'
    if beside is None:
        values = made.actual_w(roof)
        yield f'        actual: {{start: "00:00", step_s: {60 * ACTUAL_STEP_MIN}, power_w: [{_numbers(values)}]}}'
    else:
        yield f"        actual: {{{_column(f'{beside}.actual.{suffix}', producer)}}}"


def _level(level_w: int) -> str:
    """Return the name of a base load's column."""
    return f"base-{level_w}w"


def _column(file: str, column: str) -> str:
    return f"file: {file}, columns: {{time: time, value: {column}}}, unit: W"


def _numbers(values: Sequence[float] | FloatArray) -> str:
    return ", ".join(f"{value:.0f}" for value in values)


def _clock(spec: GeneratorSpec, seconds: int) -> str:
    """Return a time after the start as the file has it: by the clock of its zone, in hours after the first midnight."""
    if isinstance(spec.zone, ZoneInfo):
        local = datetime.fromtimestamp(spec.start_s + seconds, spec.zone)
        if local.fold:
            return local.isoformat()  # the second of an hour that the clock shows twice
        seconds = int((local.replace(tzinfo=None) - datetime.combine(spec.first_day, time())).total_seconds())
    minutes, second = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}" + (f":{second:02}" if second else "")


def command_of(made: GeneratedNeighbourhood) -> str:
    """Return the command that generates this neighbourhood again."""
    spec = made.spec
    always = (
        f"--houses {spec.houses} --days {spec.days} "
        f"--place {spec.site.latitude_deg:.15g},{spec.site.longitude_deg:.15g} --date {spec.first_day} "
        f"--seed {spec.seed} --weather {spec.weather} --roofs {spec.roofs:.15g} --cars {spec.cars:.15g} "
        f"--heat-pumps {spec.heat_pumps:.15g} --flexibility {spec.flexibility:.15g}"
    )
    options = [always]
    if isinstance(spec.zone, ZoneInfo):
        options.append(f"--zone {spec.zone.key}")
    elif spec.zone != usual_zone(spec.site):
        offset = spec.zone.utcoffset(None) or timedelta()
        options.append(f"--zone {Zone(int(offset.total_seconds())).name}")
    if spec.country != GERMANY:
        options.append(f"--country {spec.country}")
    options += [f"--holiday {day}" for day in sorted(spec.days_off)]
    if spec.name:
        options.append(f"--name {spec.name}")
    if spec.sun is pvlib_irradiance:
        options.append("--sun pvlib")
    return " ".join(("ssmic generate", *options))


def needs_tables(made: GeneratedNeighbourhood) -> bool:
    """Return whether a neighbourhood's series are so long that they are better in tables beside the file."""
    roofs, houses = sum(1 for _ in made.producers()), len(made.houses)
    return roofs * made.spec.days > INLINE_ROOF_DAYS or houses * made.spec.days > INLINE_HOUSE_DAYS
