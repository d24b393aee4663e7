"""Conditions: `self_sufficiency >= 60 % and job("wash").producer == "roof"`. Parsed and computed here, never executed.

condition   = and-part { "or" and-part }
and-part    = not-part { "and" not-part }
not-part    = [ "not" ] comparison
comparison  = sum [ ("<=" | "<" | ">=" | ">" | "==" | "!=") sum ]
sum         = product { ("+" | "-") product }
product     = value { ("*" | "/") value }
value       = number [ unit ] | "text" | 12:30 | true | false | name | "-" value | "(" condition ")"
name        = word [ "(" "text" ")" ] [ "." word ]

A text is in "..." or '...'; within it, its quotation mark is doubled: "the ""big"" car".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, fields

from agents import MESSAGE_KINDS
from scenarios.metrics import Kpis
from scenarios.mistyped_names import suggest

Value = float | str | bool | None

KPIS = tuple(field.name for field in fields(Kpis))
"""Names of the run's figures."""
COUNTS = ("messages", "negotiations", "events")
"""Names of further numbers of a run."""
FIELDS: Mapping[str, tuple[str, ...]] = {
    "job": ("producer", "house", "device", "start", "delay_s", "energy_wh", "delivered_wh", "contracts", "moves",
            "is_on_grid", "has_contract"),
    "house": ("consumed_wh", "delivered_wh", "grid_wh", "jobs", "jobs_on_grid", "bill_eur", "saving_eur"),
    "producer": ("produced_wh", "contracted_wh", "delivered_wh", "shortfall_wh", "contracts"),
    "contracts": ("standing", "cancelled", "lost", "amended", "on_grid", "all"),
    "optimum": ("best_wh", "bound_wh", "share", "gap"),
    "shared_optimum": ("best_wh", "bound_wh", "share", "gap"),
    "algorithm": KPIS,
}  # fmt: skip
"""By what stands before the dot, what may stand behind it; `messages.<kind>` counts messages of a kind."""
WITH_NAME = ("job", "house", "producer", "algorithm")
"""The terms that take a name in parentheses."""
_TEXTS = frozenset({"producer", "house", "device"})
"""Fields of a job that are texts; all others are numbers, or true or false."""
UNITS: Mapping[str, float] = {
    "Wh": 1, "kWh": 1e3, "MWh": 1e6, "W": 1, "kW": 1e3, "%": 0.01, "s": 1, "min": 60, "h": 3600, "EUR": 1, "kg": 1,
}  # fmt: skip
_MEASURED_IN: Mapping[str, str] = {
    **dict.fromkeys(("Wh", "kWh", "MWh"), "energy"),
    **dict.fromkeys(("W", "kW"), "power"),
    **dict.fromkeys(("s", "min", "h"), "time"),
    "%": "a share",
    "EUR": "money",
    "kg": "mass",
}
_MEASURED_BY: Mapping[str, str] = {"_wh": "energy", "_w": "power", "_s": "time", "_eur": "money"}
"""By the end of a figure's name, what it measures."""
_SHARES = ("self_consumption", "self_sufficiency", "share_of_possible")
"""Ends of the names of figures that are never above 1."""
_COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})
TEXT = r"\"(?:[^\"]|\"\")*+\"|'(?:[^']|'')*+'"
"""The pattern of a text in a condition; see `quoted`."""
_TOKEN = re.compile(
    r"\s*(?:(?P<time>\d{1,3}:[0-5]\d)(?!\d)|(?P<number>\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)|(?P<text>"
    rf"{TEXT})|(?P<word>[A-Za-z_]\w*)|(?P<sign><=|>=|==|!=|[<>+\-*/().%]))"
)
_MAX_DEPTH = 50
"""Maximum depth of parentheses."""
_MAX_CALCULATIONS = 100
"""Operators + - * / of a condition: each may be an operand of the next, and conditions are computed recursively."""


class ConditionError(ValueError):
    """A condition cannot be parsed, or names something that does not exist."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as it is written."""

    value: Value
    """A number is in Wh, W, seconds, EUR, kg or as a share, whatever unit is written."""
    unit: str = ""
    """Empty: a number without a unit, a text, or true or false; of a clock time, seconds."""
    text: str = ""
    """As written; empty: as its value is written."""


@dataclass(frozen=True, slots=True)
class Name:
    """Something that a run has: `jobs_on_grid`, `job("wash").start`, `messages.Cancel`."""

    word: str
    """What comes first: a figure, `job`, `house`, `messages`."""
    of: str | None = None
    """The id in parentheses; None: there are none."""
    field: str | None = None
    """What follows the dot; None: nothing."""

    def __str__(self) -> str:
        of = f"({quoted(self.of)})" if self.of is not None else ""
        return f"{self.word}{of}{'' if self.field is None else '.' + self.field}"


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator with its operands."""

    sign: str
    """`and`, `or`, `not`, a comparison or one of `+ - * /`."""
    operands: tuple[Node, ...]
    """One of `not` and of a leading minus; two or more of `and` and `or`; two of the others."""


Node = Literal | Name | Operation


def parse(text: str) -> Node:
    """Return a condition as a tree.

    Raises:
        ConditionError: It cannot be read; the message says where.
    """
    parser = _Parser(text)
    node = parser.condition()
    if parser.token:
        raise ConditionError(f"unexpected {parser.token!r} after the condition")
    return node


def quoted(text: str) -> str:
    """Return a text, such as the id of a job, as a condition writes it."""
    return '"' + text.replace('"', '""') + '"'


def unquoted(token: str) -> str:
    """Return the text that a condition writes in quotation marks."""
    return token[1:-1].replace(token[0] * 2, token[0])


def names_in(node: Node) -> tuple[Name, ...]:
    """Return the names that a condition is about, in order, each once."""
    match node:
        case Name():
            return (node,)
        case Operation(operands=operands):
            return tuple(dict.fromkeys(name for operand in operands for name in names_in(operand)))
    return ()


def condition_problems(text: str, known: Mapping[str, Collection[str] | None] | None) -> list[str]:
    """Return the problems of a condition; empty if it is valid.

    Args:
        text: The condition.
        known: Ids by `job`, `house`, `producer` and `algorithm`; None in place of ids or of all: they are not checked.
    """
    try:
        node = parse(text)
    except ConditionError as error:
        return [str(error)]
    problems = [what for name in names_in(node) if (what := _problem(name, known))]
    return problems or list(dict.fromkeys((*_truth_problems(node), *_kind_problems(node), *_unit_problems(node))))


def condition_notes(text: str) -> list[str]:
    """Return a note on a valid condition that is probably a mistake: a share compared with a number above 1."""
    try:
        return list(_share_notes(parse(text)))
    except ConditionError:
        return []


def _truth_problems(node: Node) -> Iterator[str]:
    """Yield the parts of a condition that are neither true nor false: a number or a text is compared with something."""
    match node:
        case Operation(sign="and" | "or" | "not", operands=operands):
            for operand in operands:
                yield from _truth_problems(operand)
        case Operation(sign=sign) if sign in _COMPARISONS:
            return
        case Literal(value=bool()) | Name(word="job", field="is_on_grid" | "has_contract"):
            return
        case _:
            yield f"a comparison is expected, such as self_sufficiency >= 60 %, not only {_written(node)}"


def _kind_problems(node: Node) -> Iterator[str]:
    """Yield problems of text used in comparisons with numbers or in calculations."""
    if not isinstance(node, Operation):
        return
    for operand in node.operands:
        yield from _kind_problems(operand)
    texts = [operand for operand in node.operands if _is_text(operand)]
    if node.sign in {"==", "!="}:
        others = [operand for operand in node.operands if operand not in texts]
        if texts and others and not any(isinstance(operand, Operation) for operand in others):
            yield f"{_shown(texts[0])} is a text and {_shown(others[0])} is not; they are never equal"
    elif texts and node.sign not in {"and", "or", "not"}:
        yield f"{node.sign} needs numbers, but {_shown(texts[0])} is text"


def _unit_problems(node: Node) -> Iterator[str]:
    """Yield problems of comparisons, sums and differences of different quantities.

    A number without a unit is compatible with all.
    """
    if not isinstance(node, Operation):
        return
    for operand in node.operands:
        yield from _unit_problems(operand)
    if (node.sign in _COMPARISONS or node.sign in {"+", "-"}) and len(node.operands) == 2:
        left, right = (_measures(operand) for operand in node.operands)
        if left and right and left != right:
            done = "compared" if node.sign in _COMPARISONS else "added" if node.sign == "+" else "subtracted"
            first, second = (f"{_written(operand)} ({_measures(operand)})" for operand in node.operands)
            yield f"{first} and {second} cannot be {done}"


def _share_notes(node: Node) -> Iterator[str]:
    """Yield the shares that are compared with a number above 1, which decides nothing."""
    if not isinstance(node, Operation):
        return
    for operand in node.operands:
        yield from _share_notes(operand)
    if node.sign in _COMPARISONS:
        for name, other in (node.operands, node.operands[::-1]):
            is_share = isinstance(name, Name) and (name.field or name.word).endswith(_SHARES)
            if is_share and isinstance(other, Literal) and isinstance(other.value, float) and other.value > 1:
                yield f"{name} is a share from 0 to 1, and is compared with {_written(other)}; 60 % is written `60 %`"


def _measures(node: Node) -> str:  # noqa: PLR0911 - one for each kind of value
    """Return the quantity of a value; empty: a plain number, or unknown."""
    match node:
        case Literal(unit=unit):
            return _MEASURED_IN.get(unit, "")
        case Name():
            return _of_name(node)
        case Operation(sign="-", operands=(operand,)):
            return _measures(operand)
        case Operation(sign="+" | "-", operands=(left, right)):
            return _measures(left) or _measures(right)
        case Operation(sign="*", operands=(left, right)):
            found = {measured for measured in map(_measures, (left, right)) if measured not in {"", "a share"}}
            return found.pop() if len(found) == 1 and _is_plain(left, right) else ""
        case Operation(sign="/", operands=(left, right)):
            return _measures(left) if _is_plain(right) else ""
    return ""


def _is_plain(*nodes: Node) -> bool:
    """Return whether one of these is a plain number or a share, so that it changes no unit."""
    return any((isinstance(node, Literal) and not node.unit) or _measures(node) == "a share" for node in nodes)


def is_share(name: Name) -> bool:
    """Return whether a name has a share as its value, such as 0.6 for 60 %."""
    return _of_name(name) == "a share"


def _of_name(name: Name) -> str:
    word = name.field if name.field is not None else name.word
    if name.word == "messages":
        return ""
    if word == "start" or word.startswith("kg_"):
        return "time" if word == "start" else "mass"
    if word.endswith(_SHARES) or word in {"share", "gap"}:
        return "a share"
    return next((measured for suffix, measured in _MEASURED_BY.items() if word.endswith(suffix)), "")


def _written(node: Node) -> str:
    """Return a value as it is written."""
    match node:
        case Literal(value=value, text=text):
            return text or repr(value)
        case Name():
            return str(node)
        case Operation(operands=operands):
            signed = f" {node.sign} ".join(map(_written, operands))
            return signed if len(operands) > 1 else f"-{signed}"


def _is_text(node: Node) -> bool:
    if isinstance(node, Literal):
        return isinstance(node.value, str)
    return isinstance(node, Name) and node.word == "job" and node.field in _TEXTS


def _shown(node: Node) -> str:
    return repr(node.value) if isinstance(node, Literal) else str(node)


def compute(node: Node, value_of: Callable[[Name], Value]) -> Value:
    """Return the value of a condition.

    Args:
        node: The condition.
        value_of: Returns the value of a name; None if it has none, such as a job without a contract.
    """
    match node:
        case Literal(value=value):
            return value
        case Name():
            return value_of(node)
        case Operation(sign="and", operands=operands):
            return all(bool(compute(operand, value_of)) for operand in operands)
        case Operation(sign="or", operands=operands):
            return any(bool(compute(operand, value_of)) for operand in operands)
        case Operation(sign="not", operands=(operand,)):
            return not compute(operand, value_of)
        case Operation(sign=sign, operands=operands):
            return _calculated(sign, [compute(operand, value_of) for operand in operands])


def _calculated(sign: str, values: list[Value]) -> Value:  # noqa: C901, PLR0911 - one case for each operator
    if sign in ("==", "!="):
        return _is_equal(*values) == (sign == "==")
    if not _numbers(*values):
        if all(isinstance(value, int | float) or value is None for value in values):
            return False if sign in ("<", "<=", ">", ">=") else None
        raise ConditionError(f"{sign} needs numbers, not {' and '.join(map(repr, values))}")
    numbers = [float(value) for value in values if value is not None]
    if len(numbers) == 1:
        return -numbers[0]
    a, b = numbers
    match sign:
        case "<":
            return a < b
        case "<=":
            return a <= b or _is_equal(a, b)
        case ">":
            return a > b
        case ">=":
            return a >= b or _is_equal(a, b)
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
    return a / b if b else None


def _is_equal(left: Value, right: Value) -> bool:
    """Return whether values are equal; numbers, as far as their rounding errors allow."""
    if isinstance(left, int | float) and isinstance(right, int | float):
        return abs(left - right) <= 1e-9 * max(1.0, abs(left))
    return left == right


def _numbers(*values: Value) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _problem(name: Name, known: Mapping[str, Collection[str] | None] | None) -> str:  # noqa: PLR0911 - each problem in turn
    word = name.word
    if word == "messages":
        if name.of is not None:
            return "write messages.Cancel for the messages of a kind"
        is_known = name.field is None or name.field in MESSAGE_KINDS
        return "" if is_known else f"there are no messages {name.field!r}{suggest(str(name.field), MESSAGE_KINDS)}"
    if word in KPIS or word in COUNTS:
        return "" if name.field is None and name.of is None else f"{word!r} is a number and has no parts"
    if word not in FIELDS:
        return f"there is no figure {word!r}{suggest(word, (*KPIS, *COUNTS, *FIELDS))}"
    if (word in WITH_NAME) != (name.of is not None):
        return f'write {word}("...").{FIELDS[word][0]}' if word in WITH_NAME else f"write {word}.{FIELDS[word][0]}"
    if name.field not in FIELDS[word]:
        given = "" if name.field is None else f"{word} has no {name.field!r}"
        return f"{given or f'{word} needs a field'}{suggest(name.field or '', FIELDS[word])}"
    ids = None if known is None else known.get(word)
    if ids is not None and name.of is not None and name.of not in ids:
        return f"there is no {word} {name.of!r}{suggest(name.of, ids)}"
    return ""


_SLIPS = {
    "=": "; equality is written ==",
    r",\d": "; a decimal is written with a point",
    "&": "; conditions are joined with `and`",
    r"\|": "; conditions are joined with `or`",
}
"""What is meant by characters that no condition has: patterns of them."""


class _Parser:
    """Reads a condition from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._calculations = 0
        self.kind, self.token = "", ""
        self._next()

    def _next(self) -> None:
        if not self._text[self._at :].strip():
            self.kind, self.token = "", ""
            return
        found = _TOKEN.match(self._text, self._at)
        if found is None:
            rest = self._text[self._at :].strip()
            hint = next((why for begin, why in _SLIPS.items() if re.match(begin, rest)), "")
            raise ConditionError(f"cannot be read from {rest[:20]!r} on{hint}")
        self.kind, self.token, self._at = found.lastgroup or "", found[found.lastgroup or 0], found.end()

    def _take(self, *tokens: str) -> str:
        if self.token in tokens and self.kind in ("sign", "word"):
            taken = self.token
            self._next()
            return taken
        return ""

    def _calculation(self, *signs: str) -> str:
        sign = self._take(*signs)
        self._calculations += bool(sign)
        if self._calculations > _MAX_CALCULATIONS:
            raise ConditionError(f"more than {_MAX_CALCULATIONS} of the operators + - * /")
        return sign

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise ConditionError(f"{token!r} is expected, not {self.token or 'the end'!r}")

    def condition(self) -> Node:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ConditionError(f"nested more than {_MAX_DEPTH} deep")
        parts = [self._all_of()]
        while self._take("or"):
            parts.append(self._all_of())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else Operation("or", tuple(parts))

    def _all_of(self) -> Node:
        parts = [self._negation()]
        while self._take("and"):
            parts.append(self._negation())
        return parts[0] if len(parts) == 1 else Operation("and", tuple(parts))

    def _negation(self) -> Node:
        if self._take("not"):
            return Operation("not", (self._comparison(),))
        return self._comparison()

    def _comparison(self) -> Node:
        left = self._sum()
        sign = self._take("<=", "<", ">=", ">", "==", "!=")
        if not sign:
            return left
        right = self._sum()
        if self.kind == "sign" and self.token in _COMPARISONS:
            raise ConditionError(f"a second comparison, {self.token!r}: write `2 <= jobs and jobs <= 4`")
        return Operation(sign, (left, right))

    def _sum(self) -> Node:
        node = self._product()
        while sign := self._calculation("+", "-"):
            node = Operation(sign, (node, self._product()))
        return node

    def _product(self) -> Node:
        node = self._value()
        while sign := self._calculation("*", "/"):
            node = Operation(sign, (node, self._value()))
        return node

    def _value(self) -> Node:
        kind, token = self.kind, self.token
        if self._take("("):
            node = self.condition()
            self._expect(")")
            return node
        if self._calculation("-"):
            return Operation("-", (self._value(),))
        if kind not in ("number", "text", "time", "word") or token in ("and", "or", "not"):
            raise ConditionError(f"a value is expected, not {token or 'the end'!r}")
        self._next()
        match kind:
            case "number":
                unit = self.token if self.token in UNITS else ""
                if unit:
                    self._next()
                return Literal(float(token) * UNITS.get(unit, 1), unit, f"{token} {unit}".strip())
            case "text":
                return Literal(unquoted(token))
            case "time":
                hours, minutes = token.split(":")
                return Literal(float(int(hours) * 3600 + int(minutes) * 60), "s", token)
        return Literal(token == "true") if token in ("true", "false") else self._name(token)  # noqa: S105 - no password

    def _name(self, word: str) -> Name:
        of = field = None
        if self._take("("):
            if self.kind != "text":
                raise ConditionError(f'write {word}("...")')
            of = unquoted(self.token)
            self._next()
            self._expect(")")
        if self._take("."):
            if self.kind != "word":
                raise ConditionError(f"a word is expected after {word}., not {self.token or 'the end'!r}")
            field = self.token
            self._next()
        return Name(word, of, field)
