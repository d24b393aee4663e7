from .ledger_entries import (
    LedgerEntry as LedgerEntry,
    LedgerEvent as LedgerEvent,
    canonical_bytes as canonical_bytes,
    continued as continued,
    ledger_sha256 as ledger_sha256,
)
from .manager import (
    Manager as Manager,
    Party as Party,
)
from .unconfirmed_statements import (
    MAX_UNCONFIRMED as MAX_UNCONFIRMED,
    UnconfirmedStatements as UnconfirmedStatements,
)

__all__ = [
    "MAX_UNCONFIRMED",
    "LedgerEntry",
    "LedgerEvent",
    "Manager",
    "Party",
    "UnconfirmedStatements",
    "canonical_bytes",
    "continued",
    "ledger_sha256",
]
