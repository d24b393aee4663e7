from .consumer import (
    Consumer as Consumer,
)
from .energy import (
    CumulativeSeries as CumulativeSeries,
    FloatArray as FloatArray,
    LoadProfile as LoadProfile,
    Outlook as Outlook,
    Prediction as Prediction,
    Production as Production,
)
from .errors import (
    SettingsError as SettingsError,
)
from .ledger import (
    LedgerEntry as LedgerEntry,
    LedgerEvent as LedgerEvent,
    ledger_sha256 as ledger_sha256,
)
from .linear_algebra import (
    one_blas_thread as one_blas_thread,
)
from .manager import (
    Manager as Manager,
)
from .messages import (
    MESSAGES as MESSAGES,
    AddJob as AddJob,
    AnyMessage as AnyMessage,
    ChangeAlgorithm as ChangeAlgorithm,
    ChangePatience as ChangePatience,
    DropJob as DropJob,
    Follow as Follow,
    Followed as Followed,
    Happened as Happened,
    Join as Join,
    Leave as Leave,
    NewForecast as NewForecast,
)
from .model import (
    GRID as GRID,
    MANAGER as MANAGER,
    TIMELINE as TIMELINE,
    TOGETHER as TOGETHER,
    Contract as Contract,
    Device as Device,
    House as House,
    Job as Job,
)
from .producer import (
    Producer as Producer,
)
from .provisional import (
    Promise as Promise,
)
from .register import (
    JobRegister as JobRegister,
)
from .scores import (
    NEW_PRODUCER as NEW_PRODUCER,
)
from .sequencing import (
    Busy as Busy,
    Run as Run,
    Starts as Starts,
    can_run_in_sequence as can_run_in_sequence,
    covers as covers,
    largest_sequence as largest_sequence,
    open_starts as open_starts,
)

__all__ = [
    "GRID",
    "MANAGER",
    "MESSAGES",
    "NEW_PRODUCER",
    "TIMELINE",
    "TOGETHER",
    "AddJob",
    "AnyMessage",
    "Busy",
    "ChangeAlgorithm",
    "ChangePatience",
    "Consumer",
    "Contract",
    "CumulativeSeries",
    "Device",
    "DropJob",
    "FloatArray",
    "Follow",
    "Followed",
    "Happened",
    "House",
    "Job",
    "JobRegister",
    "Join",
    "Leave",
    "LedgerEntry",
    "LedgerEvent",
    "LoadProfile",
    "Manager",
    "NewForecast",
    "Outlook",
    "Prediction",
    "Producer",
    "Production",
    "Promise",
    "Run",
    "SettingsError",
    "Starts",
    "can_run_in_sequence",
    "covers",
    "largest_sequence",
    "ledger_sha256",
    "one_blas_thread",
    "open_starts",
]
