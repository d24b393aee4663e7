"""docker-compose.yml without Docker: its services' own commands as processes, with the files that they would mount.

If permitted, each runs in a separate network namespace, so that its link can be cut and names are the Compose file's.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from broker.security.acl import SERVICE_LOGINS
from broker.servers.mosquitto import find_mosquitto
from broker.servers.own_broker import free_port
from broker.transport.memory import MemoryBroker
from scenarios.load import load_scenario
from scenarios.results.reader import ResultsReader
from scenarios.simulation.run import run_scenario
from scenarios.simulation.settings import RunSettings
from tests.deployment.namespaces import Machines, machines, what_is_missing

ROOT = Path(__file__).resolve().parents[2]
CUT, KILLED = "house-celik", "house-adler"

pytestmark = [
    pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed"),
]


class Containers:
    """Runs services as processes: each path that a service mounts is one below a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", (ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
        self.services: dict[str, Any] = yaml.safe_load(text)["services"]
        self.houses = [name for name in self.services if name.startswith("house-")]
        self.folder = folder
        self.machines: Machines | None = None
        """None: all on this one, where names are not known and ports may be taken."""
        self._port = free_port()

    def place(self, service: str, path: str) -> str:
        """Return where a path inside a container is on this machine."""
        for mount in sorted(self.services[service]["volumes"], key=len, reverse=True):
            volume, inside = mount.split(":")[:2]
            if path == inside or path.startswith(f"{inside}/"):
                return f"{self.folder}/{volume}{path.removeprefix(inside)}"
        return path

    async def make_guard(self) -> None:
        """Run the service `guard`."""
        guard = self.services["guard"]
        command = [str(self.folder / "guard") if word == "/guard" else word for word in guard["command"]]
        at = command.index("--owner")  # only root can give files away, and then our processes are root's too
        guard["command"] = [*command[:at], *command[at + 2 :]]
        if self.machines is None:
            guard["command"] += ["--name", "localhost", "--port", str(self._port)]
        # What is a volume inside another one is a link here.
        (self.folder / "guard" / "logins").mkdir(parents=True)
        for mount in guard["volumes"][1:]:
            volume, inside = mount.split(":")
            (self.folder / volume).mkdir()
            (self.folder / inside.removeprefix("/")).symlink_to(self.folder / volume)
        await finished(await self.start("guard"))

    @asynccontextmanager
    async def broker(self) -> AsyncIterator[None]:
        """Run the service `broker`."""
        configuration = (self.folder / "guard" / "broker" / "mosquitto.conf").read_text(encoding="utf-8")
        for inside in ("/mosquitto/config", "/mosquitto/data"):
            configuration = configuration.replace(inside, self.place("broker", inside))
        conf = self.folder / "mosquitto.conf"
        conf.write_text(configuration + ("user root\n" if os.geteuid() == 0 else ""), encoding="utf-8")
        with (self.folder / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *self._into("broker"), str(find_mosquitto()), "-c", str(conf), stderr=log
            )
        try:
            yield
        finally:
            process.terminate()
            await process.wait()

    async def start(self, service: str) -> Process:
        """Start a service that runs our image."""
        settings = self.services[service]
        environment = {name: self.place(service, str(value)) for name, value in settings.get("environment", {}).items()}
        environment["SSMIC_ALIVE_FILE"] = f"{self.folder}/{service}.alive"
        if "SSMIC_BROKER" in environment and self.machines is None:
            environment["SSMIC_BROKER"] = f"mqtts://localhost:{self._port}"
        return await asyncio.create_subprocess_exec(
            *(self._into(service) if settings.get("network_mode") != "none" else ()),
            sys.executable, "-m", "tui", *settings["command"],
            cwd=self.folder, stdout=PIPE, stderr=PIPE,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        )  # fmt: skip

    async def reached(self, rounds: int, service: str) -> None:
        """Wait until a household has a number of rounds in its journal."""
        while self._rounds(service) < rounds:
            await asyncio.sleep(0.01)

    def _rounds(self, service: str) -> int:
        with suppress(sqlite3.Error):
            for file in Path(self.place(service, "/journal")).glob("*.sqlite"):
                with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as journal:
                    return int(journal.execute("SELECT count(*) FROM rounds").fetchone()[0])
        return 0

    def _into(self, service: str) -> tuple[str, ...]:
        return () if self.machines is None else self.machines.into(service)


async def finished(process: Process) -> str:
    """Return what a process has said, and how it was called, when it has ended well."""
    called = " ".join(psutil.Process(process.pid).cmdline())
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return f"{called}\n{out.decode()}\n{err.decode()}"


async def check(containers: Containers, shown: str) -> None:
    """Assert that a run has the street's outcome, and leaked no secret into output or files."""
    assert "Jobs with a contract" in shown
    assert all((containers.folder / f"{name}.alive").exists() for name in ("clock", *containers.houses))
    expected = await run_scenario(load_scenario("street"), RunSettings(seed=1, run_id="street"), MemoryBroker())
    with ResultsReader(Path(containers.place("clock", "/results/street.sqlite"))) as results:
        assert results.run(1).ledger_sha256 == expected.ledger_sha256
    passwords = [file.read_bytes().strip() for file in containers.folder.glob("login-*/password")]
    assert len(passwords) == len(containers.houses) + len(SERVICE_LOGINS)
    kept = [file for name in ("results", "journal-*") for file in containers.folder.glob(f"{name}/**/*")]
    told = b"".join([shown.encode(), *(file.read_bytes() for file in kept if file.is_file())])
    told += (containers.folder / "log").read_bytes()
    assert not [password for password in passwords if password in told]


@pytest.mark.long
async def test_the_compose_file_runs_the_street(tmp_path: Path) -> None:
    """Guard, broker, clock and six households produce the street's ledger, and the clock prints the results."""
    containers = Containers(tmp_path)
    assert len(containers.houses) == 6
    await containers.make_guard()
    async with containers.broker():
        processes = [await containers.start(name) for name in ("clock", *containers.houses)]
        shown = await asyncio.gather(*(finished(process) for process in processes))
    await check(containers, "\n".join(shown))


@pytest.mark.long
async def test_the_compose_file_runs_the_street_though_a_link_is_cut_and_a_household_killed(tmp_path: Path) -> None:
    """Every service runs on a separate machine, reached by its name in the file."""
    if why := what_is_missing(tmp_path):
        pytest.skip(why)
    containers = Containers(tmp_path)
    async with machines(["broker", "clock", *containers.houses], tmp_path) as containers.machines:
        await containers.make_guard()
        async with containers.broker():
            processes = {name: await containers.start(name) for name in ("clock", *containers.houses)}

            async def restart_killed() -> str:
                await containers.reached(10, KILLED)
                processes[KILLED].kill()
                assert await processes[KILLED].wait() == -signal.SIGKILL
                return await finished(await containers.start(KILLED))

            async def cut() -> None:
                await containers.reached(5, CUT)
                await containers.machines.cut(CUT, 1.0)  # type: ignore[union-attr]  # the containers have started

            cutting = asyncio.create_task(cut())
            left = [finished(process) for name, process in processes.items() if name != KILLED]
            shown = await asyncio.gather(*left, restart_killed())
            await cutting
        await check(containers, "\n".join(shown))
