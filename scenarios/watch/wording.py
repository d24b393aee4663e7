"""What an agent's message says, in a few words a person reads at a glance."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from scenarios.watch.negotiation import NOBODY

Body = dict[str, Any]


def clock_time(time_s: int) -> str:
    """Return hours and minutes, UTC; seconds where there are any."""
    moment = datetime.fromtimestamp(time_s, UTC)
    return moment.strftime("%H:%M:%S" if moment.second else "%H:%M")


def _whom(body: Body) -> str:
    asked = len(body["asked"])
    return f"whom else can I ask? {asked} asked already" if asked else "whom can I ask?"


def _request(body: Body) -> str:
    job = body["job"]
    wh = job["load_profile"]["cumulative_wh"]
    window = f"{clock_time(job['earliest_start_s'])}-{clock_time(job['latest_start_s'])}"
    return f"{energy(wh[-1] - wh[0])} with a start {window}?"


def _agreed(body: Body) -> str:
    contract = body["contract"]
    return f"{energy(contract['energy_wh'])} from {contract['producer']} at {clock_time(contract['start_s'])}"


_WORDING: dict[str, Callable[[Body], str]] = {
    "ProducerJoined": lambda body: f"{body['producer']} takes requests from now on",
    "ProducersFor": _whom,
    "Producers": lambda body: ", ".join(body["producers"]) or NOBODY,
    "Request": _request,
    "Accept": lambda body: f"yes, from {clock_time(body['start_s'])}",
    "Decline": lambda body: f"no: {body['reason']}",
    "Withdraw": lambda _: "needs nothing any more",
    "Opening": lambda _: "ask again, it would fit now",
    "Amend": lambda body: f"moved to {clock_time(body['start_s'])}",
    "Cancel": lambda body: f"cannot keep it: {body['reason']}",
    "ContractAgreed": _agreed,
    "ContractAmended": lambda body: f"starts at {clock_time(body['start_s'])} now",
    "ContractCancelled": lambda body: f"does not stand any more: {body['reason']}",
    "Declined": lambda body: f"{body['producer']} declined",
}

KINDS = tuple(_WORDING)
"""Of messages, as `agents.messages` has them."""


def say(kind: str, body: Body) -> tuple[str, str]:
    """Return the id of the job that a message is about (empty: none), and what it says.

    Raises:
        KeyError, TypeError, ValueError, OverflowError, OSError: it is no message of ours.
    """
    return _job_of(kind, body), _WORDING[kind](body)


def _job_of(kind: str, body: Body) -> str:
    match kind:
        case "Request":
            return str(body["job"]["job_id"])
        case "ContractAgreed":
            return str(body["contract"]["job_id"])
        case "ContractAmended" | "ContractCancelled":
            return str(body["contract_id"]).rpartition("/")[0]
        case "ProducerJoined":
            return ""
    return str(body["job_id"])


def energy(wh: float) -> str:
    """Return an energy in Wh or kWh, three digits."""
    return f"{wh:.0f} Wh" if abs(wh) < 1000 else f"{wh / 1000:.2f} kWh"
