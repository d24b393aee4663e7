"""Makes the AsyncAPI document from the channels and their models."""

from __future__ import annotations

import re
from importlib import metadata
from typing import Any

from pydantic import BaseModel, TypeAdapter

from scenarios.asyncapi.channels import AGENT_MESSAGES, CHANNELS, DEVICE_CHANNELS, PARAMETERS, Channel

ASYNCAPI = "3.0.0"
"""Version of the AsyncAPI specification."""
_REFERENCES = "#/components/schemas/{model}"
_MQTT_BINDING = "0.2.0"
_PLAIN: dict[Any, dict[str, Any]] = {str: {"type": "string"}, dict: {"type": "object"}}


def asyncapi_document() -> dict[str, Any]:
    """Return the document, as JSON values."""
    every = (*CHANNELS, *DEVICE_CHANNELS)
    schemas: dict[str, Any] = {}
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
            "description": "Everything that is said over MQTT in an energy-smart neighbourhood. Payloads are JSON in "
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


def _channel(channel: Channel) -> dict[str, Any]:
    levels = re.findall(r"\{(\w+)\}", f"ssmic/{{run}}/{channel.topic}")
    return {
        "address": f"ssmic/{{run}}/{channel.topic}",
        "description": channel.about,
        "parameters": {level: {"description": f"{PARAMETERS[level]}; percent-encoded."} for level in levels},
        "messages": {channel.name: {"$ref": f"#/components/messages/{channel.name}"}},
    }


def _operations(channel: Channel) -> dict[str, Any]:
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


def _message(channel: Channel) -> dict[str, Any]:
    is_text = channel.model is str
    payload = _PLAIN.get(channel.model) or {"$ref": _REFERENCES.format(model=channel.model.__name__)}
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


def _cleaned(node: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a schema with discriminators as AsyncAPI has them: the name of a property."""
    if isinstance(node, list):
        return [_cleaned(item) for item in node]
    if not isinstance(node, dict):
        return node
    cleaned = {key: _cleaned(value) for key, value in node.items()}
    discriminator = cleaned.get("discriminator")
    if isinstance(discriminator, dict) and "propertyName" in discriminator:
        cleaned["discriminator"] = discriminator["propertyName"]
    if "prefixItems" in cleaned:
        # AsyncAPI's schemas are of draft 7, where a tuple's items are a list.
        cleaned["items"] = cleaned.pop("prefixItems")
        cleaned["additionalItems"] = False
    return cleaned
