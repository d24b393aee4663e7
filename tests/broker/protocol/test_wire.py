"""What travels: it comes in as it went out, and what is not quite right does not come in."""

from __future__ import annotations

import builtins
import json
import typing
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from annotated_types import Ge, Gt, Lt
from hypothesis import given, strategies as st
from pydantic import BaseModel, ValidationError

from broker.protocol import wire

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
WHOLE = st.integers(-(2**53), 2**53)
JSON = st.recursive(
    st.none() | st.booleans() | WHOLE | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
PLAIN: dict[object, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: WHOLE,
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    NoneType: st.none(),
    Any: JSON,
}


def whole_within(constraints: tuple[Any, ...]) -> st.SearchStrategy[int]:
    """Return the whole numbers that the `Field` constraints of a type allow."""
    low, high = -(2**53), 2**53
    for constraint in constraints:
        for bound in constraint.metadata:
            match bound:
                case Ge(ge=int() as least):
                    low = max(low, least)
                case Gt(gt=int() as below):
                    low = max(low, below + 1)
                case Lt(lt=int() as above):
                    high = min(high, above - 1)
                case _:
                    pytest.fail(f"this test does not know the constraint {bound}")
    return st.integers(low, high)


def values_of(annotation: Any) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - a table of cases
    """Return what a field of this type may hold; new models and fields are tried without a word here."""
    if annotation in PLAIN:
        return PLAIN[annotation]
    arguments = get_args(annotation)
    match get_origin(annotation):
        case None:
            assert issubclass(annotation, BaseModel), annotation
            hints = get_type_hints(annotation, include_extras=True)
            return st.builds(annotation, **{name: values_of(hints[name]) for name in annotation.model_fields})
        case typing.Annotated:
            return whole_within(arguments[1:]) if arguments[0] is int else values_of(arguments[0])
        case typing.Literal:
            return st.sampled_from(arguments)
        case builtins.tuple:
            return st.lists(values_of(arguments[0]), max_size=3).map(tuple)
        case builtins.dict:
            return st.dictionaries(values_of(arguments[0]), values_of(arguments[1]), max_size=3)
        case _:
            return st.one_of([values_of(argument) for argument in arguments])


MODELS = st.one_of([values_of(model) for model in wire.Wire.__subclasses__()])


@given(MODELS)
def test_every_message_comes_in_as_it_went_out(model: wire.Wire) -> None:
    """Equal, and encoded again to the same bytes."""
    payload = model.encoded()
    decoded = type(model).model_validate_json(payload)
    assert decoded == model
    assert decoded.encoded() == payload
    assert json.loads(payload)["v"] == 2


GRANT: dict[str, Any] = {"v": 2, "step": 0, "time": 0, "round": 0, "expected": {"1": 2}}


@pytest.mark.parametrize(
    "change",
    [
        {"v": 1},
        {"step": -1},
        {"round": "x"},
        {"expected": {"1": -2}},
        {"expected": []},
        {"phase": "over"},
        {"unknown": 1},
        {"time": 0.5},
        {"time": None},
    ],
)
def test_what_is_not_quite_right_is_refused(change: dict[str, Any]) -> None:
    """Another version, a negative count, an unknown key: none is guessed at."""
    wire.Grant.model_validate_json(json.dumps(GRANT))
    with pytest.raises(ValidationError):
        wire.Grant.model_validate_json(json.dumps(GRANT | change))


@pytest.mark.parametrize("payload", [b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"v": 2}', b"[" * 100_000])
def test_what_is_no_message_is_refused(payload: bytes) -> None:
    """By one error that a receiver can catch."""
    with pytest.raises(ValidationError):
        wire.Grant.model_validate_json(payload)
