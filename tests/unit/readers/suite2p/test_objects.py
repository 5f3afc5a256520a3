"""Objects in `.npy` files: what suite2p writes is read, and nothing is ever run."""

import builtins
import contextlib
import datetime
import io
import os
import pickle
import time
from pathlib import PurePath, PurePosixPath, PureWindowsPath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import runstring

from nwb_neurid.errors import InvalidSource, UnreadableSource
from nwb_neurid.readers import pickles
from nwb_neurid.readers.pickles import ADMITTED
from nwb_neurid.readers.suite2p.pickled import objects

OPS = {
    "fs": 7.5,
    "tau": np.float32(1.25),
    "nframes": np.int64(-70_000),
    "nplanes": 3,
    "do_registration": np.bool_(True),
    "keep_movie_raw": False,
    "diameter": [12, 12.0, [1, (2, 3), ()]],
    "xrange": (2, 510, 3, 4),
    "big": 2**70,
    "none": None,
    "extraction": {"neuropil_coefficient": np.float16(0.5), 7: "number as key"},
    "folder": "Mäuse",
    "date_proc": datetime.datetime(2024, 5, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=1), "MEZ")),
    "save_path": PurePosixPath("/data/mouse"),
    "windows": PureWindowsPath("D:\\data\\mouse"),
    "label": np.str_("text"),
    "meanImg": np.ones((4, 4), np.float32),
    "filelist": np.array(["a.tif", "b.tif"]),
    "nested": np.array([{"a": 1}, None], object),
}


def npy(body, shape=()):
    """A `.npy` file of objects with this pickle."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": shape})
    return file.getvalue() + body


def pickled(value, protocol=4):
    return npy(pickle.dumps(np.array(value, object), protocol))


@pytest.fixture
def read(tmp_path):
    def read(contents):
        path = tmp_path / "ops.npy"
        path.write_bytes(contents)
        return objects(path)

    return read


def test_settings_are_read_as_they_were_saved(tmp_path):
    np.save(tmp_path / "ops.npy", OPS)
    (found,) = objects(tmp_path / "ops.npy")
    opaque = {"date_proc", "label", "save_path", "windows", "meanImg", "filelist", "nested"}
    assert found.keys() == OPS.keys()
    for key in OPS.keys() - opaque:
        assert found[key] == OPS[key], key
    assert type(found["tau"]) is float
    np.testing.assert_array_equal(found["meanImg"].numbers, OPS["meanImg"])
    assert found["filelist"].numbers is None


def test_an_array_of_rois_is_a_list_of_them(tmp_path):
    rois = [{"med": [row, 2], "iplane": np.int32(row // 2), "ypix": np.arange(row)} for row in range(6)]
    np.save(tmp_path / "stat.npy", np.array(rois, object))
    assert [roi["iplane"] for roi in objects(tmp_path / "stat.npy")] == [0, 0, 1, 1, 2, 2]


def test_files_of_old_numpy_are_read(read):
    contents = pickled(OPS, 3)
    assert b"numpy._core.multiarray\n_reconstruct" in contents
    (found,) = read(contents.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert found["tau"] == 1.25


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["i2", "u4", "i8", "f4", "f8"])
def test_numbers_keep_their_value_in_either_byte_order(read, order, kind):
    value = np.array(1234, order + kind)
    scalar, _ = np.float64(1).__reduce__()
    (found,) = read(pickled({"value": Payload(scalar, value.dtype, value.tobytes())}))
    assert found["value"] == 1234


@pytest.mark.parametrize(
    ("written", "claimed"),
    [(PureWindowsPath("D:\\data\\mouse"), b"WindowsPath"), (PurePosixPath("/data/mouse"), b"PosixPath")],
)
@pytest.mark.parametrize("module", [b"pathlib", b"pathlib._local"])
def test_paths_of_other_systems_open(read, written, claimed, module):
    own = type(written).__module__.encode() + b"\n" + type(written).__name__.encode()
    contents = pickled({"path": written, "fs": 3.0}, 3)
    assert own in contents
    (found,) = read(contents.replace(own, module + b"\n" + claimed))
    assert found["fs"] == 3.0
    assert not isinstance(found["path"], PurePath | str)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["i2", "u1", "i8", "f4", "f8", "?"])
def test_arrays_of_numbers_keep_their_values(read, order, kind):
    values = np.arange(12).reshape(3, 4).astype(order + kind)
    (found,) = read(pickled({"by_row": values, "by_column": np.asfortranarray(values), "none": values[:0]}))
    for name in ("by_row", "by_column"):
        np.testing.assert_array_equal(found[name].numbers, values)
    assert found["none"].numbers.shape == (0, 4)


class Payload:
    def __init__(self, call, *arguments):
        self.reduced = call, arguments

    def __reduce__(self):
        return self.reduced


def payloads(mark):
    code = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    return {
        "system": Payload(os.system, f'echo > "{mark}"'),
        "runstring": Payload(runstring, code, {}),
        "eval": Payload(builtins.eval, code),
    }


@pytest.mark.parametrize("protocol", [3, 4])
@pytest.mark.parametrize("name", ["system", "runstring", "eval"])
def test_payloads_run_nothing(read, tmp_path, name, protocol):
    mark = tmp_path / "run"
    call, _ = payloads(mark)[name].reduced
    contents = pickled({"fs": payloads(mark)[name]}, protocol)
    with pytest.raises(UnreadableSource) as raised:
        read(contents)
    assert not mark.exists()
    assert f"{tmp_path / 'ops.npy'} refers to '" in str(raised.value)
    assert f"{call.__module__}.{call.__name__}', which could run code; nothing was run." in str(raised.value)
    assert "move it away and pass --rate-hz" in str(raised.value)
    np.load(tmp_path / "ops.npy", allow_pickle=True)
    assert mark.exists(), "the payload is a dud, so this test shows nothing"


@pytest.mark.parametrize(
    "name",
    [
        "numpy.core.multiarray frombuffer",
        "numpy load",
        "numpy._core.multiarray _reconstruct.__globals__",
        "numpy.testing ndarray",
        "pathlib Path",
        "pathlib PosixPath.home",
        "datetime sys",
        "builtins getattr",
        "copyreg _reconstructor",
    ],
)
def test_nothing_is_admitted_by_the_beginning_of_its_name(read, name):
    module, attribute = name.split()
    text = [b"\x8c" + bytes([len(part)]) + part.encode() for part in (module, attribute)]
    for body in (f"c{module}\n{attribute}\n.".encode(), b"\x80\x04" + b"".join(text) + b"\x93."):
        with pytest.raises(UnreadableSource, match=rf"ops.npy refers to '{module}.{attribute}', which could run code"):
            read(npy(body))


def test_what_is_admitted_makes_values_only():
    assert {module.partition(".")[0] for module, _ in ADMITTED} == {"numpy", "pathlib", "datetime", "hdmf_zarr"}
    assert {made.__module__ for made in ADMITTED.values()} == {"nwb_neurid.readers.pickles"}


STATES = [
    {"x": 1},
    (None, {"__call__": 1, "x": 1}),
    ({"x": 1}, {"__init__": None, "objects": None, "name": "f8", "order": "<"}),
    (1, 2, 3, 4, 5),
]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("called", [b"", b")R", b")\x81"])
def test_no_state_is_set_of_what_names_stand_for(read, state, called):
    """BUILD would set any attribute of a class or a function that it is given."""
    before = {made: dict(vars(made)) for made in ADMITTED.values()}
    body = pickle.dumps(state, 4)[11:-1].replace(b"\x94", b"")
    for module, name in ADMITTED:
        with pytest.raises(UnreadableSource, match="is damaged"):
            read(npy(f"c{module}\n{name}\n".encode() + called + body + b"b."))
    assert {made: dict(vars(made)) for made in ADMITTED.values()} == before


class ForgedDtype:
    """Says of eight bytes that they are an object, and that no object is in them."""

    def __reduce__(self):
        return np.dtype, ("V8", False, True), (3, "|", None, ("a",), {"a": (np.dtype(object), 0)}, 8, 1, 0)


class ForgedArray:
    def __reduce__(self):
        state = (1, (1,), ForgedDtype(), False, b"A" * 8)
        return np.zeros(1).__reduce__()[0], (np.ndarray, (0,), b"b"), state


def test_a_forged_array_is_not_made(read):
    """NumPy's own reconstruction makes one whose elements point anywhere; reading one ends the interpreter."""
    (found,) = read(pickled({"fs": 3.0, "forged": ForgedArray()}))
    assert found["fs"] == 3.0
    assert not isinstance(found["forged"], np.ndarray)


DICT = b"\x80\x04}"  # an empty dict on the stack
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
NEST = b")" + b"\x86".join([b"q\x00h\x00"] * 200) + b"\x86"  # a pair of itself, 200 deep: hashing it never ends


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "pickle exhausted before seeing STOP"),
        (b"\xff", "opcode b'\\xff' unknown"),
        (DICT, "pickle exhausted before seeing STOP"),
        (DICT + b".", "does not build an array of objects"),
        (DICT + b"}.", "does not build an array of objects"),
        (b"\x80\x04.", "refers to a value that was not stored"),
        (b"\x80\x04h\x05.", "refers to a value that was not stored"),
        (b"\x80\x04a.", "refers to a value that was not stored"),
        (b"\x80\x04u.", "refers to a value that was not stored"),
        (b"\x80\x04\x85.", "refers to a value that was not stored"),
        (b"\x80\x04q\x00.", "refers to a value that was not stored"),
        (DICT + b"Na.", "'dict' object has no attribute 'append'"),
        (b"\x80\x04]K\x00Ns.", "refers to a value that was not stored"),
        (DICT + b"(K\x00u.", "odd number of items"),
        (DICT + b")Ns.", "a key has the type tuple"),
        (b"\x80\x04" + DICT[2:] + NEST + b"Ns.", "a key has the type tuple"),
        (DICT + b")R.", "'dict' object is not callable"),
        (DICT + b"}b.", "'dict' object has no attribute '__dict__'"),
        (RECONSTRUCT + b"}b.", "missing"),
        (RECONSTRUCT + b")R}b.", "not enough values to unpack"),
        (RECONSTRUCT + b"NR.", "argument list must be a tuple"),
        (b"cnumpy.core.multiarray\nscalar\nNN\x86R.", "dtype"),
        (b"\x80\x05\x8f.", "contains the instruction EMPTY_SET, which arrays do not need"),
        (b"I12\n.", "contains the instruction INT, which arrays do not need"),
        (b"\x80\x04\x8e" + b"\xff" * 8, "byte count > sys.maxsize"),
        (b"\x80\x04]r\xff\xff\xff\x7f.", "it stores a value under number 2147483647 after 0 others"),
        (b"\x80\x04\x95" + b"\xff" * 7 + b"\x7f].", "read would overflow"),
        (b"\x80\x04\x8e" + b"\x00" * 5 + b"\x10\x00\x00" + b"abc", "but only 3 remain"),
    ],
)
def test_a_damaged_pickle_is_told_in_one_line(read, body, why):
    with pytest.raises(UnreadableSource) as raised:
        read(npy(body))
    text = str(raised.value)
    assert "ops.npy is damaged: " in text
    assert why in text
    assert text.endswith("Copy it again, or move it away and pass --rate-hz.")
    assert "\n" not in text


def test_a_nest_of_any_depth_does_no_harm(read):
    body = DICT + b"\x8c\x02fs)" + b"\x85" * 100_000 + b"s"
    array = RECONSTRUCT + b")R(K\x01)NN]" + body[2:] + b"atb."
    (found,) = read(npy(array))
    assert type(found["fs"]) is tuple


def test_a_pickle_without_end_is_given_up(read, monkeypatch):
    monkeypatch.setattr(pickles, "MOST_STEPS", 1000)
    with pytest.raises(UnreadableSource, match="damaged: it takes more than 1000 steps to build"):
        read(npy(b"\x80\x04" + b"]" * 5000 + b"."))


def test_marks_on_many_values_are_passed_quickly(read):
    body = b"\x80\x04" + b"N" * 100_000 + b"(t" * 100_000
    started = time.monotonic()
    with pytest.raises(UnreadableSource, match="is damaged"):
        read(npy(body + b"."))
    assert time.monotonic() - started < 10


STEPS = [
    *(RECONSTRUCT, b"cnumpy\ndtype\n", b"cnumpy.core.multiarray\nscalar\n", b"chdmf_zarr.utils\nZarrReference\n"),
    *(
        b"cdatetime\ndatetime\n",
        b"(",
        b")",
        b"]",
        b"}",
        b"N",
        b"\x88",
        b"K\x01",
        b"\x8c\x02f8",
        b"\x8c\x01<",
        b"C\x01b",
    ),
    *(
        b"\x85",
        b"\x86",
        b"\x87",
        b"t",
        b"a",
        b"e",
        b"s",
        b"u",
        b"R",
        b"\x81",
        b"b",
        b"q\x00",
        b"\x94",
        b"h\x00",
        b"h\x01",
    ),
]


@given(st.lists(st.sampled_from(STEPS), max_size=40).map(b"".join))
def test_any_steps_come_to_values_or_to_damage(body):
    before = {made: dict(vars(made)) for made in ADMITTED.values()}
    with contextlib.suppress(pickles.UNPICKLING_ERRORS):
        pickles.load_objects(RECONSTRUCT + b")R(K\x01)NN](" + body + b"etb.")
    assert {made: dict(vars(made)) for made in ADMITTED.values()} == before


def test_a_file_cut_anywhere_is_damaged(read):
    contents = pickled(OPS)
    for length in range(0, len(contents), 7):
        with pytest.raises(UnreadableSource, match="is damaged: "):
            read(contents[:length])


def test_numbers_are_no_objects(tmp_path):
    np.save(tmp_path / "ops.npy", np.ones(3))
    with pytest.raises(InvalidSource, match=r"ops.npy must hold Python objects, it holds numbers\. Copy it again\."):
        objects(tmp_path / "ops.npy")


def test_what_may_not_be_read_is_told(tmp_path):
    with pytest.raises(UnreadableSource, match=f"^{tmp_path} cannot be read: "):
        objects(tmp_path)
