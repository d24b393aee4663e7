"""A Mosquitto with the configuration that `ssmic broker init` writes, and logins for it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from broker.protocol.topics import encode
from broker.security.acl import DeviceAccess
from broker.security.provision import Guard, login_folder, write_guard
from broker.servers.mosquitto import find_mosquitto
from broker.servers.own_broker import free_port
from broker.transport import MqttBroker
from broker.transport.endpoint import CERT_FILE, KEY_FILE, PASSWORD_FILE, USER, AccessOptions, access_to
from tests.patience import PATIENCE_WALL_S


@dataclass(frozen=True, slots=True)
class GuardedBroker:
    """A running one."""

    folder: Path
    port: int
    log_file: Path
    pid: int
    by_certificate: bool

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    async def logged(self, *texts: str) -> str:
        """Wait until a line of the log holds all `texts`; return the line."""
        async with asyncio.timeout(PATIENCE_WALL_S):
            while True:
                for line in self.log.splitlines():
                    if all(text in line for text in texts):
                        return line
                await asyncio.sleep(0.01)

    def of(self, login: str, **changed: str) -> MqttBroker:
        """Return how a login reaches it, by what its own folder holds and nothing else."""
        own = login_folder(self.folder, login)
        environment = {"SSMIC_CA_FILE": str(own / "ca.crt")}
        if self.by_certificate:
            environment |= {CERT_FILE: str(own / "client.crt"), KEY_FILE: str(own / "client.key")}
        else:
            environment |= {USER: encode(login), PASSWORD_FILE: str(own / "password")}
        return self.reached_by(environment | changed)

    def reached_by(self, environment: dict[str, str]) -> MqttBroker:
        """Return how a process with these variables reaches it."""
        known = {name: value for name, value in environment.items() if value}
        access = access_to(f"mqtts://localhost:{self.port}", AccessOptions(), known)
        return MqttBroker(access.url, tls=access.tls, lost_after_wall_s=PATIENCE_WALL_S)

    async def read_again(self) -> None:
        """Let it read its logins and rights again."""
        before = self.log.count("Reloading config")
        os.kill(self.pid, signal.SIGHUP)
        async with asyncio.timeout(PATIENCE_WALL_S):
            while self.log.count("Reloading config") == before:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def guarded_mosquitto(
    folder: Path,
    hosts: tuple[str, ...],
    *,
    devices: tuple[DeviceAccess, ...] = (),
    by_certificate: bool = False,
    changed: Mapping[str, int] | None = None,
) -> AsyncIterator[GuardedBroker]:
    """Write a guard into `folder` and run a Mosquitto with it.

    Args:
        folder: Where to write.
        hosts: Households, each of which gets a login.
        devices: Real devices, each of which gets a login.
        by_certificate: How clients log in.
        changed: Other figures for limits of the written configuration, by name, so that a test reaches them soon.
    """
    program = find_mosquitto()
    assert program is not None
    port = free_port()
    write_guard(folder, Guard(hosts, ("manager",), port=port, client_certificates=by_certificate, devices=devices))
    configuration = folder / "broker" / "mosquitto-host.conf"
    written = configuration.read_text(encoding="utf-8")
    for name, value in (changed or {}).items():
        written, count = re.subn(rf"(?m)^{name} \d+$", f"{name} {value}", written)
        assert count == 1
    # As root: else it becomes a user who may not read here.
    configuration = folder / "changed.conf"
    configuration.write_text(written + ("user root\n" if os.geteuid() == 0 else ""), encoding="utf-8")
    log_file = folder / "log"
    with log_file.open("wb") as log:
        process = await asyncio.create_subprocess_exec(str(program), "-c", str(configuration), stdout=log, stderr=log)
    running = GuardedBroker(folder, port, log_file, process.pid, by_certificate)
    try:
        await running.logged(" running")
        yield running
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
