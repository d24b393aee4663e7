from .agents import (
    agents_by_host as agents_by_host,
    fastest_spread as fastest_spread,
)
from .brokers import (
    OpenBroker as OpenBroker,
)
from .outcome import (
    RunOutcome as RunOutcome,
)
from .plan import (
    Plan as Plan,
    from_equal_scores as from_equal_scores,
)
from .recording import (
    PlannedRun as PlannedRun,
    RunRecord as RunRecord,
    record_run as record_run,
)
from .replay import (
    Recording as Recording,
    RecordingError as RecordingError,
    RecordingWriteError as RecordingWriteError,
    is_saved_recording as is_saved_recording,
    read_recording as read_recording,
)
from .run import (
    RunCallbacks as RunCallbacks,
    RunEnvironment as RunEnvironment,
    run_hosts as run_hosts,
    run_scenario as run_scenario,
)
from .scores_file import (
    ScoresFile as ScoresFile,
    ScoresFileError as ScoresFileError,
    ScoresWriteError as ScoresWriteError,
    run_key as run_key,
)
from .settings import (
    MOST_HOSTS as MOST_HOSTS,
    RunSettings as RunSettings,
    described as described,
)
from .simulation import (
    Simulation as Simulation,
    open_simulation as open_simulation,
)
from .worker_processes import (
    SpawnedProcess as SpawnedProcess,
    WorkerError as WorkerError,
    cores as cores,
    interrupts_blocked_in_children as interrupts_blocked_in_children,
    picklable_error as picklable_error,
)

__all__ = [
    "MOST_HOSTS",
    "OpenBroker",
    "Plan",
    "PlannedRun",
    "Recording",
    "RecordingError",
    "RecordingWriteError",
    "RunCallbacks",
    "RunEnvironment",
    "RunOutcome",
    "RunRecord",
    "RunSettings",
    "ScoresFile",
    "ScoresFileError",
    "ScoresWriteError",
    "Simulation",
    "SpawnedProcess",
    "WorkerError",
    "agents_by_host",
    "cores",
    "described",
    "fastest_spread",
    "from_equal_scores",
    "interrupts_blocked_in_children",
    "is_saved_recording",
    "open_simulation",
    "picklable_error",
    "read_recording",
    "record_run",
    "run_hosts",
    "run_key",
    "run_scenario",
]
