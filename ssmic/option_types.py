"""Types of the options of runs and sweeps: a value of another type raises an error that names the option."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from agents.scheduling import AlgorithmSettings
from scenarios.files import MAX_DAYS

Expected = tuple[Callable[[object], bool], str]
"""A check whether a value is of the type, and a description of the type in words."""


def type_problems(values: Mapping[str, object], expected: Mapping[str, Expected]) -> Iterator[str]:
    """Yield which options have a value of another type than theirs, or a number out of range."""
    for name, value in values.items():
        if name in expected:
            is_valid, words = expected[name]
            if not is_valid(value):
                yield f"{name} {value!r}: {words} is expected"


def _or_none(expected: Expected) -> Expected:
    is_valid, words = expected
    return lambda value: value is None or is_valid(value), words


def _whole(least: int, most: int | None = None) -> Expected:
    upper = "on" if most is None else "to 2^63 - 1" if most == _MOST else f"to {most}"
    return (
        lambda value: type(value) is int and value >= least and (most is None or value <= most),
        f"a whole number from {least} {upper}",
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_file(value: object) -> bool:
    return isinstance(value, str | os.PathLike)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _is_mapping(value: object, of: Callable[[object], bool]) -> bool:
    """Return whether a value is a mapping of text to values that meet a condition."""
    return isinstance(value, Mapping) and all(isinstance(key, str) and of(one) for key, one in value.items())


def _is_group(value: object) -> bool:
    return _is_list(value) and all(isinstance(key, str) for key in value)  # type: ignore[attr-defined]  # it is a list


_MOST: Final = 2**63 - 1
_TEXT: Final[Expected] = (lambda value: isinstance(value, str), "text")
_YES_OR_NO: Final[Expected] = (lambda value: isinstance(value, bool), "True or False")
_NUMBER: Final[Expected] = (_is_number, "a number")
_FILE: Final[Expected] = (_is_file, "a file name")
_ANYTHING: Final[Expected] = (lambda value: _is_mapping(value, lambda _one: True), "a mapping of names to values")

RUN_OPTIONS: Final[Mapping[str, Expected]] = {
    **dict.fromkeys(("allow_outside", "patient", "keep", "home_assistant", "reset_scores"), _YES_OR_NO),
    **dict.fromkeys(("strategy", "run_id", "negotiation", "ranking", "broker", "user", "pace"), _or_none(_TEXT)),
    **dict.fromkeys(("penalty", "step_size", "tolerance"), _or_none(_NUMBER)),
    **dict.fromkeys(("out", "password_file", "ca_file", "cert_file", "key_file"), _or_none(_FILE)),
    "algorithm": _or_none((lambda value: isinstance(value, str | AlgorithmSettings), "a name")),
    "seed": _or_none(_whole(0, _MOST)),
    "days": _or_none(_whole(1, MAX_DAYS)),
    "hosts": _or_none((lambda value: value == "houses" or _whole(1)[0](value), "'houses' or a whole number from 1 on")),
    "guests": _or_none(_whole(0, 100)),
    "node_limit": _or_none(_whole(1)),
    "ask_at_once": _or_none(_whole(1, 64)),
    "limit_wall_s": (lambda value: _is_number(value) and value > 0, "a number above 0"),  # type: ignore[operator]  # it is a number
    "prefer": _or_none((_is_list, "a list, such as ['cheapest'],")),
    "variables": _ANYTHING,
    "scores": _or_none(
        (
            lambda value: _is_file(value) or _is_mapping(value, lambda one: type(one) is int),
            "a file name, or a mapping of producers to whole numbers,",
        )
    ),
}
"""Of `ssmic.RunOptions`; those with a few known values are checked elsewhere."""

SWEEP_OPTIONS: Final[Mapping[str, Expected]] = {
    "vary": _or_none(
        (
            lambda value: _is_mapping(value, lambda one: isinstance(one, str) or _is_list(one)),
            "a mapping of keys to lists of values or to LOW:HIGH:COUNT",
        )
    ),
    "fixed": _or_none(_ANYTHING),
    "seeds": _whole(1),
    "first_seed": _or_none(_whole(0, _MOST)),
    "sample": _or_none(_whole(1)),
    "sample_seed": _whole(0, _MOST),
    "out": _or_none(_FILE),
    "workers": _or_none(_whole(1)),
    "dask": _or_none(_TEXT),
    "together": (
        lambda value: _is_list(value) and all(map(_is_group, value)),  # type: ignore[call-overload]  # it is a list
        "a list of lists of keys",
    ),
    "allow_outside": _YES_OR_NO,
}
"""Of `ssmic.sweep`."""
