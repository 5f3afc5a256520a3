"""Pickles of object arrays, read without running anything that they hold.

A pickle is a program that names functions and calls them. Here its steps are followed one by one. Values are built
from its literals, and a name stands for what `ADMITTED` puts in its place or for nothing. NumPy's own way back from a
pickle is not taken either: a forged dtype makes it read memory that is not its own.
"""

from collections.abc import Callable, Mapping
from mmap import mmap
from pathlib import PurePosixPath, PureWindowsPath
from pickletools import genops
from typing import IO, Any, cast

import numpy as np

UNPICKLING_ERRORS = (
    ValueError,
    TypeError,
    EOFError,
    OverflowError,
    MemoryError,
    RecursionError,
    LookupError,
    AttributeError,
)
"""What a damaged pickle comes to."""

MOST_STEPS = 8_000_000
"""Settings take a few thousand steps, and `stat.npy` some 260 for each ROI."""

LONGEST_SCALAR = 16  # bytes


class NotAdmitted(Exception):
    """A name that is not in `ADMITTED`."""


class _Array:
    """An array as far as anybody here needs it: what it holds where it holds objects."""

    __slots__ = ("objects",)

    def __init__(self, *_: object) -> None:
        self.objects: list[Any] | None = None

    def build(self, state: Any) -> None:
        _, _, _, _, content = state
        self.objects = content if isinstance(content, list) else None


class _Dtype:
    """The name and the byte order of a dtype."""

    __slots__ = ("name", "order")

    def __init__(self, name: str, *_: object) -> None:
        self.name = name
        self.order: Any = "="

    def build(self, state: Any) -> None:
        self.order = state[1]


_NUMBERS = frozenset({"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"})


def _scalar(dtype: Any, data: Any) -> float | int | None:
    """A NumPy scalar as a number; None for any other."""
    if dtype.name not in _NUMBERS:
        return None
    number: float | int = np.frombuffer(data, np.dtype(dtype.name).newbyteorder(dtype.order), 1)[0].item()
    return number


def _date(*_: object) -> None:
    """When it was run: nobody here asks."""


def _reference(*_: object) -> dict[str, Any]:
    """A reference of hdmf-zarr, which is a dict; its items come after it."""
    return {}


ADMITTED: Mapping[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("pathlib", "PosixPath"): PurePosixPath,
    ("pathlib", "PurePosixPath"): PurePosixPath,
    ("pathlib", "WindowsPath"): PureWindowsPath,
    ("pathlib", "PureWindowsPath"): PureWindowsPath,
    ("pathlib._local", "PosixPath"): PurePosixPath,  # the module in which Python 3.13 keeps them
    ("pathlib._local", "PurePosixPath"): PurePosixPath,
    ("pathlib._local", "WindowsPath"): PureWindowsPath,
    ("pathlib._local", "PureWindowsPath"): PureWindowsPath,
    ("datetime", "datetime"): _date,  # every ops.npy has the date of its processing, with its time zone
    ("datetime", "timezone"): _date,
    ("datetime", "timedelta"): _date,
    ("hdmf_zarr.utils", "ZarrReference"): _reference,
}
"""By module and name, and nothing else: what is called in the place of what the file names."""


class _Name:
    """An admitted name, not yet called."""

    __slots__ = ("call",)

    def __init__(self, module: str, name: str) -> None:
        if (module, name) not in ADMITTED:
            raise NotAdmitted(f"{module}.{name}")
        self.call = ADMITTED[module, name]


class _Stack:
    """The values in the making. Its methods are the steps of a pickle, each with the argument of the step."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def push(self, value: Any) -> None:
        self.values.append(value)

    def push_bytes(self, value: bytes) -> None:
        self.push(value if len(value) <= LONGEST_SCALAR else b"")

    def mark(self, _: None) -> None:
        self.marks.append(len(self.values))

    def put(self, index: int | None) -> None:
        self.memo[len(self.memo) if index is None else index] = self.values[-1]

    def get(self, index: int) -> None:
        self.push(self.memo[index])

    def tuple_of(self, values: list[Any]) -> None:
        self.push(tuple(values))

    def since_mark(self) -> list[Any]:
        return self.last(len(self.values) - self.marks.pop())

    def last(self, count: int) -> list[Any]:
        """Takes off the last values."""
        if not 0 <= count <= len(self.values):
            raise IndexError
        start = len(self.values) - count
        values = self.values[start:]
        del self.values[start:]
        return values

    def append(self, values: list[Any]) -> None:
        target = self.values[-1]
        if type(target) is not list:
            raise TypeError(f"appends to a {type(target).__name__}")
        target.extend(values)

    def set_items(self, values: list[Any]) -> None:
        target = self.values[-1]
        if type(target) is not dict:
            raise TypeError(f"sets items of a {type(target).__name__}")
        for key, value in zip(values[::2], values[1::2], strict=True):
            if type(key) not in (str, int):  # hashing a nest of tuples can take for ever
                raise TypeError(f"a key is a {type(key).__name__}")
            target[key] = value

    def name(self, both: str) -> None:
        module, _, name = both.partition(" ")
        self.push(_Name(module, name))

    def name_from_stack(self, _: None) -> None:
        module, name = self.last(2)
        self.push(_Name(str(module), str(name)))

    def reduce(self, _: None) -> None:
        name, arguments = self.last(2)
        if type(name) is not _Name:
            raise TypeError(f"calls a {type(name).__name__}")
        self.push(name.call(*arguments))

    def build(self, _: None) -> None:
        (state,) = self.last(1)
        target = self.values[-1]
        if not isinstance(target, _Array | _Dtype):
            raise TypeError(f"sets the state of a {type(target).__name__}")
        target.build(state)


_STEPS: Mapping[str, Callable[[_Stack, Any], None]] = {
    "PROTO": lambda _stack, _: None,
    "FRAME": lambda _stack, _: None,
    "STOP": lambda _stack, _: None,
    "NONE": lambda stack, _: stack.push(None),
    "NEWTRUE": lambda stack, _: stack.push(True),
    "NEWFALSE": lambda stack, _: stack.push(False),
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"), _Stack.push),
    **dict.fromkeys(("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"), _Stack.push),
    **dict.fromkeys(("SHORT_BINBYTES", "BINBYTES", "BINBYTES8"), _Stack.push_bytes),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT", "MEMOIZE"), _Stack.put),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _Stack.get),
    "MARK": _Stack.mark,
    "EMPTY_TUPLE": lambda stack, _: stack.push(()),
    "EMPTY_LIST": lambda stack, _: stack.push([]),
    "EMPTY_DICT": lambda stack, _: stack.push({}),
    "TUPLE": lambda stack, _: stack.tuple_of(stack.since_mark()),
    "TUPLE1": lambda stack, _: stack.tuple_of(stack.last(1)),
    "TUPLE2": lambda stack, _: stack.tuple_of(stack.last(2)),
    "TUPLE3": lambda stack, _: stack.tuple_of(stack.last(3)),
    "APPEND": lambda stack, _: stack.append(stack.last(1)),
    "APPENDS": lambda stack, _: stack.append(stack.since_mark()),
    "SETITEM": lambda stack, _: stack.set_items(stack.last(2)),
    "SETITEMS": lambda stack, _: stack.set_items(stack.since_mark()),
    "GLOBAL": _Stack.name,
    "STACK_GLOBAL": _Stack.name_from_stack,
    "REDUCE": _Stack.reduce,
    "NEWOBJ": _Stack.reduce,
    "BUILD": _Stack.build,
}


def objects_of(pickled: mmap | bytes) -> list[Any]:
    """What an object array holds, one after another: numbers, text, paths, lists, tuples and dicts of them.

    Arrays inside stand there as opaque values.

    Parameters
    ----------
    pickled
        The bytes, or a map of a file at the place where they begin.

    Raises
    ------
    NotAdmitted
        If it names anything that is not in `ADMITTED`.
    Exception
        One of `UNPICKLING_ERRORS` if it is damaged, takes more than `MOST_STEPS` steps, or makes no such array.
    """
    stack = _Stack()
    for count, (step, argument, _) in enumerate(genops(cast("IO[bytes]", pickled))):
        if count == MOST_STEPS:
            raise ValueError(f"it takes more than {MOST_STEPS} steps to build")
        if step.name not in _STEPS:
            raise ValueError(f"it takes the step {step.name}, which arrays do not need")
        _STEPS[step.name](stack, argument)
    (array,) = stack.values
    if not isinstance(array, _Array) or array.objects is None:
        raise TypeError("it makes no array of objects")
    return array.objects
