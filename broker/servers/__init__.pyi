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
    own_brokers as own_brokers,
    with_own_login as with_own_login,
)
from .mosquitto import (
    find_mosquitto as find_mosquitto,
    managed_mosquitto as managed_mosquitto,
)

__all__ = [
    "ChosenBroker",
    "Leftover",
    "choose_broker",
    "find_leftovers",
    "find_mosquitto",
    "managed_mosquitto",
    "own_brokers",
    "remove",
    "with_own_login",
]
