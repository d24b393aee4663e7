"""Reads the rows of a pickled pandas frame without pandas.

It supports the layouts of pandas 0.23 to 3 with numpy 1 and 2: numpy arrays, and pandas 3's own arrays of text (with or
without pyarrow) and of nullable numbers.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from scenarios.importers.safe_pickle import Object, PickleError, short

MAX_ROWS = 1_000_000
"""Maximum number of rows of a table: almost two years of minutes."""

FRAME_NAMES = frozenset(
    {
        "pandas.DataFrame",
        "pandas.core.frame.DataFrame",
        "pandas.core.internals.BlockManager",
        "pandas.core.internals.managers.BlockManager",
        "pandas._libs.internals._unpickle_block",
        "pandas.Index",
        "pandas.RangeIndex",
        "pandas.core.indexes.base.Index",
        "pandas.core.indexes.base._new_Index",
        "pandas.core.indexes.numeric.Int64Index",
        "pandas.core.indexes.range.RangeIndex",
        "numpy.dtype",
        "numpy.ndarray",
        "numpy.core.multiarray._reconstruct",
        "numpy.core.multiarray.scalar",
        "numpy.core.numeric._frombuffer",
        "numpy._core.multiarray._reconstruct",
        "numpy._core.multiarray.scalar",
        "numpy._core.numeric._frombuffer",
        "pandas.arrays.StringArray",
        "pandas.arrays.ArrowStringArray",
        "pandas.arrays.ArrowExtensionArray",
        "pandas.arrays.IntegerArray",
        "pandas.arrays.FloatingArray",
        "pandas.core.arrays.string_.StringArray",
        "pandas.core.arrays.string_.StringDtype",
        "pandas.core.arrays.string_.StringArrayNumpySemantics",
        "pandas.core.arrays.string_arrow.ArrowStringArray",
        "pandas.core.arrays.string_arrow.ArrowStringArrayNumpySemantics",
        "pandas.core.arrays.arrow.array.ArrowExtensionArray",
        "pandas.core.arrays.integer.IntegerArray",
        "pandas.core.arrays.floating.FloatingArray",
        "pandas.core.dtypes.dtypes.ArrowDtype",
        "pandas._libs.arrays.__pyx_unpickle_NDArrayBacked",
        "pandas._libs.missing.NA",
        "pandas._libs.missing._NA",
        "pandas.NA",
        *(f"pandas.{kind}Dtype" for kind in ("String", "Arrow")),
        *(f"pandas.{kind}{bits}Dtype" for kind in ("Int", "UInt") for bits in (8, 16, 32, 64)),
        *(f"pandas.core.arrays.integer.{kind}{bits}Dtype" for kind in ("Int", "UInt") for bits in (8, 16, 32, 64)),
        *(f"{module}.Float{bits}Dtype" for module in ("pandas", "pandas.core.arrays.floating") for bits in (32, 64)),
        "pyarrow.lib._restore_array",
        "pyarrow.lib.chunked_array",
        "pyarrow.lib.type_for_alias",
        "pyarrow.lib.py_buffer",
        "_codecs.encode",
        "builtins.bytearray",
        "__builtin__.bytearray",
        "builtins.slice",
        "__builtin__.slice",
    }
)
"""Names in the pickle of a frame; they are never resolved (`scenarios.importers.safe_pickle`)."""

NEWEST = "3.1"
"""The newest pandas whose frames are supported."""

_TEXT_OFFSETS = {"string": "<i4", "large_string": "<i8"}
"""Type of the text offsets, by Arrow's name for the type."""
_ARROW_NUMBERS = {"int64": "<i8", "int32": "<i4", "double": "<f8", "float": "<f4"}
_NUMBERS = frozenset({"f8", "f4", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1"})
_COLUMNS = 2


def frame_rows(frame: object) -> list[tuple[object, object]]:
    """Return a frame's rows of two values; `number` converts them.

    Raises:
        PickleError: It is not a frame with two columns.
    """
    if not isinstance(frame, Object) or frame.kind.name != "DataFrame" or not isinstance(frame.state, dict):
        raise PickleError("a table (pandas.DataFrame) is expected")
    columns: dict[int, list[Any]] = {}
    for values, placement in _blocks(frame.state.get("_mgr") or frame.state.get("_data")):
        rows = _array(values)
        places = _places(placement, len(rows))
        columns.update(zip(places, rows, strict=True))
    if sorted(columns) != list(range(_COLUMNS)):
        raise PickleError(f"a table of {_COLUMNS} columns (time, Wh) is expected, there are {len(columns)}")
    if len(columns[0]) != len(columns[1]):
        raise PickleError("a table's columns are not of one length")
    return list(zip(columns[0], columns[1], strict=True))


def number(value: object) -> float:
    """Return a value, or the number that a text spells, as a finite float.

    Raises:
        PickleError: It is not a finite number.
    """
    if isinstance(value, Object) and value.made_by.name == "scalar":
        value = _scalar(value)
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            found = float(value)
        except (ValueError, OverflowError):
            found = math.nan
        if math.isfinite(found):
            return found
    raise PickleError(f"a finite number is expected, not {short(value)}")


def _blocks(manager: object) -> list[tuple[object, object]]:
    """Return values and placement of each block of columns of the same type."""
    if isinstance(manager, Object) and manager.kind.name == "BlockManager":
        match manager.given, manager.state:
            case (tuple() | list() as blocks, *_), _ if all(
                isinstance(block, Object) and len(block.arguments) >= 2 for block in blocks
            ):
                return [(block.arguments[0], block.arguments[1]) for block in blocks]
            case (), (*_, {"0.14.1": {"blocks": list() as old}}) if all(isinstance(block, dict) for block in old):
                return [(block.get("values"), block.get("mgr_locs")) for block in old]
    raise PickleError("a table is stored in an unknown format")


def _places(placement: object, count: int) -> list[int]:
    if isinstance(placement, Object) and placement.made_by.name == "slice" and len(placement.arguments) == 3:
        start, stop, step = (value if isinstance(value, int) else 1 for value in placement.arguments)
        places = [start + i * step for i in range(count)] if 0 < (stop - start) * step < 1000 else []
    else:
        places = [int(number(place)) for place in _array(placement, dimensions=1)[0]]
    if len(places) != count:
        raise PickleError("a table's columns are not where they should be")
    return places


def _array(array: object, dimensions: int = 2) -> list[list[Any]]:
    """Return a numpy array as rows; a one-dimensional array, or a pandas array, is a single row."""
    if not isinstance(array, Object):
        raise PickleError("an array of numbers is expected")
    own = _pandas_array(array)
    if own is not None:
        return [own]
    fortran: object = False
    match array.made_by.name, array.arguments, array.state:
        case "_reconstruct", _, (_, shape, dtype, fortran, data):
            pass
        case "_frombuffer", (data, dtype, shape, order), _:
            fortran = order == "F"
        case _:
            raise PickleError("an array is stored in an unknown format")
    if not isinstance(shape, tuple) or len(shape) != dimensions or not all(_is_size(size) for size in shape):
        raise PickleError(f"an array of at most {MAX_ROWS} numbers is expected")
    rows, columns = shape if dimensions == 2 else (1, shape[0])
    if isinstance(data, list):
        # Objects are listed row by row, regardless of their order in memory.
        values, fortran = data, False
    else:
        values = _numbers(data, dtype)
    if len(values) != rows * columns:
        raise PickleError("an array's length differs from its declaration")
    if fortran:
        return [values[row::rows] for row in range(rows)]
    return [values[row * columns : (row + 1) * columns] for row in range(rows)]


def _pandas_array(array: Object) -> list[Any] | None:
    """Return the values of a pandas array, None for missing ones; None for a numpy array."""
    state = array.state
    match array.kind.name, state:
        case "__pyx_unpickle_NDArrayBacked", tuple():
            inner = next((part for part in state if isinstance(part, Object) and _is_numpy(part)), None)
            return _array(inner, dimensions=1)[0]
        case (("IntegerArray" | "FloatingArray"), {"_data": values, "_mask": Object() as mask}):
            return _masked(_array(values, dimensions=1)[0], _flags(mask))
        case (("ArrowStringArray" | "ArrowStringArrayNumpySemantics" | "ArrowExtensionArray"), dict()):
            return _arrow(state.get("_pa_array", state.get("_data")))
    return None


def _is_numpy(array: Object) -> bool:
    return array.made_by.name in ("_reconstruct", "_frombuffer")


def _masked(values: list[Any], missing: list[bool]) -> list[Any]:
    if len(values) != len(missing):
        raise PickleError("an array's length differs from its declaration")
    return [None if is_missing else value for value, is_missing in zip(values, missing, strict=True)]


def _flags(mask: Object) -> list[bool]:
    """Return an array of booleans."""
    data = mask.arguments[0] if mask.made_by.name == "_frombuffer" and mask.arguments else None
    if data is None and isinstance(mask.state, tuple) and mask.state:
        data = mask.state[-1]
    return [bool(byte) for byte in _bytes(data)]


def _arrow(array: object) -> list[Any]:
    """Return the values of an Arrow array, which consists of types, lengths and buffers."""
    match array:
        case Object(made_by=made_by, arguments=(list() as chunks, *_)) if made_by.name == "chunked_array":
            return [value for chunk in chunks for value in _arrow(chunk)]
        case Object(
            made_by=made_by,
            arguments=(
                (Object(arguments=(str() as kind,)), int() as length, _, int() as offset, list() as buffers, *_),
            ),
        ) if made_by.name == "_restore_array" and _is_size(length) and _is_size(offset):
            return _arrow_values(kind, offset, length, [None if one is None else _bytes(one) for one in buffers])
    raise PickleError("an array is stored in an unknown format")


def _arrow_values(kind: str, offset: int, length: int, buffers: list[bytes | None]) -> list[Any]:
    there, *parts = buffers or [None]
    end = offset + length
    if kind in _TEXT_OFFSETS and len(parts) == 2:
        places, text = parts[0] or b"", parts[1] or b""
        at = _frombuffer(places, _TEXT_OFFSETS[kind])[offset : end + 1]
        if (
            len(at) != length + 1
            or any(a > b for a, b in pairwise(at))
            or (at and not 0 <= at[0] <= at[-1] <= len(text))
        ):
            raise PickleError("an array's length differs from its declaration")
        values: list[Any] = [text[a:b].decode("utf-8", "replace") for a, b in pairwise(at)]
    elif kind in _ARROW_NUMBERS and len(parts) == 1:
        values = _frombuffer(parts[0] or b"", _ARROW_NUMBERS[kind])[offset:end]
    else:
        raise PickleError(f"an array of numbers is expected, not of {short(kind)}")
    if len(values) != length or (there is not None and len(there) * 8 < end):
        raise PickleError("an array's length differs from its declaration")
    if there is None:
        return values
    return [value if there[i // 8] >> i % 8 & 1 else None for i, value in enumerate(values, start=offset)]


def _frombuffer(data: bytes, kind: str) -> list[Any]:
    dtype = np.dtype(kind)
    # Arrow's buffers are padded.
    return list(np.frombuffer(data[: len(data) // dtype.itemsize * dtype.itemsize], dtype=dtype).tolist())


def _bytes(value: object) -> bytes:
    """Return the bytes of a value: a buffer, a bytearray, or text of pickle protocol 2."""
    for _ in range(6):
        match value:
            case bytes() | bytearray():
                return bytes(value)
            case str():
                value = _latin_1(value)
            case Object(arguments=(inner, *_)) if value.made_by.name in ("py_buffer", "bytearray", "encode"):
                value = inner
            case Object(arguments=()) if value.made_by.name == "bytearray":
                return b""
    raise PickleError("an array holds no numbers")


def _is_size(size: object) -> bool:
    return isinstance(size, int) and 0 <= size <= MAX_ROWS


def _numbers(data: object, dtype: object) -> list[Any]:
    # Protocol 2 has no bytes and writes them as text.
    data = _bytes(data)
    code = dtype.arguments[0] if isinstance(dtype, Object) and dtype.made_by.name == "dtype" and dtype.arguments else ""
    state = dtype.state if isinstance(dtype, Object) else None
    order = state[1] if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">") else "<"
    if code not in _NUMBERS:
        raise PickleError(f"an array of numbers is expected, not of {short(code)}")
    kind = np.dtype(f"{order}{code}")
    if len(data) % kind.itemsize:
        raise PickleError("an array's length differs from its declaration")
    return list(np.frombuffer(data, dtype=kind).tolist())


def _latin_1(text: object) -> bytes | None:
    try:
        return text.encode("latin-1") if isinstance(text, str) else None
    except UnicodeEncodeError:
        return None


def _scalar(value: Object) -> object:
    match value.arguments:
        case (dtype, data):
            values = _numbers(data, dtype)
            if len(values) == 1:
                return values[0]
    raise PickleError("a number is stored in an unknown format")
