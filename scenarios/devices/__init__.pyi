from .adapter import (
    Adapter as Adapter,
    Message as Message,
    MessageError as MessageError,
)
from .guests import (
    guest_devices as guest_devices,
    guest_gateway as guest_gateway,
    nothing_yet as nothing_yet,
    with_guests as with_guests,
)
from .link import (
    DeviceLink as DeviceLink,
    adapters_of as adapters_of,
)
from .recording import (
    ReplayPort as ReplayPort,
    Saying as Saying,
)

__all__ = [
    "Adapter",
    "DeviceLink",
    "Message",
    "MessageError",
    "ReplayPort",
    "Saying",
    "adapters_of",
    "guest_devices",
    "guest_gateway",
    "nothing_yet",
    "with_guests",
]
