"""Generates neighbourhoods in a separate process, so that keys stay fast and a large one can be cancelled.

The process is `tui.editor.generating.generate_server`.
"""

from __future__ import annotations

from asyncio.subprocess import Process
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np

from agents import FloatArray
from broker import SsmicError
from scenarios import Zone
from scenarios.files import write_text
from scenarios.generate import INLINE_ROOF_DAYS, Generated, generate, generated_yaml, write_series
from tui.child_process import frame, read_frame, start_process
from tui.editor.generating.generate_request import spec_of

STEP_S = 300
"""Length of the steps of demand, s."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """To the process: generate a neighbourhood."""

    values: Mapping[str, str]
    """Texts by id of field."""
    file: Path | None = None
    """Where to write it; None: only a preview is wanted."""


@dataclass(frozen=True, slots=True)
class Made:
    """From the process: the generated neighbourhood."""

    houses: int
    roofs: int
    devices: int
    jobs: int
    cars: int
    heat_pumps: int
    start_s: int
    zone: Zone
    produced_w: FloatArray
    """Production of all roofs, W, in equal steps over all days, shape (steps,)."""
    demand_w: FloatArray
    """Demand of all jobs at their earliest start, in the same form."""
    written: tuple[Path, ...] = ()
    """The file and its tables; empty for a preview."""

    @property
    def produced_wh(self) -> float:
        """Energy that is produced, Wh."""
        return float(self.produced_w.mean()) * self.hours

    @property
    def demand_wh(self) -> float:
        """Energy of all jobs within the days, Wh."""
        return float(self.demand_w.mean()) * self.hours

    @property
    def hours(self) -> float:
        """Length of all days."""
        return len(self.demand_w) * STEP_S / 3600


@dataclass(frozen=True, slots=True)
class Failed:
    """From the process: why nothing was generated."""

    problem: str


def made_of(generated: Generated, written: tuple[Path, ...] = ()) -> Made:
    """Return the figures of a neighbourhood."""
    spec = generated.spec
    owned = Counter(device for house in generated.houses for device in house.devices)
    roofs = list(generated.producers())
    produced_w = np.zeros(spec.days * 96)
    for _, roof in roofs:
        produced_w += generated.actual_w(roof)[: len(produced_w)]
    offset = datetime.fromtimestamp(spec.start_s, spec.zone).utcoffset()
    return Made(
        houses=len(generated.houses),
        roofs=len(roofs),
        devices=sum(owned.values()) + len(roofs),
        jobs=sum(len(house.jobs) for house in generated.houses),
        cars=owned["car"],
        heat_pumps=owned["hot-water"],
        start_s=spec.start_s,
        zone=Zone(0 if offset is None else int(offset.total_seconds())),
        produced_w=produced_w,
        demand_w=_demand_w(generated),
        written=written,
    )


def _demand_w(generated: Generated) -> FloatArray:
    total = np.zeros(generated.spec.days * 86_400 // STEP_S)
    profiles = {name: _in_steps(step_s, power_w) for name, (step_s, power_w) in generated.profiles.items()}
    for house in generated.houses:
        for job in house.jobs:
            first, power_w = job.earliest_s // STEP_S, profiles[job.profile]
            count = min(len(power_w), len(total) - first)
            total[first : first + count] += power_w[:count]
    return total


def _in_steps(step_s: int, power_w: tuple[float, ...]) -> FloatArray:
    """Return a load profile as mean power of each of our steps."""
    edges_s = np.arange(len(power_w) + 1) * step_s
    cumulative = np.concatenate(([0.0], np.cumsum(power_w))) * step_s
    ends_s = np.arange(0, edges_s[-1] + STEP_S, STEP_S)
    power: FloatArray = np.diff(np.interp(ends_s, edges_s, cumulative)) / STEP_S
    return power


def made_here(wanted: Wanted) -> Made | Failed:
    """Generate a neighbourhood, and write it where that is wanted."""
    spec, problems = spec_of(wanted.values)
    if spec is None:
        return Failed("; ".join(f"{id_}: {what}" for id_, what in problems.items()))
    try:
        generated = generate(spec)
        written = () if wanted.file is None else _written(generated, wanted.file, wanted.values.get("series", "auto"))
        return made_of(generated, written)
    except (SsmicError, OSError, ValueError, MemoryError) as error:
        return Failed(str(error) or type(error).__name__)


def _written(generated: Generated, file: Path, series: str) -> tuple[Path, ...]:
    roof_days = generated.spec.days * sum(1 for _ in generated.producers())
    if series == "auto":
        series = "csv" if roof_days > INLINE_ROOF_DAYS else "inline"
    if series == "inline" or not roof_days:
        write_text(generated_yaml(generated), file)
        return (file,)
    kind: Literal["csv", "parquet"] = "parquet" if series == "parquet" else "csv"
    tables = write_series(generated, file.parent, file.stem, kind)
    write_text(generated_yaml(generated, file.stem, kind), file)
    return (file, *tables)


class Generator:
    """The process, as the application sees it; a request that is cancelled ends it."""

    def __init__(self) -> None:
        self._process: Process | None = None

    async def make(self, wanted: Wanted) -> Made | Failed:
        """Generate a neighbourhood."""
        try:
            process = self._process
            if process is None or process.returncode is not None:
                process = self._process = await start_process("tui.editor.generating.generate_server")
            assert process.stdin is not None  # noqa: S101 - for mypy: a pipe
            assert process.stdout is not None  # noqa: S101 - for mypy: a pipe
            process.stdin.write(frame(wanted))
            await process.stdin.drain()
            found: Made | Failed | None = await read_frame(process.stdout)
        except OSError as error:
            return Failed(f"the process that generates cannot be used: {error}")
        except BaseException:
            await self.close()
            raise
        return Failed("the process that generates ended") if found is None else found

    async def close(self) -> None:
        """End the process, even while it is working."""
        process, self._process = self._process, None
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
