"""Arrays of Zarr come out as they went in, by whatever harmless codec, and damage becomes one of our errors."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwb_neurid.errors import UnreadableSource
from nwb_neurid.readers.zarr import arrays
from nwb_neurid.readers.zarr.arrays import Array

numcodecs = pytest.importorskip("numcodecs", reason="Zarr needs nwb-neurid[zarr]")

VALUES = np.arange(35.0).reshape(7, 5)


def put(folder, values, cut=None, **changes):
    """An array as Zarr 2 writes it, with some of its description changed."""
    folder.mkdir(exist_ok=True)
    texts, blosc, size = values.dtype.kind == "O", numcodecs.Blosc("lz4"), tuple(max(1, n) for n in cut or values.shape)
    described = {
        "zarr_format": 2,
        "shape": list(values.shape),
        "chunks": list(size),
        "dtype": "|O" if texts else values.dtype.str,
        "fill_value": "" if texts else values.dtype.type(0).item(),
        "filters": [{"id": "vlen-utf8"}] if texts else None,
        "compressor": blosc.get_config(),
        "order": "C",
    }
    for index in np.ndindex(*[-(-length // part) for length, part in zip(values.shape, size, strict=True)]):
        part = values[tuple(slice(at * length, (at + 1) * length) for at, length in zip(index, size, strict=True))]
        chunk = np.full(size, "" if texts else 0, values.dtype)
        chunk[tuple(map(slice, part.shape))] = part
        packed = blosc.encode(numcodecs.VLenUTF8().encode(chunk) if texts else np.ascontiguousarray(chunk))
        (folder / ".".join(map(str, index))).write_bytes(packed)
    (folder / ".zarray").write_bytes(json.dumps({**described, **changes}).encode())
    return folder


@pytest.fixture
def array(tmp_path):
    """Writes an array and opens it."""

    def make(values=VALUES, **changes):
        return Array.at(put(tmp_path / "array", values, **changes), "an array")

    return make


def refusal(call, *arguments, **options):
    with pytest.raises(UnreadableSource) as refused:
        call(*arguments, **options)
    return str(refused.value)


@st.composite
def places(draw):
    """An array, how it is cut, and which part of it is wanted."""
    shape = draw(st.tuples(*[st.integers(0, 6)] * draw(st.integers(1, 3))))
    chunks = tuple(draw(st.integers(1, 7)) for _ in shape)
    ends = [sorted((draw(st.integers(0, length)), draw(st.integers(0, length)))) for length in shape]
    ranges = tuple(slice(*pair) for pair in ends)
    return shape, chunks, draw(st.sampled_from([None, ranges[0], ranges[:2]]))


@given(
    place=places(), dtype=st.sampled_from(["f8", "f4", "i8", "u1", "?", ">i4", "O"]), asked=st.sampled_from([0, 100])
)
def test_any_part_is_what_numpy_would_take(tmp_path_factory, place, dtype, asked):
    shape, chunks, wanted = place
    values = np.arange(math.prod(shape)).reshape(shape)
    values = (
        np.array([f"ä{number}" for number in values.flat], object).reshape(shape)
        if dtype == "O"
        else values.astype(dtype)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "MOST_ASKED", asked)
        found = Array.at(put(tmp_path_factory.mktemp("a"), values, chunks), "an array").read(wanted)
    expected = values[() if wanted is None else wanted]
    assert found.shape == expected.shape
    assert found.tolist() == expected.tolist()


CODECS = [
    ([], None),
    ([], {"id": "zlib", "level": 1}),
    ([], {"id": "gzip", "level": 1}),
    ([], {"id": "bz2", "level": 1}),
    ([], {"id": "lzma"}),
    ([], {"id": "zstd", "level": 1}),
    ([], {"id": "lz4", "acceleration": 1}),
    ([], {"id": "blosc", "cname": "zstd", "clevel": 3, "shuffle": 2, "blocksize": 0}),
    ([{"id": "delta", "dtype": "<f8"}], {"id": "zlib", "level": 1}),
    ([{"id": "shuffle", "elementsize": 8}], {"id": "lz4", "acceleration": 1}),
]


@pytest.mark.parametrize(("filters", "compressor"), CODECS)
@pytest.mark.parametrize("order", ["C", "F"])
def test_codecs_that_are_harmless_are_undone(array, filters, compressor, order):
    found = array(filters=filters or None, compressor=compressor, order=order)
    data = VALUES.tobytes(order=order)
    for config in [*filters, *([compressor] if compressor else [])]:
        data = bytes(numcodecs.get_codec(dict(config)).encode(np.frombuffer(data, "f8") if config in filters else data))
    (found.folder / "0.0").write_bytes(data)
    np.testing.assert_array_equal(found.read(), VALUES)


def test_what_zarr_itself_writes_is_read(tmp_path):
    zarr = pytest.importorskip("zarr", "2.18", reason="zarr is not installed")
    if int(zarr.__version__.split(".")[0]) > 2:
        pytest.skip("this zarr writes format 3")
    stored = zarr.open(
        str(tmp_path / "a"), "w", shape=VALUES.shape, chunks=(3, 2), dimension_separator="/", fill_value=np.nan
    )
    stored[:4] = VALUES[:4]
    with pytest.warns(UserWarning, match="lacks 3 of 9 chunks, which are read as nan"):
        np.testing.assert_array_equal(Array.at(tmp_path / "a", "an array").read(), stored[:])


@pytest.mark.parametrize("name", ["pickle", "categorize", "base64", "json2", "vlen-utf8", "anything"])
def test_other_codecs_are_not_asked(array, name):
    said = f"an array cannot be read: its codec {name} is unknown or could run code. Save it again with another codec."
    assert refusal(array(filters=[{"id": name}]).read) == said
    assert refusal(array(compressor={"id": name}).read) == said


def test_pickles_are_opened_by_whom_is_asked_alone(array):
    found = array(np.array(["a", "b"], object), filters=[{"id": "pickle"}])
    assert refusal(found.read).startswith("an array cannot be read: its codec pickle is unknown or could run code")
    assert found.read(unpickle=lambda data: [len(data), 0]).tolist() == [14, 0]


@pytest.mark.parametrize(
    "changes",
    [
        {"zarr_format": 3},
        {"shape": [7]},
        {"shape": [-7, 5]},
        {"shape": "large"},
        {"chunks": [0, 5]},
        {"chunks": None},
        {"dtype": "nothing"},
        {"dtype": [["x"]]},
        {"filters": "zlib"},
        {"compressor": {"cname": "lz4"}},
        {"fill_value": "text"},
    ],
)
def test_damaged_descriptions_are_refused(array, changes):
    message = refusal(array, **changes)
    assert message.startswith("an array is damaged: ")
    assert message.endswith(". Validate the file, or fetch it again.")


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000])
def test_descriptions_that_are_no_json_are_refused(tmp_path, text):
    folder = put(tmp_path / "array", VALUES)
    (folder / ".zarray").write_text(text)
    assert refusal(Array.at, folder, "an array").startswith("an array is damaged: ")


def test_an_array_that_claims_more_than_it_holds_is_refused(array):
    found = array(shape=[10**12, 5])
    stored = sum(path.stat().st_size for path in found.folder.iterdir())
    assert refusal(found.read) == (
        f"an array is damaged: it has {stored} bytes, but its shape needs {40 * 10**12}. Validate the file, or "
        "fetch it again."
    )
    assert "but its shape needs" in refusal(array(chunks=[10**12, 5]).read)


@pytest.mark.parametrize("size", [0, 7, 15, 16, 40])
def test_a_chunk_that_was_cut_off_is_refused(array, size):
    found = array()
    (found.folder / "0.0").write_bytes((found.folder / "0.0").read_bytes()[:size])
    assert refusal(found.read).startswith(f"an array is damaged: a chunk of {size} bytes states a size of ")


@pytest.mark.parametrize(
    "data", [b"", b"\1\0\0\0", b"\2\0\0\0\x09\0\0\0ab\0\0\0\0", b"\xff" * 20, b"\2\0\0\0\1\0\0\0\xff\0\0\0\0"]
)
def test_texts_that_were_cut_off_are_refused(array, data):
    found = array(np.array(["a", "b"], object), compressor=None)
    (found.folder / "0").write_bytes(data)
    assert refusal(found.read).startswith("an array is damaged: ")


def test_json_of_another_length_is_refused(array):
    found = array(np.array(["a", "b"], object), compressor=None, filters=[{"id": "json2"}])
    (found.folder / "0").write_bytes(b'["a","b","|O",[2]]')
    assert found.read().tolist() == ["a", "b"]
    again = Array.at(found.folder, "an array")
    (found.folder / "0").write_bytes(b'["a","|O",[10000000000]]')
    assert refusal(again.read) == (
        "an array is damaged: a chunk must hold 2 elements. Validate the file, or fetch it again."
    )


def test_records_have_their_fields(tmp_path):
    values = np.array([(1, 2.5), (3, 4.5)], [("x", "<u4"), ("weight", "<f4")])
    folder = put(
        tmp_path / "array", values["x"], dtype=[["x", "<u4"], ["weight", "<f4"]], fill_value=None, compressor=None
    )
    (folder / "0").write_bytes(values.tobytes())
    np.testing.assert_array_equal(Array.at(folder, "an array").read(), values)


def test_a_chunk_that_may_not_be_read_is_refused(array, monkeypatch):
    def denied(_):
        raise PermissionError(13, "Permission denied")

    found = array()
    monkeypatch.setattr("nwb_neurid.readers.zarr.arrays.read_bytes", denied)
    assert refusal(found.read) == "an array cannot be read: permission denied. Ask its owner for access."
