"""The domain: energy, jobs, contracts, and the agents that negotiate them.

Linear algebra is left to one thread, which has to be said before NumPy or SciPy is loaded, so it is said here: sums
that several threads share out depend on how many cores there are, and with them could a plan. It is quicker, too:
the matrices of a decision are so small that sharing them out takes ten times as long as working them off.
"""

import os

for _variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ.setdefault(_variable, "1")

from agents.consumer import Consumer
from agents.energy import CumulativeSeries, FloatArray, LoadProfile, Outlook, Prediction, Production
from agents.errors import SettingsError
from agents.ledger import LedgerEntry, LedgerEvent, ledger_sha256
from agents.manager import Manager
from agents.messages import MESSAGES
from agents.model import GRID, MANAGER, TOGETHER, Contract, Device, House, Job
from agents.producer import Producer
from agents.scores import NEW_PRODUCER
from agents.sequencing import Busy, Run, Starts, can_run_in_sequence, covers, largest_sequence, open_starts

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
    "can_run_in_sequence",
    "covers",
    "largest_sequence",
    "ledger_sha256",
    "open_starts",
]
