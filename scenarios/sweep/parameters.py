"""Parameters of a sweep: `penalty=0.5:2:4`, `algorithm=insertion,exact`, `jobs[adler-car].latest_start=...`.

Values of the file can be lists and mappings in brackets, as in `ssmic run --set`: `prefer=[cheapest],[own-roof]`.

A key is the name of a run setting, of a variable of the scenario's file or, with a path, a value of it. A path names
the items of a list by their number, by their id or, all of them, by `*`: `houses[adler].devices[pv-adler].name`,
`jobs[*].latest_start`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from agents.scheduling import algorithm_name, known_algorithms
from scenarios.errors import ScenarioError
from scenarios.files import (
    KeyPath,
    UnknownKeyError,
    YamlValue,
    keys_inside,
    meaning,
    paths_of,
    plain_value,
    takes_single_value,
)
from scenarios.mistyped_names import suggest
from scenarios.whole_numbers import MOST_DIGITS, whole_number_of

Value = str | int | float | bool
"""What a parameter can be set to."""
Kind = type[str] | type[int] | type[float] | type[bool]

RUN_SETTINGS: Final[Mapping[str, Kind]] = {
    "algorithm": str,
    "penalty": float,
    "step_size": float,
    "tolerance": float,
    "node_limit": int,
    "supply": str,
    "days": int,
    "negotiation": str,
    "ask_at_once": int,
    "ranking": str,
    "patient": bool,
    "hosts": int,
}
"""The settings of a run that a sweep can vary, and their types."""
_NOT_VARIED = {
    "seed": "give the seeds with --seeds and --seed",
    "version": "it is the version of the file's format",
    "name": "it names the scenario",
}
_WORDS = {"true": True, "yes": True, "false": False, "no": False}
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER}):({_NUMBER})(?::(\d+))?(:log)?")
_MOST_VALUES = 10_000


class ParameterError(ValueError):
    """A parameter cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class NumberRange:
    """Numbers from one end to the other, ends included."""

    low: float
    """Less than the other end."""
    high: float
    count: int | None
    """How many, evenly spaced; None: as many as a sample draws."""
    is_log: bool
    """Whether the numbers are spaced logarithmically instead of linearly."""
    is_whole: bool
    """Whether only whole numbers are allowed."""

    def values(self) -> tuple[Value, ...]:
        """Return the `count` numbers; without a count, none."""
        count = self.count or 0
        return tuple(self.at(i / (count - 1) if count > 1 else 0.0) for i in range(count))

    def at(self, share: float) -> Value:
        """Return the number at a share of the way from the low to the high end."""
        if self.is_log:
            number = math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        else:
            number = self.low + share * (self.high - self.low)
        number = float(f"{number:.12g}")  # without the last digits of binary fractions, as somebody would write it
        return round(number) if self.is_whole else number


@dataclass(frozen=True, slots=True)
class Parameter:
    """A key with the values that it takes."""

    key: str
    """As users write it: a setting, a variable or a key of the scenario's file."""
    values: tuple[Value, ...]
    """In the order given; those of a range without a count are empty."""
    range: NumberRange | None = None
    """The range that was given; None: values were listed."""
    targets: tuple[KeyPath, ...] = ()
    """The values of the scenario's file that it sets."""
    is_variable: bool = False
    """Whether it is one of the variables of the scenario's file."""
    fixed: Any = None
    """What `--set` puts into the scenario's file: any value of YAML."""

    @property
    def is_setting(self) -> bool:
        """Whether it is a setting of the run, and the scenario does not depend on it."""
        return not self.targets and not self.is_variable


def parse_parameter(
    text: str,
    content: Mapping[str, Any],
    variables: Mapping[str, Any],
    *,
    is_sampled: bool,
    is_set: bool,
) -> Parameter:
    """Return the parameter that `KEY=VALUE[,VALUE...]` or `KEY=LOW:HIGH[:COUNT][:log]` describes.

    Args:
        text: As on the command line.
        content: The scenario's file, as plain data.
        variables: The variables of the file with their values; a key that names one is that.
        is_sampled: Whether values are drawn from ranges, which then need no count.
        is_set: Whether it is the same in all runs; what is given for a key of the file is then one value of YAML.

    Raises:
        ParameterError: The key is unknown, or a value is not of its type.
    """
    key, equals, written = text.partition("=")
    key, written = key.strip().removeprefix("vars."), written.strip()
    if not equals or not key or not written:
        raise ParameterError(f"{text!r}: expected KEY=VALUE, for example penalty=0.5,1 or penalty=0.5:2:4")
    if key in variables:
        variable = Parameter(key, (), is_variable=True)
        if is_set and _is_structured(written):
            return replace(variable, values=(written,))
        return _with_values(variable, written, _kind([variables[key]]), is_sampled=is_sampled)
    setting = key.replace("-", "_")
    if setting in RUN_SETTINGS:
        return _with_values(Parameter(setting, ()), written, RUN_SETTINGS[setting], is_sampled=is_sampled)
    is_structured = all(_is_structured(one) for one in _split(written))
    targets = find_targets(key, content, variables, is_structured=is_structured)
    kind = _kind([plain_value(content, path) for path in targets])
    if is_set and (kind not in {int, float} or len(_split(written)) == 1):
        return Parameter(key, (written,), targets=targets, fixed=_meaning(key, written))
    return _with_values(Parameter(key, (), targets=targets), written, kind, is_sampled=is_sampled)


def plain(parameter: Parameter, value: Value) -> YamlValue:
    """Return what one of a parameter's values is in the scenario's file."""
    if parameter.fixed is not None:
        return parameter.fixed
    return _meaning(parameter.key, value) if _is_structured(value) else value


def _is_structured(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("[", "{"))


def _meaning(key: str, written: Value) -> YamlValue:
    try:
        return meaning(str(written), key)
    except ScenarioError as error:
        raise ParameterError(f"{key}={written}: {error.problems[0].what}") from None


def _split(written: str) -> list[str]:
    """Return the parts between commas that stand in no brackets."""
    parts, depth, begin = [], 0, 0
    for i, letter in enumerate(written):
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and depth <= 0:
            parts.append(written[begin:i].strip())
            begin = i + 1
    return [*parts, written[begin:].strip()]


def _kind(values: Sequence[object]) -> Kind | None:
    """Return the type that values of a file have; None: none that says what a new one has to be."""
    kinds = {type(value) for value in values}
    if kinds == {int, float}:
        return float
    return next((kind for kind in (str, int, float, bool) if kinds == {kind}), None)


def _with_values(parameter: Parameter, written: str, kind: Kind | None, *, is_sampled: bool) -> Parameter:
    key = parameter.key
    if kind in {int, float} or (kind is None and _RANGE.fullmatch(written)):
        found = _RANGE.fullmatch(written)
        if found is not None:
            reach = _range(key, found, is_whole=_is_whole(kind, found))
            if reach.count is None and not is_sampled:
                raise ParameterError(f"{key}={written}: has no number of values; write for example {key}={written}:5")
            return replace(parameter, values=reach.values(), range=reach)
    values = tuple(_value(key, one, kind, is_setting=parameter.is_setting) for one in _split(written))
    if len(set(values)) < len(values):
        raise ParameterError(f"{key}={written}: a value is given twice")
    return replace(parameter, values=values)


def _is_whole(kind: Kind | None, found: re.Match[str]) -> bool:
    """Return whether a range is of whole numbers: by a setting's type; for a key of the file, by both ends."""
    ends = found[1], found[2]
    return kind is not float and all(re.fullmatch(r"[-+]?\d+", end) for end in ends)


def _range(key: str, found: re.Match[str], *, is_whole: bool) -> NumberRange:
    low, high = float(found[1]), float(found[2])
    count = None if found[3] is None else whole_number_of(found[3]) or 0
    is_log = found[4] is not None
    if not (math.isfinite(low) and math.isfinite(high)) or low >= high:
        raise ParameterError(f"{key}={found[0]}: the first number has to be less than the second")
    if is_log and low <= 0:
        raise ParameterError(f"{key}={found[0]}: a logarithmic range begins above 0")
    if count is not None and not 2 <= count <= _MOST_VALUES:
        raise ParameterError(f"{key}={found[0]}: a range has from 2 to {_MOST_VALUES} values, not {found[3]}")
    reach = NumberRange(low, high, count, is_log, is_whole)
    if is_whole and len(set(reach.values())) < (count or 0):
        raise ParameterError(
            f"{key}={found[0]}: there are not {count} different whole numbers in this range; "
            f"write {low:.1f}:{high:g}:{count} for fractions"
        )
    return reach


def _value(key: str, text: str, kind: Kind | None, *, is_setting: bool) -> Value:
    if text == "":
        raise ParameterError(f"{key}: a value is missing before or after a comma")
    if not is_setting and _is_structured(text):
        _meaning(key, text)
        return text
    if kind is str:
        return _algorithm(text) if key == "algorithm" and is_setting else text
    if kind is bool:
        if text.casefold() not in _WORDS:
            raise ParameterError(f"{key}={text}: yes or no is expected")
        return _WORDS[text.casefold()]
    number = _number(text)
    if kind is None:
        return text if number is None else number
    if number is None:
        raise ParameterError(f"{key}={text}: a {'whole ' if kind is int and is_setting else ''}number is expected")
    if kind is int and is_setting and not isinstance(number, int):
        raise ParameterError(f"{key}={text}: a whole number is expected")
    return float(number) if kind is float and is_setting else number


def _number(text: str) -> int | float | None:
    if re.fullmatch(rf"[-+]?\d{{1,{MOST_DIGITS + 1}}}", text):
        return int(text)
    return float(text) if re.fullmatch(_NUMBER, text) else None


def _algorithm(name: str) -> str:
    found = algorithm_name(name)
    if found is None:
        raise ParameterError(f"there is no algorithm {name!r}{suggest(name, known_algorithms())}")
    return found


def find_targets(
    key: str, content: Mapping[str, Any], variables: Mapping[str, Any], *, is_structured: bool
) -> tuple[KeyPath, ...]:
    """Return the paths of the values that a key names in a scenario's file.

    Args:
        key: As on the command line.
        content: The scenario's file, as plain data.
        variables: The variables of the file, for suggestions.
        is_structured: Whether lists or mappings are to be put there.

    Raises:
        ParameterError: There is no such value; the message names the nearest key.
    """
    top = re.split(r"[.\[]", key, maxsplit=1)[0]
    if top in _NOT_VARIED:
        raise ParameterError(f"{top} cannot be varied or set: {_NOT_VARIED[top]}")
    try:
        paths = paths_of(key, content, (*variables, *RUN_SETTINGS))
    except UnknownKeyError as error:
        raise ParameterError(str(error)) from None
    for path in paths:
        if (
            isinstance(plain_value(content, path), Mapping | list)
            and not is_structured
            and not takes_single_value(content, path)
        ):
            inside = ", ".join(keys_inside(content, path)[:8])
            raise ParameterError(f"{key}: is not a single value; name one within it: {inside}")
    return paths
