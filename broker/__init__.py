"""Messages and virtual time: MQTT transports, brokers, hosts and the clock. Independent of what the agents do."""

from broker.errors import (
    AgentFailedError,
    BrokerAwayError,
    BrokerLostError,
    BrokerUnreachableError,
    BrokerUrlError,
    HostsMissingError,
    SsmicError,
)
from broker.filenames import file_name
from broker.identifiers import MAX_CHARACTERS, canonical, character_problem, identifier_problem, shown
from broker.threads import new_loop

__all__ = [
    "MAX_CHARACTERS",
    "AgentFailedError",
    "BrokerAwayError",
    "BrokerLostError",
    "BrokerUnreachableError",
    "BrokerUrlError",
    "HostsMissingError",
    "SsmicError",
    "canonical",
    "character_problem",
    "file_name",
    "identifier_problem",
    "new_loop",
    "shown",
]
