"""Which messages between agents a results file keeps: all, those that contracts are made of, or none.

What figures are read from is always kept: events of the timeline, and what real devices said and did.
"""

from __future__ import annotations

from typing import Final, Literal

from scenarios.realised_scenario import KINDS

KeptMessages = Literal["all", "contracts", "none"]
ABOUT_KEPT: Final = {
    "all": "all messages",
    "contracts": "only those that contracts are made of: promises and reports to the manager",
    "none": "no messages, only contracts, events and figures; fastest",
}
"""One-sentence descriptions."""
_FIGURES = frozenset({"Happened", "DeviceSaid"}) | frozenset(KINDS)
_CONTRACTS = _FIGURES | {
    "Promised",
    "PromiseWithdrawn",
    "PromiseVoid",
    "ContractAgreed",
    "ContractAmended",
    "ContractCancelled",
    "ContractVoid",
    "SharePromised",
    "ShareVoid",
    "SharesAmended",
}


def is_kept(kind: str, kept: KeptMessages) -> bool:
    """Return whether a results file keeps messages of a kind.

    Args:
        kind: The kind.
        kept: The messages that the file keeps.
    """
    return kept == "all" or kind in (_CONTRACTS if kept == "contracts" else _FIGURES)
