from .controller import (
    ControllerError as ControllerError,
    how_it_ended as how_it_ended,
    run_controller as run_controller,
)
from .emulated_devices import (
    DeviceKinds as DeviceKinds,
    EmulatedDevices as EmulatedDevices,
    LabKindError as LabKindError,
)
from .lab import (
    JobNotice as JobNotice,
    Lab as Lab,
    LabSettings as LabSettings,
)
from .lab_broker import (
    BrokerNotOursError as BrokerNotOursError,
    open_lab_broker as open_lab_broker,
)
from .lab_claims import (
    LabClaim as LabClaim,
    LabTakenError as LabTakenError,
)
from .outcome import (
    lab_figures as lab_figures,
    write_results as write_results,
)
from .verdict import (
    SHARE as SHARE,
    Case as Case,
    ExpectationError as ExpectationError,
    FigureExpectation as FigureExpectation,
    cases_of as cases_of,
    write_junit as write_junit,
)

__all__ = [
    "SHARE",
    "BrokerNotOursError",
    "Case",
    "ControllerError",
    "DeviceKinds",
    "EmulatedDevices",
    "ExpectationError",
    "FigureExpectation",
    "JobNotice",
    "Lab",
    "LabClaim",
    "LabKindError",
    "LabSettings",
    "LabTakenError",
    "cases_of",
    "how_it_ended",
    "lab_figures",
    "open_lab_broker",
    "run_controller",
    "write_junit",
    "write_results",
]
