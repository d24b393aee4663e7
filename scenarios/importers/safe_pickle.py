"""Reading a pickle without unpickling: its instructions are followed, but nothing in them is ever called.

A name in a pickle (`os.system`, `pandas.DataFrame`) becomes a `Global`, an inert name; a call or an instance becomes an
`Object` that describes it. Nothing is imported, no attribute is set, and a name that is not on the caller's list ends
the reading. So no file can execute code, regardless of its content.

Why not `pickle.Unpickler` with a `find_class` that returns inert classes: it runs no foreign code either, but it hashes
the keys of dictionaries, and a key of a million nested tuples (1 MB) ends the process with a segmentation fault. It
also keeps its memo in an array: an index of 2**32 - 1 in a pickle of nine bytes asks for tens of gigabytes. No limit on
the size of the file prevents either. Here, keys that are not plain values are dropped unhashed, the memo is a
dictionary, and the number of instructions is limited. The price is time: three million instructions take about three
times as long.
"""

from __future__ import annotations

import pickletools
import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, NoReturn

MAX_STEPS = 5_000_000
"""Maximum number of instructions in a pickle; a longer one counts as truncated."""


class PickleError(ValueError):
    """The bytes are not a pickle that can be read here; the message says why."""


@dataclass(frozen=True, slots=True)
class Global:
    """The name of something in a module, nothing more."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class ForeignNameError(PickleError):
    """The pickle holds a name that is not on the list."""

    def __init__(self, name: Global) -> None:
        super().__init__(f"holds {str(name)[:100]!r}, which a neighbourhood does not need; it is refused")
        self.name = name


@dataclass(slots=True, eq=False)
class Object:
    """The description of an object made by calling `made_by` with `arguments`, and then setting `state`."""

    made_by: Global
    arguments: tuple[Any, ...]
    state: Any = None
    """What would be set; None: nothing."""
    items: list[Any] = field(default_factory=list)
    """What would be appended to it or set in it."""

    @property
    def kind(self) -> Global:
        """Its class; protocols 0 and 1 have the class as an argument."""
        if self.made_by.name == "_reconstructor" and self.arguments and isinstance(self.arguments[0], Global):
            return self.arguments[0]
        return self.made_by

    @property
    def given(self) -> tuple[Any, ...]:
        """What its class would be called with."""
        return () if self.kind is not self.made_by else self.arguments


_MARK = object()


def read_pickle(content: bytes, allowed: Collection[str]) -> Any:  # noqa: ANN401 - anything a pickle holds
    """Return the content of a pickle: plain values, lists, dicts, and `Object` in place of everything else.

    Args:
        content: The pickle.
        allowed: Names, `module.name`, that may occur in it.

    Raises:
        PickleError: It is not a pickle, is cut off, or holds something that is not allowed.
    """
    reader = _Reader(frozenset(allowed))
    try:
        # pickletools warns of escapes in damaged text, which is an error like any other here.
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            for number, (opcode, argument, _) in enumerate(pickletools.genops(content)):
                if number == MAX_STEPS:
                    break
                reader.step(opcode.name, argument)
    except PickleError:
        raise
    except (ValueError, TypeError, IndexError, KeyError, OverflowError, AttributeError) as error:
        # pickletools has many ways to say that bytes are no pickle; none of them helps a user.
        raise PickleError(f"is not a complete pickle ({type(error).__name__})") from None
    return reader.result()


class _Reader:
    """The stack machine that a pickle is a program for."""

    def __init__(self, allowed: frozenset[str]) -> None:
        self._allowed = allowed
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._done = False

    def result(self) -> Any:  # noqa: ANN401 - anything a pickle holds
        if not self._done or len(self._stack) != 1:
            raise PickleError("is not a complete pickle")
        return self._stack[0]

    def step(self, name: str, argument: Any) -> None:  # noqa: ANN401 - as pickletools has it
        if name in _VALUES:
            self._stack.append(argument)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name]())
        elif name in _STEPS:
            _STEPS[name](self, argument)
        elif name not in _IGNORED:
            raise PickleError(f"holds the instruction {name}, which a neighbourhood does not need; it is refused")

    def _pop(self) -> Any:  # noqa: ANN401 - anything a pickle holds
        value = self._stack.pop()
        if value is _MARK:
            raise PickleError("is not a complete pickle (a mark where a value belongs)")
        return value

    def _pop_to_mark(self) -> list[Any]:
        values: list[Any] = []
        while (value := self._stack.pop()) is not _MARK:
            values.append(value)
        values.reverse()
        return values

    def global_(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._push_global(module, name)

    def stack_global(self, _: object) -> None:
        name, module = self._pop(), self._pop()
        if not isinstance(module, str) or not isinstance(name, str):
            raise PickleError("names something by a value that is not text")
        self._push_global(module, name)

    def _push_global(self, module: str, name: str) -> None:
        found = Global(module, name)
        if str(found) not in self._allowed:
            raise ForeignNameError(found)
        self._stack.append(found)

    def reduce(self, _: object) -> None:
        arguments, made_by = self._pop(), self._pop()
        self._make(made_by, arguments)

    def new_with_keywords(self, _: object) -> None:
        keywords, arguments, made_by = self._pop(), self._pop(), self._pop()
        if keywords != {}:
            raise PickleError("makes an object with keywords, which a neighbourhood does not need; it is refused")
        self._make(made_by, arguments)

    def instance(self, argument: str) -> None:
        arguments = self._pop_to_mark()
        self.global_(argument)
        self._make(self._pop(), tuple(arguments))

    def object_(self, _: object) -> None:
        made_by, *arguments = self._pop_to_mark()
        self._make(made_by, tuple(arguments))

    def _make(self, made_by: object, arguments: object) -> None:
        if not isinstance(made_by, Global) or not isinstance(arguments, tuple):
            raise PickleError("calls something that it does not name; it is refused")
        self._stack.append(Object(made_by, arguments))

    def build(self, _: object) -> None:
        state = self._pop()
        target = self._stack[-1]
        if not isinstance(target, Object):
            raise PickleError("sets the state of something other than an object; it is refused")
        target.state = state

    def append(self, _: object) -> None:
        value = self._pop()
        self._extend([value])

    def appends(self, _: object) -> None:
        self._extend(self._pop_to_mark())

    def _extend(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, Object):
            target.items.extend(values)
        elif isinstance(target, list):
            target.extend(values)
        else:
            self._misplaced()

    def set_item(self, _: object) -> None:
        value, key = self._pop(), self._pop()
        self._set([key, value])

    def set_items(self, _: object) -> None:
        self._set(self._pop_to_mark())

    def _set(self, values: list[Any]) -> None:
        target = self._stack[-1]
        keys = values[::2]
        if len(values) % 2 or not isinstance(target, dict | Object):
            self._misplaced()
        pairs = zip(keys, values[1::2], strict=True)
        if isinstance(target, Object):
            target.items.extend(pairs)
        else:
            # Only plain keys: hashing others would be deep, and no reader looks for them.
            target.update((key, value) for key, value in pairs if isinstance(key, str | int | float | bool | None))

    def _misplaced(self) -> NoReturn:
        raise PickleError("adds to something other than a list or dictionary; it is refused")

    def dict_(self, _: object) -> None:
        values = self._pop_to_mark()
        self._stack.append({})
        self._set(values)

    def list_(self, _: object) -> None:
        self._stack.append(self._pop_to_mark())

    def tuple_(self, _: object) -> None:
        self._stack.append(tuple(self._pop_to_mark()))

    def short_tuple(self, length: int) -> None:
        values = [self._pop() for _ in range(length)]
        self._stack.append(tuple(reversed(values)))

    def mark(self, _: object) -> None:
        self._stack.append(_MARK)

    def pop_mark(self, _: object) -> None:
        self._pop_to_mark()

    def pop(self, _: object) -> None:
        self._stack.pop()

    def dup(self, _: object) -> None:
        self._stack.append(self._stack[-1])

    def put(self, argument: int) -> None:
        self._memo[int(argument)] = self._stack[-1]

    def memoize(self, _: object) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def get(self, argument: int) -> None:
        self._stack.append(self._memo[int(argument)])

    def stop(self, _: object) -> None:
        self._done = True


_VALUES = frozenset(
    {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"}
    | {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"}
    | {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
)
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
_IGNORED = frozenset({"PROTO", "FRAME"})
_STEPS: dict[str, Callable[[_Reader, Any], None]] = {
    "GLOBAL": _Reader.global_,
    "STACK_GLOBAL": _Reader.stack_global,
    "REDUCE": _Reader.reduce,
    "NEWOBJ": _Reader.reduce,
    "NEWOBJ_EX": _Reader.new_with_keywords,
    "INST": _Reader.instance,
    "OBJ": _Reader.object_,
    "BUILD": _Reader.build,
    "APPEND": _Reader.append,
    "APPENDS": _Reader.appends,
    "SETITEM": _Reader.set_item,
    "SETITEMS": _Reader.set_items,
    "DICT": _Reader.dict_,
    "LIST": _Reader.list_,
    "TUPLE": _Reader.tuple_,
    "TUPLE1": lambda reader, _: reader.short_tuple(1),
    "TUPLE2": lambda reader, _: reader.short_tuple(2),
    "TUPLE3": lambda reader, _: reader.short_tuple(3),
    "MARK": _Reader.mark,
    "POP_MARK": _Reader.pop_mark,
    "POP": _Reader.pop,
    "DUP": _Reader.dup,
    "PUT": _Reader.put,
    "BINPUT": _Reader.put,
    "LONG_BINPUT": _Reader.put,
    "MEMOIZE": _Reader.memoize,
    "GET": _Reader.get,
    "BINGET": _Reader.get,
    "LONG_BINGET": _Reader.get,
    "STOP": _Reader.stop,
}


def short(value: object) -> str:
    """Return a value of a pickle as a message can show it."""
    if isinstance(value, Object):
        return str(value.kind)[:60]
    if isinstance(value, str | bytes | float | bool | None):
        return repr(value[:40] if isinstance(value, str | bytes) else value)
    # All others may be of any size and depth.
    return f"a value of type {type(value).__name__}"
