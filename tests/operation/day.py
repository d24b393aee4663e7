"""An operator's day: `make operate`.

The street as supervised processes over a guarded broker for many virtual days, while everything happens to it that
happens in months: reboots, a machine clock that jumps, a suspended machine, a full disk, renewed certificates and
passwords, households that are late, a second clock by mistake, pauses and other paces. The ledger must be that of the
undisturbed run, every state must be reported while it lasts, and every process must end with the right code.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import structlog

from broker.protocol import topics
from broker.protocol.topics import encode
from broker.protocol.wire import Control, TimeReport
from broker.security import CLOCK, Guard, login_folder, write_guard
from broker.servers.mosquitto import find_mosquitto
from broker.servers.own_broker import free_port
from broker.transport import MqttBroker
from broker.transport.base import Delivery
from broker.transport.endpoint import AccessOptions, access_to
from broker.transport.memory import MemoryBroker
from scenarios.files import save_scenario
from scenarios.load import load_scenario
from scenarios.simulation.outcome import RunOutcome
from scenarios.simulation.run import run_scenario
from scenarios.simulation.settings import RunSettings
from scenarios.zone import DAY_S
from tests.faults.ram import folder_for_a_run
from tests.operation.machine_clock import MachineClock
from tests.operation.months import repeated
from tests.operation.supervisor import Supervised, prepare
from tests.patience import PATIENCE_WALL_S

RUN = "months"
HOUR_S = 3600
DISK_BYTES = 96 * 1024 * 1024
STUCK_WALL_S = 30.0
"""A run that is reported as running, on time and not waiting must advance within this time."""


@dataclass(frozen=True, slots=True)
class Result:
    """How the day went."""

    problems: tuple[str, ...]
    skipped: tuple[str, ...]
    """What could not be tried on this machine, with the reason."""
    codes: dict[str, list[int]]
    """By process, the exit codes of all its processes."""
    journal_bytes: int
    wall_s: float


@dataclass
class Monitor:
    """Reads what the clock reports on `time`, and holds it against what is the case."""

    broker: MqttBroker
    problems: list[str] = field(default_factory=list)
    reports: list[TimeReport] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _moved_wall_s: float = 0.0

    @property
    def now_s(self) -> int:
        """The latest virtual time that was reported, UNIX seconds."""
        return max((report.reached or report.time for report in self.reports[-20:]), default=0)

    async def watch(self) -> None:
        """Until cancelled."""
        async with self.broker.connect("monitor") as bus:
            await bus.subscribe(topics.time(RUN), qos=1)
            async for event in bus.messages():
                if isinstance(event, Delivery) and event.payload:
                    self._take(TimeReport.model_validate_json(event.payload))

    def _take(self, report: TimeReport) -> None:
        before = next((known for known in reversed(self.reports) if known.state != "gone"), None)
        self.reports.append(report)
        self._changed.set()
        if report.state == "gone":
            return
        now_wall_s = time.monotonic()
        if before is None or (report.time, report.step, report.reached) != (before.time, before.step, before.reached):
            self._moved_wall_s = now_wall_s
        if before is not None and (report.time, report.step) < (before.time, before.step):
            self.problems.append(f"virtual time went back from step {before.step} to step {report.step}")
        is_said_to_run = report.state == "running" and not report.waiting_for and report.lag_wall_s < 1
        if is_said_to_run and now_wall_s - self._moved_wall_s > STUCK_WALL_S:
            self.problems.append(f"reported as running at step {report.step}, where nothing has moved for a while")
            self._moved_wall_s = now_wall_s

    def excuse(self) -> None:
        """Do not count the time until now: nothing could move."""
        self._moved_wall_s = time.monotonic()

    async def until(self, what: str, holds: Callable[[TimeReport], bool]) -> None:
        """Wait for a report from now on that something holds of; it is a problem if none comes."""
        seen = len(self.reports)
        try:
            async with asyncio.timeout(PATIENCE_WALL_S):
                while not any(holds(report) for report in self.reports[seen:]):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            latest = self.reports[-1].model_dump_json(exclude_defaults=True) if self.reports else "none"
            self.problems.append(f"no report said that {what}; the latest: {latest}")

    async def until_virtual(self, time_s: int) -> None:
        """Wait until the run has come as far as a virtual time."""
        while self.now_s < time_s:
            self._changed.clear()
            await self._changed.wait()


class Mosquitto:
    """The guarded broker of the street."""

    def __init__(self, folder: Path, houses: tuple[str, ...], environment: dict[str, str]) -> None:
        self.folder = folder
        self.port = free_port()
        self._guard = Guard(houses, ("manager",), port=self.port)
        self._environment = os.environ | environment
        self._process: asyncio.subprocess.Process | None = None
        write_guard(folder, self._guard)

    @property
    def pid(self) -> int | None:
        """Its process, if it runs."""
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    def environment_of(self, login: str) -> dict[str, str]:
        """Return how a login reaches it, by what its own folder holds."""
        own = login_folder(self.folder, login)
        return {
            "SSMIC_BROKER": f"mqtts://localhost:{self.port}",
            "SSMIC_CA_FILE": str(own / "ca.crt"),
            "SSMIC_USER": encode(login),
            "SSMIC_PASSWORD_FILE": str(own / "password"),
        }

    def of(self, login: str) -> MqttBroker:
        """Return how a login reaches it from this process."""
        environment = self.environment_of(login)

        def access() -> Any:
            return access_to(environment["SSMIC_BROKER"], AccessOptions(), environment)

        known = access()
        return MqttBroker(known.url, tls=known.tls, lost_after_wall_s=PATIENCE_WALL_S, access=access)

    async def start(self) -> None:
        """Start it, and wait until it listens."""
        configuration = self.folder / "broker" / "mosquitto-host.conf"
        if os.geteuid() == 0:
            written = configuration.read_text()
            configuration = self.folder / "as-root.conf"
            configuration.write_text(f"{written}user root\n")
        program = find_mosquitto()
        assert program is not None
        with (self.folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                str(program), "-c", str(configuration), stdout=log, stderr=log, env=self._environment
            )
        async with asyncio.timeout(PATIENCE_WALL_S):
            while True:
                try:
                    _, writer = await asyncio.open_connection("localhost", self.port)
                except OSError:
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    return

    async def stop(self) -> None:
        """End it as a reboot does."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()

    def renew(self) -> None:
        """Give it a new certificate, and all logins new passwords."""
        for name in ("server.crt", "server.key"):
            for file in (self.folder / "broker").glob(name):
                file.unlink()
        for password in (self.folder / "logins").glob("*/password"):
            password.write_text("")
        written = write_guard(self.folder, self._guard)
        assert set(written.new_logins) >= {CLOCK, *self._guard.hosts}


class Disk:
    """A small file system for journals and results, or a folder where none can be mounted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._is_mounted = os.geteuid() == 0 and not self._mount("-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs")
        self.can_be_filled = self._is_mounted

    def _mount(self, *options: str) -> int:
        command = ["mount", *options, str(self.folder)]
        try:
            return subprocess.run(command, check=False, capture_output=True).returncode
        except OSError:
            return 1

    def fill(self) -> None:
        """Leave no room."""
        with (self.folder / "filler").open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(1024 * 1024))
        with (self.folder / "filler-2").open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(512))

    def free(self) -> None:
        """Give room again."""
        for file in self.folder.glob("filler*"):
            file.unlink()

    def close(self) -> None:
        """Unmount it."""
        if self._is_mounted:
            subprocess.run(["umount", "-l", str(self.folder)], check=False, capture_output=True)


@dataclass
class Operator:
    """An operator who experiences all of this."""

    mosquitto: Mosquitto
    clock: Supervised
    houses: dict[str, Supervised]
    monitor: Monitor
    disk: Disk
    machine: MachineClock
    random: Random
    pace: str
    skipped: list[str] = field(default_factory=list)

    @property
    def processes(self) -> list[Supervised]:
        """The clock and the households."""
        return [self.clock, *self.houses.values()]

    async def command(self, command: str, pace: str | None = None) -> None:
        """Send the clock a command as `operator`."""
        control = Control.model_validate({"command": command, "pace": pace, "by": "operator@day"})
        async with self.mosquitto.of("operator").connect("operator") as bus:
            await bus.publish(topics.control(RUN), control.encoded(), qos=1)

    async def goes_on(self, what: str) -> None:
        """Wait until the run advances, or is over."""
        step = max(report.step for report in self.monitor.reports)
        waiting = [
            asyncio.create_task(
                self.monitor.until(
                    f"the run goes on after {what}", lambda r: r.state in {"running", "ended"} and r.step > step
                )
            ),
            asyncio.create_task(self.clock.ended.wait()),
        ]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()

    async def second_clock_by_mistake(self) -> None:
        """It is refused; the first one continues."""
        second = Supervised("clock-2", self.clock._arguments, self.clock._environment, self.clock._log.parent)
        before = list(self.clock.codes)
        await second.supervise()
        if second.codes != [1] or "another process uses it" not in second.log:
            self.monitor.problems.append(f"the second clock ended with {second.codes}: {second.log[-300:]}")
        if self.clock.codes != before:
            self.monitor.problems.append("the second clock ended the first one")

    async def pause_at_night(self) -> None:
        """The run stays paused until it is resumed; a clock that dies in between returns paused."""
        await self.command("pause")
        await self.monitor.until("the run is paused", lambda r: r.state == "paused" and r.paused_by == "operator@day")
        step = self.monitor.reports[-1].step
        self.clock.signal(signal.SIGKILL)
        await self.monitor.until("the clock is gone", lambda r: r.state == "gone")
        await self.monitor.until("the run is still paused", lambda r: r.state == "paused" and r.step == step)
        await self.command("pace", "1x")
        await self.command("resume")
        await self.monitor.until("the run goes on at 1x", lambda r: r.state == "running" and r.pace == "1x")
        await self.command("pace", self.pace)
        await self.goes_on("a night at 1x")

    async def reboot_everything(self) -> None:
        """All processes and the broker end, and come back in any order."""
        everybody: list[Supervised | Mosquitto] = [*self.processes, self.mosquitto]
        for process in self.processes:
            process.hold()
        self.random.shuffle(everybody)
        for member in everybody:
            if isinstance(member, Supervised):
                member.signal(self.random.choice([signal.SIGKILL, signal.SIGTERM]))
                await member.until_gone()
            else:
                await member.stop()
        self.random.shuffle(everybody)
        for member in everybody:
            if isinstance(member, Supervised):
                member.release()
            else:
                await member.start()
        await self.goes_on("a reboot")

    async def late_household(self) -> None:
        """A household dies and comes back late: it is named until then."""
        name, house = self.random.choice(list(self.houses.items()))
        house.hold()
        house.signal(signal.SIGKILL)
        await house.until_gone()
        await self.monitor.until(f"the run waits for {name}", lambda r: name in r.waiting_for and r.waiting_wall_s >= 1)
        house.release()
        await self.goes_on("a late household")

    async def machine_clock_jumps(self) -> None:
        """An hour forward, and later an hour back; nothing depends on it."""
        if not self.machine.can_jump:
            self.skipped.append("a machine clock that jumps: no C compiler for the library that moves it")
            return
        for by_s in (HOUR_S, -HOUR_S):
            self.machine.jump(by_s)
            await self.goes_on(f"a jump of the machine's clock by {by_s} s")

    async def suspend_the_machine(self) -> None:
        """No process runs for a while; then all continue, and no host is dropped."""
        pids = [*(process.pid for process in self.processes), self.mosquitto.pid]
        for pid in filter(None, pids):
            os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(4)  # what is waited for here is that nothing happens
        self.monitor.excuse()
        for pid in filter(None, pids):
            os.kill(pid, signal.SIGCONT)
        await self.goes_on("a suspended machine")

    async def full_disk(self) -> None:
        """A process that cannot write ends with 75 and is started again, until there is room."""
        if not self.disk.can_be_filled:
            self.skipped.append("a full disk: a small file system can be mounted by root only")
            return
        before = {process.name: len(process.codes) for process in self.processes}
        self.disk.fill()
        async with asyncio.timeout(PATIENCE_WALL_S):
            while not any(75 in p.codes[before[p.name] :] for p in self.processes):
                await asyncio.sleep(0.05)
        self.disk.free()
        await self.goes_on("a full disk")

    async def renew_logins_and_certificate(self) -> None:
        """New passwords in the files, a new certificate; only the broker is restarted."""
        before = {process.name: len(process.codes) for process in self.processes}
        self.mosquitto.renew()
        await self.mosquitto.stop()
        await self.mosquitto.start()
        await self.goes_on("new passwords and a new certificate")
        # On a busy machine the run may be over by now; then its processes have ended with 0.
        if any(any(process.codes[before[process.name] :]) for process in self.processes):
            self.monitor.problems.append("a process ended when its password was renewed")

    async def households_die_one_by_one(self) -> None:
        """Each is back before the next one dies."""
        for house in self.random.sample(list(self.houses.values()), 3):
            house.signal(signal.SIGKILL)
            await house.until_gone()
            await self.goes_on("the death of a household")

    @property
    def agenda(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """What happens, each once."""
        return [
            self.second_clock_by_mistake,
            self.pause_at_night,
            self.machine_clock_jumps,
            self.late_household,
            self.full_disk,
            self.suspend_the_machine,
            self.renew_logins_and_certificate,
            self.households_die_one_by_one,
            self.reboot_everything,
        ]


@asynccontextmanager
async def running(processes: list[Supervised], monitor: Monitor) -> AsyncIterator[None]:
    """Have all processes supervised, and the monitor watch."""
    tasks = [asyncio.create_task(process.supervise()) for process in processes]
    tasks.append(asyncio.create_task(monitor.watch()))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for process in processes:
            process.kill()
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) is not None:
                monitor.problems.append(f"{type(error).__name__}: {error}")


async def operate(days: int, pace: str, seed: int, *, say: Callable[[str], None] = print) -> Result:
    """Live through an operator's day.

    Args:
        days: Virtual days of the run.
        pace: Its pace, such as `36000x`.
        seed: Decides who is hit, and in which order things come back.
        say: Called with each event.
    """
    began_wall_s = time.perf_counter()
    street = repeated(load_scenario("street"), days)
    houses = tuple(house.id for house in street.houses)
    calm: RunOutcome = await run_scenario(street, RunSettings(seed=1, run_id="calm"), MemoryBroker())
    say(f"undisturbed: {calm.ledger_sha256}, {calm.rounds} steps")
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(folder_for_a_run()))
        disk = Disk(folder / "disk")
        stack.callback(disk.close)
        machine = MachineClock(folder)
        prepare(machine.environment)
        scenario = folder / "months.yaml"
        save_scenario(street, scenario)
        mosquitto = Mosquitto(folder / "guard", houses, machine.environment)
        await mosquitto.start()
        stack.push_async_callback(mosquitto.stop)

        def supervised(name: str, *arguments: str) -> Supervised:
            common = ["--run", RUN, "--limit", str(PATIENCE_WALL_S), "--journal", str(disk.folder / "journal")]
            return Supervised(name, [*arguments, *common], mosquitto.environment_of(name), folder)

        out = ["--out", str(disk.folder / "months.sqlite"), "--pace", pace, "--json"]
        clock = supervised(CLOCK, "clock", str(scenario), *out)
        households = {house: supervised(house, "host", str(scenario), "--house", house) for house in houses}
        monitor = Monitor(mosquitto.of("watcher"))
        operator = Operator(mosquitto, clock, households, monitor, disk, machine, Random(seed), pace)
        async with running(operator.processes, monitor):
            agenda = operator.agenda
            for number, happen in enumerate(agenda, start=1):
                await monitor.until_virtual(street.start_s + days * DAY_S * number // (len(agenda) + 1))
                wall_s = time.perf_counter() - began_wall_s
                day = (monitor.now_s - street.start_s) / DAY_S
                say(f"{wall_s:4.0f} s, day {day:.1f}: {happen.__name__.replace('_', ' ')}")
                await happen()
            async with asyncio.timeout(PATIENCE_WALL_S + days * DAY_S / float(pace.removesuffix("x"))):
                for process in operator.processes:
                    await process.ended.wait()
        problems = list(monitor.problems)
        problems += [f"{p.name} ended with {p.codes}" for p in operator.processes if p.codes[-1]]
        problems += _compared(clock, calm)
        if problems:
            problems += [f"--- {p.name}\n{p.log[-1500:]}" for p in operator.processes]
        journal_bytes = sum(file.stat().st_size for file in (disk.folder / "journal").glob("*.sqlite*"))
        codes = {process.name: process.codes for process in operator.processes}
        return Result(
            tuple(problems), tuple(operator.skipped), codes, journal_bytes, time.perf_counter() - began_wall_s
        )


def _compared(clock: Supervised, calm: RunOutcome) -> list[str]:
    """Return how the run differs from the undisturbed one."""
    try:
        ran = json.loads(clock.output)["runs"][0]
    except (OSError, ValueError, LookupError) as error:
        return [f"the clock printed no results: {error!r}"]
    found, expected = (ran["ledger_sha256"], ran["messages"]), (calm.ledger_sha256, calm.messages)
    return [] if found == expected else [f"the ledger differs: {found}, not {expected}"]


def main() -> int:
    """Live through a day from the command line; return 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--pace", default="36000x")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    if find_mosquitto() is None:
        print("needs Mosquitto: apt-get install mosquitto")
        return 1
    result = asyncio.run(operate(arguments.days, arguments.pace, arguments.seed))
    for line in (*(f"skipped: {what}" for what in result.skipped), *result.problems):
        print(line)
    for name, codes in result.codes.items():
        print(f"{name}: exit codes {codes}")
    per_day = result.journal_bytes / arguments.days / len(result.codes) / 1000
    print(f"journals: {result.journal_bytes / 1e6:.1f} MB, {per_day:.0f} kB a day and process")
    print(f"{'failed' if result.problems else 'passed'}, {result.wall_s:.0f} s")
    return 1 if result.problems else 0


if __name__ == "__main__":
    sys.exit(main())
