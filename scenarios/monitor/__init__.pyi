from .feed import (
    BusFeed as BusFeed,
    Feed as Feed,
    FoundRun as FoundRun,
    NotConnectedError as NotConnectedError,
    RunFinder as RunFinder,
    Status as Status,
)
from .message_log import (
    Line as Line,
    Stream as Stream,
    shown_agent as shown_agent,
)
from .negotiations import (
    Negotiation as Negotiation,
    Step as Step,
)
from .producers import (
    WatchedProducer as WatchedProducer,
)
from .rate import (
    Rate as Rate,
)
from .run_state import (
    Backdrop as Backdrop,
    Watched as Watched,
    WatchedHost as WatchedHost,
    backdrop_of as backdrop_of,
)
from .run_status import (
    SIGNS as SIGNS,
    Standing as Standing,
    Tone as Tone,
    gravest as gravest,
    names as names,
    standing_of as standing_of,
    standing_of_reported as standing_of_reported,
)
from .summaries import (
    KINDS as KINDS,
    energy as energy,
    say as say,
)

__all__ = [
    "KINDS",
    "SIGNS",
    "Backdrop",
    "BusFeed",
    "Feed",
    "FoundRun",
    "Line",
    "Negotiation",
    "NotConnectedError",
    "Rate",
    "RunFinder",
    "Standing",
    "Status",
    "Step",
    "Stream",
    "Tone",
    "Watched",
    "WatchedHost",
    "WatchedProducer",
    "backdrop_of",
    "energy",
    "gravest",
    "names",
    "say",
    "shown_agent",
    "standing_of",
    "standing_of_reported",
]
