"""Reads payloads: the only way from the network into the models; an invalid payload gets a one-line problem.

The payloads that arrive most often, grants and batches, are read without building their models, twice as fast. They are
validated by the same rules as the models, with the same errors. A host reads only its own part of a grant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, NotRequired, TypeVar

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from broker.errors import MalformedError
from broker.protocol.bounds import (
    MAX_MEMBERS,
    MAX_PAYLOAD_BYTES,
    AgentIds,
    Count,
    Counts,
    Session,
    Time,
    Version,
    clipped,
)
from broker.protocol.envelope import Envelope, envelopes_in
from broker.protocol.wire import Batch, Grant, Phase, Rounds, shortened

ModelT = TypeVar("ModelT", bound=BaseModel)
ContentT = TypeVar("ContentT")

_VERSIONS = 1_000
"""No release will have a version of the protocol as high as this one."""
_SAME_RELEASE = "install the same release everywhere"


def first_problem(error: Exception) -> str:
    """Return a one-line description of a message's first problem; keys that the sender chose are shortened."""
    if isinstance(error, ValidationError):
        problems = error.errors(include_url=False, include_context=False)
        first = problems[0]
        for problem in problems:
            if problem["loc"] == ("v",) and problem["type"] == "literal_error":
                # Other fields may be unknown or missing for the same reason.
                expected = problem["msg"].removeprefix("Input should be ")
                found = problem["input"]
                version = str(found) if type(found) is int and 0 <= found < _VERSIONS else "unknown"
                return f"is of version {version} of the protocol, and this release has {expected}: {_SAME_RELEASE}"
        place = ".".join(shortened(str(part)) for part in first["loc"])
        count = error.error_count()
        others = f"{count} problems, the first: " if count > 1 else ""
        return clipped(first["msg"] if not place else f"{others}{place}: {first['msg']}")
    return clipped(str(error))


def decode(model: type[ModelT], payload: bytes) -> ModelT:
    """Return the content of a payload: the only way from the network into the models.

    Args:
        model: The expected model.
        payload: As it was received.

    Raises:
        MalformedError: It is something else, or a value is out of range.
    """
    content: ModelT = decoded(model.__pydantic_validator__.validate_json, payload)
    return content


def decoded(read: Callable[[bytes], ContentT], payload: bytes) -> ContentT:
    """Return a payload as `read` parses it; see `decode`.

    Raises:
        MalformedError: `read` refuses it.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise too_large(len(payload))
    try:
        return read(payload)
    except Exception as error:  # noqa: BLE001 - parsing has no effects: whatever it raises is due to the payload
        raise MalformedError(first_problem(error)) from None


def too_large(size_bytes: int) -> MalformedError:
    """Return the error for a payload above the limit."""
    return MalformedError(f"a payload of {size_bytes} bytes is too large: at most {MAX_PAYLOAD_BYTES}")


@with_config(Batch.model_config)
class _ReadBatch(TypedDict):
    v: NotRequired[Version]
    session: Session
    rounds: Rounds


@with_config(Grant.model_config)
class ReadGrant(TypedDict):
    """A `Grant` as one host reads it."""

    v: NotRequired[Version]
    step: Count
    time: Time
    round: Count
    expected: Annotated[dict[str, Any], Field(max_length=MAX_MEMBERS)]
    """Validated for the host only."""
    lost: NotRequired[AgentIds]
    phase: NotRequired[Phase]
    lapse: NotRequired[bool]
    alone: NotRequired[bool]


_BATCH: TypeAdapter[_ReadBatch] = TypeAdapter(_ReadBatch)
_GRANT: TypeAdapter[ReadGrant] = TypeAdapter(ReadGrant)
_COUNTS: TypeAdapter[dict[str, int]] = TypeAdapter(Counts)
_validate_batch, _validate_grant = _BATCH.validator.validate_json, _GRANT.validator.validate_json
_validate_counts = _COUNTS.validator.validate_python


def decode_batch(payload: bytes) -> tuple[Envelope, ...]:
    """Return the messages of a batch from another process, in its order.

    Raises:
        MalformedError: It is something else, or a value is out of range.
    """
    batch = decoded(_validate_batch, payload)
    return envelopes_in(batch["session"], batch["rounds"])


def decode_grant(payload: bytes, host: str) -> ReadGrant | None:
    """Return a grant as a host reads it; None if it does not concern the host.

    Args:
        payload: As it was received.
        host: The host's id.

    Raises:
        MalformedError: It is something else, or a value in the host's part is out of range.
    """
    grant: ReadGrant = decoded(_validate_grant, payload)
    expected = grant["expected"]
    counts = expected.get(host)
    if counts == {}:  # as in most rounds
        return grant
    if host not in expected:
        return None
    try:
        expected[host] = _validate_counts(counts)
    except ValidationError as error:
        raise MalformedError(first_problem(error)) from None
    return grant
