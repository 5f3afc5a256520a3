"""A file with changes in memory behaves as the file would with the changes in it."""

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwb_neurid.writers.nwb.overlay import PAGE, Overlay

places = st.integers(0, 5 * PAGE)
steps = st.lists(
    st.tuples(st.sampled_from(["write", "read", "truncate"]), places, st.integers(0, 3 * PAGE)), max_size=12
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("overlay") / "file"
    path.write_bytes(np.random.default_rng(0).bytes(3 * PAGE + 100))
    return path


@given(steps=steps)
def test_it_is_the_file_that_would_have_been_written(path, steps):
    before = path.read_bytes()
    model = path.with_name("model")
    model.write_bytes(before)
    with model.open("rb+") as plain, Overlay(path) as overlay:
        for number, (step, place, count) in enumerate(steps):
            for file in (plain, overlay):
                file.seek(place)
            if step == "read":
                assert overlay.read(count) == plain.read(count)
            elif step == "write":
                plain.write(bytes([number + 1]) * count)
                overlay.write(bytes([number + 1]) * count)
            elif place >= overlay.size:  # HDF5 never cuts off what it has written
                plain.truncate(place)
                overlay.truncate(place)
        plain.flush()
        overlay.save(path.with_name("saved"))
        applied = bytearray(before.ljust(overlay.size, b"\0"))
        for offset, content in overlay.changes():
            assert offset >= overlay.old_size or offset + len(content) <= overlay.old_size
            applied[offset : offset + len(content)] = content
    assert path.with_name("saved").read_bytes() == bytes(applied) == model.read_bytes()
    assert path.read_bytes() == before


def test_hdf5_writes_to_it(recording, everything, unchanged):
    with unchanged(recording), Overlay(recording) as overlay:
        with h5py.File(overlay, "r+") as file:
            file["more"] = np.arange(100_000)
            file["more"].attrs["of"] = file["units"].ref
        assert overlay.size > overlay.old_size + 800_000
        with h5py.File(overlay, "r") as file:
            assert file[file["more"].attrs["of"]].name == "/units"
        overlay.save(recording.parent.parent / "saved.nwb")
    before, after = everything(recording), everything(recording.parent.parent / "saved.nwb")
    assert after.keys() - before.keys() == {"more", "more data", "more @of"}
    assert {name: after[name] for name in before} == before
