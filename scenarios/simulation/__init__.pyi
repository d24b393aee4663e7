from .agents import (
    Cast as Cast,
    homes_of as homes_of,
)
from .brokers import (
    OpenBroker as OpenBroker,
)
from .invariants import (
    ledger_problems as ledger_problems,
)
from .plan import (
    Plan as Plan,
    from_equal_scores as from_equal_scores,
)
from .recording import (
    WireWatch as WireWatch,
)
from .run import (
    DAY_S as DAY_S,
    RunOutcome as RunOutcome,
    outcome_of as outcome_of,
    promises_kept as promises_kept,
    telling_error as telling_error,
    telling_how_it_ended as telling_how_it_ended,
)
from .scores import (
    ScoresFile as ScoresFile,
    ScoresFileError as ScoresFileError,
    ScoresWriteError as ScoresWriteError,
    run_key as run_key,
)
from .simulation import (
    Simulation as Simulation,
    open_simulation as open_simulation,
)

__all__ = [
    "DAY_S",
    "Cast",
    "OpenBroker",
    "Plan",
    "RunOutcome",
    "ScoresFile",
    "ScoresFileError",
    "ScoresWriteError",
    "Simulation",
    "WireWatch",
    "from_equal_scores",
    "homes_of",
    "ledger_problems",
    "open_simulation",
    "outcome_of",
    "promises_kept",
    "run_key",
    "telling_error",
    "telling_how_it_ended",
]
