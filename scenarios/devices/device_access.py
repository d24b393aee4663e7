"""Which topics a guarded broker must grant to the households' processes for their real devices."""

from __future__ import annotations

from broker.protocol import topics
from broker.security import DeviceAccess
from broker.transport import MAX_PAYLOAD_BYTES
from scenarios.devices.adapters import adapters_of, address_of
from scenarios.devices.switch_claims import switch_id
from scenarios.scenario import Scenario


def device_access_of(scenario: Scenario) -> tuple[DeviceAccess, ...]:
    """Return which topics the households' processes need for their real devices."""
    adapters = adapters_of(scenario.gateways.values())
    accesses = []
    for agent, gateway in scenario.gateways.items():
        adapter = adapters.get(agent)
        read = () if adapter is None else tuple(adapter.filters())
        write = () if adapter is None else tuple(adapter.writes())
        if adapter is not None and adapter.is_switched and (address := address_of(gateway)) is not None:
            claims = topics.claims(switch_id(address))
            read, write = (*read, claims), (*write, claims)
        largest_bytes = MAX_PAYLOAD_BYTES if adapter is None else adapter.largest_bytes
        accesses.append(DeviceAccess(gateway.house, gateway.id, read, write, largest_bytes=largest_bytes))
    return tuple(accesses)
