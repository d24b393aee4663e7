from .adapters import (
    adapters_of as adapters_of,
    languages_of as languages_of,
)
from .device_access import (
    device_access_of as device_access_of,
)
from .device_places import (
    GUEST as GUEST,
    guest_devices as guest_devices,
    guest_gateway as guest_gateway,
    is_guest_producer as is_guest_producer,
    nothing_yet as nothing_yet,
    with_guests as with_guests,
)
from .device_port import (
    RecordedDeviceMessage as RecordedDeviceMessage,
    ReplayPort as ReplayPort,
)
from .link import (
    DeviceLink as DeviceLink,
)
from .lost_guests import (
    answering_lost_guests as answering_lost_guests,
)
from .notices import (
    DeviceJob as DeviceJob,
    DeviceState as DeviceState,
    ErrorPayload as ErrorPayload,
    JobPayload as JobPayload,
    S2Envelope as S2Envelope,
    SetPayload as SetPayload,
    StatePayload as StatePayload,
)
from .payloads import (
    AnnouncePayload as AnnouncePayload,
    ForecastPayload as ForecastPayload,
    ReportPayload as ReportPayload,
    RequestPayload as RequestPayload,
    WithdrawPayload as WithdrawPayload,
)
from .scan import (
    FoundDevice as FoundDevice,
    entries_of as entries_of,
    scan_broker as scan_broker,
)
from .switch_claims import (
    Claim as Claim,
)

__all__ = [
    "GUEST",
    "AnnouncePayload",
    "Claim",
    "DeviceJob",
    "DeviceLink",
    "DeviceState",
    "ErrorPayload",
    "ForecastPayload",
    "FoundDevice",
    "JobPayload",
    "RecordedDeviceMessage",
    "ReplayPort",
    "ReportPayload",
    "RequestPayload",
    "S2Envelope",
    "SetPayload",
    "StatePayload",
    "WithdrawPayload",
    "adapters_of",
    "answering_lost_guests",
    "device_access_of",
    "entries_of",
    "guest_devices",
    "guest_gateway",
    "is_guest_producer",
    "languages_of",
    "nothing_yet",
    "scan_broker",
    "with_guests",
]
