"""An AsyncAPI 3 document of all MQTT messages, generated from the topics and the models that validate them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from pydantic import BaseModel, TypeAdapter

from agents import MESSAGES, LedgerEntry, Prediction
from broker.protocol import Announcement, Batch, Control, Done, Grant, ResendRequest, Roster, TimeReport, Wake
from scenarios.devices import (
    AnnouncePayload,
    Claim,
    ErrorPayload,
    ForecastPayload,
    JobPayload,
    ReportPayload,
    RequestPayload,
    S2Envelope,
    SetPayload,
    StatePayload,
    WithdrawPayload,
)
from scenarios.lab import JobNotice, LabClaim

ASYNCAPI = "3.0.0"
"""Version of the AsyncAPI specification."""
_REFERENCES = "#/components/schemas/{model}"
_MQTT_BINDING = "0.2.0"
_LIMITS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_PLAIN: dict[Any, dict[str, Any]] = {str: {"type": "string"}, dict: {"type": "object"}}


@dataclass(frozen=True, slots=True)
class ApiChannel:
    """A topic, mostly under `ssmic/{run}`."""

    name: str
    """Name of the channel and its message."""
    topic: str
    """Below `root`; variable levels in braces."""
    model: Any
    """The pydantic model of the payload; `str`: plain text; `dict`: an object that its document describes."""
    sender: str
    """Who publishes on it, in words."""
    receiver: str
    """Who reads it, in words."""
    qos: int
    about: str
    """What its messages say, for the document."""
    retain: bool = False
    """Whether its messages are retained."""
    is_s2_too: bool = False
    """Whether the payload may be a message of S2 instead."""
    root: str = "ssmic/{run}"
    """First levels."""

    @property
    def address(self) -> str:
        """The whole topic."""
        return f"{self.root}/{self.topic}"


PARAMETERS = {
    "run": "Id of the run",
    "host": "Id of a host: of a household, or `manager`",
    "fromHost": "Id of the host that sends; `clock` on `resend`",
    "producer": "Id of a producer",
    "contract": "Id of a contract",
    "house": "Id of a house",
    "device": "Id of a device",
    "job": "Id of a job",
    "switch": "Id of the switch in front of a device: the adapter's name and the switch's own topic",
    "process": "Random name of a process",
    "agent": "Id of an agent",
    "command": "`ready_by`, `start` or `withdraw`",
    "entities": "Id of a device in Home Assistant",
}
"""Variable levels of topics; ids are percent-encoded."""

CHANNELS: tuple[ApiChannel, ...] = (
    ApiChannel("roster", "roster", Roster, "clock", "hosts", 1, "Which agent lives on which host.", retain=True),
    ApiChannel(
        "time", "time", TimeReport, "clock or lab", "anyone", 0, "Virtual time, pace, lag and state.", retain=True
    ),
    ApiChannel("control", "control", Control, "anyone", "clock or lab", 1, "A person's command."),
    ApiChannel(
        "announcement", "hosts/{host}", Announcement, "host", "clock", 1, "A host is present, or gone.", retain=True
    ),
    ApiChannel("grants", "grants", Grant, "clock", "hosts", 0, "Permission for many hosts to run one round."),
    ApiChannel("grant", "grant/{host}", Grant, "clock", "host", 0, "Permission for one host to run one round."),
    ApiChannel("done", "done/{host}", Done, "host", "clock", 0, "A host has run its round."),
    ApiChannel("wake", "wake/{host}", Wake, "host", "clock", 0, "Input from outside the run is waiting."),
    ApiChannel("batch", "inbox/{host}/{fromHost}", Batch, "host", "host", 0, "A round's messages from host to host."),
    ApiChannel("local", "local/{host}", Batch, "host", "anyone", 0, "Messages between agents of one host."),
    ApiChannel("resend", "resend/{host}/{fromHost}", ResendRequest, "host", "host", 0, "A request to resend a step."),
    ApiChannel(
        "ledgerEntry",
        "ledger/{contract}",
        LedgerEntry,
        "manager's host",
        "anyone",
        1,
        "A contract and its history.",
        retain=True,
    ),
    ApiChannel(
        "forecast",
        "forecast/{host}/{producer}",
        Prediction,
        "host",
        "anyone",
        1,
        "A producer's newest forecast.",
        retain=True,
    ),
    ApiChannel(
        "claim",
        "claims/{switch}",
        Claim,
        "host",
        "hosts of other runs",
        1,
        "A run commands a switch, or asks which run does.",
        retain=True,
    ),
    ApiChannel(
        "labJob",
        "lab/jobs/{house}/{device}/{job}",
        JobNotice,
        "lab",
        "controller",
        1,
        "A job to be done, in a lab.",
        retain=True,
    ),
    ApiChannel(
        "labClaim",
        "lab/claims/{process}",
        LabClaim,
        "lab",
        "other labs",
        1,
        "The devices that a lab emulates; with `asks`, other labs repeat theirs.",
        retain=True,
    ),
    ApiChannel("labFaketime", "lab/faketime", str, "lab", "controller", 0, "The argument of `faketime -f`."),
)

_OF_DEVICES: tuple[tuple[str, str, Any, bool, str], ...] = (
    ("announce", "device", AnnouncePayload, True, "Description of a device; empty: it has left for good."),
    ("availability", "device", str, True, "`online` or `offline`, also as last will."),
    ("request", "device", RequestPayload, False, "A job is requested."),
    ("withdraw", "device", WithdrawPayload, False, "A job is withdrawn."),
    ("report", "device", ReportPayload, False, "State and measured power."),
    ("forecast", "device", ForecastPayload, True, "Expected production."),
    ("job", "gateway", JobPayload, True, "The job that changed last."),
    ("set", "gateway", SetPayload, False, "A command."),
    ("error", "gateway", ErrorPayload, False, "What was wrong with a message, and what was expected."),
    ("state", "gateway", StatePayload, True, "The device as its gateway sees it."),
)
"""Last level, sender, model, whether it is retained, and meaning."""
_ALSO_IN_S2 = frozenset({"announce", "request", "withdraw", "report", "forecast", "set"})
"""Last levels of topics on which a device may use S2."""

DEVICE_CHANNELS = tuple(
    ApiChannel(
        f"device{part.capitalize()}",
        f"devices/{{device}}/{part}",
        model,
        sender,
        "gateway" if sender == "device" else "device",
        1,
        f"{about} See docs/devices.md.",
        retain=retain,
        is_s2_too=part in _ALSO_IN_S2,
    )
    for part, sender, model, retain, about in _OF_DEVICES
)

_HA = "Home Assistant"
_SEE_HA = "See docs/home-assistant.md."
HOME_ASSISTANT_CHANNELS = (
    ApiChannel(
        "haConfig",
        "device/{entities}/config",
        dict,
        "clock",
        _HA,
        1,
        f"Discovery of an agent, or of the run, in Home Assistant's own format; empty: it is gone. {_SEE_HA}",
        retain=True,
        root="homeassistant",
    ),
    ApiChannel("haStatus", "ha/status", str, "clock", _HA, 1, f"`online`, or `offline`. {_SEE_HA}", retain=True),
    ApiChannel("haRun", "ha/state", dict, "clock", _HA, 1, f"States of the run's entities. {_SEE_HA}", retain=True),
    ApiChannel(
        "haAgent", "ha/{agent}/state", dict, "clock", _HA, 1, f"States of an agent's entities. {_SEE_HA}", retain=True
    ),
    ApiChannel(
        "haCommand",
        "ha/{agent}/{command}/set",
        str,
        _HA,
        "clock",
        1,
        f"What a person enters or presses: `ready_by`, `start` or `withdraw`. {_SEE_HA}",
    ),
)

AGENT_MESSAGES: Any = MESSAGES
"""Validates the body of a message between agents."""


def asyncapi_document() -> dict[str, Any]:
    """Return the document, as JSON values."""
    every = (*CHANNELS, *DEVICE_CHANNELS, *HOME_ASSISTANT_CHANNELS)
    schemas: dict[str, Any] = {}
    schemas[S2Envelope.__name__] = _schema(S2Envelope, schemas)
    for channel in every:
        if channel.model not in _PLAIN:
            schemas[channel.model.__name__] = _schema(channel.model, schemas)
    body = _with_components(AGENT_MESSAGES.json_schema(ref_template=_REFERENCES), schemas)
    schemas["AgentMessage"] = {"title": "AgentMessage", **body}
    schemas["SentMessage"]["properties"]["body"] = {"$ref": _REFERENCES.format(model="AgentMessage")}
    return {
        "asyncapi": ASYNCAPI,
        "info": {
            "title": "ssmic",
            "version": _version(),
            "description": "All messages over MQTT in an energy-smart neighbourhood. Payloads are JSON in "
            "UTF-8; times are UNIX seconds of virtual time, energy is in Wh. See docs/protocol.md.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "broker": {
                "host": "{host}:{port}",
                "protocol": "mqtt",
                "protocolVersion": "3.1.1",
                "description": "Any MQTT broker; mqtts where it has certificates.",
                "variables": {"host": {"default": "127.0.0.1"}, "port": {"default": "1883"}},
            }
        },
        "channels": {channel.name: _channel(channel) for channel in every},
        "operations": {name: operation for channel in every for name, operation in _operations(channel).items()},
        "components": {
            "schemas": schemas,
            "messages": {channel.name: _message(channel) for channel in every},
        },
    }


def _version() -> str:
    try:
        return metadata.version("ssmic")
    except metadata.PackageNotFoundError:
        return "0"


def _channel(channel: ApiChannel) -> dict[str, Any]:
    levels = re.findall(r"\{(\w+)\}", channel.address)
    return {
        "address": channel.address,
        "description": channel.about,
        "parameters": {level: {"description": f"{PARAMETERS[level]}; percent-encoded."} for level in levels},
        "messages": {channel.name: {"$ref": f"#/components/messages/{channel.name}"}},
    }


def _operations(channel: ApiChannel) -> dict[str, Any]:
    """Return the two sides of a channel: who sends, and who receives."""
    title = channel.name[:1].upper() + channel.name[1:]

    def operation(action: str, who: str) -> dict[str, Any]:
        return {
            "action": action,
            "channel": {"$ref": f"#/channels/{channel.name}"},
            "summary": f"{who}: {channel.about}",
            "messages": [{"$ref": f"#/channels/{channel.name}/messages/{channel.name}"}],
            "bindings": {"mqtt": {"qos": channel.qos, "retain": channel.retain, "bindingVersion": _MQTT_BINDING}},
        }

    return {
        f"send{title}": operation("send", channel.sender),
        f"receive{title}": operation("receive", channel.receiver),
    }


def _message(channel: ApiChannel) -> dict[str, Any]:
    is_text = channel.model is str
    payload = _PLAIN.get(channel.model) or {"$ref": _REFERENCES.format(model=channel.model.__name__)}
    if channel.is_s2_too:
        payload = {"anyOf": [payload, {"$ref": _REFERENCES.format(model=S2Envelope.__name__)}]}
    return {
        "name": channel.name,
        "title": channel.about.rstrip("."),
        "contentType": "text/plain" if is_text else "application/json",
        "payload": payload,
    }


def _schema(model: type[BaseModel], schemas: dict[str, Any]) -> dict[str, Any]:
    return _with_components(TypeAdapter(model).json_schema(ref_template=_REFERENCES), schemas)


def _with_components(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """Move the definitions of a schema to the document's components, and return the rest."""
    for name, definition in schema.pop("$defs", {}).items():
        schemas[name] = _cleaned(definition)
    cleaned: dict[str, Any] = _cleaned(schema)
    return cleaned


def _keyword(key: str, value: object) -> str:
    """Return the keyword of a schema; pydantic keeps its own for the limits of what a validator reads first."""
    return _LIMITS.get(key, key) if isinstance(value, int | float) else key


def _cleaned(node: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a schema with discriminators as AsyncAPI has them: the name of a property."""
    if isinstance(node, list):
        return [_cleaned(item) for item in node]
    if not isinstance(node, dict):
        return node
    cleaned = {_keyword(key, value): _cleaned(value) for key, value in node.items()}
    discriminator = cleaned.get("discriminator")
    if isinstance(discriminator, dict) and "propertyName" in discriminator:
        cleaned["discriminator"] = discriminator["propertyName"]
    if "prefixItems" in cleaned:
        # AsyncAPI's schemas are of draft 7, where a tuple's items are a list.
        cleaned["items"] = cleaned.pop("prefixItems")
        cleaned["additionalItems"] = False
    return cleaned
