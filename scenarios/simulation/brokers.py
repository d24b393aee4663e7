"""The broker of a simulation: opened once, for all its runs."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from broker.clock import check_alone
from broker.servers import choose_broker, find_mosquitto
from broker.transport import LOST_AFTER_WALL_S, Broker, BrokerUrl, MemoryBroker, MqttBroker, Tls
from scenarios.simulation.plan import Plan


@dataclass(frozen=True, slots=True)
class OpenBroker:
    """The broker that the runs of a simulation connect to."""

    name: str
    """Its name in results and JSON: `memory`, `mosquitto`, `embedded`, or a URL without login."""
    description: str
    """One line for the user."""
    url: BrokerUrl | None
    """The URL that other processes connect to; None: every run has its own broker in memory."""
    tls: Tls | None = None
    """The certificates for an `mqtts` URL."""
    lost_after_wall_s: float = LOST_AFTER_WALL_S
    """How long a connection may be down."""
    restart: Callable[[], None] | None = None
    """Restarts it, in the process that started it; None: it was not started for this simulation."""

    def for_run(self, connections: int = 1) -> Broker:
        """Return what the hosts of one run connect to.

        Args:
            connections: How many this process will have.
        """
        if self.url is None:
            return MemoryBroker()
        return MqttBroker(self.url, tls=self.tls, lost_after_wall_s=self.lost_after_wall_s, connections=connections)


@asynccontextmanager
async def open_broker(plan: Plan) -> AsyncIterator[OpenBroker]:
    """Provide the broker that a plan asks for, for the duration of the context.

    Raises:
        BrokerUrlError: The plan's URL is malformed.
        BrokerUnreachableError: It cannot be started, or the connection or login is refused.
        ClockTakenError: A run or a lab with the plan's run id takes place there.
    """
    if plan.bus == "memory":
        yield OpenBroker("memory", "in memory", None)
        return
    async with choose_broker(plan.broker, tls=plan.tls, lost_after_wall_s=plan.limit_wall_s) as chosen:
        # Find out whether a broker listens there now, before there is a results file.
        async with chosen.broker.connect(f"ssmic-{secrets.token_hex(4)}"):
            pass
        own = "embedded" if find_mosquitto() is None else "mosquitto"
        name = plan.broker or own
        if name not in {"mosquitto", "embedded"}:
            name = _without_login(chosen.url)
            if plan.run_id is not None:  # others are random
                await check_alone(chosen.broker, plan.run_id)
        yield OpenBroker(str(name), chosen.description, chosen.url, plan.tls, plan.limit_wall_s, chosen.restart)


def _without_login(url: BrokerUrl) -> str:
    return str(BrokerUrl(url.host, url.port, tls=url.tls))
