from .agent import (
    Agent as Agent,
    AgentLostError as AgentLostError,
    AskLapsedError as AskLapsedError,
    Instruction as Instruction,
    Received as Received,
    RetainedPublication as RetainedPublication,
)
from .clock_watch import (
    ClockLiveness as ClockLiveness,
)
from .coroutines import (
    Channel as Channel,
    TimedOut as TimedOut,
)
from .directory import (
    check_session as check_session,
)
from .external_port import (
    Incoming as Incoming,
    Port as Port,
)
from .host import (
    Host as Host,
)
from .journal import (
    HostJournal as HostJournal,
)
from .rounds import (
    RoundRecord as RoundRecord,
)

__all__ = [
    "Agent",
    "AgentLostError",
    "AskLapsedError",
    "Channel",
    "ClockLiveness",
    "Host",
    "HostJournal",
    "Incoming",
    "Instruction",
    "Port",
    "Received",
    "RetainedPublication",
    "RoundRecord",
    "TimedOut",
    "check_session",
]
