from .choose import (
    ChosenBroker as ChosenBroker,
    choose_broker as choose_broker,
)
from .cleanup import (
    Leftover as Leftover,
    find_leftovers as find_leftovers,
    remove as remove,
)
from .local import (
    HEADROOM_BYTES as HEADROOM_BYTES,
)
from .mosquitto import (
    find_mosquitto as find_mosquitto,
    managed_mosquitto as managed_mosquitto,
)

__all__ = [
    "HEADROOM_BYTES",
    "ChosenBroker",
    "Leftover",
    "choose_broker",
    "find_leftovers",
    "find_mosquitto",
    "managed_mosquitto",
    "remove",
]
