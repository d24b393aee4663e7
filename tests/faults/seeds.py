"""Runs many seeds in sequence from the command line; reports differences with the seed that reproduces them."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seeds:
    """What the command line asks for."""

    scenario: str
    first: int
    count: int

    def run(self, problems_of: Callable[[int], Sequence[str]], *, target: str, progress_every: int) -> int:
        """Run all seeds; return 1 if any showed problems, else 0.

        Args:
            problems_of: Runs a seed, and returns lines that say what went wrong; none if nothing did.
            target: Of the Makefile, to repeat one.
            progress_every: Seeds between two lines that say how far it is.
        """
        failed = 0
        started_wall_s = time.perf_counter()
        for ran, seed in enumerate(range(self.first, self.first + self.count), start=1):
            if problems := problems_of(seed):
                failed += 1
                print(f"seed {seed}:", *problems, f"repeat it: make {target} SEED={seed}", sep="\n", flush=True)
            wall_s = time.perf_counter() - started_wall_s
            if ran % progress_every == 0:
                print(f"{ran} of {self.count}: {failed} failed, {wall_s:.0f} s", flush=True)
        print(f"{self.count - failed} passed, {failed} failed, {time.perf_counter() - started_wall_s:.0f} s")
        return 1 if failed else 0


def seeds_wanted(description: str | None, count: int) -> Seeds:
    """Read the command line; `count` is how many seeds there are if it does not say."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seeds", type=int, default=count, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first one; to repeat one: --first SEED --seeds 1")
    parser.add_argument("--scenario", default="street")
    arguments = parser.parse_args()
    return Seeds(arguments.scenario, arguments.first, arguments.seeds)
