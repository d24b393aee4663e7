"""What displays read of a real device's topics is what its gateway writes there."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import pytest
from pydantic import BaseModel

from scenarios.devices.notices import DeviceJob, DeviceState, JobPayload, Notice, StatePayload


def test_displays_read_every_key_of_a_devices_state() -> None:
    """All but what each notice has: a key that the gateway adds has to be read, or left out here with a reason."""
    assert set(DeviceState.model_fields) == set(StatePayload.model_fields) - set(Notice.model_fields)


@pytest.mark.parametrize(("read", "written"), [(DeviceState, StatePayload), (DeviceJob, JobPayload)])
def test_displays_read_each_key_as_the_type_that_is_written(read: type[BaseModel], written: type[BaseModel]) -> None:
    """Bounds and defaults aside, which only the reader needs: it relies on nobody."""
    for name, field in read.model_fields.items():
        assert types_of(field.annotation) == types_of(written.model_fields[name].annotation), name


def types_of(annotation: Any) -> set[object]:
    """Return the types that an annotation allows, without None and metadata."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return types_of(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return {one for part in get_args(annotation) for one in types_of(part)}
    return set() if annotation is NoneType else {annotation}
