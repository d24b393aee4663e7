"""docker-compose.yml without Docker: its services' own commands as processes, with the files that they would mount."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from broker.memory import MemoryBroker
from broker.mosquitto import find_mosquitto
from broker.running import free_port
from scenarios.files import load_scenario
from scenarios.results.reader import ResultsReader
from scenarios.runner import RunSettings, run_once

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")


class Containers:
    """Runs services as processes: each path that a service mounts is one below a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", (ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
        self.services: dict[str, Any] = yaml.safe_load(text)["services"]
        self.folder = folder
        self.port = free_port()

    def place(self, service: str, path: str) -> str:
        """Return where a path inside a container is on this machine."""
        for mount in sorted(self.services[service]["volumes"], key=len, reverse=True):
            volume, inside = mount.split(":")[:2]
            if path == inside or path.startswith(f"{inside}/"):
                return f"{self.folder}/{volume}{path.removeprefix(inside)}"
        return path

    async def start(self, service: str) -> asyncio.subprocess.Process:
        """Start a service that runs our image."""
        settings = self.services[service]
        environment = {name: self.place(service, str(value)) for name, value in settings.get("environment", {}).items()}
        environment["SSMIC_ALIVE_FILE"] = f"{self.folder}/{service}.alive"
        if "SSMIC_BROKER" in environment:
            environment["SSMIC_BROKER"] = f"mqtts://localhost:{self.port}"
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tui", *settings["command"],
            cwd=self.folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        )  # fmt: skip


async def finished(process: asyncio.subprocess.Process) -> str:
    """Return what a process has said when it has ended well."""
    async with asyncio.timeout(100):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_the_compose_file_runs_the_street(tmp_path: Path) -> None:
    """Guard, broker, clock and six households: the ledger of the street, and the clock prints what came out."""
    containers = Containers(tmp_path)
    guard = containers.services["guard"]
    made = [mount.split(":") for mount in guard["volumes"]]
    command = [str(tmp_path / "guard") if word == "/guard" else word for word in guard["command"]]
    at = command.index("--owner")  # only root can give files away
    guard["command"] = [*command[:at], *command[at + 2 :], "--name", "localhost", "--port", str(containers.port)]
    # What is a volume inside another one is a link here.
    (tmp_path / "guard" / "logins").mkdir(parents=True)
    for volume, inside in made[1:]:
        (tmp_path / volume).mkdir()
        (tmp_path / inside.removeprefix("/")).symlink_to(tmp_path / volume)
    await finished(await containers.start("guard"))

    configuration = (tmp_path / "guard" / "broker" / "mosquitto.conf").read_text(encoding="utf-8")
    configuration = configuration.replace("/mosquitto/config", containers.place("broker", "/mosquitto/config"))
    configuration = configuration.replace("/mosquitto/data", containers.place("broker", "/mosquitto/data"))
    conf = tmp_path / "mosquitto.conf"
    conf.write_text(configuration + ("user root\n" if os.geteuid() == 0 else ""), encoding="utf-8")
    with (tmp_path / "log").open("wb") as log:
        broker = await asyncio.create_subprocess_exec(str(find_mosquitto()), "-c", str(conf), stderr=log)
    try:
        houses = [name for name in containers.services if name.startswith("house-")]
        assert len(houses) == 6
        processes = [await containers.start(name) for name in ("clock", *houses)]
        shown, *_ = await asyncio.gather(*(finished(process) for process in processes))
    finally:
        broker.terminate()
        await broker.wait()
    assert "Jobs with a contract" in shown
    assert all((tmp_path / f"{name}.alive").exists() for name in ("clock", *houses))
    expected = await run_once(load_scenario("street"), RunSettings(seed=1, run_id="street"), MemoryBroker())
    with ResultsReader(Path(containers.place("clock", "/results/street.sqlite"))) as results:
        assert results.run(1).ledger_sha256 == expected.ledger_sha256
    assert not passwords_in(tmp_path / "results", tmp_path)


def passwords_in(kept: Path, logins: Path) -> list[Path]:
    """Return the password files of which a folder's files give something away."""
    content = b"".join(file.read_bytes() for file in kept.iterdir())
    return [file for file in logins.glob("login-*/password") if file.read_bytes().strip() in content]
