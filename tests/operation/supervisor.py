"""A supervisor as `docs/deploy.md` describes it: it starts a process again when its exit code says that this may help.

It does what the systemd unit there does: `Restart=on-failure` with `RestartPreventExitStatus`, a health check by the
file that a process touches, and SIGTERM to stop.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.patience import PATIENCE_WALL_S
from tui.__main__ import main as ssmic
from tui.exit_codes import BROKER, TRY_AGAIN

PASSES = frozenset({BROKER, TRY_AGAIN, -signal.SIGKILL, -signal.SIGTERM})
"""Exit codes after which a process is started again; 130 and 143 are those of a process that was asked to end."""
RESTART_WALL_S = 0.3
POLL_WALL_S = 0.02


def prepare(environment: Mapping[str, str]) -> None:
    """Start the process from which all others are forked, with everything imported."""
    os.environ |= environment
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [
            "tui.cli.commands.clock",
            "tui.cli.commands.host",
            "tui.cli.options",
            "tui.cli.simulate",
            "scenarios.deployment.results_file",
        ]
    )


def _enter(arguments: Sequence[str], environment: Mapping[str, str], log: str, out: str) -> None:
    """Be a process of the command line, from here on."""
    os.environ |= environment
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    os.dup2(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
    sys.argv = ["ssmic", *arguments]
    ssmic()


class Supervised:
    """A process that is kept running until it ends for good."""

    def __init__(self, name: str, arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.codes: list[int] = []
        """Exit codes of all its processes, in order."""
        self.alive_file = folder / f"{name}.alive"
        self._arguments = arguments
        self._environment = {**environment, "SSMIC_ALIVE_FILE": str(self.alive_file)}
        self._log, self._out = folder / f"{name}.log", folder / f"{name}.out"
        self._process: BaseProcess | None = None
        self._may_start = asyncio.Event()
        self._may_start.set()
        self._is_stopped = False
        """Whether it was asked to end for a while."""
        self.ended = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The running process; None: there is none."""
        process = self._process
        return process.pid if process is not None and process.is_alive() else None

    @property
    def output(self) -> str:
        """What its last process printed."""
        return self._out.read_text()

    @property
    def log(self) -> str:
        """What all of its processes said on standard error."""
        return self._log.read_text() if self._log.exists() else ""

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the running process, if there is one."""
        if (pid := self.pid) is not None:
            os.kill(pid, number)

    def hold(self) -> None:
        """Start it no more until `release`; it may be ended by SIGTERM."""
        self._is_stopped = True
        self._may_start.clear()

    def release(self) -> None:
        """Start it again if it has ended."""
        self._may_start.set()

    async def until_gone(self) -> None:
        """Wait until no process of it runs."""
        async with asyncio.timeout(PATIENCE_WALL_S):
            while self.pid is not None:
                await asyncio.sleep(POLL_WALL_S)

    async def supervise(self) -> None:
        """Keep it running until it ends with a code after which it is not to be started again."""
        context = multiprocessing.get_context("forkserver")
        while True:
            await self._may_start.wait()
            arguments = (self._arguments, self._environment, str(self._log), str(self._out))
            process = self._process = context.Process(target=_enter, args=arguments, name=self.name)
            process.start()
            while process.is_alive():
                await asyncio.sleep(POLL_WALL_S)
            code = process.exitcode
            assert code is not None
            self.codes.append(code)
            was_stopped, self._is_stopped = self._is_stopped, False
            if code not in PASSES and not (was_stopped and code == 128 + signal.SIGTERM):
                self.ended.set()
                return
            await asyncio.sleep(RESTART_WALL_S)

    def kill(self) -> None:
        """End it for good."""
        if self._process is not None and self._process.is_alive():
            self._process.kill()
            self._process.join()
