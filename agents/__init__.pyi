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
    SHARED as SHARED,
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
from .shared_consumer import (
    SharedConsumer as SharedConsumer,
    supplier_of as supplier_of,
)
from .shared_manager import (
    SharedManager as SharedManager,
)
from .shared_producer import (
    SharedProducer as SharedProducer,
)
from .shares import (
    Share as Share,
    load_mwh as load_mwh,
    packed as packed,
    produced_mwh as produced_mwh,
    shares_of as shares_of,
    unpacked as unpacked,
)

__all__ = [
    "GRID",
    "MANAGER",
    "MESSAGES",
    "NEW_PRODUCER",
    "SHARED",
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
    "Run",
    "SettingsError",
    "Share",
    "SharedConsumer",
    "SharedManager",
    "SharedProducer",
    "Starts",
    "can_run_in_sequence",
    "covers",
    "largest_sequence",
    "ledger_sha256",
    "load_mwh",
    "one_blas_thread",
    "open_starts",
    "packed",
    "produced_mwh",
    "shares_of",
    "supplier_of",
    "unpacked",
]
