"""The broker of a lab: a private one, which it can restart, or an existing one."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from broker import SsmicError
from broker.servers import ChosenBroker, choose_broker, find_mosquitto, managed_mosquitto
from broker.transport import BrokerUrl, MqttBroker, Tls

_DATABASE = "mosquitto.db"


class BrokerNotOursError(SsmicError):
    """A fault restarts the broker, which the lab did not start."""


class LabBroker:
    """A running broker of a lab, private or external."""

    def __init__(
        self, url: BrokerUrl, description: str, *, tls: Tls | None, lost_after_wall_s: float, restarts: bool = False
    ) -> None:
        """Create it; the broker runs already.

        Args:
            url: Where it is.
            description: For display.
            tls: How to connect if the connection is encrypted; None: it is not.
            lost_after_wall_s: How long it may be unreachable before the lab ends, wall-clock seconds.
            restarts: Whether a fault restarts it, so that broken connections are no surprise.
        """
        self.url, self.description = url, description
        self.current = MqttBroker(url, tls=tls, lost_after_wall_s=lost_after_wall_s)
        self.current.expects_breaks = restarts
        self._own: AsyncExitStack | None = None
        self._folder: Path | None = None

    async def restart(self, down_wall_s: float, *, keeps_retained: bool) -> None:
        """Stop the broker, and start it again.

        Args:
            down_wall_s: How long it is away, wall-clock seconds.
            keeps_retained: Whether it remembers its retained messages.
        """
        if self._own is None or self._folder is None:
            raise BrokerNotOursError("the lab can restart only a broker that it has started itself")
        await self._own.aclose()
        if not keeps_retained:
            (self._folder / _DATABASE).unlink(missing_ok=True)
        await asyncio.sleep(down_wall_s)
        await self._own.enter_async_context(managed_mosquitto(port=self.url.port, folder=self._folder))


@asynccontextmanager
async def open_lab_broker(
    wanted: str | BrokerUrl | None, *, tls: Tls | None, must_restart: bool, lost_after_wall_s: float
) -> AsyncIterator[LabBroker]:
    """Provide a broker for the duration of the context.

    Args:
        wanted: A URL, `mosquitto` or `embedded`; None: a private Mosquitto if installed, else the embedded broker.
        tls: Certificates for an `mqtts` URL.
        must_restart: Whether a fault will restart it.
        lost_after_wall_s: How long it may be away, wall-clock seconds.

    Raises:
        BrokerNotOursError: It must restart, and is not a Mosquitto that the lab starts itself.
        BrokerUrlError, BrokerUnreachableError: see `broker.servers.choose_broker`.
    """
    if must_restart and (wanted not in {None, "mosquitto"} or find_mosquitto() is None):
        what = "mosquitto is not installed" if wanted in {None, "mosquitto"} else f"--broker asks for {wanted}"
        raise BrokerNotOursError(f"a fault restarts the broker: the lab must start a Mosquitto of its own, but {what}")
    async with AsyncExitStack() as outer:
        if must_restart:
            folder = Path(outer.enter_context(tempfile.TemporaryDirectory(prefix="ssmic-lab-")))
            own = await outer.enter_async_context(AsyncExitStack())
            running = await own.enter_async_context(managed_mosquitto(folder=folder))
            limit = lost_after_wall_s
            found = LabBroker(running.url, running.description, tls=None, lost_after_wall_s=limit, restarts=True)
            found._own, found._folder = own, folder  # noqa: SLF001 - made here
        else:
            chosen: ChosenBroker = await outer.enter_async_context(
                # Without a login: devices and controllers that people own do not know it.
                choose_broker(wanted, tls=tls, lost_after_wall_s=lost_after_wall_s, is_open=True)
            )
            found = LabBroker(chosen.url, chosen.description, tls=tls, lost_after_wall_s=lost_after_wall_s)
        yield found
