"""The wire format: payloads survive encoding, and faulty ones are rejected."""

from __future__ import annotations

import builtins
import json
import typing
from contextlib import suppress
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
import typing_extensions
from annotated_types import Ge, Gt, Le, Lt
from hypothesis import given, strategies as st
from pydantic import BaseModel, ValidationError

from broker.errors import MalformedError
from broker.identifiers import character_problem
from broker.protocol import VERSION, bounds, decode_batch, decode_grant, envelopes_of, wire
from broker.protocol.decoding import decode

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ID = st.text(
    st.characters(categories=["L", "N", "P", "S"], exclude_characters="\u2800"), min_size=1, max_size=20
).filter(lambda text: character_problem(text) is None)
WHOLE = st.integers(-(2**53) + 1, 2**53 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | WHOLE | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
KIND = st.sampled_from(["Request", "Withdraw", "Ping_2"])
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
                case Le(le=int() as most):
                    high = min(high, most)
                case _:
                    pytest.fail(f"this test does not know the constraint {bound}")
    return st.integers(low, high)


def values_of(annotation: Any) -> st.SearchStrategy[Any]:  # noqa: C901, PLR0911 - a table of cases
    """Return what a field of this type may hold; new models and fields are tried without a word here."""
    if annotation in PLAIN:
        return PLAIN[annotation]
    if annotation == bounds.Body:
        return st.builds(lambda kind, body: {**body, "kind": kind}, KIND, st.dictionaries(TEXT, JSON, max_size=3))
    arguments = get_args(annotation)
    match get_origin(annotation):
        case None if typing_extensions.is_typeddict(annotation):
            hints = get_type_hints(annotation, include_extras=True)
            return st.fixed_dictionaries({name: values_of(hint) for name, hint in hints.items()})
        case None:
            assert issubclass(annotation, BaseModel), annotation
            hints = get_type_hints(annotation, include_extras=True)
            return st.builds(annotation, **{name: values_of(hints[name]) for name in annotation.model_fields})
        case typing.Annotated:
            if arguments[0] is int:
                return whole_within(arguments[1:])
            if annotation == bounds.WallS:
                return st.floats(0, bounds.MAX_TIME_S)
            if get_origin(arguments[0]) is list:
                return st.lists(values_of(get_args(arguments[0])[0]), min_size=1, max_size=3)
            is_id = arguments[0] is str and not isinstance(arguments[1], str) and annotation != wire.Who
            return ID if is_id else values_of(arguments[0])
        case typing.Literal:
            return st.sampled_from(arguments)
        case builtins.tuple:
            return st.lists(values_of(arguments[0]), max_size=3).map(tuple)
        case builtins.dict:
            return st.dictionaries(values_of(arguments[0]), values_of(arguments[1]), max_size=3)
        case _:
            return st.one_of([values_of(argument) for argument in arguments])


MODELS = st.one_of([values_of(model) for model in wire.WirePayload.__subclasses__()])


@given(MODELS)
def test_every_message_comes_in_as_it_went_out(model: wire.WirePayload) -> None:
    """Equal, and encoded again to the same bytes."""
    payload = model.encoded()
    decoded = type(model).model_validate_json(payload)
    assert decoded == model
    assert decoded.encoded() == payload
    assert json.loads(payload)["v"] in {VERSION, model.v}


GRANT: dict[str, Any] = {"v": 6, "step": 0, "time": 0, "round": 0, "expected": {"2": {"1": 2}}}


@pytest.mark.parametrize(
    "change",
    [
        {"v": 1},
        {"v": 2},
        {"step": -1},
        {"round": "x"},
        {"expected": {"2": {"1": -2}}},
        {"expected": {"1": 2}},
        {"expected": []},
        {"phase": "over"},
        {"unknown": 1},
        {"time": 0.5},
        {"time": None},
    ],
)
def test_nearly_valid_payloads_are_refused(change: dict[str, Any]) -> None:
    """Another version, a negative count, an unknown key: none is guessed at."""
    wire.Grant.model_validate_json(json.dumps(GRANT))
    with pytest.raises(ValidationError):
        wire.Grant.model_validate_json(json.dumps(GRANT | change))


@pytest.mark.parametrize("payload", [b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"v": 6}', b"[" * 100_000])
def test_payloads_that_are_not_messages_are_rejected(payload: bytes) -> None:
    """They raise a single error that a receiver can catch."""
    with pytest.raises(ValidationError):
        wire.Grant.model_validate_json(payload)


MESSAGE: dict[str, Any] = {"sender": "a", "seq": 0, "to": "b", "re": None, "body": {"kind": "Ping"}}
ROUND: dict[str, Any] = {"step": 1, "time": 1, "round": 0, "messages": [MESSAGE]}
BATCH: dict[str, Any] = {"v": 6, "session": "s", "rounds": [ROUND]}
DONE: dict[str, Any] = {"v": 6, "session": "s", "step": 1, "time": 1, "round": 0, "sent": {}, "next": 2}
ANNOUNCEMENT: dict[str, Any] = {"v": 6, "host": "a", "session": "s", "agents": ["x"], "state": "there"}
ROSTER: dict[str, Any] = {"v": 6, "hosts": {"a": {"session": "s", "agents": ["x"]}}}


def nested(depth: int) -> dict[str, Any]:
    """Return a mapping nested to a given depth."""
    return {"a": nested(depth - 1)} if depth else {}


def with_message(**fields: Any) -> dict[str, Any]:
    """What changes a batch into one whose message differs in these fields."""
    return {"rounds": [ROUND | {"messages": [MESSAGE | fields]}]}


def in_round(**fields: Any) -> dict[str, Any]:
    """What changes a batch into one whose round differs in these fields."""
    return {"rounds": [ROUND | fields]}


@pytest.mark.parametrize(
    ("model", "payload", "change"),
    [
        (wire.Batch, BATCH, with_message(body={})),
        (wire.Batch, BATCH, with_message(body={"kind": []})),
        (wire.Batch, BATCH, with_message(body={"kind": {}})),
        (wire.Batch, BATCH, with_message(body={"kind": ""})),
        (wire.Batch, BATCH, with_message(body={"kind": "x" * 65})),
        (wire.Batch, BATCH, with_message(body={"kind": "Ping", "x": 2**70})),
        (wire.Batch, BATCH, with_message(body={"kind": "Ping", "x": [1, 2, 10**400]})),
        (wire.Batch, BATCH, with_message(body={"kind": "Ping", "x": [0.5, float("nan")]})),
        (wire.Batch, BATCH, with_message(body={"kind": "Ping", "x": {"y": float("inf")}})),
        (wire.Batch, BATCH, with_message(body={"kind": "Ping", "x": nested(40)})),
        (wire.Batch, BATCH, with_message(seq=2**63)),
        (wire.Batch, BATCH, with_message(seq=2**53)),
        (wire.Batch, BATCH, in_round(time=2**70)),
        (wire.Batch, BATCH, in_round(time=-1)),
        (wire.Batch, BATCH, in_round(step=10**30)),
        (wire.Batch, BATCH, with_message(sender="x" * 10_000)),
        (wire.Batch, BATCH, with_message(to="x\u202ey")),
        (wire.Batch, BATCH, with_message(sender="a\0b")),
        (wire.Batch, BATCH, {"session": "s" * 65}),
        (wire.Batch, BATCH, in_round(messages=[])),
        (wire.Batch, BATCH, {"rounds": []}),
        (wire.Batch, BATCH, {"rounds": [ROUND] * 201}),
        (wire.Batch, BATCH, with_message(unknown=1)),
        (wire.Done, DONE, {"more": 200}),
        (wire.Done, DONE, {"local": -1}),
        (wire.Done, DONE, {"next": 2**39}),
        (wire.Done, DONE, {"next": -(10**30)}),
        (wire.Done, DONE, {"sent": {"a": 2**53}}),
        (wire.Done, DONE, {"sent": {str(n): 1 for n in range(10_001)}}),
        (wire.Done, DONE, {"session": ""}),
        (wire.Done, DONE, {"failure": {"agent": "a", "traceback": "x" * 20_001}}),
        (wire.Announcement, ANNOUNCEMENT, {"session": "s" * 400_000}),
        (wire.Announcement, ANNOUNCEMENT, {"session": "\x1b]0;title"}),
        (wire.Announcement, ANNOUNCEMENT, {"agents": ["9" * 5_000]}),
        (wire.Announcement, ANNOUNCEMENT, {"ran": 2**60}),
        (wire.Announcement, ANNOUNCEMENT, {"setup": "x" * 1_001}),
        (wire.Roster, ROSTER, {"refused": {"s" * 65: {"a": "why"}}}),
        (wire.Roster, ROSTER, {"failed": "x" * 1_001}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_value_out_of_range_is_malformed(
    model: type[wire.WirePayload], payload: dict[str, Any], change: dict[str, Any]
) -> None:
    """The same payload without the change is fine, so the range is what counts; the reason is short and printable."""
    decode(model, json.dumps(payload).encode())
    with pytest.raises(MalformedError) as caught:
        decode(model, json.dumps(payload | change).encode())
    assert len(str(caught.value)) <= 1_000
    assert str(caught.value).isprintable()


@given(st.binary(max_size=200) | MODELS.map(lambda model: model.encoded()))
def test_bytes_become_a_model_or_are_malformed(payload: bytes) -> None:
    """Reading any payload has one of these two outcomes."""
    for model in wire.WirePayload.__subclasses__():
        with suppress(MalformedError):
            assert isinstance(decode(model, payload), model)


def unbounded(schema: dict[str, Any], where: str) -> list[str]:
    """Return the places of a JSON schema at which a value has no range; references are not followed."""
    found: list[str] = []
    if {"const", "enum"} & schema.keys():
        return found
    for key in ("anyOf", "oneOf", "allOf"):
        found += [place for inner in schema.get(key, ()) for place in unbounded(inner, where)]
    needed = {
        "integer": ({"minimum", "exclusiveMinimum"}, {"maximum", "exclusiveMaximum"}),
        "number": ({"minimum"}, {"maximum"}),
        "string": ({"maxLength"},),
        "array": ({"maxItems"},),
    }
    kind = schema.get("type", "")
    found += [f"{where}: {kind}" for any_of in needed.get(kind, ()) if not any_of & schema.keys()]
    inner = {f".{name}": field for name, field in schema.get("properties", {}).items()}
    inner |= {"[]": schema["items"]} if isinstance(schema.get("items"), dict) else {}
    if isinstance(values := schema.get("additionalProperties"), dict):
        inner |= {"{}": values}
        found += [] if "maxProperties" in schema else [f"{where}: mapping"]
    return found + [place for name, field in inner.items() for place in unbounded(field, where + name)]


@pytest.mark.parametrize(
    "model",
    wire.WirePayload.__subclasses__(),
    ids=lambda model: model.__name__,
)
def test_each_value_on_the_wire_has_a_range(model: type[BaseModel]) -> None:
    """The bodies of agents' messages apart, whose numbers `check_body` bounds."""
    schema = model.model_json_schema()
    for name, definition in {model.__name__: schema, **schema.get("$defs", {})}.items():
        assert unbounded(definition, name) == []


@pytest.mark.parametrize("field", ["lag_wall_s", "waiting_wall_s", "every_wall_s"])
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-1.0", "1e300"])
def test_durations_of_reports_are_finite(field: str, value: str) -> None:
    """A watcher calculates with them."""
    report = wire.TimeReport(time=0, round=0, step=0, pace="1x", lag_wall_s=0.0, state="running")
    said = json.loads(report.model_dump_json())
    payload = json.dumps(said | {field: "?"}).replace('"?"', value).encode()
    with pytest.raises(MalformedError):
        decode(wire.TimeReport, payload)


def test_a_payload_of_own_values_is_the_validated_one() -> None:
    """What this process has computed needs no validation, and reads the same."""
    values: dict[str, Any] = {
        "v": 6, "session": "8f3c", "step": 3, "time": 60, "round": 1, "sent": {"b": 2}, "next": None, "more": 0,
        "local": 1, "pending": True, "busy": False, "failure": None, "asking": False, "resume": 9,
    }  # fmt: skip
    done = wire.Done.of_own(values)
    assert done == wire.Done.model_validate(values)
    assert done.encoded() == (
        b'{"v":6,"session":"8f3c","step":3,"time":60,"round":1,"sent":{"b":2},"next":null,"local":1,"pending":true,'
        b'"resume":9}'
    )
    assert decode(wire.Done, done.encoded()) == done
    assert done.model_copy(update={"local": 2}).local == 2


def test_a_batch_is_read_as_its_model_says() -> None:
    """Reading it without the model accepts and refuses the same."""
    item = {"sender": "a", "seq": 1, "to": "b", "re": None, "body": {"kind": "Ping", "n": 1.5}}
    good: dict[str, Any] = {
        "v": 6,
        "session": "8f3c",
        "rounds": [{"step": 1, "time": 2, "round": 0, "messages": [item]}],
    }
    sent = good["rounds"][0]
    changes: list[dict[str, Any]] = [
        {"sender": "\n"}, {"seq": 2**60}, {"body": {}}, {"body": {"kind": "P", "n": [2**60]}}, {"x": 1},
    ]  # fmt: skip
    bad = [
        {**good, "v": 2}, {**good, "session": ""}, {**good, "rounds": []}, {**good, "more": 1},
        {**good, "rounds": [{**sent, "step": -1}]},
        *({**good, "rounds": [{**sent, "messages": [item | change]}]} for change in changes),
    ]  # fmt: skip
    payload = json.dumps(good).encode()
    assert decode_batch(payload) == envelopes_of(decode(wire.Batch, payload))
    for batch in bad:
        payload = json.dumps(batch).encode()
        with pytest.raises(MalformedError) as by_model:
            decode(wire.Batch, payload)
        with pytest.raises(MalformedError) as without:
            decode_batch(payload)
        assert str(without.value) == str(by_model.value)


def test_a_host_reads_its_part_of_a_grant_as_the_model_says() -> None:
    """What is wrong with the other hosts' parts is theirs to find."""
    good: dict[str, Any] = {"v": 6, "step": 1, "time": 2, "round": 0, "expected": {"a": {"b": 2}, "b": {}}}
    bad: list[dict[str, Any]] = [
        {**good, "step": -1}, {**good, "time": 2**60}, {**good, "phase": "?"}, {**good, "x": 1},
        {**good, "lost": ["\n"]},
    ]  # fmt: skip
    full = decode_grant(json.dumps({**good, "phase": "end", "lost": ["c"], "lapse": True}).encode(), "a")
    assert full == {**good, "phase": "end", "lost": ("c",), "lapse": True}
    assert decode_grant(json.dumps(good).encode(), "c") is None
    for grant in bad:
        payload = json.dumps(grant).encode()
        with pytest.raises(MalformedError) as by_model:
            decode(wire.Grant, payload)
        with pytest.raises(MalformedError) as without:
            decode_grant(payload, "a")
        assert str(without.value) == str(by_model.value)
    parts: list[Any] = [{"b": -1}, {"\n": 1}, [], 1]
    for part in parts:
        payload = json.dumps({**good, "expected": {"a": part, "b": {}}}).encode()
        assert decode_grant(payload, "b") is not None
        with pytest.raises(MalformedError):
            decode_grant(payload, "a")
