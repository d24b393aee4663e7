from .consumer import (
    Consumer as Consumer,
)
from .device_events import (
    Announced as Announced,
    Availability as Availability,
    CommandRefused as CommandRefused,
    DeviceCommand as DeviceCommand,
    DeviceEvent as DeviceEvent,
    DeviceNotice as DeviceNotice,
    Forecasted as Forecasted,
    JobAsked as JobAsked,
    JobState as JobState,
    JobTakenBack as JobTakenBack,
    Left as Left,
    Rejected as Rejected,
    Reported as Reported,
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
from .gateway import (
    GatewaySettings as GatewaySettings,
    Prices as Prices,
    PricesAt as PricesAt,
    Waiting as Waiting,
)
from .gateway_consumer import (
    MAX_OPEN_JOBS as MAX_OPEN_JOBS,
    GatewayConsumer as GatewayConsumer,
)
from .gateway_producer import (
    GatewayProducer as GatewayProducer,
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
    MESSAGE_KINDS as MESSAGE_KINDS,
    MESSAGES as MESSAGES,
    AddJob as AddJob,
    AnyMessage as AnyMessage,
    ChangeAlgorithm as ChangeAlgorithm,
    ChangePatience as ChangePatience,
    ChangePrices as ChangePrices,
    DeviceSaid as DeviceSaid,
    DropJob as DropJob,
    Follow as Follow,
    Followed as Followed,
    Happened as Happened,
    JobExecuted as JobExecuted,
    JobWithdrawn as JobWithdrawn,
    Join as Join,
    Leave as Leave,
    NewForecast as NewForecast,
    ProductionMeasured as ProductionMeasured,
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
    consumer_agent as consumer_agent,
)
from .negotiating import (
    ABOUT_NEGOTIATION as ABOUT_NEGOTIATION,
    ABOUT_RANKING as ABOUT_RANKING,
    MAX_AT_ONCE as MAX_AT_ONCE,
    NEGOTIATIONS as NEGOTIATIONS,
    RANKED as RANKED,
    RANKINGS as RANKINGS,
    NegotiationSettings as NegotiationSettings,
    known_rankings as known_rankings,
)
from .plugins import (
    AGENTS as AGENTS,
    load_plugin as load_plugin,
)
from .producer import (
    Producer as Producer,
)
from .provisional import (
    Promise as Promise,
)
from .rankings import (
    Places as Places,
    Question as Question,
    Ranking as Ranking,
)
from .register import (
    JobRegister as JobRegister,
    addition_problem as addition_problem,
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
from .shared_gateway_consumer import (
    SharedGatewayConsumer as SharedGatewayConsumer,
)
from .shared_gateway_producer import (
    SharedGatewayProducer as SharedGatewayProducer,
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
    "ABOUT_NEGOTIATION",
    "ABOUT_RANKING",
    "AGENTS",
    "GRID",
    "MANAGER",
    "MAX_AT_ONCE",
    "MAX_OPEN_JOBS",
    "MESSAGES",
    "MESSAGE_KINDS",
    "NEGOTIATIONS",
    "NEW_PRODUCER",
    "RANKED",
    "RANKINGS",
    "SHARED",
    "TIMELINE",
    "TOGETHER",
    "AddJob",
    "Announced",
    "AnyMessage",
    "Availability",
    "Busy",
    "ChangeAlgorithm",
    "ChangePatience",
    "ChangePrices",
    "CommandRefused",
    "Consumer",
    "Contract",
    "CumulativeSeries",
    "Device",
    "DeviceCommand",
    "DeviceEvent",
    "DeviceNotice",
    "DeviceSaid",
    "DropJob",
    "FloatArray",
    "Follow",
    "Followed",
    "Forecasted",
    "GatewayConsumer",
    "GatewayProducer",
    "GatewaySettings",
    "Happened",
    "House",
    "Job",
    "JobAsked",
    "JobExecuted",
    "JobRegister",
    "JobState",
    "JobTakenBack",
    "JobWithdrawn",
    "Join",
    "Leave",
    "LedgerEntry",
    "LedgerEvent",
    "Left",
    "LoadProfile",
    "Manager",
    "NegotiationSettings",
    "NewForecast",
    "Outlook",
    "Places",
    "Prediction",
    "Prices",
    "PricesAt",
    "Producer",
    "Production",
    "ProductionMeasured",
    "Promise",
    "Question",
    "Ranking",
    "Rejected",
    "Reported",
    "Run",
    "SettingsError",
    "Share",
    "SharedConsumer",
    "SharedGatewayConsumer",
    "SharedGatewayProducer",
    "SharedManager",
    "SharedProducer",
    "Starts",
    "Waiting",
    "addition_problem",
    "can_run_in_sequence",
    "consumer_agent",
    "covers",
    "known_rankings",
    "largest_sequence",
    "ledger_sha256",
    "load_mwh",
    "load_plugin",
    "one_blas_thread",
    "open_starts",
    "packed",
    "produced_mwh",
    "shares_of",
    "supplier_of",
    "unpacked",
]
