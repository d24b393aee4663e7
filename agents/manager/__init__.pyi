from .ledger import (
    Ledger as Ledger,
    LedgerEntry as LedgerEntry,
    LedgerEvent as LedgerEvent,
    ledger_sha256 as ledger_sha256,
)
from .manager import (
    JoinedProducers as JoinedProducers,
    MakeManagerSupply as MakeManagerSupply,
    Manager as Manager,
    ManagerSupply as ManagerSupply,
)
from .unconfirmed_statements import (
    Unconfirmed as Unconfirmed,
    UnconfirmedStatements as UnconfirmedStatements,
)

__all__ = [
    "JoinedProducers",
    "Ledger",
    "LedgerEntry",
    "LedgerEvent",
    "MakeManagerSupply",
    "Manager",
    "ManagerSupply",
    "Unconfirmed",
    "UnconfirmedStatements",
    "ledger_sha256",
]
