"""What goes between the application and the process that runs a simulation for it: frames over two pipes.

Both ends are this very program, so a frame is a pickle of our own classes, its length before it.
"""

from __future__ import annotations

import asyncio
import pickle
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker.tls import Tls
from broker.url import BrokerUrl
from broker.wire import Control

_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Began:
    """The broker is there, the results file is made; the runs begin at `Go`."""

    results_file: Path
    broker: str
    """For people."""
    url: BrokerUrl | None
    """What a watcher connects to; None: the runs talk in memory."""
    tls: Tls | None
    run_ids: tuple[str, ...]
    scores: tuple[Mapping[str, int], ...]
    """What each run begins with, by producer id."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands."""

    run: int
    time_s: int


@dataclass(frozen=True, slots=True)
class Heard:
    """What went over the memory bus: topics and payloads."""

    deliveries: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What came of a run, in figures."""

    run: int
    seed: int
    state: str
    ledger_sha256: str
    messages: int
    negotiations: int
    wall_s: float
    kpis: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Ended:
    """All runs are over."""

    runs: tuple[RunSummary, ...]
    problem: str = ""
    """Why it failed; empty where it did not."""
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Go:
    """To the process: begin."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """To the process: end all runs, keep what was agreed."""


Event = Began | Progress | Heard | Ended
Command = Go | Interrupt | Control


def frame(content: Any) -> bytes:  # noqa: ANN401 - any of the classes above, or a plan
    """Return a frame."""
    payload = pickle.dumps(content)
    return _LENGTH.pack(len(payload)) + payload


async def read_frame(reader: asyncio.StreamReader) -> Any:  # noqa: ANN401 - as above
    """Return what the next frame holds; None where the other end is gone."""
    try:
        head = await reader.readexactly(_LENGTH.size)
        payload = await reader.readexactly(_LENGTH.unpack(head)[0])
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return pickle.loads(payload)  # noqa: S301 - our own process wrote it
