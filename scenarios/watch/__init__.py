"""What a watcher of a run knows: built from what goes over the broker, in bounded memory, and nothing else.

`Watched.take` is fed with deliveries in any order, doubled, with gaps, from the middle of a run on; what it holds can
be looked at any time. It has no part in the run. The full history is in the results file, not here.
"""

from scenarios.watch.backdrop import Backdrop, backdrop_of
from scenarios.watch.feed import BusFeed, Feed, FoundRun, NotConnectedError, RunFinder
from scenarios.watch.line import Line
from scenarios.watch.negotiation import Negotiation, Step
from scenarios.watch.producers import Day, WatchedProducer
from scenarios.watch.standing import Standing, standing_of
from scenarios.watch.state import Watched
from scenarios.watch.stream import Stream

__all__ = [
    "Backdrop",
    "BusFeed",
    "Day",
    "Feed",
    "FoundRun",
    "Line",
    "Negotiation",
    "NotConnectedError",
    "RunFinder",
    "Standing",
    "Step",
    "Stream",
    "Watched",
    "WatchedProducer",
    "backdrop_of",
    "standing_of",
]
