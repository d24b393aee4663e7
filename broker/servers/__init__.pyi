from .choose import (
    ChosenBroker as ChosenBroker,
    choose_broker as choose_broker,
)
from .mosquitto import (
    find_mosquitto as find_mosquitto,
    managed_mosquitto as managed_mosquitto,
)
from .own_broker import (
    own_brokers as own_brokers,
    with_own_login as with_own_login,
)
from .retained_cleanup import (
    RetainedMessages as RetainedMessages,
    find_leftovers as find_leftovers,
    remove as remove,
)

__all__ = [
    "ChosenBroker",
    "RetainedMessages",
    "choose_broker",
    "find_leftovers",
    "find_mosquitto",
    "managed_mosquitto",
    "own_brokers",
    "remove",
    "with_own_login",
]
