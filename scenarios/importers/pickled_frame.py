"""The rows of a pandas frame out of a pickle, without pandas.

The layouts of pandas 0.23 to 2 are known, with numpy 1 and 2; of pandas 3, frames whose columns are named by
plain objects.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scenarios.importers.inert_pickle import Object, PickleError, short

MAX_ROWS = 1_000_000
"""Of a table: almost two years of minutes."""

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
        "_codecs.encode",
        "builtins.slice",
        "__builtin__.slice",
    }
)
"""What a frame's pickle names; all of it stays a name (`inert_pickle`)."""

_NUMBERS = frozenset({"f8", "f4", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1"})
_COLUMNS = 2


def frame_rows(frame: object) -> list[tuple[object, object]]:
    """Return a frame's rows of two values; `number` says which numbers they are.

    Raises:
        PickleError: It is no such frame.
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
    """Return the finite number that a value is or spells; raise `PickleError` where it is none."""
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
    """Return values and placement of each block of columns with the same type."""
    if isinstance(manager, Object) and manager.kind.name == "BlockManager":
        match manager.given, manager.state:
            case (tuple() | list() as blocks, *_), _ if all(
                isinstance(block, Object) and len(block.arguments) >= 2 for block in blocks
            ):
                return [(block.arguments[0], block.arguments[1]) for block in blocks]
            case (), (*_, {"0.14.1": {"blocks": list() as old}}) if all(isinstance(block, dict) for block in old):
                return [(block.get("values"), block.get("mgr_locs")) for block in old]
    raise PickleError("a table is stored in a way that is not known")


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
    """Return a numpy array as rows; one of one dimension is a single row."""
    if not isinstance(array, Object):
        raise PickleError("an array of numbers is expected")
    fortran: object = False
    match array.made_by.name, array.arguments, array.state:
        case "_reconstruct", _, (_, shape, dtype, fortran, data):
            pass
        case "_frombuffer", (data, dtype, shape, order), _:
            fortran = order == "F"
        case _:
            raise PickleError("an array is stored in a way that is not known")
    if not isinstance(shape, tuple) or len(shape) != dimensions or not all(_is_size(size) for size in shape):
        raise PickleError(f"an array of at most {MAX_ROWS} numbers is expected")
    rows, columns = shape if dimensions == 2 else (1, shape[0])
    if isinstance(data, list):
        # Objects are listed row by row, whatever the order in memory was.
        values, fortran = data, False
    else:
        values = _numbers(data, dtype)
    if len(values) != rows * columns:
        raise PickleError("an array is not as long as it says")
    if fortran:
        return [values[row::rows] for row in range(rows)]
    return [values[row * columns : (row + 1) * columns] for row in range(rows)]


def _is_size(size: object) -> bool:
    return isinstance(size, int) and 0 <= size <= MAX_ROWS


def _numbers(data: object, dtype: object) -> list[Any]:
    if isinstance(data, Object) and data.made_by.name == "encode" and data.arguments:
        # Protocol 2 has no bytes; it writes them as text.
        data = _latin_1(data.arguments[0])
    if not isinstance(data, bytes | bytearray):
        raise PickleError("an array holds no numbers")
    code = dtype.arguments[0] if isinstance(dtype, Object) and dtype.made_by.name == "dtype" and dtype.arguments else ""
    state = dtype.state if isinstance(dtype, Object) else None
    order = state[1] if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">") else "<"
    if code not in _NUMBERS:
        raise PickleError(f"an array of numbers is expected, not of {short(code)}")
    kind = np.dtype(f"{order}{code}")
    if len(data) % kind.itemsize:
        raise PickleError("an array is not as long as it says")
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
    raise PickleError("a number is stored in a way that is not known")
