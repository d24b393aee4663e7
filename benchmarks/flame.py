"""Draw a flame graph of a run in memory: which functions the processor time is spent in, and who calls them.

    python -m benchmarks.flame [SCENARIO] [--repeats 5] --to FILE.svg

The stack is sampled each two milliseconds of processor time: a profiler makes calls look dearer than they are. A bar
is as wide as its function's share of the samples; what it calls stands on it. Functions of another package are drawn as
one bar with the name of the package.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from types import FrameType

import structlog

from broker.transport import MemoryBroker
from scenarios.load import load_scenario
from scenarios.scenario import Scenario
from scenarios.simulation.run import run_scenario
from scenarios.simulation.settings import RunSettings

EVERY_S = 0.002
"""Of processor time, between two samples."""
OWN = ("agents", "broker", "scenarios")
WRAPPERS = ("contextlib", "functools")
"""Packages whose functions only call ours."""
WIDTH, ROW, CHARACTER = 1_200, 17, 6.1
"""Pixels: of the picture, of a bar's height, of a letter."""
LEAST_SHARE = 0.004
"""Narrower bars are left out."""
COLOURS = {"agents": "#f4b183", "broker": "#9dc3e6", "scenarios": "#a9d18e"}
OTHERS = "#d9d9d9"

Stack = tuple[tuple[str, str], ...]
"""Package and function, from the outermost call to the innermost."""


@dataclass(slots=True)
class Bar:
    """A function as it was called in one place."""

    package: str
    name: str
    samples: int = 0
    calls: dict[tuple[str, str], Bar] = field(default_factory=dict)

    def add(self, stack: Stack) -> None:
        """Count a sample."""
        bar = self
        bar.samples += 1
        for package, name in stack:
            bar = bar.calls.setdefault((package, name), Bar(package, name))
            bar.samples += 1

    def depth(self, least: float) -> int:
        """Return how many rows of bars it takes that have at least so many samples."""
        return 1 + max((bar.depth(least) for bar in self.calls.values() if bar.samples >= least), default=0)


@contextmanager
def sampled() -> Iterator[Bar]:
    """Sample the stack while the context runs."""
    all_samples = Bar("", "all")

    def note(_: int, frame: FrameType | None) -> None:
        all_samples.add(_stack_of(frame))

    before = signal.signal(signal.SIGPROF, note)
    signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
    try:
        yield all_samples
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _stack_of(frame: FrameType | None) -> Stack:
    found: list[tuple[str, str]] = []
    while frame is not None:
        package = frame.f_globals.get("__name__", "").partition(".")[0]
        if package in OWN:
            found.append((package, frame.f_code.co_qualname))
        elif package not in WRAPPERS and (not found or found[-1][1] != package):
            found.append((package, package))
        frame = frame.f_back
    found.reverse()
    own = next((at for at, (package, _) in enumerate(found) if package in OWN), None)
    # Below is what starts a program; what runs without a function of ours is the event loop.
    return (("asyncio", "event loop"),) if own is None else tuple(found[own:])


def drawn(bars: Bar, title: str) -> str:
    """Return the picture as SVG."""
    least = bars.samples * LEAST_SHARE
    height = ROW * (bars.depth(least) + 2)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="monospace"',
        'font-size="10">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="4" y="{ROW - 5}">{escape(title)}</text>',
    ]
    _draw(bars, bars, 0.0, 0, height - ROW, lines)
    return "\n".join([*lines, "</svg>", ""])


def _draw(bar: Bar, whole: Bar, x: float, row: int, floor: float, lines: list[str]) -> None:
    share = bar.samples / whole.samples
    width, y = WIDTH * share, floor - ROW * row
    fits = int((width - 4) / CHARACTER)
    label = bar.name if len(bar.name) <= fits else bar.name.rpartition(".")[2]
    label = label if len(label) <= fits else f"{label[: fits - 1]}…" if fits > 4 else ""
    lines.append(
        f'<g><title>{escape(bar.name)} {share:.1%}</title><rect x="{x:.1f}" y="{y:.0f}" width="{width:.1f}" '
        f'height="{ROW - 1}" fill="{COLOURS.get(bar.package, OTHERS)}"/>'
        + (f'<text x="{x + 2:.1f}" y="{y + ROW - 5:.0f}">{escape(label)}</text>' if label else "")
        + "</g>"
    )
    for called in sorted(bar.calls.values(), key=lambda called: (-called.samples, called.name)):
        if called.samples >= whole.samples * LEAST_SHARE:
            _draw(called, whole, x, row + 1, floor, lines)
            x += WIDTH * called.samples / whole.samples


def flames(scenario: Scenario, repeats: int) -> Bar:
    """Run a scenario in memory several times; return what its processor time is spent in."""
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    settings = RunSettings(seed=1, run_id="flame", hosts=1)
    asyncio.run(run_scenario(scenario, settings, MemoryBroker()))  # imports and caches
    with sampled() as bars:
        for _ in range(repeats):
            asyncio.run(run_scenario(scenario, settings, MemoryBroker()))
    return bars


def main(arguments: Sequence[str] | None = None) -> None:
    """Sample, draw, and say what is widest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", nargs="?", default="village")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--to", type=Path, required=True, help="the SVG file")
    chosen = parser.parse_args(arguments)
    scenario = load_scenario(chosen.scenario)
    bars = flames(scenario, chosen.repeats)
    title = f"{scenario.name}, {len(scenario.houses)} houses, in memory, one host: {bars.samples:,} samples"
    chosen.to.write_text(drawn(bars, title), encoding="utf-8")
    print(f"{chosen.to}: {title}")


if __name__ == "__main__":
    main()
