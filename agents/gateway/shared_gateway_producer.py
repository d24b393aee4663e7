"""The gateway agent of a real producer device that supplies shares."""

from __future__ import annotations

from agents.gateway.gateway_producer import GatewayProducer
from agents.sharing import SharedProducer


class SharedGatewayProducer(GatewayProducer, SharedProducer):
    """Stands for one real producer device, or for a guest that may come, whose energy several jobs share."""
