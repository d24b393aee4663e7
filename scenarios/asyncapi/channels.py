"""The topics of a run and their messages: one entry per topic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agents import MESSAGES, LedgerEntry, Prediction
from broker.protocol import Announcement, Batch, Control, Done, Grant, ResendRequest, Roster, TimeReport, Wake
from scenarios.lab import JobNotice


@dataclass(frozen=True, slots=True)
class Channel:
    """A topic under `ssmic/{run}`."""

    name: str
    """Name of the channel and its message."""
    topic: str
    """Below the run; variable levels in braces."""
    model: Any
    """The pydantic model of the payload; `str`: plain text; `dict`: an object that its document describes."""
    sender: str
    receiver: str
    qos: int
    about: str
    retain: bool = False


PARAMETERS = {
    "run": "Id of the run",
    "host": "Id of a host: of a household, or `manager`",
    "fromHost": "Id of the host that sends; `clock` on `resend`",
    "producer": "Id of a producer",
    "contract": "Id of a contract",
    "house": "Id of a house",
    "device": "Id of a device",
    "job": "Id of a job",
}
"""Variable levels of topics; ids are percent-encoded."""

CHANNELS: tuple[Channel, ...] = (
    Channel("roster", "roster", Roster, "clock", "hosts", 1, "Which agent lives on which host.", retain=True),
    Channel("time", "time", TimeReport, "clock or lab", "anyone", 0, "Virtual time, pace, lag and state.", retain=True),
    Channel("control", "control", Control, "anyone", "clock or lab", 1, "A person's command."),
    Channel("announcement", "hosts/{host}", Announcement, "host", "clock", 1, "A host is there, or gone.", retain=True),
    Channel("grants", "grants", Grant, "clock", "hosts", 0, "Permission for many hosts to run one round."),
    Channel("grant", "grant/{host}", Grant, "clock", "host", 0, "Permission for one host to run one round."),
    Channel("done", "done/{host}", Done, "host", "clock", 0, "A host has run its round."),
    Channel("wake", "wake/{host}", Wake, "host", "clock", 0, "Something from outside waits to enter the run."),
    Channel("batch", "inbox/{host}/{fromHost}", Batch, "host", "host", 0, "A round's messages from host to host."),
    Channel("local", "local/{host}", Batch, "host", "anyone", 0, "What agents of one host say to each other."),
    Channel("resend", "resend/{host}/{fromHost}", ResendRequest, "host", "host", 0, "A request to send a step again."),
    Channel(
        "ledgerEntry",
        "ledger/{contract}",
        LedgerEntry,
        "manager's host",
        "anyone",
        1,
        "A contract and its history.",
        retain=True,
    ),
    Channel(
        "forecast",
        "forecast/{host}/{producer}",
        Prediction,
        "host",
        "anyone",
        1,
        "A producer's newest forecast.",
        retain=True,
    ),
    Channel(
        "labJob",
        "lab/jobs/{house}/{device}/{job}",
        JobNotice,
        "lab",
        "controller",
        1,
        "A job to be done, in a lab.",
        retain=True,
    ),
    Channel("labFaketime", "lab/faketime", str, "lab", "controller", 0, "The argument of `faketime -f`."),
)

_OF_DEVICES: tuple[tuple[str, str, Any, bool, str], ...] = (
    ("announce", "device", dict, True, "What a device is; empty: it is gone for good."),
    ("availability", "device", str, True, "`online` or `offline`, also as last will."),
    ("request", "device", dict, False, "A job is asked for."),
    ("withdraw", "device", dict, False, "A job is withdrawn."),
    ("report", "device", dict, False, "State and measured power."),
    ("forecast", "device", dict, True, "Expected production."),
    ("job", "gateway", dict, True, "The job that changed last."),
    ("set", "gateway", dict, False, "A command."),
    ("error", "gateway", dict, False, "What was wrong with a message, and what was expected."),
    ("state", "gateway", dict, True, "The device as its gateway sees it."),
)
"""Last level, sender, model, whether it is retained, and meaning."""

DEVICE_CHANNELS = tuple(
    Channel(
        f"device{part.capitalize()}",
        f"devices/{{device}}/{part}",
        model,
        sender,
        "gateway" if sender == "device" else "device",
        1,
        f"{about} See docs/devices.md.",
        retain=retain,
    )
    for part, sender, model, retain, about in _OF_DEVICES
)

AGENT_MESSAGES: Any = MESSAGES
"""Validates the body of a message between agents."""
