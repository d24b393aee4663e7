"""Reports devices, and values of devices, of which nothing is heard: most often a topic or a path is misspelt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence

import structlog

from agents import Availability, DeviceEvent, Rejected, Reported
from broker.protocol import topics
from scenarios.devices.adapters import sources_of
from scenarios.gateways import Gateway

log = structlog.get_logger(__name__)

SILENT_AFTER_WALL_S = 300.0
"""After how long silence is reported for the first time, wall-clock seconds; many plugs report every five minutes."""


class UnheardValues:
    """Keeps what has been heard of the devices of a process, and reports what has not."""

    def __init__(self, run: str, gateways: Iterable[Gateway]) -> None:
        """Take the devices, of which nothing has been heard yet.

        Args:
            run: The run's id.
            gateways: The devices of the scenario.
        """
        self._sources = {
            gateway.id: sources_of(gateway) or {"messages": topics.device(run, gateway.id, "report")}
            for gateway in gateways
        }
        self._heard: dict[str, set[str]] = defaultdict(set)
        self._arrived: set[str] = set()
        """Devices of which any message has arrived."""

    def note(self, device: str, events: Sequence[DeviceEvent]) -> None:
        """Note what a message of a device says."""
        if device not in self._sources:
            return
        self._arrived.add(device)
        heard = self._heard[device]
        for event in events:
            match event:
                case Reported(is_on=is_on, power_w=power_w, counter_wh=counter_wh):
                    values = {"switch": is_on, "power": power_w, "energy": counter_wh}
                    heard.update(name for name, value in values.items() if value is not None)
                    if power_w is not None or counter_wh is not None:
                        heard.add("measurements")
                case Availability():
                    heard.add("availability")
            if not isinstance(event, Rejected):
                heard.add("messages")

    def silent(self, device: str) -> list[str]:
        """Return of which values of a device nothing has been heard, each with where it is expected."""
        return [
            f"{name} on {place}" for name, place in self._sources[device].items() if name not in self._heard[device]
        ]

    def report(self, occupied: Container[str], *, is_over: bool) -> None:
        """Log what has not been heard.

        Args:
            occupied: Devices that another run commands, which this one does not read.
            is_over: Whether the run has ended.
        """
        when = "in the whole run" if is_over else "so far"
        for device in self._sources:
            silent = [] if device in occupied else self.silent(device)
            if silent:
                arrived = "other messages of the device" if device in self._arrived else "none of its messages"
                log.warning("nothing was heard", device=device, when=when, of=silent, arrived=arrived)
