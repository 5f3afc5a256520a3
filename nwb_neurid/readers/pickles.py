"""Pickles of object arrays, which are read without running any code in them.

A pickle is a program that looks up functions by name and calls them. Here, `pickle.Unpickler` gets a class of this
module in place of each name in `ADMITTED`, and any other name is refused. NumPy's own functions for unpickling are
not used either, because a forged dtype makes them read memory out of bounds. Before any name is looked up, a first
pass over the steps of the pickle refuses pickles that would crash the interpreter, run for ever or fill the memory.
"""

import pickle
from collections.abc import Mapping, Sequence
from io import BytesIO
from mmap import mmap
from pickletools import OpcodeInfo, genops, markobject
from typing import IO, Any, cast

import numpy as np
from jaxtyping import Shaped

UNPICKLING_ERRORS = (
    pickle.UnpicklingError,
    ValueError,
    TypeError,
    EOFError,
    OverflowError,
    MemoryError,
    RecursionError,
    LookupError,
    AttributeError,
)
"""Errors that a damaged pickle causes."""

MOST_STEPS = 8_000_000
"""Maximum number of instructions in a pickle. Settings need a few thousand, and `stat.npy` needs about 260 for each
ROI.
"""

NUMBERS = frozenset({"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"})
"""The dtypes that are converted to numbers."""


class NotAdmitted(Exception):
    """Raised for a name that is not in `ADMITTED`."""


class _StandIn:
    """Base class of the replacements for the names in a pickle. The state of a replacement cannot be set."""

    __slots__ = ()

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        raise TypeError("it sets the state of an unsupported object")


class _Ignored(_StandIn):
    """A path or a date. Its value is not needed."""

    __slots__ = ()


class _Dtype(_StandIn):
    """The name and the byte order of a dtype."""

    __slots__ = ("name", "order")

    def __init__(self, name: object, *_: object) -> None:
        self.name = name
        self.order: Any = "="

    def __setstate__(self, state: Any) -> None:
        self.order = state[1]

    def values(self, data: bytes) -> Shaped[np.ndarray, " values"] | None:
        """Return the numbers in some bytes, or None if the dtype is not numeric."""
        if self.name not in NUMBERS:
            return None
        return np.frombuffer(data, np.dtype(str(self.name)).newbyteorder(self.order))


class _Scalar(_StandIn):
    """A NumPy scalar. It becomes a Python number, or None if it is not a number."""

    __slots__ = ()

    def __new__(cls, dtype: object, data: bytes) -> Any:
        if not isinstance(dtype, _Dtype):
            raise TypeError("it makes a number without a dtype")
        values = dtype.values(data)
        return None if values is None else values.item()


class PickledArray(_StandIn):
    """An array, as a list of its elements if they are objects, or otherwise as numbers."""

    __slots__ = ("numbers", "objects")

    def __init__(self, *_: object) -> None:
        self.objects: list[Any] | None = None
        self.numbers: Shaped[np.ndarray, ...] | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, by_column, content = state
        if isinstance(content, list):
            self.objects = content
        elif (values := dtype.values(content)) is not None:
            self.numbers = values.reshape(shape, order="F" if by_column else "C")


class _Reference(dict[str, Any]):
    """A reference of hdmf-zarr. It is a dict, whose items are set after it is made."""

    __slots__ = ()

    def __setstate__(self, _: object) -> None:
        raise TypeError("it sets the state of a reference")


ADMITTED: Mapping[tuple[str, str], type] = {
    ("numpy", "ndarray"): PickledArray,
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): PickledArray,
    ("numpy._core.multiarray", "_reconstruct"): PickledArray,
    ("numpy.core.multiarray", "scalar"): _Scalar,
    ("numpy._core.multiarray", "scalar"): _Scalar,
    **{
        (module, name): _Ignored
        for module in ("pathlib", "pathlib._local")  # Python 3.13 has the classes in the second module
        for name in ("PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath")
    },
    ("datetime", "datetime"): _Ignored,  # every ops.npy contains the date of processing with its time zone
    ("datetime", "timezone"): _Ignored,
    ("datetime", "timedelta"): _Ignored,
    ("hdmf_zarr.utils", "ZarrReference"): _Reference,
}
"""The only names that a pickle may use, by module and name, and the class that replaces each of them.

Each class has a `__setstate__`, so that the instruction BUILD cannot set attributes of the class or its instances.
"""

PUT = frozenset({"BINPUT", "LONG_BINPUT", "MEMOIZE"})
GET = frozenset({"BINGET", "LONG_BINGET"})
STEPS = (
    PUT
    | GET
    | {
        *("PROTO", "FRAME", "STOP", "NONE", "NEWTRUE", "NEWFALSE"),
        *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
        *("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
        *("MARK", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
        *("EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM", "SETITEMS"),
        *("GLOBAL", "STACK_GLOBAL", "REDUCE", "NEWOBJ", "BUILD"),
    }
)
"""Instructions that arrays need."""

KEYS = frozenset({"str", "int"})
"""Types of the keys that a dict may have, in the terms of `pickletools`. Hashing nested tuples could take for ever."""


class _Kinds:
    """The types of the values that a pickle would make: "str", "list" or "any", in the terms of `pickletools`.

    The instructions are followed without making any of the values.
    """

    def __init__(self) -> None:
        self.stack: list[str] = []
        self.marks: list[int] = []
        self.memo: dict[int, str] = {}

    def follow(self, step: OpcodeInfo, argument: Any) -> None:
        """Follow one instruction.

        Raises
        ------
        ValueError, TypeError
            If the unpickler must not run the instruction.
        LookupError
            If the instruction refers to a value that was not stored.
        """
        if step.name not in STEPS:
            raise ValueError(f"it contains the instruction {step.name}, which arrays do not need")
        if step.name == "MARK":
            self.marks.append(len(self.stack))
        elif step.name in PUT:
            index = len(self.memo) if argument is None else argument
            if index > len(self.memo):  # the unpickler would allocate memory for all smaller indices
                raise ValueError(f"it stores a value under number {index} after {len(self.memo)} others")
            self.memo[index] = self.stack[-1]
        elif step.name in GET:
            self.stack.append(self.memo[argument])
        else:
            taken = self._take(step)
            if step.name in {"SETITEM", "SETITEMS"}:
                _check_keys(taken[1::2])
            self.stack += [kind.name for kind in step.stack_after]

    def _take(self, step: OpcodeInfo) -> list[str]:
        """Remove the values that an instruction takes off the stack, and return their types."""
        before = step.stack_before
        top = self.marks.pop() if markobject in before else len(self.stack)
        start = top - (before.index(markobject) if markobject in before else len(before))
        if start < 0:
            raise IndexError
        taken = self.stack[start:]
        del self.stack[start:]
        return taken


def _check_keys(kinds: Sequence[str]) -> None:
    if wrong := set(kinds) - KEYS:
        raise TypeError(f"a key has the type {min(wrong)}")


def _check_steps(pickled: mmap | BytesIO) -> None:
    """Refuse a pickle that is not safe for the unpickler, from its instructions alone.

    Raises the same errors as `load_objects`.
    """
    kinds = _Kinds()
    for count, (step, argument, _) in enumerate(genops(cast("IO[bytes]", pickled))):
        if count == MOST_STEPS:
            raise ValueError(f"it takes more than {MOST_STEPS} steps to build")
        kinds.follow(step, argument)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ADMITTED:
            raise NotAdmitted(f"{module}.{name}")
        return ADMITTED[module, name]


def load_objects(pickled: mmap | bytes) -> list[Any]:
    """Load the elements of a pickled array of objects.

    Parameters
    ----------
    pickled
        The bytes, or a memory map of a file from the position at which they begin.

    Returns
    -------
    list
        Numbers and text, and lists, tuples and dicts of them. Arrays inside are `PickledArray`. Paths and dates are
        opaque objects.

    Raises
    ------
    NotAdmitted
        If the pickle uses a name that is not in `ADMITTED`.
    Exception
        One of `UNPICKLING_ERRORS`, if the pickle is damaged, takes more than `MOST_STEPS` steps, or is not an array
        of objects.
    """
    file = BytesIO(pickled) if isinstance(pickled, bytes) else pickled
    start = file.tell()
    _check_steps(file)
    file.seek(start)
    array = _Unpickler(file).load()
    if not isinstance(array, PickledArray) or array.objects is None:
        raise TypeError("it does not build an array of objects")
    return array.objects
