"""The domain: energy, jobs, contracts, and the agents that negotiate them."""

from agents.consumer import Consumer
from agents.energy import CumulativeSeries, FloatArray, LoadProfile, Outlook, Prediction, Production
from agents.errors import SettingsError
from agents.ledger import LedgerEntry, LedgerEvent, ledger_sha256
from agents.linear_algebra import one_blas_thread
from agents.manager import Manager
from agents.messages import MESSAGES
from agents.model import GRID, MANAGER, TOGETHER, Contract, Device, House, Job
from agents.producer import Producer
from agents.scores import NEW_PRODUCER
from agents.sequencing import Busy, Run, Starts, can_follow, covers, open_starts, that_follow

__all__ = [
    "GRID",
    "MANAGER",
    "MESSAGES",
    "NEW_PRODUCER",
    "TOGETHER",
    "Busy",
    "Consumer",
    "Contract",
    "CumulativeSeries",
    "Device",
    "FloatArray",
    "House",
    "Job",
    "LedgerEntry",
    "LedgerEvent",
    "LoadProfile",
    "Manager",
    "Outlook",
    "Prediction",
    "Producer",
    "Production",
    "Run",
    "SettingsError",
    "Starts",
    "can_follow",
    "covers",
    "ledger_sha256",
    "one_blas_thread",
    "open_starts",
    "that_follow",
]
