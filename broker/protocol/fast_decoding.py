"""Reads the payloads that arrive most often, grants and batches, without building their models: twice as fast.

They are validated by the same rules as the models, with the same errors. A host reads only its own part of a grant.
"""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from broker.errors import MalformedError
from broker.protocol.bounds import MAX_MEMBERS, AgentIds, Count, Counts, Session, Time, Version
from broker.protocol.envelope import Envelope, envelopes_in
from broker.protocol.rejections import decoded, first_problem
from broker.protocol.wire import Batch, Grant, Phase, Rounds


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
