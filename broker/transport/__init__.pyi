from .base import (
    HEADROOM_BYTES as HEADROOM_BYTES,
    MAX_PAYLOAD_BYTES as MAX_PAYLOAD_BYTES,
    Broker as Broker,
    Bus as Bus,
    Content as Content,
    Delivery as Delivery,
    Reconnected as Reconnected,
    Will as Will,
    leave_gracefully as leave_gracefully,
)
from .endpoint import (
    Access as Access,
    AccessOptions as AccessOptions,
    BrokerUrl as BrokerUrl,
    Tls as Tls,
    access_to as access_to,
    parse_url as parse_url,
)
from .filters import (
    Subscriptions as Subscriptions,
    matches as matches,
)
from .memory import (
    MemoryBroker as MemoryBroker,
)
from .receive_queue import (
    ReceiveQueue as ReceiveQueue,
)
from .reconnecting_mqtt import (
    LOST_AFTER_WALL_S as LOST_AFTER_WALL_S,
    MqttBroker as MqttBroker,
)

__all__ = [
    "HEADROOM_BYTES",
    "LOST_AFTER_WALL_S",
    "MAX_PAYLOAD_BYTES",
    "Access",
    "AccessOptions",
    "Broker",
    "BrokerUrl",
    "Bus",
    "Content",
    "Delivery",
    "MemoryBroker",
    "MqttBroker",
    "ReceiveQueue",
    "Reconnected",
    "Subscriptions",
    "Tls",
    "Will",
    "access_to",
    "leave_gracefully",
    "matches",
    "parse_url",
]
