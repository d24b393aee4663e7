"""Messages that every model accepts and no honest agent sends: drawn from the models themselves.

Each value is within its range, and often at its end: values that pass validation must do no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from random import Random
from typing import Any

from agents.messages import MESSAGES
from broker.errors import SsmicError

_FAR = 2**62
"""Beyond all ranges, where a model has none."""
_LONG_LISTS = 0.05
"""How often a list is as long as it may be, or 200 long."""


@cache
def _definitions() -> dict[str, dict[str, Any]]:
    definitions: dict[str, dict[str, Any]] = MESSAGES.json_schema()["$defs"]
    return definitions


class Extremes:
    """Draws the bodies of messages."""

    def __init__(
        self,
        random: Random,
        known: Mapping[str, Sequence[Any]],
        times_s: Sequence[int],
        jobs: Sequence[dict[str, Any]] = (),
    ) -> None:
        """Create it.

        Args:
            random: Decides all.
            known: By name of a field, values that mean something in the run.
            times_s: Times that do, UNIX seconds.
            jobs: Jobs as they are sent.
        """
        self._random = random
        self._known = known
        self._times_s = times_s
        self._jobs = jobs

    def body(self, kind: str) -> dict[str, Any]:
        """Return a body of a kind; after some attempts, one that its model refuses."""
        body: dict[str, Any] = {}
        for _ in range(20):
            body = self._value({"$ref": f"#/$defs/{kind}"}, "") | {"kind": kind}
            if "starts" in body and isinstance(job := body.get("job"), dict):
                window = [job["earliest_start_s"], job["latest_start_s"]]
                body["starts"] = [[max(first, window[0]), min(last, window[1])] for first, last in body["starts"]]
            try:
                MESSAGES.validate_python(body)
            except (ValueError, SsmicError):
                continue
            break
        return body

    def _value(self, schema: Mapping[str, Any], name: str) -> Any:
        random = self._random
        if "$ref" in schema:
            definition = schema["$ref"].rpartition("/")[2]
            if definition == "Job" and self._jobs and random.random() < 0.9:
                return dict(random.choice(self._jobs))
            return self._value(_definitions()[definition], name)
        if "const" in schema:
            return schema["const"]
        if name in self._known and schema.get("type") in {"string", "integer", None} and random.random() < 0.95:
            return random.choice(self._known[name])
        for key in ("anyOf", "oneOf", "enum"):
            if key in schema:
                chosen = random.choice(schema[key])
                return chosen if key == "enum" else self._value(chosen, name)
        make: dict[str, Callable[[], Any]] = {
            "integer": lambda: self._number(schema),
            "number": lambda: float(self._number(schema)) * random.choice([1.0, 1.0, 0.999]),
            "string": lambda: self._text(schema, name),
            "boolean": lambda: random.random() < 0.5,
            "array": lambda: self._list(schema, name),
            "object": lambda: self._object(schema),
        }
        return make.get(schema.get("type", ""), lambda: None)()

    def _number(self, schema: Mapping[str, Any]) -> int:
        random = self._random
        least = int(schema.get("minimum", -_FAR))
        most = int(schema.get("maximum", _FAR))
        time_s = random.choice(self._times_s)
        near = [0, 1, 2, 60, 1_000, time_s, time_s // 60, time_s + random.randrange(-90_000, 90_000)]
        return min(max(random.choice([*near, *near, least, least + 1, most - 1, most]), least), most)

    def _text(self, schema: Mapping[str, Any], name: str) -> str:
        random = self._random
        least, most = schema.get("minLength", 0), schema.get("maxLength", 2_000)
        texts = [str(value) for values in self._known.values() for value in values]
        text: str = random.choice([*texts, "", "x" * most, "\u202e\x1b[2J", name])
        return text.ljust(least, "0")[:most]

    def _list(self, schema: Mapping[str, Any], name: str) -> list[Any]:
        random = self._random
        if "prefixItems" in schema:
            return [self._value(item, name) for item in schema["prefixItems"]]
        least, most = schema.get("minItems", 0), min(schema.get("maxItems", 200), 200)
        is_long = random.random() < _LONG_LISTS
        count = most if is_long else min(max(random.choice([0, 1, 1, 2, 4, 16]), least), most)
        items = schema.get("items", {})
        made = [self._value(items, name) for _ in range(count)]
        try:
            return sorted(made) if random.random() < 0.5 else made
        except TypeError:
            return made

    def _object(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        required = schema.get("required", ())
        return {
            name: self._value(field, name)
            for name, field in schema.get("properties", {}).items()
            if name in required or self._random.random() < 0.7
        }
