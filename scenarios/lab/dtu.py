"""Gateways that publish what solar inverters produce: OpenDTU and AhoyDTU, with their commands.

Both keep a limit until it is changed; a retained command is ignored by OpenDTU, as its documentation says.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from broker.transport import Will
from scenarios.lab.device import Publication, Publications, mac_of, say, whole_number
from scenarios.lab.inverter import EmulatedInverter
from scenarios.lab.plug import VOLTAGE_V

_PRODUCING_W = 1.0
_AHOY_LIMIT = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*(W|%)?", re.IGNORECASE)


class Dtu(ABC):
    """The common behaviour of both gateways: report all inverters at an interval."""

    is_gateway = True
    hears_retained = False

    def __init__(self, base: str, inverters: Sequence[EmulatedInverter], start_s: int, *, period_s: int) -> None:
        """Make a gateway.

        Args:
            base: Base topic.
            inverters: Its inverters.
            start_s: Start of the lab.
            period_s: How often it publishes, seconds of virtual time.
        """
        self.base, self.inverters, self.period_s = base, tuple(inverters), period_s
        self._booted_s = start_s
        self._due_s = start_s

    @property
    def keys(self) -> tuple[str, ...]:
        """House and device of each inverter."""
        return tuple(inverter.key for inverter in self.inverters)

    def subscribed(self, now_s: int) -> Publications:
        """Return all values, so that nothing that subscribes waits for the next interval."""
        self._due_s = now_s + self.period_s
        return self.values(now_s)

    def next_due_s(self) -> int:
        """Return when it publishes next."""
        return self._due_s

    def due(self, now_s: int) -> Publications:
        """Publish when it is time."""
        if now_s < self._due_s:
            return []
        return self.subscribed(now_s)

    def power(self, key: str, now_s: int, *, on: bool) -> Publications:
        """See `EmulatedDevice.power`: disconnect the inverter `key` from the grid at `now_s`, or connect it if `on`."""
        self._inverter(key).connect(now_s, on=on)
        return self.values(now_s)

    def forget(self, key: str, now_s: int) -> Publications:
        """Restart an inverter with its limit gone and counters at 0."""
        inverter = self._inverter(key)
        inverter.set_limit(now_s, None)
        inverter.switch(now_s, on=True)
        inverter.forget_counters(now_s)
        return self.values(now_s)

    def pressed(self, key: str, now_s: int, *, on: bool) -> Publications:
        """See `EmulatedDevice.pressed`: an inverter has no button, so `key`, `now_s` and `on` are ignored."""
        del key, now_s, on
        return []

    def _inverter(self, key: str) -> EmulatedInverter:
        return next(inverter for inverter in self.inverters if inverter.key == key)

    @abstractmethod
    def values(self, now_s: int) -> Publications:
        """Return all that it publishes at an interval."""


class OpenDtu(Dtu):
    """OpenDTU: reports and limits all inverters of the lab, under one base topic."""

    @property
    def client_id(self) -> str:
        """As the firmware makes it."""
        return f"OpenDTU-{mac_of(self.base)[-6:]}"

    @property
    def will(self) -> Will:
        """`offline`, retained."""
        return Will(f"{self.base}/dtu/status", b"offline")

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """Commands to its inverters."""
        return tuple(f"{self.base}/{inverter.serial}/cmd/#" for inverter in self.inverters)

    def connected(self, now_s: int) -> Publications:
        """Say that it is online."""
        del now_s
        return [say(f"{self.base}/dtu/status", "online", retain=True)]

    def leaving(self, now_s: int) -> Publications:
        """Take back what is retained."""
        del now_s
        return [say(f"{self.base}/dtu/status", "", retain=True)]

    def received(self, topic: str, payload: bytes, now_s: int) -> Publications:
        """See `EmulatedDevice.received`: obey the limit or power command in `payload` at `now_s`; ignore others."""
        serial, _, command = topic.removeprefix(f"{self.base}/").partition("/cmd/")
        inverter = next((i for i in self.inverters if i.serial == serial), None)
        try:
            value = float(payload)
        except ValueError:
            return []
        if inverter is None or not 0 <= value < math.inf:
            return []
        match command:
            case "limit_nonpersistent_absolute" | "limit_persistent_absolute":
                inverter.set_limit(now_s, value)
            case "limit_nonpersistent_relative" | "limit_persistent_relative":
                inverter.set_limit(now_s, None if value >= 100 else inverter.rated_w * value / 100)
            case "power" if value in {0.0, 1.0}:
                inverter.switch(now_s, on=value == 1.0)
            case _:
                return []
        return self._of(inverter, now_s)

    def values(self, now_s: int) -> Publications:
        """Return the gateway's, the totals and each inverter's values."""
        power_w = sum(inverter.reported_w(now_s) for inverter in self.inverters)
        today_wh = sum(inverter.today_wh(now_s) for inverter in self.inverters)
        total_wh = sum(inverter.counter_wh(now_s) for inverter in self.inverters)
        said: list[Publication] = [
            say(f"{self.base}/dtu/uptime", str(now_s - self._booted_s)),
            say(f"{self.base}/dtu/rssi", "-50"),
            say(f"{self.base}/ac/power", f"{power_w:.1f}"),
            say(f"{self.base}/ac/yieldday", f"{today_wh:.0f}"),
            say(f"{self.base}/ac/yieldtotal", f"{total_wh / 1000:.3f}"),
            say(f"{self.base}/ac/is_valid", "1"),
        ]
        for inverter in self.inverters:
            said += self._of(inverter, now_s)
        return said

    def _of(self, inverter: EmulatedInverter, now_s: int) -> list[Publication]:
        power_w, limit_w = inverter.reported_w(now_s), inverter.limit_w
        relative = 100.0 if limit_w is None else min(100.0, 100 * limit_w / inverter.rated_w)
        values: dict[str, Any] = {
            "name": inverter.name,
            "0/power": f"{power_w:.1f}",
            "0/voltage": f"{VOLTAGE_V:.1f}",
            "0/current": f"{power_w / VOLTAGE_V:.2f}",
            "0/frequency": "50.00",
            "0/yieldday": f"{inverter.today_wh(now_s):.0f}",
            "0/yieldtotal": f"{inverter.counter_wh(now_s) / 1000:.3f}",
            "status/reachable": str(int(inverter.has_power)),
            "status/producing": str(int(power_w >= _PRODUCING_W)),
            "status/last_update": str(now_s),
            "status/limit_relative": f"{relative:.2f}",
            "status/limit_absolute": f"{inverter.rated_w if limit_w is None else limit_w:.2f}",
        }
        return [say(f"{self.base}/{inverter.serial}/{key}", value) for key, value in values.items()]


class AhoyDtu(Dtu):
    """An AhoyDTU; its base topic is `inverter` by default."""

    hears_retained = True

    @property
    def client_id(self) -> str:
        """As the firmware makes it."""
        return f"AHOY-DTU-{mac_of(self.base)[-6:]}"

    @property
    def will(self) -> Will:
        """`not connected`, retained."""
        return Will(f"{self.base}/mqtt", b"not connected")

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """Commands, whose last level is an inverter's number."""
        return (f"{self.base}/ctrl/#",)

    def connected(self, now_s: int) -> Publications:
        """Say that it is connected, and who its inverters are."""
        return [
            say(f"{self.base}/mqtt", "connected", retain=True),
            say(f"{self.base}/version", "0.8.155", retain=True),
            say(f"{self.base}/device", self.client_id, retain=True),
            say(f"{self.base}/uptime", str(now_s - self._booted_s)),
        ]

    def leaving(self, now_s: int) -> Publications:
        """Take back what is retained."""
        del now_s
        topics = [f"{self.base}/{what}" for what in ("mqtt", "version", "device", "status")]
        topics += [f"{self.base}/{i.name}/{what}" for i in self.inverters for what in ("available", "last_success")]
        return [say(topic, "", retain=True) for topic in topics]

    def received(self, topic: str, payload: bytes, now_s: int) -> Publications:
        """See `EmulatedDevice.received` for `topic`, `payload` and `now_s`.

        It obeys `ctrl/limit/<id>`, `ctrl/power/<id>` and `ctrl/restart/<id>`; anything else is ignored.
        """
        parts = topic.removeprefix(f"{self.base}/ctrl/").split("/")
        number = whole_number(parts[1]) if len(parts) == 2 else None
        if number is None or number >= len(self.inverters):
            return []
        command = parts[0]
        inverter, text = self.inverters[number], payload.decode(errors="replace").strip()
        if command == "limit" and (found := _AHOY_LIMIT.fullmatch(text)):
            value = float(found[1])
            if (found[2] or "%").upper() == "W":
                inverter.set_limit(now_s, value)
            else:
                inverter.set_limit(now_s, None if value >= 100 else inverter.rated_w * value / 100)
        elif command == "power" and text in {"0", "1"}:
            inverter.switch(now_s, on=text == "1")
        elif command == "restart":
            inverter.set_limit(now_s, None)
        else:
            return []
        return [say(f"{self.base}/{inverter.name}/ack_pwr_limit", "true"), *self._of(inverter, now_s)]

    def values(self, now_s: int) -> Publications:
        """Return the totals and each inverter's values."""
        on = [inverter for inverter in self.inverters if inverter.has_power]
        producing = [inverter for inverter in on if inverter.reported_w(now_s) >= _PRODUCING_W]
        said = [
            say(f"{self.base}/uptime", str(now_s - self._booted_s)),
            say(f"{self.base}/status", str(2 if len(on) == len(self.inverters) else int(bool(on))), retain=True),
            say(f"{self.base}/total/P_AC", f"{sum(i.reported_w(now_s) for i in producing):.1f}"),
            say(f"{self.base}/total/YieldDay", f"{sum(i.today_wh(now_s) for i in self.inverters):.0f}"),
            say(f"{self.base}/total/YieldTotal", f"{sum(i.counter_wh(now_s) for i in self.inverters) / 1000:.3f}"),
        ]
        for inverter in self.inverters:
            said += self._of(inverter, now_s)
        return said

    def _of(self, inverter: EmulatedInverter, now_s: int) -> list[Publication]:
        power_w, limit_w = inverter.reported_w(now_s), inverter.limit_w
        relative = 100.0 if limit_w is None else min(100.0, 100 * limit_w / inverter.rated_w)
        available = 0 if not inverter.has_power else 2 if power_w >= _PRODUCING_W else 1
        values = {
            "U_AC": f"{VOLTAGE_V:.1f}",
            "I_AC": f"{power_w / VOLTAGE_V:.2f}",
            "P_AC": f"{power_w:.1f}",
            "F_AC": "50.00",
            "YieldDay": f"{inverter.today_wh(now_s):.0f}",
            "YieldTotal": f"{inverter.counter_wh(now_s) / 1000:.3f}",
            "PowerLimit": f"{relative:.1f}",
            "active_PowerLimit": f"{relative:.1f}",
        }
        prefix = f"{self.base}/{inverter.name}"
        return [
            say(f"{prefix}/available", str(available), retain=True),
            say(f"{prefix}/last_success", str(now_s), retain=True),
            *(say(f"{prefix}/ch0/{key}", value) for key, value in values.items()),
        ]
