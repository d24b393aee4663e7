from .devices import (
    DeviceMessage as DeviceMessage,
    ObservedDevice as ObservedDevice,
)
from .feed import (
    BusFeed as BusFeed,
    Feed as Feed,
    FoundRun as FoundRun,
    NotConnectedError as NotConnectedError,
    RunFinder as RunFinder,
)
from .message_log import (
    MessageLog as MessageLog,
    MessageSummary as MessageSummary,
    shown_agent as shown_agent,
)
from .negotiations import (
    ObservedNegotiation as ObservedNegotiation,
    Step as Step,
)
from .producers import (
    ObservedProducer as ObservedProducer,
)
from .run_state import (
    ObservedHost as ObservedHost,
    ObservedRun as ObservedRun,
    ScenarioContext as ScenarioContext,
    context_of_scenario as context_of_scenario,
)
from .run_status import (
    SIGNS as SIGNS,
    LinkStatus as LinkStatus,
    RunStatus as RunStatus,
    Tone as Tone,
    most_urgent as most_urgent,
    names as names,
    status_of_reported as status_of_reported,
    status_of_run as status_of_run,
)
from .summaries import (
    KINDS as KINDS,
    energy as energy,
    in_periods as in_periods,
    summarize as summarize,
)

__all__ = [
    "KINDS",
    "SIGNS",
    "BusFeed",
    "DeviceMessage",
    "Feed",
    "FoundRun",
    "LinkStatus",
    "MessageLog",
    "MessageSummary",
    "NotConnectedError",
    "ObservedDevice",
    "ObservedHost",
    "ObservedNegotiation",
    "ObservedProducer",
    "ObservedRun",
    "RunFinder",
    "RunStatus",
    "ScenarioContext",
    "Step",
    "Tone",
    "context_of_scenario",
    "energy",
    "in_periods",
    "most_urgent",
    "names",
    "shown_agent",
    "status_of_reported",
    "status_of_run",
    "summarize",
]
